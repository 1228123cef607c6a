"""The parts of a message's content: text, images and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NotRequired, Required, TypedDict

from asyncllm.errors import ConfigurationError
from asyncllm.sources import (
    Found,
    Source,
    checked_media_type,
    default_name,
    find,
    is_told_by_head,
    is_url,
    media_type_of_head,
    media_type_of_name,
    read,
)


class TextPart(TypedDict):
    """A piece of text.

    Attributes:
        type: "text".
        text: the text.

    """

    type: Literal["text"]
    text: str


class ImagePart(TypedDict, total=False):
    """An image.

    Attributes:
        type: "image".
        source: a `pathlib.Path`, which is read when the stream is made; bytes; an http(s) URL or a
            data: URL.
        media_type: such as "image/png".
        detail: how closely the model looks at it, if the provider supports that: "low", "high".

    """

    type: Required[Literal["image"]]
    source: Required[Source]
    media_type: NotRequired[str]
    detail: NotRequired[str]


class FilePart(TypedDict, total=False):
    """A file: a document, or a recording.

    Attributes:
        type: "file".
        source: a `pathlib.Path`, which is read when the stream is made; bytes; an http(s) URL or a
            data: URL.
        media_type: such as "application/pdf" or "audio/wav".
        name: the name of the file for the model.

    """

    type: Required[Literal["file"]]
    source: Required[Source]
    media_type: NotRequired[str]
    name: NotRequired[str]


def text(content: str) -> TextPart:
    """Return a part of a message's content that is text.

    Args:
        content: the text.

    Raises:
        ConfigurationError: it is not a `str`.

    """
    if not isinstance(content, str):
        raise ConfigurationError(f"the text must be a str, not {type(content).__name__}")
    return {"type": "text", "text": content}


def image(source: Source, *, media_type: str | None = None, detail: str | None = None) -> ImagePart:
    """Return a part of a message's content that is an image.

    A path is checked now, and read when the stream is made. A `str` can name a file here, so
    `source` must not come from people who may not read your files.

    Args:
        source: a path; bytes; an http(s) URL, which the provider's server reads; or a data: URL. At
            most 50 MiB.
        media_type: such as "image/png"; default: detected from the first bytes or the name.
        detail: how closely the model looks at it, if the provider supports that: "low", "high".

    Raises:
        ConfigurationError: it can't be read, is empty or too large, or its media type is unknown or
            not an image's.

    """
    found = find(source)
    kind = (
        checked_media_type(media_type)
        or found.declared
        or media_type_of_head(found.head)
        or media_type_of_name(found.name)
    )
    _check_kind(found, kind, is_image=True)
    part: ImagePart = {"type": "image", "source": found.content}
    if kind:
        part["media_type"] = kind
    if detail is not None:
        part["detail"] = _checked_str("detail", detail)
    return part


def file(source: Source, *, media_type: str | None = None, name: str | None = None) -> FilePart:
    """Return a part of a message's content that is a file, such as a PDF or a recording.

    A path is checked now, and read when the stream is made. A `str` can name a file here, so
    `source` must not come from people who may not read your files.

    Args:
        source: a path; bytes; an http(s) URL, which the provider's server reads, if it can; or a
            data: URL. At most 50 MiB.
        media_type: such as "application/pdf"; default: detected from the name or the first bytes.
        name: the name of the file for the model; default: the source's own name.

    Raises:
        ConfigurationError: it can't be read, is empty or too large, or its media type is unknown or
            an image's.

    """
    found = find(source)
    called = found.name if name is None else _checked_str("name", name)
    kind = (
        checked_media_type(media_type)
        or found.declared
        or media_type_of_name(called)
        or media_type_of_head(found.head)
    )
    _check_kind(found, kind, is_image=False)
    part: FilePart = {"type": "file", "source": found.content, "name": called or default_name(kind)}
    if kind:
        part["media_type"] = kind
    return part


def check_part(part: object, where: str) -> dict[str, object]:
    """Return a part in the one form that every format is translated from.

    An image or a file has bytes, with their media type, or an http(s) URL as its `source`. A part
    of a kind that is unknown here, such as OpenAI's own, stays as it is.

    Args:
        part: what was given.
        where: its place, for errors.

    Raises:
        ConfigurationError: it is no part, or what it names can't be read; the text says where.

    """
    if not isinstance(part, Mapping):
        raise ConfigurationError(
            f"{where} must be a part such as asyncllm.text(…), not {type(part).__name__}"
        )
    kind = part.get("type") or ("text" if "text" in part else None)
    if not isinstance(kind, str):
        raise ConfigurationError(f'{where} has no type: add one such as "text" or "image"')
    if kind == "text" and not isinstance(part.get("text"), str):
        raise ConfigurationError(f"{where} has no text: give it a str")
    if kind == "image":
        return _whole(part, where, image, "detail")
    if kind == "file" and "file" in part and "source" in part:
        raise ConfigurationError(
            f"{where} has both file (OpenAI's form) and source: use one of them"
        )
    if kind == "file" and "file" not in part:
        return _whole(part, where, file, "name")
    return {**part, "type": kind}


def is_attachment(part: object) -> bool:
    """Tell whether a checked part is an image or a file of ours, with its `source`."""
    return isinstance(part, Mapping) and part.get("type") in {"image", "file"} and "source" in part


def text_in(part: object) -> str | None:
    """Return the text of a part, checked or not; None where it is something else."""
    if not isinstance(part, Mapping) or part.get("type", "text") not in _TEXTS:
        return None
    found = part.get("text")
    return found if isinstance(found, str) else None


def described(part: object) -> str:
    """Return what a part that is no text is, in words, for errors."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(kind, str) or kind in _TEXTS:
        return "not text"
    return _IN_WORDS.get(kind, f"a {kind!r} part")


_TEXTS = ("text", "input_text", "output_text")  # the last two are of OpenAI's Responses
_IN_WORDS = {
    "image": "an image",
    "image_url": "an image",
    "file": "a file",
    "input_audio": "a recording",
}


def _whole(
    part: Mapping[str, object],
    where: str,
    make: Callable[..., ImagePart | FilePart],
    option: str,
) -> dict[str, object]:
    """Return an image or a file that was perhaps written by hand, checked and read."""
    if "source" not in part:
        instead = " instead of url" if "url" in part else ", such as bytes or a URL"
        raise ConfigurationError(f"{where} has no source: write source{instead}")
    source = part["source"]
    if isinstance(source, str) and not is_url(source):
        # Messages that come as JSON must not read files of the program that passes them on.
        raise ConfigurationError(
            f"{where}.source is a str but not a URL: for a file, use asyncllm.{make.__name__}(…) "
            "or a pathlib.Path"
        )
    try:
        made = make(source, **{name: part.get(name) for name in ("media_type", option)})
        content = made["source"]
        data = content
        if isinstance(content, Path):
            data = read(content)
            is_image = made["type"] == "image"
            said = made.get("media_type", "")
            made["media_type"] = _media_type_when_read(said, data, is_image=is_image)
    except ConfigurationError as error:
        problem = str(error)
    else:
        return {**part, **made, "source": data}
    raise ConfigurationError(f"{where}: {problem}")


def _media_type_when_read(media_type: str, data: bytes, *, is_image: bool) -> str:
    """Return the media type of a file that may be another one than when it was looked at.

    A type that first bytes don't tell is taken as it was said.

    Raises:
        ConfigurationError: it was an image and is none, or the other way round.

    """
    found = Found(data)
    now = media_type_of_head(data)
    if not now or not is_told_by_head(media_type):
        return media_type
    _check_kind(found, now, is_image=is_image)
    return now if is_image else media_type


def _check_kind(found: Found, kind: str, *, is_image: bool) -> None:
    if not kind and isinstance(found.content, str):
        return  # the server that reads the URL will find out
    if not kind:
        called = f"of {found.name!r} " if found.name else ""
        example = "image/png" if is_image else "application/pdf"
        raise ConfigurationError(
            f'the media type {called}can\'t be detected: pass media_type=, such as "{example}"'
        )
    if kind.startswith("image/") is not is_image:
        other = "file" if is_image else "image"
        raise ConfigurationError(f"the source is {kind}: use asyncllm.{other}(…) for it")


def _checked_str(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be a non-empty str, not {value!r:.50}")
    return value
