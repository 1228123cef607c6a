"""What this process has on servers, on disk: for whoever comes after a `kill -9`.

The rule of this file: a thread of the ledger's own writes, and nobody waits for it longer than for
a moment. What the file should hold is kept in memory, so it is written again where it was deleted,
or where it could not be written for a while; what waits to be written is never more than what
exists on servers, and what the file holds of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

import msgspec

from asyncllm.errors import ConfigurationError
from asyncllm.http.entries import Entry
from asyncllm.session.ledger_backlog import Backlog
from asyncllm.session.ledger_file import LedgerFile
from asyncllm.session.ledger_owner import this_process

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("asyncllm")

_T = TypeVar("_T")
_PATIENCE_SECONDS = 1.0  # for a row that must be there before a request is sent
_AGAIN_SECONDS = 1.0  # until what could not be written is tried again
_IDLE_SECONDS = 1.0  # until the file is closed
_ENTRY = msgspec.json.Decoder(Entry)


class Ledger:
    """A small SQLite file, which several processes of one machine may share.

    Its rows hold session cookies and proxy passwords, so it is readable by its owner only. What
    fails once it is made is logged, as one warning until it succeeds again.

    Args:
        path: where the file is, or is to be made.

    Raises:
        ConfigurationError: the file can't be used, or this is Windows.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if sys.platform == "win32":
            raise ConfigurationError(
                "a ledger does not work on Windows, where it can't tell which processes are alive"
            )
        self._path = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - no link is followed
        self._backlog = Backlog()
        self._written: list[Future[None]] = []  # who waits for the next writing
        self._heirs: deque[Future[list[Entry]]] = deque()
        self._changing = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_failing = self._is_closing = self._is_closed = False
        self._ended = Future[None]()
        if reason := _why_unusable(self._path):
            raise ConfigurationError(f"the ledger {self._path!r} can't be used: {reason}")

    def add(self, entry: Entry) -> None:
        """Note what exists now; a plain function call."""
        with self._changing:
            self._backlog.put(entry.url, msgspec.json.encode(entry).decode())
            self._wake()

    def remove(self, url: str) -> None:
        """Strike out what exists no more; a plain function call."""
        with self._changing:
            self._backlog.drop(url)
            self._wake()

    def leave(self, url: str) -> None:
        """Let the next heir have what exists still; a plain function call.

        It stays in the file, and takes no memory here from then on.
        """
        with self._changing:
            self._backlog.leave(url)
            self._wake()

    async def note(self, entry: Entry) -> None:
        """Note what may exist soon, and wait until that is in the file; a second at the most.

        A file that can't be written is not waited for again.
        """
        with self._changing:
            if self._backlog.is_written(entry.url):
                return
            self.add(entry)
            if self._is_failing:
                return
            written = Future[None]()
            self._written.append(written)
        await self._wait_for(written, _PATIENCE_SECONDS)

    def take_over(self) -> asyncio.Future[list[Entry]]:
        """Make what dead processes have left our own; the future returns it."""
        with self._changing:
            heir = Future[list[Entry]]()
            self._heirs.append(heir)
            self._wake()
        return asyncio.wrap_future(heir)

    async def aclose(self, within: float) -> None:
        """Write what is still to be written, leave what stays to the next heir, close the file.

        Args:
            within: seconds that this may take; what is not written then is as after a `kill -9`.

        """
        with self._changing:
            self._is_closing = True
            if self._backlog or self._backlog.wanted or self._thread is not None:
                self._wake()
            else:
                return
        await self._wait_for(self._ended, within)

    async def _wait_for(self, written: Future[None], seconds: float) -> None:
        waiting = asyncio.wrap_future(written)
        if not (await asyncio.wait([waiting], timeout=seconds))[0]:
            waiting.cancel()
            self._complain(f"not written within {seconds:.3g} s")

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="asyncllm ledger", daemon=True)
            self._thread.start()
        self._changing.notify()

    def _run(self) -> None:
        """Do what there is to do in the file, and end when there has been nothing for a while."""
        file = LedgerFile(self._path)
        try:
            while (work := self._next()) is not None:
                try:
                    work(file)
                except (OSError, sqlite3.Error) as error:
                    self._complain(str(error))
        finally:
            file.close()
            if self._is_closed:
                _resolve(self._ended, None)

    def _next(self) -> Callable[[LedgerFile], None] | None:
        """Wait for something to do, and return what to do it with."""
        with self._changing:
            if self._is_failing:
                self._changing.wait_for(lambda: self._is_closing, _AGAIN_SECONDS)
            else:
                self._changing.wait_for(lambda: self._is_due or self._is_closing, _IDLE_SECONDS)
            if self._is_closing and not self._is_closed:
                self._is_closed = True
                return self._finish
            if self._is_due and not self._is_closing:
                return self._write
            self._thread = None
            return None

    @property
    def _is_due(self) -> bool:
        return bool(self._backlog or self._heirs)

    def _write(self, file: LedgerFile) -> None:
        is_new = file.open()
        with self._changing:
            batch = self._backlog.begin(is_new=is_new)
            written, self._written = self._written, []
        is_written = False
        try:
            file.write(batch, this_process())
            is_written = True
        finally:
            with self._changing:
                self._backlog.end(is_written=is_written)
        for future in written:
            _resolve(future, None)
        self._leave(file)
        if self._heirs:
            self._inherit(file)
        with self._changing:
            was_failing, self._is_failing = self._is_failing, False
        if was_failing:
            log.info("the ledger %r is written again", self._path)

    def _leave(self, file: LedgerFile) -> None:
        with self._changing:
            keys = self._backlog.leaving
        if keys:
            file.leave(keys)
            with self._changing:
                self._backlog.forget(keys)

    def _inherit(self, file: LedgerFile) -> None:
        left, bad = file.take_over(this_process(), _check)
        for what in bad:
            log.warning(
                "the ledger %r: a row can't be read and was set aside, in the table `set_aside` "
                "(%s)",
                self._path,
                what,
            )
        with self._changing:
            for url, text in left.items():
                self._backlog.adopt(url, text)
            heir = self._heirs.popleft()
        _resolve(heir, [_ENTRY.decode(text) for text in left.values()])

    def _finish(self, file: LedgerFile) -> None:
        self._heirs.clear()
        self._write(file)
        file.leave(list(self._backlog.wanted))

    def _complain(self, reason: str) -> None:
        with self._changing:
            was_failing, self._is_failing = self._is_failing, True
            is_closing = self._is_closing
        if not was_failing:
            log.warning(
                "the ledger %r can't be written: %s; %s",
                self._path,
                reason,
                "it is being closed, so it may stay as it is"
                if is_closing
                else "streams continue, and it will be tried again",
            )


def _check(key: str, text: str) -> None:
    """Raise ValueError where a row's entry is none, is not that of its key, or can't be sent."""
    entry = _ENTRY.decode(text)
    if entry.url != key:
        raise ValueError("it is stored under the key of another one")
    entry.check()


def _resolve(future: Future[_T], result: _T) -> None:
    if future.set_running_or_notify_cancel():
        future.set_result(result)


def _why_unusable(path: str) -> str:
    """Return why a file can't be a ledger, or ""; one that is locked just now can be."""
    file = LedgerFile(path)
    try:
        file.open(timeout=0)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return "" if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} else str(error)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        file.close()
    return ""
