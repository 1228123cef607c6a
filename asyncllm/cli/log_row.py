"""A row of the log: what was asked and what came, without secrets, images and files."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from asyncllm.parts import text_in
from asyncllm.redaction import Mask

if TYPE_CHECKING:
    from asyncllm.reply import Reply

_LONGEST = 1024  # characters of what is no text: a data URL, say
_PIECE = 64 * 1024  # characters that are masked at a time
_IS_KEY = re.compile(r".*_(?:KEY|TOKEN|SECRET|PASSWORD)", re.IGNORECASE).fullmatch
_TEXTS = {"content", "text", "arguments", "thinking", "reasoning"}


def row_of(
    reply: Reply,
    *,
    messages: Sequence[Mapping[str, object]],
    provider: str,
    model: str,
    system: str | None,
    error: BaseException | None,
    secrets: Iterable[str],
) -> dict[str, str | float | None]:
    """Return the columns of an answer, but for when it was asked; see `log_answer`."""
    hidden = [*filter(None, (*secrets, *_known_keys()))]

    def clean(text: str) -> str:
        return _masked(text.encode("utf-8", "replace").decode(), hidden)

    def as_json(value: object) -> str:
        return json.dumps(_kept(value, clean), ensure_ascii=False)

    is_whole = error is None and reply.finish_reason not in {None, "cancelled"}
    failure = "" if error is None else f"{type(error).__name__}: {error}".removesuffix(": ")
    return {
        "provider": clean(provider),
        "model": clean(reply.model or model),
        "system": clean(system or ""),
        "question": clean(_text_of(messages[-1]) if messages else ""),
        "messages": as_json(messages),
        "answer": clean(reply.text or reply.refusal),
        "reasoning": clean(reply.reasoning),
        "tool_calls": as_json(msgspec.to_builtins(reply.tool_calls)),
        "usage": None if reply.usage is None else as_json(msgspec.to_builtins(reply.usage)),
        "finish_reason": clean(reply.finish_reason or ""),
        "error": clean(failure),
        "first_token": reply.time_to_first_token,
        "duration": reply.duration,
        "is_partial": int(not is_whole),
    }


def _known_keys() -> list[str]:
    """Return every key of the environment, whosever it is, and of the keys file."""
    from asyncllm.cli.keys_file import stored_keys  # noqa: PLC0415 - as below
    from asyncllm.errors import ConfigurationError  # noqa: PLC0415 - as below
    from asyncllm.registry import key_variables  # noqa: PLC0415 - heavy

    variables = {variable for each in key_variables().values() for variable in each}
    keys = [text for name, text in os.environ.items() if name in variables or _IS_KEY(name)]
    with contextlib.suppress(ConfigurationError):  # no key of a broken file was used
        keys += stored_keys().values()
    return keys


def _masked(text: str, secrets: Sequence[str]) -> str:
    """Return a text of any length without the secrets: a mask looks at so much and no more."""
    pieces, start = list[str](), 0
    while len(text) - start > _PIECE:
        end = _gap(text, start)
        pieces.append(Mask(secrets)(text[start:end]))
        start = end
    return "".join((*pieces, Mask(secrets)(text[start:])))


def _gap(text: str, start: int) -> int:
    """Return where a piece of a text may end, so that no secret is cut in two: before a space."""
    last = max(text.rfind(space, start + 1, start + _PIECE) for space in " \n\t")
    if last > 0:
        return last
    found = [text.find(space, start + _PIECE) for space in " \n\t"]
    return min((each for each in found if each > 0), default=len(text))


def _kept(value: object, clean: Callable[[str], str], name: object = None) -> object:
    """Return what is kept of a part of a message: no images, files or recordings."""
    match value:
        case str():
            is_text = name in _TEXTS or len(value) <= _LONGEST
            return clean(value) if is_text else f"{value[:32]}… ({len(value)} characters)"
        case bytes() | bytearray():
            return f"({len(value)} bytes)"
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(each): _kept(item, clean, each) for each, item in value.items()}
        case Sequence():
            return [_kept(item, clean, name) for item in value]
    return clean(str(value))


def _text_of(message: Mapping[str, object]) -> str:
    """Return the text of a message, and nothing of what else it holds."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else ()
    return "\n".join(text for part in parts if (text := text_in(part)) is not None)
