"""A chat completion in the forms the OpenAI wire knows: one JSON object, or a row of chunks."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from asyncllm.sandbox.generation import ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncllm.sandbox.wires.body import JSON

# json.dumps would make an encoder anew for every token.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Habits:
    """How a server writes its completions, where servers differ.

    `usage` `None` is what OpenAI does unasked: no usage in a stream, but in a whole completion.
    """

    usage: Literal["last", "finish", "with_choices", "never"] | None = None
    is_usage_asked: bool = False
    has_done: bool = True
    has_finish_reason: bool = True
    has_null_content: bool = False
    reasoning_field: str | None = None
    tool_index: Literal["right", "missing", "duplicate"] = "right"


@dataclass(frozen=True)
class Completion:
    """What is answered, and how it is written.

    Without tool calls the answer's pieces are the tokens of its text; with them the text is
    empty, and the pieces are the deltas of the calls.
    """

    model: str
    tokens: Sequence[str]
    finish_reason: Literal["stop", "length", "tool_calls"]
    prompt_tokens: int
    habits: Habits
    reasoning: Sequence[str] = ()
    tool_calls: Sequence[ToolCall] = ()

    @cached_property
    def pieces(self) -> Sequence[str]:
        """What is generated piece by piece: see `chunk_of`."""
        if not self.tool_calls:
            return self.tokens
        return [
            _encode({"tool_calls": [part]})
            for index, call in enumerate(self.tool_calls)
            for part in _parts_of(call, index, self.habits.tool_index)
        ]

    def chunk_of(self, piece: str) -> str:
        """Write the chunk for one piece."""
        # Nothing but the token differs, and there may be a hundred thousand of them.
        delta = piece if self.tool_calls else f'{{"content":{_encode(piece)}}}'
        return f'{self._head}{{"index":0,"delta":{delta},"finish_reason":null}}]{self._tail}'

    def opening(self) -> Iterator[str]:
        """Write the chunks before the first piece: the role alone, then the reasoning."""
        content: JSON = {"content": None} if self.habits.has_null_content else {}
        yield self._chunk({"role": "assistant", **content})
        if self.habits.reasoning_field is not None:
            for token in self.reasoning:
                yield self._chunk({self.habits.reasoning_field: token})

    def ending(self) -> Iterator[str]:
        """Write what comes after the last piece."""
        habits = self.habits
        if habits.has_finish_reason:
            delta: JSON = {"content": None} if habits.has_null_content else {}
            usage = self.usage if habits.usage == "finish" else None
            yield self._chunk(delta, self.finish_reason, usage)
        if habits.usage == "last":
            yield _encode({**self._frame, "choices": [], "usage": self.usage})
        if habits.usage == "with_choices":
            yield self._chunk({"content": ""}, None, self.usage)
        if habits.has_done:
            yield "[DONE]"

    def whole(self) -> JSON:
        """Make the completion one JSON object."""
        message: JSON = {"role": "assistant", "content": "".join(self.tokens)}
        if self.tool_calls:
            message["content"] = None
            message["tool_calls"] = [_whole_call(call) for call in self.tool_calls]
        if self.habits.reasoning_field is not None:
            message[self.habits.reasoning_field] = "".join(self.reasoning)
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        frame = {**self._frame, "object": "chat.completion", "choices": [choice]}
        return frame if self.habits.usage == "never" else {**frame, "usage": self.usage}

    @cached_property
    def usage(self) -> JSON:
        """The token counts; the tokens of reasoning are among those of the completion."""
        completion = len(self.pieces) + len(self.reasoning)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
        }

    @cached_property
    def _frame(self) -> JSON:
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self.model,
        }

    @cached_property
    def _head(self) -> str:
        return f'{_encode(self._frame)[:-1]},"choices":['

    @cached_property
    def _tail(self) -> str:
        # OpenAI itself writes a null usage into every other chunk when usage is asked for.
        return ',"usage":null}' if self.habits.is_usage_asked else "}"

    def _chunk(
        self, delta: JSON, finish_reason: str | None = None, usage: JSON | None = None
    ) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = {**self._frame, "choices": [choice]}
        if usage is not None or self.habits.is_usage_asked:
            chunk["usage"] = usage
        return _encode(chunk)


def _whole_call(call: ToolCall) -> JSON:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _parts_of(
    call: ToolCall, index: int, kind: Literal["right", "missing", "duplicate"]
) -> Iterator[JSON]:
    """Split a call into deltas: id and name first, then the arguments in pieces."""
    position: JSON = {} if kind == "missing" else {"index": index if kind == "right" else 0}
    # Without a right index only the id tells to which call a piece belongs.
    identity: JSON = {} if kind == "right" else {"id": call.id}
    yield {**position, **_whole_call(ToolCall(call.id, call.name, ""))}
    for start in range(0, len(call.arguments), 8):
        function: JSON = {"arguments": call.arguments[start : start + 8]}
        yield {**position, **identity, "function": function}
