"""What today's chat-ui is asked: a form with one text, its files, and what they are to follow.

Wire facts: `POST /conversation/ID` of chat-ui 0.20.0, seen on a server; that a file is named
`base64;NAME` and holds base64 stands in its source.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from asyncllm.errors import ConfigurationError
from asyncllm.framing.json import encode_json
from asyncllm.messages import format_prompt, placed, text_of
from asyncllm.wires.attachments import Attachment, attachment_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_END_OF_LINE = b"\r\n"
_IN_NAMES = {'"': "%22", "\r": "%0D", "\n": "%0A"}  # as browsers write them
_IS_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII).fullmatch


class Place(NamedTuple):
    """Where an answer goes: a conversation, and the message in it that the question follows.

    Attributes:
        conversation: its id.
        parent: the message's id.

    """

    conversation: str
    parent: str

    @classmethod
    def read(cls, name: str) -> Place:
        """Return the place that `name` stands for."""
        conversation, _, parent = name.rpartition("#")
        return cls(conversation, parent)

    @property
    def name(self) -> str:
        """The name of both, for whoever keeps but one."""
        return f"{self.conversation}#{self.parent}"


def preprompt_of(messages: Sequence[Mapping[str, object]]) -> str:
    """Return the system messages at the beginning, which a conversation is created with.

    Raises:
        ConfigurationError: one holds something other than text.

    """
    texts = [text_of(each, where) for where, each in placed(messages) if _is_system(each)]
    return "\n\n".join(texts[: _heads(messages)])


def form_of(messages: Sequence[Mapping[str, object]], fields: Mapping[str, object]) -> bytes:
    """Return the beginning of a form that asks `messages`, without the place where to.

    Several messages are one text: a conversation can't be begun with what was said elsewhere.

    Args:
        messages: the messages, checked.
        fields: what else is asked, by chat-ui's own names.

    Raises:
        ConfigurationError: there is no text, something that is no text, image or file, a file by
            its URL, or a field that has no JSON form.

    """
    asked = messages[_heads(messages) :]
    files: list[Attachment] = []
    texts = [_without_files(where, each, files) for where, each in placed(asked)]
    inputs = format_prompt(texts) if texts else ""
    if not inputs:
        raise ConfigurationError("chat-ui needs a user message with some text")
    data = encode_json({**fields, "inputs": fields.get("inputs", inputs)})
    parts = [_file_part(each) for each in files]
    digest = hashlib.sha256(data)
    for part in parts:
        digest.update(part)
    # It can't be in what it is made of, and the same request is the same bytes.
    boundary = b"--asyncllm-" + digest.hexdigest()[:40].encode()
    head = b'Content-Disposition: form-data; name="data"\r\n\r\n'
    pieces = [piece for part in parts for piece in (boundary, _END_OF_LINE, part, _END_OF_LINE)]
    return b"".join([*pieces, boundary, _END_OF_LINE, head, data.removesuffix(b"}")])


def completed(form: bytes, fields: Mapping[str, object]) -> bytes:
    """Return a form with all that it asks.

    Args:
        form: the beginning, as `form_of` returns it.
        fields: those that it lacks.

    """
    boundary = form[: form.index(_END_OF_LINE)]
    rest = b"," + encode_json(fields).removeprefix(b"{") if fields else b"}"
    return b"".join([form, rest, _END_OF_LINE, boundary, b"--", _END_OF_LINE])


def media_type_of(form: bytes) -> str:
    """Return the content type of a form."""
    boundary = form[2 : form.index(_END_OF_LINE)].decode()
    return f"multipart/form-data; boundary={boundary}"


def _heads(messages: Sequence[Mapping[str, object]]) -> int:
    """Return how many system messages come before all others."""
    others = (n for n, message in enumerate(messages) if not _is_system(message))
    return next(others, len(messages))


def _is_system(message: Mapping[str, object]) -> bool:
    return message.get("role") in {"system", "developer"}


def _without_files(
    where: str, message: Mapping[str, object], files: list[Attachment]
) -> dict[str, object]:
    """Return a message's text alone, and add its files to `files`."""
    content = message.get("content")
    if not isinstance(content, list):
        return {**message, "content": text_of(message, where)}
    texts: list[object] = []
    for number, part in enumerate(content):
        place = f"{where}.content[{number}]"
        found = attachment_of(part, place)
        if found is None:
            texts.append(part)
        elif found.url:
            raise ConfigurationError(
                f"{place} is a file with a URL, but this provider takes files as bytes or paths"
            )
        else:
            files.append(found)
    text = text_of({**message, "content": texts}, where) if texts else ""
    return {**message, "content": text}


def _file_part(file: Attachment) -> bytes:
    name = file.name or f"image.{file.media_type.partition('/')[2] or 'png'}"
    for character, escaped in _IN_NAMES.items():
        name = name.replace(character, escaped)
    kind = file.media_type if _IS_MEDIA_TYPE(file.media_type) else "application/octet-stream"
    head = (
        f'Content-Disposition: form-data; name="files"; filename="base64;{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return f"{head}{file.base64}".encode("utf-8", "replace")
