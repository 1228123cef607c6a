"""The whole text that ends a stream: as streamed, longer, or another one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncllm import Ping, ProtocolError
from asyncllm.wires.streamed_text import StreamedText

TEXTS = st.text(st.sampled_from("abc .,!?'\n\t\u00a0é一😀") | st.characters(codec="utf-8"))
SPACE = " \t\n"
LONG = "All work and no play. " * 20_000  # its beginning is kept as a checksum only


def streamed(*pieces):
    text = StreamedText()
    for piece in pieces:
        text.add([Ping(), piece])
    return text


def as_tokenizers_do(text):
    """Return `text` with the spaces that `clean_up_tokenization_spaces=True` leaves."""
    for mark in (".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"):
        text = text.replace(f" {mark}", mark)
    return text.replace(" ' ", "'")


@given(pieces=st.lists(TEXTS), stop=TEXTS)
@example(pieces=[" Hello", " ,", " world", "\n"], stop="")
@example(pieces=["I", " do", " n't"], stop="</s>")
def test_what_a_tokenizer_makes_of_the_whole_is_what_was_streamed(pieces, stop):
    text = "".join(pieces)
    for whole in (
        text,
        text.strip(SPACE),
        text.lstrip(SPACE),
        as_tokenizers_do(text),
        f"{text} \n",
    ):
        assert not streamed(*pieces).rest_of(whole)
        assert not streamed(*pieces, stop).rest_of(whole, [stop])
        assert not streamed(*pieces, "<|im", "_end|>").rest_of(whole)


@given(pieces=st.lists(TEXTS), rest=TEXTS)
@example(pieces=["Hello "], rest="world")
@example(pieces=["Hello"], rest=" world ")
@example(pieces=[], rest=" Hello")
def test_what_was_not_streamed_at_the_end_is_the_rest(pieces, rest):
    text = "".join(pieces)
    given_out = text + streamed(*pieces).rest_of(text + rest)
    assert given_out.split() == (text + rest).split() or given_out.rstrip() == text.rstrip()
    if rest.split() and not (text[-1:].isspace() and rest[0].isspace()):
        assert given_out == text + rest


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("world", "Hello world"),
        ("Hello", "Goodbye"),
        ("Hello!", "Hello world!"),
        ("Hello world", "Goodbye"),
        ("Hello world", "Hello"),
        ("Hello world", ""),
        ("a", "bc"),
        (LONG, LONG.replace("All", "Ill", 1)),
        (LONG, "x" + LONG),
        (LONG, "Goodbye"),
        (LONG, LONG[: len(LONG) // 2]),
    ],
    ids=lambda text: text[:12],
)
def test_another_text_is_an_error(text, whole):
    for size in (1 + len(text) // 3, len(text)):
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        with pytest.raises(ProtocolError, match="differs from what it streamed"):
            streamed(*pieces).rest_of(whole)


@pytest.mark.parametrize("size", [999, 64 * 1024, len(LONG)])
def test_a_long_text_is_compared_from_its_beginning_to_its_end(size):
    pieces = [LONG[i : i + size] for i in range(0, len(LONG), size)]
    assert not streamed(*pieces).rest_of(f" {LONG.strip()}")
    assert streamed(*pieces).rest_of(LONG + "The end.") == "The end."
    assert not streamed(*pieces, "</s>").rest_of(LONG)
