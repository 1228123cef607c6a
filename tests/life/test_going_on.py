"""An answer that comes in several responses: asked for again by its server, or taken up anew."""

import asyncio

import anyio
import msgspec
import pytest

import asyncllm
from asyncllm import About, Ask, Finish, Next, ServerProvider, StreamInterrupted
from asyncllm.wires import JSONTranslator
from tests.support.raw_server import CHUNKED, chunk, raw_server

PAUSED = b'data: {"word": "pause"}\n\n'
END = b'data: {"word": "end"}\n\n'


def said(*words):
    return b"".join(b'data: {"word": "%s"}\n\n' % word for word in words)


def answer(*steps):
    return [CHUNKED, *(chunk(step) if isinstance(step, bytes) else step for step in steps)]


WHOLE = chunk(b"")[:-2] + b"\r\n"


class Words(JSONTranslator):
    """Words, until one says that the answer is whole, or that it goes on elsewhere."""

    def __init__(self, turns=0):
        super().__init__(msgspec.json.Decoder(dict[str, str]))
        self.turns = turns
        self.is_paused = False

    def take(self, event, batch):
        word = event["word"]
        if word in ("end", "pause"):
            self.is_paused = word == "pause"
            batch += [] if self.is_paused else [Finish("stop")]
            return True
        batch.append(word)
        return False


class Going(ServerProvider):
    """Goes on after a pause, and once after what was broken."""

    most, wait = 2, 0.0

    def ask(self, request):
        return Ask("/first", {"messages": request.messages})

    def translator(self, request):
        return Words()

    def go_on(self, request, translator, error):
        if (translator.is_paused or error is not None) and translator.turns < self.most:
            turns = translator.turns + 1
            ask = Ask("/next", {"turn": turns, "asked": request.messages[0]["content"]})
            return Next(ask, Words(turns), wait=self.wait)
        return None


async def test_an_answer_goes_on_in_the_next_response_on_the_same_connection():
    answers = (
        [*answer(said(b"a"), PAUSED), WHOLE],
        [*answer(PAUSED), WHOLE],
        [*answer(said(b"b"), END), WHOLE],
    )
    async with raw_server(*answers) as (url, connections), asyncllm.SessionManager() as sessions:
        stream = Going(base_url=url, sessions=sessions).stream("x")
        assert [token async for token in stream] == ["a", "b"]
        assert stream.reply.finish_reason == "stop"
        assert len(connections) == 1


async def test_an_answer_may_come_in_more_responses_than_calls_can_be_nested():
    class Endless(Going):
        most = 1500

    answers = [[*answer(PAUSED), WHOLE]] * 1500
    async with raw_server(*answers, [*answer(said(b"b"), END), WHOLE]) as (url, _):
        assert (await Endless(base_url=url).complete("x")).text == "b"


async def test_what_was_broken_is_taken_up_on_another_connection():
    answers = ([*answer(said(b"a")), None], [*answer(said(b"b"), END), WHOLE])
    async with raw_server(*answers) as (url, connections):
        reply = await Going(base_url=url).complete("x")
        assert (reply.text, len(connections)) == ("ab", 2)


async def test_one_that_does_not_go_on_any_more_fails_with_what_had_come():
    answers = [[*answer(said(b"a")), None] for _ in range(3)]
    async with raw_server(*answers) as (url, connections):
        with pytest.raises(StreamInterrupted) as caught:
            await Going(base_url=url).complete("x")
        assert (caught.value.reply.text, len(connections)) == ("aaa", 3)


async def test_a_pause_that_nobody_ends_is_no_whole_answer():
    answers = [[*answer(said(b"a"), PAUSED), WHOLE] for _ in range(3)]
    async with raw_server(*answers) as (url, _):
        with pytest.raises(StreamInterrupted) as caught:
            await Going(base_url=url).complete("x")
        assert caught.value.reply.text == "aaa"


async def test_a_next_response_that_refuses_is_the_end_and_is_explained():
    refusal = b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n{}"

    class Explaining(Going):
        most = 1

        def explain(self, request, error):
            return asyncllm.ProviderError(f"explained: {type(error).__name__}")

    async with raw_server([*answer(said(b"a"), PAUSED), WHOLE], [refusal]) as (url, _):
        with pytest.raises(
            asyncllm.ProviderError, match="explained: AuthenticationError"
        ) as caught:
            await Explaining(base_url=url).complete("x")
        assert caught.value.reply.text == "a"


@pytest.mark.parametrize("way", ["task", "scope"])
async def test_it_is_cancelled_while_it_waits_to_go_on(way):
    class Patient(Going):
        wait = 3600.0

    async with raw_server([*answer(said(b"a"), PAUSED), WHOLE]) as (url, _):
        stream = Patient(base_url=url).stream("x")
        assert await anext(stream) == "a"
        if way == "task":
            task = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            with anyio.move_on_after(0.01) as scope:
                await anext(stream)
            assert scope.cancelled_caught
        assert stream.reply.finish_reason == "cancelled"


async def test_the_headers_of_a_response_are_told_in_the_reply():
    class Telling(Going):
        def about_response(self, headers):
            return About(extra={"request_id": headers["x-request-id"]})

    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nX-Request-Id: r-1\r\n\r\n")
    async with raw_server([head, chunk(said(b"a") + END), WHOLE]) as (url, _):
        stream = Telling(base_url=url).stream("x")
        assert [event async for event in stream.events()] == ["a", Finish("stop")]
        assert stream.reply.extra == {"request_id": "r-1"}
