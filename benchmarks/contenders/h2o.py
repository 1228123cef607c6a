"""H2o's contenders: a whole answer is settings, conversation, stream and deletion."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

import aiohttp
from typing_extensions import override
from yarl import URL

from benchmarks.contenders.base import QUESTION

if TYPE_CHECKING:
    from benchmarks.contenders.base import Take

_MODEL = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1"
_SETTINGS = {
    "ethicsModalAccepted": "true",
    "shareConversationsWithModelAuthors": "true",
    "ethicsModalAcceptedAt": "",
    "activeModel": _MODEL,
    "searchEnabled": "true",
}
_ID = "64e9638f-3b6b-4a8e-8a2b-1f0c4c1d9a11"
_ASKED = {
    "inputs": QUESTION,
    "parameters": {
        "temperature": 0.4,
        "truncate": 2048,
        "max_new_tokens": 1024,
        "do_sample": True,
        "repetition_penalty": 1.2,
        "return_full_text": False,
    },
    "stream": True,
    "options": {
        "id": _ID,
        "response_id": _ID,
        "is_retry": False,
        "use_cache": False,
        "web_search_id": "",
    },
}
_DATA = b"data:"


class H2oContender(ABC):
    """One way to get answers from one chat-ui.

    Args:
        base_url: where the chat-ui is.
        spares: how many conversations to keep ready, for who can.

    """

    name: ClassVar[str]

    def __init__(self, base_url: str, *, spares: int = 0) -> None:
        self._base_url = base_url
        self._spares = spares

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Open what the streams share."""

    @abstractmethod
    async def __aexit__(self, *_: object) -> None:
        """Close it; no conversation is left behind."""

    @abstractmethod
    async def consume(self, take: Take) -> None:
        """Hand every token of an answer to `take`."""


class H2oByHand(H2oContender):
    """The documented sequence of four requests, on one aiohttp session."""

    name = "4 requests"

    @override
    async def __aenter__(self) -> Self:
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(self._base_url).origin())
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=jar,
            headers={"Referer": f"{self._base_url}/"},
        )
        return self

    @override
    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    @override
    async def consume(self, take: Take) -> None:
        """Send one after the other."""
        session, base_url = self._session, self._base_url
        async with session.post(f"{base_url}/settings", data=_SETTINGS) as response:
            response.raise_for_status()
        async with session.post(f"{base_url}/conversation", json={"model": _MODEL}) as response:
            response.raise_for_status()
            conversation = f"{base_url}/conversation/{(await response.json())['conversationId']}"
        async with session.post(conversation, json=_ASKED) as response:
            response.raise_for_status()
            async for line in response.content:
                if line.startswith(_DATA):
                    token = json.loads(line[len(_DATA) :])["token"]
                    if not token["special"]:
                        take(token["text"])
        async with session.delete(conversation) as response:
            response.raise_for_status()


class H2oAsyncllm(H2oContender):
    """asyncllm itself."""

    name = "asyncllm"

    @override
    async def __aenter__(self) -> Self:
        from asyncllm import H2o, SessionManager  # noqa: PLC0415 - others do without

        self._sessions = SessionManager(spare_conversations=self._spares)
        self._provider = H2o(base_url=self._base_url, sessions=self._sessions)
        return self

    @override
    async def __aexit__(self, *_: object) -> None:
        await self._sessions.aclose()

    @override
    async def consume(self, take: Take) -> None:
        """Iterate over a stream."""
        async with self._provider.stream(QUESTION) as stream:
            async for token in stream:
                take(token)


H2O_CONTENDERS: tuple[type[H2oContender], ...] = (H2oAsyncllm, H2oByHand)
