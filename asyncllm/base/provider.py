"""`AsyncGeneratorProvider`: what the author of a provider subclasses, and what its users call."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict, TypeVar

import msgspec

from asyncllm.errors import ConfigurationError
from asyncllm.http.checks import check_base_url, merged_headers, warn_of_plain_http
from asyncllm.http.http import Http
from asyncllm.http.proxies import parse_proxy
from asyncllm.messages import check_messages
from asyncllm.options import MAX_REPLY_BYTES, Timeouts
from asyncllm.redaction import is_secret, secrets_in
from asyncllm.session.manager import SessionManager
from asyncllm.stream.begun import Begun, begin_under
from asyncllm.stream.retry import retrying
from asyncllm.stream.stream import Stream
from asyncllm.stream.within import within
from asyncllm.sync.bridge import run_sync

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterator,
        Mapping,
    )

    from asyncllm.events import Item, Reply
    from asyncllm.http.proxies import Proxy
    from asyncllm.messages import Messages
    from asyncllm.options import Retry

_T = TypeVar("_T")
_at_work: set[SessionManager] = set()


class ProviderOptions(TypedDict, total=False):
    """The options of every provider's constructor; see `AsyncGeneratorProvider`."""

    base_url: str | None
    api_key: str | None
    model: str | None
    sessions: SessionManager | None
    proxy: str | None
    timeouts: Timeouts | None
    retry: Retry | None
    headers: Mapping[str, str] | None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a provider, checked.

    Attributes:
        base_url: where the server is, without a slash at its end.
        model: the full id of the model.
        messages: the messages, each with its role and content.
        params: what the caller gave besides, for the wire.
        body: what the provider's `encode` made of all that.
        conversation_id: the conversation to answer in, where the provider keeps some.

    """

    base_url: str
    model: str
    messages: list[dict[str, object]]
    params: dict[str, object]
    body: bytes = b""
    conversation_id: str = ""


class _Params:
    """The documented `params` string, made from the signature that it describes."""

    def __get__(self, _: object, owner: type[AsyncGeneratorProvider]) -> str:
        return describe_params(f"asyncllm.{owner.__name__}", owner.create_async_generator)


def describe_params(name: str, function: Callable[..., object]) -> str:
    """Return the documented kind of string that says what `function` takes."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    taken = [p for p in inspect.signature(function).parameters.values() if p.kind not in kinds]
    return f"{name} supports: ({', '.join(f'{p.name}: {p.annotation}' for p in taken)})"


class AsyncGeneratorProvider(ABC):
    """A chat provider whose answers are streamed.

    Subclasses set the class attributes and write `generate`; where there is a body to make before
    anything is sent, also `encode`.

    Attributes:
        url: where the public server is.
        model: the full id of the default model; of an instance, of its own.
        models: short name → full id; empty where the server knows its models itself.
        wire: what the wire is called.
        supports_stream: whether answers come piece by piece; true of every provider here.
        needs_auth: whether the public server answers nobody without a key.
        params (str): what `create_async_generator` takes, as the documented kind of string.

    Args:
        base_url: where the server is; default: `ASYNCLLM_<NAME>_BASE_URL`, then `url`.
        api_key: default: `ASYNCLLM_<NAME>_API_KEY`.
        model: the model for calls that name none.
        sessions: the session manager to use. Without one, each stream opens one of its own and
            closes it at its end; `async with Provider() as provider:` keeps one for the block.
        proxy: as `scheme://user:password@host:port`; comes before the session manager's.
        timeouts: come before the session manager's.
        retry: comes before the session manager's.
        headers: sent with each request, in the place of the provider's own of the same name.

    Raises:
        ConfigurationError: an option can't be used.

    """

    url: str = ""
    model: str = ""
    models: ClassVar[Mapping[str, str]] = {}
    wire: ClassVar[str] = ""
    supports_stream: ClassVar[bool] = True
    needs_auth: ClassVar[bool] = False
    params: ClassVar[_Params] = _Params()

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
        self.base_url = check_base_url(base_url or self._environment("BASE_URL") or self.url)
        self.model = self.resolve_model(model or type(self).model)
        self._api_key = api_key or self._environment("API_KEY") or self._default_api_key()
        self._headers = merged_headers(self._own_headers(), headers or {})
        # Whom a server knows: two users, with headers or keys of their own, are never one to it.
        self._identity = (self._api_key, frozenset(self._headers.items()))
        # What a provider might quote besides what comes through `Http`.
        self._secrets = (self._api_key or "", *secrets_in(self._headers))
        self._sessions = sessions
        self._proxy = parse_proxy(proxy)
        self._timeouts = timeouts
        self._retry = retry
        if api_key or self._environment("API_KEY") or self._has_secret_headers():
            warn_of_plain_http(self.base_url)

    def __repr__(self) -> str:
        return f"<asyncllm.{type(self).__name__} {self.base_url} {self.model}>"

    async def __aenter__(self) -> Self:
        if self._sessions is not None:
            raise ConfigurationError("this provider has a session manager already: enter that one")
        self._sessions = SessionManager()
        return self

    async def __aexit__(self, *_: object) -> None:
        sessions, self._sessions = self._sessions, None
        if sessions is not None:
            await sessions.aclose()

    @abstractmethod
    def generate(self, request: Request, http: Http) -> AsyncGenerator[list[Item], None]:
        """Translate: send `request` and yield what comes, a list of items for each network read.

        The last item is a `Finish`: a stream that ends without one was cut off. An empty list says
        that something is being written which can't be given out before it is whole.

        Args:
            request: what is asked, with what `encode` made of it as its `body`.
            http: to send it with; there is no other way out.

        Raises:
            AsyncLLMError: the answer can't be had, or not to its end.

        """

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        proxy: str | None = None,
        keep: bool = True,
        **params: object,
    ) -> Stream:
        """Return the stream of an answer; nothing is sent before it is iterated.

        Args:
            messages: role/content mappings, or a `str` for one user message.
            model: a short name or a full id; default: the provider's.
            proxy: for this call; comes before the provider's.
            keep: whether its reply keeps the text and the reasoning. Without, an answer may be of
                any length, and an error has no part of its text.
            params: for the wire, such as temperature, max_tokens, top_p, stop or seed.

        Raises:
            ConfigurationError: an argument can't be used.

        """
        sessions, timeouts = self._sessions, self._timeouts
        nearest = parse_proxy(proxy) or self._proxy or (sessions.proxy if sessions else None)
        request = Request(
            base_url=self.base_url,
            model=self.resolve_model(model) if model else self.model,
            messages=check_messages(messages),
            params=params,
        )
        request = msgspec.structs.replace(request, body=self.encode(request))

        async def begin_answer() -> Begun:
            if sessions is not None:
                return await self._begin(request, sessions, nearest)
            return await begin_under(self._run_alone(request, nearest))

        return Stream(
            begin_answer,
            name=type(self).__name__,
            model=request.model,
            timeouts=timeouts or (sessions.timeouts if sessions else Timeouts()),
            owner=sessions,
            secrets=self._secrets,
            keep=keep,
            max_reply_bytes=sessions.max_reply_bytes if sessions else MAX_REPLY_BYTES,
        )

    async def complete(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        proxy: str | None = None,
        **params: object,
    ) -> Reply:
        """Return the whole reply.

        Args:
            messages: role/content mappings, or a `str` for one user message.
            model: a short name or a full id; default: the provider's.
            proxy: for this call; comes before the provider's.
            params: for the wire, as for `stream`.

        Raises:
            ConfigurationError: an argument can't be used.
            AsyncLLMError: the answer can't be had, or not to its end.

        """
        whole = self.stream(messages, model=model, proxy=proxy, keep=True, **params)
        async with whole as stream:
            return await stream.collect()

    @classmethod
    async def create_async_generator(
        cls, model: str | None, messages: Messages, proxy: str | None = None, **kwargs: Any
    ) -> AsyncIterator[str]:
        """Yield the answer's text, piece by piece; the documented interface.

        Args:
            model: a short name or a full id; empty or None for the default.
            messages: role/content mappings, or a `str` for one user message.
            proxy: as `scheme://user:password@host:port`.
            kwargs: for the wire, and the constructor's options by their names.

        Raises:
            ConfigurationError: an argument can't be used.
            AsyncLLMError: the answer can't be had, or not to its end; a failed HTTP step is an
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
            stream: whether to yield it piece by piece; False yields the whole text once.
            kwargs: for the wire, and the constructor's options by their names.

        Raises:
            ConfigurationError: an argument can't be used.
            AsyncLLMError: the answer can't be had, or not to its end.

        """
        provider = cls._from(kwargs)
        with run_sync(provider.stream(messages, model=model, **kwargs)) as tokens:
            if stream:
                yield from tokens
            else:
                yield "".join(tokens)

    @classmethod
    async def create_async(cls, model: str | None, messages: Messages, **kwargs: Any) -> str:
        """Return the answer's whole text; the documented interface.

        Args:
            model: a short name or a full id; empty or None for the default.
            messages: role/content mappings, or a `str` for one user message.
            kwargs: as for `create_async_generator`, `proxy` included.

        Raises:
            ConfigurationError: an argument can't be used.
            AsyncLLMError: the answer can't be had, or not to its end.

        """
        tokens = cls.create_async_generator(model, messages, **kwargs)
        return "".join([token async for token in tokens])

    def resolve_model(self, model: str) -> str:
        """Return the full id of a model named shortly or fully.

        Any name will do for a provider without `models`: its server knows.

        Args:
            model: the name; an empty one is returned as it is.

        Raises:
            ConfigurationError: a short name is not one of `models`.

        """
        if not (model and self.models) or model in self.models.values() or "/" in model:
            return model
        if model in self.models:
            return self.models[model]
        raise ConfigurationError(
            f"{type(self).__name__} knows no model {model!r}{nearest_match(model, self.models)}; "
            f"it knows {', '.join(self.models)}, and any full id with a slash in it"
        )

    def encode(self, request: Request) -> bytes:
        """Return what is to be sent, for `generate` to find as `request.body`; default: nothing.

        It is called before anything is sent, once for all attempts.

        Args:
            request: what is asked; its `body` is still empty.

        Raises:
            ConfigurationError: the request can't be sent as it is.

        """
        return b""

    @classmethod
    def _from(cls, kwargs: dict[str, Any]) -> Self:
        """Return a provider with the constructor's options, which are taken out of `kwargs`."""
        taken = inspect.signature(cls.__init__).parameters.keys() | ProviderOptions.__annotations__
        names = taken - {"self", "model", "proxy", "options"}
        return cls(**{name: kwargs.pop(name) for name in names & kwargs.keys()})

    @property
    def name(self) -> str:
        """What the environment and the registry call this provider."""
        return type(self).__name__.lower()

    async def _ask(self, question: Callable[[Http], Awaitable[_T]]) -> _T:
        """Return what `question` returns that is no stream, within the limits of one."""
        async with contextlib.AsyncExitStack() as stack:
            sessions = self._sessions
            if sessions is None:
                sessions = await stack.enter_async_context(SessionManager())
            http = self._http(sessions, self._proxy or sessions.proxy)
            retry = self._retry or sessions.retry
            limit = (self._timeouts or sessions.timeouts).first_token
            asking = retrying(lambda: question(http), retry, self.name, self._secrets)
            return await within(limit, asking)

    def _default_api_key(self) -> str | None:
        return None

    def _own_headers(self) -> dict[str, str]:
        return {}

    def _environment(self, option: str) -> str | None:
        return os.environ.get(f"ASYNCLLM_{self.name.upper()}_{option}")

    def _has_secret_headers(self) -> bool:
        return any(map(is_secret, self._headers))

    def _http(self, sessions: SessionManager, proxy: Proxy | None) -> Http:
        return Http(
            sessions.connections,
            proxy=proxy,
            headers=self._headers,
            connect=(self._timeouts or sessions.timeouts).connect,
            identity=self._identity,
            secrets=self._secrets,
        )

    async def _begin(
        self, request: Request, sessions: SessionManager, proxy: Proxy | None
    ) -> Begun:
        """Make as many attempts as it takes to the first batch."""
        http = self._http(sessions, proxy)

        async def attempt() -> Begun:
            source = self.generate(request, http)
            return Begun(await anext(source, None), source, source)

        return await retrying(
            attempt, self._retry or sessions.retry, type(self).__name__, self._secrets
        )

    async def _run_alone(
        self, request: Request, proxy: Proxy | None
    ) -> AsyncGenerator[Begun, None]:
        """Run a stream with a session manager of its own."""
        sessions = SessionManager(timeouts=self._timeouts, retry=self._retry)
        # Held here until it is closed: in a cycle of garbage it would be finalised, connections
        # and all, together with the generator whose own end has yet to delete the conversation.
        _at_work.add(sessions)
        try:
            async with sessions:
                begun = await self._begin(request, sessions, proxy)
                async with contextlib.aclosing(begun.lease):
                    yield begun
        finally:
            _at_work.discard(sessions)


def nearest_match(name: str, known: Mapping[str, object]) -> str:
    """Return a hint at the known name that is most like `name`, or ""."""
    found = difflib.get_close_matches(name.lower(), known, n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""
