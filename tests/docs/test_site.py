"""The site: it builds without a warning, and every link in it leads somewhere."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

for name in ("sphinx", "myst_parser", "furo", "sphinx_copybutton"):
    pytest.importorskip(name, reason="the site is built with the extra `docs`, as `.ci/run` does")

NOT_FILES = {"https", "http", "mailto", "data"}


class Links(HTMLParser):
    """The links and the anchors of one page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors.add(found.get("id"))
        self.links += [found[name] for name in ("href", "src") if found.get(name)]


@pytest.fixture(scope="module")
def pages(site):
    return {
        path.relative_to(site).as_posix(): Links(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
    }


def test_every_internal_link_and_anchor_resolves(site, pages):
    lost = []
    for name, page in pages.items():
        for link in page.links:
            target = urlsplit(link)
            if target.scheme in NOT_FILES:
                continue
            path = (site / name).parent / unquote(target.path) if target.path else site / name
            there = path.resolve().relative_to(site).as_posix()
            is_lost = not path.is_file() or (
                there in pages and unquote(target.fragment) not in pages[there].anchors
            )
            lost += [f"{name}: {link}"] if is_lost else []
    assert lost == []


def test_nothing_is_loaded_from_elsewhere(pages):
    for name, page in pages.items():
        loaded = [
            link for link in page.links if re.search(r"^(https?:)?//.*\.(js|css|woff2?)\b", link)
        ]
        assert loaded == [], name


def test_every_page_says_its_diagram_in_words_too(site):
    for name in ("quick-start", "streaming", "architecture", "performance"):
        html = (site / f"{name}.html").read_text(encoding="utf-8")
        assert re.search(r'<svg[^>]* role="img" aria-label="[^"]{20,}"', html)
