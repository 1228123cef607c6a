"""An answer in the forms that Ollama has for it: a row of lines, or one JSON object."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.openai_style import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncllm.sandbox.generation import ToolCall
    from asyncllm.sandbox.wires.body import JSON

_NANOSECONDS = 1_000_000


@dataclass(frozen=True)
class ChatAnswer:
    """What is answered: the tokens of a text, or calls, each of which comes whole."""

    model: str
    reason: str
    tokens: Sequence[str] = ()
    thought: Sequence[str] = ()
    calls: Sequence[ToolCall] = ()
    prompt_tokens: int = 0

    @cached_property
    def pieces(self) -> Sequence[str]:
        """What is generated piece by piece: see `line_of`."""
        if not self.calls:
            return self.tokens
        return [encode(_call(number, call)) for number, call in enumerate(self.calls)]

    def thinking(self) -> Iterator[str]:
        """Write the lines before the first piece."""
        for token in self.thought:
            yield self._line({"content": "", "thinking": token})

    def line_of(self, piece: str) -> str:
        """Write the line for one piece."""
        if self.calls:
            return f'{self._before}"","tool_calls":[{piece}]}},"done":false}}'
        return f'{self._before}{encode(piece)}}},"done":false}}'

    def last(self) -> str:
        """Write the last line; its figures are there where they are not zero."""
        return encode({**self._frame, "message": _said({"content": ""}), **self._end})

    def whole(self) -> JSON:
        """Make the answer one JSON object."""
        message: JSON = {"content": "".join(self.tokens)}
        if self.thought:
            message["thinking"] = "".join(self.thought)
        if self.calls:
            message["tool_calls"] = [_call(number, call) for number, call in enumerate(self.calls)]
        return {**self._frame, "message": _said(message), **self._end}

    @cached_property
    def _frame(self) -> JSON:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        return {"model": self.model, "created_at": f"{at}.000001Z"}

    @cached_property
    def _before(self) -> str:
        # Nothing but the piece differs, and there may be a hundred thousand of them.
        return f'{encode(self._frame)[:-1]},"message":{{"role":"assistant","content":'

    @property
    def _end(self) -> JSON:
        written = len(self.pieces) + len(self.thought)
        figures = {
            "total_duration": (self.prompt_tokens + written) * _NANOSECONDS,
            "prompt_eval_count": self.prompt_tokens,
            "prompt_eval_duration": self.prompt_tokens * _NANOSECONDS,
            "eval_count": written,
            "eval_duration": written * _NANOSECONDS,
        }
        end: JSON = {"done": True, "done_reason": self.reason}
        return end | {name: value for name, value in figures.items() if value}

    def _line(self, message: JSON) -> str:
        return encode({**self._frame, "message": _said(message), "done": False})


def _said(message: JSON) -> JSON:
    return {"role": "assistant", **message}


def _call(number: int, call: ToolCall) -> JSON:
    arguments: JSON = json.loads(call.arguments)
    function = {"index": number, "name": call.name, "arguments": arguments}
    return {"id": call.id, "function": function}
