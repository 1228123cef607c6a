"""OpenAI's own SDK reads the sandbox's Responses as we do, and finds them as it expects."""

from contextlib import asynccontextmanager

import pytest

from asyncllm import OpenAIResponses
from asyncllm.sandbox import Citations, Drop, ErrorInStream, RefusalDeltas, Sandbox

openai = pytest.importorskip("openai")

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTIONS = [
    {"name": name, "parameters": PARAMETERS, "strict": False} for name in ("weather", "clock")
]
FLAT = [{"type": "function", **function} for function in FUNCTIONS]
NESTED = [{"type": "function", "function": function} for function in FUNCTIONS]
STATELESS = {"store": False, "include": ["reasoning.encrypted_content"]}


@asynccontextmanager
async def both(*faults, model="gpt-4o", checks=True):
    """The SDK, which checks what comes, and our provider, at one sandbox."""
    async with Sandbox(faults=faults) as sandbox:
        url = f"{sandbox.url}/v1"
        client = openai.AsyncOpenAI(
            base_url=url, api_key="x", max_retries=0, _strict_response_validation=checks
        )
        async with client:
            yield client.responses, OpenAIResponses(base_url=url, api_key="x", model=model)


async def heard(stream):
    """Return the text and the thinking that an SDK's stream has, and its last response."""
    said, last = {"text": "", "thought": ""}, None
    async for event in stream:
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                said["text"] += event.delta
            case "response.reasoning_summary_text.delta":
                said["thought"] += event.delta
            case "response.completed" | "response.incomplete" | "response.failed":
                last = event.response
    return said["text"], said["thought"], last


def same_usage(theirs, ours):
    told = (theirs.input_tokens, theirs.output_tokens, theirs.total_tokens)
    assert told == (ours.input_tokens, ours.output_tokens, ours.total_tokens)
    assert theirs.output_tokens_details.reasoning_tokens == ours.reasoning_tokens


async def test_text_is_read_alike():
    async with both() as (sdk, llm):
        stream = await sdk.create(model="gpt-4o", input="Привет 👋", stream=True)
        text, _, last = await heard(stream)
        reply = await llm.complete("Привет 👋")
        assert text == reply.text == last.output_text
        same_usage(last.usage, reply.usage)
        whole = await sdk.create(model="gpt-4o", input="Привет 👋")
        assert whole.output_text == text


async def test_reasoning_and_two_calls_are_read_and_sent_back_alike():
    # The SDKs before 3 want a name in `function_call_arguments.done`, which OpenAI leaves out.
    async with both(model="gpt-5", checks=openai.__version__ >= "3") as (sdk, llm):
        asked = {"role": "user", "content": "use the tools"}
        params = {"model": "gpt-5", "tools": FLAT, "stream": True, **STATELESS}
        reasoning = {"effort": "low", "summary": "auto"}
        stream = await sdk.create(input=[asked], reasoning=reasoning, **params)
        _, thought, last = await heard(stream)
        reply = await llm.complete([asked], tools=NESTED, reasoning_effort="low")
        assert thought == reply.reasoning
        same_usage(last.usage, reply.usage)
        calls = [item for item in last.output if item.type == "function_call"]
        assert [(call.call_id, call.name, call.arguments) for call in calls] == [
            (call.id, call.name, call.arguments) for call in reply.tool_calls
        ]
        results = [
            {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
            for call in calls
        ]
        output = [item.model_dump(exclude_none=True) for item in last.output]
        text, _, _ = await heard(await sdk.create(input=[asked, *output, *results], **params))
        told = [
            {"role": "tool", "tool_call_id": call.call_id, "content": "sunny"} for call in calls
        ]
        again = await llm.complete([asked, reply.message, *told], tools=NESTED)
        assert text == again.text


@pytest.mark.parametrize("fault", [RefusalDeltas(), Citations()], ids=repr)
async def test_a_refusal_and_a_source_are_read_alike(fault):
    async with both(fault) as (sdk, llm):
        stream = await sdk.create(model="gpt-4o", input="Hi", stream=True)
        text, _, last = await heard(stream)
        reply = await llm.complete("Hi")
        assert text == reply.text + reply.refusal
        [part] = last.output[0].content
        theirs = [each.url for each in getattr(part, "annotations", [])]
        assert theirs == [each.url for each in reply.citations]


async def test_an_answer_that_is_cut_off_is_read_alike():
    async with both() as (sdk, llm):
        stream = await sdk.create(model="gpt-4o", input="Hi", max_output_tokens=3, stream=True)
        text, _, last = await heard(stream)
        reply = await llm.complete("Hi", max_tokens=3)
        assert text == reply.text
        assert last.incomplete_details.reason == reply.raw_finish_reason


async def test_a_failure_is_one_for_both():
    async with both(ErrorInStream(after=1, flat=True, alone=True)) as (sdk, llm):
        stream = await sdk.create(model="gpt-4o", input="Hi", stream=True)
        text, _, last = await heard(stream)
        with pytest.raises(Exception, match="ran out of memory") as caught:
            await llm.complete("Hi")
        assert (caught.value.reply.text, caught.value.code) == (text, last.error.code)


async def test_an_answer_in_the_background_is_taken_up_alike():
    async with both(Drop(after=3, times=1)) as (sdk, llm):
        reply = await llm.complete("Hi", background=True)
        rest = await sdk.retrieve(reply.id, stream=True, starting_after=0)
        text, _, last = await heard(rest)
        assert text == reply.text == last.output_text
