"""Formulas as MathML, made when the site is built: browsers draw it without a script, and it follows the colours of the page."""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

NAME = re.compile(r'<m[io]>([A-Za-z]{2,})</m[io]>')  # of a function, such as log: spaced as in LaTeX


def setup(app: Any) -> dict[str, bool]:
  app.add_html_math_renderer('mathml', (_inline, None), (_display, None))
  return dict(parallel_read_safe=True, parallel_write_safe=True)


def mathml(latex: str, display: str = 'inline') -> str:
  """MathML of one formula.

  Raises:
    ValueError: a command is not known.
  """
  found = convert(latex, display=display)
  if '\\' in found:  # commands that are not known stay as they are
    raise ValueError(f'the formula {latex!r} has a command that latex2mathml does not know: {found}')
  return NAME.sub(r'<mo form="prefix" lspace="0.167em" rspace="0.083em">\1</mo>', found)


def _inline(translator: Any, node: nodes.math) -> None:
  translator.body.append(mathml(node.astext()))
  raise nodes.SkipNode


def _display(translator: Any, node: nodes.math_block) -> None:
  rows = (mathml(line, 'block') for line in node.astext().splitlines() if line.strip())
  translator.body.append(f'<div class="formula">{"".join(rows)}</div>\n')
  raise nodes.SkipNode
