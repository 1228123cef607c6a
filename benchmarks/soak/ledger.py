"""What the streams of the soak asked, were answered and had deleted, and what of it was wrong."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from benchmarks.soak.verdicts import ENDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm import AsyncLLMError
    from asyncllm.sandbox import Request
    from benchmarks.soak.plans import Plan

_NUMBER = re.compile(rb"stream-(\d+)")
_UNSURE = re.compile(  # of the SDK's log: a server may have made what nobody knows of
    r"creating a conversation on https?://127\.0\.0\.1:(\d+): (?:the answer was lost|no answer in)"
    r"|POST https?://127\.0\.0\.1:(\d+)/conversation: the kept connection had been closed"
)
_LEFT = re.compile(  # of the SDK's log: what a closing manager could not delete
    r".*https?://127\.0\.0\.1:(\d+)\S*: not deleted(?: within|: (?!.* tried again$))"
    r"|not deleted, though tried again and again.*://127\.0\.0\.1:(\d+)"
)
_NAMES_KEPT = 1000  # for requests that overtake each other on their connections
_LONGEST = 60.0  # seconds: a stream may last for 30, and so may the deletion behind it


class Ledger:
    """What was started, asked, answered and deleted, and what of it was wrong.

    Attributes:
        ends: how many streams ended in which way.
        steps: how many requests of which kind came, and how many streams had any text.
        failures: how many streams failed with which error.
        events: what befell the server, and how many warnings were logged.
        faults: how many of which kind were declared.
        trials: how many rounds of which trial there were.
        unsure: for each port, how often the log said that a conversation may have been made there
            of which nobody knows until the session manager closes.
        lost: for each port, how many of these are there for good.
        told: the ports of which a closing manager said that it could not delete all there.
        violations: what must not be, each beginning with its kind and a colon.

    """

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.trials: Counter[str] = Counter()
        self.unsure: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.told: set[str] = set()
        self.violations: list[str] = []
        self._begun = 0
        self._asked: dict[int, int] = {}  # how often, for each stream that runs
        self._heard: set[int] = set()  # the streams that run and have text
        # Conversations whose deletion was not asked for, and since when they are used.
        self._used: dict[str, float] = {}
        self._deleted: deque[str] = deque(maxlen=_NAMES_KEPT)
        self._stopped: deque[str] = deque(maxlen=_NAMES_KEPT)

    @property
    def uncounted(self) -> int:
        """How many streams did not end in one of the four ways, or not at all."""
        return self._begun - sum(self.ends[end] for end in ENDS)

    @property
    def undeleted(self) -> int:
        """How many conversations were used and never asked to be deleted."""
        return len(self._used)

    def complain(self, words: str) -> None:
        """Note what must not be."""
        self.violations.append(words)

    def listen(self, line: str, *, is_warning: bool) -> None:
        """Note what the SDK logs."""
        self.events["warnings logged"] += is_warning
        if found := _UNSURE.match(line):
            port = found[1] or found[2]
            self.unsure[port] += 1
            self.lost[port] += "there still" in line
        if found := _LEFT.match(line):
            self.told.add(found[1] or found[2])

    def fail(self, error: AsyncLLMError | None) -> None:
        """Note with which error a stream failed, if with any."""
        if error is not None:
            self.failures[f"{type(error).__name__}{getattr(error, 'status', '')}"] += 1

    def begin(self, plan: Plan) -> None:
        """Note that a stream starts."""
        self._begun += 1
        self._asked[plan.number] = 0

    def hear(self, plan: Plan) -> None:
        """Note that a stream has its first text: it must not be asked for again."""
        self._heard.add(plan.number)

    def end(self, plan: Plan, end: str) -> int:
        """Note how a stream ended, and return how often it was asked for."""
        self.ends[end] += 1
        self._heard.discard(plan.number)
        return self._asked.pop(plan.number, 0)

    def read(self, requests: Iterable[Request]) -> None:
        """Enter the requests that the server has seen."""
        for request in requests:
            parts = request.path.strip("/").split("/")
            match request.method, parts:
                case "POST", ["conversation", name]:
                    self.steps["asked"] += 1
                    self._use(name)
                    self._ask(request.body)
                case "POST", [*_, "completions"]:
                    self.steps["asked"] += 1
                    self._ask(request.body)
                case "POST", [_, name, "stop-generating"]:
                    self.steps["stops"] += 1
                    self._stopped.append(name)
                case "DELETE", [_, name]:
                    self.steps["deletions"] += 1
                    self._used.pop(name, None)
                    self._deleted.append(name)
                case _:
                    self.steps["creations" if parts == ["conversation"] else parts[-1]] += 1

    def check_conversations(self, existing: int, most_unused: int) -> None:
        """Complain of conversations that nobody needs any more, while streams run.

        Args:
            existing: how many the server has.
            most_unused: how many of them may not be in use (yet, or any more).

        """
        if existing > len(self._used) + most_unused:
            self.complain(f"conversations pile up: {existing}, of them used {len(self._used)}")
        name, since = next(iter(self._used.items()), ("", time.monotonic()))
        if time.monotonic() > since + _LONGEST:
            del self._used[name]
            self.complain(f"a conversation is not deleted while other streams run: {name}")

    def _use(self, name: str) -> None:
        self.steps["asked again"] += name in self._used
        self.steps["overtaken by its stop"] += name in self._stopped
        if name not in self._deleted:
            self._used.setdefault(name, time.monotonic())

    def _ask(self, body: bytes) -> None:
        found = _NUMBER.search(body)
        number = int(found[1]) if found else -1
        if number in self._asked:
            self._asked[number] += 1
            if number in self._heard:
                self.complain(f"it was asked again after its first text: stream {number}")
