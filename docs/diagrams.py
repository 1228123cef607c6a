# ruff: noqa: INP001 - it stands beside the pages, and is no package
"""Draws the diagrams of these pages: `python docs/diagrams.py` writes them to docs/diagrams.

On the site a diagram stands in the page and takes its colours from the page's theme. Seen by
itself, as in a repository's viewer, it follows the reader's own preference.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).with_name("diagrams")
_ROOT = Path(__file__).parent.parent

_STYLE = """
.asyncllm-diagram { --ink: #24292f; --soft: #57606a; --line: #8c959f; --box: #f3f5f7;
  --mark: #0a5fb4; --page: #fff; background: var(--color-background-primary, var(--page));
  font-family: system-ui, sans-serif; font-size: 14px }
@media (prefers-color-scheme: dark) {
  .asyncllm-diagram { --ink: #e6edf3; --soft: #9da7b3; --line: #6e7681; --box: #21262d;
    --mark: #6cb6ff; --page: #0d1117 }
}
.asyncllm-diagram text { fill: var(--color-foreground-primary, var(--ink)) }
.asyncllm-diagram .soft { fill: var(--color-foreground-secondary, var(--soft)); font-size: 12px }
.asyncllm-diagram .code { font-family: ui-monospace, monospace; font-size: 12.5px }
.asyncllm-diagram .strong { font-weight: 600 }
.asyncllm-diagram rect { fill: var(--color-background-secondary, var(--box));
  stroke: var(--color-foreground-border, var(--line)) }
.asyncllm-diagram .room { fill: none; stroke-dasharray: 5 4 }
.asyncllm-diagram line { stroke: var(--color-foreground-border, var(--line)) }
.asyncllm-diagram .arrow { stroke: var(--color-brand-content, var(--mark)); stroke-width: 1.5 }
.asyncllm-diagram .dashed { stroke-dasharray: 6 4 }
.asyncllm-diagram .head { fill: var(--color-brand-content, var(--mark)) }
"""


@dataclass
class Drawing:
    """An SVG picture in the making; all lengths are in its own units, about pixels."""

    title: str
    width: int
    height: int
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> None:
        """Write `text` with its base line at `y`."""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, *lines: str) -> None:
        """Draw a box; the first of `lines` is its name, and the others say what it is."""
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width}" height="{height}" rx="6"/>')
        top = y + height / 2 - 8.5 * (len(lines) - 1) + 5
        for number, line in enumerate(lines):
            self.text(x + width / 2, top + 17 * number, line, "soft" if number else "strong")

    def room(self, x: float, y: float, width: float, height: float, name: str) -> None:
        """Draw a dashed frame around other things."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width}" height="{height}" rx="8" class="room"/>'
        )
        self.text(x + 12, y + 21, name, "strong", "start")

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """Draw a thin line."""
        self.parts.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>')

    def arrow(self, x1: float, y1: float, x2: float, y2: float, *, dashed: bool = False) -> None:
        """Draw an arrow, level or upright."""
        kind = "arrow dashed" if dashed else "arrow"
        self.parts.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"/>')
        along = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
        back = x2 - 9 * along[0], y2 - 9 * along[1]
        side = 4.5 * along[1], 4.5 * along[0]
        corners = [(x2, y2), (back[0] + side[0], back[1] + side[1])]
        corners += [(back[0] - side[0], back[1] - side[1])]
        points = " ".join(f"{x:g},{y:g}" for x, y in corners)
        self.parts.append(f'<polygon points="{points}" class="head"/>')

    def svg(self) -> str:
        """Return the file's text."""
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}"'
        said = f'role="img" aria-label="{escape(self.title)}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" class="asyncllm-diagram" {size} {said}>'
        return "\n".join([head, f"<style>{_STYLE}</style>", *self.parts, "</svg>\n"])


_CALLER, _SDK, _SERVER = 90, 335, 620


def one_stream() -> Drawing:
    """Draw what goes over the wire while H2o answers."""
    drawing = Drawing(
        "What one stream of H2o sends and receives: settings, conversation, stream, delete",
        720,
        500,
    )
    for x, name in ((_CALLER, "your code"), (_SDK, "asyncllm"), (_SERVER, "chat-ui server")):
        drawing.line(x, 50, x, 490)
        drawing.box(x - 65, 12, 130, 38, name)
    y = 84

    def say(start: int, end: int, text: str, note: str = "", *, dashed: bool = False) -> None:
        nonlocal y
        drawing.arrow(start, y, end, y, dashed=dashed)
        drawing.text((start + end) / 2, y - 7, text, "code")
        if note:
            drawing.text((start + end) / 2, y + 16, note, "soft")
        y += 54 if note else 36

    say(_CALLER, _SDK, "async for token in …")
    say(_SDK, _SERVER, "POST /settings", "accepts the welcome page, once per server")
    say(_SERVER, _SDK, "Set-Cookie: hf-chat=…", "the session", dashed=True)
    say(_SDK, _SERVER, "POST /conversation", "or it takes a spare one")
    say(_SERVER, _SDK, '{"conversationId": "…"}', dashed=True)
    say(_SDK, _SERVER, "POST /conversation/<id>", "the prompt and its parameters")
    y += 6
    drawing.arrow(_SDK, y, _CALLER, y, dashed=True)
    drawing.text((_SDK + _CALLER) / 2, y - 7, "“Hello”, “ there”, …", "code")
    say(_SERVER, _SDK, 'data:{"token":{"text":" there"}}', dashed=True)
    drawing.arrow(_SDK, y, _CALLER, y, dashed=True)
    drawing.text((_SDK + _CALLER) / 2, y - 7, "the loop ends", "soft")
    say(
        _SERVER,
        _SDK,
        'data:{"generated_text":"…"}',
        "the end marker of the answer",
        dashed=True,
    )
    say(_SDK, _SERVER, "DELETE /conversation/<id>", "sent by a task of the session manager")
    return drawing


def who_owns_what() -> Drawing:
    """Draw what holds what, and who closes it."""
    drawing = Drawing(
        "Your code holds a stream; the session manager holds connections and conversations",
        720,
        420,
    )
    drawing.box(20, 30, 170, 70, "your code", "iterates, closes")
    drawing.box(275, 30, 190, 70, "Stream", "one answer, its limits", "and its retries")
    drawing.box(550, 30, 150, 70, "Provider", "which server, which", "model, which API")
    drawing.arrow(190, 65, 275, 65)
    drawing.text(232, 56, "holds", "soft")
    drawing.arrow(550, 65, 465, 65)
    drawing.text(507, 56, "makes", "soft")
    drawing.room(20, 185, 680, 130, "SessionManager: one for the process, or one for each stream")
    drawing.box(45, 220, 195, 76, "connection pool", "HTTP connections,", "cookies, proxies")
    drawing.box(262, 220, 215, 76, "conversations", "spare, in use,", "to be deleted")
    drawing.box(499, 220, 178, 76, "open streams", "ended when", "the manager closes")
    for x, text in ((310, "borrows"), (430, "hands back")):
        drawing.arrow(x, 100, x, 185, dashed=text == "hands back")
        drawing.text(x + 8, 147, text, "soft", "start")
    drawing.arrow(142, 296, 142, 365)
    drawing.text(152, 340, "requests of streams", "soft", "start")
    drawing.arrow(370, 296, 370, 365)
    drawing.text(380, 340, "create, stop, delete: its own tasks", "soft", "start")
    drawing.box(45, 365, 632, 40, "the provider's server")
    return drawing


def walk_of_a_token() -> Drawing:
    """Draw the folders that a token goes through."""
    drawing = Drawing("The walk of a token: http, framing, wires, base, stream, you", 720, 175)
    rooms = [
        ("http", "bytes off", "the socket", "bytes"),
        ("framing", "no I/O,", "bounded", "payloads"),
        ("wires", "one format", "each, no I/O", "items"),
        ("base", "one batch", "for a read", "batches"),
        ("stream", "limits, reply,", "four ends", "tokens"),
        ("you", "iterate,", "close", ""),
    ]
    for number, (name, first, second, gives) in enumerate(rooms):
        x = 6 + 122 * number
        drawing.box(x, 40, 98, 78, name, first, second)
        if gives:
            drawing.arrow(x + 98, 79, x + 122, 79)
            drawing.text(x + 110, 140, gives, "soft")
    drawing.text(360, 24, "a network read at a time, and never back", "soft")
    return drawing


def layers() -> Drawing:
    """Draw the layers of the package, each with what its modules import, as the code says it."""
    rows, imports = _layers_of_the_contract(), _imports_by_folder()
    width, gap, line = 720, 12, 17
    texts = {
        name: wrap("imports " + ", ".join(sorted(imports[name])), 92 // len(row))
        for row in rows
        for name in row
        if imports.get(name)
    }
    heights = [34 + line * max(len(texts.get(name, ())) for name in row) for row in rows]
    drawing = Drawing(
        "The layers of asyncllm: each imports only what is below it",
        width,
        20 + sum(heights) + gap * len(rows),
    )
    y = 10.0
    for row, height in zip(rows, heights, strict=True):
        share = (width - gap * (len(row) + 1)) / len(row)
        for number, name in enumerate(row):
            x = gap + number * (share + gap)
            drawing.box(x, y, round(share), height, name, *texts.get(name, ()))
        y += height + gap
    return drawing


def _layers_of_the_contract() -> list[list[str]]:
    """Return the layers that `lint-imports` holds, the highest first."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    return [layer.split(" | ") for layer in layers]


def _imports_by_folder() -> dict[str, set[str]]:
    """Return what the modules of each folder of the package import of its others when they run."""
    package = _ROOT / "asyncllm"
    folders = {path.stem for path in package.iterdir()}
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        here = path.relative_to(package).with_suffix("").parts[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = (name for node in _that_run(tree) for name in _imported(node))
        there = {name.split(".")[1] for name in names if name.startswith("asyncllm.")}
        found.setdefault(here, set()).update(there & folders - {here})
    return found


def _imported(node: ast.AST) -> list[str]:
    """Return the whole names that a node imports: of modules, or of what stands in them."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            return [f"{node.module}.{alias.name}" for alias in node.names]
        case _:
            return []


def _that_run(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below `node`, but not what is there for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _that_run(child)


DRAWINGS = {
    "layers.svg": layers,
    "one-stream.svg": one_stream,
    "who-owns-what.svg": who_owns_what,
    "walk-of-a-token.svg": walk_of_a_token,
}

if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        (FOLDER / name).write_text(draw().svg(), encoding="utf-8")
