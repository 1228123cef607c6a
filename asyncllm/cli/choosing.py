"""Which provider answers, and with which model."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from asyncllm import registry
from asyncllm.cli import known
from asyncllm.cli.advice import advise
from asyncllm.cli.aliases import aliases
from asyncllm.cli.keys_file import stored_keys
from asyncllm.cli.known import OPENAI_COMPATIBLE, SANDBOX, key_advice
from asyncllm.cli.last import Conversation  # noqa: TC001 - msgspec reads the annotations
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

_MODEL = "ASYNCLLM_MODEL"
_H2O = "ASYNCLLM_H2O_BASE_URL"
_SANDBOX_TOKENS_PER_SECOND = 40.0  # slow enough to see that it streams
_MOST_NAMED = 6
# Somebody waits: where a server asks for a longer wait, the error says so.
_RETRY = Retry(max_wait=5.0)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed about who is to answer.

    Attributes:
        model: of `--model`: a model, `provider/model`, a provider or an alias; "" for none.
        provider: of `--provider`; "" for none.
        base_url: of `--base-url`; "" for none.
        key: of `--key`; "" for none.
        proxy: of `--proxy`; "" for none.
        last: the conversation that goes on: its provider answers where no other was typed.

    """

    model: str = ""
    provider: str = ""
    base_url: str = ""
    key: str = ""
    proxy: str = ""
    last: Conversation | None = None


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


class _Place(NamedTuple):
    """Which provider, which of its models, and where; "" for what is not known yet."""

    name: str
    model: str = ""
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
    place = _place_of(choice)
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


def _place_of(choice: Choice) -> _Place:
    """Return who answers: the first that was typed, or answered last, or is in the environment."""
    typed, url, last = _read(choice.model), choice.base_url, choice.last
    if choice.provider:
        # The model stays as it was typed: with some providers there is a slash in it.
        return _Place(_checked_name(choice.provider), _by_alias(choice.model), url)
    if typed.name:
        return _Place(typed.name, typed.model, url)
    if url:
        return _Place(_format_at(url, typed.model), typed.model, url)
    if last is not None:
        return _Place(_checked_name(last.provider), typed.model or last.model, last.base_url)
    return _place_in_environment(choice, typed.model)


def _format_at(url: str, model: str) -> str:
    """Return whose format is spoken at a base URL that was typed without a provider.

    Raises:
        ConfigurationError: a model was typed that no server of H2o's has.

    """
    if "v1" in urlsplit(url).path.split("/"):
        return OPENAI_COMPATIBLE
    if model and "/" not in model and model not in registry.provider_class("h2o").models:
        raise ConfigurationError(
            f"which provider is at {url}? For OpenAI's format write --base-url "
            f"{url.rstrip('/')}/v1; for another one name it, such as --provider ollama"
        )
    return "h2o"


def _place_in_environment(choice: Choice, model: str) -> _Place:
    """Return who answers where nobody was typed."""
    told = _read(os.environ.get(_MODEL, ""))
    model = model or told.model
    if told.name:
        return _Place(told.name, model)
    if os.environ.get(_H2O):
        return _Place("h2o", model)
    candidates = known.configured_providers() or _withstored_keys()
    if len(candidates) > 1:
        raise ConfigurationError(_which_of(candidates, model))
    return _Place(candidates[0], model) if candidates else _nobody(choice, model)


def _read(written: str) -> _Place:
    """Return what `-m` means: perhaps a provider, and perhaps one of its models."""
    written = _by_alias(written)
    is_path = "/" in written and Path(written).expanduser().is_file()
    if is_path or written.lower().endswith(".gguf"):
        return _Place("llamacpp", written)
    first, slash, rest = written.partition("/")
    names = {*known.provider_names(), SANDBOX, OPENAI_COMPATIBLE}
    if first.lower() not in names:
        return _Place("", written)
    return _Place(first.lower(), rest if slash else "")


def _by_alias(model: str) -> str:
    return aliases().get(model, model) if model else ""


def _checked_name(name: str) -> str:
    if name.lower() not in {SANDBOX, OPENAI_COMPATIBLE, *known.provider_names()}:
        registry.provider_class(name)  # which says what there is
    return name.lower()


def _which_of(candidates: list[str], model: str) -> str:
    named = ", ".join(candidates[:_MOST_NAMED])
    if len(candidates) > _MOST_NAMED:
        named += ", …"
    example = f"{candidates[0]}/{model}" if model else candidates[0]
    return (
        f"several providers could answer ({named}): choose one with -m, such as -m {example}, "
        f"or set {_MODEL}={example}"
    )


def _nobody(choice: Choice, model: str) -> _Place:
    """Return the sandbox, where nothing was typed that it can't be meant to answer.

    Raises:
        ConfigurationError: a key or a model was typed that is somebody else's.

    """
    if choice.key:
        raise ConfigurationError("whose key is it? Say so with -m, such as: -m openai --key …")
    if model:
        h2o = registry.provider_class("h2o")
        if model in {*h2o.models, *h2o.models.values()}:
            return _Place(SANDBOX, model)
        raise ConfigurationError(
            f"which provider has the model {model!r}? Write -m provider/model, such as "
            f"-m openai/{model}; to see them all, type: asyncllm providers"
        )
    say(
        "asyncllm: no API key was found, so the built-in sandbox answers, which has no model. "
        "With a key, type: asyncllm keys set openai (or set OPENAI_API_KEY). "
        'With Ollama, type: asyncllm -m ollama "Hello"'
    )
    return _Place(SANDBOX)


@contextlib.asynccontextmanager
async def _sandbox() -> AsyncGenerator[str]:
    from asyncllm.sandbox import Sandbox  # noqa: PLC0415 - seldom needed

    async with Sandbox(token_rate=_SANDBOX_TOKENS_PER_SECOND) as running:
        yield running.url


def _provider(place: _Place, choice: Choice) -> AsyncGeneratorProvider:
    """Return the provider of a name, with its key, its address and its proxy.

    Raises:
        ConfigurationError: it needs a key and has none, or an option can't be used.

    """
    name = place.name
    given = {"base_url": place.base_url, "proxy": choice.proxy, "api_key": choice.key}
    if name == OPENAI_COMPATIBLE:
        # A key of OpenAI's in the environment is not for whatever server this is.
        return OpenAICompatible(retry=_RETRY, **_told(given))
    if name == "llamacpp":
        given["model"] = place.model  # before what the environment has for it
    is_in_environment = known.key_variable_set(name) is not None
    if not (choice.key or is_in_environment):
        given["api_key"] = _stored_key(name) or ""
    patience = {} if name == "llamacpp" else {"retry": _RETRY}
    one = registry.provider(name, **patience, **_told(given))
    if known.needs_key(name) and _is_at_home(one) and not (is_in_environment or given["api_key"]):
        raise ConfigurationError(f"{name} needs an API key: {key_advice(name)}")
    return one


def _told(options: Mapping[str, str]) -> dict[str, Any]:
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
        say(
            f"asyncllm: {model} answers, the first model of {name}; -m chooses another, and "
            f"`asyncllm models {name}` lists them"
        )
    return model


def _stored_key(name: str) -> str | None:
    keys = stored_keys()
    return keys.get(name) or keys.get(known.VARIANTS.get(name, name))


def _withstored_keys() -> list[str]:
    stored = stored_keys()
    return [name for name in known.provider_names() if name in stored]
