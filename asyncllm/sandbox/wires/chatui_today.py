"""chat-ui's format of today, as its 0.20.0 speaks it, served under `/chat`."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from http.client import responses
from typing import TYPE_CHECKING

from aiohttp import web
from yarl import URL

from asyncllm.sandbox.faults import (
    LateTitle,
    LoseSessions,
    NewId,
    NoOrigin,
    Refusal,
    ServerRetry,
    Step,
)
from asyncllm.sandbox.wires.body import read_object
from asyncllm.sandbox.wires.chatui_asked import asked_of, prompt_of, question_in
from asyncllm.sandbox.wires.chatui_call import Call, Handler
from asyncllm.sandbox.wires.chatui_run import Run, follow_events, stream_lines
from asyncllm.sandbox.wires.forms import FORM_TYPES, read_parts
from asyncllm.sandbox.wires.refused import refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncllm.sandbox.generation import Backend

BASE = "/chat"
MODELS = ("sandbox/small", "sandbox/large")
_ID_DIGITS = 24
_ERRORS = {
    429: "You are sending too many messages. Try again later.",
    404: "Conversation not found",
    400: "Invalid request",
    500: "An error occurred",
}


@dataclass(eq=False)
class Today:
    """A conversation: whose it is, its messages by id, and its answers, done or on their way."""

    session: str
    model: str
    root: str
    preprompt: str
    messages: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """A message's role and content, by its id; each follows the one that it names."""
    parents: dict[str, str] = field(default_factory=dict[str, str])
    runs: dict[str, Run] = field(default_factory=dict[str, Run])

    @property
    def answers(self) -> list[str]:
        """What was answered, oldest first."""
        return [run.text for run in self.runs.values() if run.is_stored]

    def add(self, role: str, content: str, parent: str) -> str:
        """Add a message behind another one, and return its id."""
        identifier = str(uuid.uuid4())
        self.messages[identifier] = (role, content)
        self.parents[identifier] = parent
        return identifier


class TodayChatUIWire:
    """The format's state, which is its open conversations, and its routes."""

    def __init__(self, backend: Backend) -> None:
        self.conversations: dict[str, Today] = {}
        self._backend = backend
        self._models = dict.fromkeys([*MODELS, *backend.models])

    def routes(self) -> list[web.RouteDef]:
        """Where it all is served."""
        one, every = f"{BASE}/conversation/{{id}}", f"{BASE}/api/v2/conversations"
        return [
            web.get(f"{BASE}/api/v2/models", self._hooked("models", self._list_models)),
            web.get(f"{BASE}/healthcheck", self._hooked("landing", self._health)),
            web.post(f"{BASE}/settings", self._hooked("settings", self._settings)),
            web.post(f"{BASE}/conversation", self._hooked("create", self._create)),
            web.post(one, self._hooked("stream", self._stream)),
            web.get(f"{one}/stream", self._hooked("follow", self._follow)),
            web.post(f"{one}/stop-generating", self._hooked("stop", self._stop)),
            web.delete(one, self._hooked("delete", self._delete)),
            web.delete(every, self._hooked("delete_all", self._delete_all)),
        ]

    def lose_sessions(self) -> None:
        """Forget all conversations."""
        self.conversations.clear()

    def _hooked(
        self, step: Step, handler: Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            await self._backend.hold_up(step)
            if self._backend.faults.take(LoseSessions, step) is not None:
                self.lose_sessions()
            if (refused := self._refused_by_hook(request, step)) is not None:
                await asyncio.sleep(self._backend.rtt)
                return refused
            session = request.cookies.get("hf-chat") or str(uuid.uuid4())
            refusal = self._backend.faults.take(Refusal, step)
            call = Call(request, session, self._backend.delay(step))
            response = await handler(call) if refusal is None else refuse(refusal, _error)
            if not response.prepared:
                if request.method == "POST":
                    response.headers.update(_cookie(session))
                await asyncio.sleep(call.delay)
            return response

        return handle

    def _refused_by_hook(self, request: web.Request, step: Step) -> web.Response | None:
        if request.method != "POST" or request.content_type not in FORM_TYPES:
            return None
        origin = request.headers.get("Origin")
        if origin is None:
            return web.Response(status=403, text="Non-JSON form requests need to have an origin")
        is_elsewhere = self._backend.faults.take(NoOrigin, step) is not None
        own = "elsewhere.invalid" if is_elsewhere else request.host
        if _authority_of(origin) != own:  # the scheme does not count
            return web.Response(status=403, text="Invalid referer for POST request")
        return None

    async def _health(self, _call: Call) -> web.StreamResponse:
        return web.Response(text="OK")

    async def _list_models(self, _call: Call) -> web.StreamResponse:
        models = [{"id": name, "name": name, "multimodal": True} for name in self._models]
        return web.json_response({"json": models})

    async def _settings(self, call: Call) -> web.StreamResponse:
        try:
            await read_object(call.request)
        except ValueError:
            return _error(500)
        return web.Response()

    async def _create(self, call: Call) -> web.StreamResponse:
        try:
            asked = await read_object(call.request)
        except ValueError:
            return _error(500)
        model, preprompt = asked.get("model"), asked.get("preprompt", "")
        if not isinstance(model, str) or model not in self._models:
            return _error(400)
        given = self._backend.faults.take(NewId, "create")
        identifier = given.id if given is not None else uuid.uuid4().hex[:_ID_DIGITS]
        root = str(uuid.uuid4())
        made = Today(call.session, model, root, str(preprompt))
        made.messages[root] = ("system", made.preprompt)
        self.conversations[identifier] = made
        message = {"id": root, "from": "system", "content": made.preprompt, "children": []}
        told = {"json": {"messages": [message], "rootMessageId": root, "model": model}}
        # JSON within JSON, as superjson writes it.
        answer = {"conversationId": identifier, "conversation": json.dumps(told)}
        return web.json_response(answer)

    async def _delete(self, call: Call) -> web.StreamResponse:
        found = self._find(call)
        if isinstance(found, web.Response):
            return found
        # What is being generated in it goes on.
        del self.conversations[call.request.match_info["id"]]
        return web.Response()

    async def _delete_all(self, call: Call) -> web.StreamResponse:
        mine = [name for name, each in self.conversations.items() if each.session == call.session]
        for name in mine:
            del self.conversations[name]
        return web.json_response({"json": len(mine)})

    async def _stop(self, call: Call) -> web.StreamResponse:
        found = self._find(call)
        if isinstance(found, web.Response):
            return found
        for run in found.runs.values():
            run.stop()
        return web.Response()

    def _find(self, call: Call) -> Today | web.Response:
        identifier = call.request.match_info["id"]
        found = self.conversations.get(identifier)
        if found is None and len(identifier) != _ID_DIGITS:
            return _error(500)
        if found is None or found.session != call.session:
            return _error(404)
        return found

    async def _stream(self, call: Call) -> web.StreamResponse:
        found = self._find(call)
        if isinstance(found, web.Response):
            return found
        try:
            data, files = asked_of(await read_parts(call.request))
            question, parent = question_in(data, found.messages)
            generation = str(uuid.UUID(str(data.get("generationId") or uuid.uuid4())))
        except LookupError:
            return _error(400)
        except ValueError:
            return _error(500)
        said = found.add("user", question, parent)
        answer = self._backend.answer_to(prompt_of(question, files), limit=None)
        retry = self._backend.faults.take(ServerRetry, "stream")
        title = self._backend.faults.take(LateTitle, "stream")
        run = Run(
            answer.tokens,
            title=question[:40],
            retried_after=retry.after if retry is not None else None,
            title_seconds=title.seconds if title is not None else None,
        )
        found.runs[generation] = run
        found.parents[generation] = said
        return await stream_lines(
            self._backend, call.request, run, headers=_cookie(call.session), delay=call.delay
        )

    async def _follow(self, call: Call) -> web.StreamResponse:
        found = self._find(call)
        if isinstance(found, web.Response):
            return found
        query = call.request.query
        newest = next(reversed(found.runs), "")
        run = found.runs.get(query.get("generationId", newest))
        after = int(call.request.headers.get("Last-Event-ID", query.get("fromSeq", "0")))
        return await follow_events(self._backend, call.request, run, after=after)


def _authority_of(origin: str) -> str:
    try:
        return URL(origin).host_port_subcomponent or ""
    except ValueError:
        return ""


def _error(status: int, message: str | None = None) -> web.Response:
    message = message or _ERRORS.get(status, responses.get(status, "Error"))
    body: dict[str, object] = {"message": message}
    if status == 500:  # noqa: PLR2004 - an error of its own, of which its log says more
        body["errorId"] = str(uuid.uuid4())
    return web.json_response(body, status=status)


def _cookie(session: str) -> dict[str, str]:
    attributes = "Path=/; Max-Age=1209600; HttpOnly; Secure; SameSite=None"
    return {"Set-Cookie": f"hf-chat={session}; {attributes}"}
