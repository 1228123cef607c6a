"""What is logged while the soak runs: warnings are counted, and no line may show or forge."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.soak.canaries import Canaries
    from benchmarks.soak.ledger import Ledger

_LOGGERS = ("asyncllm", "asyncio", "aiohttp", "stamina")
_LONGEST = 4096  # characters of one line
_BREAKS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]").search


class Logs(logging.Handler):
    """Reads every record rather than showing it.

    Args:
        ledger: where warnings are counted, and lines that must not be are complained of.
        canaries: what no line may show.

    """

    def __init__(self, ledger: Ledger, canaries: Canaries) -> None:
        super().__init__(logging.DEBUG)
        self._ledger = ledger
        self._canaries = canaries

    def listen(self) -> None:
        """Take the place of every other handler."""
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.addHandler(self)
            logger.setLevel(logging.DEBUG)
            logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Read one record."""
        line = record.getMessage()
        if record.name == "asyncllm":
            self._ledger.listen(line, is_warning=record.levelno >= logging.WARNING)
        if self._canaries.are_shown(line):
            self._ledger.complain(f"a secret is logged: {record.name} {record.msg!r}")
        if record.exc_info is not None and record.exc_info[1] is not None:
            for words in self._canaries.shown_by(record.exc_info[1]):
                self._ledger.complain(f"a secret is logged: {words}")
        if record.name == "asyncllm" and (_BREAKS(line) or len(line) > _LONGEST):
            self._ledger.complain(f"a log line is several, or too long: {line[:200]!r}")
        if record.name == "asyncio" and record.levelno >= logging.ERROR:
            self._ledger.complain(f"asyncio logs an error: {line[:1000]}")
