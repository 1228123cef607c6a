"""What the tests of the adapters share: who answers, and that nothing is left behind."""

import re
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from asyncllm import AsyncGeneratorProvider
from asyncllm.sandbox import ReasoningDetails, ReasoningField, Sandbox, ThoughtSignatures
from support.leftovers import settled
from support.waiting import until
from support.wires import TOOL_WIRES, on_wire

DEMANDS = (
    ReasoningField(demanded=True),
    ReasoningDetails("text"),
    ReasoningDetails("encrypted"),
    ThoughtSignatures(),
)
KINDS = ("h2o", "chatui", "openai", "anthropic")
every_kind = pytest.mark.parametrize("wire", KINDS)
every_wire_with_tools = pytest.mark.parametrize("wire", TOOL_WIRES)
ANSWER = (
    "This is the asyncllm sandbox speaking, not a model. You wrote: “{}”. "
    "A real model would now say something about it."
)
PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89"
    b"\0\0\0\nIDATx\x9cc\0\1\0\0\5\0\1\r\n-\xb4\0\0\0\0IEND\xaeB`\x82"
)


class Scripted(AsyncGeneratorProvider):
    """Answers with the items that it was made with; an error among them is raised."""

    url = "https://scripted.example.org"

    def __init__(self, *items):
        super().__init__()
        self._items = items
        self.heard = []

    async def generate(self, request, http):
        self.heard.append(request.messages)
        for item in self._items:
            if isinstance(item, Exception):
                raise item
            yield [item]


@asynccontextmanager
async def asked(wire, *faults, **options):
    """A sandbox, and a provider that talks to it; nothing of either is left at the end."""
    async with Sandbox(faults=faults) as sandbox:
        yield sandbox, on_wire(wire, sandbox.url, **options)
        await at_rest(sandbox)
    await settled()


async def at_rest(sandbox):
    """Wait until the sandbox keeps nothing for anybody, and nobody holds a connection to it."""
    server = sandbox._site._runner.server
    await until(lambda: (sandbox.conversations, sandbox.generating) == (0, 0))
    await until(lambda: not server.connections)


def documented_options(name):
    """Return what the reference says that a class takes, by its names, with the defaults."""
    page = (Path(__file__).parents[2] / "docs/api.md").read_text("utf-8")
    [listed] = re.findall(rf"py:class:: [\w.]+\.{name}\((.*)\)", page)
    return [each for each in listed.split(", ") if each != "*"]


def options_of(model):
    """Return what a class of pydantic's takes and its base does not, as the reference has it."""
    own = [each for each in model.model_fields if each not in model.__base__.model_fields]
    return [
        each if field.is_required() else f"{each}={field.get_default(call_default_factory=True)}"
        for each in own
        for field in (model.model_fields[each],)
    ]
