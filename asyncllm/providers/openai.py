"""OpenAI's chat wire: OpenAI itself, and every server that speaks it."""

from __future__ import annotations

import os
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Unpack

from typing_extensions import override

from asyncllm.base.address import check_end
from asyncllm.base.ask import Ask
from asyncllm.base.carried import EVERYTHING
from asyncllm.base.wire import ServerProvider
from asyncllm.errors import ConfigurationError, HTTPStatusError, NotFoundError
from asyncllm.providers.services import SERVICES, Service, url_of_host
from asyncllm.wires.failures import explained
from asyncllm.wires.openai_chat import ChatTranslator, openai_messages
from asyncllm.wires.openai_chat.models import model_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncllm.base.request import ProviderOptions, Request
    from asyncllm.errors import AsyncLLMError, BadRequestError
    from asyncllm.http.http import Http
    from asyncllm.wires import Translator

_USAGE_OPTION = "stream_options"
_CHAT = "/chat/completions"
_ENDS = (_CHAT, "/responses")
_IS_VERSION = re.compile(r"v\d").match  # /v1, and Gemini's /v1beta


class OpenAICompatible(ServerProvider):
    """Any server with OpenAI's chat API.

    Parameters are sent unchanged: tools, tool_choice, response_format, logprobs and whatever else
    the server knows. asyncllm asks for the usage. If a server refuses that, it is asked again
    without it, and the same session manager does not try it again.

    Args:
        service: a row of the table of services, which holds the address and where the key comes
            from; or pass `base_url`, with the path up to `/chat/completions`.
        options: as for every provider.

    Attributes:
        path: what follows the base URL.
        defaults: parameters to send if the caller sets no others.
        asks_usage: whether to ask for usage.
        service: the row of the table, or None.

    Raises:
        ConfigurationError: an option can't be used, or there is no base URL.

    """

    wire = "openai"
    carries = EVERYTHING - {"prefill"}
    path: ClassVar[str] = _CHAT
    defaults: ClassVar[Mapping[str, object]] = MappingProxyType({})
    asks_usage: ClassVar[bool] = True
    service: Service | None = None

    def __init__(
        self, *, service: Service | None = None, **options: Unpack[ProviderOptions]
    ) -> None:
        if service is not None:
            self.service = service
            self.url = service.base_url
        super().__init__(**options)
        if self.path.endswith(_ENDS):
            known = rf"{re.escape(self.path)}|/(?:chat/)?completions|(?<=/v\d)/(?:models|responses)"
            check_end(self.base_url, known)

    @property
    @override
    def name(self) -> str:
        """What the environment and the registry call this provider."""
        return super().name if self._served is None else self._served.name

    @property
    @override
    def _label(self) -> str:
        return super()._label if self._served is None else self._served.name

    @override
    def resolve_model(self, model: str) -> str:
        """Return the full id of a model; a name that is not a short name is left to the server.

        Args:
            model: the name.

        """
        return self.models.get(model, model)

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        Raises:
            ConfigurationError: the service wants a key or a model that is missing.

        """
        self._check_askable(request)
        asks_usage = self.asks_usage and _USAGE_OPTION not in request.without
        asked: dict[str, object] = {_USAGE_OPTION: {"include_usage": True}} if asks_usage else {}
        named: dict[str, object] = {"model": request.model} if request.model else {}
        body = {
            **named,
            **self.defaults,
            "messages": openai_messages(request.messages),
            "stream": True,
            **asked,
            **request.params,
        }
        return Ask(self._path(request.model), body, query=self._query())

    @override
    def translator(self, request: Request) -> Translator:
        """Return what reads one answer."""
        return ChatTranslator()

    @override
    def explain(self, request: Request, error: AsyncLLMError) -> AsyncLLMError:
        """Return a refusal as the error that its body says, such as `ContextLengthError`."""
        if not isinstance(error, HTTPStatusError):
            return error
        self._add_hint(error)
        return explained(error)

    @override
    def refused_field(self, request: Request, error: BadRequestError) -> str:
        """Return the field that asks for usage, where the server does not know it."""
        is_ours = self.asks_usage and _USAGE_OPTION not in request.given
        return _USAGE_OPTION if is_ours and _USAGE_OPTION in error.body else ""

    @override
    async def list_models(self) -> list[str]:
        """Return the ids of the server's models.

        Raises:
            AsyncLLMError: the list could not be read.

        """

        async def question(http: Http) -> list[str]:
            url = f"{self.base_url}{_before_end(self.path)}/models"
            try:
                async with http.open("GET", url, query=self._query()) as response:
                    return model_ids(await response.read())
            except NotFoundError as error:
                if not self.models:
                    self._add_hint(error)
                    raise
            return list(self.models.values())  # which the class knows where its server has no list

        return await self._ask(question)

    @property
    def _served(self) -> Service | None:
        """The service; None for a subclass of it with a URL of its own, which is another one.

        What the environment has for a service, such as its key, is not for others.
        """
        service = self.service
        return service if service and self.url == service.base_url else None

    @property
    def _is_at_home(self) -> bool:
        return self.base_url == self.url

    def _check_askable(self, request: Request) -> None:
        """Refuse what the service answers nobody.

        Raises:
            ConfigurationError: it wants a key or a model that is missing.

        """
        service = self._served
        needs_more = service and service.needs_auth and self._is_at_home
        if service and needs_more and not self._api_key:
            variables = " or ".join(service.key_variables)
            raise ConfigurationError(
                f"{service.name} needs an API key: pass api_key=, or set {variables}"
            )
        if service and needs_more and not request.model:
            raise ConfigurationError(
                f"{service.name} needs a model: pass model=; list_models() lists them"
            )

    def _path(self, model: str) -> str:
        """Return what follows the base URL where `model` is asked."""
        return self.path

    def _add_hint(self, error: HTTPStatusError) -> None:
        """Say with a 404 what the base URL may lack, unless the server knows what it lacks."""
        if self.path not in _ENDS or self._is_at_home or not isinstance(error, NotFoundError):
            return
        # Without a method it came inside an answer, and so from the right place.
        is_of_model = not error.method or "model" in error.message.lower()
        if not is_of_model and (hint := hint_of_404(self.base_url)):
            error.message = f"{hint}: {error.message}"

    def _query(self) -> dict[str, str]:
        return {}

    @override
    def _default_api_key(self) -> str | None:
        names = self._served.key_variables if self._served else ()
        return next((key for name in names if (key := os.environ.get(name))), None)

    @override
    def _environment_addresses(self) -> dict[str, str]:
        """Return where the environment says that the server is, by variable."""
        addresses, service = super()._environment_addresses(), self._served
        if service is None:
            return addresses
        if service.url_variable:
            addresses[service.url_variable] = os.environ.get(service.url_variable, "")
        if service.host_variable:
            host = os.environ.get(service.host_variable, "")
            addresses[service.host_variable] = host and url_of_host(host, service.base_url)
        return addresses

    @override
    def _own_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}


class OpenAI(OpenAICompatible):
    """OpenAI, with the key in `api_key` or `OPENAI_API_KEY`.

    `OPENAI_ORG_ID` or `OPENAI_ORGANIZATION`, and `OPENAI_PROJECT_ID`, name the account; they are
    sent to OpenAI alone. `OPENAI_BASE_URL` names another server.
    """

    service = SERVICES["openai"]
    url = SERVICES["openai"].base_url
    needs_auth = True

    @override
    def _own_headers(self) -> dict[str, str]:
        headers = super()._own_headers()
        if self.base_url == SERVICES["openai"].base_url:
            told = os.environ.get
            organization = told("OPENAI_ORG_ID") or told("OPENAI_ORGANIZATION")
            account = {
                "OpenAI-Organization": organization,
                "OpenAI-Project": told("OPENAI_PROJECT_ID"),
            }
            headers |= {name: value for name, value in account.items() if value}
        return headers


def _before_end(path: str) -> str:
    """Return what of a path comes before the wire's own end."""
    return next((path.removesuffix(end) for end in _ENDS if path.endswith(end)), path)


def hint_of_404(base_url: str) -> str:
    """Return what a 404 may mean at a base URL that has no version in its path, or ""."""
    *_, path = base_url.partition("://")
    parts = path.split("/")[1:]
    if "deployments" in parts or any(map(_IS_VERSION, parts)):
        return ""
    return f"the base URL may lack /v1: try base_url={base_url + '/v1'!r}"
