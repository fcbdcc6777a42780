"""Plots of the metrics of a run."""

import io
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from jssl import storage

# Panel -> prefixes of the metrics in it. A row of the log has some of them.
PANELS = {
  'loss': ('loss',),
  'rank': ('health/rankme', 'health/embedding_rankme'),
  'deviation': ('health/deviation', 'health/embedding_deviation'),
  'alignment, uniformity': ('health/alignment', 'health/uniformity'),
  'teacher': ('health/teacher_entropy', 'health/teacher_usage'),
  'gradient norm': ('grad_norm',),
  'learning rate': ('learning_rate',),
}
TOLD = {
  'rank': 'RankMe: dimensions in use',
  'deviation': 'deviation: 0 is collapse',
  'teacher': 'entropy of the teacher',
}
LABELS = {
  'rankme': 'features', 'embedding_rankme': 'embeddings', 'deviation': 'features', 'embedding_deviation': 'embeddings',
  'teacher_entropy': 'of an example', 'teacher_usage': 'of the mean',
}  # fmt: skip
COLOURS = ('#1b6ca8', '#d1603d', '#3d8f5f', '#7a5195', '#8a8a8a', '#bc9a2c')


def log_picture(rows: Sequence[Mapping[str, Any]], name: str, path: str | Path | None = None, panels: Sequence[str] = tuple(PANELS)) -> Any:
  """Plots the log of a run by step: losses, the health of the features, the gradient norm, the learning rate.

  Steps with an alarm of the health panel are marked red.

  Args:
    rows: rows of the log, each with step and metrics; names of the health panel begin with 'health/'.
    name: the title.
    path: file to write the plot to; None for no file.
    panels: names in PANELS; panels without metrics in the log are omitted.

  Returns:
    A matplotlib Figure, which notebooks display.
  """
  shown = panels_of(rows, panels) or {'loss': []}
  wide = min(len(shown), 3)
  high = -(-len(shown) // wide)
  figure = picture()(figsize=(3.6 * wide, 2.5 * high + 0.35), dpi=100, facecolor='white', layout='constrained')
  axes = figure.subplots(high, wide, squeeze=False).ravel()
  for ax in axes[len(shown) :]:
    ax.set_axis_off()
  for ax, (panel, keys) in zip(axes, shown.items(), strict=False):
    draw_panel(ax, rows, panel, keys)
  figure.suptitle(name, fontsize=10, x=0.01, ha='left')
  if path:
    at = storage.path(path, home=False)
    with storage.whole(at) if storage.remote(at) else nullcontext(at) as part:
      figure.savefig(part)
  return figure


def panels_of(rows: Sequence[Mapping[str, Any]], panels: Sequence[str] = tuple(PANELS)) -> dict[str, list[str]]:
  """Panel -> the metrics of a log in it; panels without metrics are omitted."""
  names = list(dict.fromkeys(key for row in rows for key in row if row[key] is not None))
  return {panel: keys for panel in panels if (keys := _in(panel, names))}


def draw_panel(ax: Any, rows: Sequence[Mapping[str, Any]], panel: str, keys: Sequence[str]) -> None:
  """Plots one panel of a log by step.

  Args:
    ax: matplotlib axes.
    rows: rows of the log.
    panel: a name in PANELS.
    keys: the metrics, as `panels_of` gives them.
  """
  alarms = [row['step'] for row in rows if row.get('health/alarms')]
  for key, colour in zip(keys, COLOURS * len(keys), strict=False):
    points = [(row['step'], row[key]) for row in rows if row.get(key) is not None]
    short = key.removeprefix('health/').removesuffix('/loss')
    ax.plot(*zip(*points, strict=True), color=colour, linewidth=1.4, marker='o', markersize=2.5, label=LABELS.get(short, short))
  if panel in ('rank', 'deviation'):
    ax.set_ylim(bottom=0)
    for step in alarms:
      ax.axvline(step, color='#c0392b', linewidth=1, alpha=0.5, label='alarm' if step == alarms[0] else None)
  ax.set_title(TOLD.get(panel, panel), fontsize=9, loc='left')
  ax.set_xlim(left=0)
  ax.set_xlabel('step', fontsize=8)
  ax.tick_params(labelsize=8)
  ax.spines[['top', 'right']].set_visible(False)
  if len(ax.lines) > 1:
    ax.legend(fontsize=7, frameon=False)


def _in(panel: str, names: Sequence[str]) -> list[str]:
  """The metrics of a panel: those of PANELS, and next to the total loss each loss if there are several."""
  losses = [key for key in names if key.endswith('/loss')] if panel == 'loss' else []
  return [key for key in PANELS[panel] if key in names] + (losses if len(losses) > 1 else [])


def picture() -> type:
  """A matplotlib Figure that does not use pyplot, and that a notebook displays whether or not pyplot is in use."""
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  class Picture(Figure):
    def __init__(self, **options):
      super().__init__(**options)
      FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
      file = io.BytesIO()
      self.savefig(file, format='png')
      return file.getvalue()

  return Picture
