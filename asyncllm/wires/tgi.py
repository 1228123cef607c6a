"""TGI's stream, of Hugging Face's text-generation-inference: a token an event.

Wire facts: TGI's `StreamResponse`, from 1.x to 3.x, and the `InferError` of its router.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from asyncllm.errors import ProviderError, StreamInterrupted
from asyncllm.events import Finish, Logprob, Logprobs, Usage
from asyncllm.wires.failures import Complaint, complaint_of, failure
from asyncllm.wires.loose import as_count, as_list, as_mapping, as_number, as_text
from asyncllm.wires.streamed_text import StreamedText
from asyncllm.wires.translator import JSONTranslator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncllm.errors import AsyncLLMError
    from asyncllm.events import Item
    from asyncllm.framing import Payload

_DONE = b"[DONE]"  # which gateways send
_END_OF_TEXT = "<|endoftext|>"
_NO_TEXTS = frozenset({"", _END_OF_TEXT})
_FINISH_REASONS = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}
_STATUSES = {  # that its router gives to failures of these types; amid an answer there is none
    "validation": 422,
    "template_error": 422,
    "missing_template_variable": 422,
    "tool_error": 422,
    "overloaded": 429,
    "incomplete_generation": 500,
}


class _Token(msgspec.Struct, gc=False):
    text: str
    special: bool | None = None


class _Event(msgspec.Struct, gc=False):
    """An event; what is beside the answer may have any shape."""

    token: _Token | None = None
    generated_text: str | None = None
    details: Any = None
    error: Any = None
    error_type: Any = None


class _LikelyToken(_Token, gc=False):
    logprob: Any = None


class _LikelyEvent(_Event, gc=False):
    token: _LikelyToken | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    top_tokens: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_LIKELY_EVENT: msgspec.json.Decoder[_Event] = msgspec.json.Decoder(_LikelyEvent)


class TGITranslator(JSONTranslator[_Event]):
    """Reads TGI's stream: a token an event, and the whole text with the last one.

    Args:
        stops_early: whether a stop sequence may end the answer.
        stops: the stop sequences, which some servers cut off the whole text.
        has_prompt: whether the whole text begins with the prompt, which is not streamed.
        tells_logprobs: whether to tell how likely each token was.

    """

    __slots__ = ("_has_prompt", "_stops", "_stops_early", "_streamed")

    def __init__(
        self,
        *,
        stops_early: bool,
        stops: Sequence[str] = (),
        has_prompt: bool = False,
        tells_logprobs: bool = False,
    ) -> None:
        super().__init__(_LIKELY_EVENT if tells_logprobs else _EVENT)
        self._stops_early = stops_early
        self._stops = stops
        self._has_prompt = has_prompt
        self._streamed = StreamedText()

    @override
    def _read(self, payloads: list[Payload], batch: list[Item]) -> None:
        super()._read(payloads, batch)
        if not self.is_done:
            self._streamed.add(batch)

    @override
    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Take `[DONE]`, which says nothing: without `generated_text` the answer is not whole."""
        return data.strip() == _DONE

    @override
    def take(self, event: _Event, batch: list[Item]) -> bool:
        """Append what an event says; see `JSONTranslator`."""
        if event.error is not None:
            raise _failure(event.error, as_text(event.error_type))
        token = event.token
        if token is not None and not token.special and (text := token.text) not in _NO_TEXTS:
            batch.append(text)
            if isinstance(event, _LikelyEvent):
                batch += _likely(event)
        if event.generated_text is not None:
            self._streamed.add(batch)
            batch.extend(self._finish(event, event.generated_text))
            self.is_done = True
        return self.is_done

    @override
    def end(self) -> list[Item]:
        """Say that the body has ended, too early."""
        raise StreamInterrupted("the answer was cut off: it ended without `generated_text`")

    def _finish(self, event: _Event, whole: str) -> list[Item]:
        """Return what is left to say: text that was not streamed, usage and the finish.

        Raises:
            ProtocolError: the whole text is another than the one that was streamed.

        """
        rest = ""
        if self._streamed.is_empty or not self._has_prompt:
            last = "" if event.token is None else event.token.text
            rest = self._streamed.rest_of(_without_end(event, whole), [last, *self._stops])
        items: list[Item] = [rest] if rest else []
        details = as_mapping(event.details)
        if (count := as_count(details.get("generated_tokens"))) is not None:
            items.append(Usage(as_count(details.get("input_length")), count))
        if said := as_text(details.get("finish_reason")):
            reason = _FINISH_REASONS.get(said, said)
            return [*items, Finish(reason, said if said != reason else "")]
        if self._stops_early or event.token is None or _is_special(event.token):
            reason = "stop"
        else:
            reason = "length"
        return [*items, Finish(reason)]


def _failure(said: object, kind: str) -> AsyncLLMError:
    """Return the error that an event tells: by its type, the one that its status would have been.

    A generation that fails has none that says more than that it failed. What is no text is an error
    as TGI's chat has it, or who stands before it.
    """
    if not isinstance(said, str):
        return failure(complaint_of({"error": said}))
    message = said
    if status := _STATUSES.get(kind):
        return failure(Complaint(message, type=kind, status=status))
    error = ProviderError(f"generation failed: {message}{kind and f' ({kind})'}")
    error.type = kind
    return error


def _likely(event: _LikelyEvent) -> list[Item]:
    """Return how likely the token of an event was, and which were the likeliest in its place."""
    token = event.token
    number = None if token is None else as_number(token.logprob)
    if token is None or number is None:
        return []
    others = [as_mapping(other) for other in as_list(event.top_tokens)]
    told = [(as_text(other.get("text")), as_number(other.get("logprob"))) for other in others]
    top = tuple(Logprob(text, each) for text, each in told if each is not None)
    return [Logprobs((Logprob(token.text, number, top=top),))]


def _is_special(token: _Token) -> bool:
    return token.special or token.text == _END_OF_TEXT


def _without_end(event: _Event, whole: str) -> str:
    """Return the whole text without the special token that ends it, which is no text."""
    if event.token is not None and _is_special(event.token):
        whole = whole.removesuffix(event.token.text)
    return whole.removesuffix(_END_OF_TEXT)
