"""H2o as its documents describe it, against the sandbox's chat-ui."""

import asyncio
import contextlib
import json
import ssl
from uuid import RFC_4122, UUID

import aiohttp
import pytest
import trustme

import asyncllm
from asyncllm import H2o, SessionManager, Timeouts
from asyncllm.sandbox import (
    BadJson,
    Drop,
    EmptyBody,
    ErrorInStream,
    HtmlPage,
    LoseSessions,
    NewId,
    NoOrigin,
    PingForever,
    PlainError,
    Sandbox,
    Status,
    Truncate,
)
from support.raw_server import CHUNKED, chunk, raw_server

FALCON_40B = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1"
FALCON_7B = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3"
HELLO = [{"role": "user", "content": "Hello"}]
RUSSIAN = "Привет 👨‍👩‍👧, это\u2028строка с data: внутри"


def steps(sandbox):
    names = {"settings": "settings", "conversation": "create", "stop-generating": "stop"}
    return [
        "delete" if r.method == "DELETE" else names.get(r.path.rsplit("/", 1)[-1], "stream")
        for r in sandbox.requests
    ]


def asked(sandbox, step):
    return [
        request
        for request, name in zip(sandbox.requests, steps(sandbox), strict=True)
        if name == step
    ]


# --- the documented interface ------------------------------------------------------------


async def test_create_async_generator_streams_as_documented(sandbox):
    tokens = [
        token
        async for token in H2o.create_async_generator(
            model="falcon-40b", messages=HELLO, proxy=None, base_url=sandbox.url
        )
    ]
    assert len(tokens) > 5
    assert "Hello" in "".join(tokens)
    assert steps(sandbox) == ["settings", "create", "stream", "delete"]
    assert sandbox.conversations == 0


async def test_create_async_returns_the_text(sandbox):
    text = await H2o.create_async("falcon-7b", HELLO, base_url=sandbox.url)
    assert text.endswith("about it.")


def test_documented_class_attributes():
    assert H2o.url == "https://gpt-gm.h2o.ai"
    assert H2o.model == FALCON_40B
    assert dict(H2o.models) == {
        "falcon-40b": FALCON_40B,
        "falcon-7b": FALCON_7B,
        "llama-13b": "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
    }
    assert H2o.supports_stream is True
    assert H2o.needs_auth is False
    assert H2o.params == (
        "asyncllm.H2o supports: (model: str | None, messages: Messages, proxy: str | None)"
    )


@pytest.mark.parametrize(
    ("model", "full"),
    [
        ("falcon-40b", FALCON_40B),
        ("falcon-7b", FALCON_7B),
        (FALCON_7B, FALCON_7B),
        ("", FALCON_40B),
        (None, FALCON_40B),
    ],
)
async def test_short_names_full_ids_and_none_name_a_model(sandbox, model, full):
    await H2o.create_async(model, HELLO, base_url=sandbox.url)
    assert json.loads(asked(sandbox, "create")[0].body) == {"model": full}
    assert f"activeModel={full.replace('/', '%2F')}" in asked(sandbox, "settings")[0].body.decode()


async def test_documented_defaults_and_the_callers_parameters_over_them(sandbox, h2o):
    await h2o.complete(
        HELLO, temperature=0.9, id="b5f5bf47-4b1c-4b0e-a5f5-0f6a4c7d9b11", use_cache=True, top_p=0.5
    )
    body = json.loads(asked(sandbox, "stream")[0].body)
    response_id = body["options"].pop("response_id")
    assert str(UUID(response_id)) == response_id
    assert (UUID(response_id).version, UUID(response_id).variant) == (4, RFC_4122)
    assert body == {
        "inputs": "Hello",
        "parameters": {
            "temperature": 0.9,
            "truncate": 2048,
            "max_new_tokens": 1024,
            "do_sample": True,
            "repetition_penalty": 1.2,
            "return_full_text": False,
            "top_p": 0.5,
        },
        "stream": True,
        "options": {
            "id": "b5f5bf47-4b1c-4b0e-a5f5-0f6a4c7d9b11",
            "is_retry": False,
            "use_cache": True,
            "web_search_id": "",
        },
    }


async def test_max_tokens_and_stop_mean_what_they_mean_elsewhere(sandbox, h2o):
    reply = await h2o.complete(HELLO, max_tokens=3, stop="END")
    parameters = json.loads(asked(sandbox, "stream")[0].body)["parameters"]
    assert parameters["max_new_tokens"] == 3
    assert parameters["stop"] == ["END"]
    assert "max_tokens" not in parameters
    assert reply.text == "This is the"


async def test_several_messages_become_role_lines(sandbox, h2o):
    await h2o.complete([{"role": "system", "content": "Be brief."}, *HELLO])
    inputs = json.loads(asked(sandbox, "stream")[0].body)["inputs"]
    assert inputs == "System: Be brief.\nUser: Hello\nAssistant:"


async def test_the_settings_form_and_the_referer_are_as_documented(sandbox, h2o):
    await h2o.complete(HELLO)
    form = asked(sandbox, "settings")[0]
    assert form.body == (
        b"ethicsModalAccepted=true&shareConversationsWithModelAuthors=true&ethicsModalAcceptedAt="
        b"&activeModel=h2oai%2Fh2ogpt-gm-oasst1-en-2048-falcon-40b-v1&searchEnabled=true"
    )
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert {request.headers["referer"] for request in sandbox.requests} == {sandbox.url + "/"}
    assert "/" not in [request.path for request in sandbox.requests]


# --- the stream --------------------------------------------------------------------------


async def test_a_stream_gives_text_and_ends_with_a_whole_reply(h2o):
    async with h2o.stream(RUSSIAN) as stream:
        tokens = [token async for token in stream]
    assert stream.reply.text == "".join(tokens)
    assert "endoftext" not in stream.reply.text
    assert RUSSIAN in stream.reply.text
    assert stream.reply.finish_reason == "stop"
    assert stream.reply.model == FALCON_40B


async def test_an_answer_cut_at_its_limit_says_length(h2o):
    reply = await h2o.complete(HELLO, max_new_tokens=4)
    assert (str(reply), reply.finish_reason) == ("This is the asyncllm", "length")


async def test_keep_alive_comments_are_pings_not_text(sandbox, sessions):
    sandbox.add_fault(PingForever(after=2, times=1))
    h2o = H2o(base_url=sandbox.url, sessions=sessions, timeouts=Timeouts(stall=0.2))
    items = []
    with pytest.raises(asyncllm.StreamTimeout) as caught:
        async for item in h2o.stream(HELLO).events():
            items.append(item)
    assert caught.value.phase == "stall"
    assert [item for item in items if isinstance(item, str)] == ["This", " is"]
    assert asyncllm.Ping in {type(item) for item in items}


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (ErrorInStream(after=2), asyncllm.ProviderError, "This is"),
        (Truncate(after=2), asyncllm.StreamInterrupted, "This is"),
        (Drop(after=2), asyncllm.StreamInterrupted, "This is"),
        (BadJson(after=2), asyncllm.ProtocolError, "This is"),
        (HtmlPage(), asyncllm.ProtocolError, ""),
        (HtmlPage(on="create"), asyncllm.ProtocolError, ""),
        (EmptyBody(), asyncllm.StreamInterrupted, ""),
        (Status(status=500), asyncllm.ServerError, ""),
        (Status(status=429, retry_after=2, times=1), asyncllm.RateLimitError, ""),
        (Status(status=403, on="settings"), asyncllm.AuthenticationError, ""),
        (Status(status=404, on="create"), asyncllm.NotFoundError, ""),
        (Status(status=413), asyncllm.BadRequestError, ""),
    ],
)
async def test_each_fault_raises_its_error_with_what_had_arrived(
    sandbox, sessions, fault, error, text
):
    sandbox.add_fault(fault)
    h2o = H2o(base_url=sandbox.url, sessions=sessions, retry=asyncllm.Retry(attempts=1))
    stream, tokens = h2o.stream(HELLO), []
    with pytest.raises(error) as caught:
        async for token in stream:
            tokens.append(token)
    assert "".join(tokens) == text
    assert caught.value.reply.text == text
    assert caught.value.reply.finish_reason is None
    assert isinstance(caught.value, asyncllm.AsyncLLMError)
    if isinstance(caught.value, asyncllm.HTTPStatusError):
        assert isinstance(caught.value, aiohttp.ClientResponseError)
    with pytest.raises(error):
        await anext(stream)
    await sessions.aclose()
    assert sandbox.conversations == 0


@pytest.mark.parametrize(
    ("last", "more", "error"),
    [
        ({"token": {"text": "</s>", "special": True}, "generated_text": "Hi there"}, "", None),
        ({"token": {"text": "</s>", "special": True}, "generated_text": "Hi there</s>"}, "", None),
        ({"generated_text": "Hi there<|endoftext|>"}, "", None),
        ({"token": {"text": "!"}, "generated_text": "Hi there!"}, "!", None),
        ({"token": {"text": "STOP"}, "generated_text": "Hi there"}, "STOP", None),
        ({"token": {"text": "OP"}, "generated_text": "Hi the"}, "OP", None),
        ({"generated_text": " Hi there, you"}, ", you", None),
        ({"generated_text": "Hi"}, "", asyncllm.ProtocolError),
        ({"generated_text": "Hi, there"}, "", asyncllm.ProtocolError),
        ({"token": {"text": "!"}, "generated_text": "there!"}, "!", asyncllm.ProtocolError),
    ],
)
async def test_the_whole_text_is_compared_with_what_was_streamed(last, more, error):
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
    created = b'{"conversationId":"c"}'
    events = [{"token": {"text": " Hi"}}, {"token": {"text": " there"}}, last]
    body = b"".join(b"data:%s\n\n" % json.dumps(event).encode() for event in events)
    steps = [[ok % (0, b"")], [ok % (22, created)], [CHUNKED, chunk(body), b"0\r\n\r\n"]]
    async with raw_server(*steps, *[[ok % (0, b"")]] * 2) as (url, _):
        stream = H2o(base_url=url).stream("x", stop=["reOP"])
        if error:
            with pytest.raises(error, match="differs from what it streamed") as caught:
                await stream.collect()
            assert caught.value.reply.text == f" Hi there{more}"
        else:
            assert (await stream.collect()).text == f" Hi there{more}"


async def test_a_rate_limit_says_when_to_come_back(sandbox, sessions):
    sandbox.add_fault(Status(status=429, retry_after=7))
    h2o = H2o(base_url=sandbox.url, sessions=sessions, retry=asyncllm.Retry(attempts=1))
    with pytest.raises(asyncllm.RateLimitError) as caught:
        await h2o.complete(HELLO)
    assert caught.value.retry_after == 7
    assert "Try again later" in str(caught.value)


async def test_passing_faults_are_tried_again(sandbox, h2o):
    sandbox.add_fault(Status(status=503, times=2))
    reply = await h2o.complete(HELLO)
    assert reply.finish_reason == "stop"
    assert steps(sandbox).count("stream") == 3


@pytest.mark.parametrize("times", [2, None])
async def test_attempts_that_meet_a_rate_limit_share_one_conversation(
    sandbox, sessions, h2o, times
):
    sandbox.add_fault(Status(status=429, times=times))
    with contextlib.suppress(asyncllm.RateLimitError):
        await h2o.complete(HELLO)
    await sessions.aclose()
    assert steps(sandbox) == ["settings", "create", "stream", "stream", "stream", "delete"]
    assert sandbox.conversations == 0


async def test_a_conversation_that_was_lost_while_a_rate_limit_lasted_is_replaced(sandbox, h2o):
    sandbox.add_fault(Status(status=429, times=1))
    sandbox.add_fault(Status(status=404, times=1))
    assert (await h2o.complete(HELLO)).finish_reason == "stop"
    assert steps(sandbox).count("create") == 2


async def test_a_stream_that_is_left_between_two_attempts_leaves_no_conversation(
    sandbox, sessions, caplog
):
    caplog.set_level("INFO")
    sandbox.add_fault(Status(status=429, retry_after=600))
    retry = asyncllm.Retry(max_wait=600)
    h2o = H2o(base_url=sandbox.url, sessions=sessions, retry=retry)
    task = asyncio.create_task(h2o.complete(HELLO))
    async with asyncio.timeout(30):
        while "attempt 1 of 3 failed" not in caplog.text:
            await asyncio.sleep(0.001)
        assert sandbox.conversations == 1
        task.cancel()
        while sandbox.conversations:
            await asyncio.sleep(0.001)


async def test_what_was_seen_is_never_repeated(sandbox, h2o):
    sandbox.add_fault(Drop(after=3, times=1))
    with pytest.raises(asyncllm.StreamInterrupted):
        await h2o.complete(HELLO)
    assert steps(sandbox).count("stream") == 1


# --- sessions ----------------------------------------------------------------------------


async def test_settings_are_accepted_once_for_many_streams(sandbox, h2o):
    for _ in range(3):
        await h2o.complete(HELLO)
    assert steps(sandbox).count("settings") == 1


@pytest.mark.parametrize("before", ["create", "stream"])
async def test_a_lost_session_is_renewed_unnoticed(sandbox, h2o, before):
    await h2o.complete(HELLO)
    sandbox.add_fault(LoseSessions(before=before))
    reply = await h2o.complete(HELLO)
    assert reply.finish_reason == "stop"
    assert steps(sandbox).count("settings") == 2


async def test_a_session_lost_again_and_again_is_an_error(sandbox, h2o):
    sandbox.add_fault(LoseSessions(before="stream", times=None))
    with pytest.raises(asyncllm.HTTPStatusError, match="welcome modal") as caught:
        await h2o.complete(HELLO)
    assert caught.value.status == 405
    assert steps(sandbox).count("stream") == 2


async def test_a_restarted_server_is_met_with_new_settings_and_fresh_spares():
    async with Sandbox() as sandbox, SessionManager(spare_conversations=2) as sessions:
        h2o = H2o(base_url=sandbox.url, sessions=sessions)
        await h2o.complete(HELLO)
        sandbox.lose_sessions()
        assert (await h2o.complete(HELLO)).finish_reason == "stop"
    assert sandbox.conversations == 0


# --- places ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_plain_http_on_loopback_works_although_the_cookie_is_secure(host):
    async with Sandbox(host=host) as sandbox:
        assert await H2o.create_async("", HELLO, base_url=sandbox.url)
        cookies = [request.headers.get("cookie", "") for request in sandbox.requests]
        assert cookies[0] == ""
        assert all(cookie.startswith("hf-chat=") for cookie in cookies[1:])


async def test_https_with_an_authority_of_ones_own():
    authority = trustme.CA()
    served, trusted = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
    )
    authority.issue_cert("localhost").configure_cert(served)
    authority.configure_trust(trusted)
    async with Sandbox(host="localhost", ssl=served) as sandbox:
        async with SessionManager(ssl=trusted) as sessions:
            reply = await H2o(base_url=sandbox.url, sessions=sessions).complete(HELLO)
            assert reply.finish_reason == "stop"
        async with SessionManager(retry=asyncllm.Retry(attempts=1)) as sessions:
            with pytest.raises(asyncllm.TransportError, match="certificate"):
                await H2o(base_url=sandbox.url, sessions=sessions).complete(HELLO)


async def test_base_url_comes_from_the_environment(sandbox, monkeypatch):
    monkeypatch.setenv("ASYNCLLM_H2O_BASE_URL", sandbox.url + "/")
    assert H2o().base_url == sandbox.url
    assert H2o(base_url="http://other.example").base_url == "http://other.example"


def as_https(url):
    return f"https{url.removeprefix('http')}/"


async def test_a_chat_ui_that_takes_itself_to_be_served_over_https_is_told_what_it_believes(
    sandbox, h2o
):
    sandbox.add_fault(NoOrigin())
    assert (await h2o.complete(HELLO)).finish_reason == "stop"
    referers = [request.headers["referer"] for request in asked(sandbox, "settings")]
    assert referers == [f"{sandbox.url}/", as_https(sandbox.url)]


@pytest.mark.parametrize("name", ["Referer", "referer"])
async def test_the_caller_s_referer_is_the_one_that_is_sent(sandbox, sessions, name):
    sandbox.add_fault(NoOrigin())
    headers = {name: as_https(sandbox.url)}
    h2o = H2o(base_url=sandbox.url, sessions=sessions, headers=headers)
    assert (await h2o.complete(HELLO)).finish_reason == "stop"
    assert {r.headers["referer"] for r in sandbox.requests} == {as_https(sandbox.url)}
    assert len(asked(sandbox, "settings")) == 1


@pytest.mark.parametrize(
    "cookies", [["my-chat=7"] * 4, [f"hf-chat=7\r\nSet-Cookie: lb={n}" for n in range(4)]]
)
async def test_a_session_is_told_from_others_by_its_cookie_whatever_that_is_called(cookies, caplog):
    """Of two creations whose answers are lost in it, one request deletes what there may be."""
    answers = [
        f"HTTP/1.1 {status} -\r\nSet-Cookie: {cookie}\r\nContent-Length: 0\r\n\r\n".encode()
        for status, cookie in zip((200, 502, 502, 200), cookies, strict=True)
    ]
    async with raw_server(*([answer] for answer in answers)) as (url, _):
        async with SessionManager(retry=asyncllm.Retry(attempts=1)) as sessions:
            for _ in range(2):
                with pytest.raises(asyncllm.ServerError):
                    await H2o(base_url=url, sessions=sessions).complete(HELLO)
        assert caplog.text.count("it is deleted when the session manager closes") == 2
        assert "not deleted" not in caplog.text


@pytest.mark.parametrize("is_mended", [False, True])
async def test_all_of_a_session_is_deleted_under_the_referer_that_was_accepted_last(
    sandbox, sessions, caplog, is_mended
):
    sandbox.add_fault(NoOrigin())
    await H2o(base_url=sandbox.url, sessions=sessions).complete(HELLO)
    headers = {"Referer": as_https(sandbox.url)}
    await H2o(base_url=sandbox.url, sessions=sessions, headers=headers).complete(HELLO)
    if is_mended:
        sandbox.clear_faults()
        sandbox.lose_sessions()
    sandbox.add_fault(Status(status=502, on="create", times=1))
    with pytest.raises(asyncllm.ServerError):
        retry = asyncllm.Retry(attempts=1)
        await H2o(base_url=sandbox.url, sessions=sessions, retry=retry).complete(HELLO)
    await sessions.aclose()
    delete_all = sandbox.requests[-1]
    assert (delete_all.method, delete_all.path) == ("POST", "/conversations")
    expected = f"{sandbox.url}/" if is_mended else as_https(sandbox.url)
    assert delete_all.headers["referer"] == expected
    assert "not deleted" not in caplog.text


@pytest.mark.parametrize(
    ("status", "text", "headers", "error", "message"),
    [
        (403, "Invalid referer for POST request", {}, asyncllm.BadRequestError, "set ORIGIN on"),
        (
            *(403, "Invalid referer for POST request", {"referer": "https://elsewhere.example/"}),
            *(asyncllm.BadRequestError, "set ORIGIN on the server .* or pass headers"),
        ),
        (
            *(403, "Non-JSON form requests need to have an origin", {}),
            *(
                asyncllm.ProtocolError,
                "looks like a newer chat-ui, so use asyncllm.ChatUI",
            ),
        ),
        (
            *(400, '{"message":"An error occurred","errorId":"1"}', {}),
            *(asyncllm.ProtocolError, "looks like a newer chat-ui"),
        ),
        (403, "Forbidden", {}, asyncllm.AuthenticationError, "Forbidden"),
    ],
)
async def test_a_refusal_of_the_settings_says_what_to_change(
    sandbox, sessions, status, text, headers, error, message
):
    sandbox.add_fault(PlainError(status=status, text=text, on="settings"))
    h2o = H2o(base_url=sandbox.url, sessions=sessions, headers=headers)
    with pytest.raises(error, match=message):
        await h2o.complete(HELLO)
    assert len(sandbox.requests) == (2 if "set ORIGIN" in message and not headers else 1)


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, asyncllm.ServerError), (503, asyncllm.ServerError), (429, asyncllm.RateLimitError)],
)
@pytest.mark.parametrize("times", [2, None])
async def test_a_passing_refusal_of_the_settings_is_tried_again_though_it_has_an_error_id(
    sandbox, h2o, times, status, error
):
    text = '{"message":"An error occurred","errorId":"1"}'
    sandbox.add_fault(PlainError(status=status, text=text, on="settings", times=times))
    if times:
        assert (await h2o.complete(HELLO)).finish_reason == "stop"
    else:
        with pytest.raises(error, match="looks like a newer chat-ui.*: An error occurred"):
            await h2o.complete(HELLO)
    assert len(asked(sandbox, "settings")) == 3


@pytest.mark.parametrize(
    "hostile",
    [
        "../../../admin/users/1?x=",
        "..%2f..%2fadmin",
        "%2e%2e",
        "a/b?c#d",
        "http://elsewhere.example/",
        "//elsewhere.example",
        "…ключ 1",
        "a\\b",
        ";x=1",
        "x" * 200,
    ],
)
async def test_a_conversation_s_id_stays_one_segment_of_the_path(sandbox, sessions, h2o, hostile):
    sandbox.add_fault(NewId(id=hostile, times=1))
    sandbox.add_fault(Drop(after=3, times=1))
    with pytest.raises(asyncllm.StreamInterrupted):
        await h2o.complete(HELLO)
    await sessions.aclose()
    assert steps(sandbox) == ["settings", "create", "stream", "stop", "delete"]
    place = f"/conversation/{hostile}"
    assert [r.path for r in sandbox.requests][2:] == [place, f"{place}/stop-generating", place]
    assert not any(request.query for request in sandbox.requests)
    assert sandbox.conversations == 0


@pytest.mark.parametrize(
    "hostile",
    ["", ".", "..", "x" * 201, "a\nWARNING forged", "a\r", "\0", "\x1b[2J", "\u202e", "\u2028"],
)
async def test_an_id_that_can_not_be_used_is_an_error_in_one_line(
    sandbox, sessions, h2o, caplog, hostile
):
    caplog.set_level("DEBUG")
    sandbox.add_fault(NewId(id=hostile))
    with pytest.raises(asyncllm.ProtocolError, match="id that can't be used") as caught:
        await h2o.complete(HELLO)
    await sessions.aclose()
    assert steps(sandbox) == ["settings", "create"]
    assert all(text.isprintable() for text in [str(caught.value), *caplog.messages])


# --- bad input ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"messages": []}, "messages is empty"),
        ({"messages": ""}, "empty content"),
        ({"messages": [{"content": "x"}]}, "no role"),
        ({"messages": [{"role": "user"}]}, "no content"),
        ({"messages": HELLO, "model": "falcon-40"}, "did you mean 'falcon-40b'"),
        ({"messages": HELLO, "proxy": "ftp://x"}, "http, https, socks5"),
        ({"messages": HELLO, "grammar": object()}, "JSON"),
        (
            {"messages": HELLO, "tools": [{}]},
            "H2o's server does not support tools: leave out tools",
        ),
        ({"messages": HELLO, "tool_choice": "auto"}, "support tools: leave out tool_choice"),
        ({"messages": HELLO, "response_format": {"type": "json"}}, "leave out response_format"),
        ({"messages": HELLO, "logprobs": True}, "support log probabilities: leave out logprobs"),
        ({"messages": HELLO, "extra": {"top_logprobs": 2}}, "leave out top_logprobs"),
        ({"messages": HELLO, "n": 2}, "a stream has one answer"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "text only"),
    ],
)
async def test_bad_input_is_refused_before_any_request(sandbox, h2o, arguments, message):
    with pytest.raises(asyncllm.ConfigurationError, match=message):
        h2o.stream(**arguments)
    assert not sandbox.requests


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "localhost:3000"},
        {"base_url": "ftp://host"},
        {"base_url": "http://"},
        {"proxy": "nonsense"},
        {"headers": {"X": "a\nb"}},
        {"model": "falcon"},
    ],
)
def test_bad_options_are_refused_by_the_constructor(options):
    with pytest.raises(asyncllm.ConfigurationError):
        H2o(**options)
