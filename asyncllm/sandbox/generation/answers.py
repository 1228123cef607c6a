"""The sandbox's answers: derived from the prompt alone, the same one every time."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, cycle, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENGLISH = (
    "This is the asyncllm sandbox speaking, not a model. "
    "You wrote: “{piece}”. A real model would now say something about it."
)
_RUSSIAN = (
    "Говорит песочница asyncllm, а не модель. "  # noqa: RUF001 - it is Russian
    "Вы написали: «{piece}». Настоящая модель сказала бы что-нибудь об этом."  # noqa: RUF001 - it is Russian
)
_EMOJI = " 👋 👨‍👩‍👧‍👦"
_PIECE = 120
"""The longest part of a prompt that is repeated, in characters."""

_HAS_CYRILLIC = re.compile("[\u0400-\u04ff]").search
_HAS_EMOJI = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff]").search
_WORDS = re.compile(" *[^ ]+| +$").findall
# Only ASCII blanks are collapsed: U+2028 and U+0085 in a prompt must come back in the answer.
_BLANKS = re.compile("[ \t\r\n]+")

_ROLE = re.compile(
    r"^(system|user|assistant|tool|function|instruction):[ ]?", re.IGNORECASE | re.MULTILINE
)
_AWAITS_ASSISTANT = re.compile(r"^assistant:\s*\Z", re.IGNORECASE | re.MULTILINE).search


@dataclass(frozen=True)
class Answer:
    """The tokens of an answer; `is_cut` says that it had to end before it was complete."""

    tokens: Sequence[str]
    is_cut: bool = False

    @cached_property
    def text(self) -> str:
        """All tokens joined."""
        return "".join(self.tokens)

    def beginning_with(self, token: str) -> Answer:
        """Make the same answer with another first token."""
        return replace(self, tokens=[token, *self.tokens[1:]])


def answer_to(prompt: str, *, tokens: int | None = None, limit: int | None = None) -> Answer:
    """Answer a prompt.

    It says that the sandbox speaks and repeats what the user wrote last (at most 120
    characters), in Russian if that has Cyrillic letters, with emoji if that has one.

    `tokens` makes it exactly that long, by cutting or repeating the natural answer; `limit` is
    the most that the request allows, and an answer longer than that is cut there.
    """
    question = last_user_text(prompt)
    natural = tokens_of(_text_for(question))
    if tokens is not None:
        # A repetition goes on in the same line, so its first word needs a space too.
        again = cycle([f" {natural[0]}", *natural[1:]])
        natural = list(islice(chain(natural, again), tokens))
    if limit is not None and len(natural) > limit:
        return Answer(natural[:limit], is_cut=True)
    return Answer(natural)


def reasoning_about(prompt: str) -> Sequence[str]:
    """Think, in tokens, what a reasoning model would think before its answer."""
    language = "Russian" if _HAS_CYRILLIC(last_user_text(prompt)) else "English"
    return tokens_of(f"The user writes in {language}. I should say that I am a sandbox.")


def tokens_of(text: str) -> list[str]:
    """Split a text into words, each with the spaces before it; joined they are the text again."""
    return _WORDS(text)


def last_user_text(prompt: str) -> str:
    """Find what the user said last.

    A prompt whose last line is `Assistant:` (any case) is a conversation of `Role: content`
    lines; its last `User:` part is taken, over several lines if need be. Any other prompt is
    the user's text as it stands.
    """
    if _AWAITS_ASSISTANT(prompt):
        parts = _ROLE.split(prompt)[1:]
        said = [text for role, text in zip(parts[::2], parts[1::2], strict=True) if _is_user(role)]
        if said:
            return said[-1].strip()
    return prompt


def _is_user(role: str) -> bool:
    return role.lower() == "user"


def _text_for(question: str) -> str:
    template = _RUSSIAN if _HAS_CYRILLIC(question) else _ENGLISH
    text = template.format(piece=_piece_of(question))
    return text + _EMOJI if _HAS_EMOJI(question) else text


def _piece_of(question: str) -> str:
    # A lone surrogate can come in through a JSON escape, but no UTF-8 can carry it out.
    sound = question.encode("utf-8", "replace").decode("utf-8")
    flat = _BLANKS.sub(" ", sound).strip(" ")
    if len(flat) <= _PIECE:
        return flat
    head, space, _ = flat[: _PIECE + 1].rpartition(" ")
    return f"{head if space else flat[:_PIECE]} …"
