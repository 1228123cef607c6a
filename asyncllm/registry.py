"""Names → providers, imported when they are asked for.

Third parties join through the entry-point group `asyncllm.providers`: a name of their choice, and
an `AsyncGeneratorProvider` class.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from asyncllm.base.server import AsyncGeneratorProvider
from asyncllm.errors import ConfigurationError
from asyncllm.hints import nearest_match
from asyncllm.providers.keys import KEY_VARIABLES
from asyncllm.providers.names import OWN
from asyncllm.providers.openai import OpenAICompatible
from asyncllm.providers.services import RETIRED, SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRY_POINT_GROUP = "asyncllm.providers"

_CALLED_IN_VARIABLES = {"openai-responses": "openai"}  # of those with another name there


def provider_classes() -> Mapping[str, str]:
    """Return where each provider class is, by its name: as `module:class`; our own come first."""
    points = entry_points(group=ENTRY_POINT_GROUP)
    return {point.name.lower(): f"{point.module}:{point.attr}" for point in points} | OWN


def provider_class(name: str) -> type[AsyncGeneratorProvider]:
    """Return the provider class of a name, in any case.

    Raises:
        ConfigurationError: there is none of that name, or what is there is no provider.

    """
    # Looking for those of others takes long: it reads a file of each package there is.
    known = OWN if name.lower() in OWN else provider_classes()
    place = known.get(name.lower())
    if place is None and name.lower() in RETIRED:
        raise ConfigurationError(f"there is no provider {name!r}: {RETIRED[name.lower()]}")
    if place is None:
        names = {**known, **SERVICES}
        near = nearest_match(name, names) or f"; the providers are {', '.join(names)}"
        raise ConfigurationError(f"there is no provider {name!r}{near}")
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute, None)
    if not (isinstance(found, type) and issubclass(found, AsyncGeneratorProvider)):
        raise ConfigurationError(
            f"{place}, registered as {name!r}, is not an AsyncGeneratorProvider class"
        )
    return found


def provider(name: str, **options: Any) -> AsyncGeneratorProvider:
    """Return a provider by its name, or a service that has OpenAI's API.

    Args:
        name: as `asyncllm providers` lists it, in any case.
        options: those of the provider's constructor, such as `base_url` or `model`.

    Raises:
        ConfigurationError: there is none of that name, or an option can't be used.

    """
    service = SERVICES.get(name.lower())
    if service is not None and service.name not in provider_classes():
        return OpenAICompatible(service=service, **options)
    return provider_class(name)(**options)


def key_variables() -> dict[str, tuple[str, ...]]:
    """Return the environment variables that hold API keys, by the names of all providers.

    Those of a provider stand in the order in which it looks at them; one that takes no key has
    none. Providers with a class of their own come first, then the services.
    """
    classes = provider_classes()
    return {name: _key_variables(name, classes.get(name, "")) for name in {**classes, **SERVICES}}


def _key_variables(name: str, place: str) -> tuple[str, ...]:
    if name in OWN:
        name = _CALLED_IN_VARIABLES.get(name, name)
        if name not in KEY_VARIABLES:
            return ()
        customary = KEY_VARIABLES[name]
    elif place:
        customary, name = (), place.rpartition(":")[2]  # by which the environment calls it
    else:
        customary = SERVICES[name].key_variables
    return (f"ASYNCLLM_{name.upper().replace('-', '_')}_API_KEY", *customary)
