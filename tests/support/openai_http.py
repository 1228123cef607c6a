"""Asking the sandbox for chat completions with a bare HTTP client, and reading what comes."""

import json
from contextlib import asynccontextmanager

import aiohttp

from asyncllm.sandbox import Sandbox

COMPLETIONS = "/v1/chat/completions"
DONE = "[DONE]"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer"},
                    "unit": {"enum": ["celsius", "kelvin"]},
                }
            },
        },
    },
    {"type": "function", "function": {"name": "clock"}},
]


def body(content="Hi", **fields):
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": content}]
    return {"model": "gpt-4", "messages": messages, "stream": True, **fields}


@asynccontextmanager
async def serve(*faults, **options):
    async with (
        Sandbox(faults=faults, **options) as sandbox,
        aiohttp.ClientSession(sandbox.url) as http,
    ):
        yield sandbox, http


async def ask(http, path=COMPLETIONS, **fields):
    async with http.post(path, json=body(**fields)) as response:
        await response.read()
        return response


async def chunks(http, path=COMPLETIONS, **fields):
    """The decoded chunks of a whole stream, with the string [DONE] as it comes."""
    return events(await raw(http, path, **fields))


async def raw(http, path=COMPLETIONS, **fields):
    """The bytes of a whole stream."""
    async with http.post(path, json=body(**fields)) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        return await response.read()


def events(data):
    parts = data.split(b"\n\n")
    assert parts.pop() == b""
    assert all(part.startswith(b"data: ") for part in parts)
    payloads = [part[6:].decode() for part in parts]
    return [payload if payload == DONE else json.loads(payload) for payload in payloads]


def deltas(chunks):
    return [x["choices"][0]["delta"] for x in chunks if x != DONE and x.get("choices")]


def text(chunks):
    return "".join(delta.get("content") or "" for delta in deltas(chunks))


def finish_reasons(chunks):
    choices = [x["choices"][0] for x in chunks if x != DONE and x.get("choices")]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
