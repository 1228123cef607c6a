"""`ChatUIServer`: the conversations of one chat-ui of today.

Wire facts: chat-ui 0.20.0, its requests as a server answered them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

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
from asyncllm.wires.chatui_form import Place
from asyncllm.wires.loose import as_list, as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.entries import Entry
    from asyncllm.http.http import Http

_SESSION_COOKIE = "hf-chat"  # unless COOKIE_NAME says otherwise
_NOWHERE = "0" * 24  # the id of no conversation
_ANY_ANSWER = range(200, 500)
_REDIRECTS = range(300, 400)
_WELCOME_MODAL = "welcome modal"  # what chat-ui of 2023 wants accepted, with a 405
_ORIGIN_REFUSED = ("Invalid referer", "need to have an origin")


class _Party(NamedTuple):
    """Where and as whom something is asked; the log shows but the former."""

    base_url: str
    identity: Hashable

    @override
    def __repr__(self) -> str:
        return self.base_url


class ChatUIServer:
    """The conversations of one chat-ui, one model and one preprompt; see `ConversationServer`.

    Its ids are names of a `Place`.

    Args:
        base_url: where it is.
        http: to ask with.
        model: the model's id.
        preprompt: what the system says in each conversation, or "".

    """

    # As many of these are kept as there are conversations.
    __slots__ = ("_http", "_model", "_preprompt", "key", "name", "settings_key", "was_resent")

    def __init__(self, base_url: str, http: Http, *, model: str, preprompt: str = "") -> None:
        self.name = base_url
        self.settings_key: Hashable = _Party(base_url, http.identity)
        self.key: Hashable = (self.settings_key, model, preprompt, http.proxy)
        self.was_resent = False
        self._http = http
        self._model = model
        self._preprompt = preprompt

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

    async def stop(self, conversation_id: str) -> None:
        """End the generation; chat-ui goes on with it when its reader leaves, or it is deleted."""
        async with self._http.open("POST", f"{self._url(conversation_id)}/stop-generating"):
            pass

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation."""
        async with self._http.open("DELETE", self._url(conversation_id)):
            pass

    def ledger_entry(self, conversation_id: str) -> Entry:
        """Return what another process needs to delete a conversation: the session is a cookie."""
        url = self._url(conversation_id)
        steps = (Step("POST", f"{url}/stop-generating", may_fail=True), Step("DELETE", url))
        return self._http.entry(url, steps=steps)

    def session_entry(self) -> Entry | None:
        """Return what another process needs to delete all of this session's conversations."""
        own = self._http.own_session
        session = own(self.name, _SESSION_COOKIE) or own(self.name)
        if session is None:
            return None
        token = hashlib.sha256(session.encode()).hexdigest()[:16]  # the session itself is a secret
        url = f"{self.name}/api/v2/conversations"
        return self._http.entry(f"{url}#{token}", steps=(Step("DELETE", url),), is_session=True)

    def _url(self, conversation_id: str) -> str:
        return f"{self.name}/conversation/{path_segment(Place.read(conversation_id).conversation)}"


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
        raise ProtocolError(f"{base_url}/api/v2/models is no list of models as chat-ui writes it")
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
            f"chat-ui takes itself to be served elsewhere than at {base_url}: set PUBLIC_ORIGIN on "
            'the server to this address, or give headers={"Origin": …} with the one it believes in'
        )
    elif error.status in _REDIRECTS or "have to be logged in" in said:
        hint = (
            'this chat-ui wants a login: give headers={"Cookie": "hf-chat=…"} with the cookie of '
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
        raise ProtocolError("chat-ui created a conversation and did not say which message is first")
    return Place(created.conversation_id, root)


class _Created(msgspec.Struct, rename="camel"):
    conversation_id: str
    conversation: object = None


_CREATED = msgspec.json.Decoder(_Created)
_ANYTHING: msgspec.json.Decoder[object] = msgspec.json.Decoder()
