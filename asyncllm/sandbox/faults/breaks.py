"""Breaks: a stream begins well, and something happens amid it."""

from __future__ import annotations

from dataclasses import dataclass

from asyncllm.sandbox.faults.fault import Fault


@dataclass(frozen=True)
class Break(Fault):
    """Something happens after `after` tokens; at the latest between the last one and the end."""

    after: int = 0


@dataclass(frozen=True)
class Drop(Break):
    """The connection is closed without the end of the chunked body.

    With `reset` it is a TCP reset, and tokens that were not sent yet may be lost.
    """

    reset: bool = False


@dataclass(frozen=True)
class Stall(Break):
    """No more tokens and no more bytes, until the client leaves or the generation is stopped."""


@dataclass(frozen=True)
class PingForever(Break):
    """No more tokens, but a comment line every `every` seconds."""

    every: float = 0.01


@dataclass(frozen=True)
class ErrorInStream(Break):
    """An error event inside the 200, and then a clean end.

    `named_event` puts ``event: error`` before it. `type` can also be Anthropic's, such as
    "overloaded_error". In Gemini's format the error has the `status`, and is written bare between
    events.

    The rest is for OpenAI's format. The error contains `code` and `type`, and also `status`, as
    `http_status_code`, and `failed_generation`, if they are given. `beside_choices` puts it beside
    a choice that finishes with "error" (OpenRouter), and `done` puts ``data: [DONE]`` after it
    (vLLM, TGI). OpenAI's Responses send it in an `error` event, with an object in it or, with
    `flat`, without one, and a `response.failed` follows; with `alone`, only that one is sent.
    """

    message: str = "the model ran out of memory"
    named_event: bool = False
    code: int | str | None = None
    type: str = "server_error"
    status: int | None = None
    failed_generation: str | None = None
    beside_choices: bool = False
    done: bool = False
    flat: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Truncate(Break):
    """A clean end of the body, but without the end marker of the answer."""


@dataclass(frozen=True)
class BadJson(Break):
    """One event whose data is not JSON; the stream then continues."""
