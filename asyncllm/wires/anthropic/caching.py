"""What of a request is to be cached, marked as Anthropic has it.

Wire facts: Anthropic's "Prompt caching": `cache_control` on the last block of what is to be cached,
or at the top, where the server finds the place itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from asyncllm.errors import ConfigurationError

_PLACES = ("tools", "system", "messages")
_TIMES = ("5m", "1h")
_JSON = dict[str, object]


def mark(body: _JSON, cache: object) -> _JSON:
    """Return a body in which is marked what to cache.

    Args:
        body: what is sent; nothing in it is changed.
        cache: True, or a time ("5m", "1h"), to let the server find the place; the names of what to
            cache ("tools", "system", "messages"), alone or each with its time; None or False for
            nothing. A mapping with a `type` is Anthropic's own `cache_control`.

    Raises:
        ConfigurationError: it is something else.

    """
    if cache is None or cache is False:
        return body
    if cache is True or (isinstance(cache, str) and cache in _TIMES):
        return {**body, "cache_control": _control(cache)}
    if isinstance(cache, Mapping) and "type" in cache:
        return {**body, "cache_control": dict(cache)}
    marked = dict(body)
    for place, time in _places(cache).items():
        control = _control(time)
        if marked.get(place):
            marked[place] = _MARKS[place](marked[place], control)
    return marked


def _places(cache: object) -> Mapping[str, object]:
    places: Mapping[str, object] = {}
    if isinstance(cache, str):
        places = {cache: True}
    elif isinstance(cache, Mapping):
        places = cache
    elif isinstance(cache, Sequence):
        places = {str(place): True for place in cache}
    if not places or not places.keys() <= set(_PLACES):
        raise _refusal(cache)
    return places


def _control(time: object) -> _JSON:
    if time is True:
        return {"type": "ephemeral"}
    if isinstance(time, str) and time in _TIMES:
        return {"type": "ephemeral", "ttl": time}
    raise _refusal(time)


def _refusal(given: object) -> ConfigurationError:
    return ConfigurationError(
        'cache must be True, "5m", "1h", or name what to cache, such as ["tools", "system"] or '
        f'{{"system": "1h", "messages": "5m"}}, not {given!r:.50}'
    )


def _on_last(blocks: object, control: _JSON) -> list[_JSON]:
    """Return blocks, or a text, with the mark on the last of them."""
    if isinstance(blocks, str):
        return [{"type": "text", "text": blocks, "cache_control": control}]
    *others, last = cast("list[_JSON]", blocks) or [{}]
    return [*others, {**last, "cache_control": control}] if last else []


def _on_last_message(messages: object, control: _JSON) -> list[_JSON]:
    *others, last = cast("list[_JSON]", messages)
    return [*others, {**last, "content": _on_last(last["content"], control)}]


_MARKS = {"tools": _on_last, "system": _on_last, "messages": _on_last_message}
