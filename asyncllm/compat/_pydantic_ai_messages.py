"""pydantic-ai's messages as ours, and what comes of an answer as pydantic-ai's parts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import (
    BinaryContent,
    CachePoint,
    FilePart,
    FileUrl,
    FinishReason,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import download_item
from pydantic_ai.usage import RequestUsage

from asyncllm.compat._turns import KEPT, assistant_turn, call_of, citation_of, kept_of
from asyncllm.parts import file, image, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from asyncllm.events import Usage
    from asyncllm.reply import Reply

_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "content_filter": "content_filter",
}


async def messages_of(
    messages: Sequence[ModelMessage], instructions: Iterable[str]
) -> list[dict[str, object]]:
    """Return pydantic-ai's messages as a provider takes them.

    Args:
        messages: the messages, as pydantic-ai has prepared them.
        instructions: what goes behind the system's messages at their beginning.

    Raises:
        UserError: one has what can't be sent.

    """
    told: list[dict[str, object]] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            told += [each async for each in _request(message)]
        else:
            told.append(_response(message))
    leading = next((n for n, each in enumerate(told) if each["role"] != "system"), len(told))
    told[leading:leading] = [{"role": "system", "content": each} for each in instructions]
    return told


async def _request(message: ModelRequest) -> AsyncIterator[dict[str, object]]:
    files: list[UserContent] = []
    for part in message.parts:
        match part:
            case SystemPromptPart():
                yield {"role": "system", "content": part.content}
            case UserPromptPart():
                yield {"role": "user", "content": await _content(part.content)}
            case ToolReturnPart():
                said, of_tool = part.model_response_str_and_user_content()
                files += of_tool
                yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": said}
            case _:
                raise UserError(
                    f"a {type(part).__name__} can't be sent as it is: "
                    "call model.prepare_messages(messages) first, as Agent does"
                )
    if files:  # results of tools are text
        yield {"role": "user", "content": await _content(files)}


async def _content(content: str | Sequence[UserContent]) -> str | list[object]:
    if isinstance(content, str):
        return content
    return [await _part(each) for each in content if not isinstance(each, CachePoint)]


async def _part(content: UserContent) -> Mapping[str, object]:
    match content:
        case str():
            return text(content)
        case TextContent():
            return text(content.content)
        case BinaryContent() if content.is_image:
            return image(content.data, media_type=content.media_type, detail=_detail(content))
        case BinaryContent():
            return file(content.data, media_type=content.media_type)
        case FileUrl():
            return await _linked(content)
        case _:
            raise UserError(f"asyncllm sends no {type(content).__name__}: give its bytes or a URL")


async def _linked(content: FileUrl) -> Mapping[str, object]:
    source: bytes | str = content.url
    media_type = None
    if content.force_download:
        item = await download_item(content, data_format="bytes")
        source, media_type = item["data"], item["data_type"]
    if isinstance(content, ImageUrl):
        return image(source, media_type=media_type, detail=_detail(content))
    return file(source, media_type=media_type or content.media_type)


def _detail(content: BinaryContent | ImageUrl) -> str | None:
    return (content.vendor_metadata or {}).get("detail")


def _response(message: ModelResponse) -> dict[str, object]:
    texts = [part.content for part in message.parts if isinstance(part, TextPart)]
    calls = [
        call_of(part.tool_call_id, part.tool_name, part.args_as_json_str())
        for part in message.parts
        if isinstance(part, ToolCallPart)
    ]
    details = message.provider_details or {}
    said = "".join(texts) or str(details.get("refusal") or "")
    return assistant_turn(said, calls, details.get(KEPT))


def parts_of(reply: Reply) -> list[ModelResponsePart]:
    """Return the parts of a whole answer.

    Args:
        reply: the answer.

    """
    parts: list[ModelResponsePart] = [ThinkingPart(reply.reasoning)] if reply.reasoning else []
    parts += [TextPart(reply.text)] if reply.text else []
    parts += files_of(reply)
    parts += [ToolCallPart(call.name, call.arguments, call.id) for call in reply.tool_calls]
    return parts


def files_of(reply: Reply) -> Iterator[FilePart]:
    """Yield the images and sounds that an answer has as bytes.

    Args:
        reply: the whole answer.

    """
    for media in reply.media:
        if media.data:
            content = BinaryContent(media.data, media_type=media.media_type)
            yield FilePart(content=BinaryContent.narrow_type(content))


def details_of(reply: Reply) -> dict[str, Any]:
    """Return what is known of an answer that has no place of its own in pydantic-ai.

    Args:
        reply: the whole answer.

    """
    details = {
        "finish_reason": reply.raw_finish_reason or reply.finish_reason,
        "provider": reply.provider,
        "refusal": reply.refusal,
        "citations": [citation_of(citation) for citation in reply.citations],
        "media_urls": [media.url for media in reply.media if media.url],
        KEPT: kept_of(reply),
    }
    return {name: value for name, value in details.items() if value}


def reason_of(reply: Reply) -> FinishReason | None:
    """Return why an answer ended; None where pydantic-ai has no word for it.

    Args:
        reply: the answer.

    """
    if reply.refusal:
        return "content_filter"
    return _REASONS.get(reply.finish_reason or "")


def usage_of(usage: Usage | None) -> RequestUsage:
    """Return what an answer cost; where the server did not say, that it did not.

    Args:
        usage: what it said.

    """
    if usage is None:
        return RequestUsage(unmeasured_requests=1)
    return RequestUsage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cache_read_tokens=usage.cached_tokens or 0,
        cache_write_tokens=usage.cache_write_tokens or 0,
        output_reasoning_tokens=usage.reasoning_tokens or 0,
        cost=None if usage.cost is None else Decimal(str(usage.cost)),
    )
