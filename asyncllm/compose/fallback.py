"""`Fallback`: the first of several providers that begins to answer."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.base import Provider
from asyncllm.errors import (
    AsyncLLMError,
    ConfigurationError,
    ProxyError,
    StreamTimeout,
    let_go,
)

if TYPE_CHECKING:
    from asyncllm.base import Question
    from asyncllm.base.provider import Begin
    from asyncllm.options import Timeouts
    from asyncllm.session import SessionManager
    from asyncllm.stream import Begun

log = logging.getLogger("asyncllm")


class Fallback(Provider):
    """Ask one provider after the other, until one of them has begun to answer.

    The next provider is asked if one fails for a reason that may pass, after its own attempts, or
    can't be reached. Once there is a first item no other provider is asked, because the reader
    would see text twice.

    Args:
        providers: the providers to ask, in order.
        sessions: the session manager that ends its streams when it is closed; usually the one that
            the providers use.
        timeouts: the limits of its streams, over all the providers that it asks.

    Raises:
        ConfigurationError: there are no providers, or something else is among them.

    """

    def __init__(
        self,
        *providers: Provider,
        sessions: SessionManager | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        if not providers:
            raise ConfigurationError(
                "Fallback needs at least one provider, as in Fallback(OpenAI(), H2o())"
            )
        for place, each in enumerate(providers):
            if not isinstance(each, Provider):
                raise ConfigurationError(
                    "Fallback takes providers, as in Fallback(OpenAI(), H2o()); argument "
                    f"{place} is of type {type(each).__name__}"
                )
        super().__init__(sessions=sessions, timeouts=timeouts)
        self._providers = providers
        self.secrets = [secret for each in providers for secret in each.secrets]

    @override
    async def list_models(self) -> list[str]:
        """Return the ids of the models of the first provider that has a list.

        Raises:
            AsyncLLMError: no provider has one; this is the last provider's error.

        """
        *others, last = self._providers
        for provider in others:
            with contextlib.suppress(AsyncLLMError):
                return await provider.list_models()
        return await last.list_models()

    @override
    def prepare(self, question: Question) -> Begin:
        """Return what begins to answer; see `Provider`. What one provider refuses is refused."""
        *others, last = [provider.prepare(question) for provider in self._providers]

        async def begin() -> Begun:
            for begin_there in others:
                try:
                    return await begin_there()
                except AsyncLLMError as error:
                    error.redact(self.secrets)  # here, as it is logged before it gets further
                    if not (error.is_passing or isinstance(error, StreamTimeout | ProxyError)):
                        raise
                    log.info("Fallback: asking the next provider: %s", error)
                    let_go(error)  # its traceback would keep alive what the attempt held
            return await last()

        return begin
