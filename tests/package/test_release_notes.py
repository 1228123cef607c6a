"""Release notes: a version's part of the changelog, fit to stand by itself."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/release_notes.py"
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
FOUND = runpy.run_path(str(SCRIPT))
notes, NotesError = FOUND["notes"], FOUND["NotesError"]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Dependencies"}

EXAMPLE = """\
# Changelog

The format is [Keep a Changelog](https://keepachangelog.com/).

## [Unreleased]

## [0.2.0] - 2026-12-01

Read [the guide][guide] before
you upgrade.

### Added

- A thing that needs
  two lines, with [its page](docs/cli.md#asyncllm-ask).
  - One inside it,
    also on two.
- `items[0](x)`, which is no link, and [older ones](#010---2026-11-01).

```python
kept = 1

also = 2
```

### Fixed

1. The first
   of two.
2. [Another](https://example.org/2).

## [0.1.0] - 2026-11-01

- The first.

## [0.0.1]

- Without a date.

[guide]: docs/migrating.md
[0.2.0]: https://example.org/compare
"""

EXPECTED = """\
Read [the guide](https://example.org/sdk/blob/v0.2.0/docs/migrating.md) before you upgrade.

## Added

- A thing that needs two lines, with [its page](https://example.org/sdk/blob/v0.2.0/docs/cli.md#asyncllm-ask).
  - One inside it, also on two.
- `items[0](x)`, which is no link, and [older ones](https://example.org/sdk/blob/v0.2.0/CHANGELOG.md#010---2026-11-01).

```python
kept = 1

also = 2
```

## Fixed

1. The first of two.
2. [Another](https://example.org/2).
"""


def test_a_versions_notes_stand_by_themselves():
    assert notes(EXAMPLE, "0.2.0", "https://example.org/sdk/") == EXPECTED


def test_the_notes_of_the_last_version_end_where_the_definitions_of_links_begin():
    assert notes(EXAMPLE, "0.1.0") == "- The first.\n"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("0.3.0", "CHANGELOG.md has no version 0.3.0; it has Unreleased, 0.2.0, 0.1.0, 0.0.1"),
        ("Unreleased", "CHANGELOG.md says nothing of Unreleased"),
        ("0.0.1", "give 0.0.1 its date in CHANGELOG.md: ## [0.0.1] - "),
        ("0.2.0", "a link leads to docs/migrating.md: name the repository in pyproject.toml"),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(version, said):
    with pytest.raises(NotesError, match=re.escape(said)):
        notes(EXAMPLE, version)


def test_a_link_that_leads_nowhere_is_refused():
    with pytest.raises(NotesError, match=r"does not say where \[lost\] leads"):
        notes("## [0.1.0] - 2026-11-01\n\n- See [it][lost].\n", "0.1.0")


def run(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_script_prints_what_the_newest_entries_say():
    version, text = next(
        found
        for found in re.findall(
            r"^## \[(.+?)\].*?\n(.*?)(?=^## |\Z)", CHANGELOG, re.MULTILINE | re.DOTALL
        )
        if found[1].strip()
    )
    done = run(version)
    assert (done.returncode, done.stderr) == (0, "")
    for sign in ("- ", "#"):
        lines = [line for line in done.stdout.splitlines() if line.startswith(sign)]
        assert len(lines) == len([line for line in text.splitlines() if line.startswith(sign)]) > 0


def test_the_script_says_in_a_line_what_it_does_not_find():
    done = run("99.0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("release_notes: CHANGELOG.md has no version 99.0; it has ")
    assert done.stderr.count("\n") == 1


def test_the_changelog_has_the_parts_that_its_format_knows():
    parts = re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]
    assert parts[0].startswith("[Unreleased]\n")
    for part in parts:
        kinds = re.findall(r"^### (.+)$", part, re.MULTILINE)
        assert set(kinds) <= KINDS
        assert len(kinds) == len(set(kinds)), "a kind of change is listed twice"
    for part in parts[1:]:
        assert re.match(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d\n", part)
