"""Runs the code blocks of a page, top to bottom, as its reader would.

- `python` is executed, in one namespace for the page. It may `await` outside of a function, as in
  `python -m asyncio`.
- `text` is what the block before it prints, where `…` stands for anything.
- A block below a line such as **`pyproject.toml`** is a file; the pages that have some are listed
  below, with tests of their own.
- `sh` has its `asyncllm` commands run, in this process, as starting one takes a second; with
  pipes, or to serve, in one of their own. The other programs that it may name are listed below.

A block of any other kind, or left out by a `skip` comment without a reason, fails the page.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from asyncllm.__main__ import main
from asyncllm.providers.services import SERVICES
from asyncllm.registry import provider_classes
from support.command_line import status_of

ROOT = Path(__file__).parents[2]
# The files that pages attach and pipe.
ATTACHED = Path(__file__).parent / "attached"
RUN = {"python", "text", "sh"}
# What is shown and has nothing to run: configuration, and what Sphinx makes something of.
SHOWN = {"toml", "", "{toctree}", "{eval-rst}"}
# Programs of other people, and what sets up an environment; `.ci/run` runs the README's.
ELSEWHERE = {".", "cd", "coverage", "docker", "git", "llama-server", "lms", "ollama", "pip"}
ELSEWHERE |= {"pytest", "python", "python3", "vllm", "curl", "mkdir"}
# What test_packages.py runs, where the package is installed that it is about.
INSTALLED = 'asyncllm ask "Hello" --provider acme'
# Pages with files, which test_packages.py writes, installs and runs.
WITH_FILES = {"testing.md", "write-a-provider.md"}
FILE = re.compile(
    r"^\*\*`(?P<name>[^`\n]+)`\*\*\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
FENCE = re.compile(r"^(?P<ticks>```+)(?P<info>[^\n`]*)\n.*?^(?P=ticks)$", re.MULTILINE | re.DOTALL)
SKIPPED = re.compile(r"<!---? *skip:(?P<what>[^>]*?)-->", re.DOTALL)
REASON = re.compile(r"\(\S.{9,}\)|, reason=", re.DOTALL)


@dataclass
class Page:
    """A page, and the server that its programs talk to."""

    path: Path
    url: str
    namespace: dict[str, object] = field(default_factory=dict)
    environment: dict[str, str] = field(init=False)
    printed: str | None = None
    count: int = 0

    def __post_init__(self) -> None:
        self.environment = environment(self.url)

    def run(self) -> None:
        """Run every block."""
        self.check_nothing_is_left_out()
        evaluators = {"python": self._python, "text": self._text, "sh": self._shell}
        parsers = [CodeBlockParser(name, evaluator) for name, evaluator in evaluators.items()]
        sybil = Sybil([*parsers, SkipParser()], path=str(self.path.parent))
        document = sybil.parse(self.path)
        self.namespace = document.namespace
        self.namespace["__name__"] = "builtins"  # what a name space without one says; no `__main__`
        with asyncio.Runner() as runner:
            self._runner = runner
            for example in document.examples():
                example.evaluate()
        assert (
            self.count
            == len(re.findall(r"^ *```python$", self._source, re.MULTILINE)) - self._skips
        )

    def check_nothing_is_left_out(self) -> None:
        self._source = self.path.read_text(encoding="utf-8")
        kinds = {match["info"].split(" ")[0] for match in FENCE.finditer(self._source)}
        assert kinds <= RUN | SHOWN, f"blocks that nobody runs: {kinds - RUN - SHOWN}"
        skips = [match["what"] for match in SKIPPED.finditer(self._source)]
        assert all(REASON.search(what) for what in skips), "a skipped block must say why"
        self._skips = len(skips)

    def _python(self, example) -> None:
        self.count += 1
        if example.document.text[: example.start].rstrip().endswith("`**"):
            assert self.path.name in WITH_FILES, "nobody runs this file"
            return
        source = self._local(example.parsed)
        padding = "\n" * (example.line + example.parsed.line_offset)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(padding + source, str(self.path), "exec", flags, dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            result = eval(code, self.namespace)
            if code.co_flags & inspect.CO_COROUTINE:
                self._runner.run(result)
        self.printed = out.getvalue()

    def _text(self, example) -> None:
        assert self.printed is not None, "a text block says what the block before it prints"
        pieces = example.parsed.rstrip("\n").split("…")
        pattern = ".*".join(map(re.escape, pieces))
        printed, self.printed = self.printed.rstrip("\n"), None
        assert re.fullmatch(pattern, printed, re.DOTALL), f"it prints:\n{printed}"

    def _shell(self, example) -> None:
        self.printed = "".join(
            self.command(part.strip())
            for line in example.parsed.replace("\\\n", "").splitlines()
            for part in line.split("  #")[0].split(" && ")
            if part.strip()
        )

    def command(self, command: str) -> str:
        program = command.split(maxsplit=1)[0]
        if program == "export":
            name, _, value = command.removeprefix("export ").partition("=")
            self.environment[name] = self._local(value)
        elif command.startswith("asyncllm sandbox"):
            return self._serve(command)
        elif command == INSTALLED:
            return ""
        elif program == "asyncllm" and not re.search("[|<]", command):
            return self._call(shlex.split(self._local(command)))
        elif program == "asyncllm" or "| asyncllm" in command:
            done = subprocess.run(
                ["bash", "-c", self._local(command)], env=self._env(), capture_output=True,
                stdin=subprocess.DEVNULL, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}: {done.stderr}"
            return done.stdout
        else:
            assert program in ELSEWHERE, f"nobody knows {program}"
        return ""

    def _call(self, argv: list[str]) -> str:
        with (
            Path(os.devnull).open(encoding="utf-8") as nothing,
            mock.patch.object(sys, "stdin", nothing),
            mock.patch.object(sys, "argv", argv),
            mock.patch.dict(os.environ, self._env()),
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            status = status_of(main)
        assert status == 0, f"{argv}: {err.getvalue()}"
        return out.getvalue()

    def _serve(self, command: str) -> str:
        arguments = re.sub(r"--port \d+", "--port 0", command)
        with subprocess.Popen(
            ["bash", "-c", f"exec {arguments}"], env=self._env(), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        ) as serving:  # fmt: skip
            url = serving.stdout.readline()
            serving.send_signal(signal.SIGINT)
            assert serving.wait(60) == 130, f"{command} does not serve"
        return url

    def _env(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **self.environment, "PATH": path}

    def _local(self, text: str) -> str:
        """Put the sandbox, and files of ours, in the place of those that a page has as examples."""
        text = re.sub(r"http://(localhost|127\.0\.0\.1):(3000|8000)", self.url, text)
        for path in ATTACHED.iterdir():
            text = re.sub(rf"(?<![\w/.]){re.escape(path.name)}(?!\w)", str(path), text)
        # Whose output depends on what is being changed here.
        text = text.replace("git diff |", "echo a diff |")
        return text.replace("https://chat.example.org", self.url)


def files(path: Path) -> dict[str, str]:
    """Return the files that a page has its reader write, by their names."""
    found = FILE.finditer(path.read_text(encoding="utf-8"))
    return {match["name"]: match["text"] for match in found}


def environment(url: str) -> dict[str, str]:
    """Return the variables that lead every provider to the sandbox at `url`."""
    names = {*provider_classes(), *SERVICES, "openaicompatible"}
    paths = {**dict.fromkeys([*SERVICES, "openaicompatible"], "/v1"), "chatui": "/chat"}
    return {
        f"ASYNCLLM_{name.upper().replace('-', '_')}_BASE_URL": url + paths.get(name, "")
        for name in names
    }
