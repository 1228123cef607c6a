# ruff: noqa: INP001 - it stands beside the pages, and is no package
"""How Sphinx builds these pages: `python -m sphinx -W --keep-going -n -b html docs OUT`.

The build needs no network, and the site loads nothing from one. Where the repository is, says
`[project.urls]` in pyproject.toml.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

import asyncllm
import asyncllm.sandbox

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "asyncllm"
author = "the asyncllm authors"
copyright = author  # noqa: A001 - Sphinx's name
release = version = asyncllm.__version__

_PROJECT = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))
_REPOSITORY = _PROJECT["project"].get("urls", {}).get("Repository", "")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "asyncllm"
html_static_path = ["_static"]
html_css_files = ["asyncllm.css"]
html_js_files = ["reachable.js"]
templates_path = ["_templates"]
html_context = {"repository": _REPOSITORY}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/project.html",
        "sidebar/scroll-end.html",
    ]
}
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

# What a program prints, and what is only shown, has no button; prompts and output are not copied.
copybutton_selector = "div:not(.highlight-text):not(.highlight-default) > div.highlight > pre"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# In docstrings, `name` is a link where such a thing is documented, and plain code elsewhere.
default_role = "py:obj"

# Types that other packages document; inventories would need a network.
_FOREIGN = (
    "Any AsyncGenerator AsyncIterator AbstractAsyncContextManager Awaitable Callable ClassVar "
    "Container Hashable Iterable Iterator Mapping Self Sequence SSLContext Literal T None optional"
)
nitpick_ignore_regex = [
    ("py:obj", r".*"),  # see default_role
    (
        "py:.*",
        r"(builtins|collections|typing|ssl|os|aiohttp|asyncio|contextlib|msgspec)\..*|.*\b_T",
    ),
    ("py:.*", _FOREIGN.replace(" ", "|")),
]

_NAMES = {"argument", "argument or option", "option", "parameter"}
_COMPACT_CHARS = 12  # a number with its unit
_WHOLE_CHARS = 16  # longer ones may break at a hyphen
_PAGES = {"asyncllm": asyncllm.__all__, "asyncllm.sandbox": asyncllm.sandbox.__all__}


def _find_public_name(
    _app: Sphinx, env: BuildEnvironment, node: nodes.Element, child: nodes.Element
) -> nodes.Element | None:
    """Resolve a reference to a public thing by the name that callers know it by.

    Annotations name things as their module does: `Stream`, `asyncllm.stream.stream.Stream`.
    """
    name = str(node.get("reftarget", "")).rpartition(".")[2]
    for module, names in _PAGES.items():
        if node.get("refdomain") == "py" and name in names:
            domain = env.domains["py"]
            node["reftype"] = "obj"
            return domain.resolve_xref(
                env, node["refdoc"], _app.builder, "obj", f"{module}.{name}", node, child
            )
    return None


class InlineDiagrams(SphinxPostTransform):
    """Puts SVG images into the page itself, where they take the page's colours, light or dark."""

    default_priority = 5  # before images are collected
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Replace each image whose file is an SVG."""
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].endswith(".svg"):
                svg = (Path(self.app.srcdir) / image["uri"]).read_text(encoding="utf-8")
                figure = f'<div class="diagram">{svg}</div>'
                image.replace_self(nodes.raw("", figure, format="html"))


class MarkedTables(SphinxPostTransform):
    """Marks what in tables is short: names, and whole tables of yes and no or of numbers."""

    default_priority = 5
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Give each of them a class, by which the style sheet knows it."""
        for table in self.document.findall(nodes.table):
            body = next(table.findall(nodes.tbody))
            cells = [cell.astext() for row in body for cell in row[1:]]
            if max(map(len, cells), default=0) <= _COMPACT_CHARS:
                table["classes"].append("compact")
            for name in table.findall(nodes.literal):
                if len(name.astext()) <= _WHOLE_CHARS:
                    name["classes"].append("whole")


class IndexedNames(SphinxTransform):
    """Puts the names that a table explains into the index, where the search finds them first."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        """Index the first cell of each row, where the table's head says that it is a name."""
        for table in self.document.findall(nodes.table):
            head, *_rest = (entry.astext() for entry in table.findall(nodes.entry))
            for row in next(table.findall(nodes.tbody)) if head in _NAMES else ():
                for name in row[0].findall(nodes.literal):
                    target = nodes.make_id(f"{head}-{name.astext()}")
                    if target not in self.document.ids:
                        entry = ("single", name.astext(), target, "main", None)
                        row[0].insert(0, addnodes.index(entries=[entry]))
                        name["ids"].append(target)
                        self.document.note_explicit_target(name)


_PARAMETERS = re.compile(r"<dl>\n((?:<dd>.*</dd>\n)+)</dl>")
_COMMANDS = re.compile(r'<div class="highlight-(?:sh|console) .*?</pre>', re.DOTALL)
_OPTION = re.compile(r"(?<=[\s>])(--?[a-z][\w-]*)(?=[\s=<])")
_INLINE_OPTION = re.compile(r'<span class="pre">(-[^<]{1,24})</span>')


def _finish(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: nodes.document | None
) -> None:
    """Mend what Sphinx writes.

    Parameters below each other become a list, as definitions without terms are none. Options of
    commands are marked, as a browser would break a line behind their hyphens.
    """

    def listed(found: re.Match[str]) -> str:
        items = found[1].replace("<dd>", "<li>").replace("</dd>", "</li>")
        return f'<ul class="sig-params">\n{items}</ul>'

    def marked(found: re.Match[str]) -> str:
        return _OPTION.sub(r'<span class="whole">\1</span>', found[0])

    if "body" in context:
        body = _PARAMETERS.sub(listed, context["body"])
        body = _INLINE_OPTION.sub(r'<span class="pre whole">\1</span>', body)
        context["body"] = _COMMANDS.sub(marked, body)


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.connect("missing-reference", _find_public_name)
    app.connect("html-page-context", _finish)
    app.add_transform(IndexedNames)
    app.add_post_transform(InlineDiagrams)
    app.add_post_transform(MarkedTables)
