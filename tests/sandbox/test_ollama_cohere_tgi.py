"""The sandbox's wires of Ollama, Cohere and TGI: what they refuse, and answers in one piece."""

import aiohttp
import pytest

from asyncllm.sandbox import Sandbox

HI = [{"role": "user", "content": "Hi"}]
USE = [{"role": "user", "content": "use a tool"}]
TOOL = {"type": "function", "function": {"name": "see"}}
CALLED = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
OLLAMA, COHERE, TGI = "/api/chat", "/v2/chat", "/generate_stream"


async def ask(path, body):
    async with (
        Sandbox() as sandbox,
        aiohttp.ClientSession() as http,
        http.post(sandbox.url + path, json=body) as response,
    ):
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        (OLLAMA, [], 400, "invalid JSON"),
        (OLLAMA, {"messages": HI}, 400, "model is required"),
        (OLLAMA, {"model": "x"}, 404, "model 'x' not found"),
        (OLLAMA, {"model": "qwen3", "messages": [{"content": []}]}, 400, "cannot unmarshal array"),
        (OLLAMA, {"model": "qwen3", "messages": [{"role": 1}]}, 400, "cannot unmarshal number"),
        (OLLAMA, {"model": "qwen3", "messages": [CALLED]}, 400, "cannot unmarshal string"),
        (OLLAMA, {"model": "qwen3", "messages": [{"images": ["data:"]}]}, 400, "illegal base64"),
        (OLLAMA, {"model": "qwen3", "think": "a bit"}, 400, "invalid think value"),
        (OLLAMA, {"model": "gemma3", "think": True}, 400, "does not support thinking"),
        (OLLAMA, {"model": "gemma3", "tools": [TOOL]}, 400, "does not support tools"),
        (OLLAMA, {"model": "qwen3", "format": "xml"}, 400, "invalid format"),
        (OLLAMA, {"model": "qwen3", "options": []}, 400, "cannot unmarshal array"),
        (OLLAMA, {"model": "qwen3", "options": {"stop": "x"}}, 400, "must be of type array"),
        (OLLAMA, {"model": "qwen3", "messages": USE, "tools": [1]}, 400, "unmarshal tools"),
        ("/api/pull", {}, 400, "invalid model name"),
        (COHERE, {"messages": HI}, 400, "model is required"),
        (COHERE, {"model": "x", "messages": HI}, 404, "model 'x' not found"),
        (COHERE, {"model": "command-a-03-2025"}, 400, "messages must not be empty"),
        (COHERE, {"model": "m", "top_p": 1}, 400, "unknown field: parameter 'top_p'"),
        (COHERE, {"model": "command-a-03-2025", "messages": HI, "tool_choice": "auto"}, 400, "REQ"),
        (COHERE, {"model": "command-a-03-2025", "messages": USE, "tools": [1]}, 400, "list of"),
        (COHERE, {"model": "command-a-03-2025", "messages": [{"role": "x"}]}, 400, "role must be"),
        (
            COHERE,
            {"model": "command-a-03-2025", "messages": [{"role": "user", "content": [{}]}]},
            400,
            "invalid part of type None",
        ),
        (
            COHERE,
            {
                "model": "command-a-03-2025",
                "messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}],
            },
            400,
            "arguments must be a string",
        ),
        (
            COHERE,
            {"model": "command-a-03-2025", "messages": [{"role": "tool", "content": "x"}]},
            400,
            "must have a tool_call_id",
        ),
        *[
            (COHERE, {"model": "command-a-03-2025", "messages": [message]}, 400, says)
            for message, says in (
                ({"role": [], "content": "x"}, "role must be one of"),
                ({"role": "user", "content": [{"type": {}}]}, "invalid part of type"),
            )
        ],
        (TGI, {}, 422, "missing field `inputs`"),
        (TGI, {"inputs": ""}, 422, "`inputs` cannot be empty"),
        (TGI, {"inputs": "x", "parameters": {"top_p": 1}}, 422, "`top_p` must be > 0.0 and < 1.0"),
        (TGI, {"inputs": "x", "parameters": {"top_k": 0}}, 422, "`top_k` must be strictly"),
        (TGI, {"inputs": "x", "parameters": {"best_of": 2}}, 422, "`best_of` != 1"),
        (TGI, {"inputs": "x", "parameters": {"stop": "x"}}, 422, "stop sequences"),
        (TGI, {"inputs": "x", "parameters": {"top_n_tokens": 6}}, 422, "must be >= 0 and <= 5"),
    ],
)
async def test_what_a_server_would_refuse_is_refused_in_its_own_form(path, body, status, says):
    got, told = await ask(path, body)
    assert got == status
    assert says in told["message" if path == COHERE else "error"]


@pytest.mark.parametrize(("keep_alive", "reason"), [(None, "load"), (0, "unload")])
async def test_ollama_loads_a_model_that_is_asked_nothing(keep_alive, reason):
    body = {"model": "qwen3", "stream": False} | ({"keep_alive": 0} if keep_alive == 0 else {})
    _, told = await ask(OLLAMA, body)
    assert (told["done"], told["done_reason"], told["message"]["content"]) == (True, reason, "")


async def test_ollama_answers_in_one_piece_where_it_is_asked_to():
    body = {"model": "qwen3", "messages": USE, "tools": [TOOL], "stream": False}
    _, told = await ask(OLLAMA, body)
    assert told["message"]["thinking"]
    assert told["message"]["tool_calls"][0]["function"]["name"] == "see"


async def test_cohere_answers_in_one_piece_unless_it_is_asked_otherwise():
    documents = [{"data": {"text": "t"}}]
    body = {"model": "command-a-03-2025", "messages": HI, "documents": documents}
    _, told = await ask(COHERE, body)
    assert told["message"]["content"][0]["text"].startswith("This is")
    assert told["message"]["citations"][0]["sources"][0]["document"]["text"] == "t"
    _, told = await ask(COHERE, {**body, "messages": USE, "tools": [TOOL]})
    assert told["finish_reason"] == "TOOL_CALL"
    assert told["message"]["tool_plan"]


async def test_a_page_of_cohere_s_models_must_be_known():
    query = {"endpoint": "chat", "page_token": "x"}
    async with (
        Sandbox() as sandbox,
        aiohttp.ClientSession() as http,
        http.get(f"{sandbox.url}/v1/models", params=query) as response,
    ):
        assert response.status == 400


async def test_tgi_answers_in_one_piece_at_an_address_of_its_own():
    _, told = await ask("/generate", {"inputs": "Hi", "parameters": {"max_new_tokens": 2}})
    assert told["generated_text"] == "This is"
    assert told["details"]["finish_reason"] == "length"
