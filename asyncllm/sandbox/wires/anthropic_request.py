"""What a request to Anthropic asks for, and what of it the server refuses.

What is absent is not looked for where models differ.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from asyncllm.sandbox.generation import asks_for_tools, call_of
from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.openai_errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERSIONS = ("2023-06-01", "2026-10-21")
_FIELDS = frozenset(
    {
        *("model", "max_tokens", "messages", "system", "stream", "temperature", "top_p", "top_k"),
        *("stop_sequences", "tools", "tool_choice", "thinking", "output_config", "metadata"),
        *("cache_control", "container", "context_management", "fallbacks", "inference_geo"),
        *("mcp_servers", "service_tier", "speed", "compaction", "diagnostics"),
    }
)
_SAMPLING = ("temperature", "top_p", "top_k")
_ROLES = ("user", "assistant", "system")
_LEAST_BUDGET = 1024
_MOST_MARKS = 4
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_IDS: dict[object, str] = {"tool_use": "id", "tool_result": "tool_use_id"}
_IS_ID = re.compile(r"[a-zA-Z0-9_-]+").fullmatch


def check_body(body: JSON, version: str) -> list[JSON]:
    """Refuse what the server would, and return the messages, those of one role in a row as one.

    Raises:
        RequestError: there is something.

    """
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            raise RequestError(f"{name}: Field required")
    for name in body.keys() - _FIELDS:
        raise RequestError(f"{name}: Extra inputs are not permitted")
    for name in _SAMPLING if version != VERSIONS[0] else ():
        if name in body:
            raise RequestError(f"{name}: not supported in version {version}")
    limit = body["max_tokens"]
    if not isinstance(limit, int) or limit < 1:
        raise RequestError("max_tokens: Input should be greater than or equal to 1")
    _check_stops(list_in(body.get("stop_sequences")))
    _check_thinking(object_in(body.get("thinking")), limit)
    if sum(1 for _ in _marks(body)) > _MOST_MARKS:
        raise RequestError(f"A maximum of {_MOST_MARKS} blocks with cache_control may be provided")
    messages = _merged(list_in(body["messages"]))
    if not messages:
        raise RequestError("messages: at least one message is required")
    for place, message in enumerate(messages):
        _check_message(message, f"messages.{place}", is_last=place == len(messages) - 1)
    _check_results(messages)
    return messages


def blocks_in(content: object) -> list[JSON]:
    """Take a content for the blocks that it is; a text is one."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [object_in(block) for block in list_in(content)]


def text_in(blocks: Sequence[JSON]) -> str:
    """Join the text of blocks."""
    return "\n".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")


def has_results(message: JSON) -> bool:
    """Say whether a message has results of tools."""
    return any(block.get("type") == "tool_result" for block in blocks_in(message["content"]))


def thinks(body: JSON) -> bool:
    """Say whether the model thinks: where it is asked to, or to make an effort."""
    kind = object_in(body.get("thinking")).get("type")
    is_asked = kind in ("enabled", "adaptive", "between_tools")
    return is_asked or (kind is None and "effort" in object_in(body.get("output_config")))


def calls_of_tools(body: JSON, prompt: str, last: JSON) -> list[JSON]:
    """Call every tool of a request once, if the last user text asks for tools, or a choice does.

    Raises:
        RequestError: the tools are not declared as they should be.

    """
    choice = object_in(body.get("tool_choice"))
    forced = choice.get("type") in ("any", "tool")
    if choice.get("type") == "none" or has_results(last) or not (forced or asks_for_tools(prompt)):
        return []
    calls: list[JSON] = []
    tools: Any = [tool for tool in list_in(body.get("tools")) if "input_schema" in object_in(tool)]
    try:
        for number, tool in enumerate(tools):
            if choice.get("name") in (None, tool["name"]):
                properties = tool["input_schema"].get("properties", {})
                called = call_of(str(tool["name"]), properties, prompt, number)
                calls.append(_call(called.id, called.name, called.arguments))
    except (AttributeError, LookupError, TypeError, UnicodeError):
        raise RequestError("tools: Input should be a valid tool") from None
    return calls[:1] if choice.get("disable_parallel_tool_use") is True else calls


def _call(name: str, function: str, arguments: str) -> JSON:
    called = name.replace("call_", "toolu_")
    return {"type": "tool_use", "id": called, "name": function, "input": json.loads(arguments)}


def _check_stops(stops: list[Any]) -> None:
    if not all(isinstance(stop, str) and stop.strip() for stop in stops):
        raise RequestError("stop_sequences: each stop sequence must contain non-whitespace")


def _check_thinking(thinking: JSON, limit: int) -> None:
    budget = thinking.get("budget_tokens")
    if thinking.get("type") != "enabled":
        return
    if not isinstance(budget, int) or budget < _LEAST_BUDGET:
        raise RequestError("thinking.enabled.budget_tokens: Input should be at least 1024")
    if budget >= limit:
        raise RequestError("`max_tokens` must be greater than `thinking.budget_tokens`")


def _marks(value: object) -> Iterator[object]:
    """Find what is to be cached, wherever it stands."""
    if isinstance(value, dict):
        if "cache_control" in value:
            yield value
        for each in value.values():
            yield from _marks(each)
    for each in list_in(value):
        yield from _marks(each)


def is_cached(body: JSON) -> bool:
    """Say whether something is to be cached."""
    return any(True for _ in _marks(body))


def _merged(messages: Sequence[object]) -> list[JSON]:
    merged: list[JSON] = []
    for message in map(object_in, messages):
        if merged and merged[-1].get("role") == message.get("role"):
            both = [*blocks_in(merged[-1].get("content")), *blocks_in(message.get("content"))]
            merged[-1] = {**message, "content": both}
        else:
            merged.append(message)
    return merged


def _check_message(message: JSON, where: str, *, is_last: bool) -> None:
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        raise RequestError(f"{where}.role: Input should be 'user', 'assistant' or 'system'")
    blocks = blocks_in(content)
    if not blocks and not (is_last and role == "assistant"):
        raise RequestError(f"{where}: all messages must have non-empty content")
    for number, block in enumerate(blocks):
        _check_block(block, f"{where}.content.{number}", str(role))
    ending = str(blocks[-1].get("text", "")) if blocks else ""
    if is_last and role == "assistant" and ending != ending.rstrip():
        raise RequestError("messages: final assistant content cannot end with trailing whitespace")


def _check_block(block: JSON, where: str, role: str) -> None:
    kind = block.get("type")
    if kind == "text" and not block.get("text"):
        raise RequestError(f"{where}: text content blocks must be non-empty")
    if kind == "tool_use":
        if role != "assistant":
            raise RequestError(f"{where}: `tool_use` blocks can only be in `assistant` messages")
        if not isinstance(block.get("input"), dict):
            raise RequestError(f"{where}.tool_use.input: Input should be a valid dictionary")
    if kind in _IDS and not _IS_ID(str(block.get(_IDS[kind], ""))):
        raise RequestError(f"{where}.{kind}.{_IDS[kind]}: String should match '^[a-zA-Z0-9_-]+$'")
    if kind in ("image", "document"):
        _check_source(object_in(block.get("source")), where, is_image=kind == "image")
    if kind == "tool_result":
        for number, inner in enumerate(list_in(block.get("content"))):
            _check_block(object_in(inner), f"{where}.content.{number}", role)


def _check_source(source: JSON, where: str, *, is_image: bool) -> None:
    media_type = source.get("media_type")
    known = _IMAGES if is_image else ("application/pdf", "text/plain")
    if source.get("type") in ("base64", "text") and media_type not in known:
        raise RequestError(f"{where}.source.media_type: Input should be one of {known}")
    if source.get("type") == "base64":
        try:
            base64.b64decode(str(source.get("data")), validate=True)
        except ValueError:
            raise RequestError(f"{where}.source.base64: invalid base64 data") from None
    elif source.get("type") not in ("url", "text", "file", "content"):
        raise RequestError(f"{where}.source: Input tag {source.get('type')!r} is unknown")


def _check_results(messages: Sequence[JSON]) -> None:
    """See that every call has its result in the next message, before all else there."""
    called: list[str] = []
    for place, message in enumerate(messages):
        blocks = blocks_in(message.get("content"))
        kinds = [block.get("type") for block in blocks]
        results = [
            str(block["tool_use_id"]) for block in blocks if block.get("type") == "tool_result"
        ]
        for name in results:
            if name not in called:
                raise RequestError(
                    f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{name}. Each `tool_result` block must have a corresponding `tool_use` block "
                    "in the previous message."
                )
        missing = [name for name in called if name not in results]
        if missing or "tool_result" in kinds[len(results) :]:
            raise RequestError(
                f"messages.{place - 1}: `tool_use` ids were found without `tool_result` blocks "
                f"immediately after: {', '.join(missing or called)}. Each `tool_use` block must "
                "have a corresponding `tool_result` block in the next message."
            )
        called = [str(block["id"]) for block in blocks if block.get("type") == "tool_use"]
    if called:
        raise RequestError(
            f"messages.{len(messages) - 1}: `tool_use` ids were found without `tool_result` blocks "
            f"immediately after: {', '.join(called)}."
        )
