"""chat-ui's wire of today as the sandbox serves it, seen by a bare HTTP client."""

import asyncio
import base64
import json
import uuid
from contextlib import asynccontextmanager

import aiohttp
import pytest

from asyncllm.sandbox import (
    Drop,
    ErrorInStream,
    Framing,
    LateTitle,
    PingForever,
    Sandbox,
    ServerRetry,
    Stall,
    Truncate,
)
from support.waiting import until

SESSION = str(uuid.UUID(int=7))
STARTED = {"type": "status", "status": "started"}
FINISHED = {"type": "status", "status": "finished"}


class Client:
    """A browser with one session."""

    def __init__(self, sandbox, http):
        self.sandbox, self.http = sandbox, http
        self.url = f"{sandbox.url}/chat"
        self.headers = {"Cookie": f"hf-chat={SESSION}", "Origin": sandbox.url}

    async def create(self, **asked):
        asked = {"model": "sandbox/small", **asked}
        answer = await self.http.post(f"{self.url}/conversation", json=asked, headers=self.headers)
        created = await answer.json()
        said = json.loads(created["conversation"])["json"]
        return created["conversationId"], said["rootMessageId"]

    def post(self, path, data=None, **options):
        headers = options.pop("headers", self.headers)
        return self.http.post(self.url + path, data=data, headers=headers, **options)

    def get(self, path):
        return self.http.get(self.url + path, headers=self.headers)

    def delete(self, path):
        return self.http.delete(self.url + path, headers=self.headers)

    def ask(self, conversation, root, **fields):
        data = json.dumps({"inputs": "Hi", "id": root, **fields})
        return self.post(f"/conversation/{conversation}", {"data": data})

    async def updates(self, **fields):
        """Create a conversation, ask in it, and return its updates without keep-alives."""
        answer = await self.ask(*await self.create(), **fields)
        return updates_of(await answer.read())


def updates_of(body):
    updates = [json.loads(line) for line in body.decode().split("\n") if line.strip()]
    return [each for each in updates if each.get("status") != "keepAlive"]


def text_of(updates):
    return "".join(each["token"].rstrip("\0") for each in updates if each["type"] == "stream")


@asynccontextmanager
async def browsing(**options):
    jar = aiohttp.DummyCookieJar()
    async with Sandbox(**options) as sandbox, aiohttp.ClientSession(cookie_jar=jar) as http:
        yield Client(sandbox, http)


async def test_an_answer_is_padded_tokens_then_its_whole_text_and_filler():
    async with browsing() as client:
        answer = await client.ask(*await client.create())
        assert answer.content_type == "application/jsonl"
        body = await answer.read()
    updates = updates_of(body)
    assert updates[0] == STARTED
    assert updates[-3] == {"type": "title", "title": "Hi"}
    assert updates[-2] == {
        "type": "finalAnswer",
        "text": text_of(updates),
        "interrupted": False,
    }
    assert updates[-1] == FINISHED
    assert b"}\n" + b" " * 4096 + b'{"type":"status","status":"finished"}\n' in body
    tokens = [each["token"] for each in updates if each["type"] == "stream"]
    assert {len(token) for token in tokens if "\0" in token} == {16}


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("POST", "/conversation", {"json": {"model": "no/such"}}, 400),
        ("POST", "/conversation", {"data": b"{", "headers": {}}, 500),
        ("POST", "/conversation/{id}", {"json": {"inputs": "Hi"}}, 500),
        ("POST", "/conversation/{id}", {"data": {"other": "x"}}, 400),
        ("POST", "/conversation/{id}", {"data": {"data": '{"inputs": "Hi"}'}}, 500),
        ("POST", "/conversation/{id}", {"data": {"data": '{"inputs": "", "id": "x"}'}}, 500),
        ("POST", "/conversation/" + "0" * 24, {"data": {"data": "{}"}}, 404),
        ("POST", "/conversation/odd", {"data": {"data": "{}"}}, 500),
        ("POST", "/conversation/" + "0" * 24 + "/stop-generating", {}, 404),
        ("POST", "/settings", {"data": {"x": "y"}}, 500),
        ("POST", "/settings", {"json": {}}, 200),
        ("DELETE", "/conversation/" + "0" * 24, {}, 404),
        ("GET", "/conversation/" + "0" * 24 + "/stream", {}, 404),
        ("GET", "/healthcheck", {}, 200),
    ],
)
async def test_what_is_wrong_gets_the_status_that_chat_ui_gives(method, path, options, status):
    async with browsing() as client:
        conversation, _ = await client.create()
        path = path.format(id=conversation)
        headers = client.headers | options.pop("headers", {})
        answer = await client.http.request(method, client.url + path, headers=headers, **options)
        assert answer.status == status
        assert ("Set-Cookie" in answer.headers) is (method == "POST")


@pytest.mark.parametrize(
    ("origin", "status", "words"),
    [
        (None, 403, "need to have an origin"),
        ("https://elsewhere.example", 403, "Invalid referer"),
        ("http://{host}", 200, ""),
        ("https://{host}", 200, ""),  # the scheme does not count
    ],
)
async def test_forms_must_come_from_its_own_pages(origin, status, words):
    async with browsing() as client:
        conversation, root = await client.create()
        host = client.sandbox.url.removeprefix("http://")
        headers = {"Cookie": client.headers["Cookie"]}
        if origin is not None:
            headers["Origin"] = origin.format(host=host)
        data = {"data": json.dumps({"inputs": "Hi", "id": root})}
        answer = await client.post(f"/conversation/{conversation}", data, headers=headers)
        assert answer.status == status
        assert words in await answer.text()


async def test_a_conversation_is_its_session_s_alone():
    async with browsing() as client:
        conversation, _ = await client.create()
        client.headers["Cookie"] = "hf-chat=other"
        assert (await client.delete(f"/conversation/{conversation}")).status == 404
        answer = await client.delete("/api/v2/conversations")
        assert await answer.json() == {"json": 0}
        client.headers["Cookie"] = f"hf-chat={SESSION}"
        answer = await client.delete("/api/v2/conversations")
        assert await answer.json() == {"json": 1}
        assert client.sandbox.conversations == 0


async def test_files_come_as_base64():
    async with browsing() as client:
        conversation, root = await client.create()
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("data", json.dumps({"inputs": "Look", "id": root}))
        data = base64.b64encode(b"12345")
        form.add_field("files", data, filename="base64;a.png", content_type="image/png")
        answer = await client.post(f"/conversation/{conversation}", form)
        assert "(5 bytes)" in text_of(updates_of(await answer.read()))


async def test_what_is_stopped_ends_with_the_text_that_came():
    async with browsing() as client:
        client.sandbox.add_fault(PingForever(after=2))
        conversation, root = await client.create()
        answer = await client.ask(conversation, root)
        await answer.content.readuntil(b"keepAlive")
        assert (await client.post(f"/conversation/{conversation}/stop-generating")).status == 200
        updates = updates_of(b'{"type":"x"}' + (await answer.read()).partition(b"}")[2])
        final = next(each for each in updates if each["type"] == "finalAnswer")
        assert final == {"type": "finalAnswer", "text": "This is", "interrupted": True}
        assert client.sandbox.answers(conversation) == ("This is",)


async def test_a_reader_s_leaving_and_a_delete_stop_nothing():
    async with browsing() as client:
        client.sandbox.add_fault(Stall(after=2))
        conversation, root = await client.create()
        answer = await client.ask(conversation, root)
        await answer.content.readuntil(b" is")
        answer.close()
        assert (await client.delete(f"/conversation/{conversation}")).status == 200
        await asyncio.sleep(0.05)
        assert client.sandbox.generating == 1


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        (ErrorInStream(after=2, status=401), {"message": "the model ran out of memory"}),
        (Truncate(after=2), FINISHED),
        (Framing("one_byte"), FINISHED),
    ],
)
async def test_what_goes_wrong_is_told_inside_the_answer(fault, last):
    async with browsing(faults=[fault]) as client:
        updates = await client.updates()
        assert last.items() <= updates[-1].items()
        has_whole = "finalAnswer" in [each["type"] for each in updates]
        assert has_whole is isinstance(fault, Framing)


async def test_a_retry_of_the_server_s_doubles_the_tokens_and_not_the_whole_text():
    async with browsing(faults=[ServerRetry(after=3)]) as client:
        updates = await client.updates()
        assert text_of(updates) == "This is the" + updates[-2]["text"]


async def test_a_late_title_comes_behind_the_whole_text():
    async with browsing(faults=[LateTitle(seconds=0.05)]) as client:
        updates = await client.updates()
        assert [each["type"] for each in updates[-3:]] == ["finalAnswer", "title", "status"]


async def test_an_answer_is_followed_from_any_place():
    async with browsing(faults=[Drop(after=2, times=1)]) as client:
        conversation, root = await client.create()
        generation = str(uuid.uuid4())
        answer = await client.ask(conversation, root, generationId=generation)
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
        await until(lambda: not client.sandbox.generating)
        path = f"/conversation/{conversation}/stream"
        every = await (await client.get(f"{path}?generationId={generation}&fromSeq=0")).text()
        assert every.startswith('id: 1\nevent: update\ndata: {"type":"status","status":"started"}')
        assert every.endswith('event: end\ndata: {"status":"completed"}\n\n')
        later = await (await client.get(f"{path}?fromSeq=5")).text()
        assert every.endswith(later)
        assert later.startswith("id: 6\n")
        gone = await (await client.get(f"{path}?generationId={uuid.uuid4()}")).text()
        assert gone == 'event: end\ndata: {"status":"gone"}\n\n'
