"""A claim as a picture: what each row reached, seed by seed, and how the system's loss went."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def claim_picture(record: Mapping[str, Any], checks: Sequence[Any], path: Path) -> Path:
  """Draws a record of the ledger.

  Args:
    record: with name, state, figures (row -> metric -> mean, low, high, values), curve [(step, loss)].
    checks: what was claimed, each with metric, beats, margin, lower.
    path: of the picture, .png.

  Returns:
    The path written.
  """
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  panels = len(checks) + bool(record['curve'])
  figure = Figure((4.2 * panels, 0.36 * max(len(record['figures']), 4) + 1.6), dpi=110, facecolor='white', layout='constrained')
  FigureCanvasAgg(figure)
  axes = figure.subplots(1, panels, squeeze=False)[0]
  for ax, check, held in zip(axes, checks, record['held'], strict=False):
    rows = [row for row, figures in record['figures'].items() if check.metric in figures][::-1]
    for y, row in enumerate(rows):
      found = record['figures'][row][check.metric]
      colour = '#CC3311' if row == record['name'] else '#4477AA' if row in check.beats else '#999999'
      ax.plot([found['low'], found['high']], [y, y], color=colour, alpha=0.35, linewidth=5, solid_capstyle='butt')
      ax.plot(found['values'], np.full(len(found['values']), y), 'o', color=colour, markersize=4)
    ax.set_yticks(range(len(rows)), [row.replace('_', ' ') for row in rows])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    sign = 'below' if check.lower else 'above'
    ax.set_title(f'{check.metric}: {sign} by {check.margin:g}: {"held" if held else "not held"}', fontsize=9, loc='left')
    ax.grid(axis='x', color='#EEEEEE')
    ax.spines[['top', 'right', 'left']].set_visible(False)
  if record['curve']:
    axes[-1].plot(*zip(*record['curve'], strict=True), color='#CC3311', linewidth=1.2)
    axes[-1].set_title('loss by step, first seed', fontsize=9, loc='left')
    axes[-1].spines[['top', 'right']].set_visible(False)
  figure.suptitle(record['name'].replace('_', ' '), fontsize=11, x=0.01, ha='left')
  figure.savefig(path)
  return path
