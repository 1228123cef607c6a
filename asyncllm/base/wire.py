"""`ServerProvider`: a provider whose wire is two pure functions, what to send and how to read."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import msgspec
from typing_extensions import override

from asyncllm.base.ask import Ask, Next, with_extra
from asyncllm.base.reading import Reading
from asyncllm.base.responses import Responses
from asyncllm.base.server import AsyncGeneratorProvider
from asyncllm.errors import AsyncLLMError, BadRequestError
from asyncllm.framing.json import encode_json
from asyncllm.http.http import RefusedField
from asyncllm.stream.begun import Begun, begin_under

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from asyncllm.base.request import Request
    from asyncllm.events import About, Item
    from asyncllm.framing import Framing
    from asyncllm.http import Http
    from asyncllm.wires import Translator


_MOST_REFUSED = 8  # fields, of one server


class ServerProvider(AsyncGeneratorProvider):
    """A provider that says what to send and how to read the answer; asyncllm does the rest.

    Subclasses write `ask` and `translator`, which neither wait nor send.

    Attributes:
        framing: which kind of stream to request: "sse", "json_lines" or "json_array".
        ends_with_body: whether only the end of the body marks the end of an answer, so that an
            event which is cut off there is missing.

    """

    framing: ClassVar[Framing] = "sse"
    ends_with_body: ClassVar[bool] = False

    @abstractmethod
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        It is called for each attempt, and once before, to refuse what can't be asked. `extra` is
        merged over a body that is a `dict`, unless the subclass does something else with it.

        Args:
            request: what is asked; its `conversation_id` is empty if only the body is needed.

        Raises:
            ConfigurationError: it can't be asked as it is.

        """

    @abstractmethod
    def translator(self, request: Request) -> Translator:
        """Return the object that reads one answer.

        Args:
            request: what was asked.

        """

    def refused_field(self, request: Request, error: BadRequestError) -> str:
        """Return the optional field that the server refused; "" if the error is not about one.

        The request is sent again at once, with that field in `request.without`; the session manager
        remembers it.

        Args:
            request: what was asked.
            error: the server's error, with its body.

        """
        return ""

    def explain(self, request: Request, error: AsyncLLMError) -> AsyncLLMError:
        """Return the error that says what `error` means here; default: `error` itself.

        Args:
            request: what was asked.
            error: why there is no answer, or not a complete one.

        """
        return error

    def go_on(
        self, request: Request, translator: Translator, error: AsyncLLMError | None
    ) -> Next | None:
        """Return how an answer continues after its response has ended; None if it does not.

        A server may want another request before the answer is complete, or a broken answer can be
        continued. This is called at the end of each response, so the provider must limit how often
        it continues.

        Args:
            request: what was asked, without its body.
            translator: what has read the response.
            error: the error that ended the response too early; None if it was read completely.

        """
        return None

    def about_response(self, headers: Mapping[str, str]) -> About | None:
        """Return what the headers of a response say, for the reply; None for nothing.

        Args:
            headers: by their names, in any case.

        """
        return None

    @override
    def encode(self, request: Request) -> bytes:
        """Return the body, as JSON; b"" for none.

        Raises:
            ConfigurationError: it can't be asked as it is, or a part of it has no JSON form.

        """
        body = with_extra(self.ask(request).body, request)
        return b"" if body is None else encode_json(body)

    @override
    async def generate(self, request: Request, http: Http) -> AsyncGenerator[list[Item], None]:
        """Send the request and yield what arrives; see `AsyncGeneratorProvider`."""
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
            responses, reading = Responses(http, self.ask(request), request), None
            try:
                async with responses as response:
                    reading = Reading(responses, response, self, request)
                    request = reading.request
                    try:
                        batch = await anext(reading, None)
                        about = self.about_response(response.headers)
                        if batch is not None and about is not None:
                            batch.append(about)
                        yield Begun(batch, reading, model=request.model)
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
