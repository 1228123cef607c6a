"""Images and documents as blocks of Anthropic's.

Wire facts: Anthropic's reference, the blocks `image` (base64 of four kinds, or a URL) and
`document` (PDF as base64, plain text, or a URL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError

if TYPE_CHECKING:
    from asyncllm.wires.attachments import Attachment

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"
_TEXTS = ("application/json", "application/xml")


def attached(attachment: Attachment, where: str) -> dict[str, object]:
    """Return the block for an image or a file.

    Args:
        attachment: what it is.
        where: its place, for errors.

    Raises:
        ConfigurationError: Anthropic takes none of its kind.

    """
    media_type = attachment.media_type
    if attachment.is_image and (attachment.url or media_type in _IMAGES):
        return {"type": "image", "source": _source(attachment)}
    if attachment.is_image:
        raise _refusal(where, media_type, "images are PNG, JPEG, GIF or WebP")
    title: dict[str, object] = {"title": attachment.name} if attachment.name else {}
    if media_type == _PDF or (attachment.url and not attachment.is_audio):
        return {"type": "document", "source": _source(attachment), **title}
    if media_type.startswith("text/") or media_type in _TEXTS:
        return {"type": "document", "source": _text(attachment, where), **title}
    raise _refusal(where, media_type, "files are PDF or text")


def _source(attachment: Attachment) -> dict[str, object]:
    if attachment.url:
        return {"type": "url", "url": attachment.url}
    return {"type": "base64", "media_type": attachment.media_type, "data": attachment.base64}


def _text(attachment: Attachment, where: str) -> dict[str, object]:
    try:
        text = attachment.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise ConfigurationError(f"{where} is {attachment.media_type}, but not UTF-8")
    return {"type": "text", "media_type": "text/plain", "data": text}


def _refusal(where: str, media_type: str, known: str) -> ConfigurationError:
    return ConfigurationError(f"{where} is {media_type}, which Anthropic does not take: {known}")
