"""The official clients of Ollama, Cohere and TGI read the sandbox's wires as asyncllm does."""

import contextlib
import json

import pytest

import asyncllm
from asyncllm import TGI, Cohere, Ollama
from asyncllm.sandbox import Sandbox, Truncate
from support.tools import TOOLS, results_of

pytestmark = pytest.mark.filterwarnings("ignore")  # of theirs

QUESTIONS = {"plain": "Привет 👋", "tools": "use a tool"}
REASONS, PLANS = "command-a-reasoning-08-2025", "command-a-03-2025"


@pytest.fixture
async def sandbox():
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def clients():
    """Close what is entered here, as clients of others leave their connections open."""
    async with contextlib.AsyncExitStack() as stack:
        yield stack


def asked(question):
    return [{"role": "user", "content": QUESTIONS[question]}]


# --- Ollama -------------------------------------------------------------------------------------


async def ollama_s(clients, url):
    return await clients.enter_async_context(pytest.importorskip("ollama").AsyncClient(host=url))


async def read_by_ollama(client, messages, **options):
    """Return text, thinking, calls, counts and the reason that Ollama's client reads."""
    text, thinking, calls = "", "", []
    async for part in await client.chat(messages=messages, stream=True, **options):
        text += part.message.content or ""
        thinking += part.message.thinking or ""
        calls += part.message.tool_calls or []
    called = [(call.function.name, dict(call.function.arguments)) for call in calls]
    return text, thinking, called, (part.prompt_eval_count, part.eval_count), part.done_reason


def as_ollama_has_it(reply):
    called = [(call.name, call.parsed_arguments) for call in reply.tool_calls]
    counts = reply.usage.prompt_tokens, reply.usage.completion_tokens
    return str(reply), reply.reasoning, called, counts, reply.raw_finish_reason or "stop"


@pytest.mark.parametrize("think", [True, False])
@pytest.mark.parametrize("question", QUESTIONS)
async def test_ollama_s_client_reads_the_same(sandbox, clients, question, think):
    ours = await Ollama(base_url=sandbox.url, model="qwen3").complete(
        asked(question), tools=TOOLS, think=think, num_ctx=512
    )
    theirs = await read_by_ollama(
        await ollama_s(clients, sandbox.url),
        asked(question),
        model="qwen3",
        tools=TOOLS,
        think=think,
        options={"num_ctx": 512},
    )
    assert as_ollama_has_it(ours) == theirs
    sent_by_us, sent_by_them = [json.loads(request.body) for request in sandbox.requests]
    assert sent_by_us == sent_by_them


async def test_ollama_s_client_sends_the_next_turn_as_we_do(sandbox, clients):
    client = await ollama_s(clients, sandbox.url)
    whole = await client.chat(model="qwen3", messages=asked("tools"), tools=TOOLS)
    llm = Ollama(base_url=sandbox.url, model="qwen3")
    reply = await llm.complete(asked("tools"), tools=TOOLS)
    results = [
        {"role": "tool", "tool_name": call.name, "content": "sunny"} for call in reply.tool_calls
    ]
    await client.chat(model="qwen3", messages=[*asked("tools"), whole.message, *results])
    theirs = json.loads(sandbox.requests[-1].body)["messages"]
    ids = results_of(reply.message)
    await llm.complete([*asked("tools"), reply.message, *ids])
    ours = json.loads(sandbox.requests[-1].body)["messages"]
    assert _without_ids(ours) == _without_ids(theirs)  # which their client does not know


def _without_ids(messages):
    return [
        {
            "content": "",  # which their client leaves out where it is empty
            **{name: value for name, value in each.items() if name != "tool_call_id"},
            "tool_calls": [call["function"] for call in each.get("tool_calls", ())],
        }
        for each in messages
    ]


async def test_ollama_s_client_pulls_and_lists_the_same(sandbox, clients):
    client = await ollama_s(clients, sandbox.url)
    llm = Ollama(base_url=sandbox.url)
    theirs = [
        (each.status, each.digest or "", each.total, each.completed)
        async for each in await client.pull("qwen3", stream=True)
    ]
    ours = [
        (each.status, each.digest, each.total, each.completed) async for each in llm.pull("qwen3")
    ]
    assert ours == theirs
    assert await llm.list_models() == [each.model for each in (await client.list()).models]


# --- Cohere -------------------------------------------------------------------------------------


async def cohere_s(clients, url):
    client = pytest.importorskip("cohere").AsyncClientV2("key", base_url=url)
    return await clients.enter_async_context(client)


async def read_by_cohere(client, messages, **options):
    """Return text, thinking, plan, calls, counts and the reason that Cohere's client reads."""
    read = {"text": "", "thinking": "", "plan": "", "calls": [], "cited": []}
    async for event in client.chat_stream(messages=messages, **options):
        message = getattr(event.delta, "message", None) if hasattr(event, "delta") else None
        match event.type:
            case "content-delta":
                read["text"] += message.content.text or ""
                read["thinking"] += message.content.thinking or ""
            case "tool-plan-delta":
                read["plan"] += message.tool_plan
            case "tool-call-start":
                call = message.tool_calls
                read["calls"].append([call.id, call.function.name, call.function.arguments])
            case "tool-call-delta":
                read["calls"][-1][2] += message.tool_calls.function.arguments
            case "citation-start":
                citation = message.citations
                read["cited"].append((citation.start, citation.end, citation.sources[0].id))
            case "message-end":
                tokens = event.delta.usage.tokens
                read["counts"] = tokens.input_tokens, tokens.output_tokens
                read["reason"] = event.delta.finish_reason
    return read


@pytest.mark.parametrize("model", [REASONS, PLANS])
@pytest.mark.parametrize("question", QUESTIONS)
async def test_cohere_s_client_reads_the_same(sandbox, clients, question, model):
    documents = [{"id": "d", "data": {"text": "t"}}] if question == "plain" else None
    params = {"tools": TOOLS} | ({"documents": documents} if documents else {})
    llm = Cohere(base_url=sandbox.url, model=model)
    ours = await llm.complete(asked(question), seed=1, **params)
    client = await cohere_s(clients, sandbox.url)
    theirs = await read_by_cohere(client, asked(question), model=model, seed=1, **params)
    assert theirs == {
        "text": str(ours),
        "thinking": ours.reasoning if model == REASONS else "",
        "plan": ours.reasoning if model == PLANS else "",
        "calls": [[call.id, call.name, call.arguments] for call in ours.tool_calls],
        "cited": [(each.start, each.end, each.title) for each in ours.citations],
        "counts": (ours.usage.prompt_tokens, ours.usage.completion_tokens),
        "reason": ours.raw_finish_reason,
    }
    sent_by_us, sent_by_them = [json.loads(request.body) for request in sandbox.requests]
    assert sent_by_us == sent_by_them


async def test_cohere_s_client_takes_a_turn_back_as_we_do(sandbox, clients):
    client = await cohere_s(clients, sandbox.url)
    llm = Cohere(base_url=sandbox.url, model=REASONS)
    reply = await llm.complete(asked("tools"), tools=TOOLS)
    results = results_of(reply.message)
    await llm.complete([*asked("tools"), reply.message, *results])
    ours = json.loads(sandbox.requests[-1].body)["messages"]
    whole = await client.chat(model=REASONS, messages=asked("tools"), tools=TOOLS)
    await client.chat(model=REASONS, messages=[*asked("tools"), whole.message, *results])
    theirs = json.loads(sandbox.requests[-1].body)["messages"]
    theirs[1].pop("tool_plan")  # empty
    assert ours == theirs
    assert await llm.list_models() == [
        each.name
        for page in [await client.models.list(endpoint="chat", page_token=t) for t in (None, "2")]
        for each in page.models
    ]


# --- TGI ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [3, 500])
async def test_hugging_face_s_client_reads_the_same(sandbox, clients, limit):
    hub = pytest.importorskip("huggingface_hub")
    ours = await TGI(base_url=sandbox.url).complete("Привет 👋", max_tokens=limit, logprobs=True)
    client = hub.AsyncInferenceClient(f"{sandbox.url}/generate_stream")
    await clients.enter_async_context(client)
    told = [
        event
        async for event in await client.text_generation(
            "Привет 👋", max_new_tokens=limit, stream=True, details=True
        )
    ]
    tokens = [event.token for event in told if not event.token.special]
    assert "".join(token.text for token in tokens) == str(ours) == told[-1].generated_text
    assert [token.logprob for token in tokens] == [each.logprob for each in ours.logprobs]
    details = told[-1].details
    assert details.finish_reason == (ours.raw_finish_reason or ours.finish_reason)
    assert (details.input_length, details.generated_tokens) == (
        ours.usage.prompt_tokens,
        ours.usage.completion_tokens,
    )


async def test_their_clients_do_not_see_that_an_answer_was_cut_off_and_ours_do(sandbox, clients):
    sandbox.add_fault(Truncate(after=2))
    client = await ollama_s(clients, sandbox.url)
    text, *_ = await read_by_ollama(client, asked("plain"), model="llama3.2")
    assert text.count(" ") == 1
    with pytest.raises(asyncllm.StreamInterrupted):
        await Ollama(base_url=sandbox.url, model="llama3.2").complete(asked("plain"))
