"""The parts of a chat that touch a terminal, each without a process of its own."""

import asyncio
import base64
import os
import pty
import signal
import sys
import termios

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from asyncllm import Reasoning, Reply, ToolCall, Usage
from asyncllm.cli.chat_answer import _show, _stats
from asyncllm.cli.chat_history import ChatHistory
from asyncllm.cli.chat_prompt import Prompt
from asyncllm.cli.chat_terminal import Lines, copy, has_prompt, heard_interrupts, quiet_keyboard
from asyncllm.cli.chat_view import PlainView, TerminalView, can_draw
from asyncllm.events import Citation, Finish, Media, Refusal, Restart
from support.screens import CTRL_C, CTRL_D, CTRL_R, ENTER, ESC, TAB, Screen, Terminal


async def no_models():
    return ["openai/gpt-x", "ev\x1bil"]


@pytest.fixture
def typed():
    """Return what a prompt returns for some keys."""

    async def read(keys, before=""):
        with create_pipe_input() as keyboard, create_app_session(input=keyboard):
            prompt = Prompt(no_models, DummyOutput())
            keyboard.send_text(keys)
            return await prompt.read(before)

    return read


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("Hello" + ENTER, "Hello"),
        (ENTER + " " + ENTER + "Hello" + ENTER, "Hello"),
        ("one" + ESC + ENTER + "two" + ENTER, "one\ntwo"),
        ("one\ntwo" + ENTER, "one\ntwo"),  # Ctrl-J
        ("one\\" + ENTER + "two" + ENTER, "one\ntwo"),
        ('"""one' + ENTER + 'two"""' + ENTER, '"""one\ntwo"""'),
        ("\x1b[200~one\r\ntwo\n\x1b[201~" + ENTER, "one\ntwo\n"),
        ("gone" + CTRL_C + "Hello" + ENTER, "Hello"),
    ],
)
async def test_keys_make_a_line(typed, keys, text):
    assert await typed(keys) == text


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("/ret", "/retry"),
        ("/sa", "/save "),
        ("/model openai/g", "/model openai/gpt-x"),
        ("/attach pic", "/attach picture.png"),
    ],
)
async def test_tab_completes(tmp_path, monkeypatch, keys, text):
    (tmp_path / "picture.png").touch()
    monkeypatch.chdir(tmp_path)
    with create_pipe_input() as keyboard, create_app_session(input=keyboard):
        prompt = Prompt(no_models, DummyOutput())
        keyboard.send_text(keys + TAB)
        reading = asyncio.create_task(prompt.read())
        async with asyncio.timeout(30):
            while prompt._session.default_buffer.text != text:
                await asyncio.sleep(0.01)
            keyboard.send_text(ENTER)
            assert await reading == text


async def test_a_question_may_stand_there_already(typed):
    assert await typed("!" + ENTER, before="Hello") == "Hello!"


@pytest.mark.parametrize(("keys", "error"), [(CTRL_C, KeyboardInterrupt), (CTRL_D, EOFError)])
async def test_an_empty_prompt_is_left(typed, keys, error):
    with pytest.raises(error):
        await typed(keys)


async def test_what_was_typed_before_is_found_and_the_search_left_again(typed):
    ChatHistory().store_string("older question")
    ChatHistory().store_string("newer")
    assert await typed(CTRL_R + "old" + ENTER + ENTER) == "older question"
    assert await typed(CTRL_R + "old" + CTRL_C + "new one" + ENTER) == "new one"


async def test_an_interrupt_from_elsewhere_is_ctrl_c():
    with create_pipe_input() as keyboard, create_app_session(input=keyboard):
        prompt = Prompt(no_models, DummyOutput())
        prompt.interrupt()  # nothing is read

        async def interrupt():
            while not prompt._session.app.is_running:
                await asyncio.sleep(0)
            prompt.interrupt()

        interrupting = asyncio.create_task(interrupt())
        with pytest.raises(KeyboardInterrupt):
            await prompt.read()
        await interrupting


# --- the keyboard and the clipboard ---------------------------------------------------------------


@pytest.fixture
def keyboard(monkeypatch):
    """A terminal that standard input is, and what types there."""
    ours, theirs = pty.openpty()
    with (
        os.fdopen(theirs) as stdin,
        os.fdopen(ours, "wb", buffering=0) as typing,
        monkeypatch.context() as patched,
    ):
        patched.setattr(sys, "stdin", stdin)
        yield typing


def test_what_is_typed_while_an_answer_comes_is_kept_and_not_shown(keyboard):
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    with quiet_keyboard():
        assert not termios.tcgetattr(number)[3] & (termios.ECHO | termios.ICANON)
        keyboard.write(b"ahead\r")
    assert termios.tcgetattr(number) == before


async def test_a_line_of_a_terminal_is_read_also_after_ctrl_c(keyboard, capsys):
    lines = Lines("> ")
    lines.interrupt()  # nothing is read
    asyncio.get_running_loop().call_soon(lines.interrupt)
    with pytest.raises(KeyboardInterrupt):
        await lines.read()
    keyboard.write(b"one\\\ntwo\n\x04")
    assert await lines.read() == "one\ntwo"
    assert capsys.readouterr().err == "> > … "
    with pytest.raises(EOFError):
        await lines.read()


def test_a_prompt_needs_a_keyboard_and_a_terminal_that_knows_escapes(keyboard, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Screen())
    monkeypatch.setenv("TERM", "xterm")
    assert has_prompt()
    assert can_draw(sys.stdout)
    monkeypatch.setenv("TERM", "dumb")
    assert not has_prompt()
    assert not can_draw(sys.stdout)


async def test_ctrl_c_is_heard_within_the_block():
    heard, before = asyncio.Event(), signal.getsignal(signal.SIGINT)
    with heard_interrupts(heard.set):
        signal.raise_signal(signal.SIGINT)
        await heard.wait()
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize("status", [0, 1])
def test_a_text_is_copied_by_a_program_or_by_the_terminal(tmp_path, monkeypatch, status):
    program = tmp_path / "pbcopy"
    program.write_text(f'#!/bin/sh\n/bin/cat > "{tmp_path}/copied"\nexit {status}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "stdout", Screen())
    said = copy("ünï")
    assert (tmp_path / "copied").read_text() == "ünï"
    packed = base64.b64encode("ünï".encode()).decode()
    if status:
        assert sys.stdout.getvalue() == f"\x1b]52;c;{packed}\a"
    else:
        assert (said, sys.stdout.getvalue()) == ("Copied.", "")


def test_without_a_terminal_and_a_program_nothing_is_copied(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no clipboard" in copy("x")
    assert capsys.readouterr().out == ""


# --- the view of an answer ------------------------------------------------------------------------


def seen(screen):
    terminal = Terminal(80, 24)
    terminal.write(screen.getvalue())
    return terminal.text


async def test_an_answer_is_drawn_with_all_that_comes_with_it():
    screen = Screen()
    view = TerminalView(screen, "openai/\x1bgpt")
    async with view.drawn():
        while "openai" not in screen.getvalue():
            await asyncio.sleep(0)
        view.reasoning("hm, ")
        while "hm," not in screen.getvalue():
            await asyncio.sleep(0.01)
        view.text("Some **bold")
        view._resized()
        view.text("** text")
        view.source("https://a.example", "A")
        view.note("(it asks to call f)")
        view.restart()
        view.text("again")
    assert seen(screen) == (
        "▸ thought for 0 s (/reasoning shows it)\nSome bold text\n(it asks to call f)\n"
        "The server took back what is above, and begins anew:\nagain\n[1] A https://a.example"
    )
    assert screen.getvalue().endswith("\x1b[?25h\x1b[?2026l")


async def test_an_answer_of_thoughts_alone_is_a_line():
    screen = Screen()
    view = TerminalView(screen, "x")
    async with view.drawn():
        view.reasoning("hm")
    assert seen(screen) == "▸ thought for 0 s (/reasoning shows it)"


def test_a_plain_answer_is_its_text_and_the_rest_goes_to_standard_error(capsys):
    begun = []
    view = PlainView(sys.stdout, lambda: begun.append(1))
    view.reasoning("hm")
    view.text("")
    assert not begun
    view.text("a **b**")
    view.source("https://a.example", "A")
    view.restart()
    view.text("c\n")
    view.end()
    out, err = capsys.readouterr()
    assert out == "a **b**\nc\n"
    assert err == (
        "The server took back what is above, and begins anew:\n[1] A https://a.example\n"
    )


@pytest.mark.parametrize(
    ("item", "out", "err"),
    [
        ("text", "text\n", ""),
        (Refusal("no"), "no\n", ""),
        (Reasoning("hm"), "", ""),
        (ToolCall("i", "f", "{}"), "", "(it asks to call f with {}; nothing is called here)\n"),
        (Media("image/png", data=b"123"), "", "(image/png: 3 bytes)\n"),
        (Citation("https://a.example", "A"), "", "[1] A https://a.example\n"),
        (Restart("x"), "", "The server took back what is above, and begins anew:\n"),
        (Finish("stop"), "", ""),
    ],
)
def test_everything_that_comes_is_shown_where_it_belongs(capsys, item, out, err):
    view = PlainView(sys.stdout, lambda: None)
    _show(item, view)
    view.end()
    assert tuple(capsys.readouterr()) == (out, err)


def test_the_speed_and_the_cost_are_said_as_far_as_they_are_known():
    assert _stats(Reply(duration=2.0)) == "(2.00 s in all)"
    usage = Usage(prompt_tokens=7, completion_tokens=30, cost=0.5)
    reply = Reply(usage=usage, duration=2.0, time_to_first_token=0.5)
    told = "(first token 0.50 s, 30 tokens, 20 tokens/s, 7 tokens read, $0.5000, 2.00 s in all)"
    assert _stats(reply) == told
