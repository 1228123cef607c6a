"""Thousands of streams under faults, cancellations and restarts, and a look at what is left.

`python -m benchmarks.soak --seconds 60` starts streams of every wire against a sandbox that shows
random faults and is restarted at random, ends them in every way there is, and checks of each one
that it ended in one of the four ways with its own text, once, in order, and whole where it says
so; of all of them, that nothing is left. `--cancel-only 10000` only cancels and closes, at random
moments. The exit status is 0 if all is well. It needs `/proc`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import random
import re
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from asyncllm import (
    AsyncLLMError,
    Gravityengine,
    H2o,
    Lockchat,
    OpenAICompatible,
    Retry,
    SessionManager,
    Timeouts,
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
    LoseSessions,
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
    SlowAnswer,
    SlowCreate,
    Stall,
    Status,
    Truncate,
    Usage,
)
from asyncllm.sandbox.answers import answer_to
from asyncllm.sandbox.background import running_in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from asyncllm import Stream
    from asyncllm.sandbox import Fault, Request
    from asyncllm.sandbox.faults import Step

_NUMBER = re.compile(rb"stream-(\d+)")
_ENDS = ("finished", "closed", "cancelled", "failed")
_EARLY = ("break", "aclose", "cancel", "cancel", "cancel", "scope", "scope", "timeout", "drop")
_WAYS = (*_EARLY, "finish", "finish", "finish", "finish")
_STYLES = ("collect", "tokens", "events", "read")
_PROMPTS = ("Hello from {}", "Привет, это {}", "Stream {} says hi 👋", "{}\u2028 data: {{}}")
_STEPS = {"conversation": "creations", "stop-generating": "stops"}
_PROVIDERS = (H2o, H2o, H2o, H2o, OpenAICompatible, Lockchat, Gravityengine)
_RTT, _TOKEN_RATE = 0.005, 200.0
_MOMENT = 0.15  # seconds: streams ended early are ended within them
_BIG = 100_000  # characters of a big event
_ALONE = 0.03  # the part of the streams that have no session manager
_FAULTY = 0.6  # faults for each stream; most befall a stream, some another step
_FAULTS_KEPT = 50  # the sandbox does not forget faults that it has shown
_PATIENCE = 30.0  # seconds in which any stream must end, and all that is left must go
_FLAT = 1.1, 8.0  # the most that memory may grow to: as a factor, and in MiB above it
_SHOWN = 20  # violations
_ATTEMPTS = 3
_PATIENT = Retry(attempts=8, initial_wait=0.05, max_wait=1.0)  # for deleting, across a restart


@dataclass(frozen=True)
class Plan:
    """One stream: what it asks, where, and how it is to end.

    Attributes:
        number: which one; a part of its prompt, so that its text is no other's.
        way: how it is ended, by one of `_WAYS`.
        style: how it is read, by one of `_STYLES`.
        moment: seconds until it is ended, where it is ended by time.
        tokens: how many to read, where it is ended by count.
        limit: `max_tokens`, or None.

    """

    number: int
    way: str
    style: str
    moment: float
    tokens: int
    limit: int | None
    prompt: str

    @classmethod
    def draw(cls, number: int, ways: tuple[str, ...], dice: random.Random) -> Plan:
        """Return a random one."""
        way = dice.choice(ways)
        return cls(
            number=number,
            way=way,
            style=dice.choice(_STYLES[1:] if way in {"break", "drop"} else _STYLES),
            moment=dice.uniform(0, _MOMENT),
            tokens=dice.randrange(1, 15),
            limit=dice.choice((None, None, None, dice.randrange(1, 30))),
            prompt=dice.choice(_PROMPTS).format(f"stream-{number}"),
        )

    @property
    def whole_texts(self) -> tuple[str, str]:
        """The whole answer, without and with a `BigEvent`."""
        answer = answer_to(self.prompt, limit=self.limit)
        return answer.text, answer.beginning_with("A" * _BIG).text


class Ledger:
    """What was started, asked, answered and deleted, and what of it was wrong."""

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.violations: list[str] = []
        self._asked: dict[int, int] = {}  # how often, for each stream that runs
        self._heard: set[int] = set()  # the streams that run and have text
        self._used: set[str] = set()  # conversations of this life of the server
        self._deleted: set[str] = set()

    def complain(self, words: str) -> None:
        """Note what must not be."""
        self.violations.append(words)

    def begin(self, plan: Plan) -> None:
        """Note that a stream starts."""
        self._asked[plan.number] = 0

    def end(self, plan: Plan, end: str) -> int:
        """Note how a stream ended, and return how often it was asked for."""
        self.ends[end] += 1
        self._heard.discard(plan.number)
        return self._asked.pop(plan.number)

    def hear(self, plan: Plan) -> None:
        """Note that a stream has its first text: it must not be asked for again."""
        self._heard.add(plan.number)

    def read(self, requests: Iterable[Request]) -> None:
        """Enter the requests that the server has seen."""
        for request in requests:
            parts = request.path.strip("/").split("/")
            match request.method, parts:
                case "POST", ["conversation", name]:
                    self.steps["asked"] += 1
                    self.steps["asked again"] += name in self._used
                    self._used.add(name)
                    self._ask(request.body)
                case "POST", [*_, "completions"]:
                    self.steps["asked"] += 1
                    self._ask(request.body)
                case "DELETE", [_, name]:
                    self.steps["deletions"] += 1
                    self._deleted.add(name)
                case _:
                    self.steps[_STEPS.get(parts[-1], parts[-1])] += 1

    def forget(self) -> None:
        """Note that the server has lost its memory."""
        self._used.clear()
        self._deleted.clear()

    def undeleted(self) -> set[str]:
        """Return the conversations that were used and whose deletion was never asked for."""
        return self._used - self._deleted

    def _ask(self, body: bytes) -> None:
        found = _NUMBER.search(body)
        number = int(found[1]) if found else -1
        if number in self._asked:
            self._asked[number] += 1
            if number in self._heard:
                self.complain(f"it was asked again after its first text: stream {number}")


class Server:
    """One sandbox after another, on one port and a thread of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._life = ExitStack()
        self._declared = 0
        self._port = 0
        self.sandbox = self._begin()

    def declare(self, fault: Fault) -> None:
        """Have the sandbox show a fault."""
        self._declared += 1
        if self._declared % _FAULTS_KEPT == 0:
            self.sandbox.clear_faults()
        self.sandbox.add_fault(fault)
        self._ledger.faults[type(fault).__name__] += 1

    def read(self) -> None:
        """Enter what was asked since the last time."""
        requests = self.sandbox.requests
        self._ledger.read(requests.popleft() for _ in range(len(requests)))

    async def lose_sessions(self) -> None:
        """Forget settings and conversations."""
        self.read()
        self.sandbox.lose_sessions()
        self._ledger.forget()
        self._ledger.events["lost sessions"] += 1

    async def restart(self) -> None:
        """Break every connection and be away for a moment."""
        await asyncio.to_thread(self.close)
        self.read()
        self._ledger.forget()
        self.sandbox = await asyncio.to_thread(self._begin)
        self._ledger.events["restarts"] += 1

    def close(self) -> None:
        """End the sandbox and its thread."""
        self._life.close()

    def _begin(self) -> Sandbox:
        sandbox = Sandbox(port=self._port, rtt=_RTT, token_rate=_TOKEN_RATE)
        self._life.enter_context(running_in_background(sandbox))
        self._port = sandbox.port
        return sandbox


def some_fault(dice: random.Random) -> Fault:
    """Return a random fault, to be shown once."""
    return dice.choice((*_breaks(dice), *_refusals(dice), *_delays(dice), *_habits(dice)))


def _breaks(dice: random.Random) -> tuple[Fault, ...]:
    after, coin = dice.randrange(15), dice.choice((True, False))
    return (
        Drop(after=after, reset=coin, times=1),
        Stall(after=after, times=1),
        PingForever(after=after, times=1),
        ErrorInStream(after=after, named_event=coin, times=1),
        Truncate(after=after, times=1),
        BadJson(after=after, times=1),
    )


def _refusals(dice: random.Random) -> tuple[Fault, ...]:
    """Only passing ones befall deletions, which are tried again."""
    refused = dice.choice((400, 401, 404, 405, 408, 413, 422, 429, 500, 502, 503))
    before: Step = dice.choice(("settings", "create", "stream"))
    ending: Step = dice.choice(("stop", "delete"))
    return (
        Status(status=refused, on=before, times=1),
        Status(status=429, retry_after=dice.uniform(0, 0.2), times=1),
        Status(status=dice.choice((429, 500, 503)), on=ending, times=1),
        DetailError(times=1),
        PlainError(on=before, times=1),
        HtmlPage(on=before, times=1),
        EmptyBody(on=before, times=1),
        RefuseField(times=1),
        ModelDoesNotExist(form=dice.choice(("line", "data", "json"))),
    )


def _delays(dice: random.Random) -> tuple[Fault, ...]:
    wait = dice.uniform(0, 0.2)
    slow: Step = dice.choice(("settings", "create", "stream", "stop", "delete"))
    before: Step = dice.choice(("settings", "create", "stream"))
    # One of them befalls many streams.
    losses = [LoseSessions(before=before)] if dice.randrange(8) == 0 else []
    return SlowCreate(seconds=wait, times=1), SlowAnswer(seconds=wait, on=slow, times=1), *losses


def _habits(dice: random.Random) -> tuple[Fault, ...]:
    framing = Framing(
        kind=dice.choice(
            ("crlf", "cr", "no_space", "multi_line", "id_retry", "comments", "bom", "one_byte")
        ),
        times=1,
    )
    return (
        framing,
        BigEvent(size=_BIG, times=1),
        PlainJson(times=1),
        Usage(position=dice.choice(("last", "finish", "with_choices", "never")), times=1),
        NoDone(times=1),
        NoFinishReason(times=1),
        NullContent(times=1),
        ReasoningField(times=1),
    )


class Soak:
    """One run.

    Args:
        options: what the command line asks for.
        ledger: where everything is entered.
        server: who answers.

    """

    def __init__(self, options: argparse.Namespace, ledger: Ledger, server: Server) -> None:
        self._options = options
        self._is_rough = options.cancel_only is None
        self._ledger = ledger
        self._server = server
        self._dice = random.Random(options.seed)  # noqa: S311 - nothing is secret
        self._numbers = count()
        self._started = time.monotonic()
        self.sessions = SessionManager(retry=_PATIENT, spare_conversations=3, grace=_PATIENCE)
        self.warm_memory = 0.0

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        if self._options.cancel_only is not None:
            ended_early = self._ledger.ends["cancelled"] + self._ledger.ends["closed"]
            return ended_early / float(self._options.cancel_only)
        return (time.monotonic() - self._started) / float(self._options.seconds)

    async def run(self) -> None:
        """Start streams until it is time, close the manager while they run, and look around."""
        callers = [asyncio.create_task(self._call()) for _ in range(self._options.concurrency)]
        restarting = asyncio.create_task(self._restart()) if self._is_rough else None
        while self.progress < 1 and not all(caller.done() for caller in callers):
            await asyncio.sleep(0.05)
            self._server.read()
            if self.progress >= 1 / 4 and not self.warm_memory:
                self.warm_memory = memory()
        if restarting is not None:
            await restarting
        self._server.sandbox.clear_faults()
        await self.sessions.aclose()
        await asyncio.gather(*callers)

    async def _call(self) -> None:
        """Do one stream after the other."""
        for number in self._numbers:
            if self.progress >= 1:
                return
            plan = Plan.draw(number, _WAYS if self._is_rough else _EARLY, self._dice)
            stream = self._stream(plan)
            if self._is_rough and self._dice.random() < _FAULTY:
                self._server.declare(some_fault(self._dice))
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._follow(plan, stream)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - one too many
                self._ledger.ends["otherwise"] += 1
                self._ledger.complain(
                    f"it ended by {type(error).__name__}: {error} {plan} {stream}"
                )

    async def _restart(self) -> None:
        """Take the server's memory away, or the server, at random moments."""
        while True:
            await asyncio.sleep(self._dice.uniform(0.5, 3))
            if self.progress > 0.95:  # noqa: PLR2004 - the last life is to end as it should
                return
            losing = self._server.lose_sessions, self._server.restart
            await self._dice.choice(losing)()

    def _stream(self, plan: Plan) -> Stream:
        dice = self._dice
        kind = dice.choice(_PROVIDERS)
        is_alone = self._is_rough and dice.random() < _ALONE
        provider = kind(
            base_url=self._server.sandbox.url + ("/v1" if kind is OpenAICompatible else ""),
            model="gpt-4o" if kind is OpenAICompatible else None,
            sessions=None if is_alone else self.sessions,
            retry=_PATIENT if is_alone else Retry(attempts=_ATTEMPTS, initial_wait=0.02),
            timeouts=Timeouts(
                first_token=5.0 if self._is_rough and not is_alone else _PATIENCE / 2,
                stall=0.5 if self._is_rough else _PATIENCE / 2,
                total=dice.choice((None, None, None, 1.0)) if self._is_rough else None,
            ),
        )
        return provider.stream(plan.prompt, max_tokens=plan.limit or 1024)

    def _hear(self, plan: Plan) -> None:
        self._server.read()
        self._ledger.hear(plan)

    async def _follow(self, plan: Plan, stream: Stream) -> None:
        hearing = Hearing(partial(self._hear, plan))
        error: AsyncLLMError | None = None
        is_cancelled = False
        self._ledger.begin(plan)
        try:
            is_cancelled = await use(stream, plan, hearing)
        except AsyncLLMError as failure:
            error = failure
        seen = "".join(hearing.tokens)
        end, wrong = judge(stream, plan, seen, error, is_cancelled=is_cancelled)
        self._server.read()
        asked = self._ledger.end(plan, end)
        if error is not None:
            status = getattr(error, "status", "")
            self._ledger.failures[f"{type(error).__name__}{status}"] += 1
        if seen and not asked:
            wrong.append("it has text that was not asked for")
        if plan.way != "drop":
            wrong += await look_again(stream, error)
        for words in wrong:
            self._ledger.complain(f"{words}: {plan} {end} {error!r} {stream.reply}")


class Hearing:
    """The text that a caller has seen.

    Args:
        on_first: called when the first of it comes.

    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self.tokens: list[str] = []
        self._on_first = on_first

    def add(self, tokens: list[str]) -> None:
        """Add what has come."""
        if not self.tokens and tokens:
            self._on_first()
        self.tokens += tokens


async def use(stream: Stream, plan: Plan, hearing: Hearing) -> bool:
    """Read a stream and end it as planned; tell whether it was cancelled.

    Raises:
        AsyncLLMError: the stream failed.

    """
    reading = read(stream, plan, hearing)
    match plan.way:
        case "aclose" | "cancel":
            reader = asyncio.create_task(reading)
            await asyncio.sleep(plan.moment)
            if plan.way == "aclose":
                await stream.aclose()
            else:
                reader.cancel()
            await asyncio.wait([reader])
            if not reader.cancelled():
                reader.result()
            return reader.cancelled()
        case "scope":
            with anyio.move_on_after(plan.moment) as scope:
                await reading
            return scope.cancelled_caught
        case "timeout":
            try:
                async with asyncio.timeout(plan.moment):
                    await reading
            except AsyncLLMError:
                raise  # a StreamTimeout is a TimeoutError too
            except TimeoutError:
                return True
        case "break":
            async with stream:
                await reading
        case _:
            await reading
    return False


async def read(stream: Stream, plan: Plan, hearing: Hearing) -> None:
    """Read in the plan's style, to the end or as many tokens as planned."""
    most = plan.tokens if plan.way in {"break", "drop"} else sys.maxsize
    match plan.style:
        case "collect":
            await stream.collect()
        case "read":
            while len(hearing.tokens) < most and (tokens := await stream.read()):
                hearing.add(tokens)
        case "events":
            async for item in stream.events():
                hearing.add([item] if isinstance(item, str) else [])
                if len(hearing.tokens) >= most:
                    break
        case _:
            async for token in stream:
                hearing.add([token])
                if len(hearing.tokens) >= most:
                    break


def judge(
    stream: Stream, plan: Plan, seen: str, error: AsyncLLMError | None, *, is_cancelled: bool
) -> tuple[str, list[str]]:
    """Return how a stream ended, and what is wrong with that."""
    reply, whole = stream.reply, plan.whole_texts
    is_cut = reply.finish_reason in {None, "cancelled"}
    end, wrong = "closed" if is_cut else "finished", list[str]()
    if is_cancelled:
        end = "cancelled"
    elif error is not None and reply.finish_reason != "cancelled":
        end = "failed"
    if not is_cut and reply.text not in whole:
        wrong.append("it says that it is whole, and is not")
    if not any(text.startswith(reply.text) for text in whole):
        wrong.append("its text is not the beginning of its answer")
    if not reply.text.startswith(seen):
        wrong.append("its caller has seen another text than it says")
    if (
        end == "finished"
        and plan.way == "finish"
        and plan.style != "collect"
        and seen != reply.text
    ):
        wrong.append("its caller has not seen all of it")
    if end == "failed" and (error is None or error.reply != reply or not is_cut):
        wrong.append("its error has another reply than itself")
    if end == "cancelled" and " running" in repr(stream):
        wrong.append("it runs on")
    if is_cut and plan.way == "finish" and error is None:
        wrong.append("it was cut off silently")
    return end, wrong


async def look_again(stream: Stream, error: AsyncLLMError | None) -> list[str]:
    """Return what is wrong with a stream that has ended and is iterated again."""
    await stream.aclose()
    before = stream.reply
    again: AsyncLLMError | None = None
    items = []
    try:
        items = [item async for item in stream.events()]
    except AsyncLLMError as failure:
        again = failure
    wrong = ["it gives more after its end"] if items or stream.reply != before else []
    if again is not error and before.finish_reason is None:
        wrong.append(f"iterated again it says {again!r}")
    if error is None and before.finish_reason is None:
        wrong.append("it does not say how it ended")
    return wrong


def memory() -> float:
    """Return the resident memory of this process, in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def generations(sandbox: Sandbox) -> int:
    """Wait for answers that are still being generated, and return how many go on."""
    deadline = time.monotonic() + 1
    while sandbox.generating and time.monotonic() < deadline:  # noqa: ASYNC110 - another thread's
        await asyncio.sleep(0.01)
    return sandbox.generating


async def settle() -> int:
    """Wait until no task but this one is left, and return how many there still are."""
    deadline, left, quiet = time.monotonic() + 10, 0, 0
    # What the garbage collector finds begins to end one turn of the loop later.
    while quiet < 3 and time.monotonic() < deadline:  # noqa: PLR2004
        gc.collect()
        await asyncio.sleep(0.02)
        left = len(asyncio.all_tasks()) - 1
        quiet = 0 if left else quiet + 1
    return left


@dataclass(frozen=True)
class Left:
    """What is there after the end: conversations, tasks, descriptors and memory in MiB."""

    conversations: int
    undeleted: int
    generating: int
    tasks: int
    descriptors: tuple[int, int]
    memory: tuple[float, float]

    def complaints(self) -> Iterator[str]:
        """Say what of it should not be there."""
        for name in ("conversations", "undeleted", "tasks"):
            if left := getattr(self, name):
                yield f"{left} {name} are left"
        before, after = self.descriptors
        if after > before:
            yield f"{after - before} descriptors are left"
        warm, last = self.memory
        factor, above = _FLAT
        if last > warm * factor + above:
            yield f"memory has grown from {warm:.0f} to {last:.0f} MiB"


async def soak(options: argparse.Namespace, ledger: Ledger) -> Left:
    """Do one run and look at what is left."""
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: ledger.complain(f"the event loop says {context['message']}: {context}")
    )
    open_before = descriptors()
    server = Server(ledger)
    run = Soak(options, ledger, server)
    await run.run()
    last_memory = memory()
    tasks = await settle()
    server.read()
    conversations, generating = server.sandbox.conversations, await generations(server.sandbox)
    if generating and options.cancel_only:  # elsewhere a refused stop leaves what a fault stalled
        ledger.complain(f"{generating} generations run on")
    await asyncio.to_thread(server.close)
    return Left(
        conversations=conversations,
        undeleted=len(ledger.undeleted()),
        generating=generating,
        tasks=tasks,
        descriptors=(open_before, descriptors()),
        memory=(run.warm_memory, last_memory),
    )


def main() -> int:
    """Run what the command line asks for; 1 if anything is wrong."""
    options = _options()
    ledger = Ledger()
    sys.unraisablehook = lambda what: ledger.complain(f"unraisable: {what.exc_value!r}")
    logging.getLogger("asyncllm").addHandler(_Counting(ledger))
    logging.getLogger("asyncllm").propagate = False
    began = time.monotonic()
    left = asyncio.run(soak(options, ledger))
    gc.collect()
    for words in left.complaints():
        ledger.complain(words)
    if sum(ledger.ends.values()) != sum(ledger.ends[end] for end in _ENDS):
        ledger.complain("not every stream ended in one of the four ways")
    sys.stdout.write(_report(ledger, left, time.monotonic() - began, options.seed))
    return 1 if ledger.violations else 0


class _Counting(logging.Handler):
    """Counts warnings rather than showing them: that a deletion failed, mostly in a restart."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.WARNING)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        self._ledger.events["warnings logged"] += 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to start streams")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of all that is random")
    parser.add_argument("--concurrency", type=int, default=100, help="streams at a time")
    parser.add_argument(
        "--cancel-only",
        type=int,
        metavar="N",
        help="rather than --seconds: so many streams, without faults and restarts, none of them "
        "left to its end",
    )
    return parser.parse_args()


def _report(ledger: Ledger, left: Left, seconds: float, seed: int) -> str:
    """Return the table and the summary."""
    before, after = left.descriptors
    warm, last = left.memory
    rows: list[tuple[str, object]] = [
        ("streams", ledger.ends),
        ("failures", ledger.failures),
        ("requests", ledger.steps),
        ("faults declared", ledger.faults),
        ("the server", ledger.events),
        ("conversations left", f"{left.conversations}, never deleted {left.undeleted}"),
        ("tasks left", f"{left.tasks}, generations {left.generating}"),
        ("descriptors", f"{before} before, {after} after"),
        ("memory", f"{warm:.1f} MiB at 25 %, {last:.1f} MiB at 100 %"),
    ]
    lines = [f"{name:<20}{_words(value)}" for name, value in rows]
    kinds = Counter(words.partition(": ")[0] for words in ledger.violations)
    lines += [f"VIOLATION, {number} times: {kind}" for kind, number in kinds.most_common()]
    lines += [f"    {words}" for words in ledger.violations[:_SHOWN]]
    verdict = f"{len(ledger.violations)} violations" if ledger.violations else "all is well"
    streams = sum(ledger.ends.values())
    lines.append(f"{streams} streams in {seconds:.0f} s, seed {seed}: {verdict}")
    return "\n".join([*lines, ""])


def _words(value: object) -> str:
    if isinstance(value, Counter):
        return f"{value.total()}: {', '.join(f'{n} {name}' for name, n in value.most_common())}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
