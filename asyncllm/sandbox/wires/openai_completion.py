"""A chat completion in the forms the OpenAI wire knows: one JSON object, or a row of chunks."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from asyncllm.sandbox.wires.openai_calls import call_deltas, whole_calls
from asyncllm.sandbox.wires.openai_errors import error_object
from asyncllm.sandbox.wires.openai_figures import logprobs_of, usage_of
from asyncllm.sandbox.wires.openai_style import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from asyncllm.sandbox.faults import ErrorInStream
    from asyncllm.sandbox.generation import ToolCall
    from asyncllm.sandbox.wires.body import JSON
    from asyncllm.sandbox.wires.openai_habits import Habits

_DONE = "[DONE]"
_NATIVE = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


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
    thought: Sequence[str] = ()
    tool_calls: Sequence[ToolCall] = ()

    @cached_property
    def pieces(self) -> Sequence[str]:
        """What is generated piece by piece: see `chunk_of`."""
        if not self.tool_calls:
            return self.tokens
        habits = self.habits
        deltas = call_deltas(self.tool_calls, habits.tool_index, are_signed=habits.has_signatures)
        return [encode(delta) for delta in deltas]

    def chunk_of(self, piece: str) -> str:
        """Write the chunk for one piece."""
        # Nothing but the token differs, and there may be a hundred thousand of them.
        return f"{self._before}{self._write(piece)}{self._behind}"

    def opening(self) -> Iterator[str]:
        """Write the chunks before the first piece: the role alone, then the reasoning."""
        content: JSON = {"content": None} if self.habits.has_null_content else {}
        yield self._chunk({"role": "assistant", **content})
        for delta in self.habits.style.thinking(self.thought):
            yield self._chunk(delta)

    def ending(self) -> Iterator[str]:
        """Write what comes after the last piece."""
        habits = self.habits
        if habits.has_finish_reason:
            delta: JSON = {"content": None} if habits.has_null_content else {}
            usage = self.usage if habits.usage == "finish" else None
            yield self._chunk(delta, self.finish_reason, usage)
        if habits.usage == "last":
            yield encode({**self._frame, "choices": [], "usage": self.usage})
        if habits.usage == "with_choices":
            yield self._chunk({"content": ""}, None, self.usage)
        if habits.has_done:
            yield _DONE

    def error_events(self, fault: ErrorInStream) -> list[str]:
        """Write what comes in the place of the rest."""
        error = error_object(fault.message, fault.type, fault.code)
        if fault.status is not None:
            error["http_status_code"] = fault.status
        if fault.failed_generation is not None:
            error["failed_generation"] = fault.failed_generation
        event: JSON = {"error": error}
        if fault.beside_choices:
            choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
            event = {**self._frame, **event, "choices": [choice]}
        return [encode(event), _DONE] if fault.done else [encode(event)]

    def whole(self) -> JSON:
        """Make the completion one JSON object."""
        choice = {"index": 0, "message": self.message(), **self._end(self.finish_reason)}
        if self.habits.top_logprobs is not None:
            choice["logprobs"] = logprobs_of(self.tokens, self.habits.top_logprobs)
        frame = {**self._frame, "object": "chat.completion", "choices": [choice]}
        return frame if self.habits.usage == "never" else {**frame, "usage": self.usage}

    def message(self) -> JSON:
        """Make the assistant's message, as the next request should have it."""
        habits, text = self.habits, "".join(self.tokens)
        is_silent = bool(self.tool_calls) or habits.is_refusing
        said = habits.style.message(self.thought, None if is_silent else text)
        message: JSON = {"role": "assistant", **said}
        if self.tool_calls:
            calls = whole_calls(self.tool_calls, are_signed=habits.has_signatures)
            message["tool_calls"] = calls
        elif habits.is_refusing:
            message["refusal"] = text
        return message

    @cached_property
    def usage(self) -> JSON:
        """The token counts."""
        details = self.habits.usage_details
        return usage_of(self.prompt_tokens, len(self.pieces), len(self.thought), details)

    @cached_property
    def _frame(self) -> JSON:
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self.model,
            **self.habits.extras,
        }

    @cached_property
    def _before(self) -> str:
        return f'{encode(self._frame)[:-1]},"choices":[{{"index":0,"delta":'

    @cached_property
    def _behind(self) -> str:
        # OpenAI itself writes a null usage into every other chunk when usage is asked for.
        tail = ',"usage":null}' if self.habits.is_usage_asked else "}"
        return f",{encode(self._end(None))[1:]}]{tail}"

    @cached_property
    def _write(self) -> Callable[[str], str]:
        """How the delta of a piece is written, and how likely it was."""
        top = self.habits.top_logprobs
        if self.tool_calls:
            return str if top is None else '{},"logprobs":null'.format
        write = _refusal_delta if self.habits.is_refusing else self.habits.style.delta_of
        if top is None:
            return write
        return lambda piece: f'{write(piece)},"logprobs":{encode(logprobs_of([piece], top))}'

    def _end(self, reason: str | None) -> JSON:
        if self.habits.style.provider is None:
            return {"finish_reason": reason}
        native = None if reason is None else _NATIVE[reason]
        return {"finish_reason": reason, "native_finish_reason": native}

    def _chunk(
        self, delta: JSON, finish_reason: str | None = None, usage: JSON | None = None
    ) -> str:
        likelihood: JSON = {} if self.habits.top_logprobs is None else {"logprobs": None}
        choice = {"index": 0, "delta": delta, **likelihood, **self._end(finish_reason)}
        chunk = {**self._frame, "choices": [choice]}
        if usage is not None or self.habits.is_usage_asked:
            chunk["usage"] = usage
        return encode(chunk)


def _refusal_delta(token: str) -> str:
    return encode({"refusal": token})
