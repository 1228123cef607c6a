"""The language of what users read: the few rules of plain English that a program can check."""

import inspect
import re

import pytest
from page_runner import FENCE, ROOT

import asyncllm

DOCS = ROOT / "docs"
# For maintainers and authors of providers, who need the word "wire"; a glossary explains it.
WITH_OUR_WORDS = {"architecture.md", "write-a-provider.md", "glossary.md"}
PAGES = sorted(DOCS.rglob("*.md"))
FOR_USERS = [path for path in PAGES if path.name not in WITH_OUR_WORDS]
FOR_AUTHORS = {"JSONTranslator", "Translator", "ServerProvider", "ConversationServer", "Begun"}

# Made by scripts, code, or the target of a link.
NOT_PROSE = re.compile(r"<!--.*?<!-- end -->|`[^`\n]*`|\]\([^)]*\)", re.DOTALL)
# Words and phrases of a translation, and what to write instead.
INSTEAD = {
    r"wires?": "API, or format",
    r"amid": "during, or in the middle of",
    r"anew": "again",
    r"befalls?": "affects",
    r"whom": "which provider, who",
    r"gone quiet": "no longer responds",
    r"tried again and again": "retried",
    r"(?:is|are) refused where": "you get an error if",
    r"to be had": "available",
}


def found_in(text):
    words = re.compile(rf"\b(?:{'|'.join(INSTEAD)})\b", re.IGNORECASE)
    return sorted({match[0].lower() for match in words.finditer(text)})


def prose(path):
    return NOT_PROSE.sub("", FENCE.sub("", path.read_text("utf-8")))


@pytest.mark.parametrize("path", FOR_USERS, ids=lambda path: path.name)
def test_a_page_for_users_has_no_word_of_a_translation(path):
    assert found_in(prose(path)) == [], INSTEAD


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_heading_is_a_task_or_a_name_and_neither_a_question_nor_a_gerund(path):
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text("utf-8")), re.MULTILINE)
    assert headings
    assert [each for each in headings if each.endswith("?") or re.match(r"\w+ing\b", each)] == []


@pytest.mark.parametrize("name", sorted({*asyncllm.__all__} - FOR_AUTHORS))
def test_a_docstring_for_users_has_no_word_of_a_translation(name):
    found = getattr(asyncllm, name)
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return
    members = [each for key, each in vars(found).items() if not key.startswith("_")]
    texts = [inspect.getdoc(each) or "" for each in (found, *members) if callable(each)]
    text = re.sub(r"`[^`\n]*`|^ +wire:", "", "\n".join(texts), flags=re.MULTILINE)
    assert found_in(text) == [], INSTEAD


def test_the_words_are_found_where_they_are():
    assert found_in("It speaks the wire, and was made anew.") == ["anew", "wire"]
    assert found_in("A rewired server; renewed.") == []
