"""What is sent to Anthropic for what its caller says, and what is refused before it is sent."""

from __future__ import annotations

import base64
import json

import pytest

from asyncllm import ConfigurationError, file, image, text
from asyncllm.messages import check_messages
from asyncllm.wires.anthropic import body_of

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 8
ENCODED = base64.b64encode(PNG).decode()
USER = {"role": "user", "content": "Hi"}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
OTHER = {"id": "toolu_2", "type": "function", "function": {"name": "g", "arguments": ""}}
EDITED = CALL | {"function": {"name": "f", "arguments": '{"a":2}'}}
USED = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
SAID = {"type": "text", "text": "so"}
SIGNED = {"type": "thinking", "thinking": "", "signature": "s"}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
EPHEMERAL = {"type": "ephemeral"}


def asked(messages="Hi", /, *, version="2023-06-01", system=None, max_tokens=100, **params):
    checked = check_messages(messages, system=system)
    return body_of("m", checked, params, max_tokens=max_tokens, version=version)


def result(call_id, content, **more):
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def tool(call_id, content, **more):
    return {"role": "tool", "tool_call_id": call_id, "content": content, **more}


PARAMS = {  # what is given: what stands in the body
    "nothing": ({}, {"model": "m", "max_tokens": 100, "stream": True, "messages": [USER]}),
    "a limit": ({"max_tokens": 5}, {"max_tokens": 5}),
    "OpenAI's limit": ({"max_completion_tokens": 6, "max_tokens": 5}, {"max_tokens": 6}),
    "a budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"max_tokens": 2100, "thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    "sampling": ({"temperature": 0.5, "top_p": 1, "top_k": 4}, {"temperature": 0.5, "top_k": 4}),
    "one stop": ({"stop": "x"}, {"stop_sequences": ["x"]}),
    "no stop": ({"stop": ""}, {"stop_sequences": None}),
    "some stops": (
        {"stop": ("x", "y"), "stop_sequences": ["z"]},
        {"stop_sequences": ["x", "y", "z"]},
    ),
    "a user": ({"user": "u", "metadata": {"a": "b"}}, {"metadata": {"user_id": "u", "a": "b"}}),
    "an effort": ({"reasoning_effort": "xhigh"}, {"output_config": {"effort": "xhigh"}}),
    "OpenAI's least effort": (
        {"reasoning_effort": "minimal"},
        {"output_config": {"effort": "low"}},
    ),
    "no effort": (
        {"reasoning_effort": "none"},
        {"thinking": {"type": "disabled"}, "output_config": None},
    ),
    "a schema": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": SCHEMA},
            }
        },
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ),
    "a schema of its own form": (
        {
            "response_format": {"type": "json_schema", "schema": SCHEMA},
            "output_config": {"effort": "low"},
        },
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}},
    ),
    "plain text": ({"response_format": {"type": "text"}}, {"output_config": None}),
    "OpenAI's tool": (
        {
            "tools": [
                {
                    "type": "function",
                    "function": {**FUNCTION, "strict": True},
                    "cache_control": EPHEMERAL,
                }
            ]
        },
        {
            "tools": [
                {
                    "name": "f",
                    "description": "d",
                    "strict": True,
                    "input_schema": {"type": "object"},
                    "cache_control": EPHEMERAL,
                }
            ]
        },
    ),
    "a tool without parameters": (
        {"tools": [{"type": "function", "function": {"name": "f", "description": None}}]},
        {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]},
    ),
    "its own tools": (
        {"tools": ({"type": "web_search_20250305", "name": "web_search"},)},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    ),
    "any tool": (
        {"tools": [FUNCTION], "tool_choice": "required"},
        {"tool_choice": {"type": "any"}},
    ),
    "no tool": (
        {"tool_choice": "none", "parallel_tool_calls": False, "tools": [FUNCTION]},
        {"tool_choice": {"type": "none"}},
    ),
    "one function": (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": {"type": "tool", "name": "f"}},
    ),
    "one after the other": (
        {"tools": [FUNCTION], "parallel_tool_calls": False},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ),
    "one after the other, its own choice": (
        {"tools": [FUNCTION], "parallel_tool_calls": False, "tool_choice": {"type": "any"}},
        {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
    ),
    "in parallel": ({"tools": [FUNCTION], "parallel_tool_calls": True}, {"tool_choice": None}),
    "what is off": (
        {"n": 1, "logprobs": False, "presence_penalty": 0},
        {"n": None, "logprobs": None},
    ),
    "its own parameters": (
        {"service_tier": "auto", "container": "c", "inference_geo": "eu"},
        {"service_tier": "auto", "container": "c", "inference_geo": "eu"},
    ),
    "all cached": ({"cache": True}, {"cache_control": EPHEMERAL}),
    "all cached for an hour": ({"cache": "1h"}, {"cache_control": {**EPHEMERAL, "ttl": "1h"}}),
    "its own mark": (
        {"cache": {"type": "ephemeral", "x": 1}},
        {"cache_control": {**EPHEMERAL, "x": 1}},
    ),
    "nothing cached": ({"cache": False}, {"cache_control": None}),
    "places cached": (
        {"system": "s", "tools": [FUNCTION, FUNCTION], "cache": ["tools", "system", "messages"]},
        {
            "system": [{"type": "text", "text": "s", "cache_control": EPHEMERAL}],
            "tools": [FUNCTION, {**FUNCTION, "cache_control": EPHEMERAL}],
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "Hi", "cache_control": EPHEMERAL}],
                }
            ],
            "cache_control": None,
        },
    ),
    "places cached for their times": (
        {"system": "s", "cache": {"system": "1h", "messages": True, "tools": True}},
        {"system": [{"type": "text", "text": "s", "cache_control": {**EPHEMERAL, "ttl": "1h"}}]},
    ),
    "one place": ({"cache": "system"}, {"system": None, "messages": [USER]}),
}


@pytest.mark.parametrize("name", PARAMS)
def test_parameters_become_what_the_wire_has_for_them(name):
    given, wanted = PARAMS[name]
    body = asked(**given)
    assert {field: body.get(field) for field in wanted} == wanted
    json.dumps(body)


def own(*blocks, **message):
    return {"role": "assistant", "content": None, **message, "anthropic": {"content": list(blocks)}}


MESSAGES = {  # messages: turns, and the system where there is one
    "a text": ([USER], [USER], None),
    "a system first": (
        [{"role": "system", "content": "s"}, {"role": "developer", "content": [text("t")]}, USER],
        [USER],
        [{"type": "text", "text": "s"}, {"type": "text", "text": "t"}],
    ),
    "a system amid the messages": (
        [USER, {"role": "system", "content": "s"}],
        [USER, {"role": "system", "content": [{"type": "text", "text": "s"}]}],
        None,
    ),
    "a system that is cached": (
        [{"role": "system", "content": [{**text("s"), "cache_control": EPHEMERAL}]}, USER],
        [USER],
        [{"type": "text", "text": "s", "cache_control": EPHEMERAL}],
    ),
    "images": (
        [
            {
                "role": "user",
                "content": [
                    image(PNG),
                    image("https://x.example/a.png"),
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{ENCODED}"}},
                ],
            }
        ],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": ENCODED},
                    },
                    {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": ENCODED},
                    },
                ],
            }
        ],
        None,
    ),
    "files": (
        [
            {
                "role": "user",
                "content": [
                    file(b"%PDF-1", name="a.pdf"),
                    {**file(b"so", name="a.txt"), "citations": {"enabled": True}},
                    file("https://x.example/a.pdf"),
                ],
            }
        ],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "document",
                        "source": {
                            "type": "base64",
                            "media_type": "application/pdf",
                            "data": base64.b64encode(b"%PDF-1").decode(),
                        },
                        "title": "a.pdf",
                    },
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "so"},
                        "title": "a.txt",
                        "citations": {"enabled": True},
                    },
                    {
                        "type": "document",
                        "source": {"type": "url", "url": "https://x.example/a.pdf"},
                        "title": "a.pdf",
                    },
                ],
            }
        ],
        None,
    ),
    "blocks of its own, and an empty text": (
        [
            {
                "role": "user",
                "content": [{"type": "search_result", "source": "u"}, text(""), text("t")],
            }
        ],
        [{"role": "user", "content": [{"type": "search_result", "source": "u"}, text("t")]}],
        None,
    ),
    "calls, and all results in one message with what follows": (
        [
            USER,
            {"role": "assistant", "content": "so", "tool_calls": [CALL, OTHER]},
            tool("toolu_1", "1"),
            tool("toolu_2", [image(PNG)], is_error=True),
            {"role": "user", "content": "And?"},
        ],
        [
            USER,
            {
                "role": "assistant",
                "content": [
                    SAID,
                    USED,
                    {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    result("toolu_1", "1"),
                    result(
                        "toolu_2",
                        [
                            {
                                "type": "image",
                                "source": {
                                    "type": "base64",
                                    "media_type": "image/png",
                                    "data": ENCODED,
                                },
                            }
                        ],
                        is_error=True,
                    ),
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
        None,
    ),
    "another server's ids, and arguments that are no object": (
        [
            USER,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {**CALL, "id": "functions.f:0", "function": {"name": "f", "arguments": "[1"}}
                ],
            },
            tool("functions.f:0", "1"),
        ],
        [
            USER,
            {
                "role": "assistant",
                "content": [{**USED, "id": "functions_f_0", "input": {"INVALID_JSON": "[1"}}],
            },
            {"role": "user", "content": [result("functions_f_0", "1")]},
        ],
        None,
    ),
    "an answer as it came": (
        [USER, own(SIGNED, SAID, USED, content="so", tool_calls=[CALL]), tool("toolu_1", "1")],
        [
            USER,
            {"role": "assistant", "content": [SIGNED, SAID, USED]},
            {"role": "user", "content": [result("toolu_1", "1")]},
        ],
        None,
    ),
    "an answer whose text was edited": (
        [USER, own(SIGNED, SAID, content="no")],
        [USER, {"role": "assistant", "content": "no"}],
        None,
    ),
    "an answer whose calls were edited": (
        [USER, own(SIGNED, USED, tool_calls=[OTHER]), tool("toolu_2", "1")],
        [
            USER,
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}}],
            },
            {"role": "user", "content": [result("toolu_2", "1")]},
        ],
        None,
    ),
    "an answer whose arguments were edited": (
        [USER, own(SIGNED, USED, tool_calls=[EDITED]), tool("toolu_1", "1")],
        [
            USER,
            {"role": "assistant", "content": [{**USED, "input": {"a": 2}}]},
            {"role": "user", "content": [result("toolu_1", "1")]},
        ],
        None,
    ),
    "a beginning to go on with": (
        [USER, {"role": "assistant", "content": "So"}],
        [USER, {"role": "assistant", "content": "So"}],
        None,
    ),
    "an answer that said nothing": (
        [USER, {"role": "assistant", "content": ""}, USER],
        [USER, USER],
        None,
    ),
    "a refusal": (
        [USER, {"role": "assistant", "content": None, "refusal": "No."}, USER],
        [USER, {"role": "assistant", "content": "No."}, USER],
        None,
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_become_turns(name):
    given, turns, system = MESSAGES[name]
    body = asked(given)
    assert body["messages"] == turns
    assert body.get("system") == system


def test_a_plain_system_message_is_a_text():
    assert asked(system="s")["system"] == "s"


def test_the_container_of_code_that_waits_is_named():
    message = own(USED, tool_calls=[CALL])
    message["anthropic"]["container"] = "c"
    assert asked([USER, message, tool("toolu_1", "1")])["container"] == "c"
    later = {"role": "assistant", "content": "so"}
    assert "container" not in asked([USER, message, tool("toolu_1", "1"), later, USER])


def test_nothing_of_the_caller_s_is_changed():
    tools, system = [FUNCTION], {"role": "system", "content": [text("s")]}
    messages = [system, USER, own(SIGNED, SAID, content="so"), USER]
    before = json.dumps([tools, messages])
    asked(messages, tools=tools, cache=["tools", "system", "messages"])
    assert json.dumps([tools, messages]) == before


REFUSED = {  # what is refused: a part of the reason
    "a seed": ({"seed": 0}, "no seed: leave it out \\(extra={'seed'"),
    "a penalty": ({"presence_penalty": 1}, "no presence_penalty"),
    "log probabilities": ({"logprobs": True}, "no logprobs"),
    "JSON without a schema": ({"response_format": {"type": "json_object"}}, "must have a schema"),
    "an unknown choice": ({"tool_choice": "sometimes"}, "tool_choice must be"),
    "one tool": ({"tools": {"name": "f"}}, "tools must be a list, not dict"),
    "a number to stop at": ({"stop": 5}, "stop must be a list"),
    "one text": ({"stop_sequences": "x"}, "stop_sequences must be a list"),
    "metadata": ({"metadata": "x"}, "metadata must be a mapping"),
    "a config": ({"output_config": "max"}, "output_config must be a mapping"),
    "no tool": ({"tools": ["f"]}, r"tools\[0\] must be a mapping"),
    "an unknown time": ({"cache": "2h"}, "cache must be"),
    "an unknown place": ({"cache": ["images"]}, "cache must be"),
    "no place": ({"cache": []}, "cache must be"),
    "a number": ({"cache": 5}, "cache must be"),
    "an unknown time of a place": ({"cache": {"messages": "2h"}}, "cache must be"),
    "a time of what is not there": ({"cache": {"system": "2h"}}, "cache must be"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_wire_has_no_place_for_is_refused_by_its_name(name):
    given, reason = REFUSED[name]
    with pytest.raises(ConfigurationError, match=reason):
        asked(**given)


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_the_newer_version_has_no_sampling(name):
    with pytest.raises(ConfigurationError, match=f"has no {name}"):
        asked(**{name: 1}, version="2026-10-21")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "function", "content": "x"}, r"messages\[0\] has the role 'function'"),
        ({"role": "system", "content": "x"}, "there are only system messages"),
        ({"role": "user", "content": [text("")]}, r"messages\[0\] has empty content"),
        ({"role": "system", "content": [image(PNG)]}, r"messages\[0\].content\[0\] is an image"),
        (
            {"role": "user", "content": [image(b"x", media_type="image/tiff")]},
            "is image/tiff, which",
        ),
        (
            {"role": "user", "content": [text("a"), file(b"x", media_type="audio/wav")]},
            r"content\[1\] is audio/wav",
        ),
        (
            {"role": "user", "content": [file(b"PK", media_type="application/zip")]},
            "is application/zip",
        ),
        ({"role": "user", "content": [file(b"\xff", media_type="text/plain")]}, "not UTF-8"),
        (
            {"role": "assistant", "content": None, "audio": {"id": "a"}},
            "has nothing that can be sent to Anthropic",
        ),
        (
            {"role": "assistant", "content": None, "tool_calls": [{"id": "x", "type": "custom"}]},
            "a call of type 'custom'",
        ),
    ],
)
def test_a_message_that_the_wire_can_t_carry_is_refused_by_its_place(message, reason):
    with pytest.raises(ConfigurationError, match=reason):
        asked([message])
