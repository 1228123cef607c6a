"""Every code block of every page, run against the sandbox."""

import asyncio
import logging
import re
import warnings
from pathlib import Path

import pytest
from page_runner import ROOT, Page, files
from peers.conftest import _require

from asyncllm.sandbox import Sandbox
from asyncllm.sandbox.background import running_in_background
from support.waiting import until

# These have tests of their own beside this one.
ELSEWHERE = {"services.md", "bots.md", "scripts.md"}
PAGES = sorted(
    path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md") if path.name not in ELSEWHERE
)


EVERY_PAGE = sorted((ROOT / "docs").rglob("*.md")) + sorted(ROOT.glob("README*.md"))


@pytest.mark.parametrize("path", EVERY_PAGE, ids=lambda path: path.name)
def test_an_environment_that_the_page_makes_gets_asyncllm_from_the_clone(path):
    for block in re.findall(
        r"^```sh\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        if "-m venv" in block:
            # A name would be looked up in an index, where anybody may have taken it.
            assert re.search(r'pip install (-e )?"\.\[', block)


# What names the distribution `asyncllm`, a stranger's on PyPI, in a command or a requirement.
STRANGER = re.compile(
    r"\b(?:pipx?|uvx?|poetry|pdm) [^\n&;|`]*(?<![\w./~-])asyncllm(?![\w-])"
    r"|(?<![\w./-])asyncllm(?:\[[a-z]| ?[<>=~!]=)"
    r"""|dependencies = \[[^]]*["']asyncllm["']"""
)
TOLD = ["*.md", "*.toml", "*.py", ".ci/*", "docs/**/*.md", "examples/*"]
TOLD += ["asyncllm/**/*.py", "tests/**/*.py", "benchmarks/**/*.py"]


def test_nothing_tells_to_install_the_stranger_that_is_named_asyncllm_on_pypi():
    wrong = [
        "pip install -q asyncllm",
        "uv add 'asyncllm[cli]'",
        'dependencies = ["x", "asyncllm"]',
    ]
    right = [
        "pip install asyncllm-sdk",
        'pip install ".[cli]" && asyncllm ask',
        "asyncllm-sdk[cli]",
    ]
    assert [bool(STRANGER.search(text)) for text in wrong + right] == [True] * 3 + [False] * 3
    told = {path for pattern in TOLD for path in ROOT.glob(pattern)} - {Path(__file__)}
    texts = {path: path.read_text("utf-8") for path in told}
    found = {path: match[0] for path, text in texts.items() if (match := STRANGER.search(text))}
    assert (found, len(texts) > 100) == ({}, True)


@pytest.fixture
def server(request):
    # A recipe leaves an answer after a fifth of a second.
    rate = 50 if "recipes.md" in request.node.name else 200
    with running_in_background(
        Sandbox(token_rate=rate, models=["llama3.2", "my-model"])
    ) as sandbox:
        yield sandbox
        # A server hears a moment later that its last client has left.
        asyncio.run(until(lambda: (sandbox.conversations, sandbox.generating) == (0, 0)))


@pytest.fixture
def _log():
    """Take back what a page does to the log."""
    log = logging.getLogger("asyncllm")
    handlers, level = [*log.handlers], log.level
    yield
    log.handlers[:] = handlers
    log.setLevel(level)


@pytest.fixture
def run(server, monkeypatch, tmp_path, _log):
    def run_page(path):
        page = Page(ROOT / path, server.url)
        monkeypatch.chdir(tmp_path)
        if path.name == "comparison.md":
            pytest.importorskip("openai", reason="it is asked for with the extra `peers`")
        if path.name == "llamacpp.md":
            pytest.importorskip("xllamacpp")
            pytest.importorskip("gguf")
            from peers.tiny_model import write_tiny_model

            write_tiny_model(tmp_path / "my-model.gguf")
        if path.name == "frameworks.md":
            _require("langchain", "pydantic_ai", "llama_index")
            import pydantic

            # LlamaIndex looks at every attribute of its agents, pydantic's old ones included.
            warnings.filterwarnings("ignore", category=pydantic.PydanticDeprecationWarning)
        for name, value in page.environment.items():
            monkeypatch.setenv(name, value)
        page.run()
        return page.namespace

    return run_page


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_every_block_of_the_page_does_what_the_page_says(run, path):
    run(path)


@pytest.mark.parametrize("name", ["acme_llm.py", "acme_lines.py"])
def test_a_provider_of_the_tutorial_takes_25_lines_at_most(name):
    program = files(ROOT / "docs/write-a-provider.md")[name]
    assert len([line for line in program.splitlines() if line.strip()]) <= 25
