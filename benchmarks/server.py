"""The load server: pre-built bytes out of one raw protocol, on loopback, in a process of its own.

What a path says, `<wire>` being the end by which its wire is known, as in `/chat/completions`:

- `/burst/<tokens>/<wire>`: an answer of so many tokens, in 4 KiB writes as fast as they go.
- `/once/<tokens>/<wire>`: the same, and the connection is closed after it.
- `/paced/<crowd>/<wire>`: an answer without end; each token is the time of its sending. The first
  comes at once; those after it to the first so many streams of the crowd, `RATE` a second, as
  `/control/pace/<crowd>/<streams>` says.
- `/h2o/<rtt in ms>/<tokens>/…`: chat-ui: `settings`, `conversation`, `conversation/<id>`.
- `/control/state`: what there is, as JSON.

It listens in plain HTTP and over TLS, with the certificate in the file that its command line names,
and prints both ports, as JSON. It ends with its standard input, or after `LIFETIME` seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from collections import defaultdict
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, cast

from typing_extensions import override

from benchmarks.pacing import Crowd
from benchmarks.processors import keep_apart
from benchmarks.wires import TGI, stamped_parts, wire_of, writes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.wires import Wire

LIFETIME = 7200.0

_BODY_SIZE = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SESSION = re.compile(rb"\r\ncookie:[^\r]*hf-chat=(\w+)", re.IGNORECASE)
_COOKIE = b"Set-Cookie: hf-chat=%b; Path=/; HttpOnly; Secure; SameSite=None\r\n"


class State:
    """What the connections share."""

    def __init__(self) -> None:
        self.crowds: defaultdict[str, Crowd] = defaultdict(Crowd)
        self.conversations: set[str] = set()
        self.ids = count(1)


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._received = b""
        self._is_paused = False
        self._is_last = False
        self._writes: Iterator[bytes] = iter(())
        self._crowd: Crowd | None = None
        self._stamp: tuple[bytes, bytes] = (b"", b"")
        self._loop = asyncio.get_running_loop()
        self._programs: dict[str, Callable[[list[str], str, bytes], None]] = {
            "burst": self._burst,
            "once": self._once,
            "paced": self._paced,
            "h2o": self._h2o,
            "control": self._control,
        }

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what runs."""
        self._writes = iter(())
        if self._crowd is not None:
            self._crowd.leave(self)

    @override
    def pause_writing(self) -> None:
        """Wait for the client."""
        self._is_paused = True

    @override
    def resume_writing(self) -> None:
        """Go on."""
        self._is_paused = False
        self._write_on()

    @override
    def data_received(self, data: bytes) -> None:
        """Answer when a request is whole."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        size = _BODY_SIZE.search(head)
        if len(body) < (int(size.group(1)) if size else 0):
            return
        self._received = b""
        method, target, _ = head.split(b" ", 2)
        path = target.decode()
        _, program, *rest = path.split("/")
        self._programs[program](rest, f"{method.decode()} {path}", head)

    def send_stamp(self) -> None:
        """Send a token that says when."""
        if not self._is_paused:
            before, after = self._stamp
            self._transport.write(b"%b%019d%b" % (before, time.monotonic_ns(), after))

    def _burst(self, rest: list[str], asked: str, head: bytes) -> None:
        self._stream(wire_of(asked), int(rest[0]))

    def _once(self, rest: list[str], asked: str, head: bytes) -> None:
        self._is_last = True
        self._stream(wire_of(asked), int(rest[0]))

    def _paced(self, rest: list[str], asked: str, head: bytes) -> None:
        opening, before, after = stamped_parts(wire_of(asked))
        self._stamp = before, after
        self._transport.write(opening)
        self._crowd = self._state.crowds[rest[0]]
        self._crowd.join(self)
        self.send_stamp()

    def _control(self, rest: list[str], asked: str, head: bytes) -> None:
        lag = 0.0
        if rest[0] == "pace":
            crowd = self._state.crowds[rest[1]]
            lag = crowd.lag
            crowd.pace(int(rest[2]))
        state = {"conversations": len(self._state.conversations), "lag": lag}
        self._answer("200 OK", json.dumps(state).encode())

    def _h2o(self, rest: list[str], asked: str, head: bytes) -> None:
        rtt, tokens, *step = rest
        delay = int(rtt) / 1000
        if delay:
            self._loop.call_later(delay, self._h2o_step, step, asked, int(tokens), head)
        else:
            self._h2o_step(step, asked, int(tokens), head)

    def _h2o_step(self, step: list[str], asked: str, tokens: int, head: bytes) -> None:
        session = _SESSION.search(head)
        name = session.group(1) if session else b"%032x" % next(self._state.ids)
        cookie = _COOKIE % name  # the same one again and again, as chat-ui does
        conversations = self._state.conversations
        if step == ["settings"]:
            self._answer("200 OK", b'{"type":"redirect","status":303,"location":"/"}', cookie)
        elif not session:
            refusal = b'{"error":"You need to accept the welcome modal first"}'
            self._answer("405 Method Not Allowed", refusal, cookie)
        elif step == ["conversation"]:
            conversation = f"{next(self._state.ids):024x}"
            conversations.add(conversation)
            self._answer("200 OK", b'{"conversationId":"%b"}' % conversation.encode(), cookie)
        elif step[1] not in conversations:
            self._answer("404 Not Found", b'{"message":"Conversation not found"}', cookie)
        elif asked.startswith("DELETE"):
            conversations.discard(step[1])
            self._answer("200 OK", b"", cookie)
        elif step[2:] == ["stop-generating"]:
            self._answer("200 OK", b"", cookie)
        else:
            self._stream(TGI, tokens)

    def _stream(self, wire: Wire, tokens: int) -> None:
        self._writes = iter(writes_of(wire, tokens, is_last=self._is_last))
        self._write_on()

    def _write_on(self) -> None:
        """Write what one write takes, and go on when the others have had their turn."""
        write = None if self._is_paused else next(self._writes, None)
        if write is not None:
            self._transport.write(write)
            self._loop.call_soon(self._write_on)
        elif self._is_last and not self._is_paused:
            self._transport.close()

    def _answer(self, status: str, body: bytes, headers: bytes = b"") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n".encode()
        size = b"Content-Length: %d\r\n\r\n" % len(body)
        self._transport.write(head + headers + size + body)


async def serve(certificate: str) -> None:
    """Serve until standard input ends, with the certificate and the key in that file."""
    loop = asyncio.get_running_loop()
    state = State()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    servers = [
        await loop.create_server(lambda: Connection(state), "127.0.0.1", 0, backlog=4096, ssl=way)
        for way in (None, tls)
    ]
    sys.stdout.write(f"{[server.sockets[0].getsockname()[1] for server in servers]}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    loop.call_later(LIFETIME, ended.set)
    await ended.wait()
    for server in servers:
        server.close()


def new_loop() -> asyncio.AbstractEventLoop:
    """Return the fastest event loop there is."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = import_module("uvloop").new_event_loop()
    return loop


if __name__ == "__main__":
    keep_apart(is_server=True)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(sys.argv[1]))
