"""ChatUI against the sandbox's chat-ui of today, under `/chat`."""

import asyncio
import json
import random
import sys
import tracemalloc

import pytest

import asyncllm
from asyncllm import ChatUI, Finish, H2o, Restart, SessionManager, Timeouts
from asyncllm.sandbox import (
    Drop,
    ErrorInStream,
    LateTitle,
    LoseSessions,
    NewId,
    NoOrigin,
    PingForever,
    Sandbox,
    ServerRetry,
    Status,
    Truncate,
)
from asyncllm.sandbox.server import Request
from support.policies import ONCE, QUICK
from support.raw_server import CHUNKED, chunk, raw_server

MODEL = "sandbox/small"
OWN = "11111111-1111-4111-8111-111111111111"  # the name of a generation


@pytest.fixture
def url(sandbox):
    return f"{sandbox.url}/chat"


@pytest.fixture
def chatui(url, sessions):
    return ChatUI(base_url=url, model=MODEL, sessions=sessions)


def step_of(request: Request) -> str:
    last = request.path.rsplit("/", 1)[-1]
    names = {"conversation": "create", "stop-generating": "stop", "stream": "follow"}
    if "0" * 24 in request.path:
        return "begin"
    return "delete" if request.method == "DELETE" else names.get(last, "stream")


def steps(sandbox):
    return [step_of(request) for request in sandbox.requests]


def form_of(request):
    """Return what the form's `data` says."""
    return json.loads(request.body.partition(b'name="data"\r\n\r\n')[2].partition(b"\r\n")[0])


async def until_empty(sandbox):
    async with asyncio.timeout(30):
        while sandbox.conversations or sandbox.generating:
            await asyncio.sleep(0.001)


# --- what is asked --------------------------------------------------------------------------


async def test_an_answer_is_a_conversation_that_is_created_read_and_deleted(
    sandbox, chatui, sessions
):
    reply = await chatui.complete("Hello", system="Be brief.", timezone="Europe/Oslo")
    assert "Hello" in reply.text
    assert (reply.finish_reason, reply.model) == ("stop", MODEL)
    await until_empty(sandbox)
    assert steps(sandbox) == ["begin", "create", "stream", "delete"]
    _, create, stream, delete = sandbox.requests
    assert json.loads(create.body) == {"model": MODEL, "preprompt": "Be brief."}
    asked = form_of(stream)
    assert asked.pop("id") == asked.pop("generationId")
    assert asked == {"inputs": "Hello", "timezone": "Europe/Oslo"}
    assert delete.path == stream.path
    assert len({each.headers["cookie"] for each in (create, stream, delete)}) == 1


@pytest.mark.parametrize("way", [{"generationId": OWN}, {"extra": {"generationId": OWN}}])
async def test_a_generation_s_own_name_is_sent_once_and_followed_by(sandbox, chatui, way):
    sandbox.add_fault(Drop(after=1, times=1))
    assert (await chatui.complete("Hello", **way)).finish_reason == "stop"
    asked, followed = [each for each in sandbox.requests if step_of(each) in {"stream", "follow"}]
    assert form_of(asked)["generationId"] == followed.query["generationId"] == OWN
    assert asked.body.count(b"generationId") == 1


async def test_a_form_is_let_go_of_while_its_answer_is_read(sessions):
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
    created = b'{"conversationId":"a","conversation":{"rootMessageId":"r"}}'
    begun = [ok % (0, b"")], [ok % (len(created), created)]
    image = asyncllm.image(b"\x89PNG\r\n\x1a\n" + bytes(700_000))
    token = CHUNKED + chunk(b'{"type":"stream","token":"Hi"}\n')
    async with raw_server(*begun, [token, asyncio.Event()]) as (url, _):
        content = [asyncllm.text("Look"), image]
        tracemalloc.start()
        try:
            stream = ChatUI(base_url=url, model="m", sessions=sessions).stream(
                [{"role": "user", "content": content}]
            )
            assert await anext(stream) == "Hi"
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await stream.aclose()
    assert held < 500_000


async def test_conversations_that_are_created_at_once_are_of_one_session(sandbox, chatui):
    await asyncio.gather(*(chatui.complete("Hello") for _ in range(5)))
    await until_empty(sandbox)
    assert steps(sandbox).count("begin") == 1
    assert len({request.headers.get("cookie") for request in sandbox.requests}) == 2


async def test_images_and_files_are_sent(chatui):
    image = asyncllm.image(b"\x89PNG\r\n\x1a\n" + b"." * 92)
    file = asyncllm.file(b"hot", media_type="text/plain", name="tea.txt")
    content = [asyncllm.text("Look"), image, file]
    reply = await chatui.complete([{"role": "user", "content": content}])
    assert "100 bytes, 3 bytes" in reply.text


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "tools", "seed"])
async def test_what_chat_ui_has_no_place_for_is_refused_before_anything_is_sent(
    sandbox, chatui, name
):
    value = {"tools": [{"type": "function"}]}.get(name, 0)
    with pytest.raises(asyncllm.ConfigurationError, match=f"no {name}: leave it out \\(extra="):
        chatui.stream("Hello", **{name: value})
    await chatui.complete("Hello", extra={name: value})
    asked = [form_of(each) for each in sandbox.requests if step_of(each) == "stream"]
    assert asked[0][name] == value


async def test_a_model_is_needed_and_the_list_of_them_is_chat_ui_s(sandbox, url, sessions):
    nameless = ChatUI(base_url=url, sessions=sessions)
    with pytest.raises(asyncllm.ConfigurationError, match=r"list_models\(\) lists"):
        nameless.stream("Hello")
    assert await nameless.list_models() == ["sandbox/small", "sandbox/large"]
    with pytest.raises(asyncllm.BadRequestError, match="Invalid request"):
        await nameless.complete("Hello", model="no/such")
    with pytest.raises(asyncllm.ProtocolError, match="base_url"):
        await ChatUI(base_url=sandbox.url, sessions=sessions).list_models()


# --- what comes -----------------------------------------------------------------------------


async def test_keep_alives_are_no_content(sandbox, url, sessions):
    sandbox.add_fault(PingForever(after=2))
    llm = ChatUI(base_url=url, model=MODEL, sessions=sessions, timeouts=Timeouts(stall=0.3))
    items = []
    with pytest.raises(asyncllm.StreamTimeout) as caught:
        async for item in llm.stream("Hello").events():
            items.append(item)
    assert caught.value.phase == "stall"
    assert [item for item in items if isinstance(item, str)] == ["This", " is"]
    await until_empty(sandbox)


async def test_the_title_is_told_where_it_comes_in_time_and_not_waited_for(sandbox, chatui):
    assert (await chatui.complete("Hello")).extra == {"title": "Hello"}
    sandbox.add_fault(LateTitle(seconds=3600))
    assert (await chatui.complete("Hello")).extra == {}


async def test_a_server_s_own_retry_is_a_restart_and_never_text_twice(sandbox, chatui):
    whole = (await chatui.complete("Hello")).text
    sandbox.add_fault(ServerRetry(after=3))
    assert (await chatui.complete("Hello")).text == whole
    stream = chatui.stream("Hello")
    items = [item async for item in stream.events()]
    place = next(n for n, item in enumerate(items) if isinstance(item, Restart))
    assert items[place].discarded == f"This is the{whole}"
    assert "".join(item for item in items[place + 1 :] if isinstance(item, str)) == whole
    assert (stream.reply.text, items[-1]) == (whole, Finish("stop"))


@pytest.mark.parametrize("way", ["tokens", "reads"])
async def test_who_reads_text_alone_is_told_of_a_restart_by_an_error(sandbox, chatui, way):
    sandbox.add_fault(ServerRetry(after=3))
    stream = chatui.stream("Hello")

    async def read():
        if way == "tokens":
            async for _ in stream:
                pass
        else:
            while await stream.read():
                pass

    for _ in range(2):
        with pytest.raises(asyncllm.StreamInterrupted, match="began again") as caught:
            await read()
        assert caught.value.reply.text.startswith("This is the asyncllm")
    await until_empty(sandbox)


async def test_an_error_before_the_first_content_is_tried_again_where_it_passes(sandbox, url):
    async with SessionManager(retry=QUICK) as sessions:
        chatui = ChatUI(base_url=url, model=MODEL, sessions=sessions)
        sandbox.add_fault(ErrorInStream(status=429, times=1))
        assert (await chatui.complete("Hello")).finish_reason == "stop"
        # What has had a question is no place for another one.
        assert steps(sandbox).count("create") == 2
        sandbox.add_fault(ErrorInStream(status=401))
        with pytest.raises(asyncllm.AuthenticationError):
            await chatui.complete("Hello")
        assert steps(sandbox).count("stream") == 3
    assert sandbox.conversations == 0


async def test_an_answer_without_its_whole_text_is_cut_off(sandbox, chatui):
    sandbox.add_fault(Truncate(after=2))
    with pytest.raises(asyncllm.StreamInterrupted, match="finalAnswer") as caught:
        await chatui.complete("Hello")
    assert caught.value.reply.text == "This is"
    assert "follow" not in steps(sandbox)


# --- what breaks ----------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 7])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_broken_connection_is_taken_up_where_it_was(sandbox, chatui, after, reset):
    whole = (await chatui.complete("Hello")).text
    await until_empty(sandbox)
    sandbox.requests.clear()
    sandbox.add_fault(Drop(after=after, reset=reset, times=1))
    async with chatui.stream("Hello") as stream:
        assert "".join([token async for token in stream]) == whole
    assert stream.reply.finish_reason == "stop"
    await until_empty(sandbox)
    assert steps(sandbox)[:3] == ["create", "stream", "follow"]
    asked, followed = [each for each in sandbox.requests if step_of(each) in {"stream", "follow"}]
    assert followed.query == {"generationId": form_of(asked)["generationId"], "fromSeq": "0"}


async def test_a_connection_that_breaks_again_and_again_is_given_up(sandbox, chatui):
    sandbox.add_fault(Drop(after=2))
    with pytest.raises(asyncllm.StreamInterrupted) as caught:
        await chatui.complete("Hello")
    assert caught.value.reply.text == "This is"
    assert steps(sandbox).count("follow") == 4
    await until_empty(sandbox)


@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [(503, None, 2), (404, asyncllm.NotFoundError, 1), (403, asyncllm.AuthenticationError, 1)],
)
async def test_what_can_t_be_followed_for_a_while_is_tried_again(
    sandbox, chatui, status, kind, tries
):
    sandbox.add_fault(Drop(after=2, times=1))
    sandbox.add_fault(Status(status=status, on="follow", times=1))
    if kind is None:
        assert (await chatui.complete("Hello")).finish_reason == "stop"
    else:
        with pytest.raises(kind) as caught:
            await chatui.complete("Hello")
        assert caught.value.reply.text == "This is"
    assert steps(sandbox).count("follow") == tries


async def test_each_break_that_brought_something_allows_for_as_many_again(sandbox, chatui):
    for after in range(8):
        sandbox.add_fault(Drop(after=after + 1, times=1))
    assert (await chatui.complete("Hello")).finish_reason == "stop"
    assert steps(sandbox).count("follow") == 8


async def test_random_cancels_leave_nothing():
    chance = random.Random(16)
    async with Sandbox(token_rate=400) as sandbox:
        async with SessionManager(spare_conversations=2, grace=30) as sessions:
            chatui = ChatUI(base_url=f"{sandbox.url}/chat", model=MODEL, sessions=sessions)

            async def ask():
                asking = asyncio.create_task(chatui.complete("Hello " * chance.randint(1, 9)))
                await asyncio.wait([asking], timeout=chance.choice([0, chance.uniform(0, 0.1)]))
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)

            for _ in range(5):
                await asyncio.gather(*(ask() for _ in range(20)))
        assert sandbox.conversations == 0
        await until_empty(sandbox)


async def test_lost_conversations_are_replaced_where_they_were_spare():
    async with Sandbox() as sandbox, SessionManager(spare_conversations=1) as sessions:
        chatui = ChatUI(base_url=f"{sandbox.url}/chat", model=MODEL, sessions=sessions)
        await chatui.complete("Hello")
        sandbox.add_fault(LoseSessions())
        assert (await chatui.complete("Hello")).finish_reason == "stop"
    assert sandbox.conversations == 0


async def test_spares_of_many_system_messages_are_bounded():
    async with Sandbox() as sandbox, SessionManager(spare_conversations=1) as sessions:
        chatui = ChatUI(base_url=f"{sandbox.url}/chat", model=MODEL, sessions=sessions)
        for number in range(110):
            await chatui.complete("Hello", system=f"You are number {number}.")
        async with asyncio.timeout(30):
            while sandbox.conversations > 100:
                await asyncio.sleep(0.001)
    assert sandbox.conversations == 0


async def test_what_a_killed_process_left_is_deleted_by_its_heir(sandbox, url, tmp_path):
    ledger = tmp_path / "ledger.db"
    program = (
        "import asyncio, os, sys\n"
        "from asyncllm import ChatUI, SessionManager\n"
        "async def main():\n"
        f"    sessions = SessionManager(ledger={str(ledger)!r})\n"
        f"    llm = ChatUI(base_url={url!r}, model={MODEL!r}, sessions=sessions)\n"
        "    stream = llm.stream('Hello')\n"
        "    await anext(stream)\n"
        "    await asyncio.sleep(0.2)\n"
        "    os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await killed.wait() == 9
    assert sandbox.conversations == 1
    async with SessionManager(ledger=ledger):
        await until_empty(sandbox)


# --- who is there ---------------------------------------------------------------------------


async def test_detect_tells_which_chat_ui_it_is(sandbox, url):
    assert await ChatUI.detect(url) == "chatui"
    assert await ChatUI.detect(sandbox.url) == "h2o"
    assert await ChatUI.detect(f"{sandbox.url}/v1") == ""
    with pytest.raises(asyncllm.TransportError):
        await ChatUI.detect("http://127.0.0.1:1", retry=ONCE)


async def test_each_of_the_two_names_the_other(sandbox, url, sessions):
    with pytest.raises(asyncllm.ProtocolError, match=r"newer chat-ui.* asyncllm\.ChatUI"):
        await H2o(base_url=url, sessions=sessions).complete("Hello")
    with pytest.raises(asyncllm.ProtocolError, match=r"of 2023: use asyncllm\.H2o"):
        await ChatUI(base_url=sandbox.url, model="m", sessions=sessions).complete("Hello")


async def test_another_origin_is_refused_with_what_to_do(sandbox, url, sessions):
    sandbox.add_fault(NoOrigin())
    with pytest.raises(asyncllm.BadRequestError, match="PUBLIC_ORIGIN"):
        await ChatUI(base_url=url, model=MODEL, sessions=sessions).complete("Hello")
    given = {"Origin": "https://elsewhere.invalid"}
    chatui = ChatUI(base_url=url, model=MODEL, sessions=sessions, headers=given)
    assert (await chatui.complete("Hello")).finish_reason == "stop"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 303 See Other\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 No\r\nContent-Length: 26\r\n\r\nYou have to be logged in. ",
    ],
)
async def test_a_login_is_asked_for_in_words(answer, sessions):
    begin = [b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]
    async with raw_server(begin, [answer]) as (url, _):
        with pytest.raises(asyncllm.AuthenticationError, match="requires a login"):
            await ChatUI(base_url=url, model="m", sessions=sessions, retry=ONCE).complete("Hello")
    for question in (ChatUI.detect, lambda url: ChatUI(base_url=url).list_models()):
        async with raw_server([answer]) as (url, _):
            with pytest.raises(asyncllm.AuthenticationError, match="requires a login"):
                await question(url)


async def test_a_page_without_models_is_perhaps_a_newer_chat_ui_s(sessions):
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
    async with raw_server([page]) as (url, _):
        with pytest.raises(asyncllm.ProtocolError, match=r"newer one use asyncllm\.ChatUI"):
            await H2o(base_url=url, sessions=sessions).list_models()


@pytest.mark.parametrize(
    "created",
    [
        b'{"conversationId":"a"}',
        b'{"conversationId":"a","conversation":"no JSON"}',
        b'{"conversationId":"a","conversation":{"rootMessageId":"x#y"}}',
        b'{"conversationId":"a","conversation":{"rootMessageId":"x\\r\\ny"}}',
        b'{"conversationId":"","conversation":{"rootMessageId":"x"}}',
    ],
)
async def test_a_conversation_without_a_first_message_is_an_error(created, sessions):
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
    async with raw_server([ok % (0, b"")], [ok % (len(created), created)]) as (url, _):
        with pytest.raises(asyncllm.ProtocolError):
            await ChatUI(base_url=url, model="m", sessions=sessions).complete("Hello")


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Email": "one@example.org"}])
async def test_a_session_is_emptied_where_it_can_be_nobody_s_but_ours(sandbox, url, headers):
    sandbox.add_fault(NewId(id="..", times=1))
    async with SessionManager() as sessions:
        chatui = ChatUI(base_url=url, model=MODEL, sessions=sessions, headers=headers)
        with pytest.raises(asyncllm.ProtocolError, match="an id that can't be used: '..'"):
            await chatui.complete("Hello")
    assert sandbox.conversations == len(headers)
    emptied = [each for each in sandbox.requests if each.path.endswith("/api/v2/conversations")]
    assert len(emptied) == 1 - len(headers)


async def test_a_hostile_id_stays_one_segment_of_the_path(sandbox, chatui):
    sandbox.add_fault(NewId(id="a/../b?c#d", times=1))
    assert (await chatui.complete("Hello")).finish_reason == "stop"
    await until_empty(sandbox)
    asked = [each.path for each in sandbox.requests if step_of(each) in {"stream", "delete"}]
    assert asked == ["/chat/conversation/a/../b?c#d"] * 2


async def test_a_rate_limit_is_waited_for_in_the_same_conversation(sandbox, url):
    async with SessionManager(retry=QUICK) as sessions:
        chatui = ChatUI(base_url=url, model=MODEL, sessions=sessions)
        sandbox.add_fault(Status(status=429, times=2))
        assert (await chatui.complete("Hello")).finish_reason == "stop"
    assert steps(sandbox).count("create") == 1
    assert sandbox.conversations == 0
