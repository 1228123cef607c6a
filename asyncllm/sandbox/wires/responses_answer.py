"""An answer as OpenAI's Responses write it: its items, and the JSON object that has them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.openai_details import signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncllm.sandbox.generation import ToolCall
    from asyncllm.sandbox.wires.body import JSON

SOURCE = {
    "type": "url_citation",
    "start_index": 0,
    "end_index": 4,
    "url": "https://example.org/1",
    "title": "Source 1",
}


@dataclass(frozen=True)
class Habits:
    """How a server writes its answers, where servers differ."""

    has_summary: bool = False
    has_secret: bool = False
    is_refusing: bool = False
    is_citing: bool = False
    has_output: bool = True
    has_argument_deltas: bool = True
    changes_ids: bool = False
    cached_tokens: int = 0


def new_id(kind: str) -> str:
    """Make an id."""
    return f"{kind}_{uuid.uuid4().hex}"


def secret_of(item_id: str) -> str:
    """Make what only the server can read of a reasoning, from the id of its item."""
    return f"gAAA{signature_of(item_id)}"


@dataclass(frozen=True)
class ResponseAnswer:
    """What is answered: perhaps some reasoning, and then a message or calls."""

    model: str
    tokens: Sequence[str]
    is_cut: bool
    prompt_tokens: int
    habits: Habits
    thought: Sequence[str] = ()
    calls: Sequence[ToolCall] = ()
    custom: frozenset[str] = frozenset()
    is_background: bool = False
    is_stored: bool = False
    id: str = field(default_factory=lambda: new_id("resp"))

    @cached_property
    def output(self) -> list[JSON]:
        """The items, whole."""
        return [*self._reasoning(), *(map(self._call, self.calls) if self.calls else self._said())]

    def whole(self, *, status: str = "", output: list[JSON] | None = None) -> JSON:
        """Make the answer one JSON object, or what an event has of it."""
        status = status or ("incomplete" if self.is_cut else "completed")
        is_over = status in {"completed", "incomplete"}
        return {
            "id": self.id,
            "object": "response",
            "created_at": int(time.time()),
            "status": status,
            "background": self.is_background,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"}
            if status == "incomplete"
            else None,
            "model": self.model,
            "output": self.output if output is None else output,
            "parallel_tool_calls": True,
            "service_tier": "default",
            "store": self.is_stored,
            "tool_choice": "auto",
            "tools": [],
            "usage": self._usage if is_over else None,
        }

    @cached_property
    def _usage(self) -> JSON:
        written = len(self.tokens) if not self.calls else len(self.calls)
        written += len(self.thought)
        cached = min(self.habits.cached_tokens, self.prompt_tokens)
        return {
            "input_tokens": self.prompt_tokens,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": len(self.thought)},
            "total_tokens": self.prompt_tokens + written,
        }

    def _reasoning(self) -> Iterator[JSON]:
        if self.thought:
            said = {"type": "summary_text", "text": "".join(self.thought)}
            name = new_id("rs")
            secret: JSON = {"encrypted_content": secret_of(name)} if self.habits.has_secret else {}
            summary = [said] if self.habits.has_summary else []
            yield {"id": name, "type": "reasoning", "summary": summary, **secret}

    def _said(self) -> Iterator[JSON]:
        text = "".join(self.tokens)
        part: JSON = {"type": "refusal", "refusal": text}
        if not self.habits.is_refusing:
            sources = [SOURCE] if self.habits.is_citing else []
            part = {"type": "output_text", "text": text, "annotations": sources, "logprobs": []}
        status = "incomplete" if self.is_cut else "completed"
        yield {
            "id": new_id("msg"),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [part],
            **({"phase": "final_answer"} if self.thought else {}),
        }

    def _call(self, call: ToolCall) -> JSON:
        shared: JSON = {"status": "completed", "call_id": call.id, "name": call.name}
        if call.name in self.custom:
            kind: JSON = {"id": new_id("ctc"), "type": "custom_tool_call"}
            return {**kind, **shared, "input": call.arguments}
        return {"id": new_id("fc"), "type": "function_call", **shared, "arguments": call.arguments}
