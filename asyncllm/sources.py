"""Where an image or a file comes from: a path, bytes, an http(s) URL or a data: URL."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from asyncllm.errors import ConfigurationError

Source: TypeAlias = str | bytes | os.PathLike[str]

MAX_SOURCE_BYTES = 50 * 1024 * 1024
"""What an image or a file may have: no provider is known to take more of one in a request."""

_HEAD_BYTES = 16  # what tells every signature below
_SIGNATURES = [
    (re.compile(pattern, re.DOTALL), media_type)
    for pattern, media_type in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF.{4}WEBP", "image/webp"),
        (rb"%PDF-", "application/pdf"),
        (rb"RIFF.{4}WAVE", "audio/wav"),
        (rb"ID3|\xff[\xfb\xf3\xf2]", "audio/mpeg"),
    )
]
_OFFICE = "application/vnd.openxmlformats-officedocument"
# Not those of `mimetypes`, which differ from one machine and one Python to the next.
_BY_EXTENSION = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".xml": "application/xml",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
}
_EXTENSION_OF = {media_type: name for name, media_type in _BY_EXTENSION.items()}
_SAME = {"image/jpg": "image/jpeg", "audio/mp3": "audio/mpeg"}
_SAME |= dict.fromkeys(("audio/x-wav", "audio/wave", "audio/vnd.wave"), "audio/wav")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")
_SCHEME = re.compile(r"data:|[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_IS_BADLY_QUOTED = re.compile(rb"%(?![0-9a-fA-F]{2})").search
_MOST_SHOWN = 200  # characters of a path: perhaps it is no path, but the file itself


class Found(NamedTuple):
    """What a source is.

    Attributes:
        content: a path to read, bytes, or an http(s) URL.
        name: what it is called, perhaps "".
        declared: the media type that it says of itself, perhaps "".
        head: its first bytes; b"" for a URL.

    """

    content: Path | bytes | str
    name: str = ""
    declared: str = ""
    head: bytes = b""


def find(source: object) -> Found:
    """Return what `source` is; of a file only the beginning is read.

    Raises:
        ConfigurationError: it is none that can be sent.

    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _found_bytes(bytes(source))
    if isinstance(source, str) and is_url(source):
        return _found_data(source) if source[:5].lower() == "data:" else _found_url(source)
    if source != "" and isinstance(source, str | os.PathLike):
        path = Path(os.fsdecode(source))
        head = _read(path, _HEAD_BYTES)
        # Absolute, as the program may be in another directory when it is read.
        return Found(path.absolute(), path.name, head=head)
    given = "an empty str" if isinstance(source, str) else type(source).__name__
    raise ConfigurationError(
        f"the source must be a path, bytes, an http(s) URL or a data: URL, not {given}"
    )


def is_url(source: str) -> bool:
    """Tell whether a `str` is a URL rather than a path."""
    return _SCHEME.match(source) is not None


def read(path: Path) -> bytes:
    """Return what the file at `path` holds.

    Raises:
        ConfigurationError: it can't be read, is empty, or has more than `MAX_SOURCE_BYTES`.

    """
    data = _read(path, MAX_SOURCE_BYTES + 1)  # it may have grown since its size was asked for
    _check_size(_shown(path), len(data))
    return data


def checked_media_type(media_type: object) -> str:
    """Return a media type by the name that all modules know it by; "" for None.

    Raises:
        ConfigurationError: it is none.

    """
    if media_type is None:
        return ""
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise ConfigurationError(
            f'media_type={media_type!r:.50} is not a media type: use one such as "image/png"'
        )
    return _SAME.get(media_type.lower(), media_type.lower())


def media_type_of_head(head: bytes) -> str:
    """Return the media type that the first bytes tell; "" where they tell none."""
    return next((name for pattern, name in _SIGNATURES if pattern.match(head)), "")


def is_told_by_head(media_type: str) -> bool:
    """Tell whether the first bytes of what has a media type tell it."""
    return any(media_type == told for _, told in _SIGNATURES)


def media_type_of_name(name: str) -> str:
    """Return the media type that a name tells; "" where it tells none."""
    return _BY_EXTENSION.get(PurePosixPath(name).suffix.lower(), "")


def default_name(media_type: str) -> str:
    """Return what a file without a name is called."""
    return f"file{_EXTENSION_OF.get(media_type, '')}"


def _found_bytes(data: bytes, declared: str = "") -> Found:
    _check_size("the source", len(data))
    return Found(data, declared=declared, head=data[:_HEAD_BYTES])


def _found_url(url: str) -> Found:
    try:
        scheme, host, path, *_ = urlsplit(url)
    except ValueError:
        scheme = host = path = ""
    if scheme not in {"http", "https"} or not host:
        raise ConfigurationError(
            "a URL must begin with http://, https:// or data:, and be complete"
        )
    return Found(url, PurePosixPath(path).name)


def _found_data(url: str) -> Found:
    about, comma, written = url.partition(",")
    if not comma:
        raise ConfigurationError("the data: URL has no comma before its data")
    declared, _, others = about[len("data:") :].partition(";")
    data = _unquoted(written.encode(errors="replace"))
    if "base64" in others.lower().split(";"):
        packed = b"".join(data.split())
        try:
            data = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
        except ValueError:
            data = b""
        if packed and not data:
            raise ConfigurationError("the data: URL is not valid base64")
    return _found_bytes(data, checked_media_type(declared or None))


def _unquoted(quoted: bytes) -> bytes:
    """Return bytes with `%41` and the like decoded; a `%` of another kind stays.

    `urllib.parse` takes microseconds for each of them, and a data: URL may have millions. But for
    its sign, quoted-printable writes them alike.
    """
    if _IS_BADLY_QUOTED(quoted):
        return unquote_to_bytes(quoted)
    return binascii.a2b_qp(quoted.replace(b"=", b"=3D").replace(b"%", b"="))


def _read(path: Path, most: int) -> bytes:
    """Return at most so many bytes of the file at `path`, which is as it must be."""
    data = b""
    try:
        status = path.stat()
        is_regular = stat.S_ISREG(status.st_mode)
        if is_regular:  # to open a pipe could take for ever
            with path.open("rb") as file:
                data = file.read(most)
    except FileNotFoundError:
        problem = f"there is no file {_shown(path)}"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problem = f"{_shown(path)} can't be read: {reason}"
    else:
        if is_regular:
            _check_size(_shown(path), status.st_size)
            return data
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        problem = f"{_shown(path)} is {kind}"
    raise ConfigurationError(problem)


def _check_size(shown: str, size: int) -> None:
    if not size:
        raise ConfigurationError(f"{shown} is empty")
    if size > MAX_SOURCE_BYTES:
        raise ConfigurationError(
            f"{shown} has {size} bytes or more: at most {MAX_SOURCE_BYTES} can be sent"
        )


def _shown(path: Path) -> str:
    text = str(path)
    if len(text) <= _MOST_SHOWN:
        return repr(text)
    return f"{text[:_MOST_SHOWN]!r}… (put base64 into a data: URL, or decode it)"
