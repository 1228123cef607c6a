"""The pages whose programs stand in examples/: what they tell a newcomer to do is done."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from examples.fake_platform import TOKEN, Platform
from proxies.launcher import free_port

from asyncllm import (
    H2o,
    OpenAICompatible,
    Retry,
    SessionManager,
    StreamTimeout,
    Timeouts,
    TransportError,
)
from asyncllm.http import Entry
from asyncllm.sandbox import Sandbox, SlowAnswer, SlowCreate, Stall, Status
from asyncllm.session.ledger_owner import NOBODY
from support.raw_server import CHUNKED, chunk, raw_server
from support.waiting import until

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
PAGES = ["services.md", "bots.md", "scripts.md"]
SERVERS = ("asyncllm sandbox", "python service.py", "uvicorn ", "python bot.py")
GIVEN = ("python3 -m venv", ". .venv", "pip ")  # the environment of this very test


def source(page):
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def saved(page):
    """Return what the page says to save: the name, and the file that it shows."""
    text = source(page)
    found = re.findall(
        r"Save this as `([^`]+)` \(\[download\]\(([^)]+)\)\):\n\n"
        r"```\{literalinclude\} (\S+)\n:language: python\n```",
        text,
    )
    assert len(found) == text.count("literalinclude")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_the_very_file_that_it_says_to_save(page):
    assert saved(page)
    for name, download, included in saved(page):
        assert download == included == f"../examples/{name}"
        assert (ROOT / "examples" / name).is_file()


def test_every_program_of_examples_is_on_a_page():
    shown = {name for page in PAGES for name, _, _ in saved(page)}
    assert shown | {"notebook.ipynb"} == {
        path.name for path in (ROOT / "examples").iterdir() if path.is_file()
    }


@pytest.mark.parametrize("page", PAGES)
def test_the_settings_and_names_that_a_page_speaks_of_are_those_of_its_programs(page):
    programs = "".join((ROOT / "examples" / name).read_text("utf-8") for name, _, _ in saved(page))
    prose = re.sub(r"```.*?```", "", source(page), flags=re.DOTALL)
    names = re.findall(r"`([A-Z][A-Z_]{2,})(?: = [\d.]+)?`", prose)
    names = {name for name in names if name not in {"POST", "INFO", "WARNING"}}
    assert names
    for name in names:
        assert re.search(rf"\b{name}\b", programs), name
    for path in re.findall(r"`((?:Bot|Chat|LiveMessage|Platform)\.\w+)`", prose):
        cls, method = path.split(".")
        assert re.search(rf"class {cls}\b.*?def {method}\b", programs, re.DOTALL), path


def log_rows():
    """Return the logger, the level and the pattern of each line that the page promises."""
    rows = re.findall(r"^\| `(\w+)` \| ([A-Z]+) \| `([^`]+)`", source("services.md"), re.MULTILINE)
    for name, level, line in rows:
        pattern = re.sub(r"\d+", r"[\\d.]+", re.escape(line).replace("…", ".+"))
        yield name, level, pattern


async def ask_and_leave(*faults, limits=None, when=lambda: True):
    """Read the beginning of an answer, and close the session manager once `when()` is so."""
    async with (
        Sandbox(faults=[*faults, Stall(after=2)]) as sandbox,
        SessionManager(grace=1, timeouts=limits, retry=Retry(initial_wait=0.01)) as sessions,
        H2o(base_url=sandbox.url, sessions=sessions).stream("Hello") as stream,
    ):
        await anext(stream)
        await until(when)


WHOLE = CHUNKED + chunk(b'data:{"choices":[{"finish_reason":"stop"}]}\n\n') + b"0\r\n\r\n"


async def ask_twice(*connections):
    async with raw_server(*connections) as (url, _), SessionManager() as sessions:
        for _ in range(2):
            await OpenAICompatible(base_url=url, sessions=sessions).complete("Hello")


async def lose_the_answer_to_a_creation():
    session = b"Set-Cookie: hf-chat=a-session-of-ours; Path=/\r\n"
    accepted = [b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\n{}" % session]
    async with raw_server(accepted, [None], [None]) as (url, _), SessionManager() as sessions:
        with contextlib.suppress(TransportError):
            await H2o(base_url=url, sessions=sessions, retry=Retry(attempts=1)).complete("Hello")


async def ask_with_a_ledger_in_trouble(path, caplog):
    async with SessionManager(ledger=path):
        pass
    away = Entry("http://127.0.0.1:1/conversation/1", {})
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("INSERT INTO entries VALUES ('a', x'00', 'b')")  # no text
        left = (away.url, msgspec.json.encode(away).decode(), NOBODY)
        db.execute("INSERT INTO entries VALUES (?, ?, ?)", left)
        once = Retry(attempts=1, initial_wait=0.1)
        manager = SessionManager(ledger=path, grace=1, retry=once)
        async with Sandbox() as sandbox, manager as sessions:
            h2o = H2o(base_url=sandbox.url, sessions=sessions)
            await h2o.complete("Hello")
            await until(lambda: "of a dead process: not deleted" in caplog.text)
            db.execute("BEGIN EXCLUSIVE")
            await h2o.complete("Hello")


async def test_the_log_lines_that_the_service_page_names_are_logged(caplog, tmp_path):
    caplog.set_level("INFO")
    refused = [
        Status(status=503, times=1, retry_after=0.01),
        Status(status=503, on="stop", times=1),
        Status(status=503, on="delete", retry_after=0.01),
    ]
    # What fails before the manager is closed is kept, and told of at its end.
    await ask_and_leave(*refused, when=lambda: "it will be tried again" in caplog.text)
    await ask_and_leave(SlowAnswer(seconds=30, on="delete"))
    with contextlib.suppress(StreamTimeout):
        await ask_and_leave(SlowCreate(seconds=30), limits=Timeouts(first_token=0.2))
    await ask_twice([WHOLE], [None], [WHOLE])  # the kept connection is closed
    await ask_twice([WHOLE + b"HTTP/1.1 200 OK\r\n"], [WHOLE])  # and here it says more
    await lose_the_answer_to_a_creation()
    await ask_with_a_ledger_in_trouble(tmp_path / "ledger.db", caplog)
    logged = [(r.name, r.levelname, r.getMessage()) for r in caplog.records]
    rows = [row for row in log_rows() if row[0] != "service"]
    assert len(rows) == 13
    for name, level, pattern in rows:
        assert any(
            (name, level) == found[:2] and re.fullmatch(pattern, found[2]) for found in logged
        ), (pattern, logged)


def test_the_services_log_what_their_page_says():
    rows = [row for row in log_rows() if row[0] == "service"]
    assert len(rows) == 3
    for path in (ROOT / "examples").glob("service*.py"):
        code = path.read_text("utf-8")
        assert 'logging.getLogger("service")' in code
        for _, level, pattern in rows:
            called = rf'log\.{level.lower()}\(\s*"{pattern}"'
            assert re.search(called, code), (path.name, pattern)


class Newcomer:
    """Types what a page says, in an empty directory, with ports that are free here."""

    def __init__(self, folder, stack, **environment):
        self.folder, self.stack = folder, stack
        self.ports = {"3000": str(free_port()), "8090": str(free_port())}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **environment}
        self.service = None
        self.printed = ""

    def here(self, text):
        return re.sub(r"\b(3000|8090)\b", lambda port: self.ports[port[0]], text)

    def save(self, name):
        text = (ROOT / "examples" / name).read_text("utf-8")
        (self.folder / name).write_text(self.here(text), "utf-8")

    def type(self, line):
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment.setdefault(name, self.here(value))
        elif line.startswith(SERVERS):
            self.serve(self.here(line))
        elif not line.startswith(GIVEN):
            done = subprocess.run(
                ["bash", "-euc", self.here(line)],
                cwd=self.folder, env=self.environment, capture_output=True, text=True,
                timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (line, done.stderr)
            self.printed = done.stdout

    def serve(self, line):
        if not line.startswith("asyncllm"):  # the service on the page takes the former's place
            self.stop()
        # To a file: nobody reads a pipe here, and a full one would stop the server.
        log = self.folder / f"{len(list(self.folder.iterdir()))}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {line}"],
                cwd=self.folder, env=self.environment, stdout=out, stderr=out,
            )  # fmt: skip
        self.stack.callback(process.wait, 20)
        self.stack.callback(process.send_signal, signal.SIGTERM)
        if line.startswith("asyncllm"):
            self.wait_for(self.ports["3000"], process, log)
        elif "bot" not in line:
            self.service = process
            self.wait_for(self.ports["8090"], process, log)

    def stop(self):
        if self.service is not None:
            self.service.terminate()
            self.service.wait(60)

    def wait_for(self, port, process, log):
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                    return
        pytest.fail(log.read_text())


def do_what_it_says(page, newcomer):
    """Go through a page from top to bottom."""
    saving = {name: f"{included}\n" for name, _, included in saved(page)}
    for kind, body in re.findall(r"^```(\S+)(.*?)^```$", source(page), re.DOTALL | re.MULTILINE):
        match kind:
            case "{literalinclude}":
                newcomer.save(
                    next(n for n, path in saving.items() if body.lstrip().startswith(path))
                )
            case "sh":
                for line in body.strip().replace("\\\n", "").splitlines():
                    newcomer.type(line)
            case "text":
                pattern = ".*".join(map(re.escape, body.strip("\n").split("…")))
                assert re.fullmatch(pattern, newcomer.printed.strip("\n"), re.DOTALL)
        yield kind


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page asks by curl")
def test_what_the_service_page_says_works_in_an_empty_directory(tmp_path):
    with ExitStack() as stack:
        newcomer = Newcomer(tmp_path, stack)
        kinds = list(do_what_it_says("services.md", newcomer))
        assert kinds.count("{literalinclude}") == 2
        assert newcomer.printed.startswith('event: text\ndata: {"text":"This"}\n\n')
        assert newcomer.printed.endswith('data: {"finish_reason":"stop","usage":null}\n\n')


def test_what_the_script_page_says_works_in_an_empty_directory(tmp_path):
    with ExitStack() as stack:
        newcomer = Newcomer(tmp_path, stack)
        answers = [newcomer.printed for _ in do_what_it_says("scripts.md", newcomer)]
        assert any("“What is a token?”" in answer for answer in answers)
        assert "“What is a stream?”" in newcomer.printed


async def test_what_the_bot_page_says_works_in_an_empty_directory(tmp_path):
    async with Platform(interval=0.9) as platform:
        platform.write(7, "Hello")
        with ExitStack() as stack:
            newcomer = Newcomer(tmp_path, stack, BOT_API=platform.url, BOT_TOKEN=TOKEN)
            await asyncio.to_thread(list, do_what_it_says("bots.md", newcomer))
            async with asyncio.timeout(30):
                while not any(text.endswith("about it.") for text in platform.in_chat(7)):
                    await asyncio.sleep(0.05)
            await asyncio.to_thread(stack.close)
    assert platform.calls_for(7, 429) == []
