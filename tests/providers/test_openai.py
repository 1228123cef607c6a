"""OpenAI-shaped servers in the wild: each habit that was met, and what comes of it."""

import json

import pytest

import asyncllm
from asyncllm import (
    Finish,
    Gravityengine,
    Lockchat,
    OpenAI,
    OpenAICompatible,
    Ping,
    Reasoning,
    Refusal,
    SessionManager,
    Timeouts,
    ToolCall,
    Usage,
)
from asyncllm.sandbox import (
    BadJson,
    BigEvent,
    DetailError,
    Drop,
    EmptyBody,
    ErrorInStream,
    Framing,
    HtmlPage,
    ModelDoesNotExist,
    NoDone,
    NoFinishReason,
    NullContent,
    PingForever,
    PlainError,
    PlainJson,
    ReasoningField,
    RefuseField,
    Sandbox,
    Status,
    ToolIndex,
    Truncate,
)
from asyncllm.sandbox import Usage as UsageAt
from support.policies import ONCE, QUICK
from support.raw_server import CHUNKED, chunk, raw_server

ANSWER = (
    "This is the asyncllm sandbox speaking, not a model. You wrote: “Hello”. "
    "A real model would now say something about it."
)
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


@pytest.fixture
def llm(sandbox, sessions):
    return OpenAICompatible(base_url=f"{sandbox.url}/v1", model="gpt-4o", sessions=sessions)


async def items_of(stream):
    return [item async for item in stream.events()]


async def answered(*body, **options):
    """Return the items of a stream whose body is `body`, sent as it is."""
    async with raw_server([CHUNKED + b"".join(map(chunk, body)) + b"0\r\n\r\n"]) as (url, _):
        return await items_of(OpenAICompatible(base_url=url, retry=ONCE).stream("x", **options))


def event(text, **more):
    return (
        b"data: %s\n\n"
        % json.dumps({"choices": [{"index": 0, "delta": {"content": text}, **more}]}).encode()
    )


END = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'

# --- usage ---------------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["last", "finish", "with_choices"])
async def test_usage_is_found_in_each_of_its_positions(sandbox, llm, position):
    sandbox.add_fault(UsageAt(position=position))
    items = await items_of(llm.stream("Hello"))
    assert isinstance(items[-2], Usage)
    assert items[-1] == Finish("stop")
    assert items[-2].completion_tokens == len(items) - 2
    assert items[-2].total_tokens == items[-2].prompt_tokens + items[-2].completion_tokens


async def test_usage_that_never_comes_is_none(sandbox, llm):
    sandbox.add_fault(UsageAt(position="never"))
    assert (await llm.complete("Hello")).usage is None


async def test_a_server_that_refuses_stream_options_is_asked_without_and_that_is_remembered(
    sandbox, llm
):
    sandbox.add_fault(RefuseField(name="stream_options"))
    for _ in range(2):
        assert (await llm.complete("Hello")).text == ANSWER
    asked = ["stream_options" in json.loads(request.body) for request in sandbox.requests]
    assert asked == [True, False, False]


async def test_stream_options_of_the_caller_are_theirs_to_mend(sandbox, llm):
    sandbox.add_fault(RefuseField(name="stream_options"))
    with pytest.raises(asyncllm.BadRequestError):
        await llm.complete("Hello", stream_options={"include_usage": False})
    assert len(sandbox.requests) == 1


# --- ends ----------------------------------------------------------------------------------


async def test_no_done_at_all_is_an_end_where_a_finish_reason_came(sandbox, llm):
    sandbox.add_fault(NoDone())
    assert (await llm.complete("Hello")).finish_reason == "stop"


async def test_done_without_a_finish_reason_is_an_end(sandbox, llm):
    sandbox.add_fault(NoFinishReason())
    assert (await llm.complete("Hello")).finish_reason == "stop"


async def test_neither_done_nor_finish_reason_is_a_cut(sandbox, llm):
    sandbox.add_fault(Truncate(after=3))
    with pytest.raises(asyncllm.StreamInterrupted) as caught:
        await llm.complete("Hello")
    assert caught.value.reply.text == "This is the"


async def test_an_empty_200_is_a_cut_never_an_empty_success(sandbox, llm):
    sandbox.add_fault(EmptyBody())
    with pytest.raises(asyncllm.StreamInterrupted):
        await llm.complete("Hello")


async def test_done_alone_is_a_cut_never_an_empty_success():
    with pytest.raises(asyncllm.StreamInterrupted):
        await answered(b"data: [DONE]\n\n")


async def test_length_and_other_finish_reasons_are_passed_on(llm):
    assert (await llm.complete("Hello", max_tokens=3)).finish_reason == "length"


async def test_a_dropped_connection_is_a_cut(sandbox, llm):
    sandbox.add_fault(Drop(after=2))
    with pytest.raises(asyncllm.StreamInterrupted) as caught:
        await llm.complete("Hello")
    assert caught.value.reply.text == "This is"


# --- deltas --------------------------------------------------------------------------------


async def test_content_null_or_absent_and_a_role_only_first_delta_are_no_text(sandbox, llm):
    sandbox.add_fault(NullContent())
    items = await items_of(llm.stream("Hello"))
    assert items[0] == "This"
    assert "".join(item for item in items if isinstance(item, str)) == ANSWER


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_reasoning_deltas_are_reasoning_not_text(sandbox, llm, name):
    sandbox.add_fault(ReasoningField(name=name))
    stream = llm.stream("Hello")
    items = await items_of(stream)
    assert isinstance(items[0], Reasoning)
    assert stream.reply.reasoning
    assert stream.reply.text == ANSWER


@pytest.mark.parametrize("fault", [None, ToolIndex(kind="missing"), ToolIndex(kind="duplicate")])
async def test_tool_calls_are_assembled_whether_or_not_their_index_can_be_trusted(
    sandbox, llm, fault
):
    if fault:
        sandbox.add_fault(fault)
    two = [TOOLS[0], {"type": "function", "function": {"name": "write", "parameters": {}}}]
    reply = await llm.complete("Use a tool", tools=two)
    assert [call.name for call in reply.tool_calls] == ["look_up", "write"]
    assert len({call.id for call in reply.tool_calls}) == 2
    assert all(isinstance(call.parsed_arguments, dict) for call in reply.tool_calls)
    assert reply.finish_reason == "tool_calls"


def tool_delta(**call):
    return b"data: %s\n\n" % json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}).encode()


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        (  # neither id nor index: a name begins a call
            [
                {"function": {"name": "f", "arguments": '{"a"'}},
                {"function": {"arguments": ":1}"}},
                {"function": {"name": "g", "arguments": "{}"}},
            ],
            [ToolCall("call_0", "f", '{"a":1}'), ToolCall("call_1", "g", "{}")],
        ),
        (  # the id again with each piece, and an empty one
            [
                {"index": 0, "id": "x", "function": {"name": "f", "arguments": "{"}},
                {"index": 0, "id": "x", "function": {"name": "f", "arguments": '"a":'}},
                {"index": 0, "id": "", "function": {"arguments": "2}"}},
            ],
            [ToolCall("x", "f", '{"a":2}')],
        ),
        (  # pieces of two calls in turn
            [
                {"index": 0, "id": "x", "function": {"name": "f", "arguments": ""}},
                {"index": 1, "id": "y", "function": {"name": "g", "arguments": ""}},
                {"index": 0, "function": {"arguments": "[0]"}},
                {"index": 1, "function": {"arguments": "[1]"}},
            ],
            [ToolCall("x", "f", "[0]"), ToolCall("y", "g", "[1]")],
        ),
        (  # arguments as an object
            [{"index": 0, "id": "x", "function": {"name": "f", "arguments": {"a": 3}}}],
            [ToolCall("x", "f", '{"a":3}')],
        ),
        ([{"index": 0, "id": "x"}], [ToolCall("x", "", "")]),
        (  # one id for two calls
            [
                {"index": 0, "id": "x", "function": {"name": "f", "arguments": "[0"}},
                {"index": 1, "id": "x", "function": {"name": "g", "arguments": "[1"}},
                {"index": 0, "function": {"arguments": "]"}},
                {"index": 1, "id": "x", "function": {"arguments": "]"}},
            ],
            [ToolCall("x", "f", "[0]"), ToolCall("x", "g", "[1]")],
        ),
        (  # an index that comes late
            [
                {"id": "x", "function": {"name": "f", "arguments": "["}},
                {"index": 0, "id": "x", "function": {"arguments": "0"}},
                {"index": 0, "function": {"arguments": "]"}},
            ],
            [ToolCall("x", "f", "[0]")],
        ),
    ],
)
async def test_tool_call_deltas_are_routed_by_id_or_index(deltas, calls):
    items = await answered(*(tool_delta(**delta) for delta in deltas), b"data: [DONE]\n\n")
    assert items == [*calls, Finish("tool_calls")]


@pytest.mark.parametrize("reason", ["function_call", "stop", None])
async def test_a_legacy_function_call_is_a_tool_call(reason):
    deltas = [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a"'}},
        {"function_call": {"name": "f", "arguments": ": 1}"}},
        {},
    ]
    choices = [{"delta": delta} for delta in deltas]
    choices[-1]["finish_reason"] = reason
    body = [b"data: %s\n\n" % json.dumps({"choices": [choice]}).encode() for choice in choices]
    told = {"stop": Finish("stop"), "function_call": Finish("tool_calls", "function_call")}
    whole = [ToolCall("call_0", "f", '{"a": 1}'), told.get(reason, Finish("tool_calls"))]
    assert await answered(*body, b"data: [DONE]\n\n") == whole


@pytest.mark.parametrize(
    ("arguments", "parsed"), [('{"a": 1}', {"a": 1}), ("", {}), ("[1]", None), ("{", None)]
)
def test_parsed_arguments_are_a_dictionary_or_none(arguments, parsed):
    assert ToolCall("x", "f", arguments).parsed_arguments == parsed


async def test_a_refusal_is_told_as_one():
    body = b'data: {"choices":[{"delta":{"refusal":"I can\'t."}}]}\n\n'
    assert (await answered(body, END))[0] == Refusal("I can't.")


@pytest.mark.parametrize("pieces", [1, 3, 1000])
async def test_an_emoji_cut_over_two_events_is_read(pieces):
    body = event("a\ud83c") + event("\udffdb") + END
    step = len(body) // pieces + 1
    parts = [body[i : i + step] for i in range(0, len(body), step)]
    assert await answered(*parts) == ["a", "🏽b", Finish("stop")]


async def test_only_the_first_choice_is_read():
    other = b'data: {"choices":[{"index":1,"delta":{"content":"no"}}]}\n\n'
    assert await answered(other, event("yes"), END) == ["yes", Finish("stop")]


# --- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("after", [0, 3])
async def test_errors_inside_a_200_with_or_without_an_event_name_first_or_mid_stream(
    sandbox, llm, named, after
):
    sandbox.add_fault(ErrorInStream(after=after, message="out of memory", named_event=named))
    once = OpenAICompatible(base_url=llm.base_url, model="gpt-4o", retry=ONCE)
    with pytest.raises(asyncllm.ServerError, match="out of memory") as caught:
        await once.complete("Hello")
    assert caught.value.reply.text == "".join(["This", " is", " the"][:after])
    assert (caught.value.type, caught.value.is_passing) == ("server_error", True)


async def test_an_error_inside_a_200_that_passes_is_tried_again_before_the_first_item(
    sandbox, sessions
):
    sandbox.add_fault(ErrorInStream(after=0, times=1))
    llm = OpenAICompatible(
        base_url=f"{sandbox.url}/v1", model="gpt-4o", sessions=sessions, retry=QUICK
    )
    assert (await llm.complete("Hello")).text == ANSWER
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"event: error\ndata: overloaded\n\n", asyncllm.ProviderError),
        (b'data: {"error": "overloaded"}\n\n', asyncllm.ProviderError),
        (b'data: {"error": {"type": "overloaded", "code": 529}}\n\n', asyncllm.ServerError),
        (b'data: {"detail": "overloaded"}\n\n', asyncllm.ProviderError),
        (b'{"error": {"message": "overloaded"}}', asyncllm.ProviderError),
    ],
)
async def test_an_error_of_any_shape_says_what_the_server_said(body, error):
    with pytest.raises(error, match="overloaded"):
        await answered(body)


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (DetailError(status=422, detail="bad field"), asyncllm.BadRequestError, "bad field"),
        (PlainError(status=400, text="plain words"), asyncllm.BadRequestError, "plain words"),
        (Status(status=401), asyncllm.AuthenticationError, "401"),
        (Status(status=404), asyncllm.NotFoundError, "404"),
        (HtmlPage(), asyncllm.ProtocolError, "<"),
        (HtmlPage(status=502, times=1), asyncllm.ServerError, "502"),
        (BadJson(after=1), asyncllm.ProtocolError, "format"),
    ],
)
async def test_detail_plain_text_and_html_bodies_are_typed_errors(
    sandbox, sessions, fault, error, says
):
    sandbox.add_fault(fault)
    llm = OpenAICompatible(
        base_url=f"{sandbox.url}/v1", model="gpt-4o", sessions=sessions, retry=ONCE
    )
    with pytest.raises(error, match=says):
        await llm.complete("Hello")
    assert len(sandbox.requests) == 1


async def test_html_with_status_200_shows_its_first_200_characters():
    page = b"<html>" + b"x" * 1000
    async with raw_server(
        [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1006\r\n\r\n" + page]
    ) as (url, _):
        with pytest.raises(asyncllm.ProtocolError) as caught:
            await OpenAICompatible(base_url=url, retry=ONCE).complete("x")
    assert str(caught.value).endswith("'<html>" + "x" * 194 + "…")


async def test_keep_alive_comments_for_ever_are_a_stall(sandbox, sessions):
    sandbox.add_fault(PingForever(after=2))
    llm = OpenAICompatible(
        base_url=f"{sandbox.url}/v1",
        model="gpt-4o",
        sessions=sessions,
        timeouts=Timeouts(stall=0.1),
    )
    stream, items = llm.stream("Hello"), []
    with pytest.raises(asyncllm.StreamTimeout):
        async for item in stream.events():
            items.append(item)
    assert items[:2] == ["This", " is"]
    assert isinstance(items[-1], Ping)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": 60},
        {"retry_after_ms": 60_000},
        {"retry_after": "Fri, 31 Dec 2100 23:59:59 GMT"},
    ],
)
async def test_retry_after_in_seconds_as_a_date_or_in_milliseconds_is_read(sandbox, llm, headers):
    sandbox.add_fault(Status(status=429, **headers))
    with pytest.raises(asyncllm.RateLimitError) as caught:
        await OpenAICompatible(base_url=llm.base_url, model="gpt-4o", retry=ONCE).complete("Hello")
    assert caught.value.retry_after >= 60


# --- framing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["crlf", "cr", "no_space", "multi_line", "id_retry", "comments", "bom", "one_byte"]
)
async def test_framing_met_for_real_gives_the_same_text(sandbox, llm, kind):
    sandbox.add_fault(Framing(kind=kind))
    prompt = "Привет 你好 👨‍👩‍👧 \u2028 и \u0085"
    plain = await llm.complete(prompt)
    sandbox.clear_faults()
    assert plain.text == (await llm.complete(prompt)).text
    assert "你好" in plain.text


async def test_one_event_over_2_mb_arrives_whole(sandbox, llm):
    sandbox.add_fault(BigEvent(size=2_000_000))
    assert len(await anext(llm.stream("Hello"))) == 2_000_000


async def test_utf_8_split_over_reads_and_separators_inside_strings_are_text():
    text = "一😀\u2028\u2029\u0085 data: x"
    body = event(text) + END
    assert await answered(*(body[i : i + 1] for i in range(len(body)))) == [text, Finish("stop")]


# --- requests ------------------------------------------------------------------------------


async def test_the_request_is_as_the_wire_wants_it(sandbox, sessions):
    llm = OpenAICompatible(
        base_url=f"{sandbox.url}/v1/", api_key="sk-1", sessions=sessions, headers={"X-Team": "a"}
    )
    parts = [{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": "x"}}]
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "42"},
    ]
    await llm.complete(
        history, model="gpt-4o", n=1, logprobs=True, response_format={"type": "text"}, stop=["x"]
    )
    request = sandbox.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer sk-1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-team"] == "a"
    assert json.loads(request.body) == {
        "model": "gpt-4o",
        "messages": history,
        "stream": True,
        "stream_options": {"include_usage": True},
        "n": 1,
        "logprobs": True,
        "response_format": {"type": "text"},
        "stop": ["x"],
    }


async def test_gravityengine_asks_as_documented(sandbox, sessions):
    await Gravityengine(base_url=sandbox.url, sessions=sessions).complete("Hello")
    request = sandbox.requests[0]
    assert (request.method, request.path) == ("POST", "/api/openai/v1/chat/completions")
    assert "authorization" not in request.headers
    assert json.loads(request.body) == {
        "model": "gpt-3.5-turbo-16k",
        "temperature": 0.7,
        "presence_penalty": 0,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
    }


async def test_gravityengine_answers_in_plain_json_now_and_then(sandbox, sessions):
    sandbox.add_fault(PlainJson())
    reply = await Gravityengine(base_url=sandbox.url, sessions=sessions).complete("Hello")
    assert (reply.text, reply.finish_reason) == (ANSWER, "stop")


async def test_lockchat_asks_as_documented(sandbox, sessions, monkeypatch):
    await Lockchat(base_url=sandbox.url, sessions=sessions).complete("Hello", temperature=0.1)
    request = sandbox.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.query == {"auth": "FnMNPlwZEnGFqvEc9470Vw=="}
    assert request.headers["user-agent"] == "ChatX/39 CFNetwork/1408.0.4 Darwin/22.5.0"
    assert "authorization" not in request.headers
    assert json.loads(request.body) == {
        "model": "gpt-4",
        "temperature": 0.1,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
    }
    monkeypatch.setenv("ASYNCLLM_LOCKCHAT_API_KEY", "from-environment")
    for options in ({}, {"auth": "a+b"}, {"api_key": "k"}):
        await Lockchat(base_url=sandbox.url, sessions=sessions, **options).complete("Hello")
    assert [request.query["auth"] for request in list(sandbox.requests)[1:]] == [
        "from-environment",
        "a+b",
        "k",
    ]


FAULTS = [
    ModelDoesNotExist(status=status, backticks=backticks, form=form)
    for status in (200, 404)
    for backticks in (True, False)
    for form in ("line", "data", "json")
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_lockchats_fault_is_tried_again_and_the_caller_gets_the_retrys_answer(
    sandbox, sessions, fault
):
    sandbox.add_fault(fault)
    lockchat = Lockchat(base_url=sandbox.url, sessions=sessions, retry=QUICK)
    assert (await lockchat.complete("Hello")).text == ANSWER
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_lockchats_fault_is_a_clear_not_found_once_the_attempts_are_used_up(
    sandbox, sessions, fault
):
    sandbox.add_fault(type(fault)(**{**vars(fault), "times": None}))
    lockchat = Lockchat(base_url=sandbox.url, sessions=sessions, retry=QUICK)
    with pytest.raises(asyncllm.NotFoundError, match=r"The model:? `?gpt-4`? does not exist"):
        await lockchat.complete("Hello")
    assert len(sandbox.requests) == 3


async def test_lockchats_fault_between_events_is_recognised():
    bare = b"The model: `gpt-4` does not exist\n\ndata: [DONE]\n\n"
    async with raw_server([CHUNKED + chunk(bare) + b"0\r\n\r\n"]) as (url, _):
        with pytest.raises(asyncllm.NotFoundError):
            await Lockchat(base_url=url, retry=ONCE).complete("x")


async def test_other_errors_of_lockchat_stay_what_they_are(sandbox, sessions):
    sandbox.add_fault(Status(status=401))
    with pytest.raises(asyncllm.AuthenticationError):
        await Lockchat(base_url=sandbox.url, sessions=sessions).complete("Hello")


# --- services ------------------------------------------------------------------------------


async def test_the_same_program_runs_against_every_wire_by_changing_one_name(sandbox, sessions):
    for name, path in (("h2o", ""), ("gravityengine", ""), ("lockchat", ""), ("vllm", "/v1")):
        provider = asyncllm.provider(name, base_url=sandbox.url + path, sessions=sessions)
        model = "gpt-4o" if name == "vllm" else None
        async with provider.stream("Hello", model=model, temperature=0.5) as stream:
            text = "".join([token async for token in stream])
        assert (text, stream.reply.finish_reason) == (ANSWER, "stop")


async def test_a_service_takes_its_key_from_its_customary_variable(sandbox, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", "gsk-1")
    monkeypatch.setenv("ASYNCLLM_GROQ_BASE_URL", f"{sandbox.url}/v1")
    await asyncllm.provider("groq", model="gpt-4o").complete("Hello")
    assert sandbox.requests[0].headers["authorization"] == "Bearer gsk-1"


def test_openai_is_a_class_with_its_customary_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    openai = asyncllm.provider("openai", model="gpt-4o")
    assert type(openai) is OpenAI
    assert (openai.base_url, openai.needs_auth) == ("https://api.openai.com/v1", True)
    assert "canary" not in repr(openai)
    openai.stream("Hello")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OpenAI(model="m").stream("x"), "OPENAI_API_KEY"),
        (lambda: OpenAI(api_key="k").stream("x"), "list_models"),
        (lambda: asyncllm.provider("groq", model="m").stream("x"), "GROQ_API_KEY"),
        (lambda: asyncllm.provider("grok"), "did you mean 'groq'"),
        (OpenAICompatible, "base_url"),
        (lambda: OpenAICompatible(base_url="localhost:8000/v1"), "scheme"),
        (lambda: OpenAI(api_key="sk-1\n"), "line breaks"),
        (lambda: OpenAI(api_key="k", model="m").stream("x", n=2), "one answer"),
        (lambda: OpenAI(api_key="k", model="m").stream("x", tools=[{"f": print}]), "JSON"),
    ],
)
def test_bad_input_is_refused_before_any_request(make, says, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(asyncllm.ConfigurationError, match=says):
        make()


USER = {"role": "user", "content": "x"}
UNWRITABLE = [
    ({"messages": [USER, {"role": "user", "content": "\ud800"}]}, "messages[1]"),
    ({"messages": [{**USER, "name": print}], "system": "Be brief."}, "messages[0]"),
    ({"messages": "x", "system": "\ud800"}, "system"),
    ({"messages": [USER], "tools": [{"f": print}]}, "tools"),
    ({"messages": [USER], "extra": {"tenant": {"a": object()}}}, "tenant"),
]


@pytest.mark.parametrize(("asked", "place"), UNWRITABLE)
def test_what_has_no_json_form_is_told_by_its_name(asked, place):
    with pytest.raises(asyncllm.ConfigurationError) as caught:
        OpenAICompatible(base_url="http://h").stream(**asked)
    assert str(caught.value).startswith(f"{place} can't be written as JSON: ")


async def test_list_models_asks_the_server(sandbox, sessions):
    for options in ({"sessions": sessions}, {}):
        llm = OpenAICompatible(base_url=f"{sandbox.url}/v1", **options)
        assert "gpt-4o" in await llm.list_models()
    assert [request.path for request in sandbox.requests] == ["/v1/models"] * 2


async def test_list_models_fails_as_streams_do(sandbox):
    limits = Timeouts(first_token=0.1)
    async with SessionManager(timeouts=limits, retry=ONCE) as sessions:
        llm = OpenAICompatible(base_url=f"{sandbox.url}/v1", sessions=sessions, api_key="sk-canary")
        sandbox.add_fault(PlainError(status=500, text="sk-canary is no key", on="models", times=1))
        with pytest.raises(asyncllm.ServerError) as caught:
            await llm.list_models()
        assert "canary" not in f"{caught.value}{caught.value.body}"
    async with raw_server([5.0]) as (url, _), SessionManager(timeouts=limits) as sessions:
        with pytest.raises(asyncllm.StreamTimeout) as limit:
            await OpenAICompatible(base_url=url, sessions=sessions).list_models()
    assert (limit.value.phase, limit.value.limit) == ("first_token", 0.1)


async def test_a_key_is_asked_for_by_the_sandbox_too():
    async with Sandbox(api_key="right") as sandbox:
        for cls, path in ((OpenAICompatible, "/v1"), (Lockchat, "")):
            right = cls(base_url=sandbox.url + path, api_key="right", model="gpt-4")
            assert (await right.complete("Hello")).text == ANSWER
            with pytest.raises(asyncllm.AuthenticationError):
                await cls(base_url=sandbox.url + path, api_key="wrong", model="gpt-4").complete("x")


async def test_twenty_streams_in_a_row_use_one_connection(sandbox, llm):
    for _ in range(20):
        await llm.complete("Hello")
    assert sandbox.connections == 1


class Naming(OpenAICompatible):
    """Takes every refusal for one of another field."""

    def refused_field(self, request, error):
        return f"field_{len(request.without)}"


async def test_a_server_that_refuses_field_after_field_is_not_asked_for_ever(sandbox):
    sandbox.add_fault(Status(status=400))
    with pytest.raises(asyncllm.BadRequestError):
        await Naming(base_url=f"{sandbox.url}/v1").complete("Hello")
    assert len(sandbox.requests) == 9
