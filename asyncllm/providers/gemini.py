"""Gemini, by Google's own wire: the Gemini API, and Vertex AI."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, ClassVar, Unpack
from urllib.parse import quote

import msgspec
from typing_extensions import override

from asyncllm.base.address import check_end
from asyncllm.base.ask import Ask, Next
from asyncllm.base.carried import EVERYTHING
from asyncllm.base.wire import ServerProvider
from asyncllm.errors import BadRequestError, ConfigurationError, ProtocolError
from asyncllm.framing.json import encode_json
from asyncllm.hints import check_kind
from asyncllm.http import warn_of_plain_http
from asyncllm.options import Timeouts
from asyncllm.providers.google_cloud import check_token, given_token, place_of
from asyncllm.providers.keys import KEY_VARIABLES
from asyncllm.wires.failures import explained
from asyncllm.wires.gemini import GeminiTranslator, gemini_contents, gemini_parameters
from asyncllm.wires.gemini.models import models_of
from asyncllm.wires.loose import as_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncllm.base.request import ProviderOptions, Request
    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.http import Http
    from asyncllm.providers.google_cloud import Place, Token
    from asyncllm.wires import Translator

_HOME = "https://generativelanguage.googleapis.com"
_KEYS = KEY_VARIABLES["gemini"]
_ENDS_IN_VERSION = re.compile(r"/v\d+\w*$").search
_ENDS_IN_OPENAI = "/openai"
_OTHER_ENDS = r"/models/[^/]+:\w+|(?<=/v1beta)/models|(?<=/v1)/models"
_PROJECTS = "projects/"
_PLACES_OF_MODELS = (_PROJECTS, "publishers/", "models/", "endpoints/")  # in Vertex AI
_TOKEN_PLACES = ("body, config", "body", "config")
_PAGE_SIZE, _MOST_PAGES = "1000", 100


class Gemini(ServerProvider):
    """Google's Gemini, with the key in `api_key`, `GEMINI_API_KEY` or `GOOGLE_API_KEY`.

    With `project`, `location` or `token` it is Gemini in Vertex AI, which takes no key.

    Args:
        project: the Google Cloud project; default: `GOOGLE_CLOUD_PROJECT`.
        location: the location of the project, such as "europe-west4"; default:
            `GOOGLE_CLOUD_LOCATION`, then "global".
        token: an OAuth access token; or a function that returns one, which is called for each
            attempt. If it is not `async`, it is called in a thread, because it may ask Google.
        options: as for every provider.

    Raises:
        ConfigurationError: an option can't be used, or the project is missing.

    """

    url = _HOME
    wire = "gemini"
    carries = EVERYTHING - {"prefill"}
    needs_auth = True
    ends_with_body = True  # a reason to finish may stand in every chunk
    # Nothing comes while it thinks, unless its thoughts are asked for.
    default_timeouts: ClassVar[Timeouts] = Timeouts(first_token=300.0, stall=180.0)

    def __init__(
        self,
        *,
        project: str | None = None,
        location: str | None = None,
        token: Token | None = None,
        **options: Unpack[ProviderOptions],
    ) -> None:
        check_kind("project", project, str, "a str")
        check_kind("location", location, str, "a str")
        check_token(token)
        self._token = token or None
        self._vertex: Place | None = None
        if project or location or token:
            if options.get("api_key"):
                raise ConfigurationError("Vertex AI takes no api_key: pass token=")
            self._vertex = place_of(project, location)
            self.url = self._vertex.url
        super().__init__(**options)
        if self.base_url.endswith(_ENDS_IN_OPENAI):
            raise ConfigurationError(
                f"the base URL {self.base_url!r} is Google's OpenAI endpoint: use "
                'asyncllm.provider("gemini-openai"), or for Gemini itself leave out what follows '
                "the "
                "version"
            )
        check_end(self.base_url, _OTHER_ENDS)
        if callable(token):
            warn_of_plain_http(self.base_url)
            self._identity = (self._identity, _Source())

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        Raises:
            ConfigurationError: a key, a token or a model is missing, or something has no
                place in this API.

        """
        self._check_credentials()
        model = request.model
        if not model or ".." in model:
            raise ConfigurationError("Gemini needs a model: pass model=; list_models() lists them")
        contents, system = gemini_contents(request.messages, model)
        body: dict[str, object] = {"contents": contents}
        if system is not None:
            body["systemInstruction"] = system
        body |= gemini_parameters(request.params, model)
        return Ask(f"{self._path_of(model)}:streamGenerateContent", body, query={"alt": "sse"})

    @override
    def translator(self, request: Request) -> GeminiTranslator:
        """Return what reads one answer."""
        return GeminiTranslator()

    @override
    def go_on(
        self, request: Request, translator: Translator, error: AsyncLLMError | None
    ) -> Next | None:
        """Return how to ask for the rest, where the server said that there is one.

        Google's SDK has the token in the body itself, and others have it in `generationConfig`: it
        is sent in both, and where that is refused in one of them after the other.
        """
        if not isinstance(translator, GeminiTranslator) or not translator.token:
            return None
        if error is None:
            translator.go_on()
        else:
            translator.refusals += 1
        is_refused = isinstance(error, BadRequestError) and error.method
        if (error is not None and not is_refused) or translator.refusals >= len(_TOKEN_PLACES):
            return None
        ask, token = self.ask(request), {"continuationToken": translator.token}
        body = {**as_mapping(ask.body), **request.extra}
        places = _TOKEN_PLACES[translator.refusals]
        if "body" in places:
            body |= token
        if "config" in places:
            body["generationConfig"] = as_mapping(body.get("generationConfig")) | token
        # As bytes, since what is `extra` would go over the token.
        return Next(msgspec.structs.replace(ask, body=encode_json(body)), translator)

    @override
    def explain(self, request: Request, error: AsyncLLMError) -> AsyncLLMError:
        """Return a refusal as the error that its body says, such as `ContextLengthError`."""
        return explained(error)

    @override
    async def list_models(self) -> list[str]:
        """Return the ids of the models that answer, from all pages of the server's list.

        Raises:
            AsyncLLMError: the list could not be read.

        """
        self._check_credentials()
        path = "/publishers/google/models" if self._vertex else "/models"
        url = f"{self.base_url}{self._version}{path}"

        async def question(http: Http) -> list[str]:
            found: dict[str, None] = {}
            query = {"pageSize": _PAGE_SIZE}
            for _ in range(_MOST_PAGES):
                async with http.open("GET", url, query=query) as response:
                    ids, following = models_of(await response.read())
                found |= dict.fromkeys(ids)
                if not following:
                    return [*found]
                query["pageToken"] = following
            raise ProtocolError(f"the server's list of models has more than {_MOST_PAGES} pages")

        return await self._ask(question)

    @property
    def _version(self) -> str:
        """The version's part of the path, unless the base URL has it."""
        if _ENDS_IN_VERSION(self.base_url):
            return ""
        return "/v1beta1" if self._vertex else "/v1beta"

    @property
    def _place(self) -> str:
        return f"{self._version}{self._vertex.path if self._vertex else ''}"

    def _path_of(self, model: str) -> str:
        """Return the path of a model: short for Google's own, otherwise as it is."""
        if "/" not in model:
            model = f"{'publishers/google/' if self._vertex else ''}models/{model}"
        elif self._vertex and not model.startswith(_PLACES_OF_MODELS):
            publisher, _, name = model.partition("/")
            model = f"publishers/{publisher}/models/{name}"
        is_whole = self._vertex and model.startswith(_PROJECTS)
        return f"{self._version if is_whole else self._place}/{quote(model)}"

    def _check_credentials(self) -> None:
        if self.base_url != self.url or "authorization" in map(str.lower, self._headers):
            return
        if self._vertex and not self._token:
            raise ConfigurationError(
                "Vertex AI needs an access token: pass token=, or a function that returns one"
            )
        if not (self._vertex or self._api_key):
            raise ConfigurationError(
                f"Gemini needs an API key: pass api_key=, or set {' or '.join(_KEYS)}"
            )

    @override
    async def _credentials(self) -> Mapping[str, str]:
        """Return the token that a function gives now."""
        if not callable(self._token):
            return {}
        return {"Authorization": f"Bearer {await given_token(self._token)}"}

    @override
    def _default_api_key(self) -> str | None:
        if self._vertex or type(self).url != _HOME:  # what is Google's is not for others
            return None
        return next((key for name in _KEYS if (key := os.environ.get(name))), None)

    @override
    def _own_headers(self) -> dict[str, str]:
        if isinstance(self._token, str):
            return {"Authorization": f"Bearer {self._token}"}
        is_keyed = self._api_key and not self._vertex
        return {"x-goog-api-key": self._api_key or ""} if is_keyed else {}


class _Source:
    """Stands for whoever a token is of, whose cookies are nobody else's."""
