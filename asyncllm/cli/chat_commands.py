"""What may be typed in a chat: questions, commands, and how several lines become one question."""

from __future__ import annotations

import difflib
import re
from types import MappingProxyType
from typing import NamedTuple, TypeAlias


class Usage(NamedTuple):
    """How a command is written, and what it does."""

    argument: str
    meaning: str


COMMANDS = MappingProxyType(
    {
        "help": Usage("", "show this list"),
        "model": Usage("[NAME]", "have another model answer; alone: list the models"),
        "system": Usage("[TEXT]", "set the system message (- for none); alone: show it"),
        "param": Usage("[NAME=VALUE]", "set a parameter (NAME= for none); alone: show them"),
        "attach": Usage("FILE|URL", "send a file with the next question"),
        "retry": Usage("", "ask the last question again"),
        "undo": Usage("", "take the last question back, and edit it"),
        "new": Usage("", "begin a new conversation"),
        "save": Usage("FILE", "save the chat as Markdown (.md) or JSON (.json)"),
        "copy": Usage("", "copy the last answer to the clipboard"),
        "reasoning": Usage("", "show the reasoning of the last answer"),
        "quit": Usage("", "leave, as Ctrl-D does"),
    }
)

OTHER_NAMES = MappingProxyType(
    {"?": "help", "h": "help", "models": "model", "params": "param", "set": "param", "q": "quit"}
    | {"exit": "quit", "bye": "quit", "clear": "new", "reset": "new", "regenerate": "retry"}
)

HELP = "\n".join(
    [
        *(f"/{name} {how.argument}".ljust(22) + how.meaning for name, how in COMMANDS.items()),
        "",
        "Enter sends. Alt-Enter (or Esc, then Enter) begins a new line; so does Enter",
        'after a \\, and between two """. Ctrl-C stops an answer. Ctrl-R searches what',
        "you typed before. A question that begins with a slash: write two.",
    ]
)

_COMMAND = re.compile(r"/([A-Za-z?]*)(?:\s+(.*))?", re.DOTALL)
_LEAVING = {"exit", "quit"}
_BLOCK = '"""'


class Command(NamedTuple):
    """A command, by the name that it has in `COMMANDS`."""

    name: str
    argument: str


class Question(NamedTuple):
    """What is to be asked."""

    text: str


class Mistake(NamedTuple):
    """What is wrong with what was typed."""

    text: str


Typed: TypeAlias = Command | Question | Mistake


def read_typed(text: str) -> Typed | None:
    """Return what was typed; None where that is nothing.

    Args:
        text: all of its lines.

    """
    line = text.strip()
    if line in _LEAVING:
        return Command("quit", "")
    if line.startswith("//"):
        return Question(line[1:])
    found = _COMMAND.fullmatch(line)
    if found is None:  # a path, such as /etc/hosts, is no command
        return Question(_unwrapped(text)) if line else None
    name = found[1].lower()
    name = OTHER_NAMES.get(name, name)
    if name in COMMANDS:
        argument = (found[2] or "").strip()
        return Command(name, argument[3:-3].strip() if _is_block(argument) else argument)
    near = difflib.get_close_matches(name, [*COMMANDS, *OTHER_NAMES], n=1)
    advice = f"did you mean /{near[0]}?" if near else "/help lists them."
    return Mistake(
        f"There is no command /{found[1]}: {advice} To ask it as it is, write //{found[1]}"
    )


def goes_on(text: str) -> bool:
    r"""Tell whether Enter begins another line of what was typed: after a `\`, or in a \"\"\" block.

    Args:
        text: what was typed so far.

    """
    begun = text.lstrip()
    found = _COMMAND.fullmatch(begun)
    if found is not None and found[2]:
        begun = found[2]
    return text.endswith("\\") or (begun.startswith(_BLOCK) and _BLOCK not in begun[3:])


def unquoted(path: str) -> str:
    r"""Return a path as a shell would take it: without quotes, and with `\ ` for a space.

    Args:
        path: as it was typed, or dropped onto the terminal.

    """
    if len(path) > 2 and path[0] in "'\"" and path[0] == path[-1]:  # noqa: PLR2004
        return path[1:-1]
    return path.replace("\\ ", " ")


def joined(lines: list[str]) -> str:
    r"""Return what some lines are together, without the `\` that said that there would be more.

    Args:
        lines: of which each but the last goes on.

    """
    return "\n".join([*(line.removesuffix("\\") for line in lines[:-1]), *lines[-1:]])


def _unwrapped(text: str) -> str:
    """Return a text without the marks of a block."""
    line = text.strip()
    return line[3:-3].strip("\n") if _is_block(line) else text.strip("\n")


def _is_block(text: str) -> bool:
    return text.startswith(_BLOCK) and text.endswith(_BLOCK) and text.count(_BLOCK) == 2  # noqa: PLR2004
