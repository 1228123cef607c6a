"""Prints the release notes of a version from CHANGELOG.md: `python scripts/release_notes.py 0.1.0`.

Without a version it is that of the package; `Unreleased` shows what the next release will say. What
is printed stands by itself: its headings begin at the second level, each paragraph is one line, as
release pages break lines where the text does, and its links are whole. A link to a file leads to
that file as it is in the release, in the repository that `[project.urls]` of pyproject.toml names.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SECTION = re.compile(
    r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE
)
_DEFINITION = re.compile(r"^\[([^\]]+)\]: +(\S+)\n?", re.MULTILINE)
# `code` comes first, so that what stands in it is no link.
_LINK = re.compile(
    r"(?P<code>(`+)(?!`).+?(?<!`)\2(?!`))|\]\((?P<inline>[^)\s]+)\)|\]\[(?P<name>[^\]]+)\]",
    re.DOTALL,
)
_FENCE = re.compile(r"^ *```")
_BEGINS = re.compile(r"^ *([-*+]|\d+\.|#+|\||>) ")


class NotesError(Exception):
    """The notes can't be made; its text says what to do."""


def notes(changelog: str, version: str, repository: str | None = None) -> str:
    """Return the notes of a version as Markdown.

    Args:
        changelog: the text of CHANGELOG.md.
        version: such as `0.1.0`, or `Unreleased`.
        repository: where the files are that links lead to, such as `https://example.org/asyncllm`.

    Raises:
        NotesError: there is no such version, it has no date or nothing to say, or a link leads to
            a file and no repository is known.

    """
    sections = list(_SECTION.finditer(changelog))
    found = next((n for n, each in enumerate(sections) if each["version"] == version), None)
    if found is None:
        known = ", ".join(each["version"] for each in sections)
        raise NotesError(f"CHANGELOG.md has no version {version}; it has {known}")
    if version != "Unreleased" and not sections[found]["date"]:
        raise NotesError(f"give {version} its date in CHANGELOG.md: ## [{version}] - 2026-12-31")
    end = sections[found + 1].start() if found + 1 < len(sections) else len(changelog)
    text = _DEFINITION.sub("", changelog[sections[found].end() : end]).strip()
    if not text:
        raise NotesError(f"CHANGELOG.md says nothing of {version}: write down what has changed")
    revision = "main" if version == "Unreleased" else f"v{version}"
    files = repository and f"{repository.rstrip('/')}/blob/{revision}/"
    definitions = dict(_DEFINITION.findall(changelog))
    return _on_single_lines(_with_whole_links(text, definitions, files)) + "\n"


def _with_whole_links(text: str, definitions: dict[str, str], files: str | None) -> str:
    def whole(link: re.Match[str]) -> str:
        if link["code"]:
            return link[0]
        target = link["inline"] or definitions.get(link["name"])
        if target is None:
            raise NotesError(f"CHANGELOG.md does not say where [{link['name']}] leads")
        if not re.match(r"\w+:", target):
            if not files:
                raise NotesError(
                    f"a link leads to {target}: name the repository in pyproject.toml, as\n"
                    '[project.urls]\nRepository = "https://…"'
                )
            target = files + ("CHANGELOG.md" if target.startswith("#") else "") + target
        return f"]({target})"

    return _LINK.sub(whole, text)


def _on_single_lines(text: str) -> str:
    """Join the lines of each paragraph and point, and lift headings by one level."""
    lines: list[str] = []
    is_code = can_go_on = False
    for line in text.splitlines():
        is_fence = bool(_FENCE.match(line))
        if is_code or is_fence or not line.strip():
            lines.append(line)
        elif can_go_on and not _BEGINS.match(line):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line.removeprefix("#") if line.startswith("##") else line)
        is_code ^= is_fence
        can_go_on = bool(line.strip()) and not (is_code or is_fence or line.startswith("#"))
    return "\n".join(lines)


def _version() -> str:
    source = (ROOT / "asyncllm/__init__.py").read_text("utf-8")
    return re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)[1]  # type: ignore[index]


def main() -> None:
    """Print the notes, or what is wrong."""
    parser = argparse.ArgumentParser(description="Print the release notes of a version.")
    parser.add_argument("version", nargs="?", default=_version(), help="default: %(default)s")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    repository = project.get("urls", {}).get("Repository")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    try:
        text = notes(changelog, parser.parse_args().version, repository)
    except NotesError as error:
        sys.exit(f"release_notes: {error}")
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr] # also where it is piped
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
