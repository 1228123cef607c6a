"""The log of questions and answers: a SQLite file of ours, written where its owner wants it.

A row is one small transaction with a rollback journal: several processes may write, and the file
may stand on a network file system, where a write-ahead log would not work. Nothing here knows of
full-text search, which is brought up to date by whoever searches.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from asyncllm.cli.home import has_home, home, keep_private, made_home, refused
from asyncllm.cli.text import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from asyncllm.reply import Reply

_PATIENCE_SECONDS = 2.0  # for another process to be done with the file

_UPGRADES = (
    """
    CREATE TABLE answers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, also after `clear`
        at TEXT NOT NULL,  -- when it was asked: ISO 8601, UTC
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        system TEXT NOT NULL,
        question TEXT NOT NULL,  -- the text of the last message
        messages TEXT NOT NULL,  -- all of them, as JSON
        answer TEXT NOT NULL,
        reasoning TEXT NOT NULL,
        tool_calls TEXT NOT NULL,  -- as JSON
        usage TEXT,  -- as JSON; NULL where the server did not say
        finish_reason TEXT NOT NULL,  -- "" where it failed
        error TEXT NOT NULL,  -- "" where it did not
        first_token REAL,  -- seconds
        duration REAL,  -- seconds
        is_partial INTEGER NOT NULL  -- 1 where the answer is not whole
    )
    """,
)
"""What makes each version of the schema out of the one before; `user_version` says which it is."""


def log_path() -> Path:
    """Return where the log is, or would be."""
    return home() / "logs.db"


def is_on() -> bool:
    """Tell whether answers are kept in the log."""
    return has_home() and _switch().exists()


def switch(*, on: bool) -> None:
    """Keep answers in the log from now on, or no longer.

    Raises:
        ConfigurationError: the folder of our files can't be written.

    """
    made_home()
    try:
        if on:
            with opened():  # whatever is wrong with it is said now
                pass
            _switch().touch(mode=0o600)
        else:
            _switch().unlink(missing_ok=True)
    except OSError as error:
        raise refused(f"cannot write {_switch()}: {error.strerror}") from None


def log_answer(
    reply: Reply,
    *,
    messages: Sequence[Mapping[str, object]],
    provider: str,
    model: str = "",
    system: str | None = None,
    error: BaseException | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Keep an answer in the log, where logs are on; call it once for each answer, at its end.

    It never fails an answer: where the log can't be written, a line on standard error says so. What
    is kept holds no keys: those of the environment and of the keys file are masked, and `secrets`.
    Images and files are left out of it.

    Args:
        reply: the answer, as far as it came; its times and its finish reason are those of the log.
        messages: what was asked, without the system message.
        provider: the name of the provider that answered.
        model: the model that was asked, where the reply does not name the one that answered.
        system: the system message, if there was one.
        error: how it failed, if it did; also an interruption, such as Ctrl-C.
        secrets: what the log must not show besides, such as `provider.secrets` and a proxy's URL.

    """
    try:
        if not is_on():
            return
        from asyncllm.cli.log_row import row_of  # noqa: PLC0415 - heavy, and needed here alone

        row = row_of(
            reply,
            messages=messages,
            provider=provider,
            model=model,
            system=system,
            error=error,
            secrets=secrets,
        )
        row["at"] = _begin(reply.duration).isoformat(timespec="milliseconds")
        columns, places = ", ".join(row), ", ".join("?" * len(row))
        with opened() as file:
            file.execute(f"INSERT INTO answers ({columns}) VALUES ({places})", [*row.values()])  # noqa: S608 - our own names
    except Exception as failure:  # noqa: BLE001 - a log must not cost anybody an answer
        say(f"asyncllm: the answer is not in the log: {failure}")


@contextlib.contextmanager
def opened() -> Iterator[sqlite3.Connection]:
    """Give the log, with the schema of today; it is made where there is none.

    Raises:
        ConfigurationError: it can't be used.

    """
    try:
        with connected() as connection:
            yield connection
    except (OSError, sqlite3.Error) as error:
        raise unusable(error) from None


@contextlib.contextmanager
def connected() -> Iterator[sqlite3.Connection]:
    """Give the log as `opened` does, with SQLite's own errors.

    Raises:
        ConfigurationError: other users can read it, or it was written by a newer asyncllm.
        OSError: it can't be made.
        sqlite3.Error: it can't be used.

    """
    path = log_path()
    made_home()
    with contextlib.suppress(FileExistsError):  # or SQLite would make it with another mode
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    keep_private(path)
    connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
    with contextlib.closing(connection):
        _upgrade(connection)
        yield connection


def unusable(error: Exception) -> Exception:
    """Return the error that says why the log can't be used, and what to do."""
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    hint = ""
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        hint = "; asyncllm logs clear begins a new one"
    return refused(f"cannot use the log {log_path()}: {said}{hint}")


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a file to the schema of today.

    Raises:
        ConfigurationError: it is of a later one.

    """
    if _version(connection) == len(_UPGRADES):
        return
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        version = _version(connection)  # another process may have done it meanwhile
        if version > len(_UPGRADES):
            raise refused(f"the log {log_path()} was written by a newer asyncllm: update this one")
        for upgrade in _UPGRADES[version:]:
            connection.execute(upgrade)
        connection.execute(f"PRAGMA user_version = {len(_UPGRADES)}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _begin(duration: float | None) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=duration or 0.0)


def _switch() -> Path:
    return home() / "logs-on"
