"""Tool calls, put together from the pieces in which servers send them."""

from __future__ import annotations

import json
from typing import TypeAlias

import msgspec

from asyncllm.errors import ProtocolError, ReplyTooLargeError
from asyncllm.events import ToolCall
from asyncllm.wires.loose import as_kept

Arguments: TypeAlias = dict[str, object]

_MOST_CALLS = 1024
MOST_BYTES = 16 * 1024 * 1024
"""The most memory that what is put together from pieces may take, of one answer."""


class ToolCalls:
    """Assembles tool calls from their deltas, routed by id and index, or by what they have of both.

    Servers leave the index out, or give each call the same; some do so with the id.
    """

    def __init__(self) -> None:
        self._calls: list[_PartialCall] = []
        self._by_id: dict[tuple[str, int | None], _PartialCall] = {}  # with its index, and without
        self._by_index: dict[int, _PartialCall] = {}
        self._size = 0  # in memory

    def add(
        self,
        call_id: str,
        index: int | None,
        name: str,
        piece: str | Arguments | None,
        extra: object = None,
    ) -> bool:
        """Add a piece of a call, and tell whether it said anything of it.

        Args:
            call_id: the id that it came with, or "".
            index: the index that it came with, or None.
            name: the function's name that it came with, or "".
            piece: of the arguments, as JSON; or the arguments themselves.
            extra: its `extra_content`, which the server wants back with the call.

        Raises:
            ProtocolError: the arguments are nested too deep.
            ReplyTooLargeError: there are too many calls, or they are too large.

        """
        known = self._find(call_id, index, name)
        call = known or _PartialCall(call_id or f"call_{len(self._calls)}", index)
        if known is None:
            self._calls.append(call)
            self._size += call.id.__sizeof__()
        if call_id:
            self._by_id[call_id, index] = self._by_id[call_id, None] = call
        if index is not None:
            self._by_index[index] = call
            call.index = index
        if is_new_name := bool(name and not call.name):  # some servers repeat it with each piece
            call.name = name
            self._size += name.__sizeof__()
        if extra is not None and as_kept(extra, MOST_BYTES):
            call.opaque = as_json({"extra_content": extra})
            self._size += call.opaque.__sizeof__()
        if isinstance(piece, dict):
            piece = as_json(piece)
        if piece:
            call.arguments.append(piece)
            self._size += piece.__sizeof__()
        self._check_size()
        return bool(known is None or is_new_name or piece)

    def settle(self, call_id: str, index: int, name: str, arguments: str) -> None:
        """Say what the call at an index is, whole, whatever pieces of it have come.

        Args:
            call_id: its id.
            index: of its pieces.
            name: the function's name.
            arguments: as JSON.

        Raises:
            ReplyTooLargeError: there are too many calls, or they are too large.

        """
        self.add("", index, name, None)
        call = self._by_index[index]
        self._size += arguments.__sizeof__() - sum(each.__sizeof__() for each in call.arguments)
        call.id, call.name, call.arguments = call_id or call.id, name or call.name, [arguments]
        self._check_size()

    def _check_size(self) -> None:
        most = max(len(self._calls), len(self._by_index))
        if most > _MOST_CALLS or self._size > MOST_BYTES:
            raise ReplyTooLargeError(
                f"the answer has more than {_MOST_CALLS} tool calls, or they take more than "
                f"{MOST_BYTES} bytes"
            )

    def whole(self) -> list[ToolCall]:
        """Return the calls, in the order in which they began."""
        return [
            ToolCall(call.id, call.name, "".join(call.arguments), call.opaque)
            for call in self._calls
        ]

    def _find(self, call_id: str, index: int | None, name: str) -> _PartialCall | None:
        if call_id:
            newest = self._by_id.get((call_id, None))
            if newest is not None and newest.index is None:
                return newest  # its index comes late, if at all
            return self._by_id.get((call_id, index))
        if index is not None:
            return self._by_index.get(index)
        # With neither, a name begins a call, and anything else goes on with the newest.
        return None if name or not self._calls else self._calls[-1]


class _PartialCall(msgspec.Struct):
    id: str
    index: int | None
    name: str = ""
    arguments: list[str] = []
    opaque: str = ""


def as_json(value: object) -> str:
    """Return arguments, or what goes with them, as JSON.

    Raises:
        ProtocolError: they are nested too deep.

    """
    try:
        # Not msgspec, which writes no halves of characters.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        pass
    raise ProtocolError("the arguments of a tool call are nested too deep")
