"""What of a call's arguments is for the server, and what is said of a name that is none."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from asyncllm.base.params import ProviderParams
from asyncllm.errors import ConfigurationError
from asyncllm.hints import VERY_NEAR, check_kind, near_miss

_UNNAMED = frozenset({"self", "messages", "params"})
_OURS = frozenset({"model", "system", "proxy", "keep", "extra"})
_KNOWN = frozenset(ProviderParams.__annotations__)
_LIMITS = "timeouts=Timeouts(…) of the constructor or session manager sets the limits"
_ATTEMPTS = "retry=Retry(…) of the constructor or session manager says what is tried again"
_PLACES = {
    "timeout": _LIMITS,
    "timeouts": _LIMITS,
    "request_timeout": _LIMITS,
    "retry": _ATTEMPTS,
    "retries": _ATTEMPTS,
    "max_retries": _ATTEMPTS,
    "num_retries": _ATTEMPTS,
    "extra_body": "give extra={…} with what is to be added to the request",
    "extra_headers": "give headers={…} to the constructor",
    **{
        name: f"give {name}=… to the constructor"
        for name in ("api_key", "base_url", "headers", "sessions")
    },
    **{
        name: f"give {name}=… to the SessionManager"
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
    },
}


def named(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by their names, without its messages and what is None.

    Args:
        arguments: the call's `locals()`.

    """
    own = {name: value for name, value in arguments.items() if name not in _UNNAMED}
    params: dict[str, Any] = arguments["params"]
    return {name: value for name, value in own.items() if value is not None} | params


def for_the_server(arguments: Mapping[str, Any]) -> dict[str, object]:
    """Return what a call gives to the server: its parameters, and what is `extra` over them.

    Args:
        arguments: the call's `locals()`.

    Raises:
        ConfigurationError: a parameter is misspelled or misplaced, or `extra` is no mapping.

    """
    for name in sorted(arguments["params"].keys() - _KNOWN):
        if (refusal := _refusal(name, frozenset(arguments.keys() - _UNNAMED))) is not None:
            raise ConfigurationError(refusal)
    extra = arguments["extra"]
    check_kind("extra", extra, Mapping, 'a mapping such as {"min_p": 0.1}')
    asked = named(arguments)
    params = {name: value for name, value in asked.items() if name not in _OURS}
    return params | dict(extra or {})


@lru_cache(maxsize=256)  # to look for what is near takes longer than to ask
def _refusal(name: str, common: frozenset[str]) -> str | None:
    """Return why there is no parameter of this name; None where it may well be a server's own.

    Of the names that only some servers know, many are alike: "n_ctx" here is "num_ctx" there.
    """
    meant = name if name in _PLACES else near_miss(name, {*common, *_PLACES})
    meant = meant or near_miss(name, _KNOWN, cutoff=VERY_NEAR)
    if not meant:
        return None
    instead = _PLACES.get(meant, f"did you mean {meant}?")
    anyway = f'extra={{"{name}": …}} sends it as it is'
    return f"a call has no parameter {name}: {instead}; {anyway}"
