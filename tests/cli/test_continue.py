"""`--continue`: the last conversation goes on."""

import json
import signal

import pytest

from asyncllm.cli.last import Conversation, load_last, save_last
from asyncllm.sandbox import Drop, Stall
from support.command_line import started


def asked_last(server):
    return [
        (message["role"], message["content"])
        for message in json.loads(server.requests[-1].body)["messages"]
    ]


@pytest.fixture
def first(server, cli):
    """Ask something, and return where."""
    where = ("--base-url", f"{server.url}/v1", "-m", "gpt-4o")
    assert cli("Hello", "-s", "Be brief.", *where).status == 0
    return where


def test_the_last_conversation_goes_on_where_it_was_with_whom_it_was(first, server, cli):
    answer = load_last().messages[-1]["content"]
    done = cli("-c", "And now?", given=b"a file")
    assert done.status == 0
    assert asked_last(server) == [
        ("system", "Be brief."),
        ("user", "Hello"),
        ("assistant", answer),
        ("user", "a file\n\nAnd now?"),
    ]
    assert json.loads(server.requests[-1].body)["model"] == "gpt-4o"
    assert len(load_last().messages) == 4


def test_another_model_and_another_system_message_may_go_on_with_it(first, server, cli):
    assert cli("-c", "And now?", "-m", "gpt-4.1", "-s", "Be long.").status == 0
    assert json.loads(server.requests[-1].body)["model"] == "gpt-4.1"
    assert asked_last(server)[0] == ("system", "Be long.")


def test_what_failed_is_not_continued(first, server, cli):
    before = load_last()
    server.add_fault(Drop(after=2, times=1))
    assert cli("-c", "And now?").status == 1
    assert load_last() == before


def test_what_was_stopped_goes_on_from_where_it_was(server):
    server.add_fault(Stall(after=2))
    with started("Hello", "--base-url", f"{server.url}/v1", "-m", "gpt-4o") as asking:
        assert asking.stdout.read(7) == "This is"
        asking.send_signal(signal.SIGINT)
        asking.communicate(timeout=60)
    assert load_last().messages[-1]["content"] == "This is"


def test_calls_that_nobody_answers_are_not_continued(server, cli):
    tool = json.dumps([{"type": "function", "function": {"name": "weather", "parameters": {}}}])
    where = ("--base-url", f"{server.url}/v1", "-m", "gpt-4o")
    done = cli("Use a tool.", "-p", f"tools={tool}", *where)
    assert (done.status, done.out) == (0, "")
    assert "the model asks to call weather; --json shows" in done.err
    assert load_last() is None


def test_its_file_is_the_owners_alone_and_keeps_where_attachments_are(home, tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(8))
    parts = [
        {"type": "image", "source": path, "media_type": "image/png"},
        {"type": "file", "source": b"%PDF-", "media_type": "application/pdf", "name": "a.pdf"},
        {"type": "image", "source": "https://a.example/cat.png"},
    ]
    save_last(Conversation(messages=[{"role": "user", "content": parts}], provider="openai"))
    assert (home / "last.json").stat().st_mode & 0o777 == 0o600
    kept = load_last().messages[0]["content"]
    assert [part["source"] for part in kept] == [
        path, "data:application/pdf;base64,JVBERi0=", "https://a.example/cat.png",
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["", "{", "[]", '{"messages": 1}'])
def test_a_file_that_holds_no_conversation_is_named(content, home, cli):
    home.mkdir(mode=0o700)
    (home / "last.json").write_text(content)
    (home / "last.json").chmod(0o600)
    done = cli("-c", "And now?")
    assert (done.status, done.out) == (2, "")
    assert "last.json holds no conversation: delete it" in done.err


def test_an_answer_stands_though_it_can_not_be_kept(home, cli):
    (home / "last.json").mkdir(parents=True)
    done = cli("-m", "sandbox", "Hello")
    assert done.status == 0
    assert "You wrote: “Hello”" in done.out
    assert "asyncllm: -c can't continue this conversation: cannot write" in done.err
