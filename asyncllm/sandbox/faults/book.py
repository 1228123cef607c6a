"""Which of the declared faults is due next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from asyncllm.sandbox.faults.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from asyncllm.sandbox.faults.fault import Step

F = TypeVar("F", bound=Fault)


@dataclass
class _Use:
    """How many more requests a fault applies to; `None` for every one."""

    fault: Fault
    left: int | None


class FaultBook:
    """The declared faults, and which of them is due next; one that is used up is forgotten.

    `take` is for one thread, the rest for any.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._uses: list[_Use] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Declare one more; it comes after those of its kind that are already there."""
        if fault.times != 0:
            self._uses.append(_Use(fault, fault.times))

    def clear(self) -> None:
        """From now on no fault applies."""
        self._uses = []

    def take(self, kind: type[F], step: Step, fields: Container[str] = ()) -> F | None:
        """Find the first fault of this kind that is due for a request, and count it as used.

        `fields` are those of the request's JSON body.
        """
        uses = self._uses  # it may be cleared meanwhile
        for place, use in enumerate(uses):
            fault = use.fault
            if not isinstance(fault, kind) or fault.step not in {step, "any"}:
                continue
            if fault.body_field is None or fault.body_field in fields:
                if use.left is not None:
                    use.left -= 1
                    if use.left == 0:
                        del uses[place]
                return fault
        return None
