"""A chat-ui of bare essentials: it names conversations as it likes and knows whose they are."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from asyncllm.sandbox.generation import answer_to
from benchmarks.soak.trials.wire import JSON, STREAM, Asked, answer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_KNOWN = 2000
_IN_A_CONVERSATION = re.compile("/conversation/([^/?#]+)(/stop-generating)?").fullmatch


@dataclass
class _Conversation:
    """Whose it is, and whether it was asked to be deleted once."""

    owner: str
    was_deletion_asked: bool = False


class Chat:
    """The conversations of a server, and a look at every request.

    Args:
        new_id: returns the id of the next conversation, which need not be text.
        complain: called with what must not be asked.

    Attributes:
        created: how many conversations were made.
        used: the conversations in which something was asked and that were not deleted.

    """

    def __init__(self, new_id: Callable[[], object], complain: Callable[[str], None]) -> None:
        self.created = 0
        self.used: set[str] = set()
        self._known: dict[str, _Conversation] = {}  # the newest come last
        self._new_id = new_id
        self._complain = complain

    async def answer(self, asked: Asked, out: asyncio.StreamWriter) -> None:
        """Answer one request."""
        found = _IN_A_CONVERSATION(asked.target)
        match asked.method, asked.target:
            case "POST", "/settings":
                out.write(answer("{}", JSON))
            case "POST", "/conversation":
                out.write(answer(self._create(asked), JSON))
            case "POST", "/conversations?/delete":
                self._delete_all(_identity(asked))
                out.write(answer("{}", JSON))
            case "POST" | "DELETE", _ if found:
                out.write(self._converse(asked, unquote(found[1]), is_stop=bool(found[2])))
            case _:
                self._complain(f"a request off the path: {asked.method} {asked.target[:200]!r}")
                out.write(answer("{}", JSON, status="404 Not Found"))

    def _create(self, asked: Asked) -> str:
        self.created += 1
        new = self._new_id()
        self._known.pop(str(new), None)
        self._known[str(new)] = _Conversation(_identity(asked))
        if len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]
        return json.dumps({"conversationId": new})

    def _converse(self, asked: Asked, name: str, *, is_stop: bool) -> bytes:
        known = self._known.get(name)
        if known is None or name in {".", ".."}:
            self._complain(f"a request off the path: a conversation that is none, {name[:200]!r}")
            return answer("{}", JSON, status="404 Not Found")
        if known.owner != _identity(asked):
            self._complain("a conversation is used by another than its owner")
        if is_stop:
            return answer("{}", JSON)
        if asked.method == "DELETE":
            return self._delete(name, known)
        self.used.add(name)
        tokens = answer_to(asked.prompt, limit=asked.json["parameters"]["max_new_tokens"]).tokens
        text = "".join(tokens)
        events = [{"token": {"text": token}, "generated_text": None} for token in tokens]
        events.append({"token": {"text": "", "special": True}, "generated_text": text})
        return answer("".join(f"data:{json.dumps(each)}\n\n" for each in events), STREAM)

    def _delete_all(self, owner: str) -> None:
        """Delete what a session holds: a form on chat-ui's page of settings."""
        self.used -= {name for name, each in self._known.items() if each.owner == owner}

    def _delete(self, name: str, known: _Conversation) -> bytes:
        """Delete a conversation when that is asked a second time: what failed is logged."""
        if not known.was_deletion_asked:
            known.was_deletion_asked = True
            return answer("{}", JSON, status="503 Not Now")
        self.used.discard(name)
        return answer("{}", JSON)


def _identity(asked: Asked) -> str:
    names = ("x-user", "authorization", "cookie")
    return "; ".join(asked.headers.get(name, "") for name in names)
