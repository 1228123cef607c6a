"""How an answer ends: its finish, what it cost, and each of the ways to say that it failed.

Wire facts: `response.completed`, `response.incomplete`, `response.failed` and `error` of OpenAI's
reference of the streaming events of `POST /responses`. An `error` is flat there, and was recorded
with an object in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.events import Finish, Usage
from asyncllm.wires.failures import Complaint, complaint_of, failure, said_in
from asyncllm.wires.loose import as_count, as_mapping, as_text
from asyncllm.wires.openai_responses.events import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncllm.errors import AsyncLLMError

OF_ANSWER = "response."
_REASONS = {"max_output_tokens": "length"}
_SAID = ("error", "code", "message", "param", "status", "status_code")


def check_end(response: Mapping[str, object], status: str) -> None:
    """Refuse an answer that did not come to its end.

    Args:
        response: as the last event has it.
        status: how it ended.

    Raises:
        AsyncLLMError: it failed, or somebody else cancelled it.

    """
    if status in {"failed", "cancelled"}:
        error = as_mapping(response.get("error"))
        reason = "the answer was cancelled" if status == "cancelled" else ""
        said = complaint_of({"error": error}) if error else Complaint(reason)
        raise failure(said)


def finish_of(response: Mapping[str, object], status: str, *, has_calls: bool) -> Finish:
    """Return the finish of an answer that has ended.

    Args:
        response: as the last event has it.
        status: "completed" or "incomplete".
        has_calls: whether the model asks for calls.

    """
    said, reason = status, "tool_calls" if has_calls else "stop"
    if status == "incomplete":
        said = as_text(as_mapping(response.get("incomplete_details")).get("reason")) or status
        reason = _REASONS.get(said, said)
    return Finish(reason, said if said != reason else "")


def usage_of(response: Mapping[str, object]) -> Usage | None:
    """Return what an answer cost; None where the server does not say."""
    said = as_mapping(response.get("usage"))
    if not said:
        return None
    before = as_mapping(said.get("input_tokens_details"))
    after = as_mapping(said.get("output_tokens_details"))
    return Usage(
        prompt_tokens=as_count(said.get("input_tokens")),
        completion_tokens=as_count(said.get("output_tokens")),
        total_tokens=as_count(said.get("total_tokens")),
        cached_tokens=as_count(before.get("cached_tokens")),
        cache_write_tokens=as_count(before.get("cache_write_tokens")),
        reasoning_tokens=as_count(after.get("reasoning_tokens")),
    )


def failure_in(event: Event) -> AsyncLLMError:
    """Return the error of an event that is one, in either of its forms."""
    said = {name: value for name in _SAID if (value := getattr(event, name)) is not None}
    return failure(complaint_of(said))


def untyped(data: bytes) -> Event | None:
    """Return the event that a body without types is: an answer that came whole.

    Raises:
        AsyncLLMError: it is an error.

    """
    said = as_mapping(said_in(data.decode("utf-8", "replace")))
    if said.get("object") == "response":
        status = as_text(said.get("status")) or "completed"
        return Event(type=f"{OF_ANSWER}{status}", response=said)
    if any(said.get(name) for name in ("error", "code", "message", "detail")):
        raise failure(complaint_of(said))
    return None
