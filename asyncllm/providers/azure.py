"""Azure OpenAI: OpenAI's chat wire at a resource of one's own, with deployments for models.

Wire facts: Azure's REST reference, of the API `v1` and of the dated ones before it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Unpack
from urllib.parse import quote, unquote

from typing_extensions import override

from asyncllm.errors import ConfigurationError
from asyncllm.hints import check_kind
from asyncllm.providers.keys import KEY_VARIABLES
from asyncllm.providers.openai import OpenAICompatible

if TYPE_CHECKING:
    from asyncllm.base.ask import Ask
    from asyncllm.base.request import ProviderOptions, Request
    from asyncllm.errors import HTTPStatusError

_ENDPOINT, _VERSION = "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"
(_KEY,) = KEY_VARIABLES["azure"]
_BY_HEADER = 'write headers={"Authorization": "Bearer …"}'
_ENDS = ("/completions", "/responses")
_NO_DATES = ("v1", "preview", "latest")  # of the API v1
_TARGET_URI = re.compile(
    r"(?P<resource>https?://[^/?]+)/openai/(?:v1/|deployments/(?P<deployment>[^/?]+))?[^?]*"
    r"(?:\?(?:.*&)?api-version=(?P<version>[\w-]+).*)?"
)


class AzureOpenAI(OpenAICompatible):
    """Azure OpenAI, with the key in `api_key` or `AZURE_OPENAI_API_KEY`.

    Put a token of Microsoft Entra into `headers={"Authorization": "Bearer …"}` instead of a key.

    Args:
        endpoint: the resource, as `https://NAME.openai.azure.com`; default:
            `AZURE_OPENAI_ENDPOINT`. A `base_url` is used unchanged, with its path.
        deployment: the deployment to ask, which is Azure's word for `model`; either will do.
        api_version: the dated version of the API, such as "2024-10-21"; default:
            `OPENAI_API_VERSION`, then the API `v1`, which has no date.
        options: as for every provider.

    Raises:
        ConfigurationError: an option can't be used, or there is no endpoint.

    """

    needs_auth = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        **OpenAICompatible.elsewhere,
        "azure_endpoint": "write endpoint=…",
        "azure_deployment": "write deployment=…",
        "azure_ad_token": _BY_HEADER,
        "azure_ad_token_provider": _BY_HEADER,
    }
    _address_options = ("endpoint", "base_url")

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        deployment: str | None = None,
        api_version: str | None = None,
        **options: Unpack[ProviderOptions],
    ) -> None:
        for pair in (("endpoint", endpoint, "base_url"), ("deployment", deployment, "model")):
            name, value, other = pair
            check_kind(name, value, str, "a str")
            if value and options.get(other):
                raise ConfigurationError(f"pass {name}= or {other}=, not both")
        check_kind("api_version", api_version, str, 'a str such as "2024-10-21"')
        # At a gateway, say, with keys and paths of its own.
        self._is_elsewhere = bool(options.get("base_url"))
        by_environment = "" if self._is_elsewhere else os.environ.get(_VERSION, "")
        self._version = api_version or by_environment
        if self._version in _NO_DATES:
            name = "api_version" if api_version else _VERSION
            raise ConfigurationError(
                f'{name} must be a date such as "2024-10-21": leave it out for the API v1'
            )
        self._has_address = self._is_elsewhere or bool(endpoint)
        headers = options.get("headers")
        names = headers if isinstance(headers, Mapping) else ()
        told = {str(name).lower() for name in names}
        self._has_token = not told.isdisjoint({"authorization", "api-key"})
        if endpoint:
            options["base_url"] = self._address_of(endpoint, "endpoint")
        if deployment:
            options["model"] = deployment
        super().__init__(**options)

    @property
    @override
    def name(self) -> str:
        """What the environment and the registry call this provider."""
        return "azure" if type(self) is AzureOpenAI else super().name

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        Raises:
            ConfigurationError: there is neither a key nor a token, or no deployment is named.

        """
        if not (self._api_key or self._has_token or self._is_elsewhere):
            raise ConfigurationError(
                f"Azure needs an API key: pass api_key=, or set {_KEY}; put a token of Microsoft "
                'Entra into headers={"Authorization": "Bearer …"}'
            )
        if not request.model:
            raise ConfigurationError("Azure needs a deployment: pass deployment= or model=")
        return super().ask(request)

    def _address_of(self, endpoint: str, name: str) -> str:
        """Return the base URL of a resource, whichever part of it was copied.

        Raises:
            ConfigurationError: it is the URI of a deployment; the message says how to write it.

        """
        if "?" in endpoint or "/deployments/" in endpoint or endpoint.endswith(_ENDS):
            raise ConfigurationError(_instead_of(endpoint, name))
        resource = endpoint.rstrip("/").removesuffix("/v1").removesuffix("/openai").rstrip("/")
        return f"{resource}/openai" if self._version else f"{resource}/openai/v1"

    @override
    def _environment_addresses(self) -> dict[str, str]:
        endpoint = "" if self._has_address else os.environ.get(_ENDPOINT, "")
        own = {_ENDPOINT: endpoint and self._address_of(endpoint, _ENDPOINT)}
        return super()._environment_addresses() | own

    @override
    def _path(self, model: str) -> str:
        return f"/deployments/{quote(model, safe='')}{self.path}" if self._version else self.path

    @override
    def _query(self) -> dict[str, str]:
        return {"api-version": self._version} if self._version else {}

    @override
    def _default_api_key(self) -> str | None:
        return os.environ.get(_KEY)

    @override
    def _own_headers(self) -> dict[str, str]:
        # Azure refuses whoever shows both, and a token that was given is meant.
        return {"api-key": self._api_key} if self._api_key and not self._has_token else {}

    @override
    def _add_hint(self, error: HTTPStatusError) -> None:
        """Add nothing: a 404 of Azure's is about the deployment, and its paths are known."""


def _instead_of(uri: str, name: str) -> str:
    """Return what to write in the place of a deployment's whole URI, as the portal shows it."""
    found = _TARGET_URI.fullmatch(uri)
    if found is None:
        return f"{name} can't be used: write it as https://NAME.openai.azure.com"
    parts = {
        "endpoint": found["resource"],
        "deployment": unquote(found["deployment"] or ""),
        "api_version": found["version"],
    }
    written = ", ".join(f"{name}={part!r}" for name, part in parts.items() if part)
    return f"{name} is more than the resource's address: write AzureOpenAI({written})"
