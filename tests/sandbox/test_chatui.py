"""chat-ui's wire as the sandbox serves it, seen by a bare HTTP client."""

import asyncio
import json
import re
import uuid
from contextlib import asynccontextmanager

import aiohttp
import pytest

from asyncllm.sandbox import (
    BadJson,
    BigEvent,
    Drop,
    EmptyBody,
    ErrorInStream,
    Framing,
    HtmlPage,
    Late,
    LoseSessions,
    NoOrigin,
    PingForever,
    PlainError,
    Sandbox,
    SlowAnswer,
    SlowCreate,
    Stall,
    Status,
    Truncate,
)
from asyncllm.sandbox.generation import answer_to
from asyncllm.sandbox.wires.chatui import MODELS
from support.waiting import until

MODEL = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1"
FORM = {
    "ethicsModalAccepted": "true",
    "shareConversationsWithModelAuthors": "true",
    "ethicsModalAcceptedAt": "",
    "activeModel": MODEL,
    "searchEnabled": "true",
}
UNKNOWN = "0123456789abcdef01234567"


def body(prompt="Hi", **parameters):
    return {
        "inputs": prompt,
        "parameters": {"temperature": 0.4, "return_full_text": False, **parameters},
        "stream": True,
        "options": {
            "id": str(uuid.uuid4()),
            "response_id": str(uuid.uuid4()),
            "is_retry": False,
            "use_cache": False,
            "web_search_id": "",
        },
    }


def events(data):
    assert data.endswith(b"\n\n")
    assert all(event.startswith(b"data:{") for event in data.split(b"\n\n")[:-1])
    return [json.loads(event[5:]) for event in data.split(b"\n\n")[:-1]]


def texts(events):
    return [event["token"]["text"] for event in events if not event["token"]["special"]]


class Visitor:
    """One browser: a session cookie and the requests that it makes."""

    def __init__(self, sandbox, http, cookie=None):
        self.sandbox = sandbox
        self.http = http
        self.headers = {"Cookie": f"hf-chat={cookie or uuid.uuid4()}"}

    def request(self, method, path, *, headers=None, **kwargs):
        return self.http.request(
            method, path, headers={**self.headers, **(headers or {})}, **kwargs
        )

    async def ask(self, method, path, **kwargs):
        async with self.request(method, path, **kwargs) as response:
            await response.read()
            return response

    def settings(self, **form):
        return self.ask(
            "POST",
            "/settings",
            data={**FORM, **form},
            headers={"Referer": f"{self.sandbox.url}/"},
        )

    def create(self, model=MODEL):
        return self.ask("POST", "/conversation", json={"model": model})

    async def conversation(self):
        assert (await self.settings()).status == 200
        return f"/conversation/{(await (await self.create()).json())['conversationId']}"

    def stream(self, conversation, prompt="Hi", **parameters):
        return self.request("POST", conversation, json=body(prompt, **parameters))

    async def events(self, conversation, prompt="Hi", **parameters):
        async with self.stream(conversation, prompt, **parameters) as response:
            assert response.status == 200
            return events(await response.read())


@asynccontextmanager
async def visit(**options):
    async with (
        Sandbox(**options) as sandbox,
        aiohttp.ClientSession(sandbox.url, cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        yield Visitor(sandbox, http)


async def received(response):
    """What came before the stream ended, and the error that ended it, if one did."""
    data = b""
    try:
        async for chunk in response.content.iter_any():
            data += chunk
    except aiohttp.ClientError as error:
        return data, error
    return data, None


# --- session, settings, conversations ----------------------------------------------------


async def test_landing_is_a_page_that_sets_the_cookie():
    async with visit() as visitor, visitor.http.get("/") as response:
        assert response.content_type == "text/html"
        assert 17_000 < len(await response.read()) < 19_000
        cookie = response.headers["Set-Cookie"]
        session = cookie.removeprefix("hf-chat=").split(";")[0]
        assert uuid.UUID(session).version == 4
        assert cookie == f"hf-chat={session}; Path=/; HttpOnly; Secure; SameSite=None"


async def test_the_page_names_the_models_as_sveltekit_writes_data():
    odd = 'mine/"</script>'
    async with visit(models=["mine/one", odd]) as visitor, visitor.http.get("/") as response:
        page = await response.text()
    [data] = re.findall(r"^\s*const data = (.*);$", page, re.MULTILINE)
    [models] = re.findall(r",models:(.*),oldModels:", data)
    named = [json.loads(name) for name in re.findall(r'\{id:("(?:[^"\\]|\\.)*"),name:\1,', models)]
    assert named == [*MODELS, "mine/one", odd]
    assert page.count("</script>") == 1


async def test_a_session_that_the_client_names_is_kept():
    async with visit() as visitor:
        visitor.headers = {"Cookie": "hf-chat=anything"}
        response = await visitor.settings()
        assert response.headers["Set-Cookie"].startswith("hf-chat=anything;")
        assert (await visitor.create()).status == 200


async def test_settings_answer_json_to_a_program():
    async with visit() as visitor:
        response = await visitor.settings()
        assert response.status == 200
        location = f"{visitor.sandbox.url}/"
        assert await response.json() == {"type": "redirect", "status": 303, "location": location}


async def test_settings_redirect_a_browser():
    async with visit() as visitor:
        referer = f"{visitor.sandbox.url}/"
        response = await visitor.ask(
            "POST",
            "/settings",
            data=FORM,
            headers={"Referer": referer, "Accept": "text/html"},
            allow_redirects=False,
        )
        assert response.status == 303
        assert response.headers["Location"] == referer


@pytest.mark.parametrize("referer", [None, "https://elsewhere.example/", "nonsense", "http://["])
async def test_settings_without_a_referer_of_this_origin_are_403_without_a_cookie(referer):
    async with visit() as visitor:
        headers = {"Referer": referer} if referer is not None else {}
        response = await visitor.ask("POST", "/settings", data=FORM, headers=headers)
        assert response.status == 403
        assert response.content_type == "text/plain"
        assert "Set-Cookie" not in response.headers
        assert (await visitor.create()).status == 405


async def test_settings_with_an_unknown_model_are_500_and_not_accepted():
    async with visit() as visitor:
        assert (await visitor.settings(activeModel="gpt-4")).status == 500
        assert (await visitor.create()).status == 405


async def test_settings_that_are_not_a_form_are_500():
    async with visit() as visitor:
        assert (await visitor.ask("POST", "/settings", json=FORM)).status == 500


async def test_settings_may_be_a_multipart_form():
    async with visit() as visitor:
        form = aiohttp.FormData(FORM, default_to_multipart=True)
        response = await visitor.ask(
            "POST", "/settings", data=form, headers={"Referer": visitor.sandbox.url}
        )
        assert response.status == 200
        assert (await visitor.create()).status == 200


async def test_settings_without_the_accepted_modal_open_nothing():
    async with visit() as visitor:
        assert (await visitor.settings(ethicsModalAccepted="")).status == 200
        assert (await visitor.create()).status == 405


async def test_a_conversation_needs_settings_in_the_same_session():
    async with visit() as visitor:
        response = await visitor.create()
        assert response.status == 405
        assert await response.json() == {"error": "You need to accept the welcome modal first"}
        assert "Set-Cookie" not in response.headers
        assert visitor.sandbox.conversations == 0


async def test_create_answers_the_id():
    async with visit() as visitor:
        await visitor.settings()
        response = await visitor.create()
        assert response.status == 200
        assert "hf-chat" in response.headers["Set-Cookie"]
        assert set(await response.json()) == {"conversationId"}
        assert visitor.sandbox.conversations == 1


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"model": "gpt-4"}', b'{"model": [1]}', b"{}"]
)
async def test_create_with_a_bad_body_is_500(data):
    async with visit() as visitor:
        await visitor.settings()
        response = await visitor.ask(
            "POST", "/conversation", data=data, headers={"Content-Type": "application/json"}
        )
        assert response.status == 500
        assert await response.json() == {"message": "Internal Error"}
        assert visitor.sandbox.conversations == 0


async def test_models_of_your_own_are_known():
    async with visit(models=["my/model"]) as visitor:
        assert (await visitor.settings(activeModel="my/model")).status == 200
        assert (await visitor.create("my/model")).status == 200


async def test_delete_works_once():
    async with visit() as visitor:
        conversation = await visitor.conversation()
        response = await visitor.ask("DELETE", conversation)
        assert response.status == 200
        assert response.content_length == 0
        assert visitor.sandbox.conversations == 0
        response = await visitor.ask("DELETE", conversation)
        assert response.status == 404
        assert "message" in await response.json()


async def test_a_form_deletes_all_conversations_of_its_own_session():
    async with visit() as visitor:
        await visitor.conversation()
        await visitor.conversation()
        other = Visitor(visitor.sandbox, visitor.http)
        await other.conversation()
        headers = {"Referer": f"{visitor.sandbox.url}/"}
        path = "/conversations?/delete"
        refused = await visitor.ask("POST", path, data={})
        assert refused.status == 403
        assert (await visitor.ask("POST", path, json={}, headers=headers)).status == 500
        unknown = await visitor.ask("POST", "/conversations?/no", data={}, headers=headers)
        assert unknown.status == 500
        assert visitor.sandbox.conversations == 3
        response = await visitor.ask("POST", path, data={}, headers=headers)
        assert await response.json() == {"type": "redirect", "status": 303, "location": "/"}
        assert visitor.sandbox.conversations == 1


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("DELETE", ""), ("POST", "/stop-generating")]
)
async def test_a_conversation_belongs_to_its_session(method, path):
    async with visit() as visitor:
        conversation = await visitor.conversation()
        other = Visitor(visitor.sandbox, visitor.http)
        await other.settings()
        assert (await other.ask(method, conversation + path, json=body())).status == 404
        assert (await other.ask(method, f"/conversation/x{path}", json=body())).status == 500
        assert visitor.sandbox.conversations == 1


async def test_lost_sessions_need_new_settings():
    async with visit() as visitor:
        conversation = await visitor.conversation()
        visitor.sandbox.lose_sessions()
        assert visitor.sandbox.conversations == 0
        assert (await visitor.ask("DELETE", conversation)).status == 404
        assert (await visitor.stream(conversation)).status == 405


# --- the stream --------------------------------------------------------------------------


async def test_stream_is_the_answer_token_by_token_and_then_whole():
    async with visit() as visitor:
        conversation = await visitor.conversation()
        async with visitor.stream(conversation, "Привет 👨‍👩‍👧‍👦") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert "hf-chat" in response.headers["Set-Cookie"]
            data = await response.read()
        answer = answer_to("Привет 👨‍👩‍👧‍👦")
        *tokens, last = events(data)
        assert texts(tokens) == answer.tokens
        assert last["token"]["text"] == "<|endoftext|>"
        assert last["token"]["special"] is True
        assert last["generated_text"] == answer.text
        assert "👨‍👩‍👧‍👦".encode() in data


async def test_an_event_has_tgis_form_to_the_byte():
    async with visit(tokens=1) as visitor:
        async with visitor.stream(await visitor.conversation()) as response:
            first = (await response.read()).split(b"\n\n")[0]
        token = json.loads(first[5:])["token"]
        expected = (
            f'data:{{"token":{{"id":{token["id"]},"text":"This","logprob":{token["logprob"]},'
            '"special":false},"generated_text":null,"details":null}'
        )
        assert first == expected.encode()


async def test_max_new_tokens_cuts_and_the_last_token_has_the_text():
    async with visit() as visitor:
        got = await visitor.events(await visitor.conversation(), max_new_tokens=3)
        assert len(got) == 3
        assert texts(got) == answer_to("Hi").tokens[:3]
        assert got[-1]["token"]["special"] is False
        assert got[-1]["generated_text"] == "".join(texts(got))
        assert got[-2]["generated_text"] is None


async def test_a_long_answer_comes_in_many_reads():
    async with visit(tokens=20_000) as visitor:
        async with visitor.stream(await visitor.conversation()) as response:
            chunks = [chunk async for chunk in response.content.iter_any()]
        assert len(chunks) > 3
        assert len(events(b"".join(chunks))) == 20_001


async def test_headers_wait_for_the_first_token():
    async with visit(faults=[Stall(after=0)]) as visitor:
        conversation = await visitor.conversation()
        asking = asyncio.ensure_future(visitor.ask("POST", conversation, json=body()))
        await until(lambda: visitor.sandbox.generating == 1)
        done, _ = await asyncio.wait({asking}, timeout=0.05)
        assert not done
        assert (await visitor.ask("POST", f"{conversation}/stop-generating")).status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await asking


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": " \n"},
        {"inputs": None},
        {"options": None},
        {"options": {"id": "not-a-uuid"}},
        {"options": {"response_id": "{}"}},
    ],
)
async def test_a_bad_question_is_500(change):
    async with visit() as visitor:
        conversation = await visitor.conversation()
        response = await visitor.ask("POST", conversation, json={**body(), **change})
        assert response.status == 500
        response = await visitor.ask("POST", conversation, data=b"{")
        assert response.status == 500


async def test_a_body_over_512_kib_is_413():
    async with visit() as visitor:
        conversation = await visitor.conversation()
        room = 512 * 1024 - len(json.dumps(body("")).encode())
        assert (await visitor.ask("POST", conversation, json=body("x" * room))).status == 200
        assert (await visitor.ask("POST", conversation, json=body("x" * (room + 1)))).status == 413


async def test_unknown_conversation_is_404():
    async with visit() as visitor:
        await visitor.settings()
        assert (await visitor.stream(f"/conversation/{UNKNOWN}")).status == 404


async def test_generation_goes_on_when_the_reader_leaves_and_is_stored():
    async with visit(token_rate=200, tokens=20) as visitor:
        conversation = await visitor.conversation()
        async with visitor.stream(conversation) as response:
            await response.content.readany()
            response.close()
        assert visitor.sandbox.generating == 1
        await until(lambda: visitor.sandbox.generating == 0)
        stored = visitor.sandbox.answers(conversation.split("/")[-1])
        assert stored == (answer_to("Hi", tokens=20).text,)


async def test_stop_generating_ends_it_after_the_reader_has_left():
    async with visit(faults=[Stall(after=2)]) as visitor:
        conversation = await visitor.conversation()
        async with visitor.stream(conversation) as response:
            await response.content.readany()
            response.close()
        assert visitor.sandbox.generating == 1
        assert (await visitor.ask("POST", f"{conversation}/stop-generating")).status == 200
        await until(lambda: visitor.sandbox.generating == 0)
        assert visitor.sandbox.answers(conversation.split("/")[-1]) == ("This is",)


async def test_stop_generating_drops_an_attached_reader():
    async with visit(token_rate=100, tokens=1000) as visitor:
        conversation = await visitor.conversation()
        async with visitor.stream(conversation) as response:
            await response.content.readany()
            await visitor.ask("POST", f"{conversation}/stop-generating")
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()


async def test_delete_lets_a_running_stream_end():
    async with visit(token_rate=200, tokens=20) as visitor:
        conversation = await visitor.conversation()
        async with visitor.stream(conversation) as response:
            first = await response.content.readany()
            assert (await visitor.ask("DELETE", conversation)).status == 200
            got = events(first + await response.read())
        assert got[-1]["generated_text"] == answer_to("Hi", tokens=20).text


async def test_token_rate_paces_the_tokens():
    async with visit(token_rate=100, tokens=10) as visitor:
        conversation = await visitor.conversation()
        begin = asyncio.get_running_loop().time()
        await visitor.events(conversation)
        assert 0.09 < asyncio.get_running_loop().time() - begin < 20


async def test_rtt_delays_every_step():
    async with visit(rtt=0.02, tokens=1) as visitor:
        begin = asyncio.get_running_loop().time()
        await visitor.events(await visitor.conversation())
        assert asyncio.get_running_loop().time() - begin > 0.055


# --- faults ------------------------------------------------------------------------------


async def test_status_refuses_as_often_as_declared_and_passes_retry_after():
    async with visit(faults=[Status(times=2, retry_after=1.5, retry_after_ms=1500)]) as visitor:
        conversation = await visitor.conversation()
        for _ in range(2):
            response = await visitor.ask("POST", conversation, json=body())
            assert response.status == 429
            assert response.headers["Retry-After"] == "1.5"
            assert response.headers["retry-after-ms"] == "1500"
            assert await response.json() == {
                "message": "You are sending too many messages. Try again later."
            }
        assert await visitor.events(conversation)


async def test_retry_after_is_absent_unless_given_and_may_be_a_date():
    date = "Fri, 31 Dec 1999 23:59:59 GMT"
    faults = [Status(times=1), Status(status=503, retry_after=date)]
    async with visit(faults=faults) as visitor:
        conversation = await visitor.conversation()
        assert "Retry-After" not in (await visitor.stream(conversation)).headers
        response = await visitor.ask("POST", conversation, json=body())
        assert response.status == 503
        assert response.headers["Retry-After"] == date


async def test_status_can_befall_any_step():
    async with visit(faults=[Status(status=529, on="any", message="no")]) as visitor:
        for method, path in [("GET", "/"), ("DELETE", f"/conversation/{UNKNOWN}")]:
            response = await visitor.ask(method, path)
            assert response.status == 529
            assert await response.json() == {"message": "no"}
        assert (await visitor.settings()).status == 529


async def test_status_on_create_creates_nothing():
    async with visit(faults=[Status(status=500, on="create", times=1)]) as visitor:
        await visitor.settings()
        assert (await visitor.create()).status == 500
        assert visitor.sandbox.conversations == 0
        assert (await visitor.create()).status == 200


async def test_a_body_that_is_not_a_stream():
    faults = [HtmlPage(times=1), EmptyBody(times=1), PlainError(502, "bad gateway", times=1)]
    async with visit(faults=faults) as visitor:
        conversation = await visitor.conversation()
        page = await visitor.ask("POST", conversation, json=body())
        assert (page.status, page.content_type) == (200, "text/html")
        empty = await visitor.ask("POST", conversation, json=body())
        assert (empty.status, empty.content_type) == (200, "text/event-stream")
        assert empty.headers["Transfer-Encoding"] == "chunked"
        assert empty.content.total_bytes == 0
        plain = await visitor.ask("POST", conversation, json=body())
        assert (plain.status, await plain.text()) == (502, "bad gateway")


@pytest.mark.parametrize("reset", [False, True])
async def test_drop_cuts_the_connection_after_the_tokens(reset):
    async with visit(faults=[Drop(after=3, reset=reset, times=1)]) as visitor:
        conversation = await visitor.conversation()
        async with visitor.stream(conversation) as response:
            data, error = await received(response)
        assert isinstance(error, aiohttp.ClientPayloadError)
        assert ("reset by peer" in str(error)) is reset
        assert texts(events(data)) == answer_to("Hi").tokens[:3]
        assert len(await visitor.events(conversation)) > 3


async def test_drop_before_the_first_token_sends_no_headers():
    async with visit(faults=[Drop(after=0)]) as visitor:
        conversation = await visitor.conversation()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await visitor.stream(conversation)


async def test_stall_goes_silent_after_the_tokens():
    async with visit(faults=[Stall(after=2)]) as visitor:
        conversation = await visitor.conversation()
        async with visitor.stream(conversation) as response:
            assert texts(events(await response.content.readany())) == ["This", " is"]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(response.content.readany(), 0.05)
            assert visitor.sandbox.generating == 1


async def test_ping_forever_sends_comments_and_no_tokens():
    async with visit(faults=[PingForever(after=1, every=0.001)]) as visitor:
        async with visitor.stream(await visitor.conversation()) as response:
            data = b""
            while data.count(b": ping\n\n") < 5:
                data += await response.content.readany()
        assert data.count(b"data:") == 1


async def test_truncate_ends_cleanly_without_the_whole_text():
    async with visit(faults=[Truncate(after=2)]) as visitor:
        conversation = await visitor.conversation()
        got = await visitor.events(conversation)
        assert texts(got) == ["This", " is"]
        assert all(event["generated_text"] is None for event in got)
        assert visitor.sandbox.answers(conversation.split("/")[-1]) == ()


async def test_error_in_stream_has_tgis_form():
    async with visit(faults=[ErrorInStream(after=1, message="CUDA out of memory")]) as visitor:
        got = await visitor.events(await visitor.conversation())
        assert got[1:] == [{"error": "CUDA out of memory", "error_type": "generation"}]


async def test_bad_json_is_one_event_in_a_whole_stream():
    async with visit(faults=[BadJson(after=2)]) as visitor:
        async with visitor.stream(await visitor.conversation()) as response:
            parts = (await response.read()).split(b"\n\n")[:-1]
        with pytest.raises(json.JSONDecodeError):
            json.loads(parts.pop(2)[5:])
        assert json.loads(parts[-1][5:])["generated_text"] == answer_to("Hi").text


@pytest.mark.parametrize("fault", [Truncate, Drop, ErrorInStream])
async def test_a_break_beyond_the_answer_comes_before_its_end(fault):
    async with visit(tokens=3, faults=[fault(after=100)]) as visitor:
        async with visitor.stream(await visitor.conversation()) as response:
            data, error = await received(response)
        assert (error is not None) is (fault is Drop)
        assert data.count(b'"special":false') == 3
        assert b"endoftext" not in data


async def test_big_event_is_the_first_token():
    async with visit(faults=[BigEvent(size=3_000_000)]) as visitor:
        got = await visitor.events(await visitor.conversation())
        assert len(got[0]["token"]["text"]) == 3_000_000
        assert len(got[-1]["generated_text"]) > 3_000_000


async def test_slow_create_has_created_before_it_answers():
    async with visit(faults=[SlowCreate(60)]) as visitor:
        await visitor.settings()
        creating = asyncio.ensure_future(visitor.create())
        await until(lambda: visitor.sandbox.conversations == 1)
        creating.cancel()
        await asyncio.wait({creating})
        assert visitor.sandbox.conversations == 1


async def test_slow_answer_holds_back_the_first_token():
    async with visit(faults=[SlowAnswer(0.05, times=1)]) as visitor:
        conversation = await visitor.conversation()
        begin = asyncio.get_running_loop().time()
        async with visitor.stream(conversation):
            assert asyncio.get_running_loop().time() - begin > 0.045


async def test_slow_answer_can_befall_another_step():
    async with visit(faults=[SlowAnswer(60, on="delete")]) as visitor:
        conversation = await visitor.conversation()
        deleting = asyncio.ensure_future(visitor.ask("DELETE", conversation))
        await until(lambda: visitor.sandbox.conversations == 0)
        assert not deleting.done()
        deleting.cancel()
        await asyncio.wait({deleting})


async def test_a_late_question_takes_effect_although_its_client_has_left(monkeypatch):
    late, arrival, sleep = 12.5, asyncio.Event(), asyncio.sleep

    async def sleep_until_it_may_arrive(seconds):
        await (arrival.wait() if seconds == late else sleep(seconds))

    monkeypatch.setattr(asyncio, "sleep", sleep_until_it_may_arrive)
    async with visit(faults=[Late(late), Stall()]) as visitor:
        conversation = await visitor.conversation()
        asking = asyncio.ensure_future(visitor.ask("POST", conversation, json=body("Hi")))
        await until(lambda: len(visitor.sandbox.requests) == 3)
        asking.cancel()
        await asyncio.wait({asking})
        assert (await visitor.ask("POST", f"{conversation}/stop-generating")).status == 200
        assert visitor.sandbox.generating == 0
        arrival.set()
        await until(lambda: visitor.sandbox.generating == 1)
        assert (await visitor.ask("POST", f"{conversation}/stop-generating")).status == 200
        await until(lambda: visitor.sandbox.generating == 0)


async def test_without_an_origin_only_a_referer_over_https_is_its_own():
    async with visit(faults=[NoOrigin()]) as visitor:
        assert (await visitor.settings()).status == 403
        headers = {"Referer": visitor.sandbox.url.replace("http:", "https:")}
        accepted = await visitor.ask("POST", "/settings", data=FORM, headers=headers)
        assert accepted.status == 200
        assert (await visitor.create()).status == 200
        delete_all = "/conversations?/delete"
        own = {"Referer": f"{visitor.sandbox.url}/"}
        assert (await visitor.ask("POST", delete_all, data={}, headers=own)).status == 403
        assert (await visitor.ask("POST", delete_all, data={}, headers=headers)).status == 200
        assert visitor.sandbox.conversations == 0


@pytest.mark.parametrize("before", ["stream", "create"])
async def test_lose_sessions_befalls_the_declared_step_once(before):
    async with visit(faults=[LoseSessions(before=before)]) as visitor:
        await visitor.settings()
        if before == "stream":
            created = await (await visitor.create()).json()
            path = f"/conversation/{created['conversationId']}"
            assert (await visitor.stream(path)).status == 405
        else:
            assert (await visitor.create()).status == 405
        assert await visitor.events(await visitor.conversation())


@pytest.mark.parametrize(
    ("kind", "begins", "ends"),
    [
        ("crlf", b"data:{", b"}\r\n\r\n"),
        ("cr", b"data:{", b"}\r\r"),
        ("no_space", b"data:{", b"}\n\n"),
        ("multi_line", b'data:{\ndata:"token"', b"null\ndata:}\n\n"),
        ("id_retry", b"id: 1\nretry: 3000\ndata:{", b"}\n\n"),
        ("comments", b": keep-alive\n\ndata:{", b"}\n\n"),
        ("bom", b"\xef\xbb\xbfdata:{", b"}\n\n"),
        ("one_byte", b"data:{", b"}\n\n"),
    ],
)
async def test_framing_changes_the_bytes_and_not_the_content(kind, begins, ends):
    async with visit(tokens=4, faults=[Framing(kind)]) as visitor:
        async with visitor.stream(await visitor.conversation()) as response:
            chunks = [chunk async for chunk in response.content.iter_any()]
        data = b"".join(chunks)
        assert data.startswith(begins)
        assert data.endswith(ends)
        assert content_of(data) == content_of(await plain_stream())
        if kind == "one_byte":
            assert len(chunks) > len(data) // 10


async def plain_stream():
    async with visit(tokens=4) as visitor:
        conversation = await visitor.conversation()
        async with visitor.stream(conversation) as response:
            return await response.read()


def content_of(data):
    lines = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
    pieces = ["".join(x[5:] for x in event.split("\n") if x[:5] == "data:") for event in lines]
    return [json.loads(piece) for piece in pieces if piece]
