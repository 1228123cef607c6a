"""What this process has on servers, on disk: for whoever comes after a `kill -9`."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import sys
from pathlib import Path

import msgspec

from asyncllm.errors import ConfigurationError

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS conversations (
        url TEXT PRIMARY KEY, headers TEXT NOT NULL, owner TEXT NOT NULL
    )
"""


class Entry(msgspec.Struct, frozen=True):
    """A conversation, as the request that deletes it.

    Attributes:
        url: what to `DELETE`.
        headers: what to send with it, the session's cookie included.

    """

    url: str
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"Entry({self.url})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        # msgspec's own would show the cookie.
        return [("url", self.url)]


class Ledger:
    """A small SQLite file, which several processes of one machine may share.

    Writing to it takes microseconds, as nothing waits for the disk: it is to outlive the process,
    not the machine. Its rows hold session cookies, so it is readable by its owner only.

    Args:
        path: where the file is, or is to be made.

    Raises:
        ConfigurationError: the file can't be used, or this is Windows.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if sys.platform == "win32":
            raise ConfigurationError("a ledger can't tell on Windows which processes live")
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            Path(path).chmod(0o600)
            self._db = sqlite3.connect(path, timeout=5, isolation_level=None)
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            reason = str(error)
        else:
            self._owner = _me()
            return
        raise ConfigurationError(f"the ledger {os.fspath(path)!r} can't be used: {reason}")

    def add(self, entry: Entry) -> None:
        """Note a conversation that exists now."""
        headers = msgspec.json.encode(entry.headers).decode()
        self._db.execute(
            "INSERT OR REPLACE INTO conversations VALUES (?, ?, ?)",
            (entry.url, headers, self._owner),
        )

    def remove(self, url: str) -> None:
        """Strike out a conversation that exists no more."""
        self._db.execute("DELETE FROM conversations WHERE url = ?", (url,))

    def take_over(self) -> list[Entry]:
        """Make what dead processes have left our own, and return it."""
        self._db.execute("BEGIN IMMEDIATE")  # so that two heirs do not both inherit
        try:
            owners = [
                row[0] for row in self._db.execute("SELECT DISTINCT owner FROM conversations")
            ]
            left: list[Entry] = []
            for owner in filter(_is_dead, owners):
                rows = self._db.execute(
                    "UPDATE conversations SET owner = ? WHERE owner = ? RETURNING url, headers",
                    (self._owner, owner),
                )
                left += [Entry(url, msgspec.json.decode(headers)) for url, headers in rows]
        finally:
            self._db.execute("COMMIT")
        return left

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _me() -> str:
    return f"{socket.gethostname()} {os.getpid()} {_start_of(os.getpid())}"


def _is_dead(owner: str) -> bool:
    """Tell whether the process that signs so is certainly gone; in doubt it is not."""
    host, pid, start = owner.rsplit(" ", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _start_of(int(pid)) != start


def _start_of(pid: int) -> str:
    """Return what tells a process from a later one of the same number, where the system says."""
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return stat.rpartition(")")[2].split()[19]
    return "?"
