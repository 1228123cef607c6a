"""LlamaCpp: a tiny model with random weights, in this process."""

import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import asyncllm
from asyncllm import Finish, LlamaCpp, Reasoning, SessionManager, Timeouts, Usage, run_sync
from peers.conftest import _require

pytestmark = pytest.mark.peers

ENDLESS = {"ignore_eos": True}  # until the context is full
SMALL = {"context": 512, "threads": 1}
TASKS = Path("/proc/self/task")


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    _require("xllamacpp", "gguf")
    from peers.tiny_model import write_tiny_model

    path = tmp_path_factory.mktemp("llamacpp") / "tiny.gguf"
    write_tiny_model(path)
    return path


@pytest.fixture
async def llm(model):
    async with LlamaCpp(model=model, **SMALL) as provider:
        yield provider


def ours():
    """Return our threads that are alive."""
    return [each for each in threading.enumerate() if each.name.startswith("asyncllm-llamacpp")]


def all_threads():
    """Return how many threads this process has, llama.cpp's included, where that can be told."""
    return len(list(TASKS.iterdir())) if TASKS.exists() else 0


async def until(is_so):
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.001)


def saying(text):
    return {"grammar": f"root ::= {json.dumps(text)}"}


# --- what comes -----------------------------------------------------------------------------


async def test_a_stream_is_text_then_usage_then_finish(llm):
    async with llm.stream("hi", max_tokens=20, **ENDLESS) as stream:
        *tokens, usage, finish = [item async for item in stream.events()]
    assert finish == Finish("length")
    # The file's template has made of it: <s>user: hi</s>, a line feed, and "assistant: ".
    assert usage == Usage(22, 20, 42, cached_tokens=0)
    assert tokens
    assert all(type(token) is str for token in tokens)
    assert stream.reply.model == "tiny"
    assert "".join(tokens) == stream.reply.text


async def test_what_it_is_asked_is_what_a_server_is_asked(llm):
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "hi"}]
    reply = await llm.complete(messages, **saying("да"))
    assert (reply.text, reply.finish_reason) == ("да", "stop")
    assert reply.usage.prompt_tokens == 22 + len("system: Be brief") + 2
    thinking = r'root ::= "<think>\nhm\n</think>\n\nyes"'
    async with llm.stream("hi", grammar=thinking) as stream:
        items = [item async for item in stream.events()]
    assert "".join(item.text for item in items if isinstance(item, Reasoning)).strip() == "hm"
    assert stream.reply.text == "yes"
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    answer = await llm.complete("hi", response_format=wanted)
    assert json.loads(answer.text)["sure"] in (True, False)


async def test_two_at_once_do_not_mix(llm):
    words = ["a" * 60, "b" * 60, "c" * 60]  # and the third waits for its turn
    replies = await asyncio.gather(*(llm.complete("hi", **saying(word)) for word in words))
    assert [reply.text for reply in replies] == words
    await until(lambda: not ours())


async def test_more_than_it_generates_at_once_wait_and_may_leave(model):
    async with LlamaCpp(model=model, parallel=1, **SMALL) as llm:
        first = llm.stream("hi", **ENDLESS)
        await anext(first)
        waiting = asyncio.create_task(llm.complete("hi", **saying("b")))
        left = asyncio.create_task(llm.complete("hi", **saying("c")))
        await asyncio.sleep(0.01)
        assert len(ours()) == 1
        left.cancel()
        await first.aclose()
        assert (await waiting).text == "b"
        with pytest.raises(asyncio.CancelledError):
            await left


async def test_it_serves_blocking_code_and_the_documented_interface(model):
    llm = LlamaCpp(model=model, **SMALL)
    tokens = await asyncio.to_thread(lambda: list(run_sync(llm.stream("hi", **saying("ab")))))
    assert "".join(tokens) == "ab"
    assert await LlamaCpp.create_async(str(model), "hi", **saying("c"), **SMALL) == "c"
    assert await llm.list_models() == [str(model)]


# --- how it ends ----------------------------------------------------------------------------


async def test_two_hundred_random_cancels_leave_nothing(llm):
    chance = random.Random(16)
    await llm.complete("hi", max_tokens=3)
    await until(lambda: not ours())
    before = all_threads()
    for _ in range(200):
        asking = asyncio.create_task(llm.complete("hi " * chance.randint(1, 50), **ENDLESS))
        await asyncio.sleep(chance.choice([0, chance.uniform(0, 0.01)]))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    await until(lambda: not ours())
    gc.collect()
    assert all_threads() <= before
    assert (await llm.complete("hi", **saying("ok"))).text == "ok"


async def test_a_stream_that_is_left_stops_within_a_token(llm):
    async with llm.stream("hi", **ENDLESS) as stream:
        await anext(stream)
        assert len(ours()) == 1
    await until(lambda: not ours())
    assert stream.reply.finish_reason == "cancelled"


async def test_what_waits_for_a_slow_reader_is_bounded(model):
    # The first token may come with up to 255 others: what is left must still be more than waits.
    async with LlamaCpp(model=model, context=1024, threads=1) as llm:
        stream = llm.stream("hi", **ENDLESS)
        await anext(stream)
        generation = stream._answer._begun.source.generation
        await until(lambda: len(generation._chunks) >= 256)
        await asyncio.sleep(0.05)
        assert len(generation._chunks) == 256
        await stream.collect()  # and it goes on from there
        assert stream.reply.finish_reason == "length"
        await until(lambda: not ours())


async def test_closing_unloads_and_the_next_stream_loads_anew(model):
    llm = LlamaCpp(model=model, **SMALL)
    stream = llm.stream("hi", **ENDLESS)
    await anext(stream)
    await llm.aclose()
    with pytest.raises(asyncllm.StreamInterrupted, match="model was closed"):
        await stream.collect()
    await until(lambda: not ours())
    assert (await llm.complete("hi", **saying("ok"))).text == "ok"
    await llm.aclose()


async def test_it_is_closed_with_its_session_manager(model):
    async with SessionManager() as sessions:
        llm = LlamaCpp(model=model, sessions=sessions, **SMALL)
        stream = llm.stream("hi", **ENDLESS)
        await anext(stream)
    with pytest.raises(asyncllm.StreamInterrupted, match="session manager"):
        await stream.collect()
    await until(lambda: not ours())
    with pytest.raises(asyncllm.ConfigurationError, match="closed"):
        await llm.complete("hi")


@pytest.mark.skipif(not TASKS.exists(), reason="threads can't be counted here")
async def test_a_provider_that_nobody_has_any_more_unloads_its_model(model):
    await LlamaCpp(model=model, **SMALL).complete("hi", **saying("ok"))
    gc.collect()
    await until(lambda: not ours())
    before = all_threads()
    for _ in range(3):
        await LlamaCpp(model=model, **SMALL).complete("hi", **saying("ok"))
        gc.collect()
        await until(lambda: not ours() and all_threads() <= before)


async def test_its_limits_are_those_of_any_stream(llm):
    slow = LlamaCpp(model=llm.model, timeouts=Timeouts(total=0.05), **SMALL)
    with pytest.raises(asyncllm.StreamTimeout):
        while True:
            await slow.complete("hi", **ENDLESS)
    await until(lambda: not ours())
    await slow.aclose()


@pytest.mark.parametrize("seconds", [0, 0.005, 0.02, 0.1])
@pytest.mark.parametrize("is_read", [True, False])
def test_a_program_that_forgets_a_stream_ends(model, is_read, seconds):
    program = (
        "import asyncio\n"
        "from asyncllm import LlamaCpp\n"
        "async def main():\n"
        "    global llm, stream\n"
        f"    llm = LlamaCpp(model={str(model)!r}, context=512, threads=1)\n"
        "    stream = llm.stream('hi', ignore_eos=True)\n"
        f"    {'await anext(stream)' if is_read else 'asyncio.ensure_future(anext(stream))'}\n"
        f"    await asyncio.sleep({seconds})\n"
        "asyncio.run(main())\n"
        "print('whole')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "params", "kind"),
    [
        ("x" * 3000, {}, asyncllm.ContextLengthError),
        ("x", {"grammar": "root ::= ("}, asyncllm.BadRequestError),
        ("x", {"tools": "x"}, asyncllm.ProviderError),
        ([{"role": "tool", "content": "x", "tool_call_id": "1"}], {"max_tokens": 1}, None),
    ],
)
async def test_what_it_can_t_answer_is_an_error_of_ours(llm, asked, params, kind):
    if kind is None:
        assert (await llm.complete(asked, **params)).finish_reason
        return
    with pytest.raises(kind) as caught:
        await llm.complete(asked, **params)
    assert caught.value.reply.text == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "no/such.gguf"}, "No such file"),
        ({"model": __file__}, "not a GGUF file"),
        ({"context": 0}, "context must be at least 1"),
        ({"parallel": "2"}, "parallel must be a whole number"),
        ({"base_url": "http://localhost:8080"}, "llamacpp-server"),
    ],
)
def test_what_can_t_be_used_is_refused_at_once(model, options, words):
    with pytest.raises(asyncllm.ConfigurationError, match=words):
        LlamaCpp(**{"model": model, **options})


async def test_what_can_t_be_loaded_is_refused_and_may_be_tried_again(model, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(model.read_bytes()[:200])
    llm = LlamaCpp(model=broken)
    for _ in range(2):
        with pytest.raises(asyncllm.ConfigurationError, match=r"can't load broken\.gguf"):
            await llm.complete("hi")
    broken.write_bytes(model.read_bytes())
    assert (await llm.complete("hi", **saying("ok"))).text == "ok"
    await llm.aclose()
    llm = LlamaCpp(model=model, options={"n_ctxx": 512})
    with pytest.raises(asyncllm.ConfigurationError, match="did you mean n_ctx"):
        await llm.complete("hi")


def test_a_message_that_can_t_be_sent_is_named(model):
    messages = [{"role": "user", "content": text} for text in ("hi", "\ud800")]
    with pytest.raises(asyncllm.ConfigurationError, match=r"messages\[1\] can't be written"):
        LlamaCpp(model=model).stream(messages)


async def test_without_a_model_it_says_so(monkeypatch, model):
    with pytest.raises(asyncllm.ConfigurationError, match="leave out proxy"):
        LlamaCpp(model=model).stream("hi", proxy="http://127.0.0.1:1")
    with pytest.raises(asyncllm.ConfigurationError, match="ASYNCLLM_MODEL"):
        LlamaCpp().stream("hi")
    monkeypatch.setenv("ASYNCLLM_MODEL", str(model))
    assert LlamaCpp().model == str(model)


def test_without_the_extra_it_says_what_to_install(monkeypatch, model):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(asyncllm.ConfigurationError, match=r"asyncllm-sdk\[llamacpp\]"):
        LlamaCpp(model=model)


# --- the command line -----------------------------------------------------------------------


def test_ask_answers_from_the_environment_s_model_without_a_server(model):
    command = [sys.executable, "-m", "asyncllm", "ask", "hi", "--param", "max_tokens=5"]
    command += ["--param", 'grammar=root ::= "yes"']
    environment = {**os.environ, "ASYNCLLM_MODEL": str(model)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert (done.returncode, done.stdout) == (0, "yes\n"), done.stderr
    assert "sandbox" not in done.stderr
