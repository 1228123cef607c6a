"""Anthropic by its own API, against the sandbox, which refuses what the real server does."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

import asyncllm
from asyncllm import (
    Anthropic,
    AuthenticationError,
    BadRequestError,
    Citation,
    ConfigurationError,
    Finish,
    NotFoundError,
    OpenAICompatible,
    Reasoning,
    ServerError,
    StreamInterrupted,
    StreamTimeout,
    Timeouts,
    ToolResult,
    Usage,
    file,
)
from asyncllm.sandbox import (
    ErrorInStream,
    PauseTurn,
    PingForever,
    PlainJson,
    RedactedThinking,
    RefusalStop,
    Sandbox,
    Status,
)
from support.answers import named_events
from support.policies import QUICK
from support.raw_server import HEAD, raw_server

SEARCH = [{"type": "web_search_20250305", "name": "web_search"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [
    {"type": "function", "function": {"name": f"look_{n}", "parameters": CITY}} for n in range(2)
]
ASKED = {"role": "user", "content": "use the tools"}
HOW_TO_THINK = {
    "by effort": {"reasoning_effort": "low"},
    "by itself": {"thinking": {"type": "adaptive"}},
    "in a budget": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "unseen": {"thinking": {"type": "adaptive", "display": "omitted"}},
}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("API_KEY", "AUTH_TOKEN", "BASE_URL"):
        monkeypatch.delenv(f"ANTHROPIC_{name}", raising=False)


@asynccontextmanager
async def chat(*faults, api_key=None, **options):
    """A sandbox with faults, and a provider that talks to it."""
    async with Sandbox(faults=faults, api_key=api_key) as sandbox:
        given = {"base_url": sandbox.url, "model": "claude-opus-5", "retry": QUICK} | options
        async with Anthropic(**given) as llm:
            yield sandbox, llm


def sent(sandbox):
    return json.loads(sandbox.requests[-1].body)


def results_of(reply):
    return [
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in reply.tool_calls
    ]


# --- the next turn ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW_TO_THINK)
@pytest.mark.parametrize("faults", [[], [RedactedThinking()]], ids=["plain", "redacted"])
async def test_thinking_goes_back_before_two_calls_as_it_came(how, faults):
    async with chat(*faults) as (sandbox, llm):
        asked = HOW_TO_THINK[how] | {"tools": TOOLS}
        reply = await llm.complete([ASKED], **asked)
        assert [call.name for call in reply.tool_calls] == ["look_0", "look_1"]
        assert bool(reply.reasoning) is (how != "unseen")
        # As a chat is kept: in a database, as JSON.
        message = json.loads(json.dumps(reply.message))
        assert (await llm.complete([ASKED, message, *results_of(reply)], **asked)).text
        kinds = [block["type"] for block in sent(sandbox)["messages"][1]["content"]]
        redacted = ["redacted_thinking"] if faults else []
        assert kinds == ["thinking", *redacted, "tool_use", "tool_use"]
        assert [block["type"] for block in sent(sandbox)["messages"][2]["content"]] == [
            "tool_result"
        ] * 2


@pytest.mark.parametrize("how", HOW_TO_THINK)
async def test_without_it_or_without_a_result_the_server_refuses_the_next_turn(how):
    async with chat() as (_, llm):
        asked = HOW_TO_THINK[how] | {"tools": TOOLS}
        reply = await llm.complete([ASKED], **asked)
        stripped = {name: each for name, each in reply.message.items() if name != "anthropic"}
        with pytest.raises(BadRequestError, match="Expected `thinking`"):
            await llm.complete([ASKED, stripped, *results_of(reply)], **asked)
        with pytest.raises(BadRequestError, match="without `tool_result` blocks"):
            await llm.complete([ASKED, reply.message, results_of(reply)[0]], **asked)
        forged = json.loads(json.dumps(reply.message).replace('"signature": "', '"signature": "x'))
        with pytest.raises(BadRequestError, match="Invalid `signature`"):
            await llm.complete([ASKED, forged, *results_of(reply)], **asked)


async def test_what_nobody_may_read_must_come_back_as_it_was():
    async with chat(RedactedThinking()) as (_, llm):
        asked = {"reasoning_effort": "low", "tools": TOOLS}
        reply = await llm.complete([ASKED], **asked)
        forged = json.loads(json.dumps(reply.message).replace('"data": "', '"data": "x'))
        with pytest.raises(BadRequestError, match="cannot be modified"):
            await llm.complete([ASKED, forged, *results_of(reply)], **asked)


async def test_answers_of_one_wire_go_on_with_another():
    async with chat() as (sandbox, llm):
        other = OpenAICompatible(base_url=f"{sandbox.url}/v1", model="gpt-4o")
        for first, second in ((llm, other), (other, llm)):
            reply = await first.complete([ASKED], tools=TOOLS, reasoning_effort="low")
            messages = [ASKED, reply.message, *results_of(reply)]
            assert (await second.complete(messages, tools=TOOLS)).text
            assert "anthropic" not in sent(sandbox)["messages"][1]
            assert "reasoning_content" not in sent(sandbox)["messages"][1]


async def test_a_beginning_is_gone_on_with():
    async with chat() as (_, llm):
        whole = (await llm.complete("Hello")).text
        begun, rest = whole[:20], whole[20:]
        messages = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": begun.rstrip()},
        ]
        reply = await llm.complete(messages)
        assert reply.text.strip() == (begun[len(begun.rstrip()) :] + rest).strip()


# --- what is asked for --------------------------------------------------------------------------


async def test_an_answer_has_the_form_that_is_asked_for():
    async with chat() as (_, llm):
        schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}
        reply = await llm.complete("Oslo", response_format=schema)
        assert json.loads(reply.text) == {"city": "Oslo"}


async def test_a_limit_a_stop_and_a_choice_are_kept():
    async with chat(max_tokens=3) as (_, llm):
        assert (await llm.complete("Hello")).finish_reason == "length"
        stopped = await llm.complete("Hello", max_tokens=50, stop="sandbox")
        assert (stopped.text, stopped.extra["stop_sequence"]) == (
            "This is the asyncllm ",
            "sandbox",
        )
        forced = {"type": "function", "function": {"name": "look_1"}}
        asked = {"tools": TOOLS, "max_tokens": 50}
        for choice, names in ((forced, ["look_1"]), ("none", []), ("required", ["look_0"])):
            reply = await llm.complete(
                "Hello", tool_choice=choice, parallel_tool_calls=False, **asked
            )
            assert [call.name for call in reply.tool_calls] == names


async def test_the_cache_is_written_once_and_counted():
    async with chat(cache=["system", "messages"]) as (sandbox, llm):
        usages = [(await llm.complete("Hello", system="Be kind.")).usage for _ in range(2)]
        written, read = usages
        assert written.cache_write_tokens == read.cached_tokens > 0
        assert written.prompt_tokens == read.prompt_tokens
        assert "cache_control" not in sent(sandbox)
        plain = (await llm.complete("Hello", system="Be kind.", cache=False)).usage
        assert (plain.prompt_tokens, plain.cached_tokens) == (read.prompt_tokens, 0)
        with pytest.raises(BadRequestError, match="A maximum of 4"):
            marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
            await llm.complete([{"role": "user", "content": [marked] * 4}], cache=True)


async def test_documents_are_cited_where_that_is_asked_for():
    async with chat() as (_, llm):
        document = {**file(b"The sky is blue.", name="sky.txt"), "citations": {"enabled": True}}
        reply = await llm.complete([{"role": "user", "content": [document, {"text": "Why?"}]}])
        cited = Citation("", "sky.txt", "The sky is blue.", 0, len(reply.text))
        assert reply.citations == (cited,)
        assert reply.message["anthropic"]["content"][0]["citations"]


async def test_betas_and_the_version_are_headers():
    async with chat(betas=["a"], version="2026-10-21", headers={"anthropic-beta": "h"}) as (
        sandbox,
        llm,
    ):
        await llm.complete("Hello", betas=["b", "a"])
        headers = sandbox.requests[-1].headers
        assert headers["anthropic-beta"] == "a,b,h"
        assert headers["anthropic-version"] == "2026-10-21"
        with pytest.raises(ConfigurationError, match='version="2023-06-01"'):
            llm.stream("Hello", temperature=0.5)
        with pytest.raises(BadRequestError, match="not supported in version"):
            await llm.complete("Hello", extra={"temperature": 0.5})


async def test_nothing_is_given_out_behind_what_a_second_message_takes_back():
    started = {"type": "message_start", "message": {}}
    pieces = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in ("one", "two")
    ]
    body = named_events(started, pieces[0], started, pieces[1], {"type": "message_stop"})
    for read_all in (False, True):
        said = []
        async with raw_server([HEAD + b"Connection: close\r\n\r\n" + body]) as (url, _):
            stream = Anthropic(base_url=url, model="m").stream("Hello")
            with pytest.raises(StreamInterrupted, match="began again"):
                async with stream:
                    if read_all:
                        said += await stream.read()
                    async for text in stream:
                        said.append(text)
        assert "two" not in said


async def test_a_refusal_is_told_as_one():
    async with chat(RefusalStop(after=2, explanation="Not that.")) as (_, llm):
        reply = await llm.complete("Hello")
        assert (reply.text, reply.refusal) == ("This is", "Not that.")
        assert (reply.finish_reason, reply.raw_finish_reason) == ("content_filter", "refusal")
        assert reply.extra["stop_details"]["type"] == "refusal"


async def test_one_whole_message_is_read_where_a_stream_was_asked_for():
    async with chat(PlainJson()) as (_, llm):
        reply = await llm.complete("Hello", reasoning_effort="low")
        assert reply.text
        assert reply.reasoning
        assert reply.finish_reason == "stop"


# --- answers that are paused --------------------------------------------------------------------


async def test_a_paused_answer_is_one_answer():
    async with chat(PauseTurn(times=1)) as (sandbox, llm):
        async with llm.stream("search for it", tools=SEARCH, reasoning_effort="low") as stream:
            items = [item async for item in stream.events()]
        reply = stream.reply
        assert [request.path for request in sandbox.requests] == ["/v1/messages"] * 2
        said = sent(sandbox)["messages"][1]["content"]
        assert [block["type"] for block in said] == [
            "thinking",
            "server_tool_use",
            "web_search_tool_result",
        ]
        assert [each.name for each in reply.tool_results] == ["web_search"]
        assert [item for item in items if isinstance(item, ToolResult)] == [*reply.tool_results]
        assert reply.tool_calls == ()
        assert [each.url for each in reply.citations] == [
            "https://example.org/1",
            "https://example.org/2",
        ]
        assert sum(isinstance(item, Finish) for item in items) == 1
        assert isinstance(items[0], Reasoning)
        assert reply.message["anthropic"]["content"][:3] == said
        # Both parts were paid for, and both have read what was asked.
        prompt, written = 6 + 6, len(stream.reply.reasoning.split()) + len(reply.text.split())
        assert reply.usage == Usage(
            prompt, written, prompt + written, 0, 0, len(reply.reasoning.split())
        )
        messages = [{"role": "user", "content": "search for it"}, reply.message, ASKED]
        assert (await llm.complete(messages, tools=SEARCH)).text


async def test_an_answer_that_is_paused_for_ever_ends_with_the_server_s_own_word():
    async with chat(PauseTurn()) as (sandbox, llm):
        asked = {"role": "user", "content": "search for it"}
        reply = await llm.complete([asked], tools=SEARCH)
        assert reply.finish_reason == "pause_turn"
        assert len(sandbox.requests) == len(reply.tool_results) == 9
        sandbox.clear_faults()
        assert (await llm.complete([asked, reply.message], tools=SEARCH)).text


async def test_what_was_found_must_come_back_as_it_was():
    async with chat() as (_, llm):
        asked = {"role": "user", "content": "search for it"}
        reply = await llm.complete([asked], tools=SEARCH)
        message = json.loads(json.dumps(reply.message))
        blocks = message["anthropic"]["content"]
        blocks[1]["content"][0]["encrypted_content"] = "x"
        message["anthropic"]["content"], message["content"] = blocks[:2], ""
        with pytest.raises(BadRequestError, match="Invalid `encrypted_content`"):
            await llm.complete([asked, message], tools=SEARCH)


# --- errors -------------------------------------------------------------------------------------


async def test_an_overloaded_server_is_asked_again_before_the_first_content():
    busy = ErrorInStream(type="overloaded_error", times=2)
    async with chat(busy) as (sandbox, llm):
        assert (await llm.complete("Hello")).text
        assert len(sandbox.requests) == 3
        sandbox.add_fault(ErrorInStream(after=2, type="overloaded_error"))
        with pytest.raises(ServerError, match="529") as caught:
            await llm.complete("Hello")
        assert caught.value.reply.text == "This is"
        assert len(sandbox.requests) == 4


@pytest.mark.parametrize(
    ("fault", "kind", "name"),
    [
        (Status(status=400), BadRequestError, "invalid_request_error"),
        (Status(status=401), AuthenticationError, "authentication_error"),
        (Status(status=403), AuthenticationError, "permission_error"),
        (Status(status=404), NotFoundError, "not_found_error"),
        (Status(status=413), BadRequestError, "request_too_large"),
        (Status(status=429, retry_after=0), asyncllm.RateLimitError, "rate_limit_error"),
        (Status(status=500), ServerError, "api_error"),
        (Status(status=529), ServerError, "overloaded_error"),
    ],
    ids=lambda value: getattr(value, "__name__", str(getattr(value, "status", value))),
)
async def test_a_status_is_of_its_kind(fault, kind, name):
    async with chat(fault) as (_, llm):
        with pytest.raises(kind) as caught:
            await llm.complete("Hello")
        assert (caught.value.status, caught.value.type) == (fault.status, name)


async def test_what_is_too_long_is_told_as_that():
    async with chat(Status(status=400, message="prompt is too long: 9 tokens > 8 maximum")) as (
        _,
        llm,
    ):
        with pytest.raises(asyncllm.ContextLengthError):
            await llm.complete("Hello")


async def test_silence_is_borne_longer_than_elsewhere_and_the_error_names_the_option():
    assert Anthropic.default_timeouts.first_token == Anthropic.default_timeouts.stall == 600
    async with chat(PingForever(after=2), timeouts=Timeouts(stall=0.05)) as (_, llm):
        with pytest.raises(StreamTimeout, match=r"Timeouts\.stall"):
            await llm.complete("Hello")


async def test_headers_say_what_is_left_of_the_limits():
    async with chat() as (_, llm):
        extra = (await llm.complete("Hello")).extra
        assert extra["anthropic-ratelimit-requests-remaining"] == "49"
        assert extra["request-id"].startswith("req_")


# --- where it is, and who asks ------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/messages"])
async def test_a_base_url_is_understood_with_and_without_its_version(ending):
    async with Sandbox() as sandbox:
        llm = Anthropic(base_url=sandbox.url + ending, model="claude-opus-5")
        assert (await llm.complete("Hello")).text
        assert llm.base_url == sandbox.url


async def test_all_pages_of_models_are_listed():
    async with chat() as (sandbox, llm):
        models = await llm.list_models()
        assert len(models) == len(set(models)) > 2
        assert sum(request.path == "/v1/models" for request in sandbox.requests) > 2
        other = OpenAICompatible(base_url=f"{sandbox.url}/v1")
        assert "gpt-4o" in await other.list_models()
        with pytest.raises(NotFoundError, match="model: claude-9"):
            await llm.complete("Hello", model="claude-9")


@pytest.mark.parametrize(
    ("environment", "options", "header"),
    [
        ({}, {"api_key": "k"}, ("x-api-key", "k")),
        ({}, {"auth_token": "k"}, ("authorization", "Bearer k")),
        ({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_AUTH_TOKEN": "t"}, {}, ("x-api-key", "k")),
        ({"ANTHROPIC_AUTH_TOKEN": "k"}, {}, ("authorization", "Bearer k")),
        ({"ANTHROPIC_AUTH_TOKEN": "t"}, {"api_key": "k"}, ("x-api-key", "k")),
        ({"ANTHROPIC_API_KEY": "x"}, {"auth_token": "k"}, ("authorization", "Bearer k")),
        ({"ASYNCLLM_ANTHROPIC_API_KEY": "k", "ANTHROPIC_API_KEY": "x"}, {}, ("x-api-key", "k")),
    ],
)
async def test_one_credential_is_shown(monkeypatch, environment, options, header):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with Sandbox(api_key="k") as sandbox:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{sandbox.url}/v1")
        assert (await Anthropic(model="claude-opus-5", **options).complete("Hello")).text
        shown = sandbox.requests[-1].headers
        assert header in shown.items()
        assert len({"x-api-key", "authorization"} & shown.keys()) == 1


async def test_a_wrong_key_is_refused_and_in_no_text():
    async with chat(api_key="sk-right") as (_, llm):
        wrong = Anthropic(base_url=llm.base_url, api_key="sk-wrong-0123456789", model="m")
        with pytest.raises(AuthenticationError) as caught:
            await wrong.complete("Hello")
        assert "sk-wrong" not in f"{caught.value!r}{caught.value.headers}{wrong!r}"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"api_key": "k", "auth_token": "t"}, "not both"),
        ({"auth_token": b"t"}, "auth_token must be a str"),
        ({"max_tokens": 0}, "max_tokens must be a whole number"),
        ({"max_tokens": True}, "max_tokens must be a whole number"),
        ({"betas": [1]}, "betas must be a list"),
        ({"version": 2023}, "version must be a str"),
        ({"version": "2026"}, "version must be a date"),
        ({"cache": 5}, "cache must be True"),
        ({"anthropic_version": "x"}, "did you mean version"),
    ],
)
def test_options_are_checked(options, reason):
    with pytest.raises(ConfigurationError, match=reason):
        Anthropic(**options)


def test_what_is_missing_is_said_before_anything_is_sent():
    with pytest.raises(ConfigurationError, match="set ANTHROPIC_API_KEY"):
        Anthropic(model="claude-opus-5").stream("Hello")
    with pytest.raises(ConfigurationError, match="pass model="):
        Anthropic(api_key="k").stream("Hello")
    with pytest.raises(ConfigurationError, match="no seed"):
        Anthropic(api_key="k", model="m").stream("Hello", seed=1)


def test_the_name_means_the_wire_of_its_own(monkeypatch):
    assert isinstance(asyncllm.provider("anthropic", api_key="k"), Anthropic)
    monkeypatch.setenv("ASYNCLLM_ANTHROPIC_OPENAI_BASE_URL", "https://gate.example/v1")
    other = asyncllm.provider("anthropic-openai", api_key="k")
    assert isinstance(other, OpenAICompatible)
    assert other.base_url == "https://gate.example/v1"
