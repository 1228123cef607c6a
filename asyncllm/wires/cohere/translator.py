"""Cohere's chat: named events whose data say their type again, to items.

Wire facts: Cohere's reference of `POST /v2/chat`, "streaming", and what was seen: `message-end`
ends an answer, also one that failed, and `[DONE]` comes behind it, mostly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.errors import StreamInterrupted
from asyncllm.events import About, Finish, Logprob, Logprobs, Reasoning, Usage
from asyncllm.framing.json import UNDECODABLE
from asyncllm.framing.sse import NamedEvent
from asyncllm.wires.cohere.events import EVENT, PIECE, Content, Delta, Event, Message
from asyncllm.wires.cohere.opaque import Kept
from asyncllm.wires.cohere.sources import citations_in
from asyncllm.wires.failures import complaint_of, failure, is_complaint
from asyncllm.wires.loose import as_count, as_kept, as_list, as_mapping, as_number, as_text
from asyncllm.wires.tool_calls import ToolCalls
from asyncllm.wires.translator import JSONTranslator

if TYPE_CHECKING:
    from asyncllm.events import Item, ToolCall
    from asyncllm.framing import Payload

_DONE = b"[DONE]"
_COMPLETE = "COMPLETE"
_REASONS = {
    _COMPLETE: "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
_TIMEOUT = "TIMEOUT"
_FAILED = ("ERROR", _TIMEOUT)
_NO_ARGUMENTS = frozenset({"", "null"})
_TOLD = ("message", "error", "type", "code", "status", "status_code")


class CohereTranslator(JSONTranslator[Event]):
    """Reads one answer; see `asyncllm.wires.translator.Translator`.

    `About` is given behind the first content, as an answer that fails before it is asked for again.
    """

    __slots__ = ("_calls", "_has_content", "_id", "_kept")

    def __init__(self) -> None:
        super().__init__(EVENT)
        self._calls: ToolCalls | None = None  # few answers have any
        self._has_content = False
        self._id = ""
        self._kept = Kept()

    @override
    def _read(self, payloads: list[Payload], batch: list[Item]) -> None:
        """Read what is a piece of the answer by a shorter way than the rest."""
        decode_piece, kept = PIECE.decode, self._kept
        for payload in payloads:
            if self._has_content:
                data = payload.data if type(payload) is NamedEvent else payload
                try:
                    content = decode_piece(data).delta.message.content  # type: ignore[arg-type]
                except UNDECODABLE:  # a ping among them
                    pass
                else:
                    if text := content.text:
                        batch.append(text)
                        kept.write(len(text))
                    if thought := content.thinking:
                        batch.append(Reasoning(thought))
                        kept.think(thought)
                    continue
            super()._read([payload], batch)
            if self.is_done:
                return

    @override
    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Take `[DONE]`, which says nothing: without `message-end` the answer is not whole."""
        return data.strip() == _DONE

    @override
    def take(self, event: Event, batch: list[Item]) -> bool:
        """Append what an event says; see `JSONTranslator`."""
        delta, before = event.delta or Delta(), len(batch)
        if delta.message is not None:
            self._take_message(event, delta.message, batch)
        if event.logprobs is not None:
            batch += _likely(as_mapping(event.logprobs))
        self._id = as_text(event.id) or self._id
        if not self._has_content and len(batch) > before:
            self._has_content = True
            batch.append(About(id=self._id))
        if event.delta is None or event.error:
            _refuse(event)
        if event.type == "message-end":
            batch += self._finish(delta)
            return True
        return False

    @override
    def end(self) -> list[Item]:
        """Say that the body has ended, too early."""
        raise StreamInterrupted("the answer was cut off: it ended without message-end")

    def _take_message(self, event: Event, message: Message, batch: list[Item]) -> None:
        """Append what is said of the answer itself."""
        content = message.content
        if isinstance(content, Content):
            if event.type == "content-start":
                self._kept.begin()
            if content.text:
                batch.append(content.text)
                self._kept.write(len(content.text))
            if content.thinking:
                batch.append(Reasoning(content.thinking))
                self._kept.think(content.thinking)
        if message.tool_plan:
            batch.append(Reasoning(message.tool_plan))
            self._kept.plan(message.tool_plan)
        if message.tool_calls:
            self._take_calls(event, message.tool_calls)
        if message.citations:
            batch.extend(citations_in(message.citations))
            self._kept.cite(message.citations)

    def _take_calls(self, event: Event, said: object) -> None:
        self._calls = self._calls or ToolCalls()
        for each in as_list(said) or [said]:
            call = as_mapping(each)
            function = as_mapping(call.get("function"))
            arguments = function.get("arguments")
            self.is_building |= self._calls.add(
                as_text(call.get("id")),
                as_count(event.index),
                as_text(function.get("name")),
                as_mapping(arguments) or as_text(arguments),
            )

    def _finish(self, delta: Delta) -> list[Item]:
        """Return what is left to say: facts of the answer, tool calls, usage and the finish.

        Raises:
            AsyncLLMError: the answer failed.

        """
        said = delta.finish_reason or ""
        if delta.error or said.startswith(_FAILED):
            message = delta.error or f"the server gives no reason except finish_reason {said!r}"
            told = {"error": message, "type": delta.error_type}
            raise failure(complaint_of(told | ({"status": 504} if said == _TIMEOUT else {})))
        calls = [_with_arguments(call) for call in self._calls.whole()] if self._calls else []
        said = said or ("TOOL_CALL" if calls else _COMPLETE)
        opaque = self._kept.whole([call.id for call in calls])
        usage = as_mapping(delta.usage)
        billed = as_mapping(as_kept(usage.get("billed_units")))
        about = About(id=self._id, opaque=opaque, extra={"billed_units": billed} if billed else {})
        reason = "tool_calls" if calls and said == _COMPLETE else _REASONS.get(said, said)
        return [about, *calls, *_usage(usage), Finish(reason, said)]


def _refuse(event: Event) -> None:
    """Raise the error that an event tells beside the answer.

    Raises:
        AsyncLLMError: there is one.

    """
    said = {name: value for name in _TOLD if (value := getattr(event, name)) is not None}
    if is_complaint(said):
        raise failure(complaint_of(said))


def _with_arguments(call: ToolCall) -> ToolCall:
    """Return a call; one without arguments has none of its own form for that."""
    is_empty = call.arguments in _NO_ARGUMENTS
    return type(call)(call.id, call.name, "{}", call.opaque) if is_empty else call


def _likely(said: dict[str, object]) -> list[Item]:
    """Return how likely a piece was: that of its tokens together, as their texts are not told."""
    each = [as_number(number) for number in as_list(said.get("logprobs"))]
    known = [number for number in each if number is not None]
    return [Logprobs((Logprob(as_text(said.get("text")), sum(known)),))] if known else []


def _usage(said: dict[str, object]) -> list[Item]:
    counts = as_mapping(said.get("tokens")) or as_mapping(said.get("billed_units"))
    if not counts:
        return []
    usage = Usage(
        prompt_tokens=as_count(counts.get("input_tokens")),
        completion_tokens=as_count(counts.get("output_tokens")),
        cached_tokens=as_count(said.get("cached_tokens")),
        reasoning_tokens=as_count(counts.get("reasoning_tokens")),
    )
    return [usage]
