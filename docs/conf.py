"""How Sphinx builds the site, with the extras ``docs``, ``plot`` and ``sklearn``.

sphinx-build -W --keep-going docs docs/_build/html
"""

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import jaxlogreg

sys.path.insert(0, str(Path(__file__).parent))  # for mathml

project = "jaxlogreg"
version = release = jaxlogreg.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "mathml"]
exclude_patterns = ["_build"]
nitpicky = True  # a reference to a name that there is none of is a warning, and warnings are errors
nitpick_ignore_regex = [("py:class", r"numpy\..*")]

html_theme = "furo"
html_title = f"jaxlogreg {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sourcelink = html_show_copyright = False
html_copy_source = False
pygments_style, pygments_dark_style = "friendly", "native"

# Plain Markdown that a forge shows as well: $...$ and fences of math, links to headings.
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = {"math"}
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings have shapes, which types do not
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

# Modules under the name they are used by.
for name in ("metrics", "thresholds", "calibration", "features"):
    sys.modules[f"jaxlogreg.{name}"] = getattr(jaxlogreg, name)


def setup(app: Sphinx) -> None:
    app.connect("source-read", link_files)
    app.connect("missing-reference", resolve_short_name)
    app.connect("autodoc-process-docstring", escape_stars, priority=0)  # before napoleon


def link_files(app: Sphinx, docname: str, source: list[str]) -> None:
    """Markdown beside the site's is a file to fetch, no page of the site."""
    source[0] = re.sub(r"\]\((\.\./[^)]*\.md)\)", r"](path:\1)", source[0])


def resolve_short_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """``:func:`fit``` in a docstring, whatever module it is in, if one public name alone ends so."""
    if node.get("refdomain") != "py":
        return None
    python, target = env.domains.python_domain, node["reftarget"]
    found = python.find_obj(env, None, None, target, None, 1)
    if len(found) != 1:
        return None
    reference = pending_xref("", refdomain="py", reftype="obj", reftarget=found[0][0], refexplicit=True)
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0][0], reference, content)


def escape_stars(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """``X, y, **options:`` names arguments and is no bold text; napoleon knows only ``**options:``."""
    lines[:] = [re.sub(r"(?<=, )\*\*(?=\w+:)", r"\\*\\*", line) for line in lines]
