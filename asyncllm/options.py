"""How to talk: the limits of a stream (`Timeouts`) and what is tried again (`Retry`)."""

from __future__ import annotations

import math
import os

import msgspec

from asyncllm.errors import ConfigurationError
from asyncllm.hints import check_kind

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The most bytes of one event of a stream, where no session manager says otherwise."""

_OF_MODELS = ("first_token", "stall")
_OFF = {"0", "false", "no", "off"}

MAX_REPLY_BYTES = 64 * 1024 * 1024
"""The most bytes of memory that a reply may take, where no session manager says otherwise."""

READ_AHEAD = 128 * 1024
"""How many bytes of an answer may come before they are asked for, unless a manager says more."""


def environment_accelerates() -> bool:
    """Tell whether the environment lets asyncllm use what the extra `speed` brings."""
    return os.environ.get("ASYNCLLM_ACCELERATE", "").strip().lower() not in _OFF


class _Unset(float):
    """A limit that nobody has set."""

    __slots__ = ()


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one stream, in seconds; None turns a limit off.

    If nobody has set `first_token` or `stall`, a provider whose models are silent for longer has
    longer limits: its page says which.

    Attributes:
        connect: the time to a usable connection, including the proxy and TLS. A connect that takes
            longer is not retried.
        first_token: the time from the first read to the first content, including everything before
            it: connecting, creating a conversation, waiting for headers, retries.
        stall: the time without content afterwards, counted only while the caller waits for it;
            keep-alives do not reset it.
        total: the time from the first read until the answer is complete, whoever is slow.

    Raises:
        ConfigurationError: a limit is not a positive number.

    """

    connect: float | None = 10.0
    first_token: float | None = _Unset(120.0)
    stall: float | None = _Unset(60.0)
    total: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _check_positive(f"Timeouts.{name}", getattr(self, name), optional=True)

    def filled(self, default: Timeouts) -> Timeouts:
        """Return these limits, with two of `default` where nobody has set them."""
        if default is STANDARD:
            return self
        unset = [name for name in _OF_MODELS if isinstance(getattr(self, name), _Unset)]
        return msgspec.structs.replace(self, **{name: getattr(default, name) for name in unset})


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """What is retried before the first event of a stream; nothing is retried after it.

    Attributes:
        attempts: how often a stream is started at most; 1 turns retries off.
        initial_wait: seconds before the second attempt. It doubles for each one after that, and
            jitter of up to `initial_wait` is added. A server may ask for a longer wait.
        max_wait: the longest wait in seconds, even if the server asks for a longer one.

    Raises:
        ConfigurationError: a value is not a positive number.

    """

    attempts: int = 3
    initial_wait: float = 0.5
    max_wait: float = 30.0

    def __post_init__(self) -> None:
        if (
            not isinstance(self.attempts, int)
            or isinstance(self.attempts, bool)
            or self.attempts < 1
        ):
            raise ConfigurationError(
                f"Retry.attempts must be a whole number of at least 1, not {self.attempts!r}"
            )
        _check_positive("Retry.initial_wait", self.initial_wait)
        _check_positive("Retry.max_wait", self.max_wait)


def check_policies(*, timeouts: object = None, retry: object = None) -> None:
    """Refuse limits that are no `Timeouts`, and a policy that is no `Retry`.

    Raises:
        ConfigurationError: one of them is of another kind; the message says how to write it.

    """
    check_kind("timeouts", timeouts, Timeouts, "Timeouts(…), such as Timeouts(first_token=30)")
    check_kind("retry", retry, Retry, "Retry(…), such as Retry(attempts=3)")


def _check_positive(name: str, value: object, *, optional: bool = False) -> None:
    if value is None and optional:
        return
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    if not 0 < number < math.inf:
        off = ", or None for no limit" if optional else ""
        raise ConfigurationError(f"{name} must be a positive number of seconds{off}, not {value!r}")


STANDARD = Timeouts()
"""The limits where nobody has set any."""
