"""The sandbox refuses what Anthropic refuses, and answers in its forms."""

import json

import aiohttp
import pytest

from asyncllm.sandbox import Sandbox

VERSION = {"anthropic-version": "2023-06-01"}
HI = {"role": "user", "content": "Hi"}
CALLS = [
    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
    {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}},
]
RESULTS = [
    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"},
    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "2"},
]
CALLING = {"role": "assistant", "content": CALLS}
MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


def user(*blocks):
    return {"role": "user", "content": [*blocks]}


async def ask(url, headers=VERSION, **fields):
    """Return the status and the body of an answer that is not streamed."""
    body = {"model": "claude-opus-5", "max_tokens": 100, "messages": [HI], **fields}
    body = {name: value for name, value in body.items() if value is not None}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/v1/messages", json=body, headers=headers) as response,
    ):
        return response.status, await response.json()


TEXT = {"type": "text", "text": "x"}
REFUSED = {  # what is wrong: what the server says of it
    "no limit": ({"max_tokens": None}, "max_tokens: Field required"),
    "no model": ({"model": None}, "model: Field required"),
    "an unknown field": ({"seed": 1}, "seed: Extra inputs are not permitted"),
    "a limit of nothing": ({"max_tokens": 0}, "greater than or equal to 1"),
    "a small budget": ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "at least 1024"),
    "a budget above the limit": (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "`max_tokens` must be greater",
    ),
    "too many marks": ({"messages": [user(*[MARKED] * 5)]}, "A maximum of 4 blocks"),
    "no messages": ({"messages": []}, "at least one message"),
    "a blank to stop at": ({"stop_sequences": [" "]}, "must contain non-whitespace"),
    "an unknown role": ({"messages": [{"role": "tool", "content": "x"}]}, "Input should be 'user'"),
    "an empty message": ({"messages": [{"role": "user", "content": ""}]}, "non-empty content"),
    "an empty text": ({"messages": [user({"type": "text", "text": ""})]}, "must be non-empty"),
    "a beginning with a blank end": (
        {"messages": [HI, {"role": "assistant", "content": "So "}]},
        "cannot end with trailing whitespace",
    ),
    "a call of the user's": ({"messages": [user(CALLS[0])]}, "only be in `assistant` messages"),
    "arguments as text": (
        {"messages": [HI, {"role": "assistant", "content": [CALLS[0] | {"input": "{}"}]}]},
        "Input should be a valid dictionary",
    ),
    "an id with other characters": (
        {"messages": [HI, {"role": "assistant", "content": [CALLS[0] | {"id": "a.b"}]}]},
        "String should match",
    ),
    "a call without a result": ({"messages": [HI, CALLING]}, "were found without `tool_result`"),
    "one result of two": (
        {"messages": [HI, CALLING, user(RESULTS[0])]},
        "immediately after: toolu_2",
    ),
    "results behind a text": (
        {"messages": [HI, CALLING, user(TEXT, *RESULTS)]},
        "without `tool_result`",
    ),
    "a result without a call": ({"messages": [user(RESULTS[0])]}, "unexpected `tool_use_id`"),
    "an image of another kind": (
        {
            "messages": [
                user({"type": "image", "source": {"type": "base64", "media_type": "image/tiff"}})
            ]
        },
        "source.media_type: Input should be one of",
    ),
    "an image that is no base64": (
        {
            "messages": [
                user(
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "?"},
                    }
                )
            ]
        },
        "invalid base64 data",
    ),
    "a source of no kind": (
        {"messages": [user({"type": "document", "source": {"type": "path"}})]},
        "Input tag 'path'",
    ),
    "forged thinking": (
        {
            "messages": [
                HI,
                {
                    "role": "assistant",
                    "content": [{"type": "thinking", "thinking": "x", "signature": "y"}, TEXT],
                },
                HI,
            ]
        },
        "Invalid `signature`",
    ),
    "tools that are none": (
        {"messages": [user(TEXT | {"text": "tool"})], "tools": [{"input_schema": 1}]},
        "tools: Input should be a valid tool",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_anthropic_refuses_is_refused(name):
    fields, reason = REFUSED[name]
    async with Sandbox() as sandbox:
        status, body = await ask(sandbox.url, **fields)
        assert status == 400
        assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
        assert reason in body["error"]["message"]


KEY = {"x-api-key": "right"}


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        (KEY, 400, "header is required"),
        (KEY | {"anthropic-version": "2020"}, 400, "not a valid version"),
        (VERSION, 401, "invalid x-api-key"),
        (VERSION | {"x-api-key": "wrong"}, 401, "invalid x-api-key"),
        (VERSION | KEY, 200, ""),
        (VERSION | {"Authorization": "Bearer right"}, 200, ""),
    ],
)
async def test_a_version_and_a_key_are_wanted(headers, status, reason):
    async with Sandbox(api_key="right") as sandbox:
        came, body = await ask(sandbox.url, headers=headers)
        assert came == status
        assert reason in json.dumps(body)


async def test_results_may_stand_in_several_messages_and_roles_in_a_row():
    async with Sandbox() as sandbox:
        messages = [HI, HI, CALLING, user(RESULTS[0]), user(RESULTS[1], TEXT)]
        status, body = await ask(sandbox.url, messages=messages)
        assert (status, body["stop_reason"]) == (200, "end_turn")


async def test_the_models_are_those_of_the_wire_that_is_asked_for():
    async with Sandbox() as sandbox, aiohttp.ClientSession() as http:
        async with http.get(f"{sandbox.url}/v1/models", headers=VERSION) as response:
            page = await response.json()
        assert page["has_more"]
        after = {"after_id": page["last_id"], "limit": "1000"}
        async with http.get(f"{sandbox.url}/v1/models", headers=VERSION, params=after) as response:
            assert (await response.json())["data"][0]["id"] not in page["data"][-1].values()
        unknown = {"after_id": "x"}
        async with http.get(
            f"{sandbox.url}/v1/models", headers=VERSION, params=unknown
        ) as response:
            assert response.status == 400
        async with http.get(f"{sandbox.url}/v1/models") as response:
            assert (await response.json())["object"] == "list"
