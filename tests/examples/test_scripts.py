"""The examples, run as they are."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from asyncllm.sandbox import Drop, Sandbox
from asyncllm.sandbox.background import running_in_background

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def server():
    with running_in_background(Sandbox(token_rate=200)) as sandbox:
        yield sandbox


def run(name, server, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        env={**os.environ, "ASYNCLLM_H2O_BASE_URL": server.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_script_prints_the_answer_as_it_comes(server):
    done = run("script.py", server, "Hello")
    assert done.stdout.endswith("about it.\n(stop)\n")
    assert (done.returncode, done.stderr, server.conversations) == (0, "", 0)


def test_the_script_says_what_went_wrong(server):
    server.add_fault(Drop(after=2))
    done = run("script.py", server, "Hello")
    assert (done.returncode, done.stdout) == (1, "This is")
    assert "broke before the answer was whole" in done.stderr


def test_the_batch_answers_every_line_in_its_order(server, tmp_path):
    prompts = [f"Question {number}" for number in range(20)]
    (tmp_path / "prompts").write_text("\n".join(prompts))
    done = run("batch.py", server, str(tmp_path / "prompts"))
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [prompt for prompt, _ in rows] == prompts
    assert all(f"“{prompt}”" in text for prompt, text in rows)
    assert (done.returncode, done.stderr, server.conversations) == (0, "", 0)


async def test_the_service_relays_and_a_client_that_leaves_stops_the_generation(
    server, monkeypatch
):
    monkeypatch.setenv("ASYNCLLM_H2O_BASE_URL", server.url)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from aiohttp import web

    from service import service

    runner = web.AppRunner(service(), handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/ask"
    try:
        async with aiohttp.ClientSession() as http:
            async with http.post(url, json={"prompt": "Hello"}) as answer:
                body = await answer.text()
            events = [json.loads(line[6:]) for line in body.split("\n") if line]
            assert "".join(event.get("text", "") for event in events).endswith("about it.")
            assert events[-1] == {"finish_reason": "stop"}

            async with http.post(url, json={"prompt": "Hello"}) as answer:
                await answer.content.readuntil(b"\n\n")
            async with asyncio.timeout(5):
                while server.generating or server.conversations:
                    await asyncio.sleep(0.001)
    finally:
        await runner.cleanup()
