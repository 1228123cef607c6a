# ruff: noqa: S608 - what these statements are made of is ours
"""What the log holds: the last answers, those in which words stand, and one of them whole."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from typing import TYPE_CHECKING, TypeAlias

from asyncllm.cli.home import refused
from asyncllm.cli.log_file import connected, log_path, opened, unusable

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row: TypeAlias = dict[str, object]

_AS_JSON = ("messages", "tool_calls", "usage")
_GREATEST = 2**63 - 1  # of SQLite's numbers
_SEARCHED = ("question", "answer", "reasoning")
_INDEX = f"""
    CREATE VIRTUAL TABLE IF NOT EXISTS words
        USING fts5({", ".join(_SEARCHED)}, content='answers', content_rowid='id')
"""
_TEXT = " || char(10) || ".join(_SEARCHED)


def last_answers(count: int) -> list[Row]:
    """Return the last answers, the latest first.

    Raises:
        ConfigurationError: the log can't be used.

    """
    with _reading() as log:
        return _rows(log, "ORDER BY id DESC LIMIT ?", count)


def answer(number: int | None) -> Row | None:
    """Return an answer by its id, or the last one; None where it is not there.

    Raises:
        ConfigurationError: the log can't be used.

    """
    with _reading() as log:
        rows = (
            _rows(log, "ORDER BY id DESC LIMIT 1")
            if number is None
            else _rows(log, "WHERE id = ?", min(number, _GREATEST))
        )
    return rows[0] if rows else None


def found(query: str, count: int) -> list[Row]:
    """Return the last answers with all of these words, or words that begin so, the latest first.

    Where the index knows none, or SQLite has no full-text search, the texts themselves are
    looked through for what was typed.

    Raises:
        ConfigurationError: the log can't be used.

    """
    query = query.encode("utf-8", "replace").decode()
    words = re.findall(r"\w+", query)
    with _reading() as log:
        numbers: list[int] = []
        if words:
            with contextlib.suppress(sqlite3.OperationalError):  # no FTS5, or it may not write
                numbers = _indexed(log, words, count)
        if not numbers:
            numbers = _looked_through(log, words or query.split(), count)
        places = ", ".join("?" * len(numbers))
        return _rows(log, f"WHERE id IN ({places}) ORDER BY id DESC", *numbers)


def size() -> tuple[int, int]:
    """Return how many answers the log holds, and its size in bytes.

    Raises:
        ConfigurationError: the log can't be used.

    """
    if not log_path().exists():
        return 0, 0
    with _reading() as log:
        count = log.execute("SELECT count(*) FROM answers").fetchone()[0]
    return int(count), log_path().stat().st_size


def clear() -> int:
    """Delete all answers, and return how many they were; a file that is broken is deleted whole.

    Raises:
        ConfigurationError: the log can't be used.

    """
    path = log_path()
    if not path.exists():
        return 0
    try:
        with connected() as log:
            log.execute("PRAGMA secure_delete = ON")  # VACUUM must wait where others read
            with contextlib.suppress(sqlite3.OperationalError):  # nobody has searched, or no FTS5
                log.execute("INSERT INTO words(words) VALUES ('delete-all')")
            count = log.execute("DELETE FROM answers").rowcount
            log.execute("VACUUM")
    except sqlite3.OperationalError as error:  # locked, or read-only
        raise unusable(error) from None
    except sqlite3.DatabaseError:
        for each in (path, path.with_name(f"{path.name}-journal")):
            each.unlink(missing_ok=True)
        return 0
    return count


@contextlib.contextmanager
def _reading() -> Iterator[sqlite3.Connection]:
    if not log_path().exists():
        raise refused("there is no log yet: type asyncllm logs on to keep answers from now on")
    with opened() as log:
        log.row_factory = sqlite3.Row
        yield log


def _rows(log: sqlite3.Connection, which: str, *values: object) -> list[Row]:
    rows = [dict(row) for row in log.execute(f"SELECT * FROM answers {which}", values)]
    for row in rows:
        row |= {name: json.loads(str(row[name] or "null")) for name in _AS_JSON}
        row["is_partial"] = bool(row["is_partial"])
    return rows


def _indexed(log: sqlite3.Connection, words: list[str], count: int) -> list[int]:
    """Return the ids of the last answers that the index has for all words; it is made up to date.

    Raises:
        OperationalError: there can't be an index.

    """
    newest = "coalesce((SELECT max(id) FROM words_docsize), 0)"
    log.execute(_INDEX)
    if log.execute(f"SELECT 1 FROM answers WHERE id > {newest}").fetchone():
        columns = ", ".join(_SEARCHED)
        log.execute(
            f"INSERT INTO words(rowid, {columns}) "
            f"SELECT id, {columns} FROM answers WHERE id > {newest}"
        )
    wanted = " ".join(f'"{word}"*' for word in words)
    query = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ?"
    return [row[0] for row in log.execute(query, (wanted, count))]


def _looked_through(log: sqlite3.Connection, words: list[str], count: int) -> list[int]:
    """Return the ids of the last answers whose texts hold all words, in whatever case."""
    log.create_function("folded", 1, str.casefold, deterministic=True)
    has_all = " AND ".join([f"instr(folded({_TEXT}), ?)"] * len(words)) or "1"
    query = f"SELECT id FROM answers WHERE {has_all} ORDER BY id DESC LIMIT ?"
    return [row[0] for row in log.execute(query, (*map(str.casefold, words), count))]
