"""The documented module `Lockchat`, whose function names its temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncllm.base.documented import describe_params
from asyncllm.compat._documented import documented
from asyncllm.providers.lockchat import Lockchat as _Lockchat

if TYPE_CHECKING:
    from collections.abc import Iterator

url, model, models, supports_stream, needs_auth, _, _complete = documented(__name__, _Lockchat)


def _create_completion(
    model: str,
    messages: list,  # type: ignore[type-arg] # the documented word
    stream: bool,  # noqa: FBT001 - the documented place
    temperature: float = 0.7,
    **kwargs: Any,
) -> Iterator[str]:
    """Yield the answer's text; see `AsyncGeneratorProvider.create_completion`."""
    yield from _complete(model, messages, stream, temperature=temperature, **kwargs)


params = describe_params(__name__, _create_completion)
