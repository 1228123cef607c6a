"""llama.cpp's own server, out of the wheel of `xllamacpp`, on loopback with a tiny random model."""

import asyncio
import contextlib
import http.client
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from asyncllm import OpenAICompatible, SessionManager
from peers.relay import Relay, relaying

_API_KEY = "sk-peer-0123456789"
_SECONDS_TO_START = 60
_SECONDS_TO_STOP = 5


@dataclass(frozen=True)
class LlamaServer:
    """A running server; it has two slots, and what is asked beyond that waits for one."""

    url: str
    api_key: str
    process: subprocess.Popen[str]

    async def busy_slots(self) -> int:
        async with (
            aiohttp.ClientSession() as client,
            client.get(
                f"{self.url}/slots", headers={"Authorization": f"Bearer {self.api_key}"}
            ) as response,
        ):
            return sum(slot["is_processing"] for slot in await response.json())

    async def until_busy(self, slots: int) -> None:
        """Wait until exactly so many slots are busy."""
        async with asyncio.timeout(30):
            while await self.busy_slots() != slots:
                await asyncio.sleep(0.01)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)


@pytest.fixture(scope="session")
def llama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    with _serving(tmp_path_factory.mktemp("llama")) as server:
        yield server


@pytest.fixture
def mortal_server(tmp_path: Path) -> Iterator[LlamaServer]:
    """A server of the test's own, to freeze or kill."""
    with _serving(tmp_path) as server:
        yield server


@pytest.fixture
async def relay(llama_server: LlamaServer) -> AsyncIterator[Relay]:
    async with relaying(llama_server.url) as running:
        yield running


@pytest.fixture
def llm(llama_server: LlamaServer, sessions: SessionManager) -> OpenAICompatible:
    return OpenAICompatible(
        base_url=f"{llama_server.url}/v1",
        api_key=llama_server.api_key,
        model="tiny",
        sessions=sessions,
    )


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[LlamaServer]:
    _require("xllamacpp", "gguf")
    log = folder / "llama.log"
    command = [sys.executable, str(Path(__file__).with_name("serve.py")), str(folder), _API_KEY]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # the server stops when it closes, hence with us, come what may
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for us
        ) as process,
    ):
        try:
            url = process.stdout.readline().strip()
            if not (url and _is_healthy(url)):
                pytest.fail(f"llama.cpp's server did not start:\n{log.read_text()}")
            yield LlamaServer(url, _API_KEY, process)
        finally:
            _stop(process)


def _is_healthy(url: str) -> bool:
    address = urlsplit(url)
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=1)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", "/health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return True
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGCONT)
    process.stdin.close()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()


def _require(*modules: str) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if not missing:
        return
    reason = f"no real peer without {' and '.join(missing)}: pip install -e '.[peers]'"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
