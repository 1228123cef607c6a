"""Who is to answer: what was typed, and what the environment and our files say besides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from asyncllm import registry
from asyncllm.cli import known
from asyncllm.cli.aliases import aliases
from asyncllm.cli.keys_file import stored_keys
from asyncllm.cli.known import OPENAI_COMPATIBLE, SANDBOX
from asyncllm.cli.last import Conversation  # noqa: TC001 - msgspec reads the annotations
from asyncllm.cli.text import say
from asyncllm.errors import ConfigurationError
from asyncllm.hints import near_miss

_MODEL = "ASYNCLLM_MODEL"
_H2O = "ASYNCLLM_H2O_BASE_URL"
_MOST_NAMED = 6


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

    @classmethod
    def typed(
        cls,
        *,
        model: str | None,
        provider: str | None,
        base_url: str | None,
        key: str | None,
        proxy: str | None,
    ) -> Choice:
        """Return what was typed, as typer gives it; None for what was not."""
        return cls(
            model=model or "",
            provider=provider or "",
            base_url=base_url or "",
            key=key or "",
            proxy=proxy or "",
        )


class Place(NamedTuple):
    """Which provider, which of its models, and where; "" for what is not known yet."""

    name: str
    model: str = ""
    base_url: str = ""


def place_of(choice: Choice) -> Place:
    """Return who answers: the first that was typed, or answered last, or is in the environment.

    Args:
        choice: what was typed.

    Raises:
        ConfigurationError: it can't be told who is to answer; the text says what to type.

    """
    typed, url, last = _read(choice.model), choice.base_url, choice.last
    if choice.provider:
        # The model stays as it was typed: with some providers there is a slash in it.
        return Place(_checked_name(choice.provider), _by_alias(choice.model), url)
    if typed.name:
        return Place(typed.name, typed.model, url)
    if url:
        return Place(_format_at(url, typed.model), typed.model, url)
    if last is not None:
        return Place(_checked_name(last.provider), typed.model or last.model, last.base_url)
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


def _place_in_environment(choice: Choice, model: str) -> Place:
    """Return who answers where nobody was typed."""
    told = _read(os.environ.get(_MODEL, ""))
    model = model or told.model
    if told.name:
        return Place(told.name, model)
    if os.environ.get(_H2O):
        return Place("h2o", model)
    candidates = known.configured_providers() or _with_stored_keys() or known.addressed_providers()
    if len(candidates) > 1:
        raise ConfigurationError(_which_of(candidates, model))
    return Place(candidates[0], model) if candidates else _nobody(choice, model)


def _read(written: str) -> Place:
    """Return what `-m` means: perhaps a provider, and perhaps one of its models."""
    written = _by_alias(written)
    is_path = "/" in written and Path(written).expanduser().is_file()
    if is_path or written.lower().endswith(".gguf"):
        return Place("llamacpp", written)
    first, slash, rest = written.partition("/")
    names = {*known.provider_names(), SANDBOX, OPENAI_COMPATIBLE}
    if first.lower() not in names:
        return Place("", written)
    return Place(first.lower(), rest if slash else "")


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


def _nobody(choice: Choice, model: str) -> Place:
    """Return the sandbox, where nothing was typed that it can't be meant to answer.

    Raises:
        ConfigurationError: a key or a model was typed that is somebody else's.

    """
    if choice.key:
        raise ConfigurationError("whose key is it? Say so with -m, such as: -m openai --key …")
    if model:
        h2o = registry.provider_class("h2o")
        if model in {*h2o.models, *h2o.models.values()}:
            return Place(SANDBOX, model)
        first = model.partition("/")[0]
        if near := near_miss(first, known.provider_names()):
            raise ConfigurationError(f"there is no provider {first!r}: did you mean {near}?")
        raise ConfigurationError(
            f"which provider has the model {model!r}? Write -m PROVIDER/{model}; to see the "
            "providers, type: asyncllm providers"
        )
    say(
        "asyncllm: no API key was found, so the built-in sandbox answers, which has no model. "
        "With a key, type: asyncllm keys set openai (or set OPENAI_API_KEY). "
        'With Ollama, type: asyncllm -m ollama "Hello"'
    )
    return Place(SANDBOX)


def _with_stored_keys() -> list[str]:
    stored = stored_keys()
    return [name for name in known.provider_names() if name in stored]
