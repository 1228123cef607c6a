"""Gravityengine: OpenAI's chat wire at a path of its own, now and then one whole JSON answer."""

from __future__ import annotations

from types import MappingProxyType

from asyncllm.providers.openai import OpenAICompatible


class Gravityengine(OpenAICompatible):
    """Gravityengine, whose public endpoint no longer responds: pass another `base_url`."""

    url = "https://gpt4.gravityengine.cc"
    path = "/api/openai/v1/chat/completions"
    model = "gpt-3.5-turbo-16k"
    models = MappingProxyType(
        {name: name for name in ("gpt-3.5-turbo-16k", "gpt-3.5-turbo-0613")},
    )
    defaults = MappingProxyType({"temperature": 0.7, "presence_penalty": 0})
    asks_usage = False
