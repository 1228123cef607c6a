"""An answer of the log as Markdown, for people and for whatever shows it to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from asyncllm.parts import described, text_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncllm.cli.log_reading import Row


def local_time(row: Row) -> str:
    """Return when something was asked, as the clock here showed it."""
    return datetime.fromisoformat(str(row["at"])).astimezone().strftime("%Y-%m-%d %H:%M")


def as_markdown(row: Row) -> str:
    """Return all that is kept of an answer.

    Args:
        row: the answer.

    """
    parts = [f"# {row['id']}: {row['provider']}/{row['model']}", " · ".join(_facts(row))]
    if row["system"]:
        parts += ["## System", str(row["system"])]
    messages = row["messages"]
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, Mapping):
            parts += [f"## {str(message.get('role', '')).capitalize()}", _content(message)]
    if row["reasoning"]:
        parts += ["## Reasoning", str(row["reasoning"])]
    parts += ["## Answer", str(row["answer"]) or "(none)"]
    calls = row["tool_calls"]
    for call in calls if isinstance(calls, list) else []:
        parts += [f"## Call of {call['name']}", f"```json\n{call['arguments']}\n```"]
    return "\n\n".join(parts) + "\n"


def _facts(row: Row) -> Iterator[str]:
    yield local_time(row)
    if row["first_token"] is not None:
        yield f"first token after {row['first_token']:.2f} s"
    if row["duration"] is not None:
        yield f"{row['duration']:.2f} s in all"
    if isinstance(usage := row["usage"], Mapping):
        for name, said in (("prompt_tokens", "tokens in"), ("completion_tokens", "tokens out")):
            if usage.get(name) is not None:
                yield f"{usage[name]} {said}"
        if usage.get("cost") is not None:
            yield f"${usage['cost']}"
    if row["error"]:
        yield f"failed: {row['error']}"
    elif row["is_partial"]:
        yield "not whole"
    else:
        yield f"finished: {row['finish_reason']}"


def _content(message: Mapping[str, object]) -> str:
    """Return the text of a message, and what else there is of it in words."""
    content = message.get("content")
    if isinstance(content, list):
        texts = [text_in(part) or f"({described(part)})" for part in content]
    else:
        texts = [str(content)] if content else []
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            texts.append(f"(calls {function.get('name')}: {function.get('arguments')})")
    return "\n\n".join(texts) or "(no text)"
