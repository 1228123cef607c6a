"""Every fault that can be declared changes what some wire answers."""

import asyncio
import json
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import pytest

import asyncllm.sandbox
from asyncllm.sandbox import (
    BadJson,
    BigEvent,
    BlockedPrompt,
    ChangingIds,
    Citations,
    ContentParts,
    Continuation,
    DetailError,
    Drop,
    EmptyBody,
    EmptyOutput,
    EndsWith,
    ErrorInStream,
    Fault,
    Fingerprint,
    Framing,
    HtmlPage,
    Late,
    LateTitle,
    LoseSessions,
    ModelDoesNotExist,
    NewId,
    NoArgumentDeltas,
    NoDone,
    NoFinishReason,
    NoOrigin,
    NullContent,
    PauseTurn,
    PingForever,
    PlainError,
    PlainJson,
    ReasoningDetails,
    ReasoningField,
    RedactedThinking,
    RefusalDeltas,
    RefusalStop,
    RefuseField,
    Sandbox,
    ServerRetry,
    SlowAnswer,
    SlowCreate,
    Stall,
    Status,
    ThoughtSignatures,
    ToolIndex,
    Truncate,
    Usage,
    UsageDetails,
)
from asyncllm.sandbox.faults import Break, Refusal

PATIENCE = 30.0
NEVER = 3600.0
HANGING = 0.2  # seconds, after which an answer that must never be whole is given up
TOOLS = [{"type": "function", "function": {"name": "clock"}}]
# What two answers to the same request differ in without a fault.
CHANCE = re.compile(
    r'(?:\b[a-z]+_|chatcmpl-|\b)[0-9a-f]{24,32}\b|"created(?:_at)?":\d+|127\.0\.0\.1:\d+'
    r"|\b[0-9a-f-]{36}\b"
    r'|\{"type":"status","status":"keepAlive"\}\n'
)


@dataclass
class Client:
    """Asks one request after another, and keeps what can be seen of the answers."""

    url: str
    http: aiohttp.ClientSession
    answers: list = field(default_factory=list)

    async def ask(self, method, path, **options):
        """Return the text of the answer, as far as it came."""
        status, content_type, error, reads = None, None, None, []
        try:
            async with self.http.request(method, self.url + path, **options) as response:
                status, content_type = response.status, response.content_type
                async for read in response.content.iter_any():
                    reads.append(read)
        except aiohttp.ClientError as caught:
            error = type(caught)
        finally:
            text = b"".join(reads).decode()
            self.answers.append((status, content_type, CHANCE.sub("…", text), error))
        return text


async def ask_chatui(client):
    """Accept, create, ask and delete, as a browser does."""
    session = {"Cookie": f"hf-chat={uuid.UUID(int=0)}", "Referer": client.url}
    await client.ask("POST", "/settings", data={"ethicsModalAccepted": "true"}, headers=session)
    model = {"model": "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1"}
    created = await client.ask("POST", "/conversation", json=model, headers=session)
    found = re.search(r'"conversationId": "(\w+)"', created)
    conversation = f"/conversation/{found[1] if found else 'none'}"
    question = {"inputs": "Hi", "options": {}}
    await client.ask("POST", conversation, json=question, headers=session)
    await client.ask("DELETE", conversation, headers=session)


async def ask_today(client):
    """Create, ask and delete in the chat-ui of today, as a browser does."""
    session = {"Cookie": f"hf-chat={uuid.UUID(int=0)}", "Origin": client.url}
    model = {"model": "sandbox/small"}
    created = await client.ask("POST", "/chat/conversation", json=model, headers=session)
    found = re.search(r'"conversationId": "(\w+)"', created)
    root = re.search(r'rootMessageId\\": \\"([^\\]+)', created)
    conversation = f"/chat/conversation/{found[1] if found else 'none'}"
    question = json.dumps({"inputs": "Hi", "id": root[1] if root else ""})
    await client.ask("POST", conversation, data={"data": question}, headers=session)
    await client.ask("DELETE", conversation, headers=session)


async def ask_openai(client):
    """Ask for a text and for calls of tools."""
    for text in ("Hi", "Use a tool"):
        question = {
            "model": "gpt-4",
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": TOOLS,
        }
        await client.ask("POST", "/v1/chat/completions", json=question)


async def ask_anthropic(client):
    """Ask for a text, for calls of tools and for a search."""
    schema = {"type": "object", "properties": {}}
    search = {"type": "web_search_20250305", "name": "web_search"}
    for text in ("Hi", "Use a tool", "Search"):
        question = {
            "model": "claude-opus-5",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "tools": [{"name": "clock", "input_schema": schema}, search],
        }
        headers = {"anthropic-version": "2023-06-01"}
        await client.ask("POST", "/v1/messages", json=question, headers=headers)


async def ask_gemini(client):
    """Ask for a text and for calls of functions."""
    for text in ("Hi", "Use a tool"):
        question = {
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "tools": [{"functionDeclarations": [{"name": "clock"}]}],
        }
        path = "/v1beta/models/gemini-3-pro:streamGenerateContent"
        await client.ask("POST", path, json=question, params={"alt": "sse"})


async def answers(wire, fault=None, patience=PATIENCE):
    """Return what a wire answers to its requests, with a fault or without one."""
    faults = [fault] if fault is not None else []
    async with Sandbox(faults=faults) as sandbox, aiohttp.ClientSession() as http:
        client = Client(sandbox.url, http)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await wire(client)
    return client.answers


async def ask_responses(client):
    """Ask for a text and for a call of a tool."""
    for text in ("Hi", "Use a tool"):
        tools = [{"type": "function", "name": "clock", "parameters": {}}]
        question = {"model": "gpt-4o", "input": text, "stream": True, "tools": tools}
        await client.ask("POST", "/v1/responses", json=question)


CHATUI, TODAY = (ask_chatui, ask_today), (ask_today,)
OPENAI, RESPONSES = (ask_openai,), (ask_responses,)
ANTHROPIC, GEMINI = (ask_anthropic,), (ask_gemini,)
NATIVE = OPENAI + ANTHROPIC + RESPONSES
EVERY = CHATUI + NATIVE + GEMINI
SHOWS_ON = {
    BadJson(after=1): EVERY,
    BigEvent(size=100): EVERY,
    BlockedPrompt(): GEMINI,
    ChangingIds(): RESPONSES,
    Citations(): OPENAI + RESPONSES + GEMINI,
    ContentParts(): OPENAI,
    Continuation(): GEMINI,
    DetailError(): EVERY,
    Drop(after=1): EVERY,
    EmptyBody(): EVERY,
    EndsWith(): GEMINI,
    EmptyOutput(): RESPONSES,
    ErrorInStream(after=1): EVERY,
    Fingerprint(): OPENAI,
    Framing("crlf"): (ask_chatui, *NATIVE),
    Framing("cr"): GEMINI,  # which has the other anyway
    HtmlPage(): EVERY,
    Late(0.5): CHATUI,  # longer than `HANGING`; a sandbox waits for it when it is closed
    LateTitle(seconds=0.01): TODAY,
    LoseSessions(): CHATUI,
    ModelDoesNotExist(): NATIVE,
    NewId("mine"): CHATUI,
    NoArgumentDeltas(): RESPONSES,
    NoDone(): OPENAI,
    NoFinishReason(): OPENAI,
    NoOrigin(): CHATUI,
    NullContent(): OPENAI,
    PauseTurn(): ANTHROPIC,
    PingForever(after=1): EVERY,
    PlainError(): EVERY,
    PlainJson(): NATIVE,
    ReasoningDetails(): OPENAI,
    ReasoningField(): OPENAI,
    RedactedThinking(): ANTHROPIC,
    RefusalDeltas(): OPENAI + RESPONSES,
    RefusalStop(): ANTHROPIC,
    RefuseField(): OPENAI,
    ServerRetry(): TODAY,
    SlowAnswer(NEVER): EVERY,
    SlowCreate(NEVER): CHATUI,
    Stall(after=1): EVERY,
    Status(): EVERY,
    ThoughtSignatures(): OPENAI,
    ToolIndex(): OPENAI,
    Truncate(after=1): EVERY,
    Usage("never"): OPENAI,
    UsageDetails(): OPENAI + RESPONSES,
}
HANG = (Late, PingForever, SlowAnswer, SlowCreate, Stall)


def test_the_table_has_every_fault_that_can_be_declared():
    public = {getattr(asyncllm.sandbox, name) for name in asyncllm.sandbox.__all__}
    faults = {cls for cls in public if issubclass(cls, Fault)} - {Fault}
    assert {type(fault) for fault in SHOWS_ON} == faults


@pytest.mark.parametrize("wire", EVERY)
async def test_without_a_fault_the_same_is_answered_each_time(wire):
    first = await answers(wire)
    assert first == await answers(wire)
    assert {status for status, *_ in first} == {200}


@pytest.mark.parametrize(
    ("fault", "wire"),
    [
        pytest.param(fault, wire, id=f"{type(fault).__name__}-{wire.__name__}")
        for fault, wires in SHOWS_ON.items()
        for wire in wires
    ],
)
async def test_a_fault_changes_what_the_wire_answers(fault, wire):
    patience = HANGING if isinstance(fault, HANG) else PATIENCE
    assert await answers(wire, fault, patience) != await answers(wire)


class Sneeze(Break):
    """A break that nobody performs."""


class Shrug(Refusal):
    """A refusal that nobody performs."""


@pytest.mark.parametrize("wire", EVERY)
@pytest.mark.parametrize("fault", [Sneeze(after=1), Shrug()])
async def test_a_fault_that_nobody_performs_is_an_error(fault, wire, caplog):
    await answers(wire, fault)
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert errors
    assert {type(error) for error in errors} == {TypeError}
    assert all(repr(fault) in str(error) for error in errors)
