"""What the adapters for other frameworks share: an answer, and the turn that it becomes.

A framework keeps messages of its own, so what a server wants back of an answer is kept beside them,
as one JSON object, and put in its place when the message comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from asyncllm.base import Provider
from asyncllm.errors import ConfigurationError, StreamInterrupted
from asyncllm.events import Restart, object_in

if TYPE_CHECKING:
    from asyncllm.events import Citation, Item, Usage
    from asyncllm.reply import Reply
    from asyncllm.stream import Stream

KEPT = "asyncllm"
"""The name under which a framework's message keeps what its server wants back."""

_CALLS = "tool_calls"
_ARGUMENTS = "arguments"
_QUESTION = "?"
_TOOL = {
    "type": "function",
    "function": {"name": "any", "parameters": {"type": "object", "properties": {}}},
}
_OF_A_CALL = frozenset({"id", "type", "function"})


def checked_provider(given: object) -> Provider:
    """Return `given`, which is a provider.

    Raises:
        ConfigurationError: it is something else.

    """
    if isinstance(given, Provider):
        return given
    raise ConfigurationError(
        f"provider must be a provider such as asyncllm.OpenAI(), not {type(given).__name__}"
    )


def is_able(provider: Provider, what: str) -> bool:
    """Tell whether a provider's format has a place for `what`, such as "tools".

    One without a format of its own, such as `Fallback`, is taken to have a place for everything.

    Args:
        provider: the provider.
        what: one of the names in `Provider.carries`.

    """
    return not provider.wire or what in provider.carries


def has_place_for(provider: Provider, **asked: Any) -> bool:
    """Tell whether a provider can be asked with a tool and these parameters; nothing is sent.

    A framework wants some by itself, such as that a tool must be called, and not every format has
    a place for them.

    Args:
        provider: the provider.
        asked: the parameters.

    """
    try:
        provider.stream(_QUESTION, tools=[_TOOL])
    except ConfigurationError:
        return True  # it will say what is wrong when it is asked
    try:
        provider.stream(_QUESTION, tools=[_TOOL], **asked)
    except ConfigurationError:
        return False
    return True


def kept_of(reply: Reply) -> dict[str, object]:
    """Return what must go back with the next turn, as a JSON object; an empty one for nothing.

    Args:
        reply: the whole answer.

    """
    message = reply.message
    kept = {name: message[name] for name in reply.opaque}
    calls = {
        str(call["id"]): {name: call[name] for name in call.keys() - _OF_A_CALL}
        for call in cast("Iterable[dict[str, object]]", message.get(_CALLS, ()))
    }
    for call in reply.tool_calls:  # to the byte, or the server's prompt cache would miss the rest
        calls[call.id][_ARGUMENTS] = call.arguments
    return {**kept, _CALLS: calls} if calls else kept


def call_of(identifier: str, name: str, arguments: object) -> dict[str, Any]:
    """Return a tool call of an assistant's message.

    Args:
        identifier: the id that the server gave it.
        name: the function's name.
        arguments: JSON as a `str`, or a mapping.

    """
    function = {"name": name, _ARGUMENTS: arguments}
    return {"id": identifier, "type": "function", "function": function}


def assistant_turn(text: str, calls: list[dict[str, Any]], kept: object) -> dict[str, object]:
    """Return an assistant's message as `Reply.message` would have it.

    Args:
        text: what it says.
        calls: its tool calls, as `call_of` makes them.
        kept: what `kept_of` returned for it; anything else counts as nothing.

    """
    opaque = dict(kept) if isinstance(kept, Mapping) else {}
    besides = opaque.pop(_CALLS, None)
    message: dict[str, object] = {"role": "assistant", "content": text or None, **opaque}
    if calls:
        of_calls = besides if isinstance(besides, Mapping) else {}
        message[_CALLS] = [_as_it_came(call, of_calls.get(call["id"])) for call in calls]
    elif not text:
        message["content"] = ""
    return message


def _as_it_came(call: dict[str, Any], besides: object) -> dict[str, object]:
    """Return a call with what was kept of it; its arguments as they came, unless they changed."""
    if not isinstance(besides, Mapping):
        return call
    opaque = dict(besides)
    came = opaque.pop(_ARGUMENTS, None)
    function = call["function"]
    now = function[_ARGUMENTS]
    if isinstance(came, str):
        said = object_in(now) if isinstance(now, str) else now
        if said is not None and said == object_in(came or "{}"):
            function = {**function, _ARGUMENTS: came}
    return {**call, **opaque, "function": function}


def total_of(usage: Usage) -> int:
    """Return how many tokens an answer took, both ways."""
    return usage.total_tokens or (usage.input_tokens or 0) + (usage.output_tokens or 0)


def citation_of(citation: Citation) -> dict[str, object]:
    """Return a citation as a JSON object, without what is not known of it."""
    told = {name: getattr(citation, name) for name in citation.__struct_fields__}
    return {name: value for name, value in told.items() if value not in ("", None)}


async def check_restart(stream: Stream, item: Item) -> None:
    """End a stream where what its reader has seen is taken back, which no framework can be told.

    Args:
        stream: the stream.
        item: what came of it.

    Raises:
        StreamInterrupted: it is taken back.

    """
    if isinstance(item, Restart) and item.discarded:
        await stream.aclose()
        error = StreamInterrupted(
            "the server took back its text and started again: ask again without streaming"
        )
        error.reply = stream.reply
        raise error
