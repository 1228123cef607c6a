"""What the command line's tests share: a home and an environment of their own, and a server."""

import io
import sys
from typing import NamedTuple

import pytest

from asyncllm.__main__ import main
from asyncllm.registry import key_variables
from asyncllm.sandbox import Sandbox
from asyncllm.sandbox.background import running_in_background
from support.command_line import status_of

ADDRESSES = ("OLLAMA_HOST", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "CO_API_URL")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Where our files are; no key and no address is in the environment."""
    for variable in {*sum(key_variables().values(), ()), *ADDRESSES}:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ASYNCLLM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def server():
    with running_in_background(Sandbox()) as sandbox:
        yield sandbox
        assert sandbox.conversations == 0


@pytest.fixture
def cli(monkeypatch, capsys):
    """Run a command line in this process, as starting one takes half a second."""

    def call(*arguments, given=b""):
        monkeypatch.setattr(sys, "argv", ["asyncllm", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        return Done(status_of(main), *capsys.readouterr())

    return call


class Done(NamedTuple):
    status: int
    out: str
    err: str
