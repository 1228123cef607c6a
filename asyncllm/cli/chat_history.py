"""What was typed in chats before, kept in a file that only its owner can read."""

from __future__ import annotations

import json
import os
from collections import deque
from typing import TYPE_CHECKING

from prompt_toolkit.history import History
from typing_extensions import override

from asyncllm.cli.home import home, made_home, read_private, replace_private
from asyncllm.cli.text import say
from asyncllm.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MOST = 1000  # entries
_MOST_CHARACTERS = 20_000  # of an entry: a pasted file is not worth being found again


class ChatHistory(History):
    """The history of all chats: a line of JSON for each entry, so that none is broken by another.

    Several chats may add to it at once. It never fails a chat: where the file can't be used, a line
    on standard error says so, and the history is this chat's alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_usable = True

    @override
    def load_history_strings(self) -> Iterable[str]:
        """Return the entries of the file, the newest first."""
        try:
            lines = (read_private(history_path()) or b"").splitlines()
            kept = deque(lines, maxlen=MOST)
            if len(lines) > 2 * MOST:
                replace_private(history_path(), b"\n".join(kept) + b"\n")
        except ConfigurationError as error:
            self._give_up(str(error))
            return []
        return [text for line in reversed(kept) if (text := _entry(line))]

    @override
    def store_string(self, string: str) -> None:
        """Add an entry to the file."""
        if not self._is_usable or len(string) > _MOST_CHARACTERS:
            return
        line = json.dumps(string, ensure_ascii=False).encode(errors="replace") + b"\n"
        try:
            made_home()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            number = os.open(history_path(), flags, 0o600)
            try:
                os.write(number, line)
            finally:
                os.close(number)
        except ConfigurationError as error:
            self._give_up(str(error))
        except OSError as error:
            self._give_up(f"cannot write {history_path()}: {error.strerror}")

    def _give_up(self, why: str) -> None:
        self._is_usable = False
        say(f"asyncllm: {why}; this chat has no history")


def history_path() -> Path:
    """Return where the history is, or would be."""
    return home() / "chat_history.jsonl"


def _entry(line: bytes) -> str:
    """Return the entry of a line; "" where it holds none."""
    try:
        found = json.loads(line)
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""
