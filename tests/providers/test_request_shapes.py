"""What is asked for, without a server: only the shape of the requests matters here."""

import inspect
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses

from asyncllm import H2o, OpenAICompatible


class Answer(aiohttp.ClientResponse):
    """An answer with what aioresponses leaves out on aiohttp 3.14 (its issue 289)."""

    def __init__(self, *args, **kwargs):
        if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
            kwargs.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.fixture
def requests():
    with aioresponses() as answers:
        yield answers


def asked(requests):
    return [(method, str(url)) for method, url in requests.requests]


async def test_h2o_takes_its_four_steps_in_order(requests):
    base = "https://gpt-gm.h2o.ai"
    last = 'data:{"token":{"text":"Hi","special":false},"generated_text":"Hi"}\n\n'
    answer = {"response_class": Answer}
    requests.post(f"{base}/settings", payload={"type": "redirect"}, **answer)
    requests.post(f"{base}/conversation", payload={"conversationId": "abc"}, **answer)
    requests.post(f"{base}/conversation/abc", body=last, content_type="text/event-stream", **answer)
    requests.delete(f"{base}/conversation/abc", **answer)
    messages = [{"role": "user", "content": "Hello"}]
    assert [t async for t in H2o.create_async_generator("", messages)] == ["Hi"]
    assert asked(requests) == [
        ("POST", f"{base}/settings"),
        ("POST", f"{base}/conversation"),
        ("POST", f"{base}/conversation/abc"),
        ("DELETE", f"{base}/conversation/abc"),
    ]
    for calls in requests.requests.values():
        assert calls[0].kwargs["headers"]["Referer"] == f"{base}/"
        assert calls[0].kwargs["allow_redirects"] is False


async def test_openai_asks_once_with_its_key(requests):
    url = "https://api.example.org/v1/chat/completions"
    body = 'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
    requests.post(url, body=body, content_type="text/event-stream", response_class=Answer)
    llm = OpenAICompatible(base_url="https://api.example.org/v1", api_key="k")
    assert (await llm.complete("Hello")).text == "Hi"
    [(_, calls)] = requests.requests.items()
    assert calls[0].kwargs["headers"]["Authorization"] == "Bearer k"
