"""Which provider answers, and with which model."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from asyncllm import registry
from asyncllm.cli import known
from asyncllm.cli.advice import advise
from asyncllm.cli.keys_file import stored_keys
from asyncllm.cli.known import OPENAI_COMPATIBLE, SANDBOX, key_advice
from asyncllm.cli.places import Choice, Place, place_of
from asyncllm.cli.text import say
from asyncllm.errors import (
    AsyncLLMError,
    AuthenticationError,
    ConfigurationError,
    HTTPStatusError,
)
from asyncllm.options import Retry
from asyncllm.providers.openai import OpenAICompatible

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from asyncllm.base.server import AsyncGeneratorProvider

__all__ = ["OPENAI_COMPATIBLE", "SANDBOX", "Choice", "Chosen", "chosen", "key_advice"]

_SANDBOX_TOKENS_PER_SECOND = 40.0  # slow enough to see that it streams
# Somebody waits: where a server asks for a longer wait, the error says so.
_RETRY = Retry(max_wait=5.0)


class Chosen(msgspec.Struct, frozen=True):
    """Who answers.

    Attributes:
        provider: to be asked; it is entered, and left with the context.
        model: to be asked for; "" where the server decides.
        name: what `--provider` takes to have it again.
        base_url: what `--base-url` takes to have it again; "" for nothing.

    """

    provider: AsyncGeneratorProvider
    model: str
    name: str
    base_url: str = ""


@contextlib.asynccontextmanager
async def chosen(choice: Choice) -> AsyncGenerator[Chosen]:
    """Give the provider to ask and its model, as what was typed and the environment say.

    Args:
        choice: what was typed.

    Raises:
        ConfigurationError: it can't be told who is to answer, or a key is missing; the text says
            what to type.
        AsyncLLMError: the server was to say which models it has, and did not.

    """
    place = place_of(choice)
    async with contextlib.AsyncExitStack() as stack:
        if place.name == SANDBOX:
            one = registry.provider("h2o", base_url=await stack.enter_async_context(_sandbox()))
        else:
            one = _provider(place, choice)
        await stack.enter_async_context(one)
        try:
            model = place.model or one.model or await _default_model(one, place.name)
        except AsyncLLMError as error:
            advise(error, place.name, "")
            raise
        yield Chosen(one, model, place.name, place.base_url)


@contextlib.asynccontextmanager
async def _sandbox() -> AsyncGenerator[str]:
    from asyncllm.sandbox import Sandbox  # noqa: PLC0415 - seldom needed

    async with Sandbox(token_rate=_SANDBOX_TOKENS_PER_SECOND) as running:
        yield running.url


def _provider(place: Place, choice: Choice) -> AsyncGeneratorProvider:
    """Return the provider of a name, with its key, its address and its proxy.

    Raises:
        ConfigurationError: it needs a key and has none, or an option can't be used.

    """
    name = place.name
    given = {"base_url": place.base_url, "proxy": choice.proxy}
    if name == OPENAI_COMPATIBLE:
        # A key of OpenAI's in the environment is not for whatever server this is.
        return OpenAICompatible(retry=_RETRY, **_told({**given, "api_key": choice.key}))
    if name == "llamacpp":
        return with_key(name, choice.key, model=place.model, **given)  # before the environment's
    return with_key(name, choice.key, retry=_RETRY, **given)


def with_key(name: str, key: str = "", **options: Any) -> AsyncGeneratorProvider:
    """Return a provider with its key: the one given, the environment's, or that of the keys file.

    Args:
        name: the provider's.
        key: "" for one that is kept somewhere.
        options: others of its constructor; one that is empty is left out.

    Raises:
        ConfigurationError: there is no such provider, it has no key, or an option can't be used.

    """
    is_in_environment = known.key_variable_set(name) is not None  # where it finds it by itself
    if not (key or is_in_environment):
        key = _stored_key(name) or ""
    one = registry.provider(name, **_told({**options, "api_key": key}))
    if known.needs_key(name) and _is_at_home(one) and not (is_in_environment or key):
        raise ConfigurationError(f"{name} needs an API key: {key_advice(name)}")
    return one


def _told(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value}


def _is_at_home(one: AsyncGeneratorProvider) -> bool:
    """Tell whether a provider is at its vendor's server."""
    return bool(one.url) and getattr(one, "base_url", "") == one.url


async def _default_model(one: AsyncGeneratorProvider, name: str) -> str:
    """Return the model to ask for where nobody has named one; "" where the server decides.

    Raises:
        ConfigurationError: there is none; the text says how to name one.
        AsyncLLMError: the server does not say which it has.

    """
    if name == "azure":
        raise ConfigurationError("azure needs a deployment: -m azure/DEPLOYMENT names one")
    usual = known.DEFAULT_MODELS.get(name, "")
    if usual and _is_at_home(one):
        return usual
    try:
        models = await one.list_models()
    except (ConfigurationError, HTTPStatusError) as error:
        if error.is_passing or isinstance(error, AuthenticationError):
            raise
        return usual  # it has no list: what it needs it says itself
    if usual in models:
        return usual
    model = known.first_chat_model(models)
    if not model:
        advice = "ollama pull NAME fetches one" if name.startswith("ollama") else "-m names one"
        raise ConfigurationError(f"{name} lists no model that can chat: {advice}")
    if len(models) > 1:
        place = getattr(one, "base_url", "")
        where = "" if _is_at_home(one) or not place else f" --base-url {place}"
        say(
            f"asyncllm: {model} answers, the first model of {name}; -m chooses another, and "
            f"`asyncllm models {name}{where}` lists them"
        )
    return model


def _stored_key(name: str) -> str | None:
    keys = stored_keys()
    return keys.get(name) or keys.get(known.VARIANTS.get(name, name))
