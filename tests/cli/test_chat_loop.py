"""A chat in this process, with somebody who types what stands in a list."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import termios
import threading

import pytest

from asyncllm.cli.chat_answer import Answering
from asyncllm.cli.chat_current import Answerer
from asyncllm.cli.chat_loop import Chat
from asyncllm.cli.chat_session import Session
from asyncllm.cli.choosing import Choice
from asyncllm.cli.last import load_last
from asyncllm.sandbox import Drop, Sandbox, Stall
from support.screens import Screen


class Typist:
    """Types one line after the other, and leaves."""

    def __init__(self, lines):
        self._lines = iter(lines)
        self.found = []

    async def read(self, before=""):
        self.found.append(before)
        line = next(self._lines, EOFError())
        if isinstance(line, BaseException):
            raise line
        return line

    def interrupt(self):
        """Nobody sends one while nothing is done."""


@pytest.fixture
def screen(monkeypatch):
    """What standard output and standard error are while the test chats."""
    monkeypatch.setenv("TERM", "xterm")
    return Screen()


@pytest.fixture
def chatted(screen, server, monkeypatch):
    async def chat(*lines, attached=(), **choice):
        monkeypatch.setattr(sys, "stdout", screen)  # pytest sets its own before the test
        monkeypatch.setattr(sys, "stderr", screen)
        session, typist = Session(params={"max_tokens": 5}), Typist(lines)
        answering = Answering(is_plain=False, stats=True)
        choice = Choice(**{"base_url": f"{server.url}/v1", "model": "gpt-4", **choice})
        await Chat(session, choice, answering, is_alive=True).run(typist, attached)
        return session, typist

    return chat


async def test_commands_are_done_and_mistakes_answered(chatted, screen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "a.txt").write_text("A")
    session, typist = await chatted(
        "", "/models", "Hello", "/copy", "/save a.txt", "/save b.md", "/save b.md", "/save /n/b.md",
        "/save b\0.md", "/attach a.txt", "/attach", "/attach nowhere", "/attach -", "/attach a.txt",
        "/undo", KeyboardInterrupt(), "/nope", "/model openai", "/model gpt-4.1", "And?", "/quit",
    )  # fmt: skip
    for text in (
        "openai-compatible/gpt-4 answers now", "  gpt-4.1\n", "Sent to the terminal",
        "a.txt is there already: /save -f a.txt", "Saved as b.md.", "/n/b.md can't be written",
        "can't be written: embedded null", "there is no file 'nowhere'", "Taken back.",
        "standard input can't be attached", "Ctrl-D or /quit leaves.", "There is no command /nope",
        "openai needs an API key", "openai-compatible/gpt-4.1 answers from now on.",
        "stopped at the most tokens", "s in all)", "With the next question go: a.txt.",
    ):  # fmt: skip
        assert text in screen.getvalue()
    assert "Hello" in typist.found
    assert session.messages[0]["content"].endswith("And?")
    assert load_last().messages == session.messages


async def test_what_is_stopped_or_breaks_is_said_and_kept(chatted, screen, server):
    server.add_fault(Stall(after=2, times=1))

    async def stop():
        async with asyncio.timeout(30):
            while "This is" not in screen.getvalue():
                await asyncio.sleep(0.01)
        signal.raise_signal(signal.SIGINT)
        server.add_fault(Drop(after=2, times=1))

    stopping = asyncio.create_task(stop())
    session, _ = await chatted(
        "one", "two", "/model gpt-nope", "three", "/param temperatur=1", "four"
    )
    await stopping
    assert [turn.ended for turn in session.turns] == [
        "stopped",
        "cut short: StreamInterrupted",
        "cut short: NotFoundError",
        "cut short: ConfigurationError",
    ]
    said = [message["content"] for message in session.messages]
    assert said == ["one", "This is", "two", "This is"]
    assert "(stopped: what came is kept" in screen.getvalue()
    assert "and /model chooses one" in screen.getvalue()


async def test_a_chat_goes_on_and_says_so(chatted, screen, tmp_path):
    (tmp_path / "a.txt").write_text("A")
    await chatted("one")
    session = Session()
    session.go_on_with(load_last().messages)
    choice = Choice(last=load_last())
    chat = Chat(session, choice, Answering(is_plain=True, stats=False), is_alive=True)
    await chat.run(Typist(["two"]), [str(tmp_path / "a.txt")])
    assert len(session.turns) == 2
    for text in ("goes on, after 1 question.", "With the first question go:"):
        assert text in screen.getvalue()


async def test_a_key_and_an_address_stay_with_the_provider_they_were_typed_for():
    async with Sandbox(models=["openai/listed"]) as server:
        url = f"{server.url}/v1"
        answerer = Answerer(Choice(key="sk-1", base_url=url, model="a"))
        await answerer.begin()
        await answerer.models()
        ours = ("openai-compatible", url, "sk-1")
        for typed, provider, model, where, key in [
            ("b", ours[0], "b", *ours[1:]),
            ("openai/listed", ours[0], "openai/listed", *ours[1:]),
            ("openai-compatible/c", ours[0], "c", *ours[1:]),
            ("openai/gpt", "openai", "gpt", "", ""),
            ("Anthropic", "anthropic", "", "", ""),
            ("x.gguf", "", "x.gguf", "", ""),
        ]:
            meant = answerer._meant(typed)
            found = (meant.provider, meant.model, meant.base_url, meant.key)
            assert found == (provider, model, where, key)
        await answerer.aclose()


async def test_a_file_of_a_user_who_is_not_there_ends_no_chat(chatted, screen):
    await chatted("Hello", "/save ~nobody-of-that-name/a.md", "Again")
    assert "~nobody-of-that-name/a.md can't be written" in screen.getvalue()
    assert screen.getvalue().count("first token") == 2


async def test_ctrl_c_ends_waiting_for_a_pipe_to_attach(chatted, screen, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = []

    def press():
        while not writing:
            with contextlib.suppress(OSError):  # nobody reads yet
                writing.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        os.write(writing[0], b"x")
        while fcntl.ioctl(writing[0], termios.FIONREAD, bytes(4)) != bytes(4):
            pass  # it has not begun to read yet
        os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    await chatted(f"/attach {pipe}", "Hello")
    pressing.join()
    os.close(writing[0])
    assert "Stopped." in screen.getvalue()
    assert "first token" in screen.getvalue()
