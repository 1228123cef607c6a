"""The event loops on which everything must hold."""

import asyncio
import sys

import uvloop


def _eager_loop():
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
LOOPS_AND_EAGER = LOOPS | ({"eager": _eager_loop} if sys.version_info >= (3, 12) else {})
