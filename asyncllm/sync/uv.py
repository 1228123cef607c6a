"""uvloop's event loop, fit for a process that is forked."""

from __future__ import annotations

import socket
from functools import partial
from ipaddress import ip_address
from typing import Any

import uvloop
from typing_extensions import override


class ForkableLoop(uvloop.Loop):
    """uvloop's event loop, which leaves no threads of libuv's behind.

    libuv resolves names in threads of its own, and joins them when the process ends, also in a
    forked child, which has none of them: it ends with a segmentation fault
    (https://github.com/libuv/libuv/issues/4443). Python's own threads know of forks.
    """

    @override
    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
        """Return what `socket.getaddrinfo` does; an address takes no lookup, and no thread."""
        look_up = partial(socket.getaddrinfo, host, port, **hints)
        return look_up() if _is_address(host) else await self.run_in_executor(None, look_up)


def _is_address(host: Any) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
