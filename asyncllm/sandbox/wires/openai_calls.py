"""Tool calls as the OpenAI wire has them: whole, and in deltas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from asyncllm.sandbox.wires.openai_details import signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncllm.sandbox.generation import ToolCall
    from asyncllm.sandbox.wires.body import JSON

ToolIndexKind = Literal["right", "missing", "duplicate"]


def whole_calls(calls: Sequence[ToolCall], *, are_signed: bool) -> list[JSON]:
    """Make the calls of a message; of signed ones only the first has a signature."""
    whole = [_whole_call(call, call.arguments) for call in calls]
    if are_signed:
        whole[0].update(_signature(calls[0]))
    return whole


def call_deltas(
    calls: Sequence[ToolCall], kind: ToolIndexKind, *, are_signed: bool
) -> Iterator[JSON]:
    """Make the deltas of the calls, one call after the other."""
    for index, call in enumerate(calls):
        signature = _signature(call) if are_signed and index == 0 else {}
        for part in _parts_of(call, index, kind, signature):
            yield {"tool_calls": [part]}


def _parts_of(call: ToolCall, index: int, kind: ToolIndexKind, signature: JSON) -> Iterator[JSON]:
    """Split a call: id and name first, then the arguments in pieces."""
    position: JSON = {} if kind == "missing" else {"index": index if kind == "right" else 0}
    # Without a right index only the id tells to which call a piece belongs.
    identity: JSON = {} if kind == "right" else {"id": call.id}
    yield {**position, **_whole_call(call, ""), **signature}
    for start in range(0, len(call.arguments), 8):
        function: JSON = {"arguments": call.arguments[start : start + 8]}
        yield {**position, **identity, "function": function}


def _whole_call(call: ToolCall, arguments: str) -> JSON:
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _signature(call: ToolCall) -> JSON:
    return {"extra_content": {"google": {"thought_signature": signature_of(call.id)}}}
