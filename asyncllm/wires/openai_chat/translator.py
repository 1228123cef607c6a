"""OpenAI's chat wire, read: chunks of a stream, or one whole answer, to items.

Wire facts: OpenAI's API reference, "Chat Completions: streaming", and what servers that speak it
were seen to do otherwise; the tests are named after each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.errors import StreamInterrupted
from asyncllm.events import Finish, Ping, Reasoning, Refusal
from asyncllm.framing.json import UNDECODABLE
from asyncllm.framing.json_object import WholeBody
from asyncllm.wires.failures import Complaint, complaint_of, failure, is_complaint, said_in
from asyncllm.wires.loose import as_mapping, as_text
from asyncllm.wires.openai_chat.about import ChatFacts
from asyncllm.wires.openai_chat.chunks import CHUNK, PIECE_CHUNK, CallDelta, Chunk, Function
from asyncllm.wires.openai_chat.content import items_of
from asyncllm.wires.openai_chat.logprobs import logprobs_of
from asyncllm.wires.openai_chat.media import heard_in, images_of
from asyncllm.wires.openai_chat.reasoning import OpaqueReasoning
from asyncllm.wires.openai_chat.sources import Sources
from asyncllm.wires.openai_chat.usage import newer_usage, usage_of
from asyncllm.wires.tool_calls import ToolCalls
from asyncllm.wires.translator import JSONTranslator

if TYPE_CHECKING:
    from asyncllm.events import Item
    from asyncllm.framing import Payload
    from asyncllm.wires.openai_chat.chunks import Choice, Delta

_DONE = b"[DONE]"
_AROUND_DONE = b' \t"'  # which some servers send with it
_LEGACY_INDEX = -1  # which no server gives to a call
_FAILED = ("error", "server_error")
_TOLD = (  # what may say of a chunk without choices that it is a failure, and of which kind
    *("error", "errors", "detail", "message", "object", "type", "code"),
    *("status", "status_code", "error_type"),
)
_ORDINARY = {"object": "chat.completion.chunk"}
_MOST_VAIN_TRIES = 16
_REASONS = {  # of services that have words of their own
    "function_call": "tool_calls",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "model_length": "length",
}


class ChatTranslator(JSONTranslator[Chunk]):
    """Reads one answer; see `asyncllm.wires.translator.Translator`.

    `Finish` is given last, when the server says that nothing more comes: usage may follow the
    finish reason. `About` is given behind the first content, as an answer that fails before it is
    asked for again, and once more at the end if there is more to say.
    """

    __slots__ = (
        "_audio_id",
        "_cost",
        "_facts",
        "_finish_reason",
        "_has_content",
        "_has_reasoning",
        "_is_one_object",
        "_reasoning",
        "_sources",
        "_tool_calls",
        "_tries_piece",
        "_usage",
        "_vain_tries",
    )

    def __init__(self) -> None:
        super().__init__(CHUNK)
        self._facts = ChatFacts()
        self._sources = Sources()
        self._reasoning = OpaqueReasoning()
        self._tool_calls: ToolCalls | None = None  # few answers have any
        self._usage: dict[str, object] = {}
        self._cost: object = None
        self._audio_id = ""
        self._finish_reason: str | None = None
        self._has_content = False
        self._has_reasoning = False  # in a field of its own, which `reasoning_details` repeat
        self._tries_piece = False  # once what is said of the answer as a whole was read
        self._is_one_object = False  # the body, or what stands bare in it: no more can follow
        self._vain_tries = 0  # to read as a piece what is more, or another thing

    @override
    def _read(self, payloads: list[Payload], batch: list[Item]) -> None:
        """Read what is a piece of the answer and nothing else by a shorter way than the rest."""
        decode_piece = PIECE_CHUNK.decode
        for payload in payloads:
            if self._tries_piece:
                try:
                    chunk = decode_piece(payload)  # type: ignore[arg-type] # see UNDECODABLE
                except UNDECODABLE:
                    self._note_vain_try(payload)
                else:
                    choice = chunk.choices[0]
                    delta = choice.delta
                    if (
                        delta.reasoning_content is not None
                        or delta.reasoning is not None
                        or delta.reasoning_details is not None
                        or delta.tool_calls is not None
                    ):
                        self._take_thought_and_calls(delta, batch)
                    if delta.content:
                        batch.append(delta.content)
                    if choice.content_filter_results:
                        self._facts.note("content_filter_results", choice.content_filter_results)
                    if not self._has_content:
                        self._introduce(batch)
                    continue
            self._is_one_object |= isinstance(payload, WholeBody)
            super()._read([payload], batch)
            if self.is_done:
                return

    def _note_vain_try(self, payload: Payload) -> None:
        """Give the shorter way up where it fails often: a failure costs more than it saves."""
        self._vain_tries += isinstance(payload, bytes)  # a keep-alive goes neither way
        self._tries_piece = self._vain_tries < _MOST_VAIN_TRIES

    @override
    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Take the end, an error that is named so, or a word that says neither."""
        if name.lower() == "error":
            said = said_in(data.decode("utf-8", "replace"))
            if not isinstance(as_mapping(said).get("choices"), list):
                raise failure(complaint_of(said))
            self._is_one_object = True
        elif data.strip(_AROUND_DONE).upper() == _DONE:
            self.is_done = True
            batch.extend(self.end())
        # Behind the finish_reason nothing is missing, whatever word of its own a server ends with.
        is_last_word = self._finish_reason is not None and not data.lstrip().startswith(b"{")
        return self.is_done or is_last_word

    @override
    def end(self) -> list[Item]:
        """Return what is left to say: facts of the answer, tool calls, usage and the finish.

        Raises:
            StreamInterrupted: nothing said that the answer is whole; `[DONE]` says it only of an
                answer that has begun.

        """
        calls = self._tool_calls.whole() if self._tool_calls is not None else []
        said = self._finish_reason
        if said is None and not (self.is_done and (self._has_content or calls)):
            raise StreamInterrupted("the answer was cut off: it ended without a finish_reason")
        said = said or ("tool_calls" if calls else "stop")
        reason = _REASONS.get(said, said)
        opaque = self._reasoning.whole(has_calls=bool(calls))
        if self._audio_id:
            opaque["audio"] = {"id": self._audio_id}
        about = [self._facts.about(opaque)] if opaque or self._facts.has_news else []
        usage = [usage_of(self._usage, self._cost)] if self._usage else []
        return [*about, *calls, *usage, Finish(reason, said if said != reason else "")]

    @override
    def take(self, chunk: Chunk, batch: list[Item]) -> bool:
        """Append what a chunk says; see `JSONTranslator`."""
        for choice in chunk.choices or ():
            if choice is not None and not choice.index:  # n > 1 is refused before it is asked for
                self._take_choice(choice, batch)
        if chunk.citations is not None or chunk.search_results is not None:
            batch += self._sources.searched(chunk.citations, chunk.search_results)
        if chunk.usage is not None or chunk.x_groq is not None:
            said = as_mapping(chunk.usage) or as_mapping(as_mapping(chunk.x_groq).get("usage"))
            self._usage = newer_usage(self._usage, said) if said else self._usage
        self._cost = chunk.cost or self._cost
        self._facts.add(chunk)
        self._introduce(batch)
        _refuse(chunk)
        return False  # that is for `[DONE]` to say, or the end of the body

    def _introduce(self, batch: list[Item]) -> None:
        """Say what is known of the answer behind its first content, and try pieces from then on."""
        # Before content only keep-alives have come, so whether it came now is seen at the end.
        if not self._has_content and batch and not isinstance(batch[-1], Ping):
            self._has_content = True
            batch += [self._facts.about()] if self._facts.has_news else []
        is_begun = self._has_content or self._tool_calls is not None
        self._tries_piece = is_begun and self._vain_tries < _MOST_VAIN_TRIES

    def _take_choice(self, choice: Choice, batch: list[Item]) -> None:
        delta = choice.delta or choice.message
        if delta is None:
            batch += [choice.text] if choice.text else []
        else:
            self._take_delta(delta, batch)
        if choice.logprobs is not None and (likely := logprobs_of(choice.logprobs)):
            batch.append(likely)
        if choice.finish_reason:
            self._finish_reason = choice.finish_reason
        elif self._is_one_object and choice.message is not None and choice.delta is None:
            self._finish_reason = self._finish_reason or "stop"

    def _take_delta(self, delta: Delta, batch: list[Item]) -> None:
        """Append whatever a delta says."""
        self._take_thought_and_calls(delta, batch)
        if delta.refusal:
            batch.append(Refusal(delta.refusal))
        if delta.reasoning_encrypted is not None:
            self._reasoning.add_encrypted(delta.reasoning_encrypted)
        if delta.function_call is not None:
            self._take_calls([CallDelta(index=_LEGACY_INDEX, function=delta.function_call)])
        if isinstance(delta.content, list):
            batch.extend(items_of(delta.content, self._sources))
        elif delta.content:
            batch.append(delta.content)
        if delta.annotations is not None:
            batch += self._sources.annotated(delta.annotations)
        if delta.images is not None:
            batch.extend(images_of(delta.images))
        if delta.audio is not None:
            audio = as_mapping(delta.audio)
            self._audio_id = as_text(audio.get("id")) or self._audio_id
            batch += heard_in(audio)

    def _take_thought_and_calls(self, delta: Delta, batch: list[Item]) -> None:
        """Append what can be read of the thinking; keep what has to go back, and calls."""
        if text := delta.reasoning_content:
            self._reasoning.add_text(text)
        text = text or delta.reasoning or ""
        if delta.reasoning_details is not None:
            readable = self._reasoning.add_details(delta.reasoning_details)
            self._has_reasoning |= bool(text)
            text = text or ("" if self._has_reasoning else readable)
        if text:
            batch.append(Reasoning(text))
        if delta.tool_calls is not None:
            self._take_calls(delta.tool_calls)

    def _take_calls(self, calls: list[CallDelta]) -> None:
        for call in calls:
            self._tool_calls = self._tool_calls or ToolCalls()
            function = call.function or Function()
            self.is_building |= self._tool_calls.add(
                call.id or "",
                call.index,
                function.name or "",
                function.arguments,
                call.extra_content,
            )


def _refuse(chunk: Chunk) -> None:
    """Raise the error that a chunk tells, wherever in it.

    Raises:
        AsyncLLMError: there is one.

    """
    if chunk.error or not chunk.choices:
        said = {name: value for name in _TOLD if (value := getattr(chunk, name)) is not None}
        # Beside choices, if there are none either, an empty error says that there is none.
        is_error = chunk.choices is None and said.get("error", False) is not False
        if is_error or (said != _ORDINARY and is_complaint(said)):
            raise failure(complaint_of(said))
    if chunk.x_groq is not None and (error := as_mapping(chunk.x_groq).get("error")):
        raise failure(complaint_of(error))
    for choice in chunk.choices or ():
        if choice is not None and choice.error:
            raise failure(complaint_of(choice.error))
        reason = choice.finish_reason if choice is not None else None
        if reason and reason.lower() in _FAILED:
            raise failure(Complaint(f"the server gives no reason except finish_reason {reason!r}"))
