"""ChatUI: chat-ui of today, HuggingChat's server, as people host it themselves.

Wire facts: chat-ui 0.20.0, its requests and streams as a server answered them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Unpack, cast
from urllib.parse import urlsplit

from typing_extensions import override

from asyncllm.base.ask import Ask, Next
from asyncllm.base.common import on_the_wire
from asyncllm.base.conversation import ConversationProvider
from asyncllm.base.wire import ServerProvider
from asyncllm.errors import (
    ConfigurationError,
    HTTPStatusError,
    NotFoundError,
    ProtocolError,
    StreamInterrupted,
    TransportError,
)
from asyncllm.http import path_segment
from asyncllm.providers.chatui_server import ChatUIServer, explained, models_of, wants_login
from asyncllm.wires import chatui_page
from asyncllm.wires.chatui import ChatUITranslator
from asyncllm.wires.chatui_form import Place, completed, form_of, media_type_of, preprompt_of

if TYPE_CHECKING:
    from asyncllm.base.request import ProviderOptions, Request
    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.http import Http
    from asyncllm.wires import Translator

_FIRST_WAIT = 0.1  # seconds before what was broken is taken up again; each time twice as long
_MOST_TRIES = 4  # that bring nothing
_PREPROMPT = "preprompt"
_OF_NOBODY = {"origin", "user-agent"}  # headers that log nobody in


class ChatUI(ConversationProvider, ServerProvider):
    """Today's chat-ui, and any server with its API; for the chat-ui of 2023 use `H2o`.

    Pass `base_url` with the path at which it is served, such as `https://chat.example.com/chat`,
    and a `model`: `list_models()` lists them. If it requires a login, pass
    `headers={"Cookie": "hf-chat=…"}`.

    It takes no common parameters, because chat-ui has no place for them. Its own, such as
    `timezone` and `selectedMcpServers`, are sent by their names.
    """

    wire = "chatui"
    carries = frozenset({"images", "files"})
    framing = "json_lines"

    @classmethod
    async def detect(
        cls, url: str, **options: Unpack[ProviderOptions]
    ) -> Literal["chatui", "h2o", ""]:
        """Return the name of the provider for the chat-ui at `url`; "" if there is none for it.

        "chatui" is this class, for today's chat-ui, and "h2o" is `H2o`, for that of 2023;
        `asyncllm.provider` knows both names.

        Args:
            url: what you would pass as `base_url`.
            options: of the constructor, such as `proxy` or `sessions`.

        Raises:
            ConfigurationError: the URL, or an option, can't be used.
            AsyncLLMError: nothing answers there, or only after a login.

        """
        options["base_url"] = url
        asked = cls(**options)
        return await asked._ask(asked._kind)

    async def _kind(self, http: Http) -> Literal["chatui", "h2o", ""]:
        try:
            await models_of(http, self.base_url)
        except (HTTPStatusError, ProtocolError) as error:
            if isinstance(error, HTTPStatusError) and (error.is_passing or wants_login(error)):
                raise explained(error, self.base_url) from None
        else:
            return "chatui"
        try:
            async with http.open("GET", f"{self.base_url}/") as response:
                chatui_page.models_of(await response.read())
        except (HTTPStatusError, ProtocolError):
            return ""
        return "h2o"

    @override
    def encode(self, request: Request) -> bytes:
        """Return the beginning of the form.

        Raises:
            ConfigurationError: there is no model, a parameter that chat-ui has no place for, or a
                message that it can't be sent.

        """
        if not request.model:
            raise ConfigurationError("chat-ui needs a model: pass model=; list_models() lists them")
        preprompt_of(request.messages)
        fields = {**on_the_wire(request.params, {}, "chat-ui"), **request.extra}
        fields.pop(_PREPROMPT, None)  # which is the conversation's
        return form_of(request.messages, fields)

    @override
    def server(self, request: Request, http: Http) -> ChatUIServer:
        """Return the chat-ui on which `request` needs a conversation."""
        preprompt = request.given.get(_PREPROMPT)
        return ChatUIServer(
            request.base_url,
            http,
            model=request.model,
            preprompt=str(preprompt or preprompt_of(request.messages)),
            is_nobody={name.lower() for name in self._headers} <= _OF_NOBODY,
        )

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send into the conversation of `request`."""
        place = Place.read(request.conversation_id)
        # There is one answer to a conversation: its first message names the generation too.
        missing = {"id": place.parent, "generationId": place.parent}
        missing = {name: value for name, value in missing.items() if name not in request.given}
        return Ask(
            _path(place),
            completed(request.body, missing),
            headers={"Content-Type": media_type_of(request.body)},
        )

    @override
    def translator(self, request: Request) -> ChatUITranslator:
        """Return what reads one answer."""
        return ChatUITranslator()

    @override
    def go_on(
        self, request: Request, translator: Translator, error: AsyncLLMError | None
    ) -> Next | None:
        """Return how an answer is followed whose connection broke: chat-ui goes on writing it."""
        said = cast("ChatUITranslator", translator)
        is_broken = isinstance(error, StreamInterrupted | TransportError)
        if isinstance(error, HTTPStatusError):  # of what was to follow
            is_broken = error.is_passing
        if not is_broken or said.was_told_its_end or said.is_done:
            return None
        following = said.go_on()
        if following.tries > _MOST_TRIES:
            return None
        place = Place.read(request.conversation_id)
        generation = str(request.given.get("generationId", place.parent))
        ask = Ask(
            f"{_path(place)}/stream",
            method="GET",
            query={"generationId": generation, "fromSeq": "0"},
        )
        return Next(ask, following, wait=_FIRST_WAIT * 2 ** (following.tries - 1))

    @override
    def explain(self, request: Request, error: AsyncLLMError) -> AsyncLLMError:
        """Return an error that says what to change, where chat-ui's own does not."""
        return explained(error, request.base_url) if isinstance(error, HTTPStatusError) else error

    @override
    async def list_models(self) -> list[str]:
        """Return the ids of the models that chat-ui offers.

        Raises:
            ProtocolError: this is not a chat-ui of today.
            AsyncLLMError: the list could not be read.

        """

        async def question(http: Http) -> list[str]:
            try:
                return await models_of(http, self.base_url)
            except NotFoundError:
                pass
            except HTTPStatusError as error:
                raise explained(error, self.base_url) from None
            raise ProtocolError(
                f"{self.base_url} has no list of models like today's chat-ui: ChatUI.detect(url) "
                "says which provider fits; does base_url include the path, such as /chat?"
            )

        return await self._ask(question)

    @override
    def _own_headers(self) -> dict[str, str]:
        # chat-ui refuses forms that do not come from its own pages.
        url = urlsplit(self.base_url)
        return {"Origin": f"{url.scheme}://{url.netloc}"}


def _path(place: Place) -> str:
    return f"/conversation/{path_segment(place.conversation)}"
