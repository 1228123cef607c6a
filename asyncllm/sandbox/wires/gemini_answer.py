"""An answer in the form that Gemini's wire knows: chunks, each of which may be the last."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from asyncllm.sandbox.generation import Script
from asyncllm.sandbox.wires.gemini_errors import error_in_stream
from asyncllm.sandbox.wires.gemini_request import signature_of_call
from asyncllm.sandbox.wires.openai_details import signature_of
from asyncllm.sandbox.wires.openai_style import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncllm.sandbox.faults import EndsWith, UsageDetails
    from asyncllm.sandbox.generation import ToolCall
    from asyncllm.sandbox.wires.body import JSON

_PIXEL = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\nIDATx\x9cc\0\1"
    b"\0\0\5\0\1\r\n-\xb4\0\0\0\0IEND\xaeB`\x82"
)
IMAGE: JSON = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(_PIXEL).decode()}}
"""A picture of one pixel, as a part."""

RUN: tuple[JSON, ...] = (
    {"executableCode": {"language": "PYTHON", "code": "print(6 * 7)\n"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}},
)
"""Code that the model runs, and what comes of it."""

GROUNDING: JSON = {
    "webSearchQueries": ["sandbox"],
    "groundingChunks": [
        {"web": {"uri": f"https://example.org/{number}", "title": f"Source {number}"}}
        for number in (1, 2)
    ],
    "groundingSupports": [
        {"segment": {"endIndex": 4, "text": "This"}, "groundingChunkIndices": [0, 1]}
    ],
}
"""What a search found, and which part of the answer's text rests on it."""


@dataclass(frozen=True)
class GeminiAnswer:
    """What is answered.

    Without tool calls its pieces are the tokens of its text; `before` are parts that come first.
    `has_ids` and `is_signed` are of newer models; `streams_arguments` and `is_vertex` of Vertex AI.
    `goes_on_at` is the place from which the next request goes on.
    """

    model: str
    tokens: Sequence[str]
    prompt_tokens: int
    is_cut: bool = False
    thought: Sequence[str] = ()
    shows_thought: bool = False
    calls: Sequence[ToolCall] = ()
    before: Sequence[JSON] = ()
    is_signed: bool = False
    is_vertex: bool = False
    streams_arguments: bool = False
    details: UsageDetails | None = None
    is_grounded: bool = False
    end: EndsWith | None = None
    goes_on_at: int | None = None

    def script(self) -> Script:
        """Lay the answer out in chunks."""
        pieces = self._call_pieces if self.calls else self.tokens
        write = self._part_chunk if self.calls else self._text_chunk
        return Script(
            tokens=pieces,
            event=write,
            count=len(pieces),
            ending=[encode(self._last())],
            error=error_in_stream,
            opening=[*self._opening()],
            has_bare_errors=True,
        )

    def whole(self) -> JSON:
        """Make the answer one object."""
        parts = [self._thought_part(token) for token in self.thought if self.shows_thought]
        parts += [*self.before, *(self._call(call, n) for n, call in enumerate(self.calls))]
        last = self._last()
        if not self.calls:
            text: JSON = {"text": "".join(self.tokens)}
            signature = signature_of(str(text["text"]))
            parts.append({**text, "thoughtSignature": signature} if self.is_signed else text)
        candidate: JSON = {**_first_candidate(last), "content": _content(parts)}
        return {**last, "candidates": [candidate]}

    def _opening(self) -> Iterator[str]:
        if self.shows_thought:
            for token in self.thought:
                yield encode(self._chunk([self._thought_part(token)]))
        for part in self.before:
            yield encode(self._chunk([part]))

    def _last(self) -> JSON:
        """Make the last chunk: an empty text with the signature, and why the answer ended."""
        part: JSON = {"text": ""}
        if self.is_signed and not self.calls:
            part["thoughtSignature"] = signature_of("".join(self.tokens))
        chunk = self._chunk([part])
        candidate = _first_candidate(chunk)
        candidate["finishReason"] = "MAX_TOKENS" if self.is_cut else "STOP"
        if self.calls:
            candidate["finishMessage"] = "Model generated function call(s)."
        if self.is_grounded:
            candidate["groundingMetadata"] = GROUNDING
        if self.goes_on_at is not None:
            candidate["finishReason"] = "CONTINUATION"
            candidate["continuationToken"] = token_at(self.goes_on_at)
        if self.end is not None:
            candidate["finishReason"] = self.end.reason
            candidate |= {} if self.end.message is None else {"finishMessage": self.end.message}
        return {**chunk, "usageMetadata": self.usage(len(self.calls) or len(self.tokens))}

    def usage(self, written: int) -> JSON:
        """Count the tokens; those of thinking are beside those of the answer."""
        usage: JSON = {"promptTokenCount": self.prompt_tokens, "candidatesTokenCount": written}
        if self.thought:
            usage["thoughtsTokenCount"] = len(self.thought)
        if self.details is not None:
            usage["cachedContentTokenCount"] = min(self.details.cached_tokens, self.prompt_tokens)
        return {**usage, "totalTokenCount": self.prompt_tokens + written + len(self.thought)}

    @cached_property
    def _call_pieces(self) -> list[str]:
        return [
            encode(part)
            for number, call in enumerate(self.calls)
            for part in self._call_parts(call, number)
        ]

    def _call_parts(self, call: ToolCall, number: int) -> Iterator[JSON]:
        whole = self._call(call, number)
        if not self.streams_arguments:
            yield whole
            return
        named: JSON = {"name": call.name, "willContinue": True}
        yield {**whole, "functionCall": named}
        for name, value in json.loads(call.arguments).items():
            path = f"$['{name}']" if "." in name else f"$.{name}"
            for piece in _argument_pieces(value):
                argument = {"jsonPath": path, **piece}
                yield {"functionCall": {"partialArgs": [argument], "willContinue": True}}
        yield {"functionCall": {}}

    def _call(self, call: ToolCall, number: int) -> JSON:
        arguments = json.loads(call.arguments)
        named: JSON = {"id": call.id} if self.is_signed else {}
        part: JSON = {"functionCall": {**named, "name": call.name, "args": arguments}}
        if self.is_signed and number == 0:
            part["thoughtSignature"] = signature_of_call(call.name, arguments)
        return part

    def _thought_part(self, token: str) -> JSON:
        return {"text": token, "thought": True}

    def _part_chunk(self, part: str) -> str:
        return encode(self._chunk([json.loads(part)]))

    def _text_chunk(self, token: str) -> str:
        # Nothing but the token differs, and there may be a hundred thousand of them.
        before, behind = self._around
        return f"{before}{encode(token)}{behind}"

    @cached_property
    def _around(self) -> tuple[str, str]:
        before, _, behind = encode(self._chunk([{"text": "?"}])).partition('"?"')
        return before, behind

    def _chunk(self, parts: Sequence[JSON]) -> JSON:
        candidate: JSON = {"content": _content(parts)}
        if not self.is_vertex:
            candidate["index"] = 0
        chunk: JSON = {"candidates": [candidate]}
        if not self.is_vertex:  # where usage comes at the end alone
            chunk["usageMetadata"] = self.usage(0)
        return {**chunk, **self._frame}

    @cached_property
    def _frame(self) -> JSON:
        return {"modelVersion": self.model, "responseId": uuid.uuid4().hex[:24]}


def token_at(place: int) -> str:
    """Write a token that goes on at a place."""
    return base64.b64encode(f"at {place}".encode()).decode()


def place_of(token: object) -> int:
    """Read where a token goes on.

    Raises:
        ValueError: it is none.

    """
    word, _, place = base64.b64decode(str(token), validate=True).decode().partition(" ")
    if word != "at":
        raise ValueError("not a token")
    return int(place)


def _content(parts: Sequence[JSON]) -> JSON:
    return {"parts": [*parts], "role": "model"}


def _first_candidate(chunk: JSON) -> JSON:
    candidates = chunk["candidates"]
    assert isinstance(candidates, list)
    first: JSON = candidates[0]
    return first


def _argument_pieces(value: object) -> Iterator[JSON]:
    match value:
        case str():
            half = len(value) // 2
            yield {"stringValue": value[:half], "willContinue": True}
            yield {"stringValue": value[half:]}
        case bool():
            yield {"boolValue": value}
        case int() | float():
            yield {"numberValue": value}
        case None:
            yield {"nullValue": "NULL_VALUE"}
        case _:
            pass  # an array or an object that is empty has no place in it
