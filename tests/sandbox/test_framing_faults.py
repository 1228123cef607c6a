"""JSON lines and JSON arrays as the sandbox serves them, read by the SDK and by `json`."""

import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

import asyncllm
from asyncllm import H2o, OpenAICompatible, Retry, SessionManager
from asyncllm.sandbox import (
    BadJson,
    Drop,
    ErrorInStream,
    Framing,
    NullContent,
    PingForever,
    Sandbox,
    Truncate,
)
from asyncllm.sandbox.generation import answer_to

ONCE = Retry(attempts=1)
ANSWER = answer_to("Hello")


class Lines(OpenAICompatible):
    framing = "json_lines"
    model = "gpt-4"


class Array(OpenAICompatible):
    framing = "json_array"
    model = "gpt-4"


class H2oArray(H2o):
    framing = "json_array"


async def read(make, *faults):
    """Return the text that came, and the error if there is one."""
    async with Sandbox(faults=faults) as sandbox, SessionManager(retry=ONCE) as sessions:
        path = "/v1" if issubclass(make, OpenAICompatible) else ""
        stream = make(base_url=sandbox.url + path, sessions=sessions).stream("Hello")
        try:
            return "".join([token async for token in stream]), None
        except asyncllm.AsyncLLMError as error:
            return error.reply.text, type(error)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Lines, "json_lines"),
        (Array, "json_array"),
        (H2oArray, "json_array"),
        (H2o, "json_array"),
    ],
)
@pytest.mark.parametrize(
    ("faults", "count", "error"),
    [
        ([], len(ANSWER.tokens), None),
        ([NullContent()], len(ANSWER.tokens), None),
        ([Drop(after=3)], 3, asyncllm.StreamInterrupted),
        ([Truncate(after=0)], 0, asyncllm.StreamInterrupted),
        ([Truncate(after=3)], 3, asyncllm.StreamInterrupted),
        ([ErrorInStream(after=3)], 3, asyncllm.ProviderError),
    ],
)
async def test_an_sdk_reads_it_and_fails_loudly(make, kind, faults, count, error):
    if error is asyncllm.ProviderError and issubclass(make, OpenAICompatible):
        error = asyncllm.ServerError  # OpenAI's wire says whose failure it is
    text, failed_with = await read(make, Framing(kind), *faults)
    assert text == "".join(ANSWER.tokens[:count])
    assert failed_with is error


@pytest.mark.parametrize(
    ("make", "kind", "error"),
    [
        (Lines, "json_lines", asyncllm.StreamInterrupted),  # its object never ends
        (Array, "json_array", asyncllm.ProtocolError),
    ],
)
async def test_bad_json_amid_it_ends_the_stream(make, kind, error):
    assert await read(make, Framing(kind), BadJson(after=3)) == ("This is the", error)


@asynccontextmanager
async def response_with(*faults):
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    async with (
        Sandbox(tokens=2, faults=faults) as sandbox,
        aiohttp.ClientSession(sandbox.url) as http,
        http.post("/v1/chat/completions", json=body) as response,
    ):
        yield response


@pytest.mark.parametrize(("faults", "objects"), [([], 4), ([Truncate(after=0)], 1)])
async def test_an_array_is_one_json_value_of_the_wires_objects(faults, objects):
    async with response_with(Framing("json_array"), *faults) as response:
        assert response.content_type == "application/json"
        events = json.loads(await response.read())
    assert [type(event) for event in events] == [dict] * objects


async def test_pings_are_white_space_amid_an_array():
    data = b""
    async with response_with(Framing("json_array"), PingForever(after=1, every=0.001)) as response:
        while not data.endswith(b"\n\n\n"):
            data += await response.content.readany()
    assert len(json.loads(data + b"]")) == 2
