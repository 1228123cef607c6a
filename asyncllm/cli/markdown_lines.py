"""Pieces of Markdown as the lines of a terminal."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, ClassVar

from markdown_it.token import Token
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.markdown import CodeBlock, Heading, HorizontalRule, ListItem, Markdown, TableElement
from rich.rule import Rule
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.theme import Theme
from typing_extensions import override

from asyncllm.cli.markdown import Block, parser
from asyncllm.cli.text import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import ConsoleOptions, RenderableType, RenderResult
    from rich.markdown import MarkdownElement

    from asyncllm.cli.markdown import Code, Piece

_CODE_THEME = "ansi_dark"  # the terminal's own colours, whatever they are
_COLOURS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
}
_RULE_WIDTH = 40
_STYLES = {
    "markdown.h1": "bold underline",
    "markdown.h2": "bold",
    "markdown.h3": "bold italic",
    "markdown.code": "bold cyan",
    "markdown.item.bullet": "cyan",
    "markdown.item.number": "cyan",
    "markdown.hr": "dim",
    "markdown.block_quote": "dim",
}


class Painter:
    """Turns pieces of Markdown into lines, with the escape sequences of their colours.

    There are no other escape sequences in them: those of the text itself are shown.

    Args:
        width: of a line, in columns; lines of code may be longer.
        has_colours: whether the terminal shows colours.

    """

    def __init__(self, width: int, *, has_colours: bool = True) -> None:
        self._console = Console(
            file=StringIO(),
            width=max(width, 8),
            force_terminal=True,
            color_system="auto" if has_colours else None,
            no_color=not has_colours,
            legacy_windows=False,
            theme=Theme(_STYLES),
            highlight=False,
            markup=False,
            emoji=False,
        )

    @property
    def width(self) -> int:
        """How many columns a line has."""
        return self._console.width

    def lines(self, pieces: Sequence[Piece]) -> list[str]:
        """Return the lines of some pieces.

        Args:
            pieces: what follows on one another, of a text in which `shown` has replaced whatever
                a terminal would obey.

        """
        found: list[str] = []
        for piece in pieces:
            found += [""] * piece.is_apart
            found += self._block(piece) if isinstance(piece, Block) else self._code(piece)
        return found

    def plain_lines(self, text: str, style: str = "") -> list[str]:
        """Return the lines of a text that is no Markdown.

        Args:
            text: anything.
            style: such as "dim".

        """
        return self._painted(Text(shown(text), style=style))

    def one_line(self, text: str, style: str = "") -> str:
        """Return a text as one line that is no longer than there is room for.

        Args:
            text: anything; the end of it is what is seen where it is too long.
            style: such as "dim".

        """
        line = " ".join(shown(text).split())
        if cell_len(line) > self.width:
            line = line[-self.width :]
            while cell_len(line) >= self.width:
                line = line[1:]
            line = "…" + line
        return self._painted(Text(line, style=style, no_wrap=True))[0]

    def _block(self, block: Block) -> list[str]:
        lines = self._painted(_Terminal(block.text, block.number))
        while lines and not lines[0]:
            del lines[0]
        return lines

    def _code(self, code: Code) -> list[str]:
        above = code.above.count("\n") + 1 if code.above else 0
        text = _highlighted(f"{code.above}\n{code.text}" if above else code.text, code.language)
        lines = text.split("\n", allow_blank=True)[above : above + code.text.count("\n") + 1]
        found: list[str] = []
        if code.opens:
            title = f"─── {code.language} " if code.language else ""
            found.append(self._rule(title))
        for line in lines:
            line.expand_tabs(4)
            found.append(self._painted_line(line.render(self._console)))
        if not code.text and code.opens:
            del found[1:]
        return [*found, self._rule("")] if code.closes else found

    def _rule(self, title: str) -> str:
        line = title.ljust(min(_RULE_WIDTH, self.width), "─")[: self.width]
        return self._painted_line([Segment(line, Style(dim=True))])

    def _painted(self, what: RenderableType) -> list[str]:
        options = self._console.options.update(width=self.width, height=None)
        rows = self._console.render_lines(what, options, pad=False)
        lines = [self._painted_line(row) for row in rows]
        while len(lines) > 1 and not lines[-1]:
            del lines[-1]
        return lines

    def _painted_line(self, segments: Iterable[Segment]) -> str:
        # What a text may yet have that a terminal obeys, as Markdown can write a carriage return
        # as `&#13;`, is shown here: nothing but a style comes out as an escape sequence.
        said = [each for each in segments if not each.control]
        while said and not said[-1].text.strip():
            del said[-1]
        if said:
            said[-1] = Segment(said[-1].text.rstrip(), said[-1].style)
        return "".join(
            self._styled(shown(each.text), each.style) for each in Segment.simplify(said)
        )

    def _styled(self, text: str, style: Style | None) -> str:
        if style is None:
            return text
        colours = _COLOURS.get(self._console.color_system or "")
        style = style.update_link(None)
        if colours is None:
            return style.without_color.render(text, color_system=ColorSystem.STANDARD)
        return style.render(text, color_system=colours)


def _highlighted(code: str, language: str) -> Text:
    syntax = Syntax(code, language or "text", theme=_CODE_THEME, background_color="default")
    text = syntax.highlight(code)
    text.no_wrap = True
    return text


class _LeftHeading(Heading):
    """A heading where a reader looks for it."""

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _CodeInside(CodeBlock):
    """A block of code in a list or a quotation."""

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = _highlighted(str(self.text).rstrip("\n"), self.lexer_name)
        text.no_wrap = False
        yield text


class _Item(ListItem):
    """An item whose number has a dot, as its author wrote it."""

    @override
    def render_number(
        self, console: Console, options: ConsoleOptions, number: int, last_number: int
    ) -> RenderResult:
        width = len(str(last_number - 1)) + 2
        style = console.get_style("markdown.item.number", default="none")
        inside = options.update(width=max(options.max_width - width, 1))
        first = f"{number}. ".rjust(width)
        for line in console.render_lines(self.elements, inside, style=self.style):
            yield Segment(first, style)
            yield from line
            yield Segment.line()
            first = " " * width


class _ShortRule(HorizontalRule):
    """A line from one side to the other."""

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Rule(style=console.get_style("markdown.hr", default="dim"))


class _WholeTable(TableElement):
    """A table of whose words nothing is cut off."""

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                for column in table.columns:
                    column.overflow = "fold"
            yield table


class _Terminal(Markdown):
    """A block of Markdown as a terminal shows it, with the addresses of its links and images.

    Args:
        text: the block.
        number: of its first item, where it is a numbered list.

    """

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _LeftHeading,
        "fence": _CodeInside,
        "code_block": _CodeInside,
        "hr": _ShortRule,
        "list_item_open": _Item,
        "table_open": _WholeTable,
    }

    def __init__(self, text: str, number: int | None) -> None:
        super().__init__("", code_theme=_CODE_THEME, hyperlinks=False)
        self.parsed = parser().parse(text)
        for token in self.parsed:
            if token.type == "ordered_list_open" and token.level == 0 and number is not None:
                token.attrs["start"] = number
            if token.children is not None:
                token.children = _readable(token.children)


def _readable(tokens: Sequence[Token]) -> list[Token]:
    """Return what is in a paragraph, with line breaks where its author made them, and addresses."""
    found: list[Token] = []
    links: list[tuple[str, int]] = []
    for token in tokens:
        if token.type == "softbreak":
            found.append(Token("hardbreak", "br", 0))
        elif token.type == "image":
            address = parser().normalizeLinkText(str(token.attrs.get("src", "")))
            found.append(_text(f"{token.content} ({address})" if token.content else address))
        elif token.type == "link_open":
            links.append((parser().normalizeLinkText(str(token.attrs["href"])), len(found)))
        elif token.type == "link_close":
            address, start = links.pop()
            text = "".join(each.content for each in found[start:])
            is_same = address in {text, f"mailto:{text}"}
            found += [] if is_same or not address else [_text(f" ({address})")]
        else:
            found.append(token)
    return found


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
