"""`AsyncGeneratorProvider`: a provider that is a server, asked over HTTP."""

from __future__ import annotations

import contextlib
import os
from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from typing_extensions import override

from asyncllm.base.address import chosen_address
from asyncllm.base.foreign import own_messages
from asyncllm.base.models import full_id
from asyncllm.base.provider import Provider
from asyncllm.base.request import Request, check_given, with_body
from asyncllm.errors import ConfigurationError
from asyncllm.http import Http
from asyncllm.http.checks import merged_headers
from asyncllm.http.plain_http import warn_of_plain_http
from asyncllm.http.proxies import parse_proxy
from asyncllm.redaction import is_secret, secrets_in
from asyncllm.session import SessionManager
from asyncllm.stream.begun import Begun, begin_under
from asyncllm.stream.retry import retrying
from asyncllm.stream.within import within

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Hashable,
        Mapping,
        Sequence,
    )

    from asyncllm.base.provider import Begin
    from asyncllm.base.request import Question
    from asyncllm.events import Item
    from asyncllm.http.proxies import Proxy
    from asyncllm.options import Retry, Timeouts

_T = TypeVar("_T")
_at_work: set[SessionManager] = set()


class AsyncGeneratorProvider(Provider):
    """A chat provider that streams its answers.

    Subclasses set the class attributes and write `generate`, and `encode` if they make a body
    before anything is sent. For `isinstance`, every `Provider` is one.

    Args:
        base_url: the server's address; default: `ASYNCLLM_<NAME>_BASE_URL`, then `url`.
        api_key: default: `ASYNCLLM_<NAME>_API_KEY`.
        model: the model for calls that name none.
        sessions: the session manager to use. Without one, each stream opens its own and closes it
            at its end; `async with Provider() as provider:` keeps one for the block.
        proxy: as `scheme://user:password@host:port`; overrides the session manager's.
        timeouts: override the session manager's.
        retry: overrides the session manager's.
        headers: sent with each request; they override the provider's own.

    Raises:
        ConfigurationError: an option can't be used.

    """

    _address_options: ClassVar[Sequence[str]] = ("base_url",)

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        model: str | None = None,
        sessions: SessionManager | None = None,
        proxy: str | None = None,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sessions=sessions, timeouts=timeouts)
        texts = {"base_url": base_url, "api_key": api_key, "model": model, "proxy": proxy}
        check_given(texts, headers, retry)
        told = self._environment_addresses()
        self.base_url = chosen_address(
            base_url, told, self.url, name=self._label, options=self._address_options
        )
        self.model = self.resolve_model(model or type(self).model)
        self._api_key = api_key or self._environment("API_KEY") or self._default_api_key()
        self._headers = merged_headers(self._own_headers(), headers or {})
        # Whom a server knows: two users, with headers or keys of their own, are never one to it.
        self._identity: Hashable = (self._api_key, frozenset(self._headers.items()))
        # What a provider might quote besides what comes through `Http`.
        self.secrets = (self._api_key or "", *secrets_in(self._headers))
        self._proxy = parse_proxy(proxy)
        self._retry = retry
        if api_key or self._environment("API_KEY") or any(map(is_secret, self._headers)):
            warn_of_plain_http(self.base_url)

    @override
    def __repr__(self) -> str:
        return f"<asyncllm.{type(self).__name__} {self.base_url} {self.model}>"

    @classmethod
    @override
    def __subclasshook__(cls, other: type) -> bool:
        """Take every provider for one: this is the documented name of what all of them are."""
        return (cls is AsyncGeneratorProvider and Provider in other.__mro__[1:]) or NotImplemented

    async def __aenter__(self) -> Self:
        if self._sessions is not None:
            raise ConfigurationError("this provider already has a session manager: open that one")
        self._sessions = SessionManager()
        return self

    async def __aexit__(self, *_: object) -> None:
        sessions, self._sessions = self._sessions, None
        if sessions is not None:
            await sessions.aclose()

    @abstractmethod
    def generate(self, request: Request, http: Http) -> AsyncGenerator[list[Item], None]:
        """Send `request` and yield what arrives: a list of items for each network read.

        The last item is a `Finish`; without one, the stream was cut off. An empty list means that
        the server is writing something that can't be given out before it is complete.

        Args:
            request: what is asked; its `body` is what `encode` made of it.
            http: sends it; there is no other way out.

        Raises:
            AsyncLLMError: there is no answer, or not a complete one.

        """

    def encode(self, request: Request) -> bytes:
        """Return what to send, which `generate` finds as `request.body`; default: nothing.

        It is called once for all attempts, before anything is sent.

        Args:
            request: what is asked; its `body` is still empty.

        Raises:
            ConfigurationError: the request can't be sent as it is.

        """
        return b""

    @override
    def prepare(self, question: Question) -> Begin:
        """Return what begins to answer; see `Provider`."""
        sessions = self._sessions
        proxy = question.proxy or self._proxy or (sessions.proxy if sessions else None)
        request = Request(
            base_url=self.base_url,
            model=self.resolve_model(question.model) if question.model else self.model,
            messages=own_messages(question.messages, self.wire),
            params=question.params,
            extra=question.extra,
        )
        request = with_body(request, self.encode)

        async def begin() -> Begun:
            if sessions is not None:
                return await self._begin(request, sessions, proxy)
            own = SessionManager(timeouts=self._timeouts, retry=self._retry)
            return await begin_under(_alone(own, lambda: self._begin(request, own, proxy)))

        return begin

    @override
    def resolve_model(self, model: str) -> str:
        """Return the full id of a model, given its short name or its full id.

        A provider without `models` accepts any name, because its server knows them.

        Args:
            model: the name; an empty one is returned unchanged.

        Raises:
            ConfigurationError: a short name is not one of `models`.

        """
        return full_id(model, self.models, type(self).__name__)

    async def _ask(self, question: Callable[[Http], Awaitable[_T]]) -> _T:
        """Return what `question` returns that is no stream, within the limits of one."""
        async with contextlib.AsyncExitStack() as stack:
            sessions = self._sessions
            if sessions is None:
                sessions = await stack.enter_async_context(SessionManager())
            http = self._http(sessions, self._proxy or sessions.proxy)
            attempt = partial(_attempted, question, http, self._credentials)
            return await within(self._limits(sessions).first_token, self._trying(attempt, sessions))

    async def _begin(
        self, request: Request, sessions: SessionManager, proxy: Proxy | None
    ) -> Begun:
        """Make as many attempts as it takes to the first batch."""
        http = self._http(sessions, proxy)
        attempt = partial(_attempted, partial(self._attempt, request), http, self._credentials)
        return await self._trying(attempt, sessions)

    async def _attempt(self, request: Request, http: Http) -> Begun:
        """Make one attempt, to the first batch."""
        source = self.generate(request, http)
        return Begun(await anext(source, None), source, source, model=request.model)

    def _trying(
        self, attempt: Callable[[], Awaitable[_T]], sessions: SessionManager
    ) -> Awaitable[_T]:
        return retrying(attempt, self._retry or sessions.retry, self._label, self.secrets)

    def _http(self, sessions: SessionManager, proxy: Proxy | None) -> Http:
        sessions.claim()
        return Http(
            sessions.connections,
            proxy=proxy,
            headers=self._headers,
            connect=self._limits(sessions).connect,
            identity=self._identity,
            secrets=self.secrets,
            max_event_bytes=sessions.max_event_bytes,
            refused_fields=sessions.refused_fields,
        )

    def _environment_addresses(self) -> dict[str, str]:
        """Return where the environment says that the server is, by variable; "" for unset ones."""
        return {_variable(self.name, "BASE_URL"): self._environment("BASE_URL") or ""}

    def _default_api_key(self) -> str | None:
        return None

    def _own_headers(self) -> dict[str, str]:
        return {}

    async def _credentials(self) -> Mapping[str, str]:
        """Return headers that are made anew for each attempt, for tokens that expire."""
        return {}

    def _environment(self, option: str) -> str | None:
        return os.environ.get(_variable(self.name, option))


def _variable(name: str, option: str) -> str:
    """Return the name of the environment's variable for an option of a provider."""
    return f"ASYNCLLM_{name.upper().replace('-', '_')}_{option}"


async def _attempted(
    attempt: Callable[[Http], Awaitable[_T]],
    http: Http,
    credentials: Callable[[], Awaitable[Mapping[str, str]]],
) -> _T:
    """Make one attempt, with credentials of its own where it has some."""
    headers = await credentials()
    return await attempt(http.showing(headers) if headers else http)


async def _alone(
    sessions: SessionManager, begin: Callable[[], Awaitable[Begun]]
) -> AsyncGenerator[Begun, None]:
    """Begin an answer that has a session manager of its own, which is closed at its end."""
    # Held here until it is closed: in a cycle of garbage it would be finalised, connections
    # and all, together with the generator whose own end has yet to delete the conversation.
    _at_work.add(sessions)
    try:
        async with sessions:
            begun = await begin()
            del begin  # which holds the request's body, and nobody needs that any more
            async with contextlib.aclosing(begun):
                yield begun
    finally:
        _at_work.discard(sessions)
