"""Plots as inline SVG, whose colours are those of the page, light or dark."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from jssl.pictures.curves import INPUT, START, SYSTEM, draw_curve
from jssl.pictures.run import COLOURS, TOLD, draw_panel

INK, LINE = '#010203', '#eeeeee'
# A colour of a plot -> the variable of the style sheet that replaces it.
VARIABLES = {
  INK: 'ink', LINE: 'line', '#c0392b': 'bad', SYSTEM.lower(): 'accent', START.lower(): 'c0', INPUT.lower(): 'muted',
  **{colour: f'c{i}' for i, colour in enumerate(COLOURS)},
}  # fmt: skip
RUNS = (SYSTEM, *(COLOURS[i] for i in (0, 4, 2, 3, 5)))  # of several runs, as in the table of their figures
SIZE = 3.7, 2.4  # inches


def chart(draw: Callable[[Any], None], alt: str) -> Markup:
  """A plot as SVG.

  Args:
    draw: plots into matplotlib axes.
    alt: what the plot shows, for readers who do not see it.
  """
  import matplotlib
  from matplotlib.figure import Figure

  ink = {'axes.edgecolor': INK, 'axes.labelcolor': INK, 'text.color': INK, 'xtick.color': INK, 'ytick.color': INK}
  with matplotlib.rc_context({'svg.fonttype': 'none', 'svg.hashsalt': alt, 'path.simplify_threshold': 0.5, **ink}):
    figure = Figure(SIZE)
    draw(figure.add_axes((0.14, 0.18, 0.83, 0.69)))
    file = io.StringIO()
    figure.savefig(file, format='svg', transparent=True, metadata=dict(Date=None, Creator=None, Format=None, Type=None))
  svg = file.getvalue()
  svg = re.sub(r'\sid="(?!m|p)[^"]*"', '', svg[svg.index('<svg') :])  # ids would not be unique in a page; those of markers and clips are used
  svg = re.sub(r'#[0-9a-f]{6}\b', lambda found: f'var(--{VARIABLES[found[0]]})' if found[0] in VARIABLES else found[0], svg)
  svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1', re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1', svg, count=1), count=1)
  return Markup(svg.replace('<svg', Markup('<svg class="chart" role="img" aria-label="{}"').format(alt), 1))


def of_panel(rows: Sequence[Mapping[str, Any]], panel: str, keys: Sequence[str]) -> Markup:
  """One panel of the log of a run."""
  return chart(lambda ax: draw_panel(ax, rows, panel, keys), f'{TOLD.get(panel, panel)} by step')


def of_curve(name: str, title: str, curve: Mapping[str, Any], best: int | None) -> Markup:
  """A validation figure over a run, with its baselines."""
  return chart(lambda ax: draw_curve(ax, title, curve, name, best), f'{title} on validation data by step')


def of_runs(title: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> Markup:
  """One metric of several runs by step: label -> points."""

  def draw(ax: Any) -> None:
    for (label, points), colour in zip(lines.items(), RUNS * len(lines), strict=False):
      ax.plot(*zip(*points, strict=True), color=colour, linewidth=1.4, marker='o', markersize=2.5, label=label.lstrip('_') or label)
    ax.set_title(title, fontsize=9, loc='left')
    ax.set_xlabel('step', fontsize=8)
    ax.set_xlim(left=0)
    ax.tick_params(labelsize=8)
    ax.spines[['top', 'right']].set_visible(False)
    ax.legend(fontsize=7, frameon=False)

  return chart(draw, f'{title} by step, one line for each run')
