"""What servers with OpenAI's wire want back with tool calls: the signatures of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.openai_details import merged
from asyncllm.sandbox.wires.openai_errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_CALLS = 1000
_OF_A_CALL = ("extra_content",)


@dataclass(frozen=True)
class _Demand:
    """What must come back with a call: in its message, and in the call itself."""

    of_message: JSON
    of_call: JSON


class Demands:
    """What the newest answers want back, by the ids of their calls; at most 1,000 of these."""

    def __init__(self) -> None:
        self._by_call: dict[object, _Demand] = {}

    def remember(self, message: JSON, demanded: Iterable[str]) -> None:
        """Remember an answer's message; a demand for the same call that is older is forgotten.

        Args:
            message: with its tool calls, if it has any.
            demanded: the message's fields that must come back; signatures of calls always must.

        """
        of_message = {name: message[name] for name in demanded}
        for call in map(object_in, list_in(message.get("tool_calls"))):
            of_call = {name: call[name] for name in _OF_A_CALL if name in call}
            self._by_call.pop(call["id"], None)
            if of_message or of_call:
                self._by_call[call["id"]] = _Demand(of_message, of_call)
        for oldest in [*self._by_call][:-_MOST_CALLS]:
            del self._by_call[oldest]

    def check(self, messages: Sequence[object]) -> None:
        """See that calls which come back have with them what they must have.

        Raises:
            RequestError: something is missing, or is another than it was.

        """
        for place, message in enumerate(map(object_in, messages)):
            for number, call in enumerate(list_in(message.get("tool_calls"))):
                given = object_in(call)
                demand = self._by_call.get(str(given.get("id")))
                if demand is not None:
                    _compare(demand.of_message, message, f"messages[{place}]")
                    _compare(demand.of_call, given, f"messages[{place}].tool_calls[{number}]")


def _compare(wanted: JSON, given: JSON, where: str) -> None:
    for name, value in wanted.items():
        there = given.get(name)
        # Details may come back in pieces, as they were sent.
        if value != (merged(there) if name == "reasoning_details" else there):
            fault = "missing" if there is None else "not what was sent"
            raise RequestError(
                f"{where}.{name} is {fault}: it must come back unchanged with the tool calls"
            )
