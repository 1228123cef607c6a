"""Any mixture of parts is sent with nothing lost, or refused before anything is sent."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asyncllm
from asyncllm import ConfigurationError, H2o, OpenAICompatible
from asyncllm.sandbox import Sandbox
from asyncllm.sandbox.background import running_in_background

SAID = st.text(st.characters(codec="utf-8"), max_size=10)
DATA = st.binary(min_size=1, max_size=20)
URLS = st.sampled_from(["https://example.org/a.png", "http://example.org"])
DETAILS = st.sampled_from([None, "low"])
MEDIA_TYPES = st.sampled_from(["application/pdf", "text/plain", "audio/wav", "audio/mpeg"])


def data_url(data, media_type="image/png"):
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def image(source, detail):
    return asyncllm.image(source, media_type="image/png", detail=detail)


def file(source, media_type):
    return asyncllm.file(source, media_type=media_type)


def openai_image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def openai_file(data):
    return {"type": "file", "file": {"filename": "a.txt", "file_data": data_url(data)}}


def openai_recording(data):
    sound = {"data": base64.b64encode(data).decode(), "format": "wav"}
    return {"type": "input_audio", "input_audio": sound}


def parts_of(make, values, *options):
    """Draw pairs of what `make` makes, and what of it must arrive."""
    return st.tuples(values, *options).map(lambda drawn: (make(*drawn), drawn[0]))


TEXTS = parts_of(asyncllm.text, SAID) | parts_of(lambda text: {"text": text}, SAID)
OTHERS = st.one_of(
    parts_of(image, DATA | URLS, DETAILS),
    parts_of(file, DATA, MEDIA_TYPES),
    parts_of(openai_image, URLS),
    parts_of(openai_file, DATA),
    parts_of(openai_recording, DATA),
    DATA.map(lambda data: ({"type": "image", "source": data_url(data)}, data)),
    DATA.map(lambda data: (openai_image(data_url(data)), data)),
)
CONTENTS = st.lists(TEXTS | OTHERS, min_size=1, max_size=4)
PLAIN = SAID.filter(bool)
TURNS = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), PLAIN | CONTENTS), max_size=3)
REFUSED = st.sampled_from(
    [
        asyncllm.file("https://example.org/a.pdf"),
        {"type": "file", "source": "/etc/passwd"},
        {"type": "image", "source": b""},
        {"type": "image", "source": b"of what kind?"},
        {"type": "image", "source": "data:image/png;base64,?"},
        {"type": "image"},
        {"type": "text"},
        {"kind": "text"},
        "Hi",
        None,
    ]
)


def message(role, content):
    is_plain = isinstance(content, str)
    return {"role": role, "content": content if is_plain else [part for part, _ in content]}


def messages_of(turns):
    return [message(role, content) for role, content in turns]


def arrived(part):
    """Return what a server finds in a part: a text, bytes, or a URL."""
    match part:
        case {"type": "text", "text": text}:
            return text
        case {"type": "input_audio", "input_audio": {"data": data}}:
            return base64.b64decode(data)
        case {"image_url": {"url": url}} | {"file": {"file_data": url}}:
            is_data = url.startswith("data:")
            return base64.b64decode(url.partition(",")[2]) if is_data else url


@pytest.fixture(scope="module")
def server():
    with running_in_background(Sandbox(tokens=1)) as sandbox:
        yield sandbox


@given(turns=TURNS, last=CONTENTS)
def test_any_mixture_arrives_with_all_its_texts_and_its_data_in_their_order(server, turns, last):
    turns = [*turns, ("user", last)]
    llm = OpenAICompatible(base_url=f"{server.url}/v1", model="gpt-4o")
    asyncio.run(llm.complete(messages_of(turns)))
    sent = json.loads(server.requests[-1].body)["messages"]
    assert [message["role"] for message in sent] == [role for role, _ in turns]
    for (_, content), got in zip(turns, [message["content"] for message in sent], strict=True):
        if isinstance(content, str):
            assert got == content
        else:
            assert [arrived(part) for part in got] == [expected for _, expected in content]


def refusal_of(server, provider, messages):
    """Return why `provider` refuses `messages`, which must be before it sends anything."""
    requests = len(server.requests)
    with pytest.raises(ConfigurationError) as refusal:
        asyncio.run(provider.complete(messages))
    assert len(server.requests) == requests
    return str(refusal.value)


@given(turns=TURNS, before=CONTENTS, refused=REFUSED, after=CONTENTS)
def test_a_part_that_can_t_be_sent_is_named_before_anything_is_sent(
    server, turns, before, refused, after
):
    messages = messages_of([*turns, ("user", [*before, (refused, None), *after]), *turns])
    llm = OpenAICompatible(base_url=f"{server.url}/v1", model="gpt-4o")
    place = f"messages[{len(turns)}].content[{len(before)}]"
    assert refusal_of(server, llm, messages).startswith(place)


@given(said=PLAIN, texts=st.lists(TEXTS, max_size=3), other=OTHERS, after=CONTENTS)
def test_a_provider_of_text_only_names_what_it_can_t_take_before_anything_is_sent(
    server, said, texts, other, after
):
    messages = messages_of([("system", said), ("user", [*texts, other, *after])])
    told = refusal_of(server, H2o(base_url=server.url), messages)
    assert told.startswith(f"messages[1].content[{len(texts)}] is a")
    assert told.endswith(", but this provider takes text only")
