"""The site in a real browser: on a phone and on a screen, in light and in dark."""

import functools
import http.server
import os
import re
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import pytest
from page_runner import ROOT
from site_builder import build_site

REASON = "the site is looked at with the extra `browser`, as `.ci/run` does"
for name in ("sphinx", "myst_parser", "furo", "sphinx_copybutton"):
    pytest.importorskip(name, reason=REASON)
playwright = pytest.importorskip("playwright.sync_api", reason=REASON)
axe = pytest.importorskip("axe_playwright_python", reason=REASON)

pytestmark = pytest.mark.programs

PAGES = sorted(
    path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
    for path in (ROOT / "docs").rglob("*.md")
)
BESIDES = ["genindex.html", "search.html?q=temperature"]
WIDTHS = [390, 1400]
# In the dark only the colours are others.
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE = Path(axe.__file__).with_name("axe.min.js")
DONE = "document.querySelector('.search-summary')?.textContent.includes('found')"
CONSOLE = """\
# A page

```console
$ asyncllm ask "Hello"
This is the asyncllm sandbox speaking.
$ echo done
done
```
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def serving(folder):
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def url(site):
    with serving(site) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with playwright.sync_playwright() as engine:
        try:
            found = engine.chromium.launch(
                executable_path=program, chromium_sandbox=os.geteuid() != 0
            )
        except playwright.Error as error:
            reason = f"there is no Chromium: {error.message.splitlines()[0]}"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
        yield found
        found.close()


@pytest.fixture(scope="module", params=WIDTHS)
def screen(request, browser, url):
    """A tab, and what went wrong in it since it was last asked."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    tab, wrong = context.new_page(), []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    tab.on(
        "response",
        lambda got: wrong.append(f"{got.status} {got.url}") if got.status > 399 else None,
    )
    tab.on(
        "request",
        lambda sent: None if sent.url.startswith((url, "data:")) else wrong.append(sent.url),
    )
    yield SimpleNamespace(tab=tab, wrong=wrong, width=request.param, url=url)
    context.close()


def visit(screen, page):
    screen.wrong.clear()
    screen.tab.goto(f"{screen.url}/{page}", wait_until="load")
    return screen.tab


# What ends beside the screen, and is not in one of the boxes that scroll by themselves.
CUT_OFF = """() => [...document.querySelectorAll('.content *')].filter(it => {
  const box = it.getBoundingClientRect();
  return box.width && box.left < innerWidth && box.right > innerWidth + 1
    && !it.closest('.highlight, .table-wrapper, .diagram, .toc-drawer, .visually-hidden');
}).map(it => it.outerHTML.slice(0, 120))"""


def violations(tab, options):
    if not tab.evaluate("'axe' in window"):
        tab.add_script_tag(path=AXE)
    options = {**options, "resultTypes": ["violations"]}
    found = tab.evaluate("options => axe.run(options)", options)["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("page", [*PAGES, *BESIDES])
def test_a_page_fits_the_screen_and_breaks_no_rule_of_access(screen, page):
    tab = visit(screen, page)
    if "?q=" in page:
        tab.wait_for_selector("#search-results li")
    wide = tab.evaluate("document.documentElement.scrollWidth")
    assert wide <= screen.width, f"it scrolls sideways: {wide} of {screen.width} px"
    assert tab.evaluate(CUT_OFF) == []
    for scheme, options in RULES.items():
        tab.emulate_media(color_scheme=scheme)
        assert violations(tab, options) == [], scheme
    assert screen.wrong == []


def test_code_has_a_button_that_copies_it_and_output_has_none(screen):
    tab = visit(screen, "quick-start.html")
    blocks = tab.query_selector_all(".highlight-python pre, .highlight-sh pre")
    assert len(blocks) == len(tab.query_selector_all("button.copybtn")) > 3
    assert tab.query_selector_all(".highlight-text pre")
    for block in blocks:
        button = block.evaluate_handle("it => it.parentElement.querySelector('button.copybtn')")
        button.as_element().focus()
        assert button.evaluate("it => getComputedStyle(it).visibility") == "visible"
        tab.keyboard.press("Enter")
        tab.wait_for_function("it => it.classList.contains('success')", arg=button)
        copied = tab.evaluate("navigator.clipboard.readText()")
        assert copied.strip() == block.text_content().strip()


def test_what_a_program_prints_says_that_it_is_output(screen):
    tab = visit(screen, "quick-start.html")
    label = "it => getComputedStyle(it, '::before').content"
    for block in tab.query_selector_all(".highlight-text"):
        assert "Output" in block.evaluate(label)
    assert tab.query_selector(".highlight-python").evaluate(label) == "none"


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("temperature", "parameters.html#parameter-temperature"),
        ("max_tokens", "parameters.html#parameter-max-tokens"),
        ("response_format", "parameters.html#parameter-response-format"),
        ("timeouts", "parameters.html#option-timeouts"),
        ("--token-rate", "cli.html#option-token-rate"),
        ("min_p", "api.html#asyncllm.ProviderParams.min_p"),
        ("keep_alive", "providers/ollama.html"),
        ("ASYNCLLM_H2O_BASE_URL", "cli.html"),
    ],
)
def test_the_search_finds_parameters_and_options(screen, sought, found):
    tab = visit(screen, f"search.html?q={quote(sought)}")
    tab.wait_for_function(DONE)
    links = tab.eval_on_selector_all("#search-results li > a", "all => all.map(it => it.href)")
    hits = [urlsplit(link)._replace(query="").geturl() for link in links]
    assert f"{screen.url}/{found}" in hits
    if "#" in found:  # what explains a name comes before what mentions it
        assert hits[0] == f"{screen.url}/{found}"
        tab.click("#search-results li > a")
        tab.wait_for_load_state("load")
        assert tab.evaluate("document.querySelector(':target') !== null")


def test_what_scrolls_by_itself_is_reached_by_the_keyboard(screen):
    tab = visit(screen, "providers.html")
    scrolling = [
        it for it in tab.query_selector_all(".table-wrapper, pre")
        if it.evaluate("it => it.scrollWidth > it.clientWidth")
    ]  # fmt: skip
    assert scrolling
    for it in scrolling:
        it.focus()
        assert it.evaluate("it => document.activeElement === it && it.ariaLabel.length > 0")


@pytest.fixture(scope="module")
def small_site(tmp_path_factory):
    """A site with these settings, of a project that has a repository, and with prompts."""
    project = tmp_path_factory.mktemp("project")
    docs = project / "docs"
    for name in ("_static", "_templates"):
        shutil.copytree(ROOT / "docs" / name, docs / name)
    shutil.copy(ROOT / "docs/conf.py", docs)
    (docs / "index.md").write_text(CONSOLE, "utf-8")
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    settings = re.sub(r"^\[project\.urls\]\n(\w+ = .*\n)*", "", settings, flags=re.MULTILINE)
    settings += '\n[project.urls]\nRepository = "https://example.org/asyncllm"\n'
    (project / "pyproject.toml").write_text(settings, "utf-8")
    return build_site(docs, project / "html")


def test_prompts_and_output_are_not_copied_and_the_repository_is_linked(browser, small_site):
    with serving(small_site) as url:
        context = browser.new_context()
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
        tab = context.new_page()
        tab.goto(f"{url}/index.html")
        tab.hover("pre")
        tab.click("button.copybtn")
        tab.wait_for_selector("button.copybtn.success")
        copied = tab.evaluate("navigator.clipboard.readText()")
        assert copied.splitlines() == ['asyncllm ask "Hello"', "echo done"]
        link = tab.query_selector(".project a")
        assert link.get_attribute("href") == "https://example.org/asyncllm"
        context.close()


def test_every_page_says_its_version(screen):
    version = re.search(
        r'"(.+)"', (ROOT / "asyncllm/__init__.py").read_text().split("__version__ =")[1]
    )[1]
    for page in ("index.html", "providers/ollama.html"):
        assert f"Version {version}" in visit(screen, page).text_content(".project")
