"""The documented interface: class methods that make a provider for one call."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asyncllm.base.asking import Asking
from asyncllm.hints import options_of
from asyncllm.sync import run_sync

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from asyncllm.messages import Messages


class _Params:
    """The documented `params` string, made from the signature that it describes."""

    def __get__(self, _: object, owner: type[Documented]) -> str:
        return describe_params(f"asyncllm.{owner.__name__}", owner.create_async_generator)


def describe_params(name: str, function: Callable[..., object]) -> str:
    """Return the documented kind of string that says what `function` takes."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    taken = [p for p in inspect.signature(function).parameters.values() if p.kind not in kinds]
    return f"{name} supports: ({', '.join(f'{p.name}: {p.annotation}' for p in taken)})"


class Documented(Asking):
    """What can be asked of the class itself; the constructor's options come with each call.

    Attributes:
        params (str): what `create_async_generator` takes, as the documented kind of string.

    """

    params: ClassVar[_Params] = _Params()

    @classmethod
    async def create_async_generator(
        cls, model: str | None, messages: Messages, proxy: str | None = None, **kwargs: Any
    ) -> AsyncIterator[str]:
        """Yield the answer's text, piece by piece; part of the documented interface.

        Args:
            model: a short name or a full id; empty or None for the default.
            messages: role/content mappings, or a `str` for one user message.
            proxy: as `scheme://user:password@host:port`.
            kwargs: parameters for the server, and the constructor's options by their names.

        Raises:
            ConfigurationError: an argument can't be used.
            AsyncLLMError: there is no answer, or not a complete one; a failed HTTP step is an
                `aiohttp.ClientResponseError` too.

        """
        provider = cls._from(kwargs)
        async with provider.stream(messages, model=model, proxy=proxy, **kwargs) as stream:
            async for token in stream:
                yield token

    @classmethod
    def create_completion(
        cls,
        model: str | None,
        messages: Messages,
        stream: bool = True,  # noqa: FBT001, FBT002 - the documented place
        **kwargs: Any,
    ) -> Iterator[str]:
        """Yield the answer's text as `create_async_generator` does, in blocking code.

        Args:
            model: a short name or a full id; empty or None for the default.
            messages: role/content mappings, or a `str` for one user message.
            stream: whether to yield it piece by piece; with False, the whole text is yielded once.
            kwargs: parameters for the server, and the constructor's options by their names.

        Raises:
            ConfigurationError: an argument can't be used.
            AsyncLLMError: there is no answer, or not a complete one.

        """
        provider = cls._from(kwargs)
        with run_sync(provider.stream(messages, model=model, **kwargs)) as tokens:
            if stream:
                yield from tokens
            else:
                yield "".join(tokens)

    @classmethod
    async def create_async(cls, model: str | None, messages: Messages, **kwargs: Any) -> str:
        """Return the answer's whole text; part of the documented interface.

        Args:
            model: a short name or a full id; empty or None for the default.
            messages: role/content mappings, or a `str` for one user message.
            kwargs: as for `create_async_generator`, including `proxy`.

        Raises:
            ConfigurationError: an argument can't be used.
            AsyncLLMError: there is no answer, or not a complete one.

        """
        tokens = cls.create_async_generator(model, messages, **kwargs)
        return "".join([token async for token in tokens])

    @classmethod
    def _from(cls, kwargs: dict[str, Any]) -> Self:
        """Return a provider with the constructor's options, which are taken out of `kwargs`."""
        kwargs.pop("stream", None)  # `create_completion` has it, and here all answers are streamed
        names = {*options_of(cls).names} - {"model", "proxy"}
        return cls(**{name: kwargs.pop(name) for name in names & kwargs.keys()})
