"""What the conversations of every chat-ui have in common, of 2023 and of today."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import override

from asyncllm.http import Step, path_segment

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asyncllm.http.entries import Entry
    from asyncllm.http.http import Http

_SESSION_COOKIE = "hf-chat"  # unless COOKIE_NAME says otherwise


class _Party(NamedTuple):
    """Where and as whom something is asked; the log shows but the former."""

    base_url: str
    identity: Hashable

    @override
    def __repr__(self) -> str:
        return self.base_url


class ChatUIConversations:
    """The conversations of one chat-ui and one model, as they end; see `ConversationServer`.

    Args:
        base_url: where it is.
        http: to ask with.
        model: the model's id.
        kind: what else tells its conversations from others.

    """

    # As many of these are kept as there are conversations.
    __slots__ = ("_http", "_model", "key", "name", "settings_key", "was_resent")

    def __init__(self, base_url: str, http: Http, model: str, kind: Hashable = None) -> None:
        self.name = base_url
        self.settings_key: Hashable = _Party(base_url, http.identity)
        self.key: Hashable = (self.settings_key, model, kind, http.proxy)
        self.was_resent = False
        self._http = http
        self._model = model

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

    def _entry_of_session(
        self, url: str, step: Step, headers: dict[str, str] | None = None
    ) -> Entry | None:
        """Return the entry of a session that is ours alone, which `step` empties."""
        # A proxy in front may set cookies that change with each answer: all of them are looked at
        # only where chat-ui's own, which is only there to tell sessions apart, has another name.
        own = self._http.own_session
        session = own(self.name, _SESSION_COOKIE) or own(self.name)
        if session is None:
            return None
        token = hashlib.sha256(session.encode()).hexdigest()[:16]  # the session itself is a secret
        return self._http.entry(
            f"{url}#{token}", headers=headers or {}, steps=(step,), is_session=True
        )

    def _url(self, conversation_id: str) -> str:
        return f"{self.name}/conversation/{path_segment(conversation_id)}"
