"""`ChatUI2023`: the conversations of one chat-ui, as it was in 2023.

Wire facts: chat-ui 0.3.0 (July 2023), its `hooks.server.ts` and `routes/conversation`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from asyncllm.errors import AuthenticationError, BadRequestError, HTTPStatusError, ProtocolError
from asyncllm.framing.json import decode
from asyncllm.http import RefusedField, Step
from asyncllm.providers.chatui_conversations import ChatUIConversations

if TYPE_CHECKING:
    from asyncllm.base.request import Request
    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.entries import Entry
    from asyncllm.http.http import Http

# What chat-ui says of a form: in 2023 of its Referer; of today, of its Origin, or of its fields.
_REFERER_REFUSED = "Invalid referer"
_ORIGIN_WANTED = "need to have an origin"
_ERROR_ID = '"errorId"'
_SETTINGS_NOT_ACCEPTED = 405  # before the welcome modal is accepted in a session


class ChatUI2023(ChatUIConversations):
    """The conversations of one chat-ui and one model; see `ConversationServer`.

    Args:
        request: says where, and which model.
        http: to ask with.
        is_referer_ours: whether another may be tried where it is refused, as no caller gave it.

    """

    __slots__ = ("_is_referer_ours",)

    def __init__(self, request: Request, http: Http, *, is_referer_ours: bool = True) -> None:
        super().__init__(request.base_url, http, request.model)
        self._is_referer_ours = is_referer_ours

    async def accept_settings(self) -> None:
        """Accept the welcome modal for this session."""
        try:
            return await self._send_settings({}, is_refused=False)
        except HTTPStatusError as error:
            refusal = error
        if self._https_referer and _REFERER_REFUSED in refusal.body:
            with contextlib.suppress(AuthenticationError):
                return await self._send_settings(self._https_referer, is_refused=True)
        try:
            raise _explained(refusal, self.name)
        finally:
            del refusal  # its traceback holds this frame: they would be a cycle of garbage

    async def _send_settings(self, headers: dict[str, str], *, is_refused: bool) -> None:
        """Send the form; where it is accepted, remember whether our own `Referer` `is_refused`."""
        form = {
            "ethicsModalAccepted": "true",
            "shareConversationsWithModelAuthors": "true",
            "ethicsModalAcceptedAt": "",
            "activeModel": self._model,
            "searchEnabled": "true",
        }
        # Answered with a redirect to the page, which nobody needs.
        url, done = f"{self.name}/settings", range(200, 400)
        async with self._http.open("POST", url, form=form, headers=headers, accept=done):
            pass
        if self._https_referer:
            refused = self._http.refused_fields
            (refused.add if is_refused else refused.discard)(self._own_referer)

    def wants_settings(self, refusal: HTTPStatusError) -> bool:
        """Tell whether the welcome modal is to be accepted in this session, perhaps once more."""
        return refusal.status == _SETTINGS_NOT_ACCEPTED

    async def create(self) -> str:
        """Create a conversation and return its id."""
        json = {"model": self._model}
        async with self._http.open("POST", f"{self.name}/conversation", json=json) as response:
            self.was_resent |= response.was_resent
            return decode(_CREATED, await response.read()).conversation_id

    def session_entry(self) -> Entry | None:
        """Return what another process needs to delete all of this session's conversations.

        It is a form on chat-ui's page of settings.
        """
        # Where nothing was accepted in a session nothing was created in it.
        url = f"{self.name}/conversations"
        step = Step("POST", f"{url}?/delete", form={}, gone=(_SETTINGS_NOT_ACCEPTED,))
        is_refused = self._own_referer in self._http.refused_fields
        return self._entry_of_session(url, step, self._https_referer if is_refused else {})

    @property
    def _own_referer(self) -> RefusedField:
        """What is remembered where forms refuse our own `Referer`; messages need none."""
        return RefusedField(f"{self.name}/settings", "Referer")

    @property
    def _https_referer(self) -> dict[str, str]:
        """What to send where our own is refused; nothing where the caller's counts."""
        scheme, _, place = self.name.partition("://")
        # Without ORIGIN chat-ui takes itself to be served over https, wherever it is.
        is_of_use = self._is_referer_ours and scheme == "http"
        return {"Referer": f"https://{place}/"} if is_of_use else {}


def _explained(refusal: HTTPStatusError, base_url: str) -> AsyncLLMError:
    """Return an error that says what to change, where chat-ui's own does not."""
    if _ORIGIN_WANTED in refusal.body or _ERROR_ID in refusal.body:
        newer = "looks like a newer chat-ui, so use asyncllm.ChatUI"
        if refusal.is_passing:  # so it may be another trouble of the server
            refusal.message = f"this {newer}: {refusal.message}"
            return refusal
        answered = f"it answered {refusal.status} to the settings of chat-ui 0.3"
        return ProtocolError(f"{base_url} {newer}: {answered}")
    if _REFERER_REFUSED not in refusal.body:
        return refusal
    return BadRequestError(
        refusal.method,
        str(refusal.url),
        status=refusal.status,
        message=(
            f"chat-ui believes that it is not served at {base_url}: set ORIGIN on the "
            'server to this address, or pass headers={"Referer": …} with the address that it '
            "believes in"
        ),
        body=refusal.body,
        headers=refusal.headers,
    )


class _Created(msgspec.Struct, rename="camel"):
    conversation_id: str


_CREATED = msgspec.json.Decoder(_Created)
