"""A coverage-guided fuzz target of everything that reads what a server sends.

`python tests/fuzz/fuzz_wires.py -max_total_time=20` looks for bytes that make a decoder, a
provider or an HTTP error do something else than give items or raise `AsyncLLMError`, that take
seconds, or that mean another thing when they arrive in other pieces. It takes libFuzzer's options,
and a folder for what it finds. It needs atheris, and `test_fuzz_targets.py` runs the same without
it.
"""

import math
import pickle
import random
import sys
import tempfile
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

from multidict import CIMultiDict

if __name__ == "__main__":
    import atheris

    # Only what is imported under it is watched.
    watching = atheris.instrument_imports(include=["asyncllm", "email"])
else:
    watching = nullcontext()

with watching:
    from asyncllm import Request
    from asyncllm.errors import AsyncLLMError, HTTPStatusError, ProtocolError
    from asyncllm.events import Finish, Item, Ping, ToolCall
    from asyncllm.framing.json import decode
    from asyncllm.framing.sse import NamedEvent, Payload, SSEDecoder
    from asyncllm.http.refusals import status_error
    from asyncllm.http.request import HttpRequest
    from asyncllm.http.response import Response
    from asyncllm.providers.anthropic import Anthropic
    from asyncllm.providers.chatui_2023 import _CREATED
    from asyncllm.providers.cohere import Cohere
    from asyncllm.providers.gemini import Gemini
    from asyncllm.providers.gravityengine import Gravityengine
    from asyncllm.providers.h2o import H2o
    from asyncllm.providers.lockchat import Lockchat
    from asyncllm.providers.mistral import Mistral
    from asyncllm.providers.ollama import Ollama
    from asyncllm.providers.openai import OpenAICompatible
    from asyncllm.providers.openai_responses import OpenAIResponses
    from asyncllm.providers.tgi import TGI
    from asyncllm.wires.anthropic import MessageTranslator
    from asyncllm.wires.anthropic.models import page_of
    from asyncllm.wires.chatui import ChatUITranslator
    from asyncllm.wires.cohere import CohereTranslator
    from asyncllm.wires.cohere.models import page_of_models
    from asyncllm.wires.gemini import GeminiTranslator
    from asyncllm.wires.gemini.models import models_of
    from asyncllm.wires.mistral import MistralTranslator
    from asyncllm.wires.ollama import OllamaTranslator
    from asyncllm.wires.ollama.models import model_names
    from asyncllm.wires.openai_chat import ChatTranslator
    from asyncllm.wires.openai_chat.models import model_ids
    from asyncllm.wires.openai_responses import ResponsesTranslator
    from asyncllm.wires.tgi import TGITranslator

TRANSLATORS = (
    lambda: TGITranslator(stops_early=False),
    lambda: TGITranslator(stops_early=True, tells_logprobs=True),
    ChatTranslator,
    ChatUITranslator,
    MessageTranslator,
    GeminiTranslator,
    CohereTranslator,
    OllamaTranslator,
    ResponsesTranslator,
    MistralTranslator,
)
_URL = "http://localhost"
PROVIDERS = tuple(
    make(base_url=_URL, model="m/m")
    for make in (
        *(H2o, OpenAICompatible, Gravityengine, Lockchat),
        *(Ollama, Cohere, TGI, Anthropic, Gemini, OpenAIResponses, Mistral),
    )
)
_SMALL = 48  # bytes that an event may have, to be too large often
_LARGE = 2**24
_IGNORED = 300  # characters
_SECONDS = 10  # that an input may take before it counts as one without end
_SECRET = "secret"

_TOKEN = b'data:{"token":{"id":1,"text":" Hi","special":false},"generated_text":null}\n\n'
_DELTA = b'data: {"choices":[{"index":0,"delta":{"content":" Hi"},"finish_reason":null}]}\n\n'
_BLOCK = b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
_DELTA_OF_BLOCK = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{'
)
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_CALL = b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"'

_PART = b'data: {"candidates":[{"content":{"parts":[{"text":" Hi"}]},"index":0}]}\r\n\r\n'
_CALLED = b'data: {"candidates":[{"content":{"parts":[{"functionCall":{'
_LINE = (
    b'{"message":{"content":"Hi","thinking":"hm","tool_calls":[{"function":{"name":"f",'
    b'"arguments":{"a":1}}}]},"done":false}\n'
)
_PIECE = (
    b"event: content-delta\n"
    b'data: {"type":"content-delta","delta":{"message":{"content":{"text":"a"}}}}\n\n'
)
_STARTED = (
    b'data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":'
    b'{"id":"c","function":{"name":"f","arguments":"null"}}}}}\n\n'
)
_RESPONSE_DELTA = (
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","output_index":0,"delta":"a"}\n\n'
)
_RESPONSE_CALL = (
    b'data: {"type":"response.output_item.added","item":{"type":"function_call","call_id":"c",'
    b'"name":"f"}}\n\n'
    b'data: {"type":"response.function_call_arguments.delta","delta":"{}"}\n\n'
    b'data: {"type":"response.output_item.done","item":{"type":"function_call","call_id":"c",'
    b'"name":"f","arguments":"{}"}}\n\n'
)
_RESPONSE_END = (
    b'data: {"type":"response.completed","response":{"id":"r","model":"m","output":[],'
    b'"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}\n\n'
)

SEEDS = [
    b'data: {"type":"response.created","response":{"id":"r"}}\n\n' + _RESPONSE_DELTA * 2,
    _RESPONSE_DELTA * 3 + _RESPONSE_CALL + _RESPONSE_END,
    b'data: {"type":"response.reasoning_summary_text.delta","delta":"h"}\n\n'
    b'data: {"type":"response.output_item.done","output_index":1,"item":{"type":"message",'
    b'"content":[{"type":"output_text","text":"a","annotations":[{"url":"u","start_index":1}]}]}}'
    b"\n\n" + _RESPONSE_END,
    b'data: {"type":"error","error":{"code":"server_error","message":"m"}}\n\n',
    (
        b'{"object":"response","status":"completed","output":[{"type":"image_generation_call",'
        b'"result":"AAAA"}]}'
    ),
    (
        b'data: {"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text",'
        b'"text":"h"}],"signature":"s"}]}}]}\n\ndata: [DONE]\n\n'
    ),
    b"",
    _TOKEN + b': ping\n\ndata:{"token":{"text":"<|endoftext|>"},"generated_text":" Hi"}\n\n',
    _TOKEN + b'data:{"error":"out of memory","error_type":"generation"}\n\n',
    _TOKEN.replace(b"\n", b"\r\n")
    + b'data:{"generated_text":"x","details":{"finish_reason":"length",'
    b'"generated_tokens":3}}\r\r',
    b"\xef\xbb\xbf"
    + _DELTA
    + b"id: 7\nretry: 3000\nevent: message\n"
    + _DELTA
    + b"data: [DONE]\n\n",
    _DELTA
    + b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":9}}\n\n',
    _DELTA + b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
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
    _PART + b'{\n  "error": {\n    "code": 429,\n    "status": "RESOURCE_EXHAUSTED"\n  }\n}\n',
    _PART + b'data: {"candidates":[{"finishReason":"STOP","content":{"parts":[{"text":"",'
    b'"thoughtSignature":"c2ln"}]}}],"usageMetadata":{"promptTokenCount":1}}\r\n\r\n',
    _CALLED
    + b'"name":"f","willContinue":true}}]}}]}\n\n'
    + _CALLED
    + b'"partialArgs":[{"jsonPath":'
    b'"$.a[0].b","stringValue":"x"}]}}]},"finishReason":"STOP"}]}\n\n',
    b'[{"promptFeedback":{"blockReason":"SAFETY"}}\n,\n{"candidates":[{"finishReason":"OTHER"}]}]',
    b'{"conversationId":"0123"}',
    b'{"object":"list","data":[{"id":"m"}]}',
    b"Retry-After\xff3\xff" + b'{"error":{"message":"slow down"}}',
    b"Wed, 21 Oct 2099 07:28:00 GMT\xff12.5\xff" + b'{"detail":[{"loc":["body"],"msg":"bad"}]}',
    b"1e999\xff-1\xff" + b"[" * 3000,
    b'data: {"choices":[{"delta":{"content":"\xff\\ud800"}}]}\n\n',
    b'{"type":"stream","token":"Hi\\u0000"}\n{"type":"finalAnswer","text":"Hi"}\n     ',
    b'event: update\ndata: {"type":"tool","subtype":"error"}\n\nevent: end\ndata: {}\n\n',
    b'data: {"detail":' + b"[" * 2000 + b"\n\n",
    _DELTA_OF_BLOCK
    + b'"type":"text_delta","text":" Hi"}}\n\nevent: ping\ndata: {"type":"ping"}\n\n'
    + _STOP,
    _BLOCK
    + b'"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}\n\n'
    + _DELTA_OF_BLOCK
    + b'"type":"input_json_delta","partial_json":"{}"}}\n\n'
    + _STOP,
    _BLOCK
    + b'"content_block":{"type":"thinking","thinking":"","signature":""}}\n\n'
    + _DELTA_OF_BLOCK
    + b'"type":"thinking_delta","thinking":"hm\\ud83d"}}\n\n'
    + b'data: {"type":"message_start","message":{"id":"b","usage":{"input_tokens":1}}}\n\n'
    + _DELTA_OF_BLOCK
    + b'"type":"text_delta","text":"Hi"}}\n\n'
    + b'data: {"type":"message_delta","delta":{"stop_reason":"refusal"}}\n\n'
    + _STOP,
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n',
    _LINE + b'{"done":true,"done_reason":"stop","eval_count":2}\n',
    b'{"status":"pulling","total":9}\n{"status":"success"}\n{"models":[{"name":"m"}]}',
    _PIECE + b'data: {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{}}}\n\n',
    _PIECE + _STARTED + b'data: {"type":"message-end","delta":{}}\n\n',
]
WORDS = [
    *("data:", "data: ", "event: error\n", "event: message\n", "id:", "retry:", ": ping", "\n\n"),
    *("\r\n", "\r", "\ufeff", "[DONE]", '"choices":[', '"delta":{', '"message":{', '"content":"'),
    *('"reasoning":"', '"refusal":"', '"tool_calls":[', '"function":{', '"arguments":', '"name":'),
    *('"index":', '"id":', '"finish_reason":"', '"usage":{', '"total_tokens":', '"error":', "null"),
    *('"detail":', '"token":{', '"text":"', '"special":true', '"generated_text":', '"details":{'),
    *('"generated_tokens":', '"error_type":', "<|endoftext|>", '"code":', '"type":', "\u2028"),
    *('"type":"stream"', '"token":"', '"type":"finalAnswer"', '"subtype":"result"', "event: end\n"),
    *(
        '"content_block":{',
        '"type":"tool_use"',
        '"input_json_delta"',
        '"signature_delta"',
        '"index":0',
    ),
    *('"message_start"', '"content_block_stop"', '"message_delta"', '"stop_reason":"pause_turn"'),
    *(
        '"candidates":[{',
        '"content":{"parts":[{',
        '"functionCall":{',
        '"finishReason":"',
        '"args":',
    ),
    *(
        '"partialArgs":[{"jsonPath":"$.',
        '"willContinue":true',
        '"thoughtSignature":"',
        '"thought":',
    ),
    *('"done":true', '"done_reason":"', '"thinking":"', '"status":"', '"total":', '"logprobs":'),
    *('{"type":"content-delta",', '{"type":"message-end",', '"tool_plan":"', '"citations":{'),
    *("GMT", "Wed, 21 Oct 2099 07:28:00 GMT", "+0000", "\\ud83d", "\\u0000", "1e999", '"data":['),
]


def cut(body: bytes, dice: random.Random) -> list[bytes]:
    """Cut a body into random chunks."""
    places = sorted(dice.choices(range(len(body) + 1), k=dice.randrange(12)))
    return [body[start:end] for start, end in pairwise([0, *places, len(body)])]


class Reading(NamedTuple):
    """What the decoder gives."""

    payloads: list[Payload]
    fields: tuple[object, ...]
    failure: str


def read_events(chunks: list[bytes], limit: int = _LARGE) -> Reading:
    """Return what the decoder gives, up to its error if there is one."""
    decoder, payloads, failure = SSEDecoder(limit), [], ""
    try:
        for chunk in chunks:
            payloads += decoder.feed(chunk)
            decoder.check()
    except ProtocolError as error:
        failure = str(error)
    return Reading(payloads, (decoder.last_event_id, decoder.retry, decoder.ignored), failure)


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
    """Chunks don't matter, nor what is too large to what comes before it; all is bounded."""
    chunks, single_bytes = cut(body, dice), [bytes([byte]) for byte in body[:500]] + [body[500:]]
    whole = read_events([body])
    for limit in (_LARGE, _SMALL):
        reading = read_events([body], limit)
        for pieces in (chunks, single_bytes):
            assert read_events(pieces, limit) == reading, pieces
        assert reading == whole or reading.failure
        assert reading.payloads == whole.payloads[: len(reading.payloads)]
        assert len(reading.fields[-1]) <= _IGNORED
        for payload in reading.payloads:
            data = payload.data if isinstance(payload, NamedEvent) else payload
            assert len(data.comment if isinstance(data, Ping) else data) <= limit


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
        self.status, self.headers, self.cookies = 200, CIMultiDict(), {}
        self.content_type, self.content = content_type, self
        self._chunks = [chunk for chunk in chunks if chunk]

    async def readany(self) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""

    def at_eof(self) -> bool:
        return False


class _Http:
    """Stands for what opens requests: the answer to each is one body."""

    def __init__(self, body: _Body, limit: int) -> None:
        self.refused_fields = set()
        self._body, self._limit = body, limit

    @asynccontextmanager
    async def open(self, *_: object, **__: object):
        yield Response(
            self._body, self._limit, request=HttpRequest(method="POST", url=_URL, headers={})
        )


def read_answer(provider, body: _Body, limit: int, params: dict) -> tuple[list[Item], str]:
    """Return the items that a provider makes of an answer, and the kind of its error, if any."""
    messages = [{"role": "user", "content": "x"}]
    request = Request(base_url=_URL, model="m", messages=messages, params=params)
    items = []

    async def read() -> None:
        async for batch in provider.generate(request, _Http(body, limit)):
            # Pings are left out beside what is being written, which depends on the reads.
            items.extend(item for item in batch if not isinstance(item, Ping))

    try:
        read().send(None)
    except StopIteration:
        failure = ""
    except AsyncLLMError as error:
        failure = type(error).__name__
    else:
        raise AssertionError("it waits for something")
    # Of what comes with the same read, a keep-alive is left out beside a piece of something.
    return [item for item in items if not isinstance(item, Ping)], failure


def fuzz_providers(body: bytes, dice: random.Random) -> None:
    """From a response to items: chunks don't matter, and the end is a `Finish` or an error."""
    chunks = cut(body, dice)
    content_type = dice.choice(("text/event-stream", "application/json", "text/html"))
    limit, params = dice.choice((_SMALL, _LARGE)), dice.choice(({}, {"stop": "x"}))
    for provider in PROVIDERS:
        items, failure = read_answer(provider, _Body(chunks, content_type), limit, params)
        finishes = [isinstance(item, Finish) for item in items]
        assert finishes.count(True) == (not failure), (items, failure)
        assert failure or finishes[-1]
        whole = read_answer(provider, _Body([body], content_type), limit, params)
        assert (items, failure) == whole, chunks
    for read in (
        *(partial(decode, _CREATED), model_ids),
        *(model_names, page_of_models, page_of, models_of),
    ):
        with suppress(ProtocolError):
            read(body)


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


TARGETS = (fuzz_framing, fuzz_translators, fuzz_providers, fuzz_statuses)


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
        options = [f"-dict={words}", f"-timeout={_SECONDS}", *sys.argv[1:]]
        atheris.Setup([sys.argv[0], *options, str(corpus)], fuzz)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
