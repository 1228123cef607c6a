"""Both READMEs: run, called, and alike."""

import ast
import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from page_runner import FENCE, ROOT, Page
from proxies.launcher import free_port

import asyncllm.sandbox
from asyncllm.sandbox import Sandbox
from asyncllm.sandbox.background import running_in_background
from support.command_line import wait_until
from support.waiting import until
from support.wires import TOOL_WIRES

READMES = ["README.md", "README.ru.md"]


def blocks(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return [(match["info"], match[0]) for match in FENCE.finditer(text)]


@pytest.fixture(scope="module")
def readme(tmp_path_factory):
    """The English one, run; the other has the same commands and the same code."""
    with (
        running_in_background(Sandbox(token_rate=200, models=["llama3.2"])) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        page = Page(ROOT / "README.md", server.url)
        patch.chdir(tmp_path_factory.mktemp("readme"))
        for name, value in page.environment.items():
            patch.setenv(name, value)
        page.run()
        yield page
        wait_until(lambda: (server.conversations, server.generating) == (0, 0))


@pytest.fixture
def _environment(readme, monkeypatch):
    for name, value in readme.environment.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def serving(readme):
    """Serve the service; a `TestServer` cancels handlers too, as its last line asks for."""
    assert "handler_cancellation=True" in readme.path.read_text("utf-8")
    async with TestServer(readme.namespace["app"]) as server, ClientSession() as client:
        yield partial(client.post, server.make_url("/ask"), data="Hello")


@pytest.mark.usefixtures("_environment")
async def test_what_the_readme_defines_works_when_called(readme):
    await readme.namespace["test_my_bot_survives_a_dropped_connection"]()


async def test_the_service_of_the_readme_answers_and_stops_when_its_client_leaves(
    readme, monkeypatch
):
    async with Sandbox(tokens=10_000, token_rate=100) as sandbox:
        monkeypatch.setenv("ASYNCLLM_OPENAI_BASE_URL", f"{sandbox.url}/v1")
        async with serving(readme) as ask:
            async with ask() as response:
                assert (await response.content.readexactly(7)).startswith(b"This is")
                assert sandbox.generating == 1
                response.close()
            await until(lambda: sandbox.generating == 0)


def test_each_thing_that_a_newcomer_may_have_leads_to_an_answer(readme):
    text = readme.path.read_text("utf-8")
    commands = re.findall(r'^\|.*`(asyncllm [^`]*"Hello")`', text, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert "sandbox speaking" in readme.command(command)


def programs():
    """Return the programs of the README, by what they begin to do."""
    return [block.split("\n", 1)[1][:-4] for kind, block in blocks("README.md") if kind == "python"]


def pasted(program, folder, **variables):
    """Run a program as somebody does who has pasted it into a file."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    names = ("PATH", "PYTHONPATH", "SYSTEMROOT", "HOME")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return subprocess.run(
        [sys.executable, "-W", "error", "program.py"], env={**kept, **variables}, cwd=folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.programs
@pytest.mark.parametrize("program", [each for each in programs() if "run_app(" not in each])
def test_a_program_of_the_readme_runs_as_pasted_or_says_in_a_line_what_it_lacks(program, tmp_path):
    with running_in_background(Sandbox(token_rate=100)) as sandbox:
        done = pasted(program, tmp_path, OPENAI_BASE_URL=f"{sandbox.url}/v1")
        assert (done.returncode, done.stderr) == (0, "")
        assert "sandbox speaking" in done.stdout or "def test_" in program
    alone = pasted(program, tmp_path)
    if "OpenAI(" not in program or "Sandbox(" in program:
        assert alone.returncode == 0
    else:
        said = alone.stderr + alone.stdout
        assert "needs an API key" in said
        assert "set OPENAI_API_KEY" in said


@pytest.mark.programs
async def test_the_service_of_the_readme_runs_as_pasted(tmp_path):
    [program] = [each for each in programs() if "run_app(" in each]
    port = free_port()
    path = tmp_path / "service.py"
    path.write_text(program.replace("8090", str(port)), encoding="utf-8")
    async with Sandbox() as sandbox, ClientSession() as client:
        variables = {**os.environ, "OPENAI_BASE_URL": f"{sandbox.url}/v1"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, path, env=variables, stdout=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(60):
                while b"Running on" not in await process.stdout.readline():
                    pass
            async with client.post(f"http://127.0.0.1:{port}/ask", data="Hello") as response:
                assert "sandbox speaking" in await response.text()
        finally:
            process.send_signal(signal.SIGINT)
            await process.communicate()


@pytest.mark.parametrize("path", [*READMES, "docs/index.md"])
def test_the_numbers_of_the_front_pages_are_true(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert set(re.findall(r"\b(\d+) (?:faults|неисправност)", text)) == {
        str(len(asyncllm.sandbox.__all__) - len({"Fault", "Request", "Sandbox"}))
    }
    assert set(re.findall(r"\b(\d+) (?:pairs|пар)", text)) == {str(len(TOOL_WIRES) ** 2)}


@pytest.mark.usefixtures("_environment")
async def test_of_messages_that_come_at_once_the_bot_answers_only_the_last(readme):
    shown, has_begun = defaultdict(list), asyncio.Event()

    async def show(question, _, token):
        shown[question].append(token)
        has_begun.set()

    async def hear(question):
        await readme.namespace["on_message"]("chat", question, partial(show, question))

    async with asyncio.TaskGroup() as messages:
        messages.create_task(hear("First"))
        await has_begun.wait()
        for question in ("Second", "Third"):
            messages.create_task(hear(question))
    texts = {question: "".join(tokens) for question, tokens in shown.items()}
    assert texts["Third"].endswith("about it.")
    assert texts.keys() == {"First", "Third"}
    assert not texts["First"].endswith("about it.")


def without_comments(language, block):
    code = "\n".join(block.split("\n")[1:-1])
    # What a comment says may differ, and so may a drawing's words.
    return {"python": lambda: ast.dump(ast.parse(code)), "sh": lambda: code}.get(language, str)()


def test_both_readmes_have_the_same_commands_and_the_same_code():
    english, russian = ([without_comments(*block) for block in blocks(name)] for name in READMES)
    assert english == russian


def test_the_front_page_of_the_site_has_the_programs_of_the_readme():
    shown, front = ([block for kind, block in blocks(name) if kind == "python"]
                    for name in ("README.md", "docs/index.md"))  # fmt: skip
    assert len(front) >= 5
    assert [block for block in front if block not in shown] == []


def test_both_readmes_have_the_same_sections_tables_and_links():
    def shape(name):
        text = (ROOT / name).read_text(encoding="utf-8")
        prose = FENCE.sub("", text)
        return (
            [line.split(" ")[0] for line in prose.splitlines() if line.startswith("#")],
            sum(line.startswith("|") for line in prose.splitlines()),
            re.findall(r"\]\(((?!#|README)[^)]+)\)", prose),
        )

    assert shape("README.md") == shape("README.ru.md")


def anchors_of(path):
    """Return the anchors that the headings of a page have."""
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    }


@pytest.mark.parametrize("name", READMES)
def test_every_link_of_the_readme_leads_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        assert not anchor or anchor in anchors_of(ROOT / (path or name)), target
