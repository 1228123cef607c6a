"""Every code block of every page, run against the sandbox."""

import pytest
from page_runner import ROOT, Page

from asyncllm.sandbox import Sandbox
from asyncllm.sandbox.background import running_in_background

# These have tests of their own beside this one.
ELSEWHERE = {"services.md", "bots.md", "scripts.md"}
PAGES = sorted(
    path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md") if path.name not in ELSEWHERE
)


@pytest.fixture
def server():
    with running_in_background(Sandbox(token_rate=50, models=["llama3.2", "my-model"])) as sandbox:
        yield sandbox
        assert (sandbox.conversations, sandbox.generating) == (0, 0)


@pytest.fixture
def run(server, monkeypatch, tmp_path):
    def run_page(path):
        page = Page(ROOT / path, server.url)
        monkeypatch.chdir(tmp_path)
        for name, value in page.environment.items():
            monkeypatch.setenv(name, value)
        page.run()
        return page.namespace

    return run_page


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_every_block_of_the_page_does_what_the_page_says(run, path):
    run(path)
