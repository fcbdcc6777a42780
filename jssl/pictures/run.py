"""A run as a picture: how its figures went."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def log_picture(rows: Sequence[Mapping[str, Any]], name: str, path: str | Path | None = None) -> Any:
  """Draws the log of a run: losses, the learning rate, and the health of the features, each by step.

  Args:
    rows: of the log, each with step and figures; what begins with 'health/' is the health panel.
    name: of the run.
    path: of a picture to write; None only draws.

  Returns:
    A matplotlib Figure.
  """
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  names = list(dict.fromkeys(key for row in rows for key in row))
  groups = {
    'loss': [key for key in names if key == 'loss' or key.endswith('loss')],
    'learning rate': [key for key in names if key == 'learning_rate'],
    'gradient norm': [key for key in names if key == 'grad_norm'],
    'health': [key for key in names if key.startswith('health/')],
  }
  groups = {title: keys for title, keys in groups.items() if keys}
  figure = Figure((3.8 * max(len(groups), 1), 3), dpi=110, facecolor='white', layout='constrained')
  FigureCanvasAgg(figure)
  axes = figure.subplots(1, max(len(groups), 1), squeeze=False)[0]
  for ax, (title, keys) in zip(axes, groups.items(), strict=False):
    for key in keys:
      points = [(row['step'], row[key]) for row in rows if row.get(key) is not None]
      ax.plot(*zip(*points, strict=True), label=key.removeprefix('health/'), linewidth=1.2) if points else None
    ax.set_title(title, fontsize=9, loc='left')
    ax.set_xlabel('step', fontsize=8)
    ax.spines[['top', 'right']].set_visible(False)
    if len(keys) > 1:
      ax.legend(fontsize=6, frameon=False)
    if title == 'health':
      ax.set_yscale('symlog')
  figure.suptitle(name, fontsize=10, x=0.01, ha='left')
  if path:
    figure.savefig(path)
  return figure
