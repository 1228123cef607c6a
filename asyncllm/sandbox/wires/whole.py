"""An answer in one piece, where no stream was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.generation import start_generation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncllm.sandbox.generation import Backend
    from asyncllm.sandbox.wires.body import JSON


async def answer_whole(backend: Backend, tokens: Sequence[str], answer: JSON) -> web.Response:
    """Generate the tokens, and answer once all are there."""
    generation = start_generation(backend, tokens, None)
    try:
        await generation.wait_over()
    finally:
        generation.stop()
    return web.json_response(answer)
