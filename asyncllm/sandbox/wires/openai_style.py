"""How servers with OpenAI's wire write what a model thinks and says: several have their own way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from asyncllm.sandbox.faults import ContentParts, ReasoningDetails, ReasoningField, Thinking
from asyncllm.sandbox.wires.openai_details import merged, signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncllm.sandbox.wires.body import JSON

# json.dumps would make an encoder anew for every token.
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Style:
    """Text as OpenAI writes it, and nothing of the thinking.

    Attributes:
        thinks: whether the thinking is shown.
        demanded: the fields of a message that must come back with its tool calls.

    """

    thinks: bool = False
    demanded: tuple[str, ...] = ()

    @property
    def provider(self) -> str | None:
        """Who answers, where the server passes requests on to others."""
        return None

    def delta_of(self, token: str) -> str:
        """Write the delta for a token of the text."""
        return f'{{"content":{encode(token)}}}'

    def thinking(self, thought: Sequence[str]) -> Iterator[JSON]:
        """Make the deltas for the tokens of the thinking."""
        return iter(())

    def message(self, thought: Sequence[str], text: str | None) -> JSON:
        """Make what a whole message has of the thinking and of the text; None is no text."""
        return {"content": text}


@dataclass(frozen=True)
class InField(Style):
    """The thinking is text in a field of its own, which `demanded` names if it must come back."""

    name: str
    demanded: tuple[str, ...] = ()
    thinks = True

    @override
    def thinking(self, thought: Sequence[str]) -> Iterator[JSON]:
        for token in thought:
            yield {self.name: token}

    @override
    def message(self, thought: Sequence[str], text: str | None) -> JSON:
        return {"content": text, self.name: "".join(thought)}


@dataclass(frozen=True)
class InDetails(Style):
    """The thinking is in `reasoning`, and in details that end with what only a server can read."""

    kind: Literal["text", "encrypted"]
    thinks = True
    demanded = ("reasoning_details",)

    @property
    @override
    def provider(self) -> str:
        return "Anthropic" if self.kind == "text" else "OpenAI"

    @override
    def thinking(self, thought: Sequence[str]) -> Iterator[JSON]:
        for detail in self._details(thought):
            said = detail.get("text", detail.get("summary"))
            yield {"content": "", "reasoning": said, "reasoning_details": [detail]}

    @override
    def message(self, thought: Sequence[str], text: str | None) -> JSON:
        details = merged([*self._details(thought)])
        return {"content": text, "reasoning": "".join(thought), "reasoning_details": details}

    def _details(self, thought: Sequence[str]) -> Iterator[JSON]:
        signature = signature_of("".join(thought))
        if self.kind == "text":
            text: JSON = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
            for token in thought:
                yield {**text, "text": token}
            yield {**text, "signature": signature}
        else:
            form: JSON = {"format": "openai-responses-v1"}
            for token in thought:
                yield {"type": "reasoning.summary", **form, "index": 0, "summary": token}
            data: JSON = {"data": signature, "id": "rs_sandbox"}
            yield {"type": "reasoning.encrypted", **form, "index": 1, **data}


@dataclass(frozen=True)
class InContent(Style):
    """The thinking is in arrays of the content, as is the text's first token; the rest are strings.

    So Mistral was seen to write it. `demanded` names the content if it must come back.
    """

    demanded: tuple[str, ...] = ()
    thinks = True

    @override
    def delta_of(self, token: str) -> str:
        is_first = not token.startswith(" ")
        return encode({"content": [_text_part(token)]}) if is_first else super().delta_of(token)

    @override
    def thinking(self, thought: Sequence[str]) -> Iterator[JSON]:
        for token in thought:
            yield {"content": [_thinking_part(_text_part(token))]}
        yield {"content": [_thinking_part()]}

    @override
    def message(self, thought: Sequence[str], text: str | None) -> JSON:
        said = [] if text is None else [_text_part(text)]
        return {"content": [_thinking_part(_text_part("".join(thought))), *said]}


def style_of(fault: Thinking | None) -> Style:
    """Find the style that a fault stands for.

    Raises:
        TypeError: nobody writes reasoning so.

    """
    match fault:
        case None:
            return Style()
        case ReasoningField(name=name, demanded=is_demanded):
            return InField(name, (name,) if is_demanded else ())
        case ReasoningDetails(kind=kind):
            return InDetails(kind)
        case ContentParts(demanded=is_demanded):
            return InContent(("content",) if is_demanded else ())
        case _:
            raise TypeError(f"not a way to write reasoning: {fault!r}")


def _text_part(text: str) -> JSON:
    return {"type": "text", "text": text}


def _thinking_part(*parts: JSON) -> JSON:
    return {"type": "thinking", "thinking": [*parts]}
