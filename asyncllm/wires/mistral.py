"""What Mistral adds to OpenAI's chat wire: thinking in the content, and messages of its own form.

Wire facts: Mistral's reference of `POST /v1/chat/completions`: `ThinkChunk`, `DocumentURLChunk`,
`AudioChunk`, the `prefix` of an assistant's message; ids of calls have nine letters or digits.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.errors import ConfigurationError
from asyncllm.events import About
from asyncllm.messages import placed
from asyncllm.parts import text_in
from asyncllm.sizes import size_of
from asyncllm.wires.attachments import attachment_of
from asyncllm.wires.loose import as_kept, as_list, as_mapping
from asyncllm.wires.openai_chat import ChatTranslator
from asyncllm.wires.tool_calls import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncllm.events import Item
    from asyncllm.wires.openai_chat.chunks import Delta

KEY = "mistral"
"""The name that thinking has in an assistant's message."""

_ID = re.compile(r"[A-Za-z0-9]{9}").fullmatch
_ID_LENGTH = 9
_FIELDS = ("role", "content", "tool_calls", "tool_call_id", "prefix")  # it refuses any other
_ROLES = {"developer": "system"}


class MistralTranslator(ChatTranslator):
    """Reads one answer, and keeps its thinking for the next turn; see `ChatTranslator`."""

    __slots__ = ("_size", "_thoughts")

    def __init__(self) -> None:
        super().__init__()
        self._thoughts: list[dict[str, object]] = []  # none where they are too large
        self._size = 0

    @override
    def end(self) -> list[Item]:
        """Return what is left to say, and the thinking that goes back; see `ChatTranslator`."""
        items = super().end()
        if not self._thoughts:
            return items
        return [About(opaque={KEY: {"content": [*map(_joined, self._thoughts)]}}), *items]

    @override
    def _take_delta(self, delta: Delta, batch: list[Item]) -> None:
        super()._take_delta(delta, batch)
        for part in map(as_mapping, as_list(delta.content)):
            if part.get("type") == "thinking" and as_kept(part, MOST_BYTES):
                self._add(part)

    def _add(self, part: dict[str, object]) -> None:
        """Add a piece of thinking: of the newest block, unless that is signed or closed."""
        self._size += size_of(part)
        if self._size > MOST_BYTES:
            self._thoughts = []
            return
        newest = self._thoughts[-1] if self._thoughts else None
        if newest is None or newest.get("signature") or newest.get("closed"):
            newest = {"type": "thinking", "thinking": []}
            self._thoughts.append(newest)
        said = part.get("thinking")
        pieces = [{"type": "text", "text": said}] if isinstance(said, str) else as_list(said)
        as_list(newest["thinking"]).extend(pieces)
        besides = {name: part[name] for name in ("signature", "closed") if part.get(name)}
        newest.update(besides)


def mistral_messages(messages: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return `messages` as Mistral has them; a last one of the assistant's is to be gone on with.

    Args:
        messages: the messages, as `check_messages` returns them.

    Raises:
        ConfigurationError: a part can't be used; the text says where.

    """
    own: set[object] = set()  # ids of Mistral's own calls
    sent = [_message(message, where, own) for where, message in placed(messages)]
    last = sent[-1]
    if last["role"] == "assistant" and not last.get("tool_calls"):
        last.setdefault("prefix", True)
    return sent


def _message(message: Mapping[str, object], where: str, own: set[object]) -> dict[str, object]:
    role = message["role"]
    sent = {name: message[name] for name in _FIELDS if name in message}
    sent["role"] = _ROLES.get(str(role), role)
    thought = as_list(as_mapping(message.get(KEY)).get("content"))
    calls = [as_mapping(call) for call in as_list(message.get("tool_calls"))]
    if thought:
        own.update(call.get("id") for call in calls)
        said = _parts(message, where)
        sent["content"] = [*thought, *(part for part in said if part.get("text") != "")]
    elif isinstance(content := message.get("content"), list):
        sent["content"] = _parts(message, where)
    elif not content and message.get("refusal"):
        sent["content"] = message["refusal"]
    if calls:
        sent["tool_calls"] = [_call(call, own, f"{where}.tool_calls") for call in calls]
    elif sent.get("content") is None:
        raise ConfigurationError(f"{where} has nothing that can be sent to Mistral")
    if "tool_call_id" in sent:
        sent["tool_call_id"] = _id_of(sent["tool_call_id"], own)
    return sent


def _call(call: Mapping[str, object], own: set[object], where: str) -> dict[str, object]:
    function = as_mapping(call.get("function"))
    if not function:
        raise ConfigurationError(
            f"{where} has a call of type {call.get('type')!r}, which is not a function call"
        )
    named = {name: function.get(name) for name in ("name", "arguments")}
    return {"id": _id_of(call.get("id"), own), "type": "function", "function": named}


def _id_of(call: object, own: set[object]) -> object:
    """Return an id that Mistral takes, of a call that may be another server's."""
    if not isinstance(call, str) or call in own or _ID(call):
        return call
    return hashlib.sha256(call.encode(errors="replace")).hexdigest()[:_ID_LENGTH]


def _parts(message: Mapping[str, object], where: str) -> list[dict[str, object]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = enumerate(map(as_mapping, as_list(content)))
    return [_part(part, f"{where}.content[{number}]") for number, part in parts]


def _part(part: dict[str, object], where: str) -> dict[str, object]:
    """Return a part as Mistral has it; one of a kind that is unknown here as it is."""
    if part.get("type") == "text":
        return {"type": "text", "text": text_in(part)}
    if as_mapping(part.get("file")).get("file_id"):
        raise ConfigurationError(
            f"{where} names a file that only OpenAI's server has: send it with asyncllm.file(…)"
        )
    found = attachment_of(part, where)
    if found is None:
        return part
    if found.is_image:
        detail = {"detail": found.detail} if found.detail else {}
        return {"type": "image_url", "image_url": {"url": found.anywhere, **detail}}
    if found.is_audio:
        return {"type": "input_audio", "input_audio": found.url or found.base64}
    name = {"document_name": found.name} if found.name else {}
    return {"type": "document_url", "document_url": found.anywhere, **name}


def _joined(part: dict[str, object]) -> dict[str, object]:
    """Return a block of thinking with the pieces of its text joined."""
    joined: list[object] = []
    texts: list[str] = []
    for piece in [*as_list(part["thinking"]), None]:
        text = as_mapping(piece).get("text")
        if isinstance(text, str):
            texts.append(text)
            continue
        if texts:
            joined.append({"type": "text", "text": "".join(texts)})
            texts = []
        if piece is not None:
            joined.append(piece)
    return {**part, "thinking": joined}
