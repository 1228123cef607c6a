"""What the load server says, as bytes: each wire with one event for each token."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

WRITE_BYTES = 4096
_CLOSE = "Connection: close\r\n"
STAMP_DIGITS = 19  # of a time in nanoseconds, so that every paced event is equally long

_WORDS = (
    " the",
    " answer",
    ",",
    " is",
    " streamed",
    " token",
    " by",
    " token",
    ":",
    " привет",
    " and",
    " so",
    " on",
    ".\n",
    ' "quoted"',
    " until",
    " it",
    " ends",
)


@dataclass(frozen=True)
class Wire:
    """One way to write a stream.

    Attributes:
        content_type: the answer's media type.
        opening: what comes before the first token.
        before: what stands before the JSON string of each token.
        after: what stands behind it.
        closing: what comes after the last token; `@TEXT@` stands for the whole text in it.

    """

    content_type: str
    opening: str
    before: str
    after: str
    closing: str

    def head(self, *, is_last: bool = False) -> bytes:
        """Return the answer's status line and headers, which say if the connection ends with it."""
        return (
            "HTTP/1.1 200 OK\r\n"
            f"Content-Type: {self.content_type}\r\n"
            "Cache-Control: no-cache\r\n"
            f"{_CLOSE * is_last}Transfer-Encoding: chunked\r\n\r\n"
        ).encode()

    def event(self, token: str) -> bytes:
        """Return the event of one token."""
        return f"{self.before}{json.dumps(token, ensure_ascii=False)}{self.after}".encode()

    def end(self, text: str) -> bytes:
        """Return what says that the answer is whole."""
        return self.closing.replace("@TEXT@", json.dumps(text, ensure_ascii=False)).encode()


_CHUNK = (
    'data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk",'
    '"created":1741569952,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb",'
)
_LAST_CHOICE = '"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}\n\n'
_USAGE = '"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}\n\n'

OPENAI = Wire(
    content_type="text/event-stream",
    opening=_CHUNK + '"choices":[{"index":0,"delta":{"role":"assistant","content":""},'
    '"logprobs":null,"finish_reason":null}]}\n\n',
    before=_CHUNK + '"choices":[{"index":0,"delta":{"content":',
    after='},"logprobs":null,"finish_reason":null}]}\n\n',
    closing=f"{_CHUNK}{_LAST_CHOICE}{_CHUNK}{_USAGE}data: [DONE]\n\n",
)
TGI = Wire(
    content_type="text/event-stream",
    opening="",
    before='data:{"token":{"id":204,"logprob":-0.34,"special":false,"text":',
    after='},"generated_text":null,"details":null}\n\n',
    closing='data:{"token":{"id":11,"text":"<|endoftext|>","logprob":-0.1,"special":true},'
    '"generated_text":@TEXT@,"details":null}\n\n',
)
ANTHROPIC = Wire(
    content_type="text/event-stream; charset=utf-8",
    opening='event: message_start\ndata: {"type":"message_start","message":{"id":"msg_01",'
    '"type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,'
    '"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    '"content_block":{"type":"text","text":""}}\n\n',
    before='event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    '"delta":{"type":"text_delta","text":',
    after="}}\n\n",
    closing='event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
    '"stop_sequence":null},"usage":{"output_tokens":9}}\n\n'
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)
OLLAMA = Wire(
    content_type="application/x-ndjson",
    opening="",
    before='{"model":"llama3.2","created_at":"2025-03-10T01:25:52.123456789Z",'
    '"message":{"role":"assistant","content":',
    after='},"done":false}\n',
    closing='{"model":"llama3.2","created_at":"2025-03-10T01:25:52.123456789Z",'
    '"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",'
    '"total_duration":1,"load_duration":1,"prompt_eval_count":9,"eval_count":9}\n',
)
_GEMINIS_USAGE = (
    '"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":9,"totalTokenCount":18}'
)
_OF_GEMINI = f'{_GEMINIS_USAGE},"modelVersion":"gemini-2.5-flash","responseId":"pV0LadH2Jq"}}'
GEMINI = Wire(
    content_type="text/event-stream",
    opening="",
    before='data: {"candidates":[{"content":{"parts":[{"text":',
    after=f'}}],"role":"model"}},"index":0}}],{_OF_GEMINI}\r\n\r\n',
    closing='data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},'
    f'"finishReason":"STOP","index":0}}],{_OF_GEMINI}\r\n\r\n',
)
_MESSAGE = '"item":{"id":"msg_1","type":"message","role":"assistant","status":'
_RESPONSE = '"response":{"id":"resp_1","object":"response","model":"gpt-5","output":[],"status":'
RESPONSES = Wire(
    content_type="text/event-stream; charset=utf-8",
    opening='event: response.created\ndata: {"type":"response.created","sequence_number":0,'
    f'{_RESPONSE}"in_progress"}}}}\n\n'
    "event: response.output_item.added\n"
    'data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,'
    f'{_MESSAGE}"in_progress","content":[]}}}}\n\n',
    before='event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
    '"sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":',
    after=',"logprobs":[]}\n\n',
    closing="event: response.output_item.done\n"
    'data: {"type":"response.output_item.done","sequence_number":5,"output_index":0,'
    f'{_MESSAGE}"completed","content":[{{"type":"output_text","text":@TEXT@}}]}}}}\n\n'
    'event: response.completed\ndata: {"type":"response.completed","sequence_number":6,'
    f'{_RESPONSE}"completed","usage":{{"input_tokens":9,"output_tokens":9,'
    '"total_tokens":18}}}\n\n',
)
COHERE = Wire(
    content_type="text/event-stream",
    opening='event: message-start\ndata: {"id":"c-1","type":"message-start",'
    '"delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[]}}}\n\n'
    'event: content-start\ndata: {"type":"content-start","index":0,'
    '"delta":{"message":{"content":{"type":"text","text":""}}}}\n\n',
    before='event: content-delta\ndata: {"type":"content-delta","index":0,'
    '"delta":{"message":{"content":{"text":',
    after="}}}}\n\n",
    closing='event: content-end\ndata: {"type":"content-end","index":0}\n\n'
    'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"COMPLETE",'
    '"usage":{"tokens":{"input_tokens":9,"output_tokens":9}}}}\n\n',
)
_BY_PATH_END = {
    "/chat/completions": OPENAI,
    "/messages": ANTHROPIC,
    "/api/chat": OLLAMA,
    "/responses": RESPONSES,
    "/v2/chat": COHERE,
    ":streamGenerateContent": GEMINI,
}


def wire_of(path: str) -> Wire:
    """Return the wire that a request's path asks for; TGI's unless it is one of the others."""
    path, *_ = path.partition("?")
    return next((wire for end, wire in _BY_PATH_END.items() if path.endswith(end)), TGI)


@lru_cache
def tokens_of(count: int) -> list[str]:
    """Return the tokens of an answer."""
    return [_WORDS[index % len(_WORDS)] for index in range(count)]


@lru_cache
def writes_of(wire: Wire, count: int, *, is_last: bool = False) -> list[bytes]:
    """Return an answer of `count` tokens as the writes that send it, 4 KiB of body in each.

    Events are cut in two wherever a write is full. The headers go with the first write and the
    body's end with the last, as servers do it that have everything ready.
    """
    tokens = tokens_of(count)
    body = b"".join(
        [wire.opening.encode(), *map(wire.event, tokens), wire.end("".join(tokens))],
    )
    starts = range(0, len(body), WRITE_BYTES)
    writes = [http_chunk(body[start : start + WRITE_BYTES]) for start in starts]
    writes[0] = wire.head(is_last=is_last) + writes[0]
    writes[-1] += b"0\r\n\r\n"
    return writes


def http_chunk(data: bytes) -> bytes:
    """Return `data` as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@lru_cache
def stamped_parts(wire: Wire) -> tuple[bytes, bytes, bytes]:
    """Return what begins a paced answer, and what stands around the stamp of each event."""
    event = wire.event("0" * STAMP_DIGITS)
    before, _, after = http_chunk(event).partition(b"0" * STAMP_DIGITS)
    opening = http_chunk(wire.opening.encode()) if wire.opening else b""
    return wire.head() + opening, before, after
