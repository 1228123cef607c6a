"""What each provider says that its wire carries, held against the sandbox; all else is refused.

A model in the process is no server's: tests/peers/test_llamacpp.py has it.
"""

import pytest

import asyncllm
from asyncllm import AsyncGeneratorProvider, ConfigurationError, OpenAICompatible, OpenAIResponses
from asyncllm.base.carried import CARRIED, EVERYTHING
from asyncllm.sandbox import Citations, Sandbox, Usage, UsageDetails
from support.tools import ASKED, TOOLS

PROVIDERS = [
    cls
    for name in asyncllm.__all__
    if isinstance(cls := getattr(asyncllm, name), type)
    and issubclass(cls, AsyncGeneratorProvider)
    and cls.wire
    and cls is not asyncllm.LlamaCpp
]
MODELS = {  # where not just any will do, or only some can think and look
    asyncllm.Anthropic: "claude-opus-5",
    asyncllm.ChatUI: "sandbox/small",
    asyncllm.Cohere: "command-a-reasoning-08-2025",
    asyncllm.Gemini: "gemini-3-pro",
    asyncllm.H2o: "falcon-7b",
}
FAULTS = [Citations(), Usage("last"), UsageDetails()]
PATHS = {asyncllm.ChatUI: "/chat"}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
SCHEMA = {"type": "object", "properties": {"population": {"type": "integer"}}}
FORM = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
PNG, PDF = b"\x89PNG\r\n\x1a\n0000", b"%PDF-1.7 0000"


def showing(part):
    return [{"role": "user", "content": [asyncllm.text("What is this?"), part]}]


def begun(text):
    return [ASKED, {"role": "assistant", "content": text}]


# What asks for each, by wire where it is not the same on all; and what shows it.
QUESTIONS = {
    "reasoning": ("Hello", {"reasoning_effort": "low"}),
    "tools": ([ASKED], {"tools": TOOLS}),
    "images": (showing(asyncllm.image(PNG)), {}),
    "files": (showing(asyncllm.file(PDF)), {}),
    "structured output": ("Hello", {"response_format": FORM}),
    "usage": ("Hello", {}),
    "citations": ("Search", {}),
    "prefill": (begun("It is"), {}),
    "cache": ("Hello", {}),
}
OWN = {
    ("citations", "anthropic"): {"tools": [SEARCH]},
    ("citations", "cohere"): {"documents": [{"id": "1", "data": {"text": "The sandbox speaks"}}]},
    ("cache", "anthropic"): {"cache": True},
}


# What an answer, or what was sent for it, has where it is carried.
SHOWS = {
    "reasoning": lambda reply, sent: reply.reasoning,
    "tools": lambda reply, sent: {"see", "hear"} & {call.name for call in reply.tool_calls},
    "images": lambda reply, sent: b"iVBORw0KGgo" in sent or PNG in sent,
    "files": lambda reply, sent: b"JVBERi0xLjcg" in sent or PDF in sent,
    "structured output": lambda reply, sent: b"population" in sent,
    "usage": lambda reply, sent: reply.usage and reply.usage.completion_tokens,
    "citations": lambda reply, sent: reply.citations,
    "prefill": lambda reply, sent: reply.text and not reply.text.startswith("It is"),
    "cache": lambda reply, sent: reply.usage and reply.usage.cached_tokens is not None,
}


def test_what_is_carried_has_a_column():
    assert all(cls.carries <= EVERYTHING for cls in [*PROVIDERS, asyncllm.LlamaCpp])


@pytest.mark.parametrize("carried", CARRIED)
@pytest.mark.parametrize("cls", PROVIDERS, ids=lambda cls: cls.__name__)
async def test_a_wire_carries_what_its_provider_says_and_nothing_else(cls, carried):
    is_openai = getattr(cls, "path", "") in {OpenAICompatible.path, OpenAIResponses.path}
    path = PATHS.get(cls, "/v1" if is_openai else "")
    async with Sandbox(models=["gpt-5"], faults=FAULTS) as sandbox:
        model = MODELS.get(cls) or cls.model or "gpt-5"
        provider = cls(base_url=sandbox.url + path, model=model, api_key="x")
        messages, params = QUESTIONS[carried]
        try:
            reply = await provider.complete(
                messages, **{**params, **OWN.get((carried, cls.wire), {})}
            )
        except ConfigurationError:
            assert carried not in cls.carries
            assert not sandbox.requests
            return
        sent = b"".join(request.body for request in sandbox.requests)
        if carried in {"tools", "images", "files", "structured output"}:
            assert carried in cls.carries
        if carried != "prefill" or carried in cls.carries:
            assert bool(SHOWS[carried](reply, sent)) == (carried in cls.carries)
