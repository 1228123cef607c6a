"""LangChain's messages as ours, and what comes of an answer as LangChain's message chunks."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import tool_call_chunk

from asyncllm.compat._turns import KEPT, assistant_turn, call_of, citation_of, kept_of, total_of
from asyncllm.errors import ConfigurationError
from asyncllm.events import Media, Reasoning, Refusal, ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncllm.events import Item, Usage
    from asyncllm.reply import Reply

_REASONING = "reasoning_content"  # where LangChain looks for thinking
_REFUSAL = "refusal"
_TEXTS = frozenset({"text", "text-plain"})
_FILES = frozenset({"file", "audio", "video", "text-plain"})
_OF_LANGCHAIN = frozenset({"id", "index", "annotations", "extras"})  # of a block, not for a server
_OF_A_REPLY = ("id", "provider", "cost")


def messages_of(messages: Sequence[BaseMessage]) -> list[dict[str, object]]:
    """Return LangChain's messages as a provider takes them.

    Args:
        messages: the messages.

    Raises:
        ConfigurationError: one is of a kind that no model is sent, or has what has no place.

    """
    return [_message(message) for message in messages]


def _message(message: BaseMessage) -> dict[str, object]:
    named = {"name": message.name} if message.name else {}
    match message:
        case AIMessage():
            return {**_assistant(message), **named}
        case ToolMessage():
            failed = {"is_error": True} if message.status == "error" else {}
            told = {"role": "tool", "tool_call_id": message.tool_call_id, **failed}
        case HumanMessage():
            told = {"role": "user", **named}
        case SystemMessage():
            told = {"role": "system", **named}
        case ChatMessage():
            told = {"role": message.role, **named}
        case FunctionMessage():
            told = {"role": "function", **named}
        case _:
            raise ConfigurationError(f"a {type(message).__name__} can't be sent to a model")
    return {**told, "content": _content(message)}


def _content(message: BaseMessage) -> str | list[object]:
    content = message.content
    if isinstance(content, str):
        return content
    blocks = cast("list[dict[str, Any]]", message.content_blocks)
    return [_part(block) for block in blocks] or ""


def _part(block: dict[str, Any]) -> object:
    """Return a content block as a part of ours; one that LangChain does not know, as it is."""
    kind = block["type"]
    if kind == "non_standard":
        return block["value"]
    extras = block.get("extras") or {}
    if kind in _TEXTS and "text" in block:
        besides = {name: value for name, value in block.items() if name not in _OF_LANGCHAIN}
        return {**extras, **besides, "type": "text"}
    if kind != "image" and kind not in _FILES:
        raise ConfigurationError(f"a {kind!r} block of LangChain's can't be sent to a model")
    data = block.get("base64")
    source = base64.b64decode(data) if data else block.get("url")
    if not source:
        raise ConfigurationError(
            f"a {kind!r} block needs base64 or a url: a file's id can't be sent"
        )
    part = {"type": "image" if kind == "image" else "file", "source": source}
    told = {
        "media_type": block.get("mime_type"),
        "detail": extras.get("detail", block.get("detail")),
        "name": extras.get("filename", block.get("filename")),
    }
    return part | {name: value for name, value in told.items() if value}


def _assistant(message: AIMessage) -> dict[str, object]:
    calls = [
        call_of(call["id"] or "", call["name"] or "", call["args"] or "{}")
        for call in (*message.tool_calls, *message.invalid_tool_calls)
    ]
    text = str(message.text) or str(message.additional_kwargs.get(_REFUSAL) or "")
    return assistant_turn(text, calls, message.additional_kwargs.get(KEPT))


def chunk_of(item: Item, calls: int) -> AIMessageChunk | None:
    """Return what LangChain's readers see of an item; None where they see nothing.

    Args:
        item: what came.
        calls: how many tool calls came before it.

    """
    match item:
        case str():
            return AIMessageChunk(content=item)
        case Reasoning():
            return AIMessageChunk(content="", additional_kwargs={_REASONING: item.text})
        case Refusal():
            return AIMessageChunk(content="", additional_kwargs={_REFUSAL: item.text})
        case ToolCall():
            return AIMessageChunk(content="", tool_call_chunks=[_call_chunk(item, calls)])
        case Media():
            return AIMessageChunk(content=[_media_block(item)])
        case _:  # the last chunk has the rest
            return None


def last_chunk(reply: Reply) -> AIMessageChunk:
    """Return the chunk that ends an answer, with all that is known of it then.

    Args:
        reply: the whole answer.

    """
    kept = kept_of(reply)
    return AIMessageChunk(
        content="",
        additional_kwargs={KEPT: kept} if kept else {},
        response_metadata=_metadata(reply),
        usage_metadata=_usage(reply.usage),
        chunk_position="last",
    )


def whole_chunk(reply: Reply) -> AIMessageChunk:
    """Return a whole answer as one chunk.

    Args:
        reply: the answer.

    """
    items: list[Item] = [Reasoning(reply.reasoning)] if reply.reasoning else []
    items += [Refusal(reply.refusal)] if reply.refusal else []
    items += [reply.text, *reply.media]
    chunks = [chunk_of(item, 0) for item in items]
    chunks += [chunk_of(call, number) for number, call in enumerate(reply.tool_calls)]
    first, *others = [chunk for chunk in (*chunks, last_chunk(reply)) if chunk is not None]
    return first + others if others else first


def _call_chunk(call: ToolCall, number: int) -> Any:
    return tool_call_chunk(name=call.name, args=call.arguments, id=call.id, index=number)


def _media_block(media: Media) -> dict[str, Any]:
    kind = media.media_type.partition("/")[0]
    block: dict[str, Any] = {"type": kind if kind in {"image", "audio", "video"} else "file"}
    if media.data:
        block["base64"] = base64.b64encode(media.data).decode()
    else:
        block["url"] = media.url
    return {**block, "mime_type": media.media_type} if media.media_type else block


def _metadata(reply: Reply) -> dict[str, Any]:
    told: dict[str, Any] = {name: getattr(reply, name) for name in _OF_A_REPLY}
    told["citations"] = [citation_of(citation) for citation in reply.citations]
    told["logprobs"] = [
        {
            "token": each.token,
            "logprob": each.logprob,
            "top": {t.token: t.logprob for t in each.top},
        }
        for each in reply.logprobs
    ]
    told["tool_results"] = [
        {"id": each.id, "name": each.name, "content": each.content, "is_error": each.is_error}
        for each in reply.tool_results
    ]
    if reply.raw_finish_reason != reply.finish_reason:
        told["raw_finish_reason"] = reply.raw_finish_reason
    known = {name: value for name, value in told.items() if value not in (None, "", [])}
    return {
        "finish_reason": reply.finish_reason,
        "model_name": reply.model,
        "model_provider": "asyncllm",
        **known,
    }


def _usage(usage: Usage | None) -> UsageMetadata | None:
    if usage is None:
        return None
    said = UsageMetadata(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        total_tokens=total_of(usage),
    )
    cached = InputTokenDetails()
    if usage.cached_tokens is not None:
        cached["cache_read"] = usage.cached_tokens
    if usage.cache_write_tokens is not None:
        cached["cache_creation"] = usage.cache_write_tokens
    if cached:
        said["input_token_details"] = cached
    if usage.reasoning_tokens is not None:
        said["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return said
