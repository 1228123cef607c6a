"""`TGI` against the sandbox: answers, what is refused, and addresses."""

import json

import pytest

from asyncllm import (
    TGI,
    BadRequestError,
    ConfigurationError,
    ContextLengthError,
    HTTPStatusError,
    RateLimitError,
    Retry,
    provider,
)
from asyncllm.sandbox import ErrorInStream, Sandbox, Status

QUICK = Retry(attempts=3, initial_wait=0.001, max_wait=0.001)


@pytest.fixture
async def sandbox():
    async with Sandbox() as running:
        yield running


async def test_an_answer_says_why_it_ended_and_what_it_cost(sandbox):
    whole = await TGI(base_url=sandbox.url).complete("Hello")
    assert (whole.finish_reason, whole.raw_finish_reason) == ("stop", "eos_token")
    assert whole.usage.prompt_tokens == 1
    cut = await TGI(base_url=sandbox.url).complete("Hello", max_tokens=3, logprobs=True)
    assert (str(cut), cut.finish_reason) == ("This is the", "length")
    assert cut.usage.completion_tokens == len(cut.logprobs) == 3


async def test_a_chat_is_a_prompt_and_may_be_another(sandbox):
    class Llama(TGI):
        format_prompt = staticmethod(lambda messages: f"[INST] {messages[0]['content']} [/INST]")

    await Llama(base_url=sandbox.url).complete("Hello", temperature=0, top_p=1)
    body = json.loads(sandbox.requests[-1].body)
    assert body["inputs"] == "[INST] Hello [/INST]"
    assert body["parameters"] == {"do_sample": False}


@pytest.mark.parametrize(
    ("params", "error", "says"),
    [
        ({"temperature": -1}, BadRequestError, "must be strictly positive"),
        ({"max_tokens": 4096}, ContextLengthError, "must be <= 4096"),
        ({"stop": list("abcde")}, BadRequestError, "supports up to 4 stop sequences"),
    ],
)
async def test_what_the_server_refuses_is_one_of_our_errors(sandbox, params, error, says):
    with pytest.raises(error, match=says) as caught:
        await TGI(base_url=sandbox.url).complete("Hello", **params)
    assert (caught.value.status, caught.value.type) == (422, "validation")


@pytest.mark.parametrize(
    ("fault", "error", "attempts"),
    [
        (Status(status=429), RateLimitError, 3),
        (Status(status=424), HTTPStatusError, 1),
        (ErrorInStream(type="overloaded"), RateLimitError, 3),
        (ErrorInStream(type="validation"), BadRequestError, 1),
    ],
    ids=repr,
)
async def test_what_passes_is_tried_again_before_the_first_token(sandbox, fault, error, attempts):
    sandbox.add_fault(fault)
    with pytest.raises(error):
        await TGI(base_url=sandbox.url, retry=QUICK).complete("Hello")
    assert len(sandbox.requests) == attempts


async def test_the_model_is_the_server_s(sandbox):
    assert await TGI(base_url=sandbox.url).list_models() == ["tiiuae/falcon-7b-instruct"]


async def test_a_key_is_sent_where_one_is_given(sandbox):
    await TGI(base_url=sandbox.url, api_key="hf_canary").complete("Hello")
    assert sandbox.requests[-1].headers["authorization"] == "Bearer hf_canary"
    await TGI(base_url=sandbox.url).complete("Hello")
    assert "authorization" not in sandbox.requests[-1].headers


@pytest.mark.parametrize("end", ["/generate_stream", "/generate", "/v1", "/v1/chat/completions"])
def test_the_base_url_of_another_endpoint_is_refused(end):
    with pytest.raises(ConfigurationError, match="write base_url='http://tgi:8080', or use its"):
        provider("tgi", base_url=f"http://tgi:8080{end}")
