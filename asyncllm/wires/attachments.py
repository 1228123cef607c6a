"""The images, files and recordings of messages, in one form for the wires that have their own.

Wire facts: OpenAI's reference of `POST /chat/completions`, content parts `image_url`, `file` and
`input_audio`, which every provider takes as they are.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple

from asyncllm.errors import ConfigurationError
from asyncllm.parts import check_part, is_attachment
from asyncllm.wires.loose import as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_AUDIO_TYPES = {"mp3": "audio/mpeg"}  # others are called as OpenAI calls them: "wav", "flac"


class Attachment(NamedTuple):
    """An image, a file or a recording.

    Attributes:
        media_type: such as "image/png"; "" of a URL that says none.
        data: the bytes; b"" where there is a URL.
        url: an http(s) URL; "" where there are bytes.
        name: what a file is called; "" for an image.
        detail: how closely the model is to look at an image; "" where nobody said.
        is_image: whether it is one.

    """

    media_type: str
    data: bytes = b""
    url: str = ""
    name: str = ""
    detail: str = ""
    is_image: bool = False

    @property
    def is_audio(self) -> bool:
        """Whether it is a recording."""
        return self.media_type.startswith("audio/")

    @property
    def base64(self) -> str:
        """The bytes, for JSON."""
        return base64.b64encode(self.data).decode()

    @property
    def anywhere(self) -> str:
        """A URL that has it or leads to it: a data: URL where there are bytes."""
        return self.url or f"data:{self.media_type};base64,{self.base64}"


def attachment_of(part: Mapping[str, object], where: str) -> Attachment | None:
    """Return what a part of a message is; None where it is text, or of a kind unknown here.

    Args:
        part: one that `check_part` has returned, of ours or in OpenAI's own shape.
        where: its place, for errors.

    Raises:
        ConfigurationError: it is in OpenAI's shape, and what it has can't be used; the text says
            where.

    """
    ours = part if is_attachment(part) else _as_ours(part, where)
    if ours is None:
        return None
    source = ours["source"]
    is_image = ours["type"] == "image"
    return Attachment(
        media_type=as_text(ours.get("media_type")),
        data=source if isinstance(source, bytes) else b"",
        url=source if isinstance(source, str) else "",
        name="" if is_image else as_text(ours.get("name")),
        detail=as_text(ours.get("detail")),
        is_image=is_image,
    )


def _as_ours(part: Mapping[str, object], where: str) -> Mapping[str, object] | None:
    """Return a part in OpenAI's shape as one of ours; None where it is no attachment."""
    match part.get("type"):
        case "image_url":
            image = part.get("image_url")
            said = as_mapping(image)
            url = image if isinstance(image, str) else said.get("url")
            detail = {"detail": said["detail"]} if "detail" in said else {}
            return check_part({"type": "image", "source": url, **detail}, where)
        case "input_audio":
            said = as_mapping(part.get("input_audio"))
            kind = as_text(said.get("format")) or "wav"
            media_type = _AUDIO_TYPES.get(kind, f"audio/{kind}")
            url = f"data:{media_type};base64,{as_text(said.get('data'))}"
            return check_part({"type": "file", "source": url}, where)
        case "file":
            said = as_mapping(part.get("file"))
            if "file_data" not in said:
                raise ConfigurationError(
                    f"{where} names a file that only OpenAI's server has: send it with "
                    "asyncllm.file(…)"
                )
            name = {"name": said["filename"]} if said.get("filename") else {}
            return check_part({"type": "file", "source": said["file_data"], **name}, where)
        case _:
            return None
