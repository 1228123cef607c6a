"""The end of an answer on a terminal, as a terminal shows what is written there."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncllm.cli.markdown import Planner
from asyncllm.cli.markdown_lines import Painter
from asyncllm.cli.tail import Tail
from asyncllm.cli.text import shown
from support.screens import Terminal

LINE = st.sampled_from(["", "a", "bc", "漢字", "👩‍👩‍👧 x", "-" * 15, "✂️✂️"])
STEP = st.tuples(st.lists(LINE, max_size=4), st.lists(LINE, max_size=9))


@given(st.lists(STEP, max_size=12), st.lists(LINE, max_size=3))
@settings(deadline=None)
def test_a_terminal_shows_what_was_printed_and_the_end_of_what_changes(steps, last):
    terminal, tail, printed = Terminal(), Tail(), []
    for new, changing in steps:
        terminal.write(tail.draw(new, changing, terminal.screen.lines))
        printed += new
        expected = Terminal()
        expected.write("".join(line + "\r\n" for line in printed))
        expected.write("\r\n".join(changing[-(terminal.screen.lines - 1) :]))
        assert terminal.text == expected.text
        assert terminal.screen.cursor.x == 0
    terminal.write(tail.close(last))
    whole = Terminal()
    whole.write("".join(line + "\r\n" for line in [*printed, *last]))
    assert terminal.text == whole.text
    assert not terminal.screen.cursor.hidden


def test_only_lines_that_changed_are_drawn_again():
    tail = Tail()
    tail.draw([], ["first", "second"], 24)
    drawn = tail.draw([], ["first", "second and more"], 24)
    assert "first" not in drawn
    assert "second and more" in drawn
    assert tail.draw([], ["first", "second and more"], 24) == ""


def test_a_line_that_a_terminal_holds_for_wider_moves_no_other():
    terminal, tail = Terminal(columns=10), Tail()
    for n in range(3):
        terminal.write(tail.draw([], ["x" * (14 + n), f"below {n}"], 6))
    assert terminal.text == "x" * 10 + "\nbelow 2"


def test_a_terminal_that_became_narrower_is_drawn_anew():
    terminal, tail = Terminal(columns=20), Tail()
    terminal.write(tail.draw(["printed"], ["a" * 18, "b" * 18], 6))
    terminal.screen.resize(columns=10)
    tail.resized()
    terminal.write(tail.draw([], ["a" * 9, "a" * 9, "b" * 9, "b" * 9], 6))
    assert terminal.text == "\n".join(["printed", "a" * 9, "a" * 9, "b" * 9, "b" * 9])


ANSWER = (
    "# Title\n\nA **bold** word, `code` and 漢字 with 👍.\nA second line.\n\n"
    "1. one\n1. two\n   - nested\n1. three\n\n```python\n"
    + "".join(f"def f{n}(): return {n}\n" for n in range(40))
    + "```\n\n| a | b |\n|---|--:|\n| 1 | 漢字 |\n\n> said\n\n---\nThe end"
)


@pytest.mark.parametrize("step", [3, 40, 5000])
def test_an_answer_longer_than_the_terminal_is_all_there_in_the_end(step):
    terminal, tail, planner = Terminal(60, 12), Tail(), Planner()
    painter = Painter(59)
    for at in range(0, len(ANSWER), step):
        pieces = painter.lines(planner.feed(ANSWER[at : at + step]))
        terminal.write(tail.draw(pieces, painter.lines(planner.tail()), 12))
    terminal.write(tail.close(painter.lines(planner.close())))
    once = Planner()
    whole = Terminal(60, 200)
    whole.write("\r\n".join(painter.lines(once.feed(ANSWER) + once.close())))
    assert terminal.text == whole.text
    lines = terminal.text.split("\n")
    assert [line for line in lines if line.startswith("def f")] == [
        f"def f{n}(): return {n}" for n in range(40)
    ]
    assert "3. three" in lines
    assert lines[-1] == "The end"


# --- control characters ---------------------------------------------------------------------------


OURS = re.compile(
    r"\x1b\[[0123479](;[0123479])*m"
)  # bold, say, and no colour: they have two digits


@given(st.text(alphabet="\x1b[]31m0;\x07\x9b&#x1b;013\r\x08\x7f`*-|>\n ab", max_size=60))
@settings(deadline=None)
def test_nothing_of_an_answer_is_obeyed(text):
    painter, planner = Painter(40, has_colours=False), Planner()
    lines = painter.lines(planner.feed(shown(text)) + planner.close())
    for line in lines:
        assert not set(OURS.sub("", line)) & {
            chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)]
        }


@pytest.mark.parametrize("entity", ["&#13;", "&#12;", "&#27;", "&#155;", "&#8;"])
def test_an_entity_is_no_way_to_a_control_character(entity):
    (line,) = Painter(40).lines([*Planner().feed(""), *_pieces(f"a{entity}b")])
    assert not set(line) & {"\r", "\f", "\x1b", "\x9b", "\b"}


def _pieces(text):
    planner = Planner()
    return planner.feed(text) + planner.close()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[a](http://b.c)", "a (http://b.c)"),
        ("<http://b.c>", "http://b.c"),
        ("[http://b.c](http://b.c)", "http://b.c"),
        ("[trust.me](http://evil.example)", "trust.me (http://evil.example)"),
        ("![a cat](cat.png)", "a cat (cat.png)"),
        ("<b>shown</b>", "<b>shown</b>"),
        ("<div>\nshown", "<div>\nshown"),
        ("[a]: http://b.c", "[a]: http://b.c"),
        ("one\ntwo", "one\ntwo"),
    ],
)
def test_nothing_that_an_author_wrote_is_hidden(text, line):
    painter = Painter(60, has_colours=False)
    terminal = Terminal(60, 5)
    terminal.write("\r\n".join(painter.lines(_pieces(text))))
    assert terminal.text == line
