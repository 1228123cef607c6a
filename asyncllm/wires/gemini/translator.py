"""Gemini's wire, read: chunks of a stream, or one whole answer, to items.

Wire facts: Google's reference of `streamGenerateContent`, and streams recorded from the Gemini API
and from Vertex AI; the tests are named after each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.errors import StreamInterrupted
from asyncllm.events import Finish, Ping, Reasoning
from asyncllm.framing.json import UNDECODABLE
from asyncllm.wires.citations import Cited
from asyncllm.wires.facts import Facts
from asyncllm.wires.failures import Complaint, complaint_of, failure, is_complaint, said_in
from asyncllm.wires.gemini.calls import Calls
from asyncllm.wires.gemini.chunks import CHUNK, Chunk, piece_decoder
from asyncllm.wires.gemini.layout import Layout
from asyncllm.wires.gemini.others import Others
from asyncllm.wires.gemini.reasons import BLOCKED, CONTINUATION, is_fault, reason_of, word_of
from asyncllm.wires.gemini.sources import cited, grounded, logprobs_of
from asyncllm.wires.gemini.usage import Counted
from asyncllm.wires.loose import as_mapping, as_text
from asyncllm.wires.translator import JSONTranslator

if TYPE_CHECKING:
    from asyncllm.events import Item
    from asyncllm.framing import Payload
    from asyncllm.wires.gemini.chunks import Candidate

_DONE = b"[DONE]"  # which gateways send
_MOST_VAIN_TRIES = 16
_MOST_REQUESTS = 64  # that one answer may take
_TOLD = ("error", "message", "detail", "code", "status")  # by a failure, without candidates


class GeminiTranslator(JSONTranslator[Chunk]):
    """Reads one answer; see `asyncllm.wires.translator.Translator`.

    `Finish` is given last, at the end of the body: some servers name a reason in every chunk. An
    answer that is to be gone on with ends without one, and `token` says how to ask for the rest;
    `go_on` makes this ready to read it.

    Attributes:
        token: what the server wants to be asked again with; "" where the answer does not go on.
        refusals: how often a request with a token was refused; for whoever asks to count.

    """

    __slots__ = (
        "_calls",
        "_cited",
        "_counted",
        "_facts",
        "_following",
        "_has_content",
        "_layout",
        "_others",
        "_requests",
        "_said",
        "_tries_piece",
        "_vain_tries",
        "refusals",
        "token",
    )

    def __init__(self) -> None:
        super().__init__(CHUNK)
        self.token = ""
        self.refusals = 0
        self._following = ""  # the token that has come
        self._facts = Facts()
        self._cited = Cited()
        self._counted = Counted()
        self._layout = Layout()
        self._calls = Calls(self._layout)
        self._others = Others(self._layout, self._facts)
        self._said = ""  # why the answer ended
        self._requests = 1
        self._has_content = False
        self._tries_piece = False  # once what is said of the answer as a whole was read
        self._vain_tries = 0  # to read as a piece what is more, or another thing

    def go_on(self) -> None:
        """Read on in the body of the next request."""
        self._requests += 1
        self._counted = Counted(self._counted.so_far())
        self._said = ""
        self.is_done = False

    @override
    def _read(self, payloads: list[Payload], batch: list[Item]) -> None:
        """Read what is a piece of the answer and nothing else by a shorter way than the rest."""
        place, end = 0, len(payloads)
        while place < end and not self.is_done:
            if self._tries_piece:
                place = self._read_pieces(payloads, place, batch)
            if place < end:
                super()._read([payloads[place]], batch)
                place += 1

    def _read_pieces(self, payloads: list[Payload], place: int, batch: list[Item]) -> int:
        """Read pieces from `place` on, and return where something else is, or the end."""
        counted = self._counted
        decode_piece, append = piece_decoder(counted.known).decode, batch.append
        characters, chunk, end = 0, None, len(payloads)
        try:
            while place < end:
                newer = decode_piece(payloads[place])  # type: ignore[arg-type] # see UNDECODABLE
                chunk, place = newer, place + 1
                part = newer.candidates[0].content.parts[0]
                if text := part.text:
                    if part.thought:
                        append(Reasoning(text))
                    else:
                        append(text)
                        characters += len(text)
        except UNDECODABLE:
            # A failure costs more than it saves, so often failing ends it.
            self._vain_tries += isinstance(payloads[place], bytes)
            self._tries_piece = self._vain_tries < _MOST_VAIN_TRIES
        if chunk is not None:
            self._layout.characters += characters
            if counted.known:
                counted.newest = chunk.usage_metadata
        return place

    @override
    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Take an error that stands bare between events, or is named so, and a gateway's end."""
        if name.lower() == "error":
            said = said_in(data.decode("utf-8", "replace"))
            if not isinstance(as_mapping(said).get("candidates"), list):
                raise failure(complaint_of(said))
        elif data.strip() == _DONE:
            batch += self.end()
            self.is_done = True
        return self.is_done

    @override
    def end(self) -> list[Item]:
        """Return what is left to say: tool calls, facts of the answer, usage and the finish.

        Raises:
            StreamInterrupted: nothing said that the answer is whole, or it goes on for ever.

        """
        said, token, self._following, self.token = self._said, self._following, "", ""
        if not said:
            raise StreamInterrupted("the answer was cut off: it ended without a finishReason")
        if said == CONTINUATION:
            if not token or self._requests == _MOST_REQUESTS:
                raise StreamInterrupted(f"the answer was cut off after {self._requests} requests")
            self.token = token
            return []
        items: list[Item] = [*self._calls.end()]
        opaque = self._layout.whole()
        if opaque or self._facts.has_news:
            items.append(self._facts.about(opaque))
        if usage := self._counted.usage():
            items.append(usage)
        reason = reason_of(said, has_calls=self._calls.has_any)
        word = said.removeprefix(BLOCKED)
        return [*items, Finish(reason, word if word != reason else "")]

    @override
    def take(self, chunk: Chunk, batch: list[Item]) -> bool:
        """Append what a chunk says; see `JSONTranslator`."""
        facts, fault = self._facts, None
        facts.name("id", chunk.response_id)
        facts.name("model", chunk.model_version)
        for candidate in chunk.candidates or ():
            if candidate is not None and not candidate.index:  # one answer is asked for
                fault = self._take_candidate(candidate, batch)
        self._counted.add(chunk.usage_metadata)
        facts.note("usageMetadata", chunk.usage_metadata)
        facts.note("createTime", chunk.create_time)
        facts.note("modelStatus", chunk.model_status)
        facts.note("promptFeedback", chunk.prompt_feedback)
        if blocked := as_text(as_mapping(chunk.prompt_feedback).get("blockReason")):
            self._said = f"{BLOCKED}{blocked}"
        self._introduce(batch)
        _refuse(chunk)
        if fault is not None:
            usage = self._counted.usage() if self._has_content else None
            batch += [usage] if usage else []  # it was paid for
            raise failure(fault)
        return False  # a later chunk may say more, so that is for the end of the body

    def _introduce(self, batch: list[Item]) -> None:
        """Say what is known of the answer behind its first content, and try pieces from then on."""
        if not self._has_content and batch and not isinstance(batch[-1], Ping):
            self._has_content = True
            batch += [self._facts.about()] if self._facts.has_news else []
        self._tries_piece = self._has_content and self._vain_tries < _MOST_VAIN_TRIES

    def _take_candidate(self, candidate: Candidate, batch: list[Item]) -> Complaint | None:
        """Append what a candidate says, and return what is wrong with it, if anything is."""
        for part in (candidate.content and candidate.content.parts) or ():
            if part:
                self._take_part(part, batch)
        for said, sources in (
            (candidate.grounding_metadata, grounded),
            (candidate.citation_metadata, cited),
        ):
            batch += self._cited.new(sources(said)) if said else ()
        if candidate.logprobs_result and (likely := logprobs_of(candidate.logprobs_result)):
            batch.append(likely)
        _note(candidate, self._facts)
        self._following = as_text(candidate.continuation_token) or self._following
        word = word_of(candidate.finish_reason)
        self._said = word or self._said
        if not is_fault(word):
            return None
        told = as_text(candidate.finish_message)
        return Complaint(told or "the server gives no reason", type=word, failed_generation=told)

    def _take_part(self, part: dict[str, object], batch: list[Item]) -> None:
        signature, text = as_text(part.get("thoughtSignature")), part.get("text")
        if part.get("functionCall") is not None:
            answer = as_text(self._facts.names.get("id"))
            batch += self._calls.add(as_mapping(part["functionCall"]), signature, answer)
            self.is_building = True
        elif not isinstance(text, str):
            batch += self._others.items_of(part)
            self.is_building = True
        elif part.get("thought"):
            batch += [Reasoning(text)] if text else []
            if signature:
                self._layout.add_part(part)
        else:
            batch += [text] if text else []
            self._layout.add_text(len(text), signature)


def _note(candidate: Candidate, facts: Facts) -> None:
    """Note what a candidate says beside its content."""
    facts.note("finishMessage", candidate.finish_message)
    facts.note("groundingMetadata", candidate.grounding_metadata)
    facts.note("citationMetadata", candidate.citation_metadata)
    facts.note("urlContextMetadata", candidate.url_context_metadata)
    facts.note("avgLogprobs", candidate.avg_logprobs)
    facts.note("safetyRatings", candidate.safety_ratings)


def _refuse(chunk: Chunk) -> None:
    """Raise the error that a chunk tells.

    Raises:
        AsyncLLMError: there is one.

    """
    if chunk.error:
        raise failure(complaint_of({"error": chunk.error}))
    if not (chunk.candidates or chunk.usage_metadata or chunk.prompt_feedback):
        said = {name: value for name in _TOLD if (value := getattr(chunk, name)) is not None}
        if said and is_complaint(said):
            raise failure(complaint_of(said))
