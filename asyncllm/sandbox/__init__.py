"""The APIs of all providers, served on loopback, with faults on demand.

The sandbox imports nothing else of this package: it reads the wires a second time, on its
own, so that a misreading in the SDK shows as a failing test.

`Sandbox` is resolved on first use, because the pytest plugin is loaded in every test run of
whoever has installed this package, and must not cost them the import of aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.sandbox import faults
from asyncllm.sandbox.faults import *  # noqa: F403 - the list of the faults stands there alone

if TYPE_CHECKING:
    from asyncllm.sandbox.server import Request, Sandbox

__all__ = ["Request", "Sandbox"]
__all__ += faults.__all__


def __getattr__(name: str) -> object:
    if name in {"Request", "Sandbox"}:
        from asyncllm.sandbox import server  # noqa: PLC0415 - see above

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
