"""The soak's server: a sandbox that is restarted, and whose requests go into the ledger."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context
from typing import TYPE_CHECKING

import trustme

from asyncllm.sandbox import Sandbox
from asyncllm.sandbox.background import running_in_background

if TYPE_CHECKING:
    from asyncllm.sandbox import Fault
    from benchmarks.soak.ledger import Ledger

_RTT, _TOKEN_RATE = 0.005, 200.0
_FAULTS_KEPT = 50  # the sandbox does not forget faults that it has shown


class Server:
    """One sandbox after another, on one port and a thread of its own.

    Args:
        ledger: where requests are entered.
        tokens: the length of every answer; None for the natural ones.
        tls: whether it speaks TLS.

    Attributes:
        trust: the context that trusts it, or None.

    """

    def __init__(self, ledger: Ledger, *, tokens: int | None, tls: bool = False) -> None:
        self._ledger = ledger
        self._tokens = tokens
        self.trust, self._tls = _tls() if tls else (None, None)
        self._life = ExitStack()
        self._declared = 0
        self._port = 0
        self.sandbox = self._begin()

    def declare(self, fault: Fault) -> None:
        """Have the sandbox show a fault."""
        self._declared += 1
        if self._declared % _FAULTS_KEPT == 0:
            self.sandbox.clear_faults()
        self.sandbox.add_fault(fault)
        self._ledger.faults[type(fault).__name__] += 1

    def read(self) -> None:
        """Enter what was asked since the last time."""
        requests = self.sandbox.requests
        self._ledger.read(requests.popleft() for _ in range(len(requests)))

    async def lose_sessions(self) -> None:
        """Forget settings and conversations."""
        self.read()
        self.sandbox.lose_sessions()
        self._ledger.events["lost sessions"] += 1

    async def restart(self) -> None:
        """Break every connection and be away for a moment."""
        await asyncio.to_thread(self.close)
        self.read()
        # aiohttp caches the last thousand handlers of the process, hence sandboxes that are over.
        self.sandbox.lose_sessions()
        self.sandbox.clear_faults()
        self.sandbox = await asyncio.to_thread(self._begin)
        self._ledger.events["restarts"] += 1

    def close(self) -> None:
        """End the sandbox and its thread."""
        self._life.close()

    def _begin(self) -> Sandbox:
        sandbox = Sandbox(
            port=self._port,
            rtt=_RTT,
            token_rate=_TOKEN_RATE,
            tokens=self._tokens,
            ssl=self._tls,
        )
        self._life.enter_context(running_in_background(sandbox))
        self._port = sandbox.port
        return sandbox


def _tls() -> tuple[SSLContext, SSLContext]:
    """Return the contexts of a client and of the server that it trusts."""
    authority = trustme.CA()
    client, server = create_default_context(), SSLContext(PROTOCOL_TLS_SERVER)
    authority.configure_trust(client)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    return client, server
