"""`ChatUIServer`: the conversations of one chat-ui of today.

Wire facts: chat-ui 0.20.0, its requests as a server answered them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.errors import (
    AuthenticationError,
    BadRequestError,
    HTTPStatusError,
    ProtocolError,
)
from asyncllm.framing.json import decode
from asyncllm.http import Step, path_segment
from asyncllm.providers.chatui_conversations import ChatUIConversations
from asyncllm.wires.chatui_form import Place
from asyncllm.wires.loose import as_list, as_mapping, as_text

if TYPE_CHECKING:
    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.entries import Entry
    from asyncllm.http.http import Http

_NOWHERE = "0" * 24  # the id of no conversation
_ANY_ANSWER = range(200, 600)
_REDIRECTS = range(300, 400)
_WELCOME_MODAL = "welcome modal"  # what chat-ui of 2023 wants accepted, with a 405
_ORIGIN_REFUSED = ("Invalid referer", "need to have an origin")


class ChatUIServer(ChatUIConversations):
    """The conversations of one chat-ui, one model and one preprompt; see `ConversationServer`.

    Its ids are names of a `Place`.

    Args:
        base_url: where it is.
        http: to ask with.
        model: the model's id.
        preprompt: what the system says in each conversation, or "".
        is_nobody: whether nothing that is sent can tell the server which user asks.

    """

    __slots__ = ("_is_nobody", "_preprompt")

    def __init__(
        self,
        base_url: str,
        http: Http,
        *,
        model: str,
        preprompt: str = "",
        is_nobody: bool = True,
    ) -> None:
        super().__init__(base_url, http, model, preprompt)
        self._preprompt = preprompt
        self._is_nobody = is_nobody

    async def accept_settings(self) -> None:
        """Have the server begin a session, as conversations are those of one.

        It sends the cookie with its answer to each POST, whatever that says. Two conversations that
        are created at once, before there is a session, would be of two. So a generation is stopped
        in no conversation, which changes nothing; to send settings would set a user's own back.
        """
        url = f"{self.name}/conversation/{_NOWHERE}/stop-generating"
        async with self._http.open("POST", url, accept=_ANY_ANSWER):
            pass

    def wants_settings(self, refusal: HTTPStatusError) -> bool:
        """Tell that it never does."""
        return False

    async def create(self) -> str:
        """Create a conversation and return the name of its place."""
        preprompt = {"preprompt": self._preprompt} if self._preprompt else {}
        json = {"model": self._model, **preprompt}
        try:
            async with self._http.open("POST", f"{self.name}/conversation", json=json) as response:
                self.was_resent |= response.was_resent
                return _place_in(await response.read()).name
        except HTTPStatusError as error:
            refusal = error
        try:
            raise explained(refusal, self.name)
        finally:
            del refusal  # its traceback holds this frame: they would be a cycle of garbage

    def session_entry(self) -> Entry | None:
        """Return what another process needs to delete all of this session's conversations.

        A user's session has those of the user's browser too, and any header may log one in: chat-ui
        has a setting, `TRUSTED_EMAIL_HEADER`, that names one.
        """
        if not self._is_nobody:
            return None
        url = f"{self.name}/api/v2/conversations"
        return self._entry_of_session(url, Step("DELETE", url))

    @override
    def _url(self, conversation_id: str) -> str:
        return super()._url(Place.read(conversation_id).conversation)


async def models_of(http: Http, base_url: str) -> list[str]:
    """Return the ids of a chat-ui's models.

    Raises:
        NotFoundError: it has no such list, as it is none, or an older one.
        ProtocolError: what it has is no list of models.
        AsyncLLMError: it did not answer.

    """
    async with http.open("GET", f"{base_url}/api/v2/models") as response:
        said = decode(_ANYTHING, await response.read())
    models = as_mapping(said).get("json", said)
    ids = [as_text(as_mapping(model).get("id")) for model in as_list(models)]
    if not all(ids) or not ids:
        raise ProtocolError(
            f"{base_url}/api/v2/models is not a list of models as chat-ui writes it"
        )
    return ids


def explained(error: HTTPStatusError, base_url: str) -> AsyncLLMError:
    """Return an error that says what to change, where chat-ui's own does not.

    Args:
        error: what it answered.
        base_url: where it is.

    """
    said = error.body
    if _WELCOME_MODAL in said:
        return ProtocolError(f"{base_url} is a chat-ui of 2023: use asyncllm.H2o")
    hint = ""
    if any(words in said for words in _ORIGIN_REFUSED):
        hint = (
            f"chat-ui believes that it is not served at {base_url}: set PUBLIC_ORIGIN on "
            'the server to this address, or pass headers={"Origin": …} with the address that it '
            "believes in"
        )
    elif wants_login(error):
        hint = (
            'this chat-ui requires a login: pass headers={"Cookie": "hf-chat=…"} with the cookie '
            "of "
            "a browser that is logged in"
        )
    if not hint:
        return error
    kind = BadRequestError if any(words in said for words in _ORIGIN_REFUSED) else None
    return (kind or AuthenticationError)(
        error.method,
        str(error.url),
        status=error.status,
        message=hint,
        body=said,
        headers=error.headers,
    )


def wants_login(error: HTTPStatusError) -> bool:
    """Tell whether an answer asks to log in first."""
    return error.status in _REDIRECTS or "have to be logged in" in error.body


def _place_in(body: bytes) -> Place:
    """Return where a conversation that was created is, and its first message.

    Raises:
        ProtocolError: the answer does not say.

    """
    created = decode(_CREATED, body)
    conversation = created.conversation
    if isinstance(conversation, str):  # JSON within JSON
        conversation = decode(_ANYTHING, conversation.encode())
    said = as_mapping(conversation)
    told = as_mapping(said.get("json", said))
    first = as_mapping(next(iter(as_list(told.get("messages"))), None))
    root = as_text(told.get("rootMessageId")) or as_text(first.get("id"))
    if not root or "#" in root:
        raise ProtocolError(
            "chat-ui created a conversation, but did not say which message is first"
        )
    for name in (created.conversation_id, root):
        path_segment(name)  # one that can't be sent is refused while its session is known
    return Place(created.conversation_id, root)


class _Created(msgspec.Struct, rename="camel"):
    conversation_id: str
    conversation: object = None


_CREATED = msgspec.json.Decoder(_Created)
_ANYTHING: msgspec.json.Decoder[object] = msgspec.json.Decoder()
