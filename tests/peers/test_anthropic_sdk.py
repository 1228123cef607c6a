"""Anthropic's own SDK reads the sandbox as we do, and what we read of it is what it reads."""

from __future__ import annotations

import pytest

from asyncllm import Anthropic
from asyncllm.sandbox import (
    ErrorInStream,
    PauseTurn,
    RedactedThinking,
    RefusalStop,
    Sandbox,
    Status,
)

anthropic = pytest.importorskip("anthropic", reason="asyncllm-sdk[peers] is not installed")
pytestmark = pytest.mark.peers

MODEL = "claude-opus-5"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"name": name, "input_schema": CITY} for name in ("look_up", "look_down")]
SEARCH = [{"type": "web_search_20250305", "name": "web_search"}]
EFFORT = {"output_config": {"effort": "low"}}
UNSEEN = {"thinking": {"type": "adaptive", "display": "omitted"}}
CASES = {  # the user's text, what is asked for, the faults
    "plain": ("Hello", {}, []),
    "Russian, with an emoji": ("Привет 👋", {}, []),
    "reasoning": ("Hello", EFFORT, []),
    "reasoning that is not shown": ("Hello", UNSEEN, []),
    "redacted reasoning": ("Hello", EFFORT, [RedactedThinking()]),
    "tools": ("Use the tools", {"tools": TOOLS}, []),
    "tools and reasoning": ("Use the tools", {"tools": TOOLS, **EFFORT}, []),
    "a tool without arguments": (
        "Use the tools",
        {"tools": [{"name": "f", "input_schema": {"type": "object"}}]},
        [],
    ),
    "a search": ("Search", {"tools": SEARCH}, []),
    "a limit": ("Hello", {"max_tokens": 3}, []),
    "a refusal": ("Hello", {}, [RefusalStop(after=1)]),
}
REASONS = {
    "end_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


async def told_to_the_sdk(url, prompt, asked, *, streamed=True):
    """Return the message that Anthropic's SDK makes of an answer."""
    body = {"model": MODEL, "max_tokens": 1000, **asked}
    messages = asked.get("messages") or [{"role": "user", "content": prompt}]
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as client:
        if not streamed:
            return await client.messages.create(**body | {"messages": messages})
        async with client.messages.stream(**body | {"messages": messages}) as stream:
            return await stream.get_final_message()


@pytest.mark.parametrize("name", CASES)
async def test_both_read_the_same(name):
    prompt, asked, faults = CASES[name]
    async with Sandbox(faults=faults) as sandbox:
        theirs = await told_to_the_sdk(sandbox.url, prompt, asked)
        ours = await Anthropic(base_url=sandbox.url, model=MODEL).complete(prompt, **asked)
        blocks = [block.to_dict() for block in theirs.content]

        def said(kind, field):
            return "".join(block[field] for block in blocks if block["type"] == kind)

        assert ours.text == said("text", "text")
        assert ours.reasoning == said("thinking", "thinking")
        calls = [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
        assert [(c.id, c.name, c.parsed_arguments) for c in ours.tool_calls] == calls
        assert ours.finish_reason == REASONS[theirs.stop_reason]
        assert ours.raw_finish_reason == theirs.stop_reason
        assert ours.usage.prompt_tokens == theirs.usage.input_tokens
        assert ours.usage.completion_tokens == theirs.usage.output_tokens
        assert ours.model == theirs.model
        if "anthropic" in ours.message:
            assert ours.message["anthropic"]["content"] == blocks
        else:
            assert {block["type"] for block in blocks} <= {"text", "tool_use"}


@pytest.mark.parametrize("name", CASES)
async def test_a_stream_says_what_a_whole_message_says(name):
    prompt, asked, faults = CASES[name]
    async with Sandbox(faults=faults) as sandbox:
        streamed = await told_to_the_sdk(sandbox.url, prompt, asked)
        whole = await told_to_the_sdk(sandbox.url, prompt, asked, streamed=False)
        blocks = [[block.to_dict() for block in each.content] for each in (streamed, whole)]
        assert blocks[0] == blocks[1]
        assert streamed.usage == whole.usage
        assert streamed.stop_reason == whole.stop_reason


async def test_the_sdk_s_next_turn_is_taken_and_ours_is_the_same():
    async with Sandbox() as sandbox:
        asked = {"tools": TOOLS, **EFFORT}
        question = {"role": "user", "content": "Use the tools"}
        first = await told_to_the_sdk(sandbox.url, "Use the tools", asked)
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "sunny"}
            for block in first.content
            if block.type == "tool_use"
        ]
        turns = [
            question,
            {"role": "assistant", "content": [block.to_dict() for block in first.content]},
            {"role": "user", "content": results},
        ]
        theirs = await told_to_the_sdk(sandbox.url, "", {**asked, "messages": turns})
        llm = Anthropic(base_url=sandbox.url, model=MODEL)
        reply = await llm.complete([question], **asked)
        ours = [
            {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
            for call in reply.tool_calls
        ]
        again = await llm.complete([question, reply.message, *ours], **asked)
        text = [block.text for block in theirs.content if block.type == "text"]
        assert [again.text] == text


async def test_a_pause_is_one_to_the_sdk_too():
    async with Sandbox(faults=[PauseTurn(times=1)]) as sandbox:
        asked = {"tools": SEARCH}
        paused = await told_to_the_sdk(sandbox.url, "Search", asked)
        assert paused.stop_reason == "pause_turn"
        turns = [
            {"role": "user", "content": "Search"},
            {"role": "assistant", "content": [block.to_dict() for block in paused.content]},
        ]
        theirs = await told_to_the_sdk(sandbox.url, "", {**asked, "messages": turns})
        sandbox.add_fault(PauseTurn(times=1))
        ours = await Anthropic(base_url=sandbox.url, model=MODEL).complete("Search", **asked)
        assert ours.text == theirs.content[-1].text
        cited = [source.url for source in theirs.content[-1].citations]
        assert [source.url for source in ours.citations] == cited


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 529])
async def test_errors_are_errors_to_the_sdk(status):
    async with Sandbox(faults=[Status(status=status)]) as sandbox:
        with pytest.raises(anthropic.APIStatusError) as caught:
            await told_to_the_sdk(sandbox.url, "Hello", {})
        assert caught.value.status_code == status


async def test_an_error_amid_an_answer_is_one_to_the_sdk():
    async with Sandbox(faults=[ErrorInStream(after=2, type="overloaded_error")]) as sandbox:
        with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
            await told_to_the_sdk(sandbox.url, "Hello", {})


async def test_the_sdk_lists_the_models_of_all_pages():
    async with Sandbox() as sandbox:
        async with anthropic.AsyncAnthropic(base_url=sandbox.url, api_key="k") as client:
            theirs = [model.id async for model in client.models.list()]
        assert theirs == await Anthropic(base_url=sandbox.url).list_models()
