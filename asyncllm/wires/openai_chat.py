"""OpenAI's chat wire, read: chunks of a stream, or one whole answer, to items.

Wire facts: OpenAI's API reference, "Chat Completions: streaming", and what servers that speak it
were seen to do otherwise; the tests are named after each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.errors import ProviderError, StreamInterrupted
from asyncllm.events import Finish, Reasoning, Usage
from asyncllm.wires.tool_calls import ToolCalls
from asyncllm.wires.translator import JSONTranslator

if TYPE_CHECKING:
    from asyncllm.events import Item


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, object] | None = None


class _ToolCallDelta(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCallDelta] | None = None
    function_call: _Function | None = None  # one call, as it was before there were several


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    message: _Delta | None = None  # where a stream was asked for and one whole answer came
    finish_reason: str | None = None


class _Error(msgspec.Struct, gc=False):
    message: str | None = None
    type: str | None = None
    code: int | str | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Usage | None = None
    error: _Error | str | None = None
    detail: object = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_DONE = b"[DONE]"
_LEGACY_INDEX = -1  # which no server gives to a call


class ChatTranslator(JSONTranslator[_Chunk]):
    """Reads one answer; see `asyncllm.wires.translator.Translator`.

    `Finish` is given last, when the server says that nothing more comes: usage may follow the
    finish reason.
    """

    __slots__ = ("_finish_reason", "_has_content", "_tool_calls", "_usage")

    def __init__(self) -> None:
        super().__init__(_CHUNK)
        self._tool_calls: ToolCalls | None = None  # few answers have any
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._has_content = False

    @override
    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Take the end, or an error in words."""
        if data == _DONE:
            self.is_done = True
            batch.extend(self.end())
        elif name == "error" and not data.lstrip().startswith(b"{"):
            raise ProviderError(f"generation failed: {data.decode('utf-8', 'replace')}")
        return self.is_done

    @override
    def end(self) -> list[Item]:
        """Return what is left to say: tool calls, usage and the finish.

        Raises:
            StreamInterrupted: nothing said that the answer is whole; `[DONE]` says it only of an
                answer that has begun.

        """
        calls = self._tool_calls.whole() if self._tool_calls is not None else []
        if self._finish_reason is None and not (self.is_done and (self._has_content or calls)):
            raise StreamInterrupted("the answer was cut off: it ended without a finish_reason")
        reason = self._finish_reason or ("tool_calls" if calls else "stop")
        if reason == "function_call":
            reason = "tool_calls"
        usage = [] if self._usage is None else [self._usage]
        return [*calls, *usage, Finish(reason)]

    @override
    def take(self, chunk: _Chunk, batch: list[Item]) -> bool:
        """Append what a chunk says; see `JSONTranslator`."""
        if chunk.error is not None or (chunk.detail is not None and chunk.choices is None):
            raise ProviderError(f"generation failed: {_complaint(chunk)}")
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices or ():
            if choice.index != 0:
                continue  # n > 1 is refused before it is asked for
            delta = choice.delta or choice.message
            if delta is not None:
                if (
                    delta.tool_calls is not None
                    or delta.reasoning_content is not None
                    or delta.reasoning is not None
                    or delta.refusal is not None
                    or delta.function_call is not None
                ):
                    self._take_more(delta, batch)
                if delta.content:
                    batch.append(delta.content)
                    self._has_content = True
            if choice.finish_reason:
                self._finish_reason = choice.finish_reason
            elif choice.message is not None:
                self._finish_reason = self._finish_reason or "stop"
        return False  # that is for `[DONE]` to say, or the end of the body

    def _take_more(self, delta: _Delta, batch: list[Item]) -> None:
        if reasoning := delta.reasoning_content or delta.reasoning:
            batch.append(Reasoning(reasoning))
            self._has_content = True
        if delta.refusal:
            batch.append(delta.refusal)
            self._has_content = True
        calls = delta.tool_calls or []
        if delta.function_call is not None:
            calls = [*calls, _ToolCallDelta(index=_LEGACY_INDEX, function=delta.function_call)]
        for call in calls:
            self._tool_calls = self._tool_calls or ToolCalls()
            function = call.function or _Function()
            self.is_building |= self._tool_calls.add(
                call.id or "", call.index, function.name or "", function.arguments
            )


def _complaint(chunk: _Chunk) -> str:
    error = chunk.error
    if isinstance(error, _Error):
        known = [error.message, error.type, error.code]
        return ", ".join(str(part) for part in known if part is not None)
    return str(chunk.detail if error is None else error)
