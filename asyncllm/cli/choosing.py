"""Which provider answers."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from asyncllm import registry
from asyncllm.cli.text import say
from asyncllm.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from asyncllm.base.server import AsyncGeneratorProvider

_DEFAULT_PROVIDER = "h2o"
_LOCAL_MODEL = "ASYNCLLM_MODEL"
_SANDBOX_TOKENS_PER_SECOND = 40.0  # slow enough to see that it streams


@contextlib.asynccontextmanager
async def chosen(name: str | None, base_url: str | None) -> AsyncGenerator[AsyncGeneratorProvider]:
    """Give the provider to ask: the chosen one, or with nothing configured one on the sandbox."""
    variable = f"ASYNCLLM_{_DEFAULT_PROVIDER.upper()}_BASE_URL"
    if not (name or base_url) and os.environ.get(_LOCAL_MODEL):
        name = "llamacpp"
    if name or base_url or os.environ.get(variable):
        given = {} if base_url is None else {"base_url": base_url}
        yield registry.provider(name or _DEFAULT_PROVIDER, **given)
        return
    say(
        "asyncllm: nothing is configured, so the built-in sandbox answers; "
        f"for a real server give --base-url or set {variable}, for a model of your own "
        f"set {_LOCAL_MODEL} to a GGUF file"
    )
    async with Sandbox(token_rate=_SANDBOX_TOKENS_PER_SECOND) as running:
        yield registry.provider(_DEFAULT_PROVIDER, base_url=running.url)
