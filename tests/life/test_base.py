"""Providers as a third party writes them: a class and one generator."""

import asyncio
import json
import logging

import msgspec
import pytest

import asyncllm
from asyncllm import AsyncGeneratorProvider, Finish, Reasoning, Retry, ToolCall, Usage
from asyncllm.sandbox import Sandbox, Status


class Scripted(AsyncGeneratorProvider):
    """Plays a list of batches; an exception in it is raised."""

    url = "http://127.0.0.1:9"
    model = "m"
    script = ()

    async def generate(self, request, http):
        for step in self.script:
            if isinstance(step, Exception):
                raise step
            yield step


def scripted(*script):
    return type("Scripted", (Scripted,), {"script": script})()


async def test_a_source_that_ends_without_finish_was_cut_off():
    stream = scripted(["a", "b"]).stream("x")
    with pytest.raises(asyncllm.StreamInterrupted, match="without its end marker") as caught:
        await stream.collect()
    assert caught.value.reply.text == "ab"


async def test_a_source_that_yields_nothing_was_cut_off():
    with pytest.raises(asyncllm.StreamInterrupted):
        await scripted().complete("x")


async def test_a_reply_holds_every_kind_of_item():
    call = ToolCall("1", "f", "{}")
    stream = scripted(
        [Reasoning("hm"), "a", call],
        [Usage(completion_tokens=1), asyncllm.Ping()],
        ["b"],
        [Finish("stop")],
    ).stream("x")
    assert [item async for item in stream] == ["a", "b"]
    assert stream.reply == asyncllm.Reply(
        "ab", "hm", (call,), Usage(completion_tokens=1), "stop", "m"
    )


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [
        (anext, "b"),
        (lambda stream: stream.read(), ["b", "c"]),
        (lambda stream: anext(stream.events()), "b"),
    ],
    ids=["token", "batch", "event"],
)
async def test_what_has_come_of_a_whole_answer_can_be_read_when_its_manager_has_closed(
    rest, wanted
):
    async with asyncllm.SessionManager() as sessions:
        provider = type(scripted(["a", "b", "c", Finish("stop")]))(sessions=sessions)
        stream = provider.stream("x")
        assert await anext(stream) == "a"
    assert await rest(stream) == wanted
    assert (await stream.collect()).finish_reason == "stop"


async def test_a_caller_who_closes_a_stream_gets_no_more_of_it_though_it_is_whole():
    stream = scripted(["a", "b", Finish("stop")]).stream("x")
    assert await anext(stream) == "a"
    await stream.aclose()
    assert [item async for item in stream.events()] == []
    assert stream.reply.text == "ab"


async def test_an_error_of_the_provider_itself_passes_through_and_stays():
    stream = scripted(["a"], KeyError("bug")).stream("x")
    assert await anext(stream) == "a"
    for _ in range(2):
        with pytest.raises(KeyError):
            await anext(stream)


@pytest.mark.parametrize("before", [[], [["a"]]])
async def test_secrets_are_masked_in_what_a_provider_raises(before, caplog):
    caplog.set_level(logging.INFO)
    error = asyncllm.TransportError("your key sk-canary is bad")
    leaky = scripted(*before, error)
    options = {"api_key": "sk-canary", "headers": {"Authorization": "Bearer tok-canary"}}
    provider = type(leaky)(**options, retry=Retry(attempts=2, initial_wait=0.001, max_wait=0.001))
    assert "canary" not in repr(provider)
    with pytest.raises(asyncllm.TransportError) as caught:
        await provider.complete("x")
    assert str(caught.value) == "your key *** is bad"
    assert "canary" not in caplog.text


async def test_options_of_the_constructor_may_be_given_by_name_to_the_class_methods():
    class Told(Scripted):
        async def generate(self, request, http):
            yield [request.base_url, str(request.given), Finish("stop")]

    text = await Told.create_async("m", "x", base_url="http://h", retry=Retry(attempts=1), seed=1)
    assert text == "http://h{'seed': 1}"


async def test_retrying_starts_the_generator_anew():
    class Flaky(Scripted):
        tries = 0

        async def generate(self, request, http):
            Flaky.tries += 1
            if Flaky.tries < 3:
                raise asyncllm.TransportError("not yet")
            yield ["ok", Finish("stop")]

    reply = await Flaky(retry=Retry(initial_wait=0.001, max_wait=0.001)).complete("x")
    assert (reply.text, Flaky.tries) == ("ok", 3)


async def test_retry_after_is_honoured_up_to_max_wait():
    async with Sandbox(faults=[Status(status=429, retry_after=60, times=1)]) as sandbox:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncllm.H2o(base_url=sandbox.url, retry=Retry(max_wait=0.2)).complete("x")
        assert 0.2 <= loop.time() - start < 10


async def test_a_limit_reached_while_nobody_reads_has_let_go_of_everything_once_it_is_seen():
    let_go = []

    class Slow(Scripted):
        async def generate(self, request, http):
            try:
                yield ["a"]
                yield ["b"]
            finally:
                await asyncio.sleep(0.1)
                let_go.append(self)

    stream = Slow(timeouts=asyncllm.Timeouts(total=0.01)).stream("x")
    await anext(stream)
    await asyncio.sleep(0.02)
    with pytest.raises(asyncllm.StreamTimeout):
        await anext(stream)
    assert let_go


async def test_a_provider_that_swallows_its_cancellation_is_ended_all_the_same():
    class Stubborn(Scripted):
        async def generate(self, request, http):
            yield ["a"]
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    yield ["b"]

    stream = Stubborn().stream("x")
    assert await anext(stream) == "a"
    reader = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)
    await stream.aclose()
    with pytest.raises(asyncllm.StreamInterrupted):
        await reader
    assert len(asyncio.all_tasks()) == 1


def test_a_key_over_plain_http_to_another_machine_is_warned_of_once():
    with pytest.warns(UserWarning, match="unencrypted") as warned:
        for _ in range(2):
            asyncllm.OpenAICompatible(base_url="http://models.example/v1", api_key="sk-canary")
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert "canary" not in str(warned[0].message)


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "http://127.0.0.1/v1", "https://h/v1"])
def test_a_key_that_stays_here_or_is_encrypted_is_not_warned_of(url):
    asyncllm.OpenAICompatible(base_url=url, api_key="sk-1")
    asyncllm.OpenAICompatible(base_url="http://keyless.example/v1")
    asyncllm.Lockchat()  # its documented token is public


async def test_path_headers_and_body_of_a_request_are_of_one_call(sandbox):
    class Signing(asyncllm.OpenAICompatible):
        model = "gpt-3.5-turbo"
        calls = 0

        def ask(self, request):
            self.calls += 1
            number = str(self.calls)
            asked = super().ask(request)
            return msgspec.structs.replace(
                asked, body={**asked.body, "user": number}, headers={"X-Signed": number}
            )

    sandbox.add_fault(Status(503, times=2))
    retry = Retry(attempts=3, initial_wait=0.001, max_wait=0.001)
    await Signing(base_url=f"{sandbox.url}/v1", retry=retry).complete("x")
    signed = [
        (json.loads(asked.body)["user"], asked.headers["x-signed"]) for asked in sandbox.requests
    ]
    assert [body for body, _ in signed] == [header for _, header in signed]
    assert len({body for body, _ in signed}) == 3


@pytest.mark.parametrize("given", ["by nobody", "to the provider", "to the session manager"])
async def test_limits_of_a_provider_count_where_nobody_has_set_any(given):
    class Silent(Scripted):
        default_timeouts = asyncllm.Timeouts(first_token=600, stall=0.02)

        async def generate(self, request, http):
            yield ["a"]
            await asyncio.Event().wait()

    mine = asyncllm.Timeouts(stall=0.03)
    options = {"timeouts": mine} if given == "to the provider" else {}
    manages = {"timeouts": mine} if given == "to the session manager" else {}
    async with asyncllm.SessionManager(**manages) as sessions:
        with pytest.raises(asyncllm.StreamTimeout) as caught:
            await Silent(sessions=sessions, **options).complete("x")
    assert (caught.value.phase, caught.value.limit) == (
        "stall",
        0.02 if given == "by nobody" else 0.03,
    )
