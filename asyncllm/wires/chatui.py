"""chat-ui's answer of today: an update a line, and the whole text with the last but one.

Wire facts: the bodies of chat-ui 0.20.0 (`POST /conversation/ID` and `GET
/conversation/ID/stream`) as a server sent them. Its source has more updates that were not seen:
`reasoning`, `tool`, `file` and `routerMetadata`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from typing_extensions import override

from asyncllm.errors import ProtocolError, StreamInterrupted
from asyncllm.events import About, Finish, Ping, Reasoning, Restart
from asyncllm.framing.json import UNDECODABLE, decode
from asyncllm.framing.surrogates import without_halves
from asyncllm.wires.chatui_tools import ServerTools, ToolUpdate
from asyncllm.wires.failures import Complaint, failure
from asyncllm.wires.loose import as_count, as_kept, as_text
from asyncllm.wires.streamed_text import StreamedText
from asyncllm.wires.translator import JSONTranslator

if TYPE_CHECKING:
    from asyncllm.events import Event, Item
    from asyncllm.framing import Payload

_PADDING = "\0"  # up to 16 UTF-16 units, so that a length does not tell a word
_MOST_TOLD = 100  # files of one answer
_STATUSES = range(400, 600)


class _Update(msgspec.Struct, rename="camel", gc=False):
    type: object = None
    token: object = None
    text: object = None
    interrupted: object = None
    status: object = None
    subtype: object = None
    message: object = None
    status_code: object = None
    title: object = None
    name: object = None
    mime: object = None
    sha: object = None
    uuid: object = None
    call: object = None
    result: object = None
    route: object = None
    model: object = None
    provider: object = None


class _Piece(msgspec.Struct, gc=False):
    """A token: nearly all updates are one, and to read no more than that takes half as long."""

    type: Literal["stream"]
    token: str


class _End(msgspec.Struct):
    status: str = ""


_UPDATE = msgspec.json.Decoder(_Update)
_PIECE = msgspec.json.Decoder(_Piece)
_END = msgspec.json.Decoder(_End)


class ChatUITranslator(JSONTranslator[_Update]):
    """Reads the updates of one answer, as lines or as events of a stream that is followed later.

    What is told beside the answer waits for its first content: an answer that fails before it may
    be asked for again. Keep-alives before it are nothing.

    chat-ui asks its model anew where that failed amid an answer, and sends the tokens of both one
    after the other. Only the whole text at the end tells: where it is another than the tokens, it
    comes behind a `Restart`.

    Attributes:
        was_told_its_end: whether the server has said how the answer ended; nothing more comes.
        tries: how often in a row the answer was taken up again and nothing new had come.

    """

    __slots__ = (
        "_count",
        "_files",
        "_had",
        "_has_begun",
        "_held",
        "_skipped",
        "_streamed",
        "_thoughts",
        "_thoughts_skipped",
        "_tools",
        "tries",
        "was_told_its_end",
    )

    def __init__(self) -> None:
        super().__init__(_UPDATE)
        self.was_told_its_end = False
        self.tries = 0
        self._streamed = StreamedText()
        self._has_begun = False
        self._held: list[Item] = []  # what is told before the first content
        self._tools = ServerTools()
        self._files: list[object] = []
        self._count = self._thoughts = 0  # characters that have come
        self._skipped = self._thoughts_skipped = 0  # of those that come a second time
        self._had = 0  # of all that came, before the answer was taken up again

    def go_on(self) -> ChatUITranslator:
        """Return what reads the same answer from its beginning on, and tells what is new in it."""
        other = ChatUITranslator()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        # What breaks again may have brought less than the first try.
        other._skipped = max(self._skipped, self._count)
        other._thoughts_skipped = max(self._thoughts_skipped, self._thoughts)
        other._count = other._thoughts = 0
        other._had = other._skipped + other._thoughts_skipped + self._tools.told
        other.tries = 1 if other._had > self._had else self.tries + 1
        return other

    @override
    def _read(self, payloads: list[Payload], batch: list[Item]) -> None:
        decode_piece = _PIECE.decode
        for payload in payloads:
            try:
                token = decode_piece(payload).token  # type: ignore[arg-type] # see UNDECODABLE
            except UNDECODABLE:
                super()._read([payload], batch)
                if self.is_done:
                    break
            else:
                if self._skipped:
                    text = self._new(token)
                else:
                    text = token.rstrip(_PADDING)
                    self._count += len(text)
                if text:
                    batch.append(text)
        if not self.is_done:
            self._streamed.add(batch)
        if batch and not self._has_begun:
            self._has_begun = True
            batch[:0] = self._held
            self._held = []

    @override
    def take(self, event: _Update, batch: list[Item]) -> bool:
        """Append what an update says; see `JSONTranslator`."""
        match event.type:
            case "stream":
                if isinstance(event.token, str) and (text := self._new(event.token)):
                    batch.append(text)
            case "status":
                self._take_status(event, batch)
            case "finalAnswer":
                self._streamed.add(batch)
                self._finish(event, batch)
                self.is_done = self.was_told_its_end = True
            case "reasoning":
                if isinstance(event.token, str) and (text := self._new_thought(event.token)):
                    batch.append(Reasoning(text))
            case "tool":
                update = ToolUpdate(
                    event.subtype, event.uuid, event.call, event.result, event.message
                )
                if (result := self._tools.result_in(update)) is not None:
                    batch.append(result)
            case _:
                self._take_other(event, batch)
        return self.is_done

    @override
    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Take the end of a stream that is followed later; see `JSONTranslator`."""
        if name != "end":
            return False
        self.was_told_its_end = True
        said = decode(_END, data).status or "nothing more"
        raise StreamInterrupted(f"the answer was cut off: the server says: {said}")

    @override
    def end(self) -> list[Item]:
        """Say that the body has ended, too early."""
        raise StreamInterrupted("the answer was cut off: it ended without `finalAnswer`")

    def _new(self, token: str) -> str:
        """Return what of a token has not come before."""
        text = token.rstrip(_PADDING)
        before, self._count = self._count, self._count + len(text)
        return text[max(0, self._skipped - before) :]

    def _new_thought(self, token: str) -> str:
        text = token.rstrip(_PADDING)
        before, self._thoughts = self._thoughts, self._thoughts + len(text)
        return text[max(0, self._thoughts_skipped - before) :]

    def _take_status(self, event: _Update, batch: list[Item]) -> None:
        match event.status:
            case "keepAlive":
                if self._has_begun or batch:
                    batch.append(Ping("keepAlive"))
            case "error":
                self.was_told_its_end = True
                status = as_count(event.status_code) or 0
                raise failure(
                    Complaint(as_text(event.message), status=status if status in _STATUSES else 0)
                )
            case "finished":
                # Its model ended without saying why.
                self.was_told_its_end = True
                raise StreamInterrupted("the answer was cut off: no `finalAnswer` came")

    def _finish(self, event: _Update, batch: list[Item]) -> None:
        """Append what is left to say: text that was not streamed, and the finish.

        Raises:
            ProtocolError: the whole text is another than the one that was streamed, which was too
                long to be kept.

        """
        whole, before = as_text(event.text), self._streamed.text
        try:
            rest = self._streamed.rest_of(whole)
        except ProtocolError:
            if before is None:
                raise
            restart = Restart(without_halves(before))
            batch += [restart, whole] if whole else [restart]
        else:
            batch += [rest] if rest else []
        batch.append(Finish("interrupted" if event.interrupted is True else "stop"))

    def _take_other(self, event: _Update, batch: list[Item]) -> None:
        match event.type:
            case "title" if title := as_text(event.title):
                self._tell(About(extra={"title": title}), batch)
            case "routerMetadata":
                route = as_text(event.route)
                about = About(
                    model=as_text(event.model),
                    provider=as_text(event.provider),
                    extra={"route": route} if route else {},
                )
                self._tell(about, batch)
            case "file" if len(self._files) < _MOST_TOLD:
                said = {"name": event.name, "mime": event.mime, "sha": event.sha}
                told = {name: as_text(value) for name, value in said.items() if value}
                files = as_kept([*self._files, told])
                if told not in self._files and isinstance(files, list):
                    self._files = files
                    self._tell(About(extra={"files": files}), batch)

    def _tell(self, event: Event, batch: list[Item]) -> None:
        (batch if self._has_begun or batch else self._held).append(event)
