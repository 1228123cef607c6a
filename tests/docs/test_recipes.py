"""What the recipes define but do not call: the services, asked as their servers would ask them."""

import asyncio
import json
import re

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from page_runner import ROOT

from asyncllm.sandbox import Drop, Sandbox
from support.waiting import until

PAGE = (ROOT / "docs/recipes.md").read_text("utf-8")


def program_under(heading):
    """Return the name space of the first program below a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    source = re.search(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[1]
    space = {"__name__": "recipe"}
    exec(compile(source, heading, "exec", dont_inherit=True), space)
    return space


@pytest.fixture
def ask_fastapi(monkeypatch):
    app = program_under("Send server-sent events from FastAPI")["app"]

    async def ask(sandbox, *, leave_after=None):
        """Return the events, and leave behind so many of them."""
        monkeypatch.setenv("ASYNCLLM_OPENAI_BASE_URL", f"{sandbox.url}/v1")
        sent, has_left = [], asyncio.Event()

        async def receive():
            await has_left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if leave_after is not None and len(sent) > leave_after:
                has_left.set()
                await asyncio.Event().wait()  # a client that has left takes no more

        scope = {"type": "http", "method": "GET", "path": "/ask", "query_string": b"question=Hello"}
        await app({**scope, "headers": []}, receive, send)
        body = b"".join(message.get("body", b"") for message in sent).decode()
        return re.findall(r"event: (\w+)\ndata: (.+)\n\n", body)

    return ask


@pytest.mark.parametrize(
    ("faults", "text", "last"),
    [
        ([], "about it.", ("done", "stop")),
        ([Drop(after=3)], "This is the", ("error", "StreamInterrupted")),
    ],
)
async def test_the_fastapi_recipe_sends_an_answer_as_events(ask_fastapi, faults, text, last):
    async with Sandbox(faults=faults) as sandbox:
        *texts, end = [(name, json.loads(data)) for name, data in await ask_fastapi(sandbox)]
    assert {name for name, _ in texts} == {"text"}
    assert "".join(data for _, data in texts).endswith(text)
    assert end == last


async def test_the_fastapi_recipe_stops_the_generation_when_its_client_leaves(ask_fastapi):
    async with Sandbox(tokens=10_000, token_rate=100) as sandbox:
        await ask_fastapi(sandbox, leave_after=3)
        await until(lambda: sandbox.generating == 0)
        assert len(sandbox.requests) == 1


async def test_the_aiohttp_recipe_stops_the_generation_when_its_client_leaves(monkeypatch):
    app = program_under("Stop generating when the client leaves")["app"]
    async with Sandbox(tokens=10_000, token_rate=100) as sandbox:
        monkeypatch.setenv("ASYNCLLM_OPENAI_BASE_URL", f"{sandbox.url}/v1")
        async with TestServer(app) as server, ClientSession() as client:
            async with client.get(server.make_url("/ask?question=Hello")) as response:
                await response.content.readexactly(7)
                assert sandbox.generating == 1
                response.close()
            await until(lambda: sandbox.generating == 0)


def test_each_recipe_has_a_program():
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    *sections, more = sections
    assert len(sections) >= 20
    assert more.startswith("More\n")
    assert [each.splitlines()[0] for each in sections if "```python" not in each] == []
