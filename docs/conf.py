# ruff: noqa: INP001 - it stands beside the pages, and is no package
"""How Sphinx builds these pages: `python -m sphinx -W --keep-going -n -b html docs OUT`.

The build needs no network, and the site loads nothing from one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
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

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "asyncllm"
html_static_path = ["_static"]
html_css_files = ["asyncllm.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"

add_module_names = False
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


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.connect("missing-reference", _find_public_name)
    app.add_post_transform(InlineDiagrams)
