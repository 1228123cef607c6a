"""What every documented module is made of: a provider, seen as the old interface shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asyncllm.base.documented import describe_params

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asyncllm.base.server import AsyncGeneratorProvider


class Documented(NamedTuple):
    """The documented names of a module, in the order in which it unpacks them."""

    url: str
    model: list[str]
    models: dict[str, str]
    supports_stream: bool
    needs_auth: bool
    params: str
    create_completion: Callable[..., Iterator[str]]


def documented(module: str, provider: type[AsyncGeneratorProvider]) -> Documented:
    """Return what the documented module of `provider` holds.

    Args:
        module: the module's `__name__`.
        provider: the provider that answers.

    """

    def _create_completion(
        model: str,
        messages: list,  # type: ignore[type-arg] # the documented word
        stream: bool,  # noqa: FBT001 - the documented place
        **kwargs: Any,
    ) -> Iterator[str]:
        """Yield the answer's text; see `AsyncGeneratorProvider.create_completion`."""
        yield from provider.create_completion(model, messages, stream, **kwargs)

    return Documented(
        provider.url,
        list(provider.models),
        dict(provider.models),
        provider.supports_stream,
        provider.needs_auth,
        describe_params(module, _create_completion),
        _create_completion,
    )
