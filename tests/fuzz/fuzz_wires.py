"""A coverage-guided fuzz target of everything that reads what a server sends.

`python tests/fuzz/fuzz_wires.py -max_total_time=20` looks for bytes that make a decoder, a
translator or an HTTP error do something else than give items or raise `AsyncLLMError`, or that
mean another thing when they arrive in other pieces. It takes libFuzzer's options, and a folder
for what it finds. It needs atheris, and `test_fuzz_targets.py` runs the same without it.
"""

import math
import pickle
import random
import sys
import tempfile
from contextlib import aclosing, nullcontext, suppress
from itertools import pairwise, product
from pathlib import Path

if __name__ == "__main__":
    import atheris

    # Only what is imported under it is watched.
    watching = atheris.instrument_imports(include=["asyncllm", "email"])
else:
    watching = nullcontext()

with watching:
    from asyncllm.errors import AsyncLLMError, HTTPStatusError, ProtocolError
    from asyncllm.events import Finish, Item, ToolCall
    from asyncllm.framing import NamedEvent, SSEDecoder
    from asyncllm.http import Response
    from asyncllm.providers.h2o import _CREATED, _TGITranslator
    from asyncllm.providers.openai import _MODELS
    from asyncllm.providers.openai_chunks import ChatTranslator
    from asyncllm.statuses import status_error
    from asyncllm.translation import decode, translate

TRANSLATORS = (
    lambda: _TGITranslator(stops_early=False),
    lambda: _TGITranslator(stops_early=True),
    ChatTranslator,
)
_SMALL = 48  # bytes of an event that is too large
_SECRET = "secret"

_TOKEN = b'data:{"token":{"id":1,"text":" Hi","special":false},"generated_text":null}\n\n'
_CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":" Hi"},"finish_reason":null}]}\n\n'
_CALL = b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"'

SEEDS = [
    b"",
    _TOKEN + b': ping\n\ndata:{"token":{"text":"<|endoftext|>"},"generated_text":" Hi"}\n\n',
    _TOKEN + b'data:{"error":"out of memory","error_type":"generation"}\n\n',
    _TOKEN.replace(b"\n", b"\r\n")
    + b'data:{"generated_text":"x","details":{"finish_reason":"length",'
    b'"generated_tokens":3}}\r\r',
    b"\xef\xbb\xbf"
    + _CHUNK
    + b"id: 7\nretry: 3000\nevent: message\n"
    + _CHUNK
    + b"data: [DONE]\n\n",
    _CHUNK
    + b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":9}}\n\n',
    _CHUNK + b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
    _CALL
    + b',"arguments":"{"}}]}}]}\n\n'
    + _CALL
    + b',"arguments":{"a":1}}}]}}]}\n\ndata: [DONE]\n\n',
    b'event: error\ndata: {"error":{"message":"no","type":"t","code":5}}\n\n',
    b"event: error\ndata: plainly no\n\n",
    b'{"choices":[{"message":{"content":"whole","reasoning":"hm"}}]}',
    b'\n {"choices"\n:\n\n[{"message":{"refusal":"no"}}]}',
    b"The model: `gpt-4` does not exist\n\n",
    b'data: {"choices":\ndata: [{"delta":\ndata: {"reasoning_content":"\xe2\x80\xa8"}}]}\n\n\n\n',
    b"<!doctype html><html></html>",
    b'{"conversationId":"0123"}',
    b'{"object":"list","data":[{"id":"m"}]}',
    b"Retry-After\xff3\xff" + b'{"error":{"message":"slow down"}}',
    b"Wed, 21 Oct 2099 07:28:00 GMT\xff12.5\xff" + b'{"detail":[{"loc":["body"],"msg":"bad"}]}',
    b"1e999\xff-1\xff" + b"[" * 3000,
    b'data: {"choices":[{"delta":{"content":"\xff\\ud800"}}]}\n\n',
    b'data: {"detail":' + b"[" * 2000 + b"\n\n",
]
WORDS = [
    *("data:", "data: ", "event: error\n", "event: message\n", "id:", "retry:", ": ping", "\n\n"),
    *("\r\n", "\r", "\ufeff", "[DONE]", '"choices":[', '"delta":{', '"message":{', '"content":"'),
    *('"reasoning":"', '"refusal":"', '"tool_calls":[', '"function":{', '"arguments":', '"name":'),
    *('"index":', '"id":', '"finish_reason":"', '"usage":{', '"total_tokens":', '"error":', "null"),
    *('"detail":', '"token":{', '"text":"', '"special":true', '"generated_text":', '"details":{'),
    *('"generated_tokens":', '"error_type":', "<|endoftext|>", '"code":', '"type":', "\u2028"),
    *("GMT", "Wed, 21 Oct 2099 07:28:00 GMT", "+0000", "\\ud83d", "\\u0000", "1e999", '"data":['),
]


def cut(body: bytes, dice: random.Random) -> list[bytes]:
    """Cut a body into random chunks."""
    places = sorted(dice.choices(range(len(body) + 1), k=dice.randrange(12)))
    return [body[start:end] for start, end in pairwise([0, *places, len(body)])]


def read_events(chunks: list[bytes], limit: int = 2**24):
    """Return what the decoder gives: payloads, fields, and how it failed."""
    decoder, payloads, failure = SSEDecoder(limit), [], None
    try:
        for chunk in chunks:
            payloads += decoder.feed(chunk)
    except ProtocolError as error:
        failure = str(error)
    return payloads, decoder.last_event_id, decoder.retry, decoder.ignored, failure


def read_items(chunks: list[bytes], translator) -> tuple[list[Item], str]:
    """Return the items that a translator makes of a body, and how that failed."""
    decoder, items = SSEDecoder(), []
    try:
        for chunk in chunks:
            if payloads := decoder.feed(chunk):
                translator.feed(payloads, items)
            if translator.is_done:
                return items, ""
        items += translator.close()
    except AsyncLLMError as error:
        return items, repr(error)
    return items, ""


def fuzz_framing(body: bytes, dice: random.Random) -> None:
    """Chunks don't matter; no payload is larger than is allowed, or has a line end in it."""
    chunks = cut(body, dice)
    whole = read_events([body])
    for pieces in (chunks, [bytes([byte]) for byte in body[:500]] + [body[500:]]):
        assert read_events(pieces) == whole, pieces
    for pieces in ([body], chunks):
        payloads, *_, failure = read_events(pieces, _SMALL)
        assert payloads == whole[0][: len(payloads)]
        assert failure or len(payloads) == len(whole[0])
        data = [
            payload.data if isinstance(payload, NamedEvent) else payload for payload in payloads
        ]
        assert all(len(event) <= _SMALL for event in data if isinstance(event, bytes))


def fuzz_translators(body: bytes, dice: random.Random) -> None:
    """Chunks don't matter; an answer ends by one `Finish` or by an error, never both."""
    chunks = cut(body, dice)
    for make in TRANSLATORS:
        items, failure = read_items([body], make())
        assert read_items(chunks, make()) == (items, failure), chunks
        finishes = [isinstance(item, Finish) for item in items]
        assert finishes.count(True) == (not failure), (items, failure)
        assert failure or finishes[-1]
        for item in items:
            assert item, "an empty text"
            assert pickle.loads(pickle.dumps(item)) == item
            if isinstance(item, ToolCall):
                assert isinstance(item.parsed_arguments, dict | None)


class _Body:
    """Stands for aiohttp's response: its body comes in chunks, and the wait for them is over."""

    def __init__(self, chunks: list[bytes], content_type: str) -> None:
        self.status, self.content_type, self.content = 200, content_type, self
        self._chunks = [chunk for chunk in chunks if chunk]

    async def readany(self) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""


async def _collect(body: _Body, translator) -> list[Item]:
    items = []
    response = Response(body, _SMALL * 100)
    async with aclosing(translate(response, translator)) as batches:
        async for batch in batches:
            items += batch
    return items


def fuzz_responses(body: bytes, dice: random.Random) -> None:
    """The way from a response to items ends by a `Finish` or by an `AsyncLLMError`."""
    content_type = dice.choice(("text/event-stream", "application/json", "text/html"))
    for make in TRANSLATORS:
        reading = _collect(_Body(cut(body, dice), content_type), make())
        items, failure = [], ""
        try:
            reading.send(None)
        except StopIteration as end:
            items = end.value
        except AsyncLLMError as error:
            failure = str(error)
        assert failure or (items and isinstance(items[-1], Finish))
    for decoder in (_CREATED, _MODELS):
        with suppress(ProtocolError):
            decode(decoder, body)


def fuzz_statuses(body: bytes, dice: random.Random) -> None:
    """Any error answer is an error that can be shown, pickled and waited for."""
    after, milliseconds, text = ([*body.split(b"\xff", 2), b"", b""])[:3]
    status = dice.choice(
        (400, 401, 404, 407, 413, 418, 422, 429, 500, 503, dice.randrange(300, 1000))
    )
    # As aiohttp decodes headers.
    headers = {"Retry-After": after.decode("utf-8", "surrogateescape")}
    if milliseconds:
        headers["retry-after-ms"] = milliseconds.decode("utf-8", "surrogateescape")
    error = status_error(
        method="POST",
        url=f"http://user:{_SECRET}@localhost/path?auth={_SECRET}",
        status=status,
        reason="Reason",
        headers=headers,
        body=(text or body).decode("utf-8", "replace"),
    )
    assert isinstance(error, AsyncLLMError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    if isinstance(error, HTTPStatusError):
        assert error.message
        assert error.retry_after is None or error.retry_after >= 0
        assert not math.isnan(error.retry_after or 0)
    error.redact(["Reason"])
    assert _SECRET not in repr(error) or _SECRET.encode() in body


TARGETS = (fuzz_framing, fuzz_translators, fuzz_responses, fuzz_statuses)


def fuzz(data: bytes) -> None:
    """Run one target: the first byte says which, the next two where it cuts."""
    TARGETS[(data[:1] or b"0")[0] % len(TARGETS)](data[3:], random.Random(data[1:3]))


def main() -> None:
    """Fuzz, beginning with the seeds unless a folder is given."""
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder, "words.dict")
        lines = ["".join(f"\\x{byte:02x}" for byte in word.encode()) for word in WORDS]
        words.write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for number, (which, seed) in enumerate(product(b"0123", SEEDS)):
            (corpus / str(number)).write_bytes(bytes([which]) + b"00" + seed)
        atheris.Setup([sys.argv[0], f"-dict={words}", *sys.argv[1:], str(corpus)], fuzz)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
