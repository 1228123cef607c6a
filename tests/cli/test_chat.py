"""`asyncllm chat`, run as its users run it: on a terminal of its own, or in a pipe."""

import json
import os
import signal
import stat
import subprocess
import sys
from typing import NamedTuple

import pytest

from asyncllm.__main__ import main
from asyncllm.registry import ENTRY_POINT_GROUP
from asyncllm.sandbox import Drop, Stall
from support.command_line import started, status_of, wait_until
from support.screens import CTRL_C, CTRL_D, CTRL_R, ENTER, ESC, TAB, UP, Running

PROVIDER = """
import asyncio, json, os, pathlib, re
from asyncllm import AsyncGeneratorProvider, Finish, ProviderError
from asyncllm.events import Reasoning

class Scripted(AsyncGeneratorProvider):
    '''Answers from a file: "say NAME" has it say what stands there; where {WAIT} stands, it waits
    for a file of the name `go`.'''

    url = "https://scripted.example"
    model = "big"
    models = {"big": "big", "small": "small", "ev\\x1b[31mil": "evil\\x1b]0;title\\x07"}

    async def generate(self, request, http):
        here = os.path.dirname(__file__)
        with open(os.path.join(here, "asked.jsonl"), "a") as file:
            file.write(json.dumps(request.messages) + "\\n")
        question = request.messages[-1]["content"]
        if question.startswith("think"):
            yield [Reasoning("first one thing, "), Reasoning("then\\x1b[31m another")]
        name = question.split()[-1]
        try:
            text = pathlib.Path(here, name).read_bytes().decode()
        except OSError:
            text = f"You said: {question}."
        for part in re.split("({WAIT})", text):
            while part == "{WAIT}" and not os.path.exists(os.path.join(here, "go")):
                await asyncio.sleep(0.01)
            if part == "{FAIL}":
                raise ProviderError("it broke\\x1b[31m\\nin the middle")
            for at in range(0, len(part) if part != "{WAIT}" else 0, 7):
                yield [part[at : at + 7]]
                await asyncio.sleep(0)
        yield [Finish("stop")]
"""


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    """A folder whose files a provider of the name `scripted` says."""
    folder = tmp_path / "scripted"
    metadata = folder / "asyncllm_test_scripted-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "asyncllm_test_scripted.py").write_text(PROVIDER)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: scripted\nVersion: 1.0\n")
    points = f"[{ENTRY_POINT_GROUP}]\nscripted = asyncllm_test_scripted:Scripted\n"
    (metadata / "entry_points.txt").write_text(points)
    paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", paths)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(tmp_path)
    yield folder
    sys.modules.pop("asyncllm_test_scripted", None)


def asked(folder):
    lines = (folder / "asked.jsonl").read_text().splitlines()
    return [[message["content"] for message in json.loads(line)] for line in lines]


def chatting(*arguments, **options):
    return Running("asyncllm", "chat", *arguments, **options)


def until_asked(chat):
    """Wait until the chat waits for a question, and for nothing else."""
    chat.wait_until(lambda text: text.endswith("\n>"))


def leave(chat):
    until_asked(chat)
    chat.type(CTRL_D)
    assert chat.end() == 0
    assert "Traceback" not in chat.text


# --- on a terminal --------------------------------------------------------------------------------


def test_questions_are_answered_as_markdown_and_found_again_in_the_next_chat(scripted, home):
    (scripted / "hello").write_text("# Title\n\nSome **bold** words.\n")
    with chatting("--provider", "scripted", "--stats") as chat:
        chat.wait_for("scripted/big: Enter sends", "\n>")
        chat.type("say hello" + ENTER)
        chat.wait_for("Title\n\nSome bold words.\n(", " s in all)")
        assert "\x1b[1mbold\x1b[0m" in chat.raw
        chat.type("and?" + ENTER)
        chat.wait_for("You said: and?.")
        leave(chat)
    assert asked(scripted)[1] == ["say hello", "# Title\n\nSome **bold** words.\n", "and?"]
    assert stat.S_IMODE((home / "chat_history.jsonl").stat().st_mode) == 0o600
    with chatting("-c", "--plain") as chat:
        chat.wait_for("scripted/big", "goes on, after 2 questions")
        chat.type(UP)
        chat.wait_for("> and?")
        chat.type(CTRL_C)
        until_asked(chat)
        chat.type(CTRL_R + "hel")
        chat.wait_for("> say hello")
        chat.type(ENTER + ENTER)
        chat.wait_for("# Title\n\nSome **bold** words.")
        leave(chat)
    assert asked(scripted)[2][1:] == ["# Title\n\nSome **bold** words.\n", "and?",
                                      "You said: and?.", "say hello"]  # fmt: skip


def test_ctrl_c_stops_the_answer_and_keeps_the_chat(server):
    server.add_fault(Stall(after=2, times=1))
    with chatting("--base-url", server.url) as chat:
        chat.wait_for("\n>")
        chat.type("Hello" + ENTER)
        chat.wait_for("\nThis is")
        chat.type(CTRL_C)
        chat.wait_for("(stopped: what came is kept; /retry asks again)")
        until_asked(chat)
        chat.type(CTRL_C)
        chat.wait_for("Ctrl-D or /quit leaves.")
        wait_until(lambda: (server.conversations, server.generating) == (0, 0))
        chat.type("And then?" + ENTER)
        chat.wait_for("You wrote:")
        assert b"Assistant: This is" in b"".join(each.body for each in list(server.requests)[-3:])
        chat.type("/undo" + ENTER)
        chat.wait_for("> And then?", times=2)
        chat.type(CTRL_C + "/retry" + ENTER)
        chat.wait_for("You wrote: “Hello”")
        leave(chat)


def test_an_error_is_one_line_and_the_question_can_be_asked_again(server):
    server.add_fault(Drop(after=2, times=1))
    with chatting("--base-url", server.url, columns=200) as chat:
        chat.wait_for("\n>")
        chat.type("Hello" + ENTER)
        chat.wait_for("\nThis is\nasyncllm: StreamInterrupted: ", "; what came is kept; /retry")
        chat.type("/retry" + ENTER)
        chat.wait_for("You wrote: “Hello”")
        leave(chat)


def test_an_answer_longer_than_the_terminal_is_whole_also_where_that_is_resized(scripted):
    lines = [f"line {n} 漢字" for n in range(60)]
    (scripted / "much").write_text(
        "- " + "\n- ".join(lines[:30]) + "{WAIT}\n- " + "\n- ".join(lines[30:])
    )
    with chatting("--provider", "scripted", columns=60, lines=12) as chat:
        chat.wait_for("\n>")
        chat.type("say much" + ENTER)
        chat.wait_for("line 29")
        chat.resize(40, 16)
        chat.wait_for("line 29")
        (scripted / "go").touch()
        chat.wait_for("line 59 漢字\n\n>")
        shown = [line.strip(" •") for line in chat.text.splitlines() if "• line" in line]
        assert shown == lines
        leave(chat)


def test_several_lines_are_typed_or_pasted_and_sent_by_enter_alone(scripted):
    with chatting("--provider", "scripted") as chat:
        chat.wait_for("\n>")
        chat.type("\x1b[200~pasted\ntwo\n\x1b[201~")
        chat.wait_for("> pasted\n… two\n…")
        chat.type("three" + ESC + ENTER + "four\\" + ENTER + "five" + ENTER)
        chat.wait_for("You said: pasted")
        until_asked(chat)
        chat.type('"""six' + ENTER + "seven" + ENTER + '"""' + ENTER)
        chat.wait_for("You said: six")
        leave(chat)
    questions = [messages[-1] for messages in asked(scripted)]
    assert questions == ["pasted\ntwo\nthree\nfour\nfive", "six\nseven"]


def test_nothing_is_obeyed_that_a_model_or_a_file_says(scripted, home):
    evil = "\x1b]0;title\x07\x1b[31mred\x9b2J\r\x08 &#13;&#27;[2J `\x1b[5m`"
    (scripted / "evil").write_text(f"{evil}\n\n```\n{evil}\n```\n{evil}{{WAIT}}{{FAIL}}")
    (scripted / "go").touch()
    home.mkdir(mode=0o700)
    (home / "chat_history.jsonl").write_text(json.dumps(f"old{evil}") + "\n")
    (home / "chat_history.jsonl").chmod(0o600)
    with chatting("--provider", "scripted") as chat:
        chat.wait_for("\n>")
        chat.type("think evil" + ENTER)
        chat.wait_for(r"\x1b]0;title\x07\x1b[31mred\x9b2J\x0d\x08", times=3)
        until_asked(chat)
        assert "▸ thought for 0 s (/reasoning shows it)" in chat.text
        chat.type("/reasoning" + ENTER)
        chat.wait_for(r"then\x1b[31m another")
        chat.type("/model ev" + TAB)
        chat.wait_for("> /model evil^[]0;title^G")
        chat.type(ENTER)
        chat.wait_for(r"scripted/evil\x1b]0;title\x07 answers from now on.")
        chat.type("old" + UP)
        chat.wait_for("> old^[]0;title^G^[[31mred<9b>2J")
        chat.type(CTRL_C)
        leave(chat)
        for obeyed in ("\x1b]", "\x07", "\x9b", "\x1b[2J", "\x1b[31m", "\x1b[5m", "\x08red"):
            assert obeyed not in chat.raw.replace("\x1b[?1049", "")


def test_a_mistake_is_answered_and_costs_nothing(scripted):
    with chatting("--provider", "scripted", columns=200) as chat:
        chat.wait_for("\n>")
        chat.type("/retyr" + ENTER)
        chat.wait_for("did you mean /retry?")
        chat.type("/model nobody" + ENTER + "/param temperatur=1" + ENTER + "Hello" + ENTER)
        chat.wait_for("asyncllm: ", "/retry asks again")
        chat.type("/model openai" + ENTER)
        chat.wait_for("openai needs an API key: set OPENAI_API_KEY")
        chat.type("/save /nowhere/x.md" + ENTER)
        chat.wait_for("/nowhere/x.md can't be written: No such file")
        chat.type("/model scripted/big" + ENTER + "/param temperatur=" + ENTER + "/retry" + ENTER)
        chat.wait_for("You said: Hello.")
        chat.type("/save chat.md" + ENTER)
        chat.wait_for("Saved as chat.md.")
        leave(chat)
    assert "You said: Hello." in (scripted.parent / "chat.md").read_text()


def test_a_terminal_that_knows_no_escape_sequences_is_chatted_on_as_well(scripted):
    with chatting("--provider", "scripted", TERM="dumb") as chat:
        chat.wait_for("\n>")
        chat.type("one \\\n")
        chat.wait_for("…")
        chat.type("two\n")
        chat.wait_for("You said: one\ntwo.")
        until_asked(chat)
        chat.type(CTRL_C)
        chat.wait_for("Ctrl-D or /quit leaves.")
        chat.type("three\n")
        chat.wait_for("You said: three.")
        leave(chat)
        assert "\x1b" not in chat.raw


def test_a_chat_that_is_told_to_end_deletes_what_it_made_on_the_server(server):
    server.add_fault(Stall(after=2))
    with chatting("--base-url", server.url) as chat:
        chat.wait_for("\n>")
        chat.type("Hello" + ENTER)
        chat.wait_for("\nThis is")
        chat.process.send_signal(signal.SIGTERM)
        assert chat.end() == 128 + signal.SIGTERM
        assert "\x1b[?25h" in chat.raw.rpartition("\x1b[?25l")[2]  # its cursor is there again
        assert server.conversations == 0


# --- in a pipe ------------------------------------------------------------------------------------


@pytest.fixture
def piped(monkeypatch, capsys):
    """Chat in this process, with questions from a pipe."""

    def call(*arguments, text_in, **environment):
        reading, writing = os.pipe()
        os.write(writing, text_in.encode())
        os.close(writing)
        monkeypatch.setattr(sys, "argv", ["asyncllm", "chat", *arguments])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with os.fdopen(reading) as stdin, monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", stdin)
            status = status_of(main)
        return Done(status, *capsys.readouterr())

    return call


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def test_each_line_of_a_pipe_is_a_question_or_a_command(scripted, piped):
    done = piped(
        "--provider", "scripted", "-s", "Be brief.",
        text_in='one\n\n"""two\nthree"""\n/param\n/quit\nnever\n',
    )  # fmt: skip
    assert done.stdout == "You said: one.\nYou said: two\nthree.\n"
    assert (done.returncode, done.stderr) == (
        0,
        "No parameter is set: /param temperature=0.2 sets one.\n",
    )


def test_the_conversation_goes_on_with_another_api(server, piped):
    done = piped(
        "-m", "h2o/falcon-7b", text_in="Hello\n/model openai/gpt-4\nAnd now?\n",
        ASYNCLLM_H2O_BASE_URL=server.url, ASYNCLLM_OPENAI_BASE_URL=f"{server.url}/v1",
        OPENAI_API_KEY="sk-test",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "openai/gpt-4 answers from now on.\n")
    first, second = done.stdout.splitlines()
    assert "“And now?”" in second
    sent = json.loads(server.requests[-1].body)["messages"]
    assert [message["content"] for message in sent] == ["Hello", first, "And now?"]


def test_a_question_that_fails_in_a_pipe_makes_the_exit_status_1(server, piped):
    server.add_fault(Drop(after=2, times=1))
    done = piped("--base-url", server.url, text_in="one\ntwo\n")
    assert done.returncode == 1
    assert "StreamInterrupted" in done.stderr
    assert "“two”" in done.stdout


def test_ctrl_c_ends_a_chat_that_nobody_types_in(server):
    server.add_fault(Stall(after=2))
    with started("chat", "--base-url", server.url, stdin=subprocess.PIPE) as chat:
        chat.stdin.write("Hello\n")
        chat.stdin.flush()
        assert chat.stdout.read(7) == "This is"
        chat.send_signal(signal.SIGINT)
        assert chat.wait(60) == 130
        assert "stopped" in chat.stderr.read()
    assert server.conversations == 0


def test_files_go_with_the_first_question_of_a_pipe(scripted, tmp_path, piped):
    (tmp_path / "a.txt").write_text("content")
    done = piped("--provider", "scripted", "-a", "a.txt", text_in="one\ntwo\n")
    assert done.returncode == 0
    assert asked(scripted)[0] == ['<file name="a.txt">\ncontent\n</file>\n\none']
    assert asked(scripted)[1][-1] == "two"


def test_each_answer_is_logged_where_logs_are_on(server, cli, piped):
    cli("logs", "on")
    server.add_fault(Drop(after=2, times=1))
    piped("--base-url", server.url, text_in="one\n/retry\ntwo\n")
    logged = json.loads(cli("logs", "list", "--json").out)
    assert sorted(each["question"] for each in logged) == ["one", "one", "two"]
    assert sum(bool(each["error"]) for each in logged) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-c",), "no conversation to continue yet"),
        (("--provider", "scriptd"), "scriptd"),
        (("-p", "model=x"), "--param"),
        (("-a", "nowhere.txt", "--provider", "scripted"), "nowhere.txt"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(scripted, piped, arguments, says):
    done = piped(*arguments, text_in="Hello\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
