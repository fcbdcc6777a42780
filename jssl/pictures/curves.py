"""Plots of validation figures over a run."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from jssl import storage

PREFIX, RAW = 'validation/', 'raw_validation/'  # of figures in the log: of the networks, and of raw input
SYSTEM, START, INPUT = '#CC3311', '#4477AA', '#777777'


def curves_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
  """The validation figures of a log.

  Args:
    rows: rows of the log.

  Returns:
    figure -> dict(steps, values), with `raw_input` where raw input was judged; steps are in order, 0 being the networks at the start.
  """
  found: dict[str, dict[str, Any]] = {}
  for row in rows:
    for name, x in row.items():
      if name.startswith(PREFIX) and x is not None:
        of = found.setdefault(name.removeprefix(PREFIX), dict(steps=[], values=[]))
        of['steps'].append(row['step'])
        of['values'].append(x)
  raw = {name.removeprefix(RAW): x for row in rows for name, x in row.items() if name.startswith(RAW)}
  return {name: {**of, **({'raw_input': raw[name]} if name in raw else {})} for name, of in found.items()}


def curve_picture(curves: Mapping[str, Mapping[str, Any]], name: str, path: Path, best: int | None = None) -> Path:
  """Plots validation figures by step, with lines for raw input and for the networks at the start.

  Args:
    curves: from `curves_of`, with one figure at least.
    name: the title.
    path: path of the PNG file.
    best: a step to mark; None for none.

  Returns:
    The path written.
  """
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  figure = Figure((4.4 * len(curves), 3.4), dpi=120, facecolor='white', layout='constrained')
  FigureCanvasAgg(figure)
  for ax, (title, of) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
    draw_curve(ax, title, of, name, best)
  figure.suptitle(name.replace('_', ' '), fontsize=11, x=0.01, ha='left')
  with storage.whole(path) if storage.remote(path) else nullcontext(path) as part:
    figure.savefig(part)
  return path


def draw_curve(ax: Any, title: str, of: Mapping[str, Any], name: str, best: int | None = None) -> None:
  """Plots one validation figure by step.

  Args:
    ax: matplotlib axes.
    title: the figure.
    of: its steps and values, from `curves_of`.
    name: the name of the networks, for the legend.
    best: a step to mark; None for none.
  """
  if 'raw_input' in of:
    ax.axhline(of['raw_input'], color=INPUT, linewidth=1.2, linestyle='--', label=f'raw input {of["raw_input"]:.3f}')
  if of['steps'][0] == 0:
    ax.axhline(of['values'][0], color=START, linewidth=1.2, linestyle=':', label=f'at the start {of["values"][0]:.3f}')
  ax.plot(of['steps'], of['values'], color=SYSTEM, linewidth=1.6, marker='o', markersize=3.5, label=f'{name} {of["values"][-1]:.3f}')
  if best in of['steps']:
    at = of['values'][of['steps'].index(best)]
    ax.plot([best], [at], 'o', color=SYSTEM, markerfacecolor='none', markersize=10, label=f'kept: step {best}, {at:.3f}')
  ax.set_title(f'{title} on validation data', fontsize=9, loc='left')
  ax.set_xlabel('step', fontsize=8)
  ax.set_xlim(left=0)
  ax.tick_params(labelsize=8)
  ax.grid(axis='y', color='#EEEEEE')
  ax.spines[['top', 'right']].set_visible(False)
  ax.legend(fontsize=7.5, frameon=False)
