"""Mistral: what is asked otherwise than of OpenAI, and thinking that goes back."""

import json

import pytest

import asyncllm
from asyncllm import BadRequestError, ConfigurationError, Mistral, Reasoning, Usage
from asyncllm.sandbox import ContentParts, Sandbox, UsageDetails
from asyncllm.sandbox import Usage as UsageAt
from asyncllm.wires.mistral import MistralTranslator, mistral_messages

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("weather", "clock")
]
ASKED = {"role": "user", "content": "use the tools"}


def mistral(sandbox):
    return Mistral(base_url=f"{sandbox.url}/v1", model="gpt-4o", api_key="x")


def sent(sandbox):
    return json.loads(sandbox.requests[-1].body)


def results_of(reply):
    return [
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in reply.tool_calls
    ]


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"seed": 3}, {"random_seed": 3}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"reasoning_effort": "high", "stop": ["x"]}, {"reasoning_effort": "high", "stop": ["x"]}),
        ({"safe_prompt": True, "tools": TOOLS}, {"safe_prompt": True, "tools": TOOLS}),
        ({"extra": {"seed": 3}}, {"seed": 3}),
        ({"n": 1, "logprobs": False}, {}),
    ],
)
async def test_parameters_are_sent_by_the_names_of_mistral(params, wanted):
    async with Sandbox() as sandbox:
        await mistral(sandbox).complete("Hi", **params)
        body = sent(sandbox)
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        assert body == asked | wanted


@pytest.mark.parametrize(
    "params", [{"top_k": 3}, {"logit_bias": {"1": 1}}, {"logprobs": True}, {"user": "me"}]
)
async def test_what_mistral_has_no_place_for_is_refused_before_it_is_asked(params):
    [name] = params
    async with Sandbox() as sandbox:
        with pytest.raises(ConfigurationError, match=f"Mistral has no {name}"):
            await mistral(sandbox).complete("Hi", **params)
        assert not sandbox.requests


PNG = {"type": "image", "source": b"\x89PNG\r\n\x1a\n", "media_type": "image/png"}
CALLED = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}
TEXT = {"type": "text", "text": "b"}
MESSAGES = [  # a message, and what is sent of it where others follow
    ({"role": "developer", "content": "a"}, {"role": "system", "content": "a"}),
    ({"role": "user", "content": "a", "name": "me"}, {"role": "user", "content": "a"}),
    (
        {"role": "assistant", "content": None, "refusal": "no", "extra": 1},
        {"role": "assistant", "content": "no"},
    ),
    (
        {"role": "user", "content": [{"text": "a", "type": "text"}, {**PNG, "detail": "low"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"},
                },
            ],
        },
    ),
    (
        {"role": "assistant", "content": [TEXT], "mistral": {"content": [THOUGHT]}},
        {"role": "assistant", "content": [THOUGHT, TEXT]},
    ),
    (
        {
            "role": "user",
            "content": [
                {"type": "file", "source": b"%PDF-", "media_type": "application/pdf", "name": "a"},
                {"type": "file", "source": b"ID3", "media_type": "audio/mpeg", "name": "b"},
                {"type": "reference", "reference_ids": [1]},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "document_url",
                    "document_url": "data:application/pdf;base64,JVBERi0=",
                    "document_name": "a",
                },
                {"type": "input_audio", "input_audio": "SUQz"},
                {"type": "reference", "reference_ids": [1]},
            ],
        },
    ),
]


@pytest.mark.parametrize(("message", "wanted"), MESSAGES)
def test_messages_are_sent_as_mistral_has_them(message, wanted):
    assert mistral_messages([message, ASKED]) == [wanted, ASKED]


def test_a_last_message_of_the_assistant_is_gone_on_with_unless_the_caller_says_otherwise():
    begun = {"role": "assistant", "content": "It is"}
    assert mistral_messages([ASKED, begun])[1] == begun | {"prefix": True}
    assert mistral_messages([ASKED, begun | {"prefix": False}])[1]["prefix"] is False
    assert "prefix" not in mistral_messages([begun, ASKED])[0]
    calling = {"role": "assistant", "content": "", "tool_calls": [CALLED]}
    assert "prefix" not in mistral_messages([ASKED, calling])[1]


def test_calls_of_another_server_get_ids_that_mistral_takes():
    calling = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
    first, second = mistral_messages([calling, result])
    assert second["tool_call_id"] == first["tool_calls"][0]["id"] != "call_1"
    assert len(second["tool_call_id"]) == 9
    calling["tool_calls"] = [CALLED | {"id": "Ab3dE6gH9"}]
    assert mistral_messages([calling, result])[0]["tool_calls"][0]["id"] == "Ab3dE6gH9"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"tool_calls": [{"id": "x", "type": "custom"}]}, "a call of type 'custom'"),
        ({"audio": {"id": "x"}}, r"messages\[0\] has nothing that can be sent to Mistral"),
    ],
)
def test_what_mistral_can_not_be_told_is_refused_with_its_place(message, reason):
    with pytest.raises(ConfigurationError, match=reason):
        mistral_messages([{"role": "assistant", "content": None, **message}])


def test_a_file_of_openai_s_is_refused_with_its_place():
    part = {"type": "file", "file": {"file_id": "f"}}
    with pytest.raises(ConfigurationError, match=r"messages\[0\].content\[0\] names a file"):
        mistral_messages([{"role": "user", "content": [part]}])


async def test_thinking_goes_back_with_its_calls_and_without_it_the_server_refuses():
    async with Sandbox(faults=[ContentParts(demanded=True)]) as sandbox:
        llm = mistral(sandbox)
        reply = await llm.complete([ASKED], tools=TOOLS)
        assert reply.reasoning.startswith("The user writes in English.")
        assert [call.name for call in reply.tool_calls] == ["weather", "clock"]
        messages = [ASKED, reply.message, *results_of(reply)]
        assert (await llm.complete(messages, tools=TOOLS)).text
        _, message, *told = sent(sandbox)["messages"]
        ids = [call.id for call in reply.tool_calls]
        assert [call["id"] for call in message["tool_calls"]] == ids
        assert [result["tool_call_id"] for result in told] == ids
        [thought] = message["content"]
        assert thought == {
            "type": "thinking",
            "thinking": [{"type": "text", "text": reply.reasoning}],
        }
        del messages[1]["mistral"]
        with pytest.raises(BadRequestError, match="content is missing"):
            await llm.complete(messages, tools=TOOLS, extra={"messages": messages})


async def test_thinking_goes_back_before_its_text():
    async with Sandbox(faults=[ContentParts()]) as sandbox:
        llm = mistral(sandbox)
        reply = await llm.complete("Hi")
        await llm.complete([{"role": "user", "content": "Hi"}, reply.message, ASKED])
        thought, said = sent(sandbox)["messages"][1]["content"]
        assert (thought["type"], said["text"]) == ("thinking", reply.text)


def test_thinking_that_is_signed_is_a_block_of_its_own():
    def chunk(*parts):
        return json.dumps({"choices": [{"index": 0, "delta": {"content": list(parts)}}]}).encode()

    def thinking(text, **besides):
        return {"type": "thinking", "thinking": [{"type": "text", "text": text}], **besides}

    reference = {"type": "reference", "reference_ids": [1]}
    translator, batch = MistralTranslator(), []
    translator.feed([chunk(thinking("h")), chunk(thinking("m", signature="s"))], batch)
    translator.feed([chunk({"type": "thinking", "thinking": "so"})], batch)
    translator.feed([chunk({"type": "thinking", "thinking": [reference]})], batch)
    assert batch == [Reasoning("h"), Reasoning("m"), Reasoning("so")]
    translator.feed([b"[DONE]"], batch)
    [opaque] = [item.opaque for item in batch if isinstance(item, asyncllm.About)]
    assert opaque["mistral"]["content"] == [
        thinking("hm", signature="s"),
        {"type": "thinking", "thinking": [{"type": "text", "text": "so"}, reference]},
    ]


def test_thinking_that_is_too_large_does_not_go_back():
    said = {"type": "thinking", "thinking": [{"type": "text", "text": "x" * 2**20}]}
    chunk = json.dumps({"choices": [{"index": 0, "delta": {"content": [said]}}]}).encode()
    translator, batch = MistralTranslator(), []
    for payload in [chunk] * 20:
        translator.feed([payload], batch)
    translator.feed([b"[DONE]"], batch)
    assert not any(isinstance(item, asyncllm.About) for item in batch)


async def test_usage_is_told_without_being_asked_for():
    async with Sandbox(faults=[UsageAt("finish"), UsageDetails()]) as sandbox:
        reply = await mistral(sandbox).complete("Hi")
        assert reply.usage == Usage(1, 21, 22, 1)
        assert "stream_options" not in sent(sandbox)


def test_it_goes_by_its_name(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "canary")
    monkeypatch.delenv("ASYNCLLM_MISTRAL_BASE_URL", raising=False)
    llm = asyncllm.provider("mistral", model="mistral-large-latest")
    assert type(llm) is Mistral
    assert llm.base_url == "https://api.mistral.ai/v1"
    monkeypatch.delenv("MISTRAL_API_KEY")
    with pytest.raises(ConfigurationError, match="MISTRAL_API_KEY"):
        Mistral(model="x").stream("Hi")
