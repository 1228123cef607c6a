"""Markdown while it streams: what has been printed stays as it is, and the pieces are the text."""

import itertools
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asyncllm.cli.markdown import CODE_LINES, Block, Code, Planner, parser

# Whatever begins, ends or goes on a block, so that texts of it are full of near misses.
STARTS = [
    "", "", "", " ", "   ", "    ", "\t", "- ", "  - ", "* ", "1. ", "3. ", "2) ", "   10. ",
    "> ", ">> ", "# ", "#", "### ", "```", "````py", "~~~", "  ```", "---", "===", "***",
    "| a | b |", "|---|---|", "--|--", "    code", "<div>", "</div>", "<!--", "-->", "[a]: b",
    "[a]", "- - a", "- ```", "> ```", "![x](y)", "a\\", "&#27;", "\\",
]  # fmt: skip
LINES = st.builds(
    "".join, st.tuples(st.sampled_from(STARTS), st.sampled_from(["", "a", "b c", "- ", "`", "|"]))
)
TEXTS = st.lists(LINES, max_size=40).map("\n".join)


def pieces_of(text, cuts=()):
    planner = Planner()
    bounds = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    found = []
    for start, end in itertools.pairwise(bounds):
        found += planner.feed(text[start:end])
    return found + planner.close()


def blocks_of(text):
    """Return what a text is as Markdown, less where its outermost lists begin and end."""
    tokens = []
    parser().block.parse(text, parser(), {}, tokens)
    return [
        (token.type, token.tag, token.content.rstrip(), token.info.split()[:1])
        for token in tokens
        if not (token.level == 0 and token.type.endswith(("list_open", "list_close")))
        and token.type != "list_item_open"  # whose info is its number
    ]


def joined(pieces):
    """Return what pieces are as Markdown."""
    blocks, code = [], []
    for piece in pieces:
        if isinstance(piece, Block):
            blocks += blocks_of(piece.text)
            continue
        code.append(piece.text)
        if piece.closes:
            text = "\n".join(code).rstrip()
            blocks.append(("fence", "code", text, piece.language.split()))
            code = []
    return blocks


@given(TEXTS, st.lists(st.integers(min_value=0), max_size=10))
@settings(max_examples=200, deadline=None)
def test_the_pieces_are_the_same_however_the_text_comes(text, cuts):
    assert pieces_of(text, cuts) == pieces_of(text)


@given(TEXTS)
@example("```|\n---")
@example("- x\n- a | b\n--- | ---")
@settings(max_examples=200, deadline=None)
def test_the_pieces_are_the_whole_text(text):
    assert joined(pieces_of(text)) == blocks_of(text)


@given(TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_what_was_given_out_stays_whatever_follows(text, more):
    planner = Planner()
    before = planner.feed(text)
    shown = planner.tail()
    assert pieces_of(text) == before + shown  # and looking at the tail changes nothing
    assert pieces_of(text + more)[: len(before)] == before


@given(st.text(max_size=60), st.integers(0, 60))
def test_any_text_is_cut(text, at):
    assert pieces_of(text, [at]) == pieces_of(text)


def test_the_items_of_a_list_are_pieces_with_their_numbers():
    pieces = pieces_of("7. a\n7. b\n   - c\n\n7. d\n\ntext\n1) x")
    assert pieces == [
        Block("7. a", number=7),
        Block("7. b\n   - c", number=8),
        Block("7. d", is_apart=True, number=9),
        Block("text", is_apart=True),
        Block("1) x", is_apart=True, number=1),
    ]


@pytest.mark.parametrize("begun", ["A", "**A", "- A", "2. A"])
def test_a_block_ends_where_it_is_clear_that_the_next_has_begun(begun):
    planner = Planner()
    planner.feed("1. one\n\n")
    assert planner.feed(begun) == [Block("1. one", number=1)]


@pytest.mark.parametrize("begun", ["A", "-", "- ", "    - A", "   A", "|", "2"])
def test_a_block_goes_on_as_long_as_what_follows_may_be_of_it(begun):
    planner = Planner()
    planner.feed("1. one\n")
    assert planner.feed(begun) == []


def test_a_long_block_of_code_is_printed_while_it_comes():
    planner = Planner()
    lines = [f"x = {number}" for number in range(3 * CODE_LINES + 1)]
    given_out = planner.feed("```python title\n" + "\n".join(lines) + "\n")
    assert [len(piece.text.split("\n")) for piece in given_out] == [CODE_LINES] * 3
    assert [piece.opens for piece in given_out] == [True, False, False]
    assert not any(piece.closes for piece in given_out)
    assert given_out[1].above == given_out[0].text
    last = Code(lines[-1], "python", "\n".join(lines[:-1]), opens=False)
    assert planner.tail() == [last]
    assert planner.feed("```\n") == [last]


@pytest.mark.parametrize("line", ["words", "- an item", "> said", "| a | b |", "    code"])
def test_a_long_block_takes_no_time_that_grows_by_its_square(line):
    def seconds(times):
        planner, start = Planner(), time.process_time()
        planner.feed("```\n```\n" if line == "words" else "")
        planner.feed(f"{line}\n" * times)
        return time.process_time() - start

    few = min(seconds(200) for _ in range(3))
    assert seconds(3200) < 8 * 16 * few  # it would be 256 times as much
