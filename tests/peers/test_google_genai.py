"""The sandbox's reading of Gemini's wire, held to Google's own SDK: it reads what we read."""

import json
import warnings

import pytest

from asyncllm import Gemini
from asyncllm.sandbox import Citations, Continuation, ErrorInStream, Sandbox, Status

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own dependencies
    genai = pytest.importorskip("google.genai")
    from google.genai import errors, types

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "n": {"type": "integer"}}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in "fg"]
FUNCTIONS = [types.FunctionDeclaration(name=name, parameters_json_schema=SCHEMA) for name in "fg"]
THINKING = {"include_thoughts": True, "thinking_budget": 1024}
CALLING = {"tools": [types.Tool(function_declarations=FUNCTIONS)]}
NO_LOOP = {"automatic_function_calling": {"disable": True}}
CASES = {  # ours, and theirs
    "plain": ("Hi", {}, {}),
    "tools": ("use a tool", {"tools": TOOLS}, CALLING),
    "reasoning": ("Hi", {"thinkingConfig": THINKING}, {"thinking_config": THINKING}),
    "both": (
        "use a tool",
        {"tools": TOOLS, "thinkingConfig": THINKING},
        {**CALLING, "thinking_config": THINKING},
    ),
    "code": (
        "Hi",
        {"tools": [{"codeExecution": {}}]},
        {"tools": [{"code_execution": {}}]},
    ),
    "limit": ("Hi", {"max_tokens": 3}, {"max_output_tokens": 3}),
    "a schema": (
        "Hi",
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
        {"response_mime_type": "application/json", "response_json_schema": SCHEMA},
    ),
}
REASONS = {"STOP": {"stop", "tool_calls"}, "MAX_TOKENS": {"length"}}
VERTEX = {"project": "p", "location": "global"}


def client(sandbox, version="v1beta", **options):
    http = types.HttpOptions(base_url=sandbox.url, api_version=version)
    credentials = {} if options else {"api_key": "k"}
    return genai.Client(http_options=http, **credentials, **options)


def vertex_client(sandbox):
    from google.oauth2.credentials import Credentials

    return client(sandbox, "v1beta1", vertexai=True, credentials=Credentials("t"), **VERTEX)


async def read(peer, model, prompt, config):
    """Return what the SDK reads of a stream: the text, the thinking, the calls, and the rest."""
    asked = types.GenerateContentConfig(**config, **NO_LOOP)
    text, thought, calls, last, usage = "", "", [], None, None
    stream = await peer.aio.models.generate_content_stream(
        model=model, contents=prompt, config=asked
    )
    async for piece in stream:
        for candidate in piece.candidates or ():
            for part in (candidate.content and candidate.content.parts) or ():
                if part.thought:
                    thought += part.text or ""
                else:
                    text += part.text or ""
                if part.function_call:
                    calls.append((part.function_call.name, part.function_call.args))
            last = candidate.finish_reason or last
        usage = piece.usage_metadata or usage
    return text, thought, calls, last.name, usage


def same(reply, said):
    text, thought, calls, reason, usage = said
    assert (reply.text, reply.reasoning) == (text, thought)
    assert [(call.name, call.parsed_arguments) for call in reply.tool_calls] == calls
    assert reply.finish_reason in REASONS[reason]
    assert reply.usage.prompt_tokens == usage.prompt_token_count
    assert reply.usage.total_tokens == usage.total_token_count
    thoughts = usage.thoughts_token_count or 0
    assert reply.usage.completion_tokens == usage.candidates_token_count + thoughts


@pytest.mark.parametrize("version", ["v1beta", "v1", "vertex"])
@pytest.mark.parametrize("case", CASES)
async def test_google_s_sdk_reads_the_sandbox_as_we_do(case, version):
    prompt, ours, theirs = CASES[case]
    model = "gemini-2.5-flash"
    async with Sandbox() as sandbox:
        if version == "vertex":
            peer, llm = vertex_client(sandbox), Gemini(base_url=sandbox.url, token="t", **VERTEX)
        else:
            peer = client(sandbox, version)
            llm = Gemini(base_url=f"{sandbox.url}/{version}")
        reply = await llm.complete(prompt, model=model, **ours)
        same(reply, await read(peer, model, prompt, theirs))


async def test_the_body_that_we_send_is_the_one_that_google_s_sdk_sends():
    async with Sandbox() as sandbox:
        llm = Gemini(base_url=sandbox.url, model="gemini-2.5-flash")
        peer = client(sandbox)
        for prompt, ours, theirs in CASES.values():
            await llm.complete(prompt, **ours, temperature=0.5, top_p=0.9, stop=["x"])
            await read(
                peer,
                "gemini-2.5-flash",
                prompt,
                {**theirs, "temperature": 0.5, "top_p": 0.9, "stop_sequences": ["x"]},
            )
            mine, other = list(sandbox.requests)[-2:]
            assert (mine.path, mine.query) == (other.path, other.query)
            # The SDK writes this one name in its other spelling.
            said = other.body.replace(b"parameters_json_schema", b"parametersJsonSchema")
            assert json.loads(mine.body) == json.loads(said)


async def test_google_s_sdk_goes_through_two_turns_with_signatures():
    async with Sandbox() as sandbox:
        asked = types.GenerateContentConfig(tools=[{"function_declarations": FUNCTIONS}], **NO_LOOP)
        chat = client(sandbox).aio.chats.create(model="gemini-3-pro", config=asked)
        answer = await chat.send_message("use a tool")
        calls = answer.function_calls
        assert len(calls) == 2
        results = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=call.id, name=call.name, response={"result": "sunny"}
                )
            )
            for call in calls
        ]
        answer = await chat.send_message(results)
        assert answer.text.startswith("This is the asyncllm sandbox")


async def test_google_s_sdk_goes_on_lists_models_and_is_told_of_errors():
    async with Sandbox() as sandbox:
        peer = client(sandbox)
        whole = await read(peer, "gemini-3-pro", "Hi", {})
        sandbox.add_fault(Continuation(after=5, times=1))
        assert (await read(peer, "gemini-3-pro", "Hi", {}))[0] == whole[0]
        listed = [model.name async for model in await peer.aio.models.list()]
        assert "models/gemini-3-pro" in listed
        sandbox.add_fault(Citations(times=1))
        answer = await peer.aio.models.generate_content(model="gemini-3-pro", contents="Hi")
        assert answer.candidates[0].grounding_metadata.grounding_chunks[0].web.title == "Source 1"
        for fault in (Status(status=429, times=1), ErrorInStream(after=2, status=429, times=1)):
            sandbox.add_fault(fault)
            with pytest.raises(errors.APIError) as caught:
                await read(peer, "gemini-3-pro", "Hi", {})
            assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
