"""What servers with OpenAI's wire write besides text, as the sandbox writes it when told to."""

import itertools
import json

import pytest

from asyncllm.sandbox import (
    Citations,
    ContentParts,
    ErrorInStream,
    Fingerprint,
    ReasoningDetails,
    ReasoningField,
    RefusalDeltas,
    ThoughtSignatures,
    Usage,
    UsageDetails,
)
from asyncllm.sandbox.generation import answer_to, reasoning_about
from support.openai_http import (
    DONE,
    TOOLS,
    ask,
    chunks,
    deltas,
    events,
    finish_reasons,
    raw,
    serve,
    text,
)

ANSWER = answer_to("Hi")
THOUGHT = list(reasoning_about("Hi"))
ALL = 3 + len(THOUGHT) + len(ANSWER.tokens)


async def both(*faults, **fields):
    """Return the chunks of a stream, and the same answer in one piece."""
    async with serve(*faults) as (_, http):
        streamed = await chunks(http, **fields)
        return streamed, await (await ask(http, stream=False, **fields)).json()


def choices(streamed):
    return [chunk["choices"][0] for chunk in streamed if chunk != DONE and chunk["choices"]]


def pieces(streamed, name):
    """The pieces of a field of the deltas, where it is there."""
    return [delta[name] for delta in deltas(streamed) if delta.get(name)]


# --- figures -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("details", "told"),
    [
        (
            UsageDetails(cached_tokens=2, cost=0.25),
            {
                "completion_tokens": ALL - 3,
                "prompt_tokens_details": {"cached_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": len(THOUGHT)},
                "cost": 0.25,
            },
        ),
        (
            UsageDetails("deepseek", cached_tokens=2),
            {
                "completion_tokens": ALL - 3,
                "prompt_tokens_details": {"cached_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": len(THOUGHT)},
                "prompt_cache_hit_tokens": 2,
                "prompt_cache_miss_tokens": 1,
            },
        ),
        (
            UsageDetails("xai", cached_tokens=99, cost=0.25),
            {
                "completion_tokens": len(ANSWER.tokens),
                "prompt_tokens_details": {"cached_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": len(THOUGHT)},
                "cost_in_usd_ticks": 2_500_000_000,
            },
        ),
    ],
)
async def test_usage_tells_what_was_cached_and_thought_and_what_it_cost(details, told):
    streamed, whole = await both(details, Usage(), reasoning_effort="low")
    assert streamed[-2]["usage"] == whole["usage"]
    assert whole["usage"] == {"prompt_tokens": 3, "total_tokens": ALL, **told}


async def test_without_reasoning_usage_has_no_tokens_of_it():
    _, whole = await both(UsageDetails())
    assert "completion_tokens_details" not in whole["usage"]


@pytest.mark.parametrize(
    ("fault", "fields"),
    [
        (Fingerprint("fp", "flex"), {"system_fingerprint": "fp", "service_tier": "flex"}),
        (ReasoningDetails(), {"provider": "Anthropic"}),
        (ReasoningDetails("encrypted"), {"provider": "OpenAI"}),
    ],
)
async def test_every_chunk_says_who_answers(fault, fields):
    streamed, whole = await both(fault, Usage())
    for told in [*streamed[:-1], whole]:
        assert fields.items() <= told.items()


async def test_every_chunk_has_the_sources():
    streamed, whole = await both(Citations())
    sources = whole["search_results"]
    assert whole["citations"] == [source["url"] for source in sources]
    assert {"title", "url", "snippet"} <= sources[0].keys()
    for chunk in streamed[:-1]:
        assert (chunk["citations"], chunk["search_results"]) == (whole["citations"], sources)


@pytest.mark.parametrize(
    ("fields", "top"), [({"logprobs": True}, 0), ({"logprobs": True, "top_logprobs": 2}, 2)]
)
async def test_logprobs_come_where_they_are_asked_for(fields, top):
    streamed, whole = await both(**fields)
    told = [choice["logprobs"]["content"] for choice in choices(streamed) if choice["logprobs"]]
    tokens = list(itertools.chain(*told))
    assert [token["token"] for token in tokens] == ANSWER.tokens
    assert whole["choices"][0]["logprobs"]["content"] == tokens
    for token in tokens:
        assert bytes(token["bytes"]).decode() == token["token"]
        assert len(token["top_logprobs"]) == top
        likely = [other["logprob"] for other in token["top_logprobs"]]
        assert likely == sorted(likely, reverse=True)
        assert likely[:1] in ([], [token["logprob"]])
        assert token["logprob"] < 0


@pytest.mark.parametrize("top", [21, 10**30, -1, "2", [2]])
async def test_more_logprobs_than_openai_gives_are_refused(top):
    async with serve() as (_, http):
        response = await ask(http, logprobs=True, top_logprobs=top)
        assert response.status == 400
        assert "top_logprobs" in (await response.json())["error"]["message"]


async def test_tool_calls_and_what_is_around_the_text_have_no_logprobs():
    streamed, _ = await both(content="a tool", tools=TOOLS, logprobs=True)
    assert [choice["logprobs"] for choice in choices(streamed)] == [None] * len(choices(streamed))
    unasked, _ = await both()
    assert all("logprobs" not in choice for choice in choices(unasked))


# --- texts -------------------------------------------------------------------------------


async def test_a_refusal_takes_the_place_of_the_text():
    streamed, whole = await both(RefusalDeltas())
    assert pieces(streamed, "refusal") == ANSWER.tokens
    assert text(streamed) == ""
    assert finish_reasons(streamed) == ["stop"]
    assert whole["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": ANSWER.text,
    }


async def test_mistral_writes_thinking_and_the_first_text_in_arrays_and_the_rest_as_strings():
    streamed, whole = await both(ContentParts())
    contents = pieces(streamed, "content")
    arrays = [content for content in contents if isinstance(content, list)]
    parts = [part for [part] in arrays]
    thought = [part["thinking"] for part in parts if part["type"] == "thinking"]
    assert [piece["text"] for [piece] in thought[:-1]] == THOUGHT
    assert thought[-1] == []
    first, *rest = contents[len(thought) :]
    assert first == [{"type": "text", "text": ANSWER.tokens[0]}]
    assert rest == ANSWER.tokens[1:]
    assert whole["choices"][0]["message"]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "".join(THOUGHT)}]},
        {"type": "text", "text": ANSWER.text},
    ]


@pytest.mark.parametrize("kind", ["text", "encrypted"])
async def test_openrouter_writes_reasoning_twice_and_ends_it_with_what_only_it_can_read(kind):
    streamed, whole = await both(ReasoningDetails(kind))
    message = whole["choices"][0]["message"]
    assert pieces(streamed, "reasoning") == THOUGHT
    assert message["reasoning"] == "".join(THOUGHT)
    *readable, last = [detail for [detail] in pieces(streamed, "reasoning_details")]
    whole_details = message["reasoning_details"]
    if kind == "text":
        assert [detail["text"] for detail in readable] == THOUGHT
        assert whole_details == [{**last, "text": "".join(THOUGHT)}]
        assert len(last["signature"]) > 20
    else:
        assert [detail["summary"] for detail in readable] == THOUGHT
        assert whole_details == [{**readable[0], "summary": "".join(THOUGHT)}, last]
        assert len(last["data"]) > 20
    assert text(streamed) == ANSWER.text
    natives = [choice["native_finish_reason"] for choice in choices(streamed)]
    assert natives == [None] * (len(natives) - 1) + ["end_turn"]


async def test_gemini_signs_the_first_of_parallel_calls_alone():
    streamed, whole = await both(ThoughtSignatures(), content="a tool", tools=TOOLS)
    calls = [call for [call] in pieces(streamed, "tool_calls")]
    signed = [call for call in calls if "extra_content" in call]
    assert signed == [calls[0]]
    assert signed[0]["extra_content"]["google"]["thought_signature"]
    first, second = whole["choices"][0]["message"]["tool_calls"]
    assert first["extra_content"] == signed[0]["extra_content"]
    assert "extra_content" not in second


async def test_deepseek_thinks_before_its_tool_calls():
    streamed, whole = await both(ReasoningField(demanded=True), content="a tool", tools=TOOLS)
    message = whole["choices"][0]["message"]
    assert message["reasoning_content"] == "".join(pieces(streamed, "reasoning_content"))
    assert finish_reasons(streamed) == ["tool_calls"]


# --- errors in the stream ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ErrorInStream(), {"type": "server_error", "code": None}),
        (
            ErrorInStream(code=429, type="rate_limit_error"),
            {"type": "rate_limit_error", "code": 429},
        ),
        (ErrorInStream(status=422, done=True), {"http_status_code": 422}),
        (ErrorInStream(code="server_error", beside_choices=True), {"code": "server_error"}),
        (
            ErrorInStream(code="tool_use_failed", failed_generation="<call>"),
            {"code": "tool_use_failed", "failed_generation": "<call>"},
        ),
    ],
)
async def test_an_error_in_the_stream_has_the_fields_that_it_was_given(fault, error):
    async with serve(fault) as (_, http):
        streamed = events(await raw(http))
    assert (streamed[-1] == DONE) is fault.done
    last = streamed[-2] if fault.done else streamed[-1]
    assert {"message": fault.message, **error}.items() <= last["error"].items()
    assert ("choices" in last) is fault.beside_choices
    assert finish_reasons([*streamed[:1], last]) == ["error"] * fault.beside_choices
    assert json.dumps(last).count("http_status_code") == (fault.status is not None)
