"""What of a call's arguments is for the server, and what is said of a name that is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from asyncllm.base.params import ProviderParams
from asyncllm.errors import ConfigurationError
from asyncllm.hints import OTHER_NAMES, VERY_NEAR, check_kind, near_miss, option_of

_UNNAMED = frozenset({"self", "messages", "params"})
NOT_SENT = frozenset({"model", "system", "proxy", "keep", "extra"})
"""The arguments of a call that are not for the server."""
_KNOWN = frozenset(ProviderParams.__annotations__)
_ELSEWHERE = {
    "timeouts": "to set limits, pass timeouts=Timeouts(…) to the constructor or the session "
    "manager",
    "retry": "to set retries, pass retry=Retry(…) to the constructor or the session manager",
    "headers": "pass headers={…} to the constructor",
    "proxy": "write proxy=…",
}
_OF_MANAGER = {
    name: f"pass {name}=… to the SessionManager"
    for name in (
        "accelerate",
        "grace",
        "ledger",
        "max_event_bytes",
        "max_reply_bytes",
        "read_ahead",
        "spare_conversations",
        "ssl",
        "trust_env",
    )
}
_OF_CONSTRUCTOR = {
    **{name: f"pass {name}=… to the constructor" for name in ("api_key", "base_url", "sessions")},
    **{
        name: _ELSEWHERE[option_of(written)]
        for name, written in OTHER_NAMES.items()
        if option_of(written) in _ELSEWHERE
    },
    "timeouts": _ELSEWHERE["timeouts"],
    "retry": _ELSEWHERE["retry"],
    "headers": "pass headers=… to the constructor",
    "extra_body": "pass extra={…} with what to add to the request",
}
_STREAMING = "stream() gives the answer piece by piece, and complete() gives it whole"
_IMAGES = 'put asyncllm.image(…) into the content of a message: {"role": …, "content": [part, …]}'
_WORDS = {
    "prompt": "it is the first argument, messages",
    "temp": "did you mean temperature?",
    "stream": _STREAMING,
    "streaming": _STREAMING,
    "image": _IMAGES,
    "images": _IMAGES,
}


def named(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by their names, without its messages and what is None.

    Args:
        arguments: the call's `locals()`.

    """
    own = {name: value for name, value in arguments.items() if name not in _UNNAMED}
    params: dict[str, Any] = arguments["params"]
    return {name: value for name, value in (own | params).items() if value is not None}


def for_the_server(arguments: Mapping[str, Any]) -> dict[str, object]:
    """Return the parameters that a call gives to the server, without what is `extra`.

    Args:
        arguments: the call's `locals()`.

    Raises:
        ConfigurationError: a parameter is misspelled or misplaced or no finite number, `extra` is
            no mapping, or more than one answer is asked for.

    """
    for name in sorted(arguments["params"].keys() - _KNOWN):
        if (refusal := _refusal(name, frozenset(arguments.keys() - _UNNAMED))) is not None:
            raise ConfigurationError(refusal)
    extra = arguments["extra"]
    check_kind("extra", extra, Mapping, 'a mapping such as {"min_p": 0.1}')
    params = {name: value for name, value in named(arguments).items() if name not in NOT_SENT}
    given = {**params, **extra} if extra else params
    if given.get("n") not in (None, 1):
        raise ConfigurationError("a stream has one answer: leave out n, or make it 1")
    for name, value in given.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigurationError(f"{name} must be a finite number, not {value}")
    return params


@lru_cache(maxsize=256)  # to look for what is near takes longer than to ask
def _refusal(name: str, common: frozenset[str]) -> str | None:
    """Return why there is no parameter of this name; None where it may well be a server's own.

    Of the names that only some servers know, many are alike: "n_ctx" here is "num_ctx" there.
    """
    ours = _OF_MANAGER.get(name) or _OF_CONSTRUCTOR.get(name)
    instead = _WORDS.get(name)
    if not ours and not instead:
        # Of what is written to the letter alone, such as "grace", other words are too near.
        meant = near_miss(name, {*common, *_OF_CONSTRUCTOR})
        meant = meant or near_miss(name, _KNOWN, cutoff=VERY_NEAR)
        if not meant:
            return None
        ours = _OF_CONSTRUCTOR.get(meant)
        instead = f"did you mean {meant}?"
    # An option of ours may be a secret: nobody is told how to send it to a server.
    advice = ours or f'{instead} (extra={{"{name}": …}} sends it anyway)'
    return f"there is no parameter {name}: {advice}"
