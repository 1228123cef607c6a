"""The last conversation, kept in a file of ours for `--continue`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec

from asyncllm.cli.home import home, read_private, refused, replace_private

_IN_PATH = "path"  # what the place of a file is called, where a part has its source


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """What was said, and by whom.

    Attributes:
        messages: all of them, the answer too, without the system message.
        model: the model that answered; "" where the server decided.
        provider: the provider's name, as `--provider` takes it.
        base_url: what `--base-url` took; "" for nothing.
        system: the system message; None where there was none.

    """

    messages: list[dict[str, Any]]
    model: str = ""
    provider: str = ""
    base_url: str = ""
    system: str | None = None


def last_path() -> Path:
    """Return where the last conversation is kept, or would be."""
    return home() / "last.json"


def save_last(conversation: Conversation) -> None:
    """Keep a conversation in the place of the last one, in a file that only its owner can read.

    Of attached files it keeps where they are; what came from standard input it keeps whole.

    Raises:
        ConfigurationError: it can't be written.

    """
    kept = msgspec.structs.replace(conversation, messages=_changed(conversation.messages, _kept))
    try:
        data = msgspec.json.encode(kept)
    except (TypeError, ValueError) as error:
        raise refused(f"the conversation has no JSON form: {error}") from None
    replace_private(last_path(), data)


def load_last() -> Conversation | None:
    """Return the last conversation; None where there is none.

    Raises:
        ConfigurationError: its file can't be used.

    """
    data = read_private(last_path())
    if data is None:
        return None
    try:
        found = msgspec.json.decode(data, type=Conversation)
    except msgspec.DecodeError:
        raise refused(f"{last_path()} holds no conversation: delete it") from None
    return msgspec.structs.replace(found, messages=_changed(found.messages, _found))


def _changed(messages: list[dict[str, Any]], change: Any) -> list[dict[str, Any]]:
    """Return messages with the sources of their parts changed."""
    return [
        {**message, "content": [change(part) for part in content]}
        if isinstance(content := message.get("content"), list)
        else message
        for message in messages
    ]


def _kept(part: dict[str, Any]) -> dict[str, Any]:
    source = part.get("source")
    if isinstance(source, Path):
        return {**part, "source": {_IN_PATH: str(source)}}
    if isinstance(source, bytes):
        packed = base64.b64encode(source).decode()
        return {**part, "source": f"data:{part.get('media_type', '')};base64,{packed}"}
    return part


def _found(part: dict[str, Any]) -> dict[str, Any]:
    source = part.get("source")
    if isinstance(source, dict) and isinstance(source.get(_IN_PATH), str):
        return {**part, "source": Path(source[_IN_PATH])}
    return part
