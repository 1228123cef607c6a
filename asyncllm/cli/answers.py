"""An answer as it is written: as text, as one JSON object, or as a line of JSON for each event."""

from __future__ import annotations

import json
import re
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.cli.text import JSON_CONTROLS, harmless, say, write
from asyncllm.errors import AsyncLLMError, HTTPStatusError
from asyncllm.events import About, Finish, Ping, Reasoning, Refusal
from asyncllm.reply import Reply  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from asyncllm.events import Item

_UNTOLD = (About, Finish, Ping)  # of the events: what the end says, or what is nothing new
_ALWAYS = ("text", "reasoning", "tool_calls")
_CONTENTS = (*_ALWAYS, "refusal", "tool_results", "citations", "media", "logprobs")
_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NOTICES = {
    "length": "the answer reached its limit of tokens; -p max_tokens=N allows more",
    "content_filter": "a content filter of the server stopped the answer",
}


class End(msgspec.Struct, frozen=True):
    """How an answer ended.

    Attributes:
        reply: the answer, as far as it came.
        provider: who was asked, as `--provider` names it.
        error: why there is no more of it; None where it is whole.

    """

    reply: Reply
    provider: str = ""
    error: BaseException | None = None

    @property
    def failure(self) -> AsyncLLMError | None:
        """The error, unless somebody stopped the answer."""
        return self.error if isinstance(self.error, AsyncLLMError) else None


class Output(ABC):
    """Where an answer goes."""

    @abstractmethod
    def shows(self, item: Item) -> bool:
        """Tell whether there is something to write of what came."""

    @abstractmethod
    def add(self, item: Item) -> None:
        """Write what came, of which there is something to write."""

    @abstractmethod
    def end(self, end: End) -> None:
        """Write what is to be said at the end of an answer."""


class Text(Output):
    """The answer's text on standard output, and what else there is to say on standard error.

    Args:
        shows_reasoning: whether the model's thinking goes to standard error.

    """

    def __init__(self, *, shows_reasoning: bool = False) -> None:
        self._shows_reasoning = shows_reasoning
        self._is_thinking = self._is_in_line = False

    @override
    def shows(self, item: Item) -> bool:
        """Tell whether it is a text, a refusal, or a thought that is to be shown."""
        if isinstance(item, Reasoning):
            return self._shows_reasoning and bool(item.text)
        return isinstance(item, Refusal) or (isinstance(item, str) and item != "")

    @override
    def add(self, item: Item) -> None:
        """Write it: thoughts to standard error, dim where that is a terminal."""
        if isinstance(item, Reasoning):
            self._is_thinking = True
            write(_dimmed(item.text) if sys.stderr.isatty() else item.text, sys.stderr)
        elif isinstance(item, str | Refusal):
            self._end_thinking()
            text = item if isinstance(item, str) else item.text
            self._is_in_line = not text.endswith("\n")
            write(harmless(text, sys.stdout), sys.stdout)

    @override
    def end(self, end: End) -> None:
        """End the last line, and say of a whole answer what its text does not."""
        self._end_thinking()
        if self._is_in_line:
            write("\n", sys.stdout)
        if end.error is None:
            for notice in notices(end.reply):
                say(f"asyncllm: {notice}")

    def _end_thinking(self) -> None:
        if self._is_thinking:
            self._is_thinking = False
            write("\n\n", sys.stderr)


class Object(Output):
    """One JSON object, at the end."""

    @override
    def shows(self, item: Item) -> bool:
        """Tell that nothing is written before the end."""
        return False

    @override
    def add(self, item: Item) -> None:
        """Write nothing."""

    @override
    def end(self, end: End) -> None:
        """Write the object: in several lines for a terminal, and otherwise in one."""
        told = {
            name: found
            for name in _CONTENTS
            if (found := msgspec.to_builtins(getattr(end.reply, name))) or name in _ALWAYS
        }
        _write_json(told | end_of(end), indent=2 if sys.stdout.isatty() else None)


class Lines(Output):
    """A line of JSON for each event, as it comes; the last one is of the event "end"."""

    @override
    def shows(self, item: Item) -> bool:
        """Tell whether it is an event that the last line does not tell of."""
        return item != "" and not isinstance(item, _UNTOLD)

    @override
    def add(self, item: Item) -> None:
        """Write its line."""
        _write_json(described(item))

    @override
    def end(self, end: End) -> None:
        """Write the last line."""
        _write_json({"event": "end", **end_of(end)})


def notices(reply: Reply) -> list[str]:
    """Return what a reader of an answer's text is to be told besides, a line each."""
    told = list[str]()
    if reply.refusal:
        told.append("the model refused to answer")
    if reply.finish_reason in _NOTICES:
        told.append(_NOTICES[reply.finish_reason])
    if reply.tool_calls:
        names = ", ".join(dict.fromkeys(call.name for call in reply.tool_calls))
        told.append(f"the model asks to call {names}; --json shows the calls and their arguments")
    if reply.media:
        told.append("the answer has images or sounds; --json shows them")
    if not (told or reply.text):
        told.append("the answer is empty")
    return told


def described(item: Item) -> dict[str, object]:
    """Return what came out of a stream as an object of JSON, with its kind as `event`."""
    if isinstance(item, str):
        return {"event": "text", "text": item}
    kind = _INNER_CAPITAL.sub("_", type(item).__name__).lower()
    return {"event": kind, **msgspec.to_builtins(item)}


def end_of(end: End) -> dict[str, object]:
    """Return what is known at the end of an answer, besides what is in it."""
    reply = end.reply
    usage = None
    if reply.usage is not None:
        counts = msgspec.to_builtins(reply.usage)
        usage = {name: count for name, count in counts.items() if count is not None}
    was_stopped = end.error is not None and end.failure is None
    return {
        "model": reply.model,
        "provider": end.provider,
        **({"served_by": reply.provider} if reply.provider else {}),
        "id": reply.id,
        "usage": usage,
        "finish_reason": reply.finish_reason or ("cancelled" if was_stopped else None),
        "cost": reply.cost,
        "timings": {
            "time_to_first_token": _rounded(reply.time_to_first_token),
            "duration": _rounded(reply.duration),
        },
        "error": end.failure and _error(end.failure),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def _error(error: AsyncLLMError) -> dict[str, object]:
    status, retry_after = None, None
    if isinstance(error, HTTPStatusError):
        status, retry_after = error.status, error.retry_after
    return {
        "type": type(error).__name__,
        "message": str(error),
        "status": status,
        "retry_after": retry_after,
        "advice": "; ".join(getattr(error, "__notes__", ())) or None,
    }


def _write_json(value: dict[str, object], indent: int | None = None) -> None:
    is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    written = json.dumps(value, ensure_ascii=not is_unicode, indent=indent).translate(JSON_CONTROLS)
    # Of half a character no UTF-8 can be made; escaped so, it is as JSON has it.
    write(written.encode(errors="backslashreplace").decode() + "\n", sys.stdout)


def _dimmed(text: str) -> str:
    return f"\x1b[2m{harmless(text, sys.stderr)}\x1b[22m"
