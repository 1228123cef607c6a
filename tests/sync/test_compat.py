"""The documented modules, as code that was written against them uses them."""

import json
from types import GeneratorType

import pytest

import asyncllm
from asyncllm.sandbox import ModelDoesNotExist, Sandbox
from asyncllm.sandbox.background import running_in_background

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
]


@pytest.fixture
def server():
    with running_in_background(Sandbox()) as sandbox:
        yield sandbox
        assert sandbox.conversations == 0


def test_h2o_has_its_documented_names():
    from asyncllm.compat.H2o import (
        _create_completion,
        model,
        models,
        needs_auth,
        params,
        supports_stream,
        url,
    )

    assert url == "https://gpt-gm.h2o.ai"
    assert model == ["falcon-40b", "falcon-7b", "llama-13b"]
    assert models["falcon-7b"] == "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3"
    assert (supports_stream, needs_auth) == (True, False)
    assert params == "asyncllm.compat.H2o supports: (model: str, messages: list, stream: bool)"
    assert callable(_create_completion)


def test_gravityengine_and_lockchat_have_theirs():
    from asyncllm.compat import Gravityengine, Lockchat

    assert Gravityengine.url == "https://gpt4.gravityengine.cc"
    assert Gravityengine.model == ["gpt-3.5-turbo-16k", "gpt-3.5-turbo-0613"]
    assert Gravityengine.params == (
        "asyncllm.compat.Gravityengine supports: (model: str, messages: list, stream: bool)"
    )
    assert Lockchat.url == "http://super.lockchat.app"
    assert Lockchat.model == ["gpt-4", "gpt-3.5-turbo"]
    assert Lockchat.params == (
        "asyncllm.compat.Lockchat supports: "
        "(model: str, messages: list, stream: bool, temperature: float)"
    )


@pytest.mark.parametrize("model", ["falcon-7b", "falcon-40b", "llama-13b"])
def test_h2os_function_is_a_blocking_generator_with_the_documented_prompt(server, model):
    from asyncllm.compat.H2o import _create_completion, models

    tokens = _create_completion(model, MESSAGES, True, base_url=server.url, temperature=0.1)
    assert isinstance(tokens, GeneratorType)
    assert len(list(tokens)) > 5
    assert json.loads(server.requests[1].body) == {"model": models[model]}
    body = json.loads(server.requests[2].body)
    first, *rest = body["inputs"].split("\n")
    assert first.startswith("instruction:")
    assert rest == ["system: Be brief.", "user: Hello", "assistant:"]
    assert body["parameters"]["temperature"] == 0.1
    assert body["parameters"]["max_new_tokens"] == 1024


def test_the_environment_says_where_h2o_is(server, monkeypatch):
    from asyncllm.compat.H2o import _create_completion

    monkeypatch.setenv("ASYNCLLM_H2O_BASE_URL", server.url)
    assert "".join(_create_completion("falcon-40b", MESSAGES, False)).endswith("about it.")


def test_lockchats_temperature_is_named_and_its_retry_is_not_lost(server):
    from asyncllm.compat.Lockchat import _create_completion

    server.add_fault(ModelDoesNotExist(times=1))
    assert len(list(_create_completion("gpt-4", MESSAGES, True, base_url=server.url))) > 5
    list(_create_completion("gpt-4", MESSAGES, True, 0.2, base_url=server.url))
    temperatures = [json.loads(request.body)["temperature"] for request in server.requests]
    assert temperatures == [0.7, 0.7, 0.2]


def test_gravityengine_yields_the_whole_text_once_without_stream(server):
    from asyncllm.compat.Gravityengine import _create_completion

    [text] = _create_completion("gpt-3.5-turbo-16k", MESSAGES, False, base_url=server.url)
    assert text.endswith("about it.")


def test_breaking_off_closes_the_stream(server):
    from asyncllm.compat.H2o import _create_completion

    for _ in _create_completion("falcon-40b", MESSAGES, True, base_url=server.url):
        break


def test_errors_are_typed():
    from asyncllm.compat.H2o import _create_completion

    with pytest.raises(asyncllm.ConfigurationError):
        next(_create_completion("falcon-1b", MESSAGES, True))
