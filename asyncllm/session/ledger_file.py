"""The ledger's file: a small SQLite database, which processes of one machine may share."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from asyncllm.session.ledger_owner import NOBODY, is_dead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_FORMAT = 2
_SCHEMA = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS entries (
        key TEXT PRIMARY KEY, entry TEXT NOT NULL, owner TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS set_aside (key, entry, owner, reason);
    PRAGMA user_version = {_FORMAT};
    COMMIT;
"""
_BUSY_SECONDS = 1.0
_OWNER_ONLY = 0o600
_creating = threading.Lock()


class LedgerFile:
    """The file of a ledger, to be used by one thread at a time.

    Nothing waits for the disk: it is to outlive the process, not the machine.

    Args:
        path: where it is, or is to be made.

    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def open(self, timeout: float = _BUSY_SECONDS) -> bool:
        """Open the file where it is not open, and tell whether it was not.

        A file that was deleted or replaced meanwhile is made, or taken, anew.

        Args:
            timeout: seconds to wait for other processes here, and in each call that follows.

        Raises:
            OSError: it can't be used, or is not ours alone.
            sqlite3.Error: it is no database, or is locked.

        """
        if self._db is not None and self._identity == _identity_of(self._path):
            return False
        self.close()
        identity = _prepare(self._path)
        db = sqlite3.connect(self._path, timeout=timeout, isolation_level=None)
        try:
            _set_up(db)
            _check_unchanged(self._path, identity)
        except BaseException:
            db.close()
            raise
        self._db, self._identity = db, identity
        return True

    def close(self) -> None:
        """Close the file, where it is open."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def write(self, changes: Mapping[str, str | None], owner: str) -> None:
        """Write entries by their keys, all or none; None strikes one out."""
        with self._transaction() as db:
            for key, entry in changes.items():
                if entry is None:
                    db.execute("DELETE FROM entries WHERE key = ?", (key,))
                else:
                    row = (key, entry, owner)
                    db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", row)

    def leave(self, keys: list[str]) -> None:
        """Let the next heir have these, also while this process lives."""
        with self._transaction() as db:
            for key in keys:
                db.execute("UPDATE entries SET owner = ? WHERE key = ?", (NOBODY, key))

    def take_over(
        self, owner: str, check: Callable[[str, str], None]
    ) -> tuple[dict[str, str], list[str]]:
        """Make what dead processes have left `owner`'s.

        Args:
            owner: who inherits.
            check: takes a key and its entry; raises ValueError where they can't be used.

        Returns:
            The entries by their keys; and why some rows can't be used, which are set aside.

        """
        left: dict[str, str] = {}
        bad: list[str] = []
        with self._transaction() as db:  # so that two heirs do not both inherit
            for table, rowid, key, entry, signature in _rows(db):
                try:
                    if not _is_left(key, entry, signature, check):
                        continue
                    left[key] = entry
                except ValueError as error:
                    values = (key, entry, signature, str(error))
                    db.execute("INSERT INTO set_aside VALUES (?, ?, ?, ?)", values)
                    bad.append(f"{key!r}: {error}")
                db.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))  # noqa: S608 - ours
            for key, entry in left.items():
                db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (key, entry, owner))
        return left, bad

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all or nothing; other processes wait from its beginning on."""
        db = self._db
        assert db is not None
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise


def _set_up(db: sqlite3.Connection) -> None:
    """Make the tables where they are missing.

    Raises:
        OSError: the file is of a later format.

    """
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    db.execute("PRAGMA synchronous = OFF")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > _FORMAT:
        raise OSError(f"a newer asyncllm wrote it, in format {version}")
    if version < _FORMAT:
        db.executescript(_SCHEMA)


def _rows(db: sqlite3.Connection) -> list[tuple[str, int, Any, Any, Any]]:
    """Return all rows as table, rowid, key, entry and owner.

    The format before had a row for each conversation in a table of its own. Processes of that
    version may share the file, so that table stays, and its rows move when they are inherited.
    """
    rows = [("entries", *row) for row in db.execute("SELECT rowid, * FROM entries")]
    tables = db.execute("SELECT name FROM sqlite_master WHERE name = 'conversations'")
    if tables.fetchone() is not None:
        old = db.execute("SELECT rowid, url, headers, owner FROM conversations").fetchall()
        rows += [
            ("conversations", rowid, url, _as_entry(url, headers), owner)
            for rowid, url, headers, owner in old
        ]
    return rows


def _as_entry(url: object, headers: object) -> object:
    if not isinstance(headers, str):
        return headers
    return msgspec.json.encode({"url": url, "headers": msgspec.Raw(headers.encode())}).decode()


def _is_left(
    key: object, entry: object, signature: object, check: Callable[[str, str], None]
) -> bool:
    """Tell whether a dead process has left a row that can be used.

    Raises:
        ValueError: it can't be used, or can't be told.

    """
    if not (isinstance(key, str) and isinstance(entry, str) and isinstance(signature, str)):
        raise ValueError("it is not text")  # noqa: TRY004 - one error, whatever is wrong with a row
    if not is_dead(signature):
        return False
    check(key, entry)
    return True


def _prepare(path: str) -> tuple[int, int]:
    """Make the file, or see to it that it is ours alone; return what it is known by.

    A file that is there is not opened for this: closing it would give up the locks that another
    ledger of this process has on it, as POSIX wants it.

    Raises:
        OSError: it can't be made, or may be read or be changed by others under another name.

    """
    # Under a lock, so that nobody has it open before it is closed here.
    with _creating, contextlib.suppress(FileExistsError):
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(path, flags, _OWNER_ONLY))
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        raise OSError("it is a symbolic link: use the path of the file itself")
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is not a file")
    if found.st_uid != os.geteuid():
        raise OSError("it belongs to another user, who could read the cookies in it")
    if found.st_nlink > 1:
        raise OSError("the file has another name too (a hard link): use one of its own")
    if stat.S_IMODE(found.st_mode) != _OWNER_ONLY:
        Path(path).chmod(_OWNER_ONLY)
    return found.st_dev, found.st_ino


def _check_unchanged(path: str, identity: tuple[int, int]) -> None:
    if _identity_of(path) != identity:
        raise OSError("it was replaced while it was opened")


def _identity_of(path: str) -> tuple[int, int] | None:
    """Return what the file of this name is known by, or None where there is none."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
