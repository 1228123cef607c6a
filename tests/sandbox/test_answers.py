"""The sandbox's answers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncllm.sandbox.generation.answers import (
    answer_to,
    last_user_text,
    reasoning_about,
    tokens_of,
)

FAMILY = "👨‍👩‍👧‍👦"


def test_answer_says_who_speaks_and_repeats_the_prompt():
    text = answer_to("What is a monad?").text
    assert "asyncllm sandbox" in text
    assert "What is a monad?" in text


def test_a_cyrillic_prompt_is_answered_in_russian():
    text = answer_to("Расскажи сказку").text
    assert text.startswith("Говорит песочница asyncllm")
    assert "Расскажи сказку" in text


def test_emoji_come_back_with_a_joined_family_only_when_asked_with_one():
    assert answer_to("hello 🙂").tokens[-1] == f" {FAMILY}"
    assert FAMILY not in answer_to("hello").text
    assert f" {FAMILY}”." in answer_to(f"greet my {FAMILY}").tokens


def test_tokens_are_words_with_their_leading_space():
    assert tokens_of("A few  words ") == ["A", " few", "  words", " "]


@given(st.text())
def test_joined_tokens_are_the_text(text):
    assert "".join(tokens_of(text)) == text


@given(st.text(alphabet=st.characters(codec=None)), st.none() | st.integers(0, 200))
def test_any_prompt_has_one_answer_that_utf8_can_carry(prompt, tokens):
    answer = answer_to(prompt, tokens=tokens)
    assert answer == answer_to(prompt, tokens=tokens)
    assert "".join(answer.tokens) == answer.text
    assert answer.text.encode().decode() == answer.text
    assert tokens is None or len(answer.tokens) == tokens


@pytest.mark.parametrize("count", [0, 1, 2, 19, 20, 21, 1000])
def test_tokens_gives_exactly_that_many(count):
    answer = answer_to("Hi", tokens=count)
    assert len(answer.tokens) == count
    assert not answer.is_cut


def test_a_repeated_answer_keeps_its_words_apart():
    assert "about it. This is the" in answer_to("Hi", tokens=100).text


def test_a_hundred_thousand_tokens_are_cheap():
    begin = time.process_time()
    assert len(answer_to("Hi", tokens=100_000).text) > 100_000
    assert time.process_time() - begin < 5


def test_limit_cuts_only_what_is_longer():
    whole = answer_to("Hi")
    length = len(whole.tokens)
    assert answer_to("Hi", limit=length) == whole
    cut = answer_to("Hi", limit=length - 1)
    assert cut.is_cut
    assert cut.tokens == whole.tokens[:-1]


def test_another_first_token_leaves_the_rest():
    answer = answer_to("Hi")
    assert answer.beginning_with("AAA").tokens == ["AAA", *answer.tokens[1:]]


def test_line_separators_inside_a_prompt_survive():
    assert "a\u2028b\u0085c" in answer_to("a\u2028b\u0085c").text


def test_a_long_prompt_is_repeated_in_part_at_a_word():
    text = answer_to("word " * 100).text
    assert "word word …" in text
    assert len(text) < 300


def test_a_long_word_is_repeated_in_part():
    assert "x" * 120 + " …" in answer_to("x" * 500).text


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("Hello", "Hello"),
        ("User: Hello", "User: Hello"),
        ("User: One\nAssistant: Two\nUser: Three\nAssistant:", "Three"),
        ("System: Be brief\nUser: Over\ntwo lines\nAssistant:", "Over\ntwo lines"),
        (
            "instruction: answer it\nuser: one\nassistant: two\nuser: three\nassistant:",
            "three",
        ),
        ("System: no user here\nAssistant:", "System: no user here\nAssistant:"),
        ("Assistant:", "Assistant:"),
    ],
)
def test_last_user_text_understands_every_prompt_form(prompt, said):
    assert last_user_text(prompt) == said


def test_reasoning_knows_the_language():
    assert "Russian" in "".join(reasoning_about("Привет"))
    assert "English" in "".join(reasoning_about("Hello"))
