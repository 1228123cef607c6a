"""Secrets that are recognised wherever they are shown, and the search for them."""

import asyncio
import base64
import contextlib
import functools
import gc
import logging
import re
import warnings
from urllib.parse import quote

import pytest

from support.exception_texts import texts_of

# Each has "canary" in it, so that a part of one is found too. What a URL would encode is meant.
KEY, TOKEN, COOKIE = "canary-key+0/1=2==", "canary-token-012345", "canary-cookie-012345"
SESSION, USER, PASSWORD = "canary-session-012345", "ann", "canary:pass/w0rd"
SHOWN = re.compile(
    "canary|{}|{}".format(
        re.escape(base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()),
        re.escape(base64.b64encode(PASSWORD.encode()).decode()),
    ),
    re.IGNORECASE,
)
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"theme=dark; sid={COOKIE}"}
PROXY_USER = f"{USER}:{quote(PASSWORD, safe='')}"
LOGGERS = ("", "asyncio", "aiohttp", "aiohttp.client", "aiohttp.internal", "asyncllm")


def assert_nothing_shown(texts):
    for text in texts:
        if found := SHOWN.search(text):
            around = text[max(0, found.start() - 60) : found.end() + 40]
            pytest.fail(f"a secret is shown: …{around}…", pytrace=False)


class Listener(logging.Handler):
    """Keeps all that a record could show when it is logged; later its errors are redacted."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts += [record.getMessage(), repr(vars(record))]
        if record.exc_info:
            self.texts += texts_of(record.exc_info[1])


@contextlib.contextmanager
def listening():
    """Search, at the end, every record of every logger at any level, and every warning."""
    listener, levels = Listener(), {name: logging.getLogger(name).level for name in LOGGERS}
    logging.getLogger().addHandler(listener)
    try:
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.DEBUG)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield
            gc.collect()
    finally:
        logging.getLogger().removeHandler(listener)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    assert_nothing_shown(listener.texts)
    assert_nothing_shown(f"{each.message!r} {each.source!r}" for each in warned)


def watched(test):
    """Decorate a test: nothing that is logged or warned of meanwhile may show a secret."""

    @functools.wraps(test)
    async def run(**arguments):
        asyncio.get_running_loop().set_debug(True)
        with listening():
            await test(**arguments)

    return run
