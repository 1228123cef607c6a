"""What the tests of the adapters share: who answers, and that nothing is left behind."""

from contextlib import asynccontextmanager

import pytest

from asyncllm.sandbox import Sandbox
from support.leftovers import settled
from support.waiting import until
from support.wires import TOOL_WIRES, on_wire

KINDS = ("h2o", "chatui", "openai", "anthropic")
every_kind = pytest.mark.parametrize("wire", KINDS)
every_wire_with_tools = pytest.mark.parametrize("wire", TOOL_WIRES)
ANSWER = (
    "This is the asyncllm sandbox speaking, not a model. You wrote: “{}”. "
    "A real model would now say something about it."
)
PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\nIDATx\x9cc\0\1\0"
    b"\0\5\0\1\r\n-\xb4\0\0\0\0IEND\xaeB`\x82"
)


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
