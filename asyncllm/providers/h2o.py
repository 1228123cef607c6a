"""H2o: chat-ui with a stream of text-generation-inference (TGI), as at gpt-gm.h2o.ai.

Wire facts: chat-ui 0.3.0 (July 2023), its `hooks.server.ts` and `routes/conversation`; TGI's
`StreamResponse`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from typing_extensions import override

from asyncllm.base.conversation import ConversationProvider
from asyncllm.base.wire import Ask, ServerProvider
from asyncllm.errors import AuthenticationError, BadRequestError, HTTPStatusError, ProtocolError
from asyncllm.framing.json import decode, encode_json
from asyncllm.http import RefusedField, Step, path_segment
from asyncllm.messages import format_prompt
from asyncllm.wires.tgi import TGITranslator

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asyncllm.base.request import Request
    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.entries import Entry
    from asyncllm.http.http import Http

_PARAMETERS = {
    "temperature": 0.4,
    "truncate": 2048,
    "max_new_tokens": 1024,
    "do_sample": True,
    "repetition_penalty": 1.2,
    "return_full_text": False,
}
# What chat-ui says of a form: in 2023 of its Referer; of today, of its Origin, or of its fields.
_REFERER_REFUSED = "Invalid referer"
_ORIGIN_WANTED = "need to have an origin"
_ERROR_ID = '"errorId"'
_SETTINGS_NOT_ACCEPTED = 405  # before the welcome modal is accepted in a session
_SESSION_COOKIE = "hf-chat"  # unless COOKIE_NAME says otherwise


class H2o(ConversationProvider, ServerProvider):
    """H2o's chat, and any other server that speaks chat-ui's wire of 2023.

    Its public endpoint, gpt-gm.h2o.ai, has gone quiet: give `base_url` of a chat-ui of your own.

    Parameters for the wire go to TGI's `parameters`, over the documented defaults; `max_tokens`
    is sent as `max_new_tokens`. `id`, `response_id`, `is_retry`, `use_cache` and `web_search_id`
    go to `options`.
    """

    url = "https://gpt-gm.h2o.ai"
    wire = "chat-ui"
    model = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1"
    models = MappingProxyType(
        {
            "falcon-40b": "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1",
            "falcon-7b": "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3",
            "llama-13b": "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
        }
    )

    format_prompt = staticmethod(format_prompt)

    @override
    def encode(self, request: Request) -> bytes:
        """Return the body, as JSON.

        Raises:
            ConfigurationError: a message holds something other than text, or a parameter has no
                JSON form.

        """
        options: dict[str, object] = {
            "id": _uuid(),
            "response_id": _uuid(),
            "is_retry": False,
            "use_cache": False,
            "web_search_id": "",
        }
        params = dict(request.params)
        options |= {name: params.pop(name) for name in options.keys() & params.keys()}
        if "max_tokens" in params:
            params["max_new_tokens"] = params.pop("max_tokens")
        if isinstance(stop := params.get("stop"), str):
            params["stop"] = [stop]
        return encode_json(
            {
                "inputs": self.format_prompt(request.messages),
                "parameters": _PARAMETERS | params,
                "stream": True,
                "options": options,
            }
        )

    @override
    def server(self, request: Request, http: Http) -> ChatUI:
        """Return the chat-ui on which `request` needs a conversation."""
        is_referer_ours = self._own_headers().items() <= self._headers.items()
        return ChatUI(request, http, is_referer_ours=is_referer_ours)

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send into the conversation of `request`."""
        return Ask(f"/conversation/{path_segment(request.conversation_id)}")

    @override
    def translator(self, request: Request) -> TGITranslator:
        """Return what reads one answer."""
        return TGITranslator(
            stops_early="stop" in request.params,
            stops=_texts(request.params.get("stop")),
            has_prompt=bool(request.params.get("return_full_text")),
        )

    @override
    def _own_headers(self) -> dict[str, str]:
        # chat-ui refuses forms that do not come from its own pages.
        return {"Referer": f"{self.base_url}/"}


class _Party(NamedTuple):
    """Where and as whom something is asked; the log shows but the former."""

    base_url: str
    identity: Hashable

    @override
    def __repr__(self) -> str:
        return self.base_url


class ChatUI:
    """The conversations of one chat-ui and one model; see `ConversationServer`.

    Args:
        request: says where, and which model.
        http: to ask with.
        is_referer_ours: whether another may be tried where it is refused, as no caller gave it.

    """

    # As many of these are kept as there are conversations.
    __slots__ = ("_http", "_is_referer_ours", "_model", "key", "name", "settings_key", "was_resent")

    def __init__(self, request: Request, http: Http, *, is_referer_ours: bool = True) -> None:
        self.name = request.base_url
        self.settings_key: Hashable = _Party(request.base_url, http.identity)
        self.key: Hashable = (self.settings_key, request.model, http.proxy)
        self._model = request.model
        self._http = http
        self._is_referer_ours = is_referer_ours
        self.was_resent = False

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

    async def stop(self, conversation_id: str) -> None:
        """End the generation; chat-ui goes on with it when its reader just leaves."""
        async with self._http.open("POST", f"{self._url(conversation_id)}/stop-generating"):
            pass

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation."""
        async with self._http.open("DELETE", self._url(conversation_id)):
            pass

    def ledger_entry(self, conversation_id: str) -> Entry:
        """Return what another process needs to delete a conversation: the session is a cookie."""
        url = self._url(conversation_id)
        steps = (
            Step("POST", f"{url}/stop-generating", may_fail=True),
            Step("DELETE", url),
        )
        return self._http.entry(url, steps=steps)

    def session_entry(self) -> Entry | None:
        """Return what another process needs to delete all of this session's conversations.

        It is a form on chat-ui's page of settings.
        """
        # A proxy in front may set cookies that change with each answer: all of them are looked at
        # only where chat-ui's own, which is only there to tell sessions apart, has another name.
        own = self._http.own_session
        session = own(self.name, _SESSION_COOKIE) or own(self.name)
        if session is None:
            return None
        token = hashlib.sha256(session.encode()).hexdigest()[:16]  # the session itself is a secret
        # Where nothing was accepted in a session nothing was created in it.
        url = f"{self.name}/conversations"
        steps = (Step("POST", f"{url}?/delete", form={}, gone=(_SETTINGS_NOT_ACCEPTED,)),)
        is_refused = self._own_referer in self._http.refused_fields
        headers = self._https_referer if is_refused else {}
        return self._http.entry(f"{url}#{token}", headers=headers, steps=steps, is_session=True)

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

    def _url(self, conversation_id: str) -> str:
        return f"{self.name}/conversation/{path_segment(conversation_id)}"


def _explained(refusal: HTTPStatusError, base_url: str) -> AsyncLLMError:
    """Return an error that says what to change, where chat-ui's own does not."""
    if _ORIGIN_WANTED in refusal.body or _ERROR_ID in refusal.body:
        newer = "looks like a newer chat-ui, which H2o's format of 2023 doesn't fit"
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
            f"chat-ui takes itself to be served elsewhere than at {base_url}: set ORIGIN on the "
            'server to this address, or give headers={"Referer": …} with the one it believes in'
        ),
        body=refusal.body,
        headers=refusal.headers,
    )


class _Created(msgspec.Struct, rename="camel"):
    conversation_id: str


_CREATED = msgspec.json.Decoder(_Created)


def _uuid() -> str:
    """Return a random UUID, version 4 of RFC 9562; `uuid.uuid4` takes six times as long."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _texts(stop: object) -> list[str]:
    stops = stop if isinstance(stop, list | tuple) else [stop]
    return [text for text in stops if isinstance(text, str)]
