"""Anthropic, by its own API; and every server that speaks it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Unpack

import msgspec
from typing_extensions import override

from asyncllm.base.ask import Ask, Next
from asyncllm.base.carried import EVERYTHING
from asyncllm.base.wire import ServerProvider
from asyncllm.errors import ConfigurationError
from asyncllm.events import About
from asyncllm.hints import check_kind
from asyncllm.options import Timeouts
from asyncllm.providers.keys import KEY_VARIABLES
from asyncllm.wires.anthropic import MessageTranslator, body_of
from asyncllm.wires.anthropic.caching import mark
from asyncllm.wires.anthropic.models import page_of
from asyncllm.wires.failures import explained
from asyncllm.wires.loose import as_list, as_mapping

if TYPE_CHECKING:
    from asyncllm.base.request import ProviderOptions, Request
    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.http import Http
    from asyncllm.wires import Translator

_MESSAGES, _MODELS = "/v1/messages", "/v1/models"
_KEY, _TOKEN = KEY_VARIABLES["anthropic"]
_URL = "ANTHROPIC_BASE_URL"
_BETA = "anthropic-beta"
_TOLD = ("request-id", "anthropic-ratelimit-", "anthropic-priority-")  # what headers begin with
_MOST_TOKENS = 16_384
_MOST_PAUSES = 8
_PAGE, _MOST_PAGES = 1000, 100
_SHOWN_VERSION = '"2023-06-01"'
_IS_VERSION = re.compile(r"\d{4}-\d\d-\d\d").fullmatch


class Anthropic(ServerProvider):
    """Anthropic, with the key in `api_key` or `ANTHROPIC_API_KEY`.

    Args:
        auth_token: a token to send instead of a key, as gateways want it; default:
            `ANTHROPIC_AUTH_TOKEN`, if there is no key.
        max_tokens: the maximum number of tokens in an answer, thinking included, for calls that set
            none; a budget for thinking is added.
        cache: what to cache of each request: True, a time ("5m", "1h"), or the names of "tools",
            "system" and "messages". A call's own `cache=` takes precedence.
        betas: the names of features to ask for (the header `anthropic-beta`); a call's own `betas=`
            are added.
        version: the version of the API (the header `anthropic-version`): "2023-06-01" or
            "2026-10-21".
        options: as for every provider.

    Raises:
        ConfigurationError: an option can't be used.

    """

    wire = "anthropic"
    carries = EVERYTHING
    url = "https://api.anthropic.com"
    needs_auth = True
    # At its greatest effort, a model was seen to send nothing but keep-alives for over two minutes.
    default_timeouts = Timeouts(first_token=600, stall=600)
    elsewhere: ClassVar[Mapping[str, str]] = {
        **ServerProvider.elsewhere,
        "anthropic_version": "did you mean version=…?",
        "default_max_tokens": "did you mean max_tokens=…?",
    }

    def __init__(
        self,
        *,
        auth_token: str | None = None,
        max_tokens: int = _MOST_TOKENS,
        cache: bool | str | Sequence[str] | Mapping[str, object] | None = None,
        betas: Sequence[str] = (),
        version: str = "2023-06-01",
        **options: Unpack[ProviderOptions],
    ) -> None:
        check_kind("auth_token", auth_token, str, "a str")
        check_kind("version", version, str, f"a str such as {_SHOWN_VERSION}")
        if not _IS_VERSION(version):
            raise ConfigurationError(f"version must be a date such as {_SHOWN_VERSION}")
        mark({}, cache)
        if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
            raise ConfigurationError(
                f"max_tokens must be a whole number of at least 1, not {max_tokens!r}"
            )
        if auth_token and options.get("api_key"):
            raise ConfigurationError("pass api_key= or auth_token=, not both")
        self._auth_token = auth_token or ""
        self._max_tokens = max_tokens
        self._cache = cache
        self._betas = _checked_betas(betas)
        self._version = version
        super().__init__(**options)
        self.base_url = self.base_url.removesuffix(_MESSAGES).removesuffix("/v1")

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        Raises:
            ConfigurationError: the API has no place for something, or a key or a model is missing.

        """
        given = {name.lower(): value for name, value in self._headers.items()}
        if self.base_url == self.url and given.keys().isdisjoint({"x-api-key", "authorization"}):
            raise ConfigurationError(f"Anthropic needs an API key: pass api_key=, or set {_KEY}")
        if not request.model:
            raise ConfigurationError(
                "Anthropic needs a model: pass model=; list_models() lists them"
            )
        params = dict(request.params)
        params.setdefault("cache", self._cache)
        betas = [*self._betas, *_checked_betas(params.pop("betas", ()))]
        betas += given[_BETA].split(",") if _BETA in given and betas else []
        body = body_of(
            request.model,
            request.messages,
            params,
            max_tokens=self._max_tokens,
            version=self._version,
        )
        headers = {_BETA: ",".join(dict.fromkeys(betas))} if betas else {}
        return Ask(_MESSAGES, body, headers=headers)

    @override
    def translator(self, request: Request) -> MessageTranslator:
        """Return what reads one answer."""
        return MessageTranslator(most_pauses=_MOST_PAUSES)

    @override
    def go_on(
        self, request: Request, translator: Translator, error: AsyncLLMError | None
    ) -> Next | None:
        """Return how an answer continues that the server has paused during its own tools."""
        if not isinstance(translator, MessageTranslator) or not translator.is_paused:
            return None
        turn, ask = translator.turn, self.ask(request)
        asked, said = as_mapping(ask.body), {"role": "assistant", "content": turn.blocks}
        place: dict[str, object] = {"container": turn.container} if turn.container else {}
        body = {**asked, **place, "messages": [*as_list(asked.get("messages")), said]}
        following = MessageTranslator(turn, most_pauses=_MOST_PAUSES)
        return Next(msgspec.structs.replace(ask, body=body), following)

    @override
    def explain(self, request: Request, error: AsyncLLMError) -> AsyncLLMError:
        """Return a refusal as the error that its body says, such as `ContextLengthError`."""
        return explained(error)

    @override
    def about_response(self, headers: Mapping[str, str]) -> About | None:
        """Return the request's id and what is left of the limits, by the names of the headers."""
        told = {name.lower(): value for name, value in headers.items()}
        extra = {name: value for name, value in told.items() if name.startswith(_TOLD)}
        return About(extra=extra) if extra else None

    @override
    async def list_models(self) -> list[str]:
        """Return the ids of the server's models.

        Raises:
            AsyncLLMError: the list could not be read.

        """

        async def question(http: Http) -> list[str]:
            ids: dict[str, None] = {}
            query = {"limit": str(_PAGE)}
            for _ in range(_MOST_PAGES):
                url = f"{self.base_url}{_MODELS}"
                async with http.open("GET", url, query=query) as response:
                    page = page_of(await response.read())
                ids |= dict.fromkeys(page.ids)
                if not (page.has_more and page.last_id):
                    break
                query["after_id"] = page.last_id
            return list(ids)

        return await self._ask(question)

    @override
    def _default_api_key(self) -> str | None:
        return os.environ.get(_KEY)

    @override
    def _environment_addresses(self) -> dict[str, str]:
        return super()._environment_addresses() | {_URL: os.environ.get(_URL, "")}

    @override
    def _own_headers(self) -> dict[str, str]:
        headers = {"anthropic-version": self._version}
        token = self._auth_token or ("" if self._api_key else os.environ.get(_TOKEN, ""))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        elif self._api_key:
            headers["x-api-key"] = self._api_key
        return headers


def _checked_betas(betas: object) -> list[str]:
    if isinstance(betas, str):
        return [betas]
    if isinstance(betas, Sequence) and all(isinstance(each, str) for each in betas):
        return list(betas)
    raise ConfigurationError('betas must be a list of str, such as ["context-1m-2025-08-07"]')
