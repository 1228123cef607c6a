"""What is asked: the prompt, what standard input has, and what is attached to them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from asyncllm.cli import standard_input
from asyncllm.cli.home import refused
from asyncllm.cli.text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

STDIN = "-"
_TEXTS = ("text/", "application/json", "application/xml")


def content_of(words: Sequence[str], attached: Sequence[str], *, system: str | None) -> Any:
    """Return the content of the message to send: text, or a list of parts.

    What is piped comes first, then an empty line, then the prompt. Attached text files come before
    both, each within a line that names it and one that ends it.

    Args:
        words: the prompt, as it was typed; "-" alone is standard input.
        attached: paths and URLs; "-" is standard input.
        system: the system message, for the error where nothing else was typed.

    Raises:
        ConfigurationError: there is nothing to ask, or something can't be read or sent.

    """
    prompt = "" if list(words) == [STDIN] else " ".join(words)
    # A terminal is read only where somebody says so: nobody types without being asked to.
    wants_input = list(words) == [STDIN] or standard_input.is_piped()
    given = standard_input.read_bytes() if wants_input or STDIN in attached else b""
    texts, parts = list[str](), list[Any]()
    for name in attached:
        _attach(name, given, texts, parts)
    if STDIN not in attached and given:
        way_out = ": attach an image or a document with -a -, and convert text with iconv"
        text = standard_input.as_text(given, "standard input", way_out).rstrip("\n")
        texts += [text] if text.strip() else []
    texts += [prompt] if prompt.strip() else []
    if len(words) > 1 and not attached:
        _tell_of_files(words)
    if not texts and not parts:
        raise refused(_nothing(system, given, wants_input=wants_input))
    if not parts:
        return "\n\n".join(texts)
    from asyncllm.parts import text as text_part  # noqa: PLC0415 - heavy, and seldom needed

    return [*parts, text_part("\n\n".join(texts))] if texts else parts


def _tell_of_files(words: Sequence[str]) -> None:
    """Say so where a word of the prompt is a file, which was perhaps meant to be sent."""
    for word in words:
        if "." in word[1:-1] and Path(word).is_file():
            say(f"asyncllm: {word} is sent as a word; -a {word} sends the file")


def attachment(name: str) -> list[Any]:
    """Return what goes with a message for a file: a text, or a part of its content.

    Args:
        name: a path, or a URL.

    Raises:
        ConfigurationError: it can't be read, or is of no known kind.

    """
    if name == STDIN:
        raise refused("standard input can't be attached in a chat: name a file")
    texts, parts = list[str](), list[Any]()
    _attach(name, b"", texts, parts)
    return [*texts, *parts]


def _nothing(system: str | None, given: bytes, *, wants_input: bool) -> str:
    example = "asyncllm 'Hello'" if system is None else f"asyncllm -s {system!r:.40} 'Hello'"
    why = "standard input is empty, and there is no prompt: " if wants_input and not given else ""
    return f"{why}say what to ask: {example}"


def _attach(name: str, given: bytes, texts: list[str], parts: list[Any]) -> None:
    """Add what is attached to the texts or to the parts, whichever it is."""
    from asyncllm import parts as made  # noqa: PLC0415 - heavy, as these are
    from asyncllm.sources import is_url, media_type_of_head, media_type_of_name  # noqa: PLC0415

    if name != STDIN and is_url(name):
        parts.append(_part_of_url(name))
        return
    if name == STDIN and not given:
        raise refused("standard input is empty, and -a - attaches it: pipe a file into it")
    data = given if name == STDIN else _pipe(name)
    called = "standard input" if name == STDIN else Path(name).name
    source = Path(name) if data is None else data
    head = data[:16] if data is not None else _head(name)
    kind = media_type_of_head(head) or media_type_of_name(called)
    if kind.startswith("image/"):
        parts.append(made.image(source))
    elif kind and not kind.startswith(_TEXTS):
        parts.append(made.file(source, media_type=kind))
    else:
        data = _whole(name) if data is None else data
        way_out = ", and no image, PDF, recording or Office document either: convert it first"
        text = standard_input.as_text(data, called, way_out).rstrip("\n")
        texts.append(f'<file name="{called}">\n{text}\n</file>')


def _part_of_url(url: str) -> Any:
    from asyncllm import parts as made  # noqa: PLC0415 - as above
    from asyncllm.sources import find, media_type_of_head, media_type_of_name  # noqa: PLC0415

    found = find(url)
    name = urlsplit(url).path if isinstance(found.content, str) else found.name
    kind = found.declared or media_type_of_head(found.head) or media_type_of_name(name)
    if kind.startswith("image/"):
        return made.image(url)
    if kind:
        return made.file(url, media_type=kind)
    raise refused(
        f"what is at {url:.100} can't be told from its name: fetch it, such as with curl -L, and "
        "pipe it into: asyncllm -a -"
    )


def _head(name: str) -> bytes:
    from asyncllm.sources import find  # noqa: PLC0415 - as above

    return find(Path(name)).head  # which says what is wrong with a file


def _whole(name: str) -> bytes:
    from asyncllm.sources import read  # noqa: PLC0415 - as above

    return read(Path(name))


def _pipe(name: str) -> bytes | None:
    """Return what a pipe gives, such as that of `-a <(git diff)`; None for what is no pipe."""
    try:
        is_pipe = stat.S_ISFIFO(Path(name).stat().st_mode)
    except (OSError, ValueError):
        return None
    if not is_pipe:
        return None
    try:
        with open(name, "rb") as pipe:  # noqa: PTH123 - /dev/fd/63 is as good a name as any
            data = pipe.read(standard_input.MOST_BYTES + 1)
    except OSError as error:
        raise refused(f"{name} can't be read: {error.strerror}") from None
    if len(data) > standard_input.MOST_BYTES:
        raise refused(f"{name} gives more than {standard_input.MOST_BYTES >> 20} MiB")
    return data
