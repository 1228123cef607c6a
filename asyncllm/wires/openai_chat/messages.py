"""Messages as OpenAI's chat wire has them.

Wire facts: OpenAI's reference of `POST /chat/completions`, content parts `image_url`, `file` and
`input_audio`. The last has formats "wav" and "mp3"; servers with more call them by their subtype.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, cast

from asyncllm.errors import ConfigurationError
from asyncllm.messages import placed
from asyncllm.parts import is_attachment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_AUDIO = "audio/"
_FORMATS = {"audio/mpeg": "mp3"}
_OURS = frozenset({"type", "source", "media_type", "detail", "name"})


def openai_messages(messages: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    """Return `messages` with images and files in OpenAI's own shapes.

    A message that has none is the very same object, and so is a part that is no image or file of
    ours. What else such a part has, by names that are unknown here, goes with it.

    Args:
        messages: the messages, as `check_messages` returns them.

    Raises:
        ConfigurationError: a file has a URL for its source, which this wire has no place for.

    """
    if not any(map(_has_attachments, messages)):
        return messages
    return [
        _translated(where, message) if _has_attachments(message) else message
        for where, message in placed(messages)
    ]


def _has_attachments(message: Mapping[str, object]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(map(is_attachment, content))


def _translated(where: str, message: Mapping[str, object]) -> dict[str, object]:
    parts = [
        _attachment(f"{where}.content[{number}]", part) if is_attachment(part) else part
        for number, part in enumerate(cast("list[dict[str, object]]", message["content"]))
    ]
    return {**message, "content": parts}


def _attachment(where: str, part: Mapping[str, object]) -> dict[str, object]:
    source, media_type = part["source"], str(part.get("media_type", ""))
    besides = {name: value for name, value in part.items() if name not in _OURS}
    data = base64.b64encode(source).decode() if isinstance(source, bytes) else ""
    url = f"data:{media_type};base64,{data}" if data else source
    if part["type"] == "image":
        detail = {"detail": part["detail"]} if "detail" in part else {}
        return {"type": "image_url", "image_url": {"url": url, **detail}, **besides}
    if not data:
        raise ConfigurationError(
            f"{where} is a file with a URL, but this provider takes files as bytes or paths only"
        )
    if media_type.startswith(_AUDIO):
        kind = _FORMATS.get(media_type, media_type.removeprefix(_AUDIO))
        return {"type": "input_audio", "input_audio": {"data": data, "format": kind}, **besides}
    return {"type": "file", "file": {"filename": part["name"], "file_data": url}, **besides}
