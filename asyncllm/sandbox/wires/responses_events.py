"""The events in which OpenAI's Responses write an answer, each with its name and its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.openai_style import encode
from asyncllm.sandbox.wires.responses_answer import SOURCE, ResponseAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncllm.sandbox.faults import ErrorInStream

_PIECE = 8  # characters of arguments in an event


def events_of(answer: ResponseAnswer) -> tuple[list[str], list[str], list[str]]:
    """Write an answer: the events before its first piece, those of its pieces, and the rest."""
    events = [*_begun(answer)]
    for index, item in enumerate(answer.output):
        emptied, inner = _inside(answer, item, {"item_id": item["id"], "output_index": index})
        begun = {**item, **emptied, "status": "in_progress"}
        events.append({"type": "response.output_item.added", "output_index": index, "item": begun})
        events += inner
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    whole = answer.whole() if answer.habits.has_output else answer.whole(output=[])
    events.append({"type": f"response.{whole['status']}", "response": whole})
    deltas = [place for place, event in enumerate(events) if _is_delta(event)] or [len(events) - 1]
    written = [_written(answer, event, number) for number, event in enumerate(events)]
    first, last = deltas[0], deltas[-1] + _is_delta(events[deltas[-1]])
    return written[:first], written[first:last], written[last:]


def error_events(answer: ResponseAnswer, fault: ErrorInStream, number: int) -> list[str]:
    """Write what comes in the place of the rest, the first of it with this number."""
    error: JSON = {"code": fault.code or fault.type, "message": fault.message}
    event: JSON = {"type": "error"}
    event |= {**error, "param": None} if fault.flat else {"error": {"type": fault.type, **error}}
    failed = answer.whole(status="failed", output=[]) | {"error": error}
    end: JSON = {"type": "response.failed", "response": failed}
    events = [end] if fault.alone else [event, end]
    return [_written(answer, each, number + place) for place, each in enumerate(events)]


def _begun(answer: ResponseAnswer) -> Iterator[JSON]:
    for event in ("created", "queued", "in_progress"):
        if answer.is_background or event != "queued":
            status = "queued" if event == "queued" else "in_progress"
            yield {"type": f"response.{event}", "response": answer.whole(status=status, output=[])}


def _inside(answer: ResponseAnswer, item: JSON, place: JSON) -> tuple[JSON, list[JSON]]:
    """Make what an item lacks at first, and the events between its first and its last one."""
    match item["type"]:
        case "reasoning":
            return {"summary": []}, [*_summary(answer, place)]
        case "message":
            return {"content": []}, [*_content(answer, item, place)]
        case "custom_tool_call":
            return {"input": ""}, [*_written_call(answer, item, place, "input")]
        case _:
            return {"arguments": ""}, [*_written_call(answer, item, place, "arguments")]


def _written_call(answer: ResponseAnswer, item: JSON, place: JSON, name: str) -> Iterator[JSON]:
    event, written = f"response.{item['type']}_{name}", str(item[name])
    steps = range(0, len(written), _PIECE) if answer.habits.has_argument_deltas else ()
    for start in steps:
        yield {"type": f"{event}.delta", **place, "delta": written[start : start + _PIECE]}
    yield {"type": f"{event}.done", **place, name: written}


def _summary(answer: ResponseAnswer, place: JSON) -> Iterator[JSON]:
    if answer.habits.has_summary:
        event, at = "response.reasoning_summary", {**place, "summary_index": 0}
        text = "".join(answer.thought)
        part = {"type": "summary_text", "text": text}
        yield {"type": f"{event}_part.added", **at, "part": {**part, "text": ""}}
        for token in answer.thought:
            yield {"type": f"{event}_text.delta", **at, "delta": token}
        yield {"type": f"{event}_text.done", **at, "text": text}
        yield {"type": f"{event}_part.done", **at, "part": part}


def _content(answer: ResponseAnswer, item: JSON, place: JSON) -> Iterator[JSON]:
    [part] = map(object_in, list_in(item["content"]))
    at: JSON = {**place, "content_index": 0}
    is_refusing = part["type"] == "refusal"
    name = "refusal" if is_refusing else "text"
    besides: JSON = {} if is_refusing else {"annotations": []}
    yield {"type": "response.content_part.added", **at, "part": {**part, name: "", **besides}}
    likelihood: JSON = {} if is_refusing else {"logprobs": []}
    for token in answer.tokens:
        yield {"type": f"response.{part['type']}.delta", **at, "delta": token, **likelihood}
    if part.get("annotations"):
        source: JSON = {"annotation_index": 0, "annotation": SOURCE}
        yield {"type": "response.output_text.annotation.added", **at, **source}
    yield {"type": f"response.{part['type']}.done", **at, name: part[name], **likelihood}
    yield {"type": "response.content_part.done", **at, "part": part}


def _is_delta(event: JSON) -> bool:
    return str(event["type"]).endswith(".delta")


def _written(answer: ResponseAnswer, event: JSON, number: int) -> str:
    numbered: JSON = {"type": event["type"], "sequence_number": number, **event}
    if answer.habits.changes_ids and "item_id" in event:
        numbered["item_id"] = f"changed_{number}"
    return encode(numbered)
