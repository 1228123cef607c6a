"""OpenAI's Responses: from events to items of ours, with whatever servers were seen to make of it.

Wire facts: OpenAI's reference of the streaming events of `POST /responses`, and what it, Azure,
GitHub's Copilot, Bedrock, OpenRouter, LM Studio and vLLM were seen to send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typing_extensions import override

from asyncllm.errors import StreamInterrupted
from asyncllm.events import Ping, Reasoning, Refusal
from asyncllm.framing.json import UNDECODABLE
from asyncllm.framing.sse import NamedEvent
from asyncllm.wires.failures import complaint_of, failure
from asyncllm.wires.loose import as_count, as_list, as_mapping
from asyncllm.wires.openai_chat.logprobs import logprobs_of
from asyncllm.wires.openai_chat.sources import Sources
from asyncllm.wires.openai_responses.calls import Calls
from asyncllm.wires.openai_responses.ending import (
    OF_ANSWER,
    check_end,
    failure_in,
    finish_of,
    untyped,
    usage_of,
)
from asyncllm.wires.openai_responses.events import EVENT, Event
from asyncllm.wires.openai_responses.facts import Facts
from asyncllm.wires.openai_responses.items import (
    citation_of,
    citations_in,
    media_in,
    refusal_in,
    results_in,
    text_in,
    thought_in,
)
from asyncllm.wires.openai_responses.output import Output
from asyncllm.wires.openai_responses.told import Told
from asyncllm.wires.translator import JSONTranslator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asyncllm.events import Item
    from asyncllm.framing import Payload

_TEXT: Final = "response.output_text.delta"
_ENDS = frozenset({"completed", "incomplete", "failed", "cancelled"})
_BEGUN = frozenset({"response.created", "response.in_progress", "response.queued"})
_OF_TOOLS = ("_call", "mcp_", "compaction")  # in the names of the events of those that it runs
_MOST_BREAKS = 8


class ResponsesTranslator(JSONTranslator[Event]):
    """Reads one answer; see `asyncllm.wires.translator.Translator`.

    What belongs together is told by `output_index`: ids change with each event behind Copilot. An
    item counts as its `output_item.done` says; where a server sends none, as the last event does,
    and otherwise as its pieces do. Calls are given at the end, as those of an answer that fails
    must not be made.

    Args:
        is_stored: whether the server keeps the answer.

    Attributes:
        facts: what is said of the answer besides the answer.
        sequence_number: of the newest event that has one; -1 before it.
        breaks: how often the answer was broken without a word since.

    """

    __slots__ = (
        "_before",
        "_broken_at",
        "_calls",
        "_has_content",
        "_newest",
        "_output",
        "_sources",
        "_told",
        "breaks",
        "facts",
        "sequence_number",
    )

    def __init__(self, *, is_stored: bool = False) -> None:
        super().__init__(EVENT)
        self.facts = Facts()
        self.sequence_number = -1
        self.breaks = 0
        self._broken_at = -1
        self._output = Output(is_stored=is_stored)
        self._calls = Calls()
        self._sources = Sources()
        self._told = Told()
        self._newest: object = None  # the output_index of the newest text
        self._before = 0  # characters of messages that are whole
        self._has_content = False

    @override
    def _read(self, payloads: list[Payload], batch: list[Item]) -> None:
        """Read pieces of text, which nearly all events are, by a shorter way than the rest."""
        decode_event, newest, broken_at = EVENT.decode, self._newest, self._broken_at
        for payload in payloads:
            data = payload.data if isinstance(payload, NamedEvent) else payload
            try:
                event = decode_event(data)  # type: ignore[arg-type] # see UNDECODABLE
            except UNDECODABLE:
                super()._read([payload], batch)
            else:
                piece, number = event.delta, event.sequence_number
                if (
                    event.type == _TEXT
                    and event.output_index == newest is not None
                    and not event.logprobs
                    and piece
                    and isinstance(piece, str)
                    and isinstance(number, int)
                    and number > broken_at
                ):
                    self.sequence_number = number
                    batch.append(piece)
                    continue
                event = event if event.type else untyped(data) or event  # type: ignore[arg-type] # bytes
                self.is_done = self.take(event, batch)
                newest = self._newest
            if self.is_done:
                return

    @override
    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Take an error that is no JSON, or the `[DONE]` that some servers end with."""
        if name.lower() == "error" and not data.lstrip().startswith(b"{"):
            raise failure(complaint_of(data.decode("utf-8", "replace")))
        return data.strip().upper() == b"[DONE]"

    @override
    def take(self, event: Event, batch: list[Item]) -> bool:
        """Append what an event says; see `JSONTranslator`."""
        kind, number = event.type, event.sequence_number
        if isinstance(number, int):
            if number <= self._broken_at:
                return False  # it has come before, and its server tells it once more
            self.sequence_number = number
        take = _TAKES.get(kind)
        if take is not None:
            take(self, event, batch)
        elif kind == "error" or event.error:
            raise failure_in(event)
        elif any(tool in kind for tool in _OF_TOOLS):
            self.is_building = True  # the server runs one, and says how far it is
        elif kind in _BEGUN:
            self.facts.add(as_mapping(event.response))
        is_end = kind.removeprefix(OF_ANSWER) in _ENDS
        if is_end:
            batch += self._end(kind.removeprefix(OF_ANSWER), event)
        elif not self._has_content and batch and not isinstance(batch[-1], Ping):
            # Behind the first content, as an answer that fails before it is asked for again.
            self._has_content = True
            batch.append(self.facts.about())
        return is_end

    @override
    def end(self) -> list[Item]:
        """Say that the body has ended, too early."""
        raise StreamInterrupted("the answer was cut off: it ended without response.completed")

    def can_be_taken_up(self) -> bool:
        """Note that the answer was broken, and tell whether to go on behind its newest event."""
        self.breaks = self.breaks + 1 if self.sequence_number == self._broken_at else 1
        self._broken_at = self.sequence_number
        is_placed = self.sequence_number >= 0  # without numbers all would come once more
        return bool(self.facts.id) and is_placed and self.breaks <= _MOST_BREAKS

    def _take_text(self, event: Event, batch: list[Item]) -> None:
        if self.add_piece(event, "text", str, batch):
            self._newest = event.output_index
        if event.logprobs and (likely := logprobs_of({"content": event.logprobs})):
            batch.append(likely)

    def add_piece(
        self, event: Event, kind: str, make: Callable[[str], Item], batch: list[Item]
    ) -> bool:
        """Append a piece, note of which item it was, and tell whether there is any."""
        if not isinstance(event.delta, str) or not event.delta:
            return False
        batch.append(make(event.delta))
        self._told.add(kind, _index_of(event))
        return True

    def _take_arguments(self, event: Event, _batch: list[Item]) -> None:
        self._calls.add(event.delta, _index_of(event))
        self.is_building = True

    def _take_whole_arguments(self, event: Event, _batch: list[Item]) -> None:
        written = event.arguments if event.arguments is not None else event.input
        self._calls.settle(written, _index_of(event))
        self.is_building = True

    def _take_begun(self, event: Event, _batch: list[Item]) -> None:
        self.is_building |= self._calls.begin(as_mapping(event.item), _index_of(event))

    def _take_annotation(self, event: Event, batch: list[Item]) -> None:
        batch += self._sources.new(citation_of(event.annotation, self._before))

    def _take_item(self, event: Event, batch: list[Item]) -> None:
        index = _index_of(event)
        self._take_whole(as_mapping(event.item), index, self._told.of(index), batch)

    def _take_whole(
        self, item: dict[str, object], index: int, known: set[str], batch: list[Item]
    ) -> None:
        """Append what a whole item says, but for the kinds of content that are known of it."""
        self._output.add(item)
        match item.get("type"):
            case "message":
                said, refused = text_in(item), refusal_in(item)
                batch += [said] if said and "text" not in known else []
                batch += [Refusal(refused)] if refused and "refusal" not in known else []
                batch += self._sources.new(citations_in(item, self._before))
                self._before += len(said)
            case "reasoning":
                thought = thought_in(item)
                batch += [Reasoning(thought)] if thought and "thought" not in known else []
            case "image_generation_call":
                batch.extend(media_in(item))
            case _:
                self.is_building |= self._calls.take(item, index)
                batch.extend(results_in(item))

    def _end(self, status: str, event: Event) -> list[Item]:
        """Return what is left to say: what only the last event has, calls, usage and the finish.

        Raises:
            AsyncLLMError: the answer failed.

        """
        response = as_mapping(event.response)
        check_end(response, status)
        self.facts.add(response)
        self.facts.note("copilot_usage", event.copilot_usage)
        items: list[Item] = []
        if self._output.is_empty:  # not even one `output_item.done` has come
            known = self._told.of_all()
            for index, item in enumerate(as_list(response.get("output"))):
                self._take_whole(as_mapping(item), index, known, items)
        calls = self._calls.whole()
        items.append(self.facts.about(self._output.whole()))
        usage = usage_of(response)
        finish = finish_of(response, status, has_calls=bool(calls))
        return [*items, *calls, *([usage] if usage is not None else []), finish]


def _taking(
    kind: str, make: Callable[[str], Item]
) -> Callable[[ResponsesTranslator, Event, list[Item]], None]:
    """Return what takes the pieces of one kind."""

    def take(translator: ResponsesTranslator, event: Event, batch: list[Item]) -> None:
        translator.add_piece(event, kind, make, batch)

    return take


_TAKES: Mapping[str, Callable[[ResponsesTranslator, Event, list[Item]], None]] = {
    _TEXT: ResponsesTranslator._take_text,  # noqa: SLF001 - here and below: of this module
    "response.refusal.delta": _taking("refusal", Refusal),
    "response.reasoning_summary_text.delta": _taking("thought", Reasoning),
    "response.reasoning_text.delta": _taking("thought", Reasoning),
    "response.function_call_arguments.delta": ResponsesTranslator._take_arguments,  # noqa: SLF001
    "response.custom_tool_call_input.delta": ResponsesTranslator._take_arguments,  # noqa: SLF001
    "response.function_call_arguments.done": ResponsesTranslator._take_whole_arguments,  # noqa: SLF001
    "response.custom_tool_call_input.done": ResponsesTranslator._take_whole_arguments,  # noqa: SLF001
    "response.output_text.annotation.added": ResponsesTranslator._take_annotation,  # noqa: SLF001
    "response.output_item.added": ResponsesTranslator._take_begun,  # noqa: SLF001
    "response.output_item.done": ResponsesTranslator._take_item,  # noqa: SLF001
}


def _index_of(event: Event) -> int:
    index = event.output_index
    return index if isinstance(index, int) else as_count(index) or 0
