"""`ServerProvider`: a provider whose wire is two pure functions, what to send and how to read."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Mapping  # noqa: TC003 - the reference reads the annotations
from typing import TYPE_CHECKING, ClassVar

import msgspec
from typing_extensions import override

from asyncllm.base.reading import Reading
from asyncllm.base.server import AsyncGeneratorProvider
from asyncllm.errors import AsyncLLMError, BadRequestError
from asyncllm.framing.json import encode_json
from asyncllm.http.http import RefusedField
from asyncllm.stream.begun import Begun, begin_under

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

    from asyncllm.base.request import Request
    from asyncllm.events import Item
    from asyncllm.framing import Framing
    from asyncllm.http import Http, Response
    from asyncllm.wires import Translator


_MOST_REFUSED = 8  # fields, of one server


class Ask(msgspec.Struct, frozen=True):
    """A request to a server.

    Attributes:
        path: what follows the base URL.
        body: what is sent, as JSON; None for what `encode` made, if anything.
        method: the HTTP method.
        headers: sent with it, over the provider's own.
        query: added to the URL.

    """

    path: str
    body: object = None
    method: str = "POST"
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}

    @override
    def __repr__(self) -> str:
        return f"Ask({self.method} {self.path})"

    @override
    def __rich_repr__(self) -> list[tuple[str, str]]:
        # msgspec's own would show the headers and the query, which may hold a key.
        return [("method", self.method), ("path", self.path)]


class ServerProvider(AsyncGeneratorProvider):
    """A provider that says what to send, and how to read what comes; all else is done for it.

    Subclasses write `ask` and `translator`, which neither wait nor send.

    Attributes:
        framing: what a stream is asked for as: "sse", "json_lines" or "json_array".

    """

    framing: ClassVar[Framing] = "sse"

    @abstractmethod
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        It is called for each attempt, and once before, to refuse what can't be asked. What is
        `extra` goes over a body that is a `dict`, unless the subclass has a way of its own.

        Args:
            request: what is asked; its `conversation_id` is empty where the body alone is wanted.

        Raises:
            ConfigurationError: it can't be asked as it is.

        """

    @abstractmethod
    def translator(self, request: Request) -> Translator:
        """Return what reads one answer.

        Args:
            request: what was asked.

        """

    def refused_field(self, request: Request, error: BadRequestError) -> str:
        """Return the optional field that an answer refuses; "" where it is about something else.

        It is asked again at once, with that in `request.without`; the session manager remembers it.

        Args:
            request: what was asked.
            error: the answer, with its body.

        """
        return ""

    def explain(self, request: Request, error: AsyncLLMError) -> AsyncLLMError:
        """Return the error that tells what `error` means here; default: `error` itself.

        Args:
            request: what was asked.
            error: why there is no answer, or not to its end.

        """
        return error

    @override
    def encode(self, request: Request) -> bytes:
        """Return the body, as JSON; b"" for none.

        Raises:
            ConfigurationError: it can't be asked as it is, or a part of it has no JSON form.

        """
        body = _with_extra(self.ask(request).body, request)
        return b"" if body is None else encode_json(body)

    @override
    async def generate(self, request: Request, http: Http) -> AsyncGenerator[list[Item], None]:
        """Ask, and yield what comes; see `AsyncGeneratorProvider`."""
        async with contextlib.aclosing(self._answering(request, http)) as answering:
            begun = await anext(answering)
            batch = begun.batch
            while batch is not None:
                yield batch
                batch = await anext(begun.source, None)

    @override
    async def _attempt(self, request: Request, http: Http) -> Begun:
        if type(self).generate is not ServerProvider.generate:  # a way of its own
            return await super()._attempt(request, http)
        return await begin_under(self._answering(request, http))

    async def _answering(self, request: Request, http: Http) -> AsyncGenerator[Begun, None]:
        """Ask, and stand at the only `yield` while the answer is read."""
        failure: AsyncLLMError | None = None
        while failure is None:
            request = self._without_refused(request, http)
            opening, reading = self._open(request, http), None
            try:
                async with opening as response:
                    reading = Reading(response, self, request)
                    request = reading.request
                    try:
                        yield Begun(await anext(reading, None), reading, model=request.model)
                    except GeneratorExit:
                        if not reading.is_over:
                            raise
                return
            except AsyncLLMError as error:
                if reading is not None:
                    raise  # which is explained already
                if field := self._newly_refused(request, error):
                    http.refused_fields.add(RefusedField(request.base_url, field))
                    continue
                failure = self.explain(request, error)
                if failure is error:
                    raise
        try:
            raise failure  # outside of the handler: it stands for what it explains
        finally:
            del failure  # its traceback holds this frame: they would be a cycle of garbage

    def _open(self, request: Request, http: Http) -> AbstractAsyncContextManager[Response]:
        """Return what sends `request`; what `ask` made is let go of before an answer is read."""
        ask = self.ask(request)
        # Of this very call: a header may sign the body, or have an id in common with it.
        body = _with_extra(ask.body, request) if ask.body is not None else request.body or None
        url = f"{request.base_url}{ask.path}"
        return http.open(ask.method, url, json=body, headers=ask.headers, query=ask.query)

    def _newly_refused(self, request: Request, error: AsyncLLMError) -> str:
        if not isinstance(error, BadRequestError):
            return ""
        field = self.refused_field(request, error)
        is_known = field in request.without or len(request.without) >= _MOST_REFUSED
        return "" if is_known else field

    def _without_refused(self, request: Request, http: Http) -> Request:
        """Return `request` without the fields that its server has refused."""
        refused = frozenset(field for url, field in http.refused_fields if url == request.base_url)
        if refused == request.without:
            return request
        request = msgspec.structs.replace(request, without=refused)
        return msgspec.structs.replace(request, body=self.encode(request))


def _with_extra(body: object, request: Request) -> object:
    """Return a body with what its caller wants sent as it is."""
    return {**body, **request.extra} if request.extra and isinstance(body, dict) else body
