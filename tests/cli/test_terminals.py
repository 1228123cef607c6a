"""What a terminal would obey is shown there, and nothing that a server says is obeyed."""

import unicodedata

import pytest

from asyncllm.registry import ENTRY_POINT_GROUP
from support.command_line import run, run_on_a_terminal

EVIL = "\x1b]0;title\x07 \x1b[31m \x9b2J \x9d8;;x\x9c \x7f\x08\r\0 tab\t."
SHOWN = r"\x1b]0;title\x07 \x1b[31m \x9b2J \x9d8;;x\x9c \x7f\x08\x0d\x00 tab" + "\t."
PROVIDER = f"""
from asyncllm import AsyncGeneratorProvider, Finish, ProviderError

class Evil(AsyncGeneratorProvider):
    url = "https://evil.example"
    model = "big"
    models = {{"big": "big", {EVIL!r}: "small"}}

    async def generate(self, request, http):
        yield [*{EVIL!r}[:5]]  # a sequence cut over tokens, and over reads
        yield [*{EVIL!r}[5:]]
        if "fail" in str(request.messages):
            raise ProviderError({EVIL!r})
        yield [Finish({EVIL!r})]
"""


@pytest.fixture
def evil(tmp_path):
    """An environment in which a provider is installed whose every word has terminal escapes."""
    (tmp_path / "asyncllm_test_evil.py").write_text(PROVIDER)
    metadata = tmp_path / "asyncllm_test_evil-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    points = f"[{ENTRY_POINT_GROUP}]\nevil = asyncllm_test_evil:Evil\n"
    (metadata / "entry_points.txt").write_text(points)
    return {"PYTHONPATH": str(tmp_path), "COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb"}


def controls_in(text):
    return {char for char in text if unicodedata.category(char) == "Cc"} - {"\n", "\t"}


@pytest.mark.parametrize(
    ("arguments", "status", "times"),
    [
        (("ask", "Hello", "--provider", "evil", "--stats"), 0, 2),
        (("ask", "fail", "--provider", "evil"), 1, 1),  # an error escapes by itself
        (("ask", "Hello", "--provider", "evil", "--param", EVIL.replace("\0", "")), 2, 0),
        (("providers",), 0, 0),
    ],
)
def test_a_terminal_is_shown_what_it_would_obey(evil, arguments, status, times):
    done, written = run_on_a_terminal(*arguments, **evil)
    assert done == status
    assert not controls_in(written)
    assert written.count(SHOWN) == times
    assert r"\x1b" in written


def test_a_pipe_gets_what_a_terminal_would_obey_as_it_is(evil):
    done = run("ask", "Hello", "--provider", "evil", **evil)
    assert (done.returncode, done.stdout) == (0, EVIL.replace("\r", "\n") + "\n")
