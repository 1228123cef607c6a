"""Anthropic's wire, read: the events of a stream, or one whole message, to items.

Wire facts: Anthropic's "Streaming messages", its reference of `POST /v1/messages`, the types of its
Python SDK, and what it and gateways were seen to do otherwise; the tests are named after each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.errors import StreamInterrupted
from asyncllm.events import About, Finish, Ping, Refusal, Restart
from asyncllm.framing.json import UNDECODABLE
from asyncllm.framing.sse import NamedEvent
from asyncllm.wires.anthropic.blocks import OPAQUE, for_next_turn, server_calls
from asyncllm.wires.anthropic.pieces import EVENT, PIECE, PIECE_NAME
from asyncllm.wires.anthropic.reader import OF_BLOCKS, BlockReader
from asyncllm.wires.anthropic.turn import Turn
from asyncllm.wires.anthropic.usage import both, merged, usage_of
from asyncllm.wires.failures import complaint_of, failure, is_complaint, said_in
from asyncllm.wires.loose import as_kept, as_list, as_mapping, as_text
from asyncllm.wires.tool_calls import MOST_BYTES
from asyncllm.wires.translator import JSONTranslator

if TYPE_CHECKING:
    from asyncllm.events import Item
    from asyncllm.framing import Payload

PAUSED = "pause_turn"
_DONE = b"[DONE]"
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_TOLD = ("stop_sequence", "stop_details", "container", "context_management")


class MessageTranslator(JSONTranslator[dict[str, object]]):
    """Reads one answer, or goes on with one; see `asyncllm.wires.translator.Translator`.

    `About` is given behind the first content, and keep-alives only behind it, as an answer that
    fails before it is asked for again. One that is paused is done without a `Finish`.

    Args:
        turn: what is known of an answer that was paused; None for a new one.
        most_pauses: how often an answer may be paused until that is told as its end.

    Attributes:
        turn: what is known of the answer; all of it once it is paused.
        is_paused: whether the server wants to be asked again, with what has come.

    """

    __slots__ = (
        "_about",
        "_extra",
        "_has_begun",
        "_has_content",
        "_id",
        "_is_going_on",
        "_most_pauses",
        "_reader",
        "_stop",
        "_usage",
        "is_paused",
        "turn",
    )

    def __init__(self, turn: Turn | None = None, *, most_pauses: int = 0) -> None:
        super().__init__(EVENT)
        self.is_paused = False
        self.turn = turn or Turn()
        self._most_pauses = most_pauses
        self._is_going_on = self._has_content = turn is not None
        self._has_begun = False
        self._id = ""
        self._about = About()
        self._forget()

    def _forget(self) -> None:
        """Be as if nothing had come of this message."""
        self._reader = BlockReader(self.turn)
        self._usage: dict[str, object] = {}
        self._extra: dict[str, object] = {}
        self._stop = ""

    @override
    def _read(self, payloads: list[Payload], batch: list[Item]) -> None:
        """Read pieces, as nearly all events are, by a shorter way than the rest."""
        decode_piece, reader = PIECE.decode, self._reader
        try:
            for payload in payloads:
                if type(payload) is NamedEvent and payload.name == PIECE_NAME:
                    try:
                        piece = decode_piece(payload.data)
                    except UNDECODABLE:
                        piece = None  # another kind of piece, or halves of characters
                    if piece is not None:
                        reader.take_piece(piece.index, piece.delta, batch)
                        if not self._has_content:
                            self._introduce(batch)
                        continue
                if self._has_content or not isinstance(payload, Ping):
                    super()._read([payload], batch)
                    self._introduce(batch)
                    reader = self._reader  # it is another where the answer began anew
                if self.is_done:
                    return
        finally:
            reader.settle()
            self.is_building |= reader.is_building
            reader.is_building = False

    @override
    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Take an error that is named so; pass over a mark of OpenAI's wire."""
        if name.lower() == "error":
            raise failure(complaint_of(said_in(data.decode("utf-8", "replace"))))
        return data.strip() == _DONE

    @override
    def take(self, event: dict[str, object], batch: list[Item]) -> bool:
        """Append what an event says; see `JSONTranslator`."""
        kind = event.get("type")
        if kind in OF_BLOCKS:
            self._reader.take(kind, event, batch)
            return False
        match kind:
            case "message_start":
                return self._start(as_mapping(event.get("message")), batch)
            case "message_delta":
                self._note_end({**event, **as_mapping(event.get("delta"))})
            case "message_stop":
                return self._stop_message(batch)
            case "message":
                return self._take_whole(event, batch)
            case "ping":
                batch += [Ping()] if self._has_content else []
            case _ if kind == "error" or (kind is None and is_complaint(event)):
                raise failure(complaint_of(event))
            case _:
                pass  # Anthropic says that there will be others
        return False

    def _introduce(self, batch: list[Item]) -> None:
        """Say what is known of the answer behind its first content."""
        if batch and not self._has_content:
            self._has_content = True
            batch.append(self._about)

    def _start(self, message: dict[str, object], batch: list[Item]) -> bool:
        """Take the beginning of a message, and tell whether that is its end too.

        Gateways send two, or another message in an unfinished one.

        Raises:
            StreamInterrupted: the answer goes on after a pause, and begins anew amid that.

        """
        name = as_text(message.get("id"))
        if name in self.turn.ids:  # it is the paused message once more, and not what follows it
            self._stop = PAUSED
            self.turn.pauses = self._most_pauses
            return self._stop_message(batch)
        if self._has_begun:
            self._begin_anew(batch)
        self._has_begun = True
        self._id = name
        self._usage = merged(self._usage, as_mapping(message.get("usage")))
        model, provider = (as_text(message.get(field)) for field in ("model", "provider"))
        if not self._is_going_on:
            self._about = About(id=name, model=model, provider=provider)
            batch += [self._about] if self._has_content else []
        return False

    def _begin_anew(self, batch: list[Item]) -> None:
        """Take back what has come of a message that another one follows."""
        self._reader.settle()
        self._introduce(batch)
        if self._has_content and not self._reader.blocks.is_empty:
            if self._is_going_on:
                raise StreamInterrupted("the answer began again after it was paused")
            batch.append(Restart(self._reader.blocks.text))
        self.turn.size = 0
        self._forget()

    def _take_whole(self, message: dict[str, object], batch: list[Item]) -> bool:
        """Take a whole message, as some gateways send it although a stream was asked for."""
        if self._start(message, batch):
            return True
        for index, said in enumerate(as_list(message.get("content"))):
            self._reader.start(index, said, batch)
            self._reader.stop(index, batch)
        self._note_end(message)
        return self._stop_message(batch)

    def _note_end(self, said: dict[str, object]) -> None:
        self._stop = as_text(said.get("stop_reason")) or self._stop
        self._usage = merged(self._usage, as_mapping(said.get("usage")))
        for name in _TOLD:
            if (told := as_kept(said.get(name))) is not None:
                self._extra[name] = told

    def _stop_message(self, batch: list[Item]) -> bool:
        """Say what is left to say, unless the answer is only paused."""
        self._reader.settle()
        self._introduce(batch)
        calls = self._reader.calls()
        blocks = self._reader.blocks.whole(calls)
        container = as_text(as_mapping(self._extra.get("container")).get("id"))
        turn = self.turn
        turn.usage = both(turn.usage, usage_of(self._usage)) if self._usage else turn.usage
        turn.container = container or turn.container
        if self._stop == PAUSED and blocks and not calls and turn.pauses < self._most_pauses:
            turn.blocks = blocks
            turn.pauses += 1
            turn.ids |= {self._id} if self._id else set()
            self.is_paused = True
            return True
        if not self._has_content:  # a refusal may have no block at all
            self._has_content = True
            batch.append(self._about)
        extra = {**self._extra, "usage": self._usage, "server_tool_use": server_calls(blocks)}
        batch.append(_last_about(blocks, self._reader.model, turn.container, extra))
        batch += calls
        explanation = as_text(as_mapping(self._extra.get("stop_details")).get("explanation"))
        batch += [Refusal(explanation)] if explanation and self._stop == "refusal" else []
        batch += [turn.usage] if turn.usage is not None else []
        batch.append(_finish(self._stop, has_calls=bool(calls)))
        return True


def _last_about(
    blocks: list[dict[str, object]],
    model: str,
    container: str,
    extra: dict[str, object],
) -> About:
    """Return what is said of the whole answer, and what goes into the next request."""
    told = {name: each for name, each in extra.items() if each and as_kept(each, MOST_BYTES)}
    content = for_next_turn(blocks)
    opaque: dict[str, object] = {"content": content}
    if container and any(map(is_called_by_code, content)):
        opaque["container"] = container
    return About(model=model, opaque={OPAQUE: opaque} if content else {}, extra=told)


def is_called_by_code(block: dict[str, object]) -> bool:
    """Tell whether a block is a call by code that the server runs, and waits there for its result.

    The next request must name the container then.
    """
    caller = as_text(as_mapping(block.get("caller")).get("type"))
    return block.get("type") == "tool_use" and caller not in {"", "direct"}


def _finish(said: str, *, has_calls: bool) -> Finish:
    reason = _REASONS.get(said, said) or "stop"
    if has_calls and (reason == "stop" or said == PAUSED):
        reason = "tool_calls"
    return Finish(reason, said if said != reason else "")
