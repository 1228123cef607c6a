"""Ollama's chat: a JSON object a line, to items.

Wire facts: `ChatResponse` of Ollama's `api/types.go`, and `streamResponse` of its `server`: a line
for each piece, calls whole, and a last one with `"done": true`; zeros are left out. What fails amid
an answer is a line with `error`, and one that ends before `done` was cut off.
"""

from __future__ import annotations

from sys import getsizeof
from typing import Any

import msgspec
from typing_extensions import override

from asyncllm.errors import StreamInterrupted
from asyncllm.events import About, Finish, Item, Reasoning, Usage
from asyncllm.wires.failures import complaint_of, failure
from asyncllm.wires.loose import as_count, as_list, as_mapping, as_text
from asyncllm.wires.ollama.messages import OWN
from asyncllm.wires.openai_chat.logprobs import logprobs_of
from asyncllm.wires.tool_calls import MOST_BYTES, ToolCalls, as_json
from asyncllm.wires.translator import JSONTranslator

_DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: Any = None


class _Line(msgspec.Struct, gc=False):
    """A line; what is beside the answer may have any shape."""

    message: _Message | None = None
    done: bool | None = None
    error: Any = None
    model: Any = None
    logprobs: Any = None
    done_reason: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    total_duration: Any = None
    load_duration: Any = None
    prompt_eval_duration: Any = None
    eval_duration: Any = None


_LINE = msgspec.json.Decoder(_Line)


class OllamaTranslator(JSONTranslator[_Line]):
    """Reads one answer; see `asyncllm.wires.translator.Translator`.

    `About` is given behind the first content, as an answer that fails before it is asked for again.
    """

    __slots__ = ("_called", "_calls", "_is_introduced", "_thought", "_thought_size")

    def __init__(self) -> None:
        super().__init__(_LINE)
        self._calls: ToolCalls | None = None  # few answers have any
        self._called: dict[str, tuple[str, str]] = {}  # name and arguments, by id
        self._is_introduced = False
        self._thought: list[str] = []
        self._thought_size = 0  # in memory

    @override
    def take(self, line: _Line, batch: list[Item]) -> bool:
        """Append what a line says; see `JSONTranslator`."""
        message, before = line.message, len(batch)
        if message is not None:
            if message.thinking:
                self._think(message.thinking, batch)
            if message.content:
                batch.append(message.content)
            if message.tool_calls is not None:
                self._call(as_list(message.tool_calls))
        if line.logprobs is not None and (likely := logprobs_of({"content": line.logprobs})):
            batch.append(likely)
        if line.error is not None:
            raise failure(complaint_of({"error": line.error}))
        if not self._is_introduced and len(batch) > before:
            self._is_introduced = True
            batch.append(About(model=as_text(line.model)))
        if line.done:
            batch += self._finish(line)
        return bool(line.done)

    @override
    def end(self) -> list[Item]:
        """Say that the body has ended, too early."""
        raise StreamInterrupted('the answer was cut off: it ended without `"done": true`')

    def _think(self, thought: str, batch: list[Item]) -> None:
        batch.append(Reasoning(thought))
        self._thought_size += getsizeof(thought)
        if self._thought_size <= MOST_BYTES:
            self._thought.append(thought)

    def _call(self, calls: list[object]) -> None:
        """Keep calls, each of which comes whole; ids are of newer servers."""
        self._calls = self._calls or ToolCalls()
        for each in calls:
            call = as_mapping(each)
            function = as_mapping(call.get("function"))
            name, given = as_text(function.get("name")), function.get("arguments")
            arguments = as_json(given) if isinstance(given, dict) else as_text(given) or "{}"
            call_id = as_text(call.get("id"))
            if not name or self._called.get(call_id) == (name, arguments):
                continue  # it is none, or was told before
            taken = call_id in self._called
            if call_id and not taken:
                self._called[call_id] = name, arguments
            # Another call with the id of one before gets one of its own.
            self.is_building |= self._calls.add("" if taken else call_id, None, name, arguments)

    def _finish(self, line: _Line) -> list[Item]:
        """Return what is left to say: facts of the answer, tool calls, usage and the finish."""
        calls = self._calls.whole() if self._calls is not None else []
        said = as_text(line.done_reason) or "stop"
        reason = "tool_calls" if calls and said == "stop" else said
        took = {name: value for name in _DURATIONS if (value := as_count(getattr(line, name)))}
        opaque: dict[str, object] = {}
        if calls and self._thought and self._thought_size <= MOST_BYTES:
            ids = [call.id for call in calls]
            opaque[OWN] = {"thinking": "".join(self._thought), "tool_call_ids": ids}
        items: list[Item] = [
            About(model=as_text(line.model), opaque=opaque, extra=dict(took)),
            *calls,
        ]
        counts = as_count(line.prompt_eval_count), as_count(line.eval_count)
        if counts != (None, None):
            items.append(Usage(*counts))
        return [*items, Finish(reason, said if said != reason else "")]
