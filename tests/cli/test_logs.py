"""The log: off until it is wanted, without secrets, and never in an answer's way."""

import json
import sqlite3
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from asyncllm import Reply, ToolCall, Usage
from asyncllm.cli.app import app
from asyncllm.cli.keys_file import store_key
from asyncllm.cli.log_file import is_on, log_answer, log_path, switch
from asyncllm.cli.log_reading import answer, found, last_answers
from support.own_terminal import OwnTerminal

KEY = "sk-0123456789-0123456789-tail"
FINISHED = Reply(text="Because of Rayleigh.", finish_reason="stop", model="gpt-5")


def invoke(*arguments):
    return CliRunner().invoke(app, ["logs", *arguments], prog_name="asyncllm")


def asked(text, reply=FINISHED, **options):
    log_answer(reply, messages=[{"role": "user", "content": text}], provider="openai", **options)


@pytest.fixture
def log(home):
    switch(on=True)


# --- what is kept -------------------------------------------------------------------------------


def test_nothing_is_kept_until_logs_are_on_and_again_once_they_are_off(home):
    asked("Why?")
    assert not home.exists()
    assert invoke("on").exit_code == 0
    asked("Why?")
    assert invoke("off").exit_code == 0
    asked("Who?")
    assert [row["question"] for row in last_answers(9)] == ["Why?"]
    assert not is_on()


@pytest.mark.usefixtures("log")
def test_an_answer_is_kept_with_all_that_belongs_to_it():
    reply = Reply(
        text="42", reasoning="Hm.", tool_calls=(ToolCall("1", "look_up", '{"q": 1}'),),
        usage=Usage(prompt_tokens=3, completion_tokens=5), finish_reason="stop", model="gpt-5",
        time_to_first_token=0.25, duration=1.5,
    )  # fmt: skip
    messages = [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}]
    log_answer(reply, messages=messages, provider="openai", model="gpt", system="Be brief.")
    row = answer(None)
    assert row.pop("at").startswith("20")
    assert {name: value for name, value in row["usage"].items() if value} == {
        "prompt_tokens": 3, "completion_tokens": 5,
    }  # fmt: skip
    del row["usage"]
    assert row == {
        "id": 1, "provider": "openai", "model": "gpt-5", "system": "Be brief.",
        "question": "Why?", "messages": messages, "answer": "42", "reasoning": "Hm.",
        "tool_calls": [{"id": "1", "name": "look_up", "arguments": '{"q": 1}', "opaque": ""}],
        "finish_reason": "stop", "error": "", "first_token": 0.25, "duration": 1.5,
        "is_partial": False,
    }  # fmt: skip


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("reply", "error", "is_partial", "said"),
    [
        (FINISHED, None, False, ""),
        (Reply(text="x", finish_reason="length"), None, False, ""),
        (Reply(text="x", finish_reason="cancelled"), None, True, ""),
        (Reply(text="x"), None, True, ""),
        (Reply(text="x"), ValueError("no\nmore"), True, "ValueError: no\nmore"),
        (Reply(), KeyboardInterrupt(), True, "KeyboardInterrupt"),
    ],
)
def test_an_answer_that_is_not_whole_is_marked(reply, error, is_partial, said):
    asked("Why?", reply, error=error)
    row = answer(None)
    assert (row["is_partial"], row["error"]) == (is_partial, said)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "where", ["environment", "other variable", "of other programs", "keys file", "given"]
)
def test_no_key_is_kept_wherever_it_was_said(where, monkeypatch):
    if where == "environment":
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
    elif where == "other variable":
        monkeypatch.setenv("GROQ_API_KEY", KEY)
    elif where == "of other programs":
        monkeypatch.setenv("DATABASE_PASSWORD", KEY)
    elif where == "keys file":
        store_key("mistral", KEY)
    long = f"{'word ' * 13_105} {KEY} {'word ' * 30_000}"  # the key stands where a piece ends
    reply = Reply(
        text=long, reasoning=KEY, tool_calls=(ToolCall("1", "f", f'{{"key": "{KEY}"}}'),),
        finish_reason="stop", model=KEY,
    )  # fmt: skip
    asked(f"My key is {KEY}.", reply, system=KEY, error=ValueError(KEY), secrets=[KEY])
    row = answer(None)
    assert KEY not in json.dumps(row)
    assert KEY.encode() not in log_path().read_bytes()
    assert row["question"] == "My key is ***."
    assert row["answer"] == long.replace(KEY, "***")


@pytest.mark.usefixtures("log")
def test_a_long_text_without_a_space_hides_a_key_too():
    asked("x" * 65_530 + KEY + "x" * 10, secrets=[KEY])
    assert KEY not in json.dumps(answer(None))


@pytest.mark.usefixtures("log")
def test_images_and_files_are_left_out():
    data = "data:image/png;base64," + "A" * 100_000
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": data}},
        {"type": "image", "source": b"\x89PNG" * 1000},
        {"type": "file", "source": log_path()},
        {"type": "input_audio", "input_audio": {"data": "A" * 5000}},
    ]
    log_answer(FINISHED, messages=[{"role": "user", "content": parts}], provider="openai")
    row = answer(None)
    assert row["question"] == "What is this?"
    assert len(json.dumps(row)) < 2000
    assert "(4000 bytes)" in json.dumps(row)
    shown = invoke("show").stdout
    assert "What is this?\n\n(an image)\n\n(an image)\n\n(a file)\n\n(a recording)" in shown


@pytest.mark.usefixtures("log")
def test_half_a_character_is_no_reason_not_to_keep_an_answer(capsys):
    asked("\ud83d", Reply(text="\ud83d", finish_reason="stop"))
    assert capsys.readouterr().err == ""
    assert answer(None)["answer"] == "?"


# --- what may go wrong --------------------------------------------------------------------------

MANY_ANSWERS = """
from asyncllm import Reply
from asyncllm.cli.log_file import log_answer
for number in range(20):
    log_answer(Reply(finish_reason="stop"), messages=[], provider="openai")
"""


@pytest.mark.usefixtures("log")
def test_two_processes_that_write_at_once_lose_nothing():
    both = [subprocess.Popen([sys.executable, "-c", MANY_ANSWERS]) for _ in range(2)]
    assert [each.wait(60) for each in both] == [0, 0]
    assert len(last_answers(99)) == 40


@pytest.mark.usefixtures("log")
def test_a_locked_log_costs_a_line_and_no_answer(capsys):
    holding = sqlite3.connect(log_path(), isolation_level=None)
    holding.execute("BEGIN EXCLUSIVE")
    asked("Why?")
    holding.close()
    said = capsys.readouterr().err
    assert said.startswith("asyncllm: the answer is not in the log: ")
    assert f"{log_path()}: database is locked" in said
    assert said.count("\n") == 1
    assert last_answers(1) == []


ON_A_FULL_DISK = """
import resource, signal
from asyncllm import Reply
from asyncllm.cli.log_file import log_answer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))
log_answer(Reply(text="x" * 100_000, finish_reason="stop"), messages=[], provider="openai")
print("answered")
"""


@pytest.mark.usefixtures("log")
def test_a_full_disk_costs_a_line_and_no_answer():
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr.count("\n")) == ("answered\n", 1)
    assert "the answer is not in the log: cannot use the log" in done.stderr


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("kind", ["folder", "no database", "of a newer asyncllm"])
def test_a_log_that_can_not_be_used_costs_a_line_and_the_commands_say_so(kind, capsys):
    if kind == "of a newer asyncllm":
        with sqlite3.connect(log_path()) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    else:
        log_path().unlink()
        log_path().mkdir(mode=0o700) if kind == "folder" else log_path().write_text("x" * 9999)
        log_path().chmod(0o700 if kind == "folder" else 0o600)
    asked("Why?")
    assert capsys.readouterr().err.count("\n") == 1
    for command in ("list", "status", "show"):
        done = invoke(command)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert str(log_path()) in done.stderr
    if kind == "no database":
        assert "asyncllm logs clear begins a new one" in done.stderr
        assert invoke("clear", "--yes").exit_code == 0
        asked("Why?")
        assert len(last_answers(9)) == 1


@pytest.mark.usefixtures("log")
def test_a_question_that_has_no_json_form_is_kept_as_it_reads():
    log_answer(FINISHED, messages=[{"role": "user", "content": {1: object}}], provider="x")
    assert "class" in json.dumps(answer(None)["messages"])


# --- reading ------------------------------------------------------------------------------------


@pytest.fixture(params=["indexed", "without full-text search"])
def three(request, log):
    """Three answers: in a log whose index works, and in one where there can be none."""
    if request.param != "indexed":
        with sqlite3.connect(log_path()) as connection:
            connection.execute("CREATE TABLE words (taken)")
        connection.close()
    asked("Why is the sky blue?")
    asked("Say \"100%_sure\" and rock'n'roll")
    asked("Почему небо голубое?", Reply(text="天空は青い", finish_reason="stop"))


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("sky", [1]),
        ("SKY blue", [1]),
        ("Rayleigh", [2, 1]),
        ("Rayl", [2, 1]),
        ("sky nothing", []),
        ("НЕБО", [3]),
        ("青い", [3]),
        ('"', [2]),
        ('sky"', [1]),
        ("'", [2]),
        ("100%_sure", [2]),
        ("%", [2]),
        ("sky OR", []),
        ("NEAR(", []),
        ("question:sky", []),
        ("-", []),
        ("*", []),
        ("\0", []),
        ("\ud800sky", [1]),
    ],
)
def test_words_find_the_answers_that_have_them_whatever_else_is_typed(query, numbers):
    assert [row["id"] for row in found(query, 9)] == numbers


@pytest.mark.usefixtures("three")
def test_the_search_knows_what_came_since_and_nothing_that_is_gone():
    assert len(found("sky", 9)) == 1
    asked("Another sky")
    assert [row["id"] for row in found("sky", 9)] == [4, 1]
    assert [row["id"] for row in found("sky", 1)] == [4]
    invoke("clear", "--yes")
    assert found("sky", 9) == []
    asked("A new sky")
    assert [row["id"] for row in found("sky", 9)] == [5]


@pytest.mark.usefixtures("three")
def test_a_list_has_a_row_for_each_answer_the_latest_first():
    lines = invoke("list", "-n", "2").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "3", "2"]
    assert "openai/gpt-5" in lines[2]
    assert "Почему небо голубое?" in lines[1]
    assert [row["id"] for row in json.loads(invoke("list", "--json").stdout)] == [3, 2, 1]
    assert invoke("search", "sky").stdout.splitlines()[1].startswith("1 ")
    assert [row["id"] for row in json.loads(invoke("search", "sky", "--json").stdout)] == [1]


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("command", [("list",), ("search", "x")])
def test_less_than_one_answer_can_not_be_asked_for(command):
    done = invoke(*command, "-n", "0")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "a number from 1 on" in done.stderr


@pytest.mark.usefixtures("log")
def test_an_answer_is_shown_as_markdown_or_json():
    reply = Reply(
        text="It *is*.", reasoning="Hm.", tool_calls=(ToolCall("1", "f", '{"a": 1}'),),
        usage=Usage(prompt_tokens=3, completion_tokens=5, cost=0.25), finish_reason="stop",
        model="gpt-5", time_to_first_token=0.25, duration=1.5,
    )  # fmt: skip
    asked("Why?", reply, system="Be brief.")
    shown = invoke("show", "1").stdout
    head, _, rest = shown.partition("\n\n## System")
    assert head.startswith("# 1: openai/gpt-5\n\n20")
    assert head.endswith(
        " · first token after 0.25 s · 1.50 s in all · 3 tokens in · 5 tokens out · $0.25 "
        "· finished: stop"
    )
    assert rest == (
        "\n\nBe brief.\n\n## User\n\nWhy?\n\n## Reasoning\n\nHm.\n\n## Answer\n\nIt *is*.\n\n"
        '## Call of f\n\n```json\n{"a": 1}\n```\n'
    )
    assert json.loads(invoke("show", "--json").stdout)["answer"] == "It *is*."
    asked("Why?", Reply(), error=ValueError("no"))
    assert "failed: ValueError: no" in invoke("show").stdout
    asked("Why?", Reply(finish_reason="cancelled"))
    assert "not whole" in invoke("show").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("list",), 2, "there is no log yet: type asyncllm logs on"),
        (("search", "x"), 2, "there is no log yet"),
        (("show", "1"), 2, "there is no log yet"),
        (("clear", "--yes"), 0, "0 answers deleted"),
    ],
)
def test_a_log_that_was_never_made_is_said_and_not_made(home, arguments, status, says):
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert says in done.stderr
    assert not home.exists()


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("show", "7"), 1, "the log has no answer 7"),
        (("show",), 1, "the log has no answer;"),
        (("search", "nothing"), 1, "nothing in the log has these words"),
        (("clear",), 2, "type --yes"),
    ],
)
def test_what_is_not_there_is_one_line(arguments, status, says):
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert says in done.stderr


def test_the_status_says_whether_logs_are_on_and_how_much_there_is():
    off = "logs: off\nfile: {}\nanswers: 0\nsize: 0 KiB\n"
    assert invoke("status").stdout == off.format(log_path())
    invoke("on")
    asked("Why?")
    kind, file, answers, size = invoke("status").stdout.splitlines()
    assert (kind, file, answers) == ("logs: on", f"file: {log_path()}", "answers: 1")
    assert size == f"size: {log_path().stat().st_size // 1024} KiB"
    assert invoke("path").stdout == f"{log_path()}\n"


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("typed", "status", "left"), [("y\n", 0, 0), ("\n", 1, 1), ("\x03", 130, 1)]
)
def test_on_a_terminal_clear_asks_first(typed, status, left):
    asked("Why?")
    clearing = OwnTerminal("logs", "clear")
    clearing.read_until("Type y for yes: ")
    clearing.type(typed)
    assert clearing.wait()[0] == status
    assert len(last_answers(9)) == left


@pytest.mark.usefixtures("log")
def test_what_is_cleared_is_in_no_file_any_more(home):
    asked("a word like no other: Fernweh")
    assert found("Fernweh", 1)
    assert invoke("clear", "--yes").stderr == "asyncllm: 1 answer deleted\n"
    assert not any(b"ernweh" in path.read_bytes() for path in home.iterdir())


@pytest.mark.usefixtures("log")
def test_a_terminal_is_shown_what_it_would_obey():
    asked("\x1b]0;title\x07", Reply(text="\x1b[31m", finish_reason="stop"))
    for command in ("list", "show"):
        _, written = OwnTerminal("logs", command).wait()
        assert "\x1b" not in written
        assert r"\x1b]0;title\x07" in written


def test_an_id_that_no_log_can_have_is_told_in_one_line(cli):
    cli("logs", "on")
    done = cli("logs", "show", "9" * 30)
    assert done.status == 1
    assert "asyncllm logs list says what it has" in done.err
