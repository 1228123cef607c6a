"""What the tests share: a sandbox in the test's own loop, and providers on it."""

import os
import signal
from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from asyncllm import H2o, Retry, SessionManager
from asyncllm.http import inflow, sending
from asyncllm.sandbox import Sandbox

# Our own plugin comes late, or what it imports would not count as covered.
pytest_plugins = ["asyncllm.sandbox.pytest_plugin", "support.connections", "support.tls"]

# How long an example takes says how busy the machine is.
settings.register_profile("patient", settings(deadline=None, max_examples=50))
settings.load_profile("patient")

# `nohup` has it ignored, and what ignores it at its start goes on doing so, as programs should.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A shell that runs pytest in the background has it ignore Ctrl-C, and so would what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--as-offered",
        action="store_true",
        help="send and read as where aiohttp is another than the one that is known",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What is drawn by chance must not decide whether a line is covered, and takes long to measure.
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("no_cover")


@pytest.fixture(autouse=True, scope="session")
def _reading(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--as-offered"):
        inflow.IS_KNOWN = sending.IS_KNOWN = False


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def sessions() -> AsyncIterator[SessionManager]:
    async with SessionManager(retry=Retry(initial_wait=0.01, max_wait=0.05)) as manager:
        yield manager


@pytest.fixture
def h2o(sandbox: Sandbox, sessions: SessionManager) -> H2o:
    return H2o(base_url=sandbox.url, sessions=sessions)


@pytest.fixture(autouse=True)
def _no_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = "ASYNCLLM_ACCELERATE"  # so that all tests can be run without what `speed` brings
    for name in os.environ:
        if (name.startswith("ASYNCLLM_") and name != kept) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    # Where the command line keeps its files: not where whoever runs the tests has theirs.
    monkeypatch.setenv("ASYNCLLM_HOME", str(tmp_path_factory.getbasetemp() / "asyncllm-home"))


@pytest.fixture(params=["plain", "accelerated"])
def accelerate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether TLS is to be aiofastnet's, and have it be so whatever the environment says."""
    if request.param == "accelerated":
        pytest.importorskip("aiofastnet")
        monkeypatch.delenv("ASYNCLLM_ACCELERATE", raising=False)
    return request.param == "accelerated"
