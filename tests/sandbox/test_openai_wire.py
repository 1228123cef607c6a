"""The OpenAI-shaped wire as the sandbox serves it, seen by a bare HTTP client."""

import asyncio
import json

import aiohttp
import pytest

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
    SlowAnswer,
    Stall,
    Status,
    ToolIndex,
    Truncate,
    Usage,
)
from asyncllm.sandbox.generation import answer_to, reasoning_about
from support.openai_http import (
    COMPLETIONS,
    DONE,
    TOOLS,
    ask,
    body,
    chunks,
    deltas,
    events,
    finish_reasons,
    raw,
    serve,
    text,
)
from support.waiting import until

GRAVITY = "/api/openai/v1/chat/completions"
ANSWER = answer_to("Hi")


# --- what is asked, what is answered -----------------------------------------------------


@pytest.mark.parametrize("path", [COMPLETIONS, GRAVITY, f"{COMPLETIONS}?auth=token"])
async def test_stream_is_role_tokens_finish_and_done(path):
    async with serve() as (_, http):
        role, *tokens, finish, done = await chunks(http, path)
    assert role["object"] == "chat.completion.chunk"
    assert role["model"] == "gpt-4"
    assert deltas([role]) == [{"role": "assistant"}]
    assert deltas(tokens) == [{"content": token} for token in ANSWER.tokens]
    assert len({chunk["id"] for chunk in [role, *tokens, finish]}) == 1
    assert deltas([finish]) == [{}]
    assert finish_reasons([role, *tokens, finish]) == ["stop"]
    assert done == DONE


async def test_without_stream_it_is_one_json():
    async with serve() as (_, http):
        response = await ask(http, stream=False)
        assert response.content_type == "application/json"
        whole = await response.json()
    assert whole["object"] == "chat.completion"
    [choice] = whole["choices"]
    assert choice["message"] == {"role": "assistant", "content": ANSWER.text}
    assert choice["finish_reason"] == "stop"
    assert whole["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": len(ANSWER.tokens),
        "total_tokens": 3 + len(ANSWER.tokens),
    }


async def test_content_may_be_parts():
    async with serve() as (_, http):
        parts = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {}}]
        assert text(await chunks(http, content=parts)) == ANSWER.text


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_limit_cuts_the_answer(field, stream):
    async with serve() as (_, http):
        if stream:
            got = await chunks(http, **{field: 3})
            assert text(got) == "".join(ANSWER.tokens[:3])
            assert finish_reasons(got) == ["length"]
        else:
            [choice] = (await (await ask(http, stream=False, **{field: 3})).json())["choices"]
            assert choice["message"]["content"] == "".join(ANSWER.tokens[:3])
            assert choice["finish_reason"] == "length"


async def test_usage_comes_last_and_only_when_asked():
    async with serve() as (_, http):
        assert all("usage" not in chunk for chunk in await chunks(http))
        *others, last, done = await chunks(http, stream_options={"include_usage": True})
    assert done == DONE
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == len(ANSWER.tokens)
    assert all(chunk["usage"] is None for chunk in others)


async def test_reasoning_effort_brings_reasoning_first():
    async with serve() as (_, http):
        _, *rest = deltas(await chunks(http, reasoning_effort="low"))
        thoughts = [delta["reasoning_content"] for delta in rest if "reasoning_content" in delta]
        assert thoughts == reasoning_about("Hi")
        assert rest[len(thoughts)] == {"content": "This"}
        whole = await (await ask(http, stream=False, reasoning_effort="low")).json()
        assert whole["choices"][0]["message"]["reasoning_content"] == "".join(thoughts)


async def test_models_are_listed():
    async with serve(models=["my-model"]) as (_, http), http.get("/v1/models") as response:
        names = [model["id"] for model in (await response.json())["data"]]
        assert "gpt-4" in names
        assert "my-model" in names


async def test_generation_stops_when_the_reader_leaves():
    async with serve(token_rate=50, tokens=1000) as (sandbox, http):
        async with http.post(COMPLETIONS, json=body()) as response:
            await response.content.readany()
            await until(lambda: sandbox.generating == 1)
            response.close()
        await until(lambda: sandbox.generating == 0)


async def test_a_hundred_thousand_tokens_stream():
    async with serve(tokens=100_000) as (_, http):
        assert (await raw(http)).count(b'{"content":') == 100_000


# --- errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "gpt-none"}, 404, "model_not_found"),
        ({"model": None}, 400, None),
        ({"messages": []}, 400, None),
        ({"messages": "Hi"}, 400, None),
        ({"content": "a tool", "tools": [1]}, 400, None),
        ({"content": "a tool", "tools": [{"function": {}}]}, 400, None),
    ],
)
async def test_a_bad_request_is_an_error_object(fields, status, code):
    async with serve() as (_, http):
        response = await ask(http, **fields)
        assert response.status == status
        error = (await response.json())["error"]
        assert error["type"] == "invalid_request_error"
        assert error["code"] == code
        assert isinstance(error["message"], str)


@pytest.mark.parametrize("data", [b"{", b"[]", b"", b"\xff", b"[" * 100_000, b'{"a":' * 50_000])
async def test_a_body_that_is_no_json_object_is_400(data):
    async with serve() as (_, http), http.post(COMPLETIONS, data=data) as response:
        assert response.status == 400
        assert "error" in await response.json()


async def test_an_unknown_path_is_404_in_the_wires_form():
    async with serve() as (_, http), http.post("/v1/nowhere") as response:
        assert response.status == 404
        assert "error" in await response.json()


async def test_api_key_is_wanted_as_bearer_or_auth_but_not_by_gravityengine():
    key = "FnMNPlwZEnGFqvEc9470Vw=="
    async with serve(api_key=key) as (_, http):
        response = await ask(http)
        assert response.status == 401
        assert (await response.json())["error"]["code"] == "invalid_api_key"
        assert (await http.get("/v1/models")).status == 401
        wrong = {"Authorization": "Bearer wrong"}
        assert (await http.post(COMPLETIONS, json=body(), headers=wrong)).status == 401
        right = {"Authorization": f"Bearer {key}"}
        assert (await http.post(COMPLETIONS, json=body(), headers=right)).status == 200
        assert (await http.post(COMPLETIONS, json=body(), params={"auth": key})).status == 200
        assert (await ask(http, GRAVITY)).status == 200


# --- tools -------------------------------------------------------------------------------


async def test_tools_are_called_in_pieces_when_the_text_says_so():
    async with serve() as (_, http):
        got = await chunks(http, content="use a Tool", tools=TOOLS)
    assert text(got) == ""
    assert finish_reasons(got) == ["tool_calls"]
    parts = [delta["tool_calls"][0] for delta in deltas(got) if "tool_calls" in delta]
    assert {part["index"] for part in parts} == {0, 1}
    first, *pieces = [part for part in parts if part["index"] == 0]
    assert first["type"] == "function"
    assert first["function"] == {"name": "weather", "arguments": ""}
    assert len(pieces) > 2
    assert all(set(piece) == {"index", "function"} for piece in pieces)
    arguments = json.loads("".join(piece["function"]["arguments"] for piece in pieces))
    assert arguments == {"city": "use a Tool", "days": 1, "unit": "celsius"}


async def test_tools_are_called_without_stream():
    async with serve() as (_, http):
        whole = await (await ask(http, content="tools!", tools=TOOLS, stream=False)).json()
    [choice] = whole["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    names = [call["function"]["name"] for call in choice["message"]["tool_calls"]]
    assert names == ["weather", "clock"]


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "toolbox", "tools": TOOLS},
        {"content": "a tool", "tools": []},
        {"content": "a tool", "tools": TOOLS, "tool_choice": "none"},
        {
            "messages": [
                {"role": "user", "content": "a tool"},
                {"role": "tool", "content": "its result"},
            ],
            "tools": TOOLS,
        },
    ],
)
async def test_tools_are_not_called_otherwise(fields):
    async with serve() as (_, http):
        assert text(await chunks(http, **fields))


@pytest.mark.parametrize(("kind", "indices"), [("missing", {None}), ("duplicate", {0})])
async def test_tool_index_can_be_useless_and_then_the_id_tells(kind, indices):
    async with serve(ToolIndex(kind)) as (_, http):
        got = await chunks(http, content="a tool", tools=TOOLS)
    parts = [delta["tool_calls"][0] for delta in deltas(got) if "tool_calls" in delta]
    assert {part.get("index") for part in parts} == indices
    assert len({part["id"] for part in parts}) == 2


# --- habits ------------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["last", "finish", "with_choices", "never"])
@pytest.mark.parametrize("options", [None, {"include_usage": True}])
async def test_usage_comes_where_the_habit_says(position, options):
    async with serve(Usage(position)) as (_, http):
        got = await chunks(http, stream_options=options)
    with_usage = [chunk for chunk in got if chunk != DONE and chunk.get("usage")]
    if position == "never":
        assert not with_usage
    else:
        [chunk] = with_usage
        assert (chunk["choices"] == []) is (position == "last")
        assert (finish_reasons([chunk]) == ["stop"]) is (position == "finish")


async def test_no_usage_without_stream_either():
    async with serve(Usage("never")) as (_, http):
        assert "usage" not in await (await ask(http, stream=False)).json()


async def test_no_done():
    async with serve(NoDone(times=1)) as (_, http):
        got = await chunks(http)
        assert DONE not in got
        assert finish_reasons(got) == ["stop"]
        assert DONE in await chunks(http)


async def test_no_finish_reason():
    async with serve(NoFinishReason()) as (_, http):
        got = await chunks(http)
        assert finish_reasons(got) == []
        assert got[-1] == DONE


async def test_null_content():
    async with serve(NullContent()) as (_, http):
        first, *_, last = deltas(await chunks(http))
        assert first == {"role": "assistant", "content": None}
        assert last == {"content": None}


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_reasoning_field(name):
    async with serve(ReasoningField(name)) as (_, http):
        assert any(name in delta for delta in deltas(await chunks(http)))


@pytest.mark.parametrize("path", [COMPLETIONS, GRAVITY])
async def test_plain_json_although_a_stream_was_asked_for(path):
    async with serve(PlainJson(times=1)) as (_, http):
        response = await ask(http, path)
        assert response.content_type == "application/json"
        assert await response.json() == {"choices": [{"message": {"content": ANSWER.text}}]}
        assert text(await chunks(http, path)) == ANSWER.text


async def test_big_event():
    async with serve(BigEvent()) as (_, http):
        assert (
            max(len(delta.get("content", "")) for delta in deltas(await chunks(http))) == 2_000_000
        )


@pytest.mark.parametrize(
    ("kind", "begins", "ends"),
    [
        ("crlf", b"data: {", b"data: [DONE]\r\n\r\n"),
        ("cr", b"data: {", b"data: [DONE]\r\r"),
        ("no_space", b"data:{", b"data:[DONE]\n\n"),
        ("multi_line", b'data: {\ndata: "id"', b"data: [DONE]\n\n"),
        ("id_retry", b"id: 1\nretry: 3000\ndata: {", b"data: [DONE]\n\n"),
        ("comments", b": keep-alive\n\ndata: {", b": keep-alive\n\ndata: [DONE]\n\n"),
        ("bom", b"\xef\xbb\xbfdata: {", b"data: [DONE]\n\n"),
        ("one_byte", b"data: {", b"data: [DONE]\n\n"),
    ],
)
async def test_framing(kind, begins, ends):
    async with serve(Framing(kind), tokens=2) as (_, http):
        data = await raw(http)
    assert data.startswith(begins)
    assert data.endswith(ends)


# --- faults ------------------------------------------------------------------------------


async def test_refusals_come_in_the_declared_order_and_then_all_is_well():
    faults = [
        Status(503, times=1, message="overloaded"),
        DetailError(422, times=1),
        PlainError(500, "boom", times=1),
        HtmlPage(times=1),
        EmptyBody(times=1),
    ]
    async with serve(*faults) as (_, http):
        overloaded = await ask(http)
        assert overloaded.status == 503
        error = (await overloaded.json())["error"]
        assert (error["message"], error["type"]) == ("overloaded", "server_error")
        detail = await ask(http)
        assert (detail.status, set(await detail.json())) == (422, {"detail"})
        plain = await ask(http)
        assert (plain.status, await plain.text()) == (500, "boom")
        page = await ask(http)
        assert (page.status, page.content_type) == (200, "text/html")
        empty = await ask(http)
        assert (empty.status, empty.content_type) == (200, "text/event-stream")
        assert empty.content.total_bytes == 0
        assert text(await chunks(http)) == ANSWER.text


async def test_status_on_models_leaves_completions_alone():
    async with serve(Status(429, on="models")) as (_, http):
        assert (await http.get("/v1/models")).status == 429
        assert (await ask(http)).status == 200


async def test_refuse_field_names_it_and_lets_others_pass():
    async with serve(RefuseField()) as (_, http):
        response = await ask(http, stream_options={"include_usage": True})
        assert response.status == 400
        assert "stream_options" in (await response.json())["error"]["message"]
        assert (await ask(http)).status == 200


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("form", ["line", "data", "json"])
@pytest.mark.parametrize("backticks", [True, False])
async def test_model_does_not_exist_passes(status, form, backticks):
    fault = ModelDoesNotExist(status=status, form=form, backticks=backticks)
    async with serve(fault) as (_, http):
        response = await ask(http)
        assert response.status == status
        name = "`gpt-4`" if backticks else "gpt-4"
        line = f"The model: {name} does not exist"
        content = await response.text()
        if form == "line":
            assert line in content.split("\n")
        else:
            assert json.loads(content.removeprefix("data: "))["error"]["message"] == line
        assert text(await chunks(http)) == ANSWER.text


@pytest.mark.parametrize("named", [True, False])
async def test_error_in_stream(named):
    async with serve(ErrorInStream(after=2, message="oops", named_event=named)) as (_, http):
        *_, last = (await raw(http)).split(b"\n\n")[:-1]
        assert last.startswith(b"event: error\ndata: {" if named else b"data: {")
        error = json.loads(last.split(b"data: ")[1])["error"]
        assert error["message"] == "oops"
        assert {"type", "code"} <= set(error)


async def test_drop_after_the_headers():
    async with serve(Drop(after=0)) as (_, http), http.post(COMPLETIONS, json=body()) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_truncate_has_neither_finish_reason_nor_done():
    async with serve(Truncate(after=2)) as (_, http):
        got = await chunks(http)
        assert text(got) == "This is"
        assert finish_reasons(got) == []
        assert DONE not in got


async def test_bad_json_in_an_otherwise_whole_stream():
    async with serve(BadJson(after=1)) as (_, http):
        parts = (await raw(http)).split(b"\n\n")[:-1]
        bad = parts.pop(2)
        with pytest.raises(json.JSONDecodeError):
            json.loads(bad.removeprefix(b"data: "))
        assert text(events(b"\n\n".join([*parts, b""]))) == ANSWER.text


async def test_stall_sends_headers_and_role_and_ends_with_its_reader():
    async with serve(Stall(after=0)) as (sandbox, http):
        async with http.post(COMPLETIONS, json=body()) as response:
            [role] = events(await response.content.readany())
            assert deltas([role]) == [{"role": "assistant"}]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(response.content.readany(), 0.05)
            assert sandbox.generating == 1
            response.close()
        await until(lambda: sandbox.generating == 0)


async def test_ping_forever():
    fault = PingForever(after=1, every=0.001)
    async with serve(fault) as (_, http), http.post(COMPLETIONS, json=body()) as response:
        data = b""
        while data.count(b": ping\n\n") < 5:
            data += await response.content.readany()
    assert data.count(b'"content"') == 1


async def test_slow_answer_holds_back_the_headers():
    async with serve(SlowAnswer(0.05)) as (_, http):
        begin = asyncio.get_running_loop().time()
        async with http.post(COMPLETIONS, json=body()):
            assert asyncio.get_running_loop().time() - begin > 0.045
