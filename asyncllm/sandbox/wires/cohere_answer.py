"""An answer in the forms that Cohere has for it: a row of events, or one JSON object."""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.openai_style import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncllm.sandbox.faults import ErrorInStream
    from asyncllm.sandbox.generation import ToolCall
    from asyncllm.sandbox.wires.body import JSON

_DONE = "[DONE]"


@dataclass(frozen=True)
class ChatAnswer:
    """What is answered: the tokens of a text, or calls in pieces.

    Thinking or a plan comes before; the documents are cited behind the text.
    """

    reason: str
    tokens: Sequence[str] = ()
    thought: Sequence[str] = ()
    plan: Sequence[str] = ()
    calls: Sequence[ToolCall] = ()
    documents: Sequence[JSON] = ()
    has_logprobs: bool = False
    prompt_tokens: int = 0

    @cached_property
    def pieces(self) -> Sequence[str]:
        """What is generated piece by piece: see `event_of`."""
        return [*self._call_events()] if self.calls else self.tokens

    def opening(self) -> Iterator[str]:
        """Write the events before the first piece."""
        message: JSON = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}
        start = {"message": {**message, "citations": []}}
        yield encode({"type": "message-start", "id": str(uuid.uuid4()), "delta": start})
        if self.thought:
            yield _event("content-start", 0, {"content": {"type": "thinking", "thinking": ""}})
            for token in self.thought:
                yield _event("content-delta", 0, {"content": {"thinking": token}})
            yield encode({"type": "content-end", "index": 0})
        for token in self.plan:
            yield _event("tool-plan-delta", None, {"tool_plan": token})
        if not self.calls:
            yield _event("content-start", self._block, {"content": {"type": "text", "text": ""}})

    def event_of(self, piece: str) -> str:
        """Write the event for one piece."""
        if self.calls:
            return piece
        written = _event("content-delta", self._block, {"content": {"text": piece}})
        if self.has_logprobs:
            number = zlib.crc32(piece.encode()) % 65_536
            likely = {"text": piece, "token_ids": [number], "logprobs": [-number / 65_536]}
            written = f'{written[:-1]},"logprobs":{encode(likely)}}}'
        return written

    def ending(self) -> Iterator[str]:
        """Write what comes after the last piece."""
        if not self.calls:
            yield encode({"type": "content-end", "index": self._block})
            for number, citation in enumerate(self._citations()):
                yield _event("citation-start", number, {"citations": citation})
                yield encode({"type": "citation-end", "index": number})
        end = {"finish_reason": self.reason, "usage": self._usage}
        yield encode({"type": "message-end", "delta": end})
        yield _DONE

    def failing(self, fault: ErrorInStream) -> list[str]:
        """Write what comes in the place of the rest."""
        end: JSON = {"finish_reason": "ERROR", "error": fault.message, "usage": {}}
        if fault.type != "server_error":
            end["error_type"] = fault.type
        return [encode({"type": "message-end", "delta": end}), _DONE]

    def whole(self) -> JSON:
        """Make the answer one JSON object."""
        blocks: list[JSON] = []
        if self.thought:
            blocks.append({"type": "thinking", "thinking": "".join(self.thought)})
        if self.tokens:
            blocks.append({"type": "text", "text": "".join(self.tokens)})
        message: JSON = {"role": "assistant", "content": blocks}
        if self.calls:
            message["tool_calls"] = [_call(call, call.arguments) for call in self.calls]
            message["tool_plan"] = "".join(self.plan)
        elif self.documents:
            message["citations"] = self._citations()
        whole: JSON = {"id": str(uuid.uuid4()), "finish_reason": self.reason}
        return {**whole, "message": message, "usage": self._usage}

    @property
    def _block(self) -> int:
        return 1 if self.thought else 0

    @property
    def _usage(self) -> JSON:
        written = len(self.pieces) + len(self.thought) + len(self.plan)
        tokens: JSON = {"input_tokens": self.prompt_tokens, "output_tokens": written}
        billed = {**tokens}
        if self.thought:
            tokens["reasoning_tokens"] = len(self.thought)
        return {"billed_units": billed, "tokens": tokens, "cached_tokens": 1}

    def _call_events(self) -> Iterator[str]:
        """Write the calls: name and id first, then the arguments in pieces, of which none is."""
        for index, call in enumerate(self.calls):
            yield _event("tool-call-start", index, {"tool_calls": _call(call, "")})
            arguments = "" if call.arguments == "{}" else call.arguments
            for start in range(0, len(arguments), 8):
                function = {"function": {"arguments": arguments[start : start + 8]}}
                yield _event("tool-call-delta", index, {"tool_calls": function})
            yield encode({"type": "tool-call-end", "index": index})

    def _citations(self) -> list[JSON]:
        """Cite each document for the first word."""
        word = self.tokens[0] if self.tokens else ""
        return [
            {
                "start": 0,
                "end": len(word),
                "text": word,
                "type": "TEXT_CONTENT",
                "content_index": self._block,
                "sources": [_source(number, document)],
            }
            for number, document in enumerate(self.documents)
        ]


def _source(number: int, document: JSON) -> JSON:
    data = document.get("data")
    name = str(document.get("id", f"doc:{number}"))
    known: JSON = {**data} if isinstance(data, dict) else {}
    return {"type": "document", "id": name, "document": {"id": name, **known}}


def _event(kind: str, index: int | None, message: JSON) -> str:
    place: JSON = {} if index is None else {"index": index}
    return encode({"type": kind, **place, "delta": {"message": message}})


def _call(call: ToolCall, arguments: str) -> JSON:
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}
