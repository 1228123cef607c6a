"""Habits: the same answer, put differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asyncllm.sandbox.faults.fault import Fault


@dataclass(frozen=True)
class Framing(Fault):
    """Other bytes on the wire, the same content."""

    kind: Literal[
        "crlf",
        "cr",
        "no_space",
        "multi_line",
        "id_retry",
        "comments",
        "bom",
        "one_byte",
        "json_lines",
        "json_array",
    ]


@dataclass(frozen=True)
class BigEvent(Fault):
    """The answer's first token is `size` characters long."""

    size: int = 2_000_000


@dataclass(frozen=True)
class PlainJson(Fault):
    """One plain JSON answer although a stream was asked for (Gravityengine)."""


@dataclass(frozen=True)
class Usage(Fault):
    """Where the token counts come, asked for or not.

    "last": in a last chunk with `choices: []`; "finish": in the chunk with the finish reason;
    "with_choices": in a last chunk whose choices are not empty; "never": nowhere.
    """

    position: Literal["last", "finish", "with_choices", "never"] = "last"


@dataclass(frozen=True)
class NoDone(Fault):
    """The stream ends without ``data: [DONE]``."""


@dataclass(frozen=True)
class NoFinishReason(Fault):
    """No chunk has a finish reason."""


@dataclass(frozen=True)
class NullContent(Fault):
    """The first and the finish chunk have ``"content": null``."""


@dataclass(frozen=True)
class ReasoningField(Fault):
    """Some reasoning deltas come first, under this name."""

    name: Literal["reasoning", "reasoning_content"] = "reasoning_content"


@dataclass(frozen=True)
class ToolIndex(Fault):
    """Tool-call deltas without an index, or all with index 0; each of them has its id."""

    kind: Literal["missing", "duplicate"] = "missing"
