"""LlamaIndex's messages as ours, and answers as LlamaIndex's responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    ChatMessage,
    ChatResponse,
    CitableBlock,
    CitationBlock,
    CompletionResponse,
    DocumentBlock,
    ImageBlock,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from asyncllm.compat._turns import KEPT, assistant_turn, call_of, kept_of, total_of
from asyncllm.errors import ConfigurationError
from asyncllm.parts import file, image, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asyncllm.events import Media, Usage
    from asyncllm.reply import Reply

_ASSISTANT = frozenset({MessageRole.ASSISTANT, MessageRole.CHATBOT, MessageRole.MODEL})
_AUDIO_TYPES = {"mp3": "audio/mpeg"}
_CALL_ID = "tool_call_id"


def messages_of(messages: Sequence[ChatMessage]) -> list[dict[str, object]]:
    """Return LlamaIndex's messages as a provider takes them.

    Args:
        messages: the messages.

    Raises:
        ConfigurationError: one has what has no place.

    """
    return [_message(message) for message in messages]


def _message(message: ChatMessage) -> dict[str, object]:
    besides = message.additional_kwargs
    if message.role in _ASSISTANT:
        calls = [
            call_of(block.tool_call_id or "", block.tool_name, block.tool_kwargs)
            for block in message.blocks
            if isinstance(block, ToolCallBlock)
        ]
        return assistant_turn(message.content or "", calls, besides.get(KEPT))
    told: dict[str, object] = {"role": message.role.value, "content": _content(message)}
    return {**told, _CALL_ID: besides.get(_CALL_ID)} if message.role == MessageRole.TOOL else told


def _content(message: ChatMessage) -> str | list[Mapping[str, object]]:
    if all(isinstance(block, TextBlock) for block in message.blocks):
        return message.content or ""
    return list(_parts(message.blocks))


def _parts(blocks: Iterable[Any]) -> Iterable[Mapping[str, object]]:
    for block in blocks:
        match block:
            case TextBlock():
                yield text(block.text)
            case ImageBlock():
                source = _source(block.url) or block.resolve_image().read()
                yield image(source, media_type=block.image_mimetype, detail=block.detail)
            case AudioBlock():
                kind = block.format or "wav"
                media_type = _AUDIO_TYPES.get(kind, f"audio/{kind}")
                source = _source(block.url) or block.resolve_audio().read()
                yield file(source, media_type=media_type)
            case VideoBlock():
                source = _source(block.url) or block.resolve_video().read()
                yield file(source, media_type=block.video_mimetype)
            case DocumentBlock():
                source = _source(block.url) or block.resolve_document().read()
                yield file(source, media_type=block.document_mimetype, name=block.title)
            case CitableBlock():
                yield from _parts(block.content)
            case CachePoint() | CitationBlock() | ThinkingBlock():
                pass  # hints, and what another answer was made of
            case _:
                raise ConfigurationError(
                    f"a {type(block).__name__} of LlamaIndex's can't be sent to a model"
                )


def _source(url: object) -> str | None:
    return str(url) if url else None


def so_far(said: str, thought: str, *, delta: str = "", thinking: str = "") -> ChatResponse:
    """Return what has come of an answer.

    Args:
        said: the text of all that has come.
        thought: the reasoning of all that has come.
        delta: the text that has just come.
        thinking: the reasoning that has just come.

    """
    blocks = [ThinkingBlock(content=thought)] if thought else []
    return ChatResponse(
        message=ChatMessage(role=MessageRole.ASSISTANT, blocks=[*blocks, TextBlock(text=said)]),
        delta=delta,
        raw={},
        additional_kwargs={"thinking_delta": thinking} if thinking else {},
    )


def response_of(reply: Reply, *, delta: str | None = None) -> ChatResponse:
    """Return a whole answer.

    Args:
        reply: the answer.
        delta: what has just come, where it was streamed.

    """
    kept = kept_of(reply)
    return ChatResponse(
        message=ChatMessage(
            role=MessageRole.ASSISTANT,
            blocks=_blocks(reply),
            additional_kwargs={KEPT: kept} if kept else {},
        ),
        delta=delta,
        raw=_raw(reply),
        additional_kwargs=_counts(reply.usage),
        logprobs=_logprobs(reply),
    )


def completion_of(chat: ChatResponse) -> CompletionResponse:
    """Return what a completion says of an answer.

    Args:
        chat: the answer, or as much as has come.

    """
    return CompletionResponse(
        text=chat.message.content or "",
        delta=chat.delta,
        raw=chat.raw,
        logprobs=chat.logprobs,
        additional_kwargs=chat.additional_kwargs,
    )


def _blocks(reply: Reply) -> list[Any]:
    thought = reply.usage.reasoning_tokens if reply.usage else None
    blocks: list[Any] = []
    if reply.reasoning:
        blocks.append(ThinkingBlock(content=reply.reasoning, num_tokens=thought))
    said = reply.text or reply.refusal
    if said or not (reply.tool_calls or reply.media):
        blocks.append(TextBlock(text=said))
    blocks += [_media(media) for media in reply.media]
    blocks += [
        ToolCallBlock(
            tool_call_id=call.id,
            tool_name=call.name,
            tool_kwargs=call.arguments if call.parsed_arguments is None else call.parsed_arguments,
        )
        for call in reply.tool_calls
    ]
    return blocks


def _media(media: Media) -> ImageBlock | AudioBlock | DocumentBlock:
    data, url = media.data or None, media.url or None
    kind, _, form = media.media_type.partition("/")
    if kind == "audio":
        return AudioBlock(audio=data, url=url, format=form)
    if kind == "image":
        return ImageBlock(image=data, url=url, image_mimetype=media.media_type)
    return DocumentBlock(data=data, url=url, document_mimetype=media.media_type)


def _raw(reply: Reply) -> dict[str, Any]:
    told = {
        "id": reply.id,
        "model": reply.model,
        "finish_reason": reply.finish_reason,
        "raw_finish_reason": reply.raw_finish_reason,
        "usage": _counts(reply.usage),
        "refusal": reply.refusal,
    }
    return {name: value for name, value in told.items() if value}


def _counts(usage: Usage | None) -> dict[str, int]:
    if usage is None:
        return {}
    return {
        "prompt_tokens": usage.input_tokens or 0,
        "completion_tokens": usage.output_tokens or 0,
        "total_tokens": total_of(usage),
    }


def _logprobs(reply: Reply) -> list[list[LogProb]] | None:
    return [
        [
            LogProb(token=each.token, logprob=each.logprob, bytes=list(each.token_bytes or b""))
            for each in (token, *token.top)
        ]
        for token in reply.logprobs
    ] or None
