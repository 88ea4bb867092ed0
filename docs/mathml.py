"""Equations as MathML, which browsers draw themselves: no script, no fonts to fetch, nothing from elsewhere.

LaTeX is translated by docutils when the site is built, so an equation it cannot read is a warning of the build.
"""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(_translate(node, as_block=False))
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{_translate(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def _translate(node: nodes.Node, as_block: bool) -> str:
    try:
        mathml = tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        logger.warning("equation cannot be read: %s", error, location=node)
        return ""
    # Bars, as of norms, are written \lvert and \rvert: so it is known which side they are on. As high as the letters.
    mathml = re.sub(r'<mo class="mathopen">([|‖])', r'<mo form="prefix" stretchy="false">\1', mathml)
    return re.sub(r"<mo>([|‖])", r'<mo form="postfix" stretchy="false">\1', mathml)
