"""What is tried again, when, how often, and what is not: on every wire."""

import asyncio
import logging
import re
import socket
import time
from contextlib import asynccontextmanager
from email.utils import formatdate
from itertools import pairwise

import pytest

import asyncllm
from asyncllm import (
    H2o,
    Lockchat,
    OpenAICompatible,
    Retry,
    SessionManager,
)
from asyncllm.sandbox import (
    BadJson,
    DetailError,
    Drop,
    EmptyBody,
    ErrorInStream,
    HtmlPage,
    LoseSessions,
    ModelDoesNotExist,
    PingForever,
    PlainError,
    Sandbox,
    Status,
    Truncate,
)
from support.lateness import TRIES, stolen_time
from support.policies import QUICK
from support.raw_server import CHUNKED, chunk, raw_server
from support.wires import CHATUIS, PATHS, UNTYPED, every_wire, on_wire

H2O_STEPS = ("settings", "create", "stream")


@pytest.fixture
async def quick():
    async with SessionManager(retry=QUICK) as manager:
        yield manager


def asked(sandbox, step="stream"):
    """Return how often a step was asked for."""
    wanted = {
        "settings": lambda r: r.path == "/settings",
        "create": lambda r: r.path == "/conversation",
        "stream": lambda r: (
            r.path.endswith("/completions")
            or r.path in PATHS.values()
            or (r.method == "POST" and re.fullmatch("(/chat)?/conversation/[^/]+", r.path))
        ),
    }[step]
    return len([request for request in sandbox.requests if wanted(request)])


def attempts_logged(caplog):
    return [r.getMessage() for r in caplog.records if r.name == "asyncllm" if "attempt" in r.msg]


# --- what is tried again ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
@every_wire
async def test_a_passing_status_is_tried_again(sandbox, quick, wire, status):
    sandbox.add_fault(Status(status=status, times=2))
    assert (await on_wire(wire, sandbox.url, sessions=quick).complete("Hello")).text
    assert asked(sandbox) == 3


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410, 413, 422])
@every_wire
async def test_a_lasting_status_is_never_tried_again(sandbox, quick, wire, status):
    sandbox.add_fault(Status(status=status, retry_after=0, retry_after_ms=0))
    with pytest.raises(asyncllm.HTTPStatusError) as caught:
        await on_wire(wire, sandbox.url, sessions=quick).complete("Hello")
    assert caught.value.status == status
    assert asked(sandbox) == 1


@pytest.mark.parametrize(
    ("step", "status", "times"),
    [
        (step, status, 3 if status in (425, 429, 500, 503) else 1)
        for step in ("settings", "create")
        for status in (400, 401, 403, 404, 422, 425, 429, 500, 503)
    ],
)
async def test_h2o_s_earlier_steps_follow_the_same_table(sandbox, quick, step, status, times):
    sandbox.add_fault(Status(status=status, on=step))
    with pytest.raises(asyncllm.HTTPStatusError) as caught:
        await H2o(base_url=sandbox.url, sessions=quick).complete("Hello")
    assert caught.value.status == status
    assert asked(sandbox, step) == times
    await quick.aclose()
    assert sandbox.conversations == 0


@pytest.mark.parametrize(
    "fault", [DetailError(status=503), PlainError(status=502), HtmlPage(status=500)], ids=repr
)
@every_wire
async def test_the_form_of_the_refusal_does_not_matter(sandbox, quick, wire, fault):
    sandbox.add_fault(type(fault)(**{**vars(fault), "times": 1}))
    assert (await on_wire(wire, sandbox.url, sessions=quick).complete("Hello")).text
    assert asked(sandbox) == 2


@every_wire
async def test_a_hang_up_before_the_answer_is_tried_again(quick, wire):
    """The connection is new each time: nothing about it is stale."""
    async with raw_server(*[[None]] * 9) as (url, connections):
        with pytest.raises(asyncllm.TransportError):
            await on_wire(wire, url, sessions=quick).complete("Hello")
        assert len(connections) == 3


@every_wire
async def test_a_server_that_is_not_there_yet_is_met_by_trying_again(wire):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    late = Sandbox(port=port)
    started = asyncio.Event()

    class StartServer(logging.Handler):
        def emit(self, record):
            if "cannot connect" in record.getMessage() and not started.is_set():
                started.set()

    async def start():
        await started.wait()
        await late.start()

    starting, handler = asyncio.create_task(start()), StartServer(logging.INFO)
    logger = logging.getLogger("asyncllm")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        retry = Retry(attempts=50, initial_wait=0.01, max_wait=0.02)
        assert (await on_wire(wire, late.url, retry=retry).complete("Hello")).text
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        await starting
        await late.aclose()


@pytest.mark.parametrize(
    "fault",
    [EmptyBody(), HtmlPage(), BadJson(), Truncate(), Drop(), ErrorInStream(type="mystery")],
    ids=lambda fault: type(fault).__name__,
)
@every_wire
async def test_a_bad_answer_with_a_good_status_is_not_tried_again(sandbox, quick, wire, fault):
    if wire in {*CHATUIS, "ollama", "tgi", "gemini"} and isinstance(fault, Drop):
        fault = Drop(after=1)  # these send no head, or nothing of an answer, before a token
    sandbox.add_fault(fault)
    with pytest.raises(asyncllm.AsyncLLMError):
        await on_wire(wire, sandbox.url, sessions=quick).complete("Hello")
    assert asked(sandbox) == 1


@every_wire
async def test_an_error_in_a_good_status_is_tried_again_where_its_wire_says_that_it_passes(
    sandbox, quick, wire
):
    sandbox.add_fault(ErrorInStream())
    kind = asyncllm.ProviderError if wire in UNTYPED else asyncllm.ServerError
    with pytest.raises(kind):
        await on_wire(wire, sandbox.url, sessions=quick).complete("Hello")
    assert asked(sandbox) == (1 if wire in UNTYPED else 3)


async def test_lockchat_s_fault_counts_as_an_attempt(sandbox, quick, caplog):
    caplog.set_level(logging.INFO, logger="asyncllm")
    sandbox.add_fault(ModelDoesNotExist(times=1))
    sandbox.add_fault(Status(status=503, times=1))
    assert (await Lockchat(base_url=sandbox.url, sessions=quick).complete("Hello")).text
    assert asked(sandbox) == 3
    assert len(attempts_logged(caplog)) == 2


# --- only before the first event ----------------------------------------------------------------


@every_wire
async def test_nothing_is_tried_again_once_a_token_has_come(sandbox, quick, wire):
    sandbox.add_fault(Drop(after=1))
    tokens = []
    with pytest.raises(asyncllm.StreamInterrupted):
        async for token in on_wire(wire, sandbox.url, sessions=quick).stream("Hello"):
            tokens.append(token)
    assert tokens == ["This"]
    assert asked(sandbox) == 1


@pytest.mark.parametrize(
    "event",
    [
        b": a comment\n\n",
        b'data: {"choices":[{"delta":{"reasoning":"hm"}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"id":"1","function":{"name":"f"}}]}}]}\n\n',
    ],
    ids=["a ping", "reasoning", "the beginning of a tool call"],
)
@pytest.mark.parametrize("ending", ["a hang-up", "the passing fault"])
async def test_nothing_is_tried_again_once_any_event_has_come(quick, event, ending):
    fault = b'data: {"error":{"message":"The model: `gpt-4` does not exist"}}\n\n'
    steps = [CHUNKED + chunk(event), 0.02, None if ending == "a hang-up" else chunk(fault)]
    async with raw_server(*[[*steps, None]] * 3) as (url, connections):
        with pytest.raises(asyncllm.AsyncLLMError):
            await Lockchat(base_url=url, sessions=quick).complete("Hello")
        assert len(connections) == 1


# --- how often ----------------------------------------------------------------------------------


@pytest.mark.parametrize("attempts", [1, 2, 4])
@every_wire
async def test_no_more_attempts_are_made_than_the_policy_says(sandbox, caplog, wire, attempts):
    caplog.set_level(logging.INFO, logger="asyncllm")
    sandbox.add_fault(Status(status=503))
    retry = Retry(attempts=attempts, initial_wait=0.001, max_wait=0.002)
    async with SessionManager(retry=QUICK) as manager:
        with pytest.raises(asyncllm.ServerError):
            await on_wire(wire, sandbox.url, sessions=manager, retry=retry).complete("Hello")
    assert asked(sandbox) == attempts
    assert sandbox.conversations == 0
    said = attempts_logged(caplog)
    if attempts == 1:
        assert said == []
    else:
        assert len(said) >= attempts - 1
        assert f"attempt 1 of {attempts} failed: POST {sandbox.url}" in said[0]
        assert f"attempt {attempts - 1} of {attempts}" in "".join(said)
        assert all("503" in line for line in said)


@pytest.mark.parametrize(
    "fault",
    [Status(status=429, retry_after=0), Status(status=500), ModelDoesNotExist(times=None)],
    ids=["429", "500", "lockchat's fault"],
)
async def test_one_attempt_turns_retrying_off(sandbox, fault):
    sandbox.add_fault(fault)
    async with SessionManager(retry=Retry(attempts=1)) as manager:
        with pytest.raises(asyncllm.HTTPStatusError):
            await Lockchat(base_url=sandbox.url, sessions=manager).complete("Hello")
    assert asked(sandbox) == 1


@every_wire
async def test_one_attempt_means_one_connect(wire, caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    caplog.set_level(logging.INFO)
    with pytest.raises(asyncllm.TransportError, match="cannot connect"):
        await on_wire(wire, url, retry=Retry(attempts=1)).complete("Hello")
    assert attempts_logged(caplog) == []


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_hang_up_amid_waiting_is_an_attempt_also_on_a_used_connection(attempts):
    whole = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    retry = Retry(attempts=attempts, initial_wait=0.001, max_wait=0.002)
    answers = [[CHUNKED, chunk(whole), b"0\r\n\r\n"], *[[0.2, None]] * 5]
    async with raw_server(*answers) as (url, connections), SessionManager(retry=retry) as manager:
        llm = OpenAICompatible(base_url=url, model="m", sessions=manager)
        await llm.complete("warm up")
        with pytest.raises(asyncllm.TransportError):
            await llm.complete("Hello")
        assert len(connections) == attempts  # the first one served both


async def test_a_hang_up_at_once_is_sent_again_once_on_a_new_connection_and_logged(sandbox, caplog):
    caplog.set_level(logging.INFO)
    async with SessionManager(retry=Retry(attempts=1)) as manager:
        h2o = H2o(base_url=sandbox.url, sessions=manager)
        for _ in range(TRIES):  # on a busy machine "at once" may be too late
            await asyncio.gather(*(h2o.complete("warm up") for _ in range(8)))
            sandbox.add_fault(Drop(after=0, times=2))
            sandbox.requests.clear()
            with pytest.raises(asyncllm.TransportError):
                await h2o.complete("Hello")
            sandbox.clear_faults()
            asks = [r.headers.get("connection") for r in sandbox.requests if b"inputs" in r.body]
            if asks != [None]:
                break
    assert asks == [None, "close"]
    assert [r.message for r in caplog.records if "sent on a new one" in r.message]


async def test_every_failed_attempt_has_its_conversation_deleted(sandbox, quick):
    sandbox.add_fault(Status(status=503, times=2))
    await H2o(base_url=sandbox.url, sessions=quick).complete("Hello")
    assert asked(sandbox, "create") == 3
    assert asked(sandbox, "settings") == 1
    await quick.aclose()
    assert sandbox.conversations == 0
    deleted = [request for request in sandbox.requests if request.method == "DELETE"]
    assert len(deleted) == 3


async def test_a_retry_before_the_first_token_leaves_nothing_in_the_reply(sandbox, quick):
    sandbox.add_fault(Status(status=503, times=2))
    stream = H2o(base_url=sandbox.url, sessions=quick).stream("Hello")
    tokens = [token async for token in stream]
    assert stream.reply.text == "".join(tokens)
    assert tokens.count("This") == 1


# --- a lost session -----------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["create", "stream"])
async def test_a_lost_session_is_renewed_without_counting_as_an_attempt(sandbox, caplog, before):
    caplog.set_level(logging.INFO, logger="asyncllm")
    async with SessionManager(retry=Retry(attempts=1)) as manager:
        h2o = H2o(base_url=sandbox.url, sessions=manager)
        await h2o.complete("Hello")
        sandbox.add_fault(LoseSessions(before=before))
        assert (await h2o.complete("Hello")).finish_reason == "stop"
    assert asked(sandbox, "settings") == 2
    assert attempts_logged(caplog) == []
    assert sandbox.conversations == 0


@pytest.mark.parametrize(("failures", "is_enough"), [(1, True), (2, False)])
async def test_a_renewal_leaves_the_attempts_to_the_failures(sandbox, failures, is_enough):
    sandbox.add_fault(LoseSessions(before="stream"))
    # The hook's 405 comes before a refusal is looked for, and so uses none of them up.
    sandbox.add_fault(Status(status=503, times=failures))
    retry = Retry(attempts=2, initial_wait=0.001, max_wait=0.002)
    async with SessionManager(retry=retry) as manager:
        h2o = H2o(base_url=sandbox.url, sessions=manager)
        if is_enough:
            assert (await h2o.complete("Hello")).finish_reason == "stop"
        else:
            with pytest.raises(asyncllm.ServerError):
                await h2o.complete("Hello")
    assert asked(sandbox) == 3


@pytest.mark.parametrize("before", ["create", "stream"])
async def test_a_session_is_renewed_once_and_no_more(sandbox, quick, before):
    sandbox.add_fault(LoseSessions(before=before, times=None))
    with pytest.raises(asyncllm.HTTPStatusError) as caught:
        await H2o(base_url=sandbox.url, sessions=quick).complete("Hello")
    assert caught.value.status == 405
    assert asked(sandbox, before) == 2


@pytest.mark.parametrize("wire", ["openai", "gravityengine", "lockchat"])
async def test_a_405_means_nothing_to_other_wires(sandbox, quick, wire):
    sandbox.add_fault(Status(status=405))
    with pytest.raises(asyncllm.HTTPStatusError):
        await on_wire(wire, sandbox.url, sessions=quick).complete("Hello")
    assert asked(sandbox) == 1


# --- how long after -----------------------------------------------------------------------------


@asynccontextmanager
async def refusing(*head_lines):
    """Serve nothing but 503, with these lines in its head; give the times of the requests."""
    times, lines = [], "".join(f"{line}\r\n" for line in head_lines)

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
        times.append(asyncio.get_running_loop().time())
        writer.write(f"HTTP/1.1 503 Later\r\n{lines}Content-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", times


async def waits(*head_lines, **policy):
    """Return the seconds between the attempts at a server that refuses."""
    async with refusing(*head_lines) as (url, times):
        with pytest.raises(asyncllm.ServerError):
            await OpenAICompatible(base_url=url, retry=Retry(**policy)).complete("x")
    return [b - a for a, b in pairwise(times)]


async def hold_waits(expected, ask):
    """Hold that the waits that `ask()` returns are as expected; a busy machine has a few tries.

    Args:
        expected: pairs of the least and the most, in seconds.
        ask: returns the waits; called for each try.

    """
    for _ in range(TRIES):
        async with stolen_time() as stolen:
            seen = await ask()
        for wait, (least, _most) in zip(seen, expected, strict=True):
            assert wait >= least - 0.002
        late = 0.1 + stolen[0]
        if all(wait <= most + late for wait, (_, most) in zip(seen, expected, strict=True)):
            return
    pytest.fail(f"{seen} instead of {expected}, {late:.3f} s late")


async def test_waits_double_have_jitter_and_are_capped():
    expected = [(0.02, 0.04), (0.04, 0.06), (0.08, 0.1), (0.1, 0.1)]
    await hold_waits(expected, lambda: waits(attempts=5, initial_wait=0.02, max_wait=0.1))


async def test_two_clients_that_fail_together_do_not_come_back_together():
    async def ask():
        seen = await asyncio.gather(
            *(waits(attempts=2, initial_wait=0.2, max_wait=1) for _ in range(10))
        )
        firsts = sorted(wait for [wait] in seen)
        assert firsts[-1] - firsts[0] > 0.02
        return firsts

    await hold_waits([(0.2, 0.4)] * 10, ask)


@pytest.mark.parametrize(
    ("line", "least"),
    [
        ("Retry-After: 0.15", 0.15),
        ("retry-after: 0.15", 0.15),
        ("Retry-After-Ms: 150", 0.15),
        ("retry-after-ms: 150.5", 0.15),
        ("Retry-After: 3600", 0.3),
        ("retry-after-ms: 3600000", 0.3),
        (f"Retry-After: {formatdate(4102444800, usegmt=True)}", 0.3),
        (f"Retry-After: {formatdate(0, usegmt=True)}", None),
        ("Retry-After: 0", None),
        ("Retry-After: soon", None),
        ("Retry-After: -5", None),
        ("Retry-After:", None),
    ],
)
async def test_retry_after_is_waited_for_up_to_the_longest_wait(line, least):
    """A wish that can't be read, or is shorter than the back-off, leaves the wait to the policy."""
    expected = (0.05, 0.1) if least is None else (least, least)
    policy = {"attempts": 2, "initial_wait": 0.05, "max_wait": 0.3}
    await hold_waits([expected], lambda: waits(line, **policy))


@pytest.mark.parametrize(("status", "wish", "failed"), [(503, "false", 0), (400, "true", 3)])
@every_wire
async def test_a_server_that_says_whether_to_ask_again_is_obeyed(
    wire, status, wish, failed, caplog
):
    caplog.set_level(logging.INFO)
    head = f"HTTP/1.1 {status} No\r\nx-should-retry: {wish}\r\nContent-Length: 0\r\n\r\n"
    async with (
        raw_server(*[[head.encode()]] * 9) as (url, _),
        SessionManager(retry=QUICK, grace=0.1) as manager,
    ):
        with pytest.raises(asyncllm.HTTPStatusError) as caught:
            await on_wire(wire, url, sessions=manager).complete("Hello")
    assert (caught.value.status, caught.value.is_passing) == (status, wish == "true")
    assert len(attempts_logged(caplog)) == failed


async def test_retry_after_as_a_date_that_comes_is_waited_for():
    soon = formatdate(time.time() + 4, usegmt=True)  # in whole seconds
    async with refusing(f"Retry-After: {soon}") as (url, _):
        with pytest.raises(asyncllm.ServerError) as caught:
            await OpenAICompatible(base_url=url, retry=Retry(attempts=1)).complete("x")
    assert 1 < caught.value.retry_after <= 4


async def test_milliseconds_come_before_seconds_and_seconds_stand_in_for_what_can_t_be_read():
    policy = {"attempts": 2, "initial_wait": 0.001, "max_wait": 0.3}
    lines = "Retry-After: 3600", "retry-after-ms: 100"
    await hold_waits([(0.1, 0.1)], lambda: waits(*lines, **policy))


async def test_a_bad_retry_after_ms_does_not_hide_retry_after():
    policy = {"attempts": 2, "initial_wait": 0.001, "max_wait": 0.3}
    [wait] = await waits("Retry-After: 0.2", "retry-after-ms: soon", **policy)
    assert wait >= 0.198


async def test_being_cancelled_while_waiting_ends_at_once():
    async with refusing("Retry-After: 20") as (url, times):
        task = asyncio.create_task(OpenAICompatible(base_url=url).complete("x"))
        async with asyncio.timeout(15):
            while not times:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert len(times) == 1


async def test_closing_while_waiting_ends_at_once():
    async with refusing("Retry-After: 20") as (url, times):
        stream = OpenAICompatible(base_url=url).stream("x")
        reader = asyncio.create_task(stream.collect())
        async with asyncio.timeout(15):
            while not times:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.02)
            await stream.aclose()
            with pytest.raises(asyncllm.StreamInterrupted):
                await reader
        assert len(times) == 1


# --- what the log says --------------------------------------------------------------------------


@every_wire
async def test_each_failed_attempt_is_seen_in_the_log_and_holds_no_secret(
    sandbox, quick, wire, caplog
):
    caplog.set_level(logging.DEBUG)
    sandbox.add_fault(Status(status=503, message="the key canary-key is busy", times=2))
    llm = on_wire(wire, sandbox.url, sessions=quick, api_key="canary-key")
    await llm.complete("Hello")
    said = attempts_logged(caplog)
    assert len(said) == 2
    assert f"{type(llm).__name__}: attempt 2 of 3 failed: POST {sandbox.url}" in said[1]
    assert "canary" not in caplog.text


async def test_endless_pings_before_a_fault_are_no_attempt(sandbox, quick):
    sandbox.add_fault(PingForever(after=0, times=1))
    async with on_wire("openai", sandbox.url, sessions=quick).stream("Hello") as stream:
        async for item in stream.events():
            assert isinstance(item, asyncllm.Ping)
            break
    assert asked(sandbox) == 1
