"""An answer is read in the framing that it has, from a server's bytes to the caller's tokens."""

import msgspec
import pytest

import asyncllm
from asyncllm import Ask, Finish, OpenAICompatible, Retry, ServerProvider, SessionManager
from asyncllm.wires.translator import JSONTranslator
from support.raw_server import chunk, raw_server

ONCE = Retry(attempts=1)
STREAM, JSON, NDJSON = "text/event-stream", "application/json", "application/x-ndjson"


class _Event(msgspec.Struct):
    text: str = ""
    done: bool = False
    error: str | None = None


class _Translator(JSONTranslator[_Event]):
    def __init__(self):
        super().__init__(msgspec.json.Decoder(_Event))

    def take(self, event, batch):
        if event.error is not None:
            raise asyncllm.ProviderError(event.error)
        batch += [event.text] if event.text else []
        if event.done:
            batch.append(Finish("stop"))
            self.is_done = True
        return self.is_done

    def end(self):
        raise asyncllm.StreamInterrupted("it ended without `done`")


class Plain(ServerProvider):
    """A provider of a wire of one's own, in the framing of a subclass."""

    model = "m"

    def ask(self, request):
        return Ask("/chat", {})

    def translator(self, request):
        return _Translator()


class Lines(Plain):
    framing = "json_lines"


class Array(Plain):
    framing = "json_array"


def answer(content_type, *reads):
    """Return an answer whose reads come one by one, to its end."""
    named = f"Content-Type: {content_type}\r\n" if content_type else ""
    head = f"HTTP/1.1 200 OK\r\n{named}Transfer-Encoding: chunked\r\n\r\n".encode()
    return [head, *map(chunk, reads), b"0\r\n\r\n"]


async def read(make, steps):
    """Return the tokens of an answer, and its error if there is one."""
    tokens = []
    async with raw_server(steps) as (url, _), SessionManager(retry=ONCE, grace=0.2) as sessions:
        try:
            async for token in make(base_url=url, sessions=sessions).stream("Hello"):
                tokens.append(token)
        except asyncllm.AsyncLLMError as error:
            return tokens, error
    return tokens, None


SSE_READS = (
    b'data: {"text":"a"}\n\nda',
    b'ta: {"text":"\xc3',
    b'\xa9"}\n\ndata: {"done":true}\n\n',
)
LINE_READS = (b'{"text":"a"}\n', b'{"text":"\xc3', b'\xa9"}\r\n\n{"done":tr', b"ue}")
ARRAY_READS = (b'[{"text":"a"}\n', b',\n{\n"text":"\xc3', b'\xa9"},{"done"', b":true}\n]\n")
OBJECT_READS = (b'{\n"text":"a\xc3', b'\xa9",\n"done":true\n}\n')


@pytest.mark.parametrize("content_type", [STREAM, JSON, "text/plain", ""])
@pytest.mark.parametrize(
    ("make", "reads"),
    [(Plain, SSE_READS), (Lines, LINE_READS), (Array, ARRAY_READS), (Plain, ARRAY_READS)],
)
async def test_an_answer_is_read_as_it_was_asked_for(make, reads, content_type):
    tokens, error = await read(make, answer(content_type, *reads))
    assert ("".join(tokens), error) == ("aé", None)


@pytest.mark.parametrize("make", [Plain, Lines, Array])
async def test_json_lines_are_read_where_their_type_says_so(make):
    tokens, error = await read(make, answer(NDJSON, *LINE_READS))
    assert ("".join(tokens), error) == ("aé", None)


@pytest.mark.parametrize("make", [Plain, Lines, Array])
@pytest.mark.parametrize("content_type", [STREAM, JSON, ""])
async def test_one_object_in_the_place_of_a_stream_is_read(make, content_type):
    tokens, error = await read(make, answer(content_type, *OBJECT_READS))
    assert ("".join(tokens), error) == ("aé", None)


@pytest.mark.parametrize(
    ("make", "reads", "kind", "said"),
    [
        (Lines, (b'{"text":"a"}\n', b'{"error":"no GPU"}\n'), "ProviderError", "no GPU"),
        (Lines, (b'{"text":"a"}\n', b'{\n "error":\n', b' "no GPU"\n}'), "ProviderError", "no GPU"),
        (Lines, (b'{"text":"a"}\n', b"<b>no GPU</b>\n"), "ProtocolError", "no GPU"),
        (Lines, (b'{"text":"a"}\n{"te',), "StreamInterrupted", "cut off"),
        (Lines, (b'{"text":"a"}\n',), "StreamInterrupted", "without `done`"),
        (Array, (b'[{"text":"a"},', b'{"error":"no GPU"}]'), "ProviderError", "no GPU"),
        (Array, (b'[{"text":"a"},', b"no GPU"), "ProtocolError", "no GPU"),
        (Array, (b'[{"text":"a"},', b'{"te'), "StreamInterrupted", "cut off"),
        (Array, (b'[{"text":"a"}',), "StreamInterrupted", "cut off"),
        (Array, (b'[{"text":"a"}]',), "StreamInterrupted", "without `done`"),
    ],
)
async def test_an_answer_that_fails_gives_out_what_came_and_says_why(make, reads, kind, said):
    tokens, error = await read(make, answer(JSON, *reads))
    assert (tokens, type(error).__name__) == (["a"], kind)
    assert said in str(error)


GEMINI = (
    b'{\r\n  "error": {\r\n    "code": 429,\r\n\r\n    "message": "Resource {exhausted}.",\r\n'
    b'    "status": "RESOURCE_EXHAUSTED"\r\n  }\r\n}'
)
TOKEN = b'data: {"choices":[{"delta":{"content":"a"}}]}\r\n\r\n'


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\n\r\n"])
@pytest.mark.parametrize("size", [1, 50, 1000])
async def test_bare_json_between_events_fails_the_answer_with_what_it_says(size, end):
    body = TOKEN + GEMINI + end
    reads = [body[at : at + size] for at in range(0, len(body), size)]
    tokens, error = await read(OpenAICompatible, answer(STREAM, *reads))
    assert (tokens, type(error)) == (["a"], asyncllm.RateLimitError)
    assert "Resource {exhausted}." in str(error)
    assert (error.status, error.type) == (429, "RESOURCE_EXHAUSTED")


async def test_a_connection_that_breaks_amid_bare_json_says_what_came_of_it():
    *steps, _ = answer(STREAM, TOKEN + GEMINI[:70])
    tokens, error = await read(OpenAICompatible, steps)
    assert (tokens, type(error)) == (["a"], asyncllm.StreamInterrupted)
    assert "429" in str(error)
