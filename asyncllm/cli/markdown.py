"""What of a Markdown text that is still coming may be printed for good, and what may yet change."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec
from markdown_it import MarkdownIt
from markdown_it.rules_block import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

CODE_LINES = 16  # of a block of code are printed at once
_CONTEXT_LINES = 512  # of a block of code that the highlighting of its next lines may look back to

# A line that begins so is a paragraph or an item, however it goes on: no rule, fence or heading.
_BEGINS = re.compile(r"(?:(?:[-*+]|\d{1,9}[.)]) +)?(?:\*\*)?[^\W\d_]")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


class Block(msgspec.Struct, frozen=True):
    """A block of a text, or an item of a list that is one.

    Attributes:
        text: its Markdown.
        is_apart: whether there is an empty line between it and what is above it.
        number: of the item, where it is one of a numbered list.

    """

    text: str
    is_apart: bool = False
    number: int | None = None


class Code(msgspec.Struct, frozen=True):
    """Some lines of a fenced block of code.

    Attributes:
        text: the lines.
        language: what its first line says it is in; "" where it does not.
        above: the lines before them, to highlight these as their continuation.
        is_apart: whether there is an empty line between it and what is above it.
        opens: whether the block begins with them.
        closes: whether it ends with them.

    """

    text: str
    language: str = ""
    above: str = ""
    is_apart: bool = False
    opens: bool = True
    closes: bool = True


Piece: TypeAlias = Block | Code


@functools.cache
def parser() -> MarkdownIt:
    """Return what reads Markdown, by rules with which what has ended stays what it is.

    So there are no link definitions, which give a meaning to a text above them. And there is no
    HTML: a terminal shows none, and what a reader would not see would be lost. A table is looked
    for last: a fence or an item of a list can't become the head of one when its next line comes.
    """
    rules = MarkdownIt("commonmark").enable("strikethrough")
    rules.disable(["reference", "html_block", "html_inline"])
    rules.block.ruler.after("heading", "table_at_last", table, {"alt": ["paragraph"]})
    return rules


class _Unit(NamedTuple):
    """A part of a text that stays as it is once another has begun behind it."""

    start: int  # its first line
    is_fence: bool
    is_next_item: bool  # an item of the list that the part before it is of
    number: int | None


class _Fence(NamedTuple):
    """A fenced block of code that has not ended."""

    indent: int
    end: re.Pattern[str]
    language: str


class Planner:
    """Cuts a text into pieces, each as soon as nothing that may follow can change it.

    A piece is a block, an item of a list, or some lines of a block of code. They are the same
    however the text comes; joined, they are the text. It knows neither a terminal nor a clock.
    """

    def __init__(self) -> None:
        self._partial = ""  # the last line, which has no end yet
        self._is_looked_at = False  # whether what is above it has been looked at for its sake
        self._lines: list[str] = []  # whole lines that are no piece yet
        self._unread = 0  # how many of them came since they were read as Markdown
        self._fence: _Fence | None = None
        self._above: list[str] = []  # lines of the fenced block that are pieces already
        self._opens = True
        self._has_any = False
        self._joins = False  # the next piece is a list's next item, right below the one before
        self._number: int | None = None  # of the item that is next

    def feed(self, text: str) -> list[Piece]:
        """Take what has come, and return the pieces that have ended with it.

        Args:
            text: what follows on what came before.

        """
        pieces: list[Piece] = []
        if "\n" in text:
            *lines, text = (self._partial + text).split("\n")
            self._partial, self._is_looked_at = "", False
            for line in lines:
                self._take(line, pieces)
        self._partial += text
        if self._lines and not self._is_looked_at and _BEGINS.match(self._partial):
            self._is_looked_at = True
            if self._fence is None:
                self._cut(pieces, [self._partial])
        return pieces

    def close(self) -> list[Piece]:
        """Return the last pieces: nothing follows."""
        pieces: list[Piece] = []
        if self._partial:
            self._take(self._partial, pieces)
            self._partial = ""
        self._cut(pieces)
        if self._fence is not None:
            self._end_code(pieces)
        elif self._lines:
            pieces.append(self._block(self._lines))
            self._lines = []
        return pieces

    def tail(self) -> list[Piece]:
        """Return what `close` would, had the text ended here; the text may go on all the same."""
        ended = Planner()
        ended.__dict__.update(self.__dict__, _lines=[*self._lines], _above=[*self._above])
        return ended.close()

    def _take(self, line: str, pieces: list[Piece]) -> None:
        if self._fence is not None:
            self._take_code(self._fence, line, pieces)
        elif self._lines or not _is_blank(line):
            self._lines.append(line)
            self._unread += 1
            # A long block is read less often, so that it takes no time that grows by its square.
            if self._unread > len(self._lines) // 16:
                self._cut(pieces)
        else:
            self._joins = False

    def _take_code(self, fence: _Fence, line: str, pieces: list[Piece]) -> None:
        if fence.end.fullmatch(line):
            self._end_code(pieces)
            return
        self._lines.append(_without_indent(line, fence.indent))
        if len(self._lines) > CODE_LINES:  # one more, so that the last piece is never empty
            self._put_code(self._lines[:CODE_LINES], pieces, closes=False)
            del self._lines[:CODE_LINES]

    def _cut(self, pieces: list[Piece], begun: Sequence[str] = ()) -> None:
        """Take all parts but the last off the lines; of a block of code what is whole of it.

        Args:
            pieces: to add them to.
            begun: the line that has no end yet, where it is known how it would be read.

        """
        while self._lines and self._fence is None:
            units = _units([*self._lines, *begun])
            self._unread = 0
            if units and units[0].is_fence:
                self._begin_code(pieces)
            elif len(units) > 1:
                lines, self._lines = self._lines[: units[1].start], self._lines[units[1].start :]
                pieces.append(self._block(lines, units[0].number))
                self._joins = units[1].is_next_item and not _is_blank(lines[-1])
                number = pieces[-1].number if isinstance(pieces[-1], Block) else None
                is_numbered = units[1].is_next_item and number is not None
                self._number = (number or 0) + 1 if is_numbered else None
            else:
                return

    def _block(self, lines: Sequence[str], number: int | None = None) -> Block:
        if number is None and (units := _units(lines)):
            number = units[0].number
        text = "\n".join(lines).rstrip("\n")
        block = Block(text, self._is_apart(), number if self._number is None else self._number)
        self._number = None
        return block

    def _begin_code(self, pieces: list[Piece]) -> None:
        first, *rest = self._lines
        found = _FENCE.match(first)
        marks, info = (found[1], found[2]) if found else ("```", "")
        end = re.compile(rf" {{0,3}}{marks[0]}{{{len(marks)},}}[ \t]*")
        language = (info.split() or [""])[0]
        self._fence = _Fence(len(first) - len(first.lstrip(" ")), end, language)
        self._lines, self._above, self._opens = [], [], True
        for line in rest:
            self._take(line, pieces)

    def _end_code(self, pieces: list[Piece]) -> None:
        self._put_code(self._lines, pieces, closes=True)
        self._lines, self._above, self._fence, self._unread = [], [], None, 0

    def _put_code(self, lines: list[str], pieces: list[Piece], *, closes: bool) -> None:
        language = self._fence.language if self._fence else ""
        is_apart = self._is_apart() if self._opens else False
        text, above = "\n".join(lines), "\n".join(self._above)
        pieces.append(Code(text, language, above, is_apart, self._opens, closes))
        self._opens = False
        self._above = [*self._above, *lines][-_CONTEXT_LINES:]

    def _is_apart(self) -> bool:
        is_apart = self._has_any and not self._joins
        self._has_any, self._joins = True, False
        return is_apart


def _units(lines: Sequence[str]) -> list[_Unit]:
    """Return the parts of some lines: their blocks, and of lists their items."""
    tokens: list[Token] = []
    parser().block.parse("\n".join(lines).replace("\0", "�"), parser(), {}, tokens)
    units: list[_Unit] = []
    items, number = 0, None
    for token in tokens:
        if token.map is None or token.nesting < 0:
            continue
        if token.type in {"bullet_list_open", "ordered_list_open"} and token.level == 0:
            items = 0
            number = int(token.attrs.get("start", 1)) if token.type[0] == "o" else None
        elif token.type == "list_item_open" and token.level == 1:
            this = None if number is None else number + items
            units.append(_Unit(token.map[0], is_fence=False, is_next_item=items > 0, number=this))
            items += 1
        elif token.level == 0:
            is_fence = token.type == "fence"
            units.append(_Unit(token.map[0], is_fence, is_next_item=False, number=None))
    return units


def _without_indent(line: str, columns: int) -> str:
    """Return a line without what it is indented by, or that many columns of it."""
    column = at = 0
    while column < columns and line[at : at + 1] in {" ", "\t"}:
        column += 1 if line[at] == " " else 4 - column % 4
        at += 1
    return " " * max(0, column - columns) + line[at:]


def _is_blank(line: str) -> bool:
    return not line.strip(" \t")
