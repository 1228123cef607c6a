"""Lockchat: OpenAI's chat wire with its token in the query, and a passing fault of its own."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Unpack

from typing_extensions import override

from asyncllm.errors import HTTPStatusError, NotFoundError
from asyncllm.providers.openai import OpenAICompatible

if TYPE_CHECKING:
    from asyncllm.base.request import ProviderOptions, Request
    from asyncllm.errors import AsyncLLMError

_DOCUMENTED_TOKEN = "FnMNPlwZEnGFqvEc9470Vw=="  # noqa: S105 - public, in the provider's documents
_PASSING_FAULT = re.compile(r"The model:? `?[^`\s]+`? does not exist", re.IGNORECASE)


class Lockchat(OpenAICompatible):
    """Lockchat, whose public endpoint no longer responds: pass another `base_url`.

    "The model does not exist" is a passing fault of this server, and is retried.

    Args:
        auth: the token that is sent in the query; default: `ASYNCLLM_LOCKCHAT_API_KEY`, then the
            documented public one. `api_key` means the same.
        options: as for every provider.

    """

    url = "http://super.lockchat.app"
    path = "/v1/chat/completions"
    model = "gpt-4"
    models = MappingProxyType({name: name for name in ("gpt-4", "gpt-3.5-turbo")})
    defaults = MappingProxyType({"temperature": 0.7})
    asks_usage = False

    def __init__(self, *, auth: str | None = None, **options: Unpack[ProviderOptions]) -> None:
        if auth is not None:
            options["api_key"] = auth
        super().__init__(**options)

    @override
    def explain(self, request: Request, error: AsyncLLMError) -> AsyncLLMError:
        """Return the passing fault as a `NotFoundError` that is tried again."""
        said = error.body if isinstance(error, HTTPStatusError) else str(error)
        found = _PASSING_FAULT.search(said)
        if found is None:
            return super().explain(request, error)
        url = f"{request.base_url}{self.path}"
        fault = NotFoundError("POST", url, status=404, message=found.group(), body=said)
        fault.is_passing = True
        return fault

    @override
    def _default_api_key(self) -> str:
        return _DOCUMENTED_TOKEN

    @override
    def _own_headers(self) -> dict[str, str]:
        return {"user-agent": "ChatX/39 CFNetwork/1408.0.4 Darwin/22.5.0"}

    @override
    def _query(self) -> dict[str, str]:
        return {"auth": self._api_key or ""}
