"""What a client process runs on: which event loop, with TLS or without, and what speeds it up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec

AIOFASTNET = "aiofastnet"
"""The module that asyncllm takes by itself where it is installed."""


@dataclass(frozen=True)
class Setup:
    """What a client process runs on.

    Attributes:
        is_uvloop: whether the event loop is uvloop's.
        is_tls: whether the streams come over https.
        has_aiofastnet: whether asyncllm may take aiofastnet.

    """

    is_uvloop: bool = False
    is_tls: bool = False
    has_aiofastnet: bool = False

    @property
    def name(self) -> str:
        """What tables call it; whether it has TLS is said by the scenario."""
        loop = "uvloop" if self.is_uvloop else "asyncio"
        return f"{loop} + {AIOFASTNET}" if self.has_aiofastnet else loop

    @property
    def lack(self) -> str:
        """Why nothing can run on it, in words; empty where it can."""
        needed = ["uvloop"] * self.is_uvloop + [AIOFASTNET] * self.has_aiofastnet
        missing = [module for module in needed if find_spec(module) is None]
        return f"{' and '.join(missing)} not installed" if missing else ""

    @property
    def accelerated(self) -> Setup:
        """The same with aiofastnet."""
        return replace(self, has_aiofastnet=True)

    def environment(self) -> dict[str, str]:
        """Return the variables that a client process needs for it."""
        return {} if self.has_aiofastnet else {"ASYNCLLM_ACCELERATE": "0"}


@dataclass(frozen=True)
class Runner:
    """Who is measured.

    Attributes:
        contender: its name.
        setup: what it runs on.
        sdk: a folder to import asyncllm from, or None for this one.
        title: what tables call it, where that is not the contender's name.

    """

    contender: str
    setup: Setup = Setup()
    sdk: str | None = None
    title: str = ""

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.title or self.contender
