"""Gemini against the sandbox, which refuses what Google refuses: turns, tokens, addresses."""

import asyncio
import json
import threading

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import asyncllm
from asyncllm import (
    AuthenticationError,
    BadRequestError,
    Citation,
    ConfigurationError,
    Gemini,
    NotFoundError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    Retry,
    SessionManager,
    StreamInterrupted,
    Timeouts,
    ToolResult,
    image,
    text,
)
from asyncllm.sandbox import (
    BlockedPrompt,
    Citations,
    Continuation,
    EndsWith,
    ErrorInStream,
    Framing,
    RefuseField,
    Sandbox,
    Status,
)
from support.raw_server import CHUNKED, chunk, raw_server

OLD, NEW = "gemini-2.5-flash", "gemini-3-pro"
ASKED = {"role": "user", "content": "use the tools"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "n": {"type": "integer"}}}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("f", "g.h")
]
ONCE, QUICK = Retry(attempts=1), Retry(attempts=3, initial_wait=0.001, max_wait=0.01)
VERTEX = {"project": "my-project", "location": "europe-west4", "token": "t-1"}
SAID = "This is the asyncllm sandbox speaking"
on_both = pytest.mark.parametrize("options", [{}, VERTEX], ids=["gemini", "vertex"])


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        yield sandbox


def gemini(sandbox, model=NEW, **options):
    return Gemini(base_url=sandbox.url, model=model, retry=QUICK, **options)


def sent(sandbox):
    return json.loads(sandbox.requests[-1].body)


def results_of(message):
    return [
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
        for call in message["tool_calls"]
    ]


@on_both
@pytest.mark.parametrize("model", [OLD, NEW])
async def test_two_turns_with_thinking_and_parallel_tools(sandbox, model, options):
    llm = gemini(sandbox, model, **options)
    messages = []
    for _ in range(2):
        messages.append(ASKED)
        reply = await llm.complete(messages, tools=TOOLS, reasoning_effort="low")
        assert (reply.finish_reason, reply.raw_finish_reason) == ("tool_calls", "STOP")
        assert reply.reasoning
        assert [call.name for call in reply.tool_calls] == ["f", "g.h"]
        assert reply.tool_calls[0].parsed_arguments == {"city": "use the tools", "n": 1}
        messages += [reply.message, *results_of(reply.message)]
        reply = await llm.complete(messages, tools=TOOLS, reasoning_effort="low")
        assert reply.text.startswith(SAID)
        messages.append(reply.message)
    assert len({call["id"] for each in messages for call in each.get("tool_calls", ())}) >= 2
    parts = [part for each in sent(sandbox)["contents"] for part in each["parts"]]
    signed = [part for part in parts if "thoughtSignature" in part]
    assert len(signed) == (3 if model == NEW else 0)  # two first calls, and a text


@pytest.mark.parametrize(("lost", "says"), [("gemini", "missing"), ("result", "equal to")])
async def test_without_a_signature_or_a_result_the_server_refuses(sandbox, lost, says):
    llm = gemini(sandbox)
    reply = await llm.complete([ASKED], tools=TOOLS)
    messages = [ASKED, reply.message, *results_of(reply.message)]
    if lost == "result":
        with pytest.raises(BadRequestError, match=says):
            await llm.complete(messages[:-1])
        return
    del messages[1][lost]
    assert (await llm.complete(messages)).text  # since it says whose call it is
    body = sent(sandbox)
    del body["contents"][1]["parts"][0]["thoughtSignature"]
    with pytest.raises(BadRequestError, match=says):
        await llm.complete(messages, extra=body)


async def test_calls_of_a_model_that_signs_nothing_pass_to_one_that_does(sandbox):
    reply = await gemini(sandbox, OLD).complete([ASKED], tools=TOOLS)
    messages = [ASKED, reply.message, *results_of(reply.message)]
    assert (await gemini(sandbox, NEW).complete(messages)).text


async def test_arguments_that_vertex_streams_are_put_together(sandbox):
    llm = gemini(sandbox, **VERTEX)
    asked = {"functionCallingConfig": {"mode": "AUTO", "streamFunctionCallArguments": True}}
    reply = await llm.complete([ASKED], tools=TOOLS, toolConfig=asked)
    assert [call.parsed_arguments for call in reply.tool_calls] == [
        {"city": "use the tools", "n": 1}
    ] * 2
    assert (await llm.complete([ASKED, reply.message, *results_of(reply.message)])).text


@on_both
async def test_what_came_of_an_answer_is_in_its_reply(sandbox, options):
    sandbox.add_fault(Citations())
    reply = await gemini(sandbox, **options).complete(
        "Hi",
        reasoning_effort="high",
        tools=[{"codeExecution": {}}],
        responseModalities=["TEXT", "IMAGE"],
    )
    assert reply.text.startswith(SAID)
    assert reply.reasoning.startswith("The user")
    assert reply.usage.completion_tokens == reply.usage.total_tokens - reply.usage.prompt_tokens
    assert reply.usage.reasoning_tokens > 0
    assert reply.tool_results == (ToolResult("", "code_execution", "42\n"),)
    assert [each.media_type for each in reply.media] == ["image/png"]
    assert reply.citations[0] == Citation("https://example.org/1", "Source 1", start=0, end=4)
    assert reply.model == NEW
    assert reply.id
    again = await gemini(sandbox).complete([ASKED, reply.message, ASKED])
    assert again.text
    kinds = [kind for part in sent(sandbox)["contents"][1]["parts"] for kind in part]
    assert kinds[:3] == ["executableCode", "codeExecutionResult", "inlineData"]


async def test_images_and_a_schema_are_taken(sandbox):
    pixel = image(b"\x89PNG\r\n\x1a\n")
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    reply = await gemini(sandbox).complete(
        [{"role": "user", "content": [text("Hi"), pixel]}], response_format=form
    )
    assert json.loads(reply.text) == {"city": "Hi", "n": 1}


@pytest.mark.parametrize("fault", [None, Framing("json_array"), Framing("json_lines")])
async def test_an_answer_may_be_events_an_array_or_lines(sandbox, fault):
    if fault is not None:
        sandbox.add_fault(fault)
    reply = await gemini(sandbox).complete("Hi", seed=1)
    assert (reply.text[: len(SAID)], reply.finish_reason) == (SAID, "stop")
    assert sandbox.requests[-1].query["alt"] == "sse"


async def test_an_answer_that_goes_on_is_one_answer(sandbox):
    whole = await gemini(sandbox).complete("Hi")
    sandbox.add_fault(Continuation(after=5))
    reply = await gemini(sandbox).complete("Hi", top_k=3, extra={"labels": {"a": "b"}})
    assert (reply.text, reply.finish_reason) == (whole.text, "stop")
    count = len(sandbox.requests) - 1
    assert count > 3
    assert reply.usage.completion_tokens == whole.usage.completion_tokens
    assert reply.usage.prompt_tokens == count * whole.usage.prompt_tokens
    body = sent(sandbox)
    assert body["generationConfig"].keys() == {"topK", "continuationToken"}
    assert body["continuationToken"] == body["generationConfig"]["continuationToken"]
    assert body["labels"] == {"a": "b"}


@pytest.mark.parametrize("place", ["body", "config"])
async def test_a_token_that_is_refused_in_one_place_is_sent_in_the_other_alone(place):
    asked = []

    async def answer(request):
        body = await request.json()
        config = body.pop("generationConfig", {})
        asked.append(body)
        right, wrong = (body, config) if place == "body" else (config, body)
        if "continuationToken" in wrong:
            return web.json_response({"error": {"code": 400, "message": "Unknown"}}, status=400)
        end = "STOP" if "continuationToken" in right else "CONTINUATION"
        candidate = {"content": {"parts": [{"text": end}]}, "finishReason": end}
        return web.json_response({"candidates": [{**candidate, "continuationToken": "t"}]})

    app = web.Application()
    app.router.add_post("/v1/{rest:.*}", answer)
    async with TestServer(app) as server:
        reply = await Gemini(base_url=f"http://127.0.0.1:{server.port}/v1", model="m").complete("x")
    assert (reply.text, reply.finish_reason) == ("CONTINUATIONSTOP", "stop")
    assert len(asked) == (3 if place == "body" else 4)


async def test_extra_never_takes_the_token_away_with_which_an_answer_goes_on(sandbox):
    sandbox.add_fault(Continuation(after=5, times=1))
    reply = await gemini(sandbox).complete("Hi", extra={"generationConfig": {"topK": 3}})
    assert reply.text.count(SAID) == 1
    assert sent(sandbox)["generationConfig"].keys() == {"topK", "continuationToken"}


async def test_going_on_that_fails_is_an_error_with_what_had_come(sandbox):
    sandbox.add_fault(Continuation(after=3, times=1))
    async with gemini(sandbox).stream("Hi") as stream:
        async for _ in stream:
            sandbox.add_fault(Status(status=503, times=1))
            break
        with pytest.raises(asyncllm.ServerError) as caught:
            await stream.collect()
    assert caught.value.reply.text == "This is the"


STOPS = [  # a reason in each chunk, as some models have it
    b'data: {"candidates":[{"content":{"parts":[{"text":"%s"}]},"finishReason":"STOP"}]}\r\n\r\n'
    % text
    for text in (b"a", b"b")
]


@pytest.mark.parametrize("left", [0, 1, 30, len(STOPS[1]) - 3, len(STOPS[1])])
async def test_an_event_that_is_cut_off_is_missed_also_behind_a_reason_to_finish(left):
    body = b"".join(STOPS)[: len(STOPS[0]) + left]
    async with raw_server([CHUNKED, chunk(body), b"0\r\n\r\n"]) as (url, _):
        asking = Gemini(base_url=url, model="m", retry=ONCE).complete("Hi")
        if left in (0, len(STOPS[1])):  # at whose end nothing is missing, as far as one can see
            assert (await asking).text == ("ab" if left else "a")
        else:
            with pytest.raises(StreamInterrupted, match="in the middle of an event") as caught:
                await asking
            assert caught.value.reply.text == "a"


async def test_a_last_word_without_its_empty_line_is_no_event_that_is_cut_off():
    async with raw_server([CHUNKED, chunk(STOPS[0] + b"data: [DONE]\n"), b"0\r\n\r\n"]) as (url, _):
        assert (await Gemini(base_url=url, model="m").complete("Hi")).finish_reason == "stop"


async def test_a_refusal_amid_the_rest_is_an_error_at_once(sandbox):
    sandbox.add_fault(Continuation(after=3, times=1))
    async with gemini(sandbox).stream("Hi") as stream:
        async for _ in stream:
            sandbox.add_fault(ErrorInStream(after=1, status=400))
            break
        with pytest.raises(BadRequestError):
            await stream.collect()
    assert len(sandbox.requests) == 2


async def test_an_answer_does_not_go_on_for_ever(sandbox):
    sandbox.add_fault(Continuation(after=0))
    with pytest.raises(StreamInterrupted, match="64 requests"):
        await gemini(sandbox).complete("Hi")
    assert len(sandbox.requests) == 64


@pytest.mark.parametrize("options", [{}, VERTEX], ids=["gemini", "vertex"])
async def test_a_blocked_prompt_and_a_blocked_answer_end_by_a_content_filter(sandbox, options):
    sandbox.add_fault(BlockedPrompt("PROHIBITED_CONTENT", times=1))
    sandbox.add_fault(EndsWith("SAFETY", "unsafe"))
    blocked = await gemini(sandbox, **options).complete("Hi")
    cut = await gemini(sandbox, **options).complete("Hi")
    assert (blocked.text, blocked.finish_reason) == ("", "content_filter")
    assert blocked.raw_finish_reason == "PROHIBITED_CONTENT"
    assert (cut.finish_reason, cut.raw_finish_reason) == ("content_filter", "SAFETY")
    assert cut.extra["finishMessage"] == "unsafe"


async def test_a_fault_of_the_model_is_an_error_with_what_it_wrote(sandbox):
    sandbox.add_fault(EndsWith("MALFORMED_FUNCTION_CALL", "f("))
    with pytest.raises(ProviderError) as caught:
        await gemini(sandbox).complete("Hi")
    assert (caught.value.type, caught.value.failed_generation) == ("MALFORMED_FUNCTION_CALL", "f(")
    assert caught.value.reply.usage.total_tokens


async def test_an_error_that_stands_bare_amid_a_stream_is_told_with_what_had_come(sandbox):
    sandbox.add_fault(ErrorInStream(after=2, status=429, message="quota"))
    with pytest.raises(RateLimitError, match="quota") as caught:
        await gemini(sandbox).complete("Hi")
    assert (caught.value.type, caught.value.reply.text) == ("RESOURCE_EXHAUSTED", "This is")


async def test_before_the_first_token_it_is_asked_again(sandbox):
    sandbox.add_fault(ErrorInStream(times=1, status=503))
    sandbox.add_fault(Status(times=1, status=429, retry_after=0.01))
    assert (await gemini(sandbox).complete("Hi")).text
    assert len(sandbox.requests) == 3


async def test_how_long_to_wait_is_told_by_the_body(sandbox):
    sandbox.add_fault(Status(status=429, retry_after=34))
    llm = Gemini(base_url=sandbox.url, model=NEW, retry=ONCE)
    with pytest.raises(RateLimitError) as caught:
        await llm.complete("Hi")
    assert caught.value.retry_after == 34


async def test_what_the_server_refuses_is_of_its_class(sandbox):
    with pytest.raises(NotFoundError, match="gemini-0 is not found"):
        await gemini(sandbox).complete("Hi", model="gemini-0")
    sandbox.add_fault(RefuseField("contents"))
    with pytest.raises(BadRequestError):
        await gemini(sandbox).complete("Hi")
    async with Sandbox(api_key="k-1") as guarded:
        assert (await gemini(guarded, api_key="k-1").complete("Hi")).text
        with pytest.raises(AuthenticationError, match="400 API key not valid") as caught:
            await gemini(guarded, api_key="k-2").complete("Hi")
        assert caught.value.code == "API_KEY_INVALID"
        with pytest.raises(AuthenticationError, match="401"):
            await gemini(guarded, **VERTEX).complete("Hi")


# --- where, and who ------------------------------------------------------------------------------


@on_both
async def test_all_pages_of_models_are_listed_without_those_that_do_not_answer(sandbox, options):
    listed = await gemini(sandbox, **options).list_models()
    assert listed[:4] == ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-flash", "gemini-3-pro"]
    assert ("text-embedding-004" in listed) is bool(options)  # Vertex AI does not say


async def test_models_are_listed_in_the_other_version_too(sandbox):
    llm = Gemini(base_url=f"{sandbox.url}/v1", api_key="k")
    assert NEW in await llm.list_models()


async def test_a_list_of_models_without_an_end_is_an_error():
    page = b'HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"nextPageToken": "a"}'
    async with raw_server(*[[page]] * 100) as (url, _):
        with pytest.raises(ProtocolError, match="100 pages"):
            await Gemini(base_url=url, api_key="k").list_models()


ADDRESSES = [  # options: where it asks
    ({}, "https://generativelanguage.googleapis.com", "/v1beta/models/m"),
    ({"base_url": "https://h/v1"}, "https://h/v1", "/models/m"),
    ({"base_url": "https://h/x/v1beta"}, "https://h/x/v1beta", "/models/m"),
    ({"model": "models/m"}, None, "/v1beta/models/m"),
    ({"model": "tunedModels/m 1"}, None, "/v1beta/tunedModels/m%201"),
    (
        {"project": "p"},
        "https://aiplatform.googleapis.com",
        "/v1beta1/projects/p/locations/global/publishers/google/models/m",
    ),
    (
        {"project": "p", "location": "europe-west4"},
        "https://europe-west4-aiplatform.googleapis.com",
        "/v1beta1/projects/p/locations/europe-west4/publishers/google/models/m",
    ),
    (
        {"project": "p", "location": "eu", "model": "publishers/google/models/m"},
        "https://aiplatform.eu.rep.googleapis.com",
        "/v1beta1/projects/p/locations/eu/publishers/google/models/m",
    ),
    ({"project": "p", "base_url": "https://h/v1"}, "https://h/v1", "/projects/p/locations/global"),
]


MODELS = {  # of Vertex AI: where they are, below the version
    "m": "/projects/p/locations/eu/publishers/google/models/m",
    "meta/m": "/projects/p/locations/eu/publishers/meta/models/m",
    "publishers/meta/models/m": "/projects/p/locations/eu/publishers/meta/models/m",
    "endpoints/1": "/projects/p/locations/eu/endpoints/1",
    "projects/q/locations/us/endpoints/1": "/projects/q/locations/us/endpoints/1",
}


@pytest.mark.parametrize("model", MODELS)
def test_a_model_of_vertex_may_be_named_by_its_whole_path_or_by_its_publisher(model):
    path = path_of(Gemini(project="p", location="eu", token="t"), model)
    assert path == f"/v1beta1{MODELS[model]}:streamGenerateContent"


def path_of(llm, model):
    messages = [{"role": "user", "content": "Hi"}]
    request = asyncllm.Request(base_url="", model=model, messages=messages, params={})
    return llm.ask(request).path


@pytest.mark.parametrize(("options", "base_url", "path"), ADDRESSES)
def test_the_gemini_api_and_vertex_are_asked_at_their_own_addresses(options, base_url, path):
    credentials = {"token": "t"} if "project" in options else {"api_key": "k"}
    llm = Gemini(**{"model": "m", **credentials, **options})
    assert base_url in (llm.base_url, None)
    assert path_of(llm, llm.model).startswith(path)


def test_the_environment_says_whose_key_it_is_and_of_vertex_only_where_that_is_asked_for(
    monkeypatch,
):
    monkeypatch.setenv("GOOGLE_API_KEY", "google")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "their-project")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us")
    assert Gemini()._headers == {"x-goog-api-key": "google"}
    monkeypatch.setenv("GEMINI_API_KEY", "gemini")
    assert Gemini()._headers == {"x-goog-api-key": "gemini"}
    assert Gemini().base_url == "https://generativelanguage.googleapis.com"
    vertex = Gemini(token="t")
    assert vertex.base_url == "https://aiplatform.us.rep.googleapis.com"
    assert vertex._headers == {"Authorization": "Bearer t"}
    assert "/their-project/" in path_of(vertex, "m")

    class Elsewhere(Gemini):
        url = "http://localhost:1"

    assert Elsewhere()._headers == {}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "api_key=, or set GEMINI_API_KEY or GOOGLE_API_KEY"),
        ({"project": "p"}, "access token: pass token="),
        ({"location": "global", "token": "t"}, "set GOOGLE_CLOUD_PROJECT"),
        ({"project": "p", "location": "../x"}, "location must be"),
        ({"project": "p", "api_key": "k"}, "takes no api_key"),
        ({"project": 3}, "project must be a str"),
        ({"token": 3, "project": "p"}, "token must be a str or a function"),
        ({"api_key": "k", "model": ""}, "needs a model"),
        ({"api_key": "k", "model": "../files"}, "needs a model"),
        ({"base_url": "https://h/v1beta/openai"}, "gemini-openai"),
        ({"base_url": "https://h/v1beta/models"}, "write base_url='https://h/v1beta'"),
        ({"base_url": "https://h/v1/models/m:generateContent"}, "write base_url='https://h/v1'"),
    ],
    ids=str,
)
def test_what_is_missing_or_wrong_is_said_before_any_request(options, says):
    with pytest.raises(ConfigurationError, match=says):
        Gemini(**{"model": "m", **options}).stream("Hi")


async def token_of_a_coroutine():
    await asyncio.sleep(0)
    return "t-1"


class Credentials:
    """Gives another token each time, and remembers in which threads."""

    def __init__(self):
        self.threads = []

    def __call__(self):
        self.threads.append(threading.current_thread())
        return f"t-{len(self.threads)}"


class AsyncCredentials:
    async def __call__(self):
        return "t-1"


@pytest.mark.parametrize("token", ["t-1", lambda: "t-1", token_of_a_coroutine, AsyncCredentials()])
async def test_a_token_or_a_function_of_any_kind_that_gives_one_shows_who_asks(token):
    async with Sandbox(api_key="t-1") as guarded:
        llm = gemini(guarded, project="p", token=token)
        assert (await llm.complete("Hi")).text
        assert NEW in await llm.list_models()


async def test_a_function_is_asked_for_each_attempt_and_in_a_thread(sandbox):
    sandbox.add_fault(Status(status=503, times=1))
    credentials = Credentials()
    await gemini(sandbox, project="p", token=credentials).complete("Hi")
    shown = [request.headers["authorization"] for request in sandbox.requests]
    assert shown == ["Bearer t-1", "Bearer t-2"]
    assert threading.current_thread() not in credentials.threads


@pytest.mark.parametrize("given", [None, "", b"t"])
async def test_a_function_that_gives_no_token_is_an_error(sandbox, given):
    with pytest.raises(ConfigurationError, match="not a token"):
        await gemini(sandbox, project="p", token=lambda: given).complete("Hi")
    assert not sandbox.requests


async def test_a_token_stands_in_no_error(sandbox):
    sandbox.add_fault(Status(status=401, message="bad token: secret-token-1"))
    with pytest.raises(AuthenticationError) as caught:
        await gemini(sandbox, project="p", token=lambda: "secret-token-1").complete("Hi")
    assert "secret-token-1" not in f"{caught.value!r} {caught.value.body} {vars(caught.value)}"


def test_a_function_s_token_that_goes_over_plain_http_is_warned_of():
    with pytest.warns(UserWarning, match="unencrypted"):
        Gemini(base_url="http://gateway.example/v1", project="p", token=lambda: "t")


async def test_two_that_have_functions_of_their_own_share_no_cookies(sandbox):
    async with SessionManager() as sessions:
        ours, theirs = (
            gemini(sandbox, project="p", token=token_of_a_coroutine, sessions=sessions)
            for _ in range(2)
        )
        assert ours._identity != theirs._identity


async def test_its_models_may_be_silent_for_longer_than_others(sandbox):
    assert Gemini.default_timeouts == Timeouts(first_token=300.0, stall=180.0)
    assert asyncllm.provider("gemini").default_timeouts is Gemini.default_timeouts


def test_by_its_name_it_is_the_native_wire_and_google_s_openai_endpoint_by_another(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("ASYNCLLM_GEMINI_OPENAI_API_KEY", "k-2")
    assert type(asyncllm.provider("gemini")) is Gemini
    other = asyncllm.provider("gemini-openai")
    assert (type(other), other.base_url.endswith("/v1beta/openai")) == (
        asyncllm.OpenAICompatible,
        True,
    )
    assert other._headers == {"Authorization": "Bearer k-2"}
