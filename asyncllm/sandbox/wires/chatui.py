"""chat-ui's wire, as `https://gpt-gm.h2o.ai` speaks it: chat-ui 0.3.0 before a TGI stream."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass, field
from http.client import responses
from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.faults import (
    LoseSessions,
    NewId,
    NoOrigin,
    Refusal,
    Step,
)
from asyncllm.sandbox.wires.body import object_in, read_object
from asyncllm.sandbox.wires.chatui_call import Call, Handler
from asyncllm.sandbox.wires.chatui_page import page_of
from asyncllm.sandbox.wires.forms import FORM_TYPES, is_same_origin, read_form, redirect
from asyncllm.sandbox.wires.refused import refuse
from asyncllm.sandbox.wires.streamed import stream_answer
from asyncllm.sandbox.wires.tgi import script_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncllm.sandbox.generation import Backend, Generation
    from asyncllm.sandbox.wires.body import JSON

MODELS = (
    "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1",
    "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3",
    "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
)
_BODY_LIMIT = 512 * 1024
_IS_OBJECT_ID = re.compile("[0-9a-f]{24}", re.IGNORECASE).fullmatch
_IS_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE).fullmatch
_RATE_LIMITED = "You are sending too many messages. Try again later."


@dataclass(eq=False)
class Conversation:
    """A conversation: whose it is, the answers stored in it, and those still being generated."""

    session: str
    answers: list[str] = field(default_factory=list[str])
    generations: set[Generation] = field(default_factory=set["Generation"])

    def begin(self, generation: Generation) -> None:
        """Know an upstream generation, which outlives its reader."""
        self.generations.add(generation)

    def end(self, generation: Generation) -> None:
        """Store what came of a generation."""
        self.generations.discard(generation)
        if not generation.is_failing:
            self.answers.append("".join(generation.tokens[: generation.produced]))


class ChatUIWire:
    """The wire's state (accepted settings and open conversations) and its routes."""

    def __init__(self, backend: Backend) -> None:
        self.conversations: dict[str, Conversation] = {}
        self._accepted: set[str] = set()
        self._backend = backend
        self._models = dict.fromkeys([*MODELS, *backend.models])

    def routes(self) -> list[web.RouteDef]:
        """Where it all is served."""
        conversation = "/conversation/{id}"
        return [
            web.get("/", self._hooked("landing", self._landing)),
            web.post("/settings", self._hooked("settings", self._settings)),
            web.post("/conversation", self._hooked("create", self._create)),
            web.post(conversation, self._hooked("stream", self._stream)),
            web.post(f"{conversation}/stop-generating", self._hooked("stop", self._stop)),
            web.delete(conversation, self._hooked("delete", self._delete)),
            web.post("/conversations", self._hooked("delete_all", self._delete_all)),
        ]

    def lose_sessions(self) -> None:
        """Forget all settings and conversations."""
        self._accepted.clear()
        self.conversations.clear()

    def _hooked(
        self, step: Step, handler: Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            await self._backend.hold_up(step)
            if self._backend.faults.take(LoseSessions, step) is not None:
                self.lose_sessions()
            session = request.cookies.get("hf-chat") or str(uuid.uuid4())
            if (refused := self._refused_by_hook(request, session, step)) is not None:
                await asyncio.sleep(self._backend.rtt)
                return refused
            refusal = self._backend.faults.take(Refusal, step)
            call = Call(request, session, self._backend.delay(step))
            response = await handler(call) if refusal is None else refuse(refusal, _error)
            if not response.prepared:
                response.headers.update(_cookie(session))
                await asyncio.sleep(call.delay)
            return response

        return handle

    def _refused_by_hook(
        self, request: web.Request, session: str, step: Step
    ) -> web.Response | None:
        if request.method != "POST":
            return None
        if request.content_type in FORM_TYPES:
            referer = request.headers.get("Referer")
            if referer is None:
                return web.Response(
                    status=403, text="Non-JSON form requests need to have a referer"
                )
            is_without_origin = self._backend.faults.take(NoOrigin, step) is not None
            url = request.url.with_scheme("https") if is_without_origin else request.url
            if not is_same_origin(referer, url):
                return web.Response(status=403, text="Invalid referer for POST request")
        if request.path != "/settings" and session not in self._accepted:
            return web.json_response(
                {"error": "You need to accept the welcome modal first"}, status=405
            )
        return None

    async def _landing(self, _call: Call) -> web.StreamResponse:
        return web.Response(text=page_of([*self._models]), content_type="text/html")

    async def _settings(self, call: Call) -> web.StreamResponse:
        request = call.request
        try:
            form = await read_form(request)
        except ValueError:
            return _error(500)
        if form.get("activeModel", MODELS[0]) not in self._models:
            return _error(500)
        if form.get("ethicsModalAccepted"):
            self._accepted.add(call.session)
        return redirect(request, request.headers.get("Referer", "/"))

    async def _create(self, call: Call) -> web.StreamResponse:
        try:
            model = (await read_object(call.request)).get("model")
        except ValueError:
            return _error(500)
        if not isinstance(model, str) or model not in self._models:
            return _error(500)
        given = self._backend.faults.take(NewId, "create")
        identifier = given.id if given is not None else uuid.uuid4().hex[:24]
        self.conversations[identifier] = Conversation(call.session)
        return web.json_response({"conversationId": identifier})

    async def _delete(self, call: Call) -> web.StreamResponse:
        found = self._find(call)
        if isinstance(found, web.Response):
            return found
        del self.conversations[call.request.match_info["id"]]
        return web.Response()

    async def _delete_all(self, call: Call) -> web.StreamResponse:
        """Answer the form "Delete all conversations" on the page of settings."""
        if not call.request.query_string.startswith("/delete"):
            return _error(500)  # no action of this name
        if call.request.content_type not in FORM_TYPES:
            return _error(500)
        for identifier, conversation in list(self.conversations.items()):
            if conversation.session == call.session:
                del self.conversations[identifier]
        return redirect(call.request, "/")

    async def _stop(self, call: Call) -> web.StreamResponse:
        found = self._find(call)
        if isinstance(found, web.Response):
            return found
        for generation in found.generations:
            generation.stop()
        return web.Response()

    def _find(self, call: Call) -> Conversation | web.Response:
        identifier = call.request.match_info["id"]
        found = self.conversations.get(identifier)
        if found is None and not _IS_OBJECT_ID(identifier):
            return _error(500)
        if found is None or found.session != call.session:
            return _error(404, "Conversation not found")
        return found

    async def _stream(self, call: Call) -> web.StreamResponse:
        found = self._find(call)
        if isinstance(found, web.Response):
            return found
        if len(await call.request.read()) > _BODY_LIMIT:
            return _error(413)
        try:
            prompt, limit = _question(await read_object(call.request))
        except ValueError:
            return _error(500)
        answer = self._backend.answer_to(prompt, limit=limit)
        return await stream_answer(
            self._backend,
            call.request,
            script_of(answer),
            headers=_cookie(call.session),
            delay=call.delay,
            keeper=found,
        )


def _error(status: int, message: str | None = None) -> web.Response:
    if message is None:
        usual = {429: _RATE_LIMITED, 500: "Internal Error"}
        message = usual.get(status, responses.get(status, "Error"))
    return web.json_response({"message": message}, status=status)


def _cookie(session: str) -> dict[str, str]:
    return {"Set-Cookie": f"hf-chat={session}; Path=/; HttpOnly; Secure; SameSite=None"}


def _question(body: JSON) -> tuple[str, int | None]:
    """Read the prompt, and how many tokens the answer may have at most.

    Raises:
        ValueError: chat-ui's own check of the body would fail.

    """
    prompt, options = body.get("inputs"), object_in(body.get("options"))
    if not isinstance(prompt, str) or not prompt.strip() or body.get("options") is None:
        raise ValueError("inputs or options missing")
    for name in ("id", "response_id"):
        if name in options and not _IS_UUID(str(options[name])):
            raise ValueError(f"{name} is not a UUID")
    limit = object_in(body.get("parameters")).get("max_new_tokens")
    return prompt, limit if isinstance(limit, int) and limit > 0 else None
