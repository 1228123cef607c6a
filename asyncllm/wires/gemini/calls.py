"""The calls that an answer of Gemini's wire asks for: whole, or with arguments in pieces.

Wire facts: Google's reference of `FunctionCall`. Vertex AI streams arguments where it is asked to
(`streamFunctionCallArguments`): the name comes first, then pieces, then an empty call, which may be
missing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asyncllm.errors import ReplyTooLargeError
from asyncllm.events import ToolCall
from asyncllm.sizes import size_of
from asyncllm.wires.gemini.jsonpath import PartialArguments
from asyncllm.wires.loose import as_list, as_mapping, as_text
from asyncllm.wires.tool_calls import MOST_BYTES, as_json

if TYPE_CHECKING:
    from asyncllm.wires.gemini.layout import Layout

_ID_CHARACTERS = 24  # of the answer's id: other servers take ids of at most 40
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]")  # of any server


class Calls:
    """The calls of one answer.

    Args:
        layout: where to put down how they lay.

    Attributes:
        has_any: whether there are any so far.

    """

    __slots__ = ("_count", "_layout", "_open", "_size", "has_any")

    def __init__(self, layout: Layout) -> None:
        self.has_any = False
        self._layout = layout
        self._count = 0
        self._size = 0  # in memory, of arguments in pieces
        self._open: _OpenCall | None = None

    def add(self, said: dict[str, object], signature: str, answer: str) -> list[ToolCall]:
        """Add a `functionCall`, and return the calls that are whole with it.

        Args:
            said: what came.
            signature: that of its part, or "".
            answer: the server's name for the answer, for ids where the server gives none.

        Raises:
            ProtocolError: arguments are nested too deep, or for no place that there is.
            ReplyTooLargeError: they are too large.

        """
        name, goes_on = as_text(said.get("name")), bool(said.get("willContinue"))
        pieces = as_list(said.get("partialArgs"))
        whole: list[ToolCall] = []
        if name:
            whole = self.end()
            call_id = as_text(said.get("id"))
            self._open = _OpenCall(call_id or self._made_id(answer), name, is_unnamed=not call_id)
            self._count += 1
        if self._open is None:
            return whole  # the end of a call that ended before
        self._open.signature = signature or self._open.signature
        given = as_mapping(said.get("args"))
        self._open.given |= given
        if given and goes_on:
            self._size += size_of(given)
        for piece in pieces:
            self._size += self._open.arguments.add(piece)
        if self._size > MOST_BYTES:
            raise ReplyTooLargeError(f"the answer's tool calls take more than {MOST_BYTES} bytes")
        return whole if goes_on or pieces else whole + self.end()

    def end(self) -> list[ToolCall]:
        """Say that the call that is open is whole, and return it."""
        call, self._open = self._open, None
        if call is None:
            return []
        self.has_any = True
        self._layout.add_call(call.id, call.signature, is_unnamed=call.is_unnamed)
        return [ToolCall(call.id, call.name, as_json({**call.given, **call.arguments.whole()}))]

    def _made_id(self, answer: str) -> str:
        """Return an id that no other call of the conversation has."""
        of_answer = _NOT_IN_IDS.sub("", answer)[-_ID_CHARACTERS:]
        return "_".join(filter(None, ("call", of_answer, str(self._count))))


class _OpenCall:
    """A call of which more may come."""

    __slots__ = ("arguments", "given", "id", "is_unnamed", "name", "signature")

    def __init__(self, call_id: str, name: str, *, is_unnamed: bool) -> None:
        self.id = call_id
        self.name = name
        self.is_unnamed = is_unnamed
        self.signature = ""
        self.given: dict[str, object] = {}
        self.arguments = PartialArguments()
