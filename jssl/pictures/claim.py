"""Plots of a claim: the result of each row by seed, paired differences with their bounds, and the loss curve."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SYSTEM, RIVAL, OTHER = '#CC3311', '#4477AA', '#999999'
STATES = dict(held='#228833', undecided='#997700', not_held='#AA3377', contradicted='#CC3311')


def claim_picture(record: Mapping[str, Any], path: Path) -> Path:
  """Plots the last look of a ledger record.

  One column per metric: at the top one line per seed through all rows; below, the differences to each competitor with one-sided 95 % bounds,
  and the margin as a dashed line.

  Args:
    record: has name, tries, and looks, each with rows (row -> metric -> values), comparisons, manipulation, automatic, flags, curve.
    path: path of the .png file.

  Returns:
    The path written.
  """
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  look, name = record['looks'][-1], record['name']
  automatic = {(c['metric'], c['other']): c for c in look['automatic']}  # one for several checks of a metric
  against = [*look['comparisons'], *look['manipulation'], *automatic.values()]
  metrics = list(dict.fromkeys(c['metric'] for c in against))
  rows = [row for row in look['rows'] if row != name] + [name]
  most = max(sum(c['metric'] == metric for c in against) for metric in metrics)
  panels = len(metrics) + bool(look['curve'] or look['flags'])
  figure = Figure((4.6 * panels, 0.34 * (len(rows) + most) + 2.4), dpi=110, facecolor='white', layout='constrained')
  FigureCanvasAgg(figure)
  axes = figure.subplots(2, panels, squeeze=False, height_ratios=[len(rows) + 0.5, most + 0.5])
  for (above, below), metric in zip(axes.T, metrics, strict=False):
    _rows(above, look, rows, name, metric)
    _differences(below, [c for c in against if c['metric'] == metric], look)
  if look['curve']:
    axes[0, -1].plot(*zip(*look['curve'], strict=True), color=SYSTEM, linewidth=1.2)
    axes[0, -1].set_title('loss by step, first seed', fontsize=9, loc='left')
    axes[0, -1].spines[['top', 'right']].set_visible(False)
  elif look['flags']:
    axes[0, -1].set_axis_off()
  if panels > len(metrics):
    axes[1, -1].set_axis_off()
    axes[1, -1].text(0, 1, _wrapped(look['flags']), va='top', fontsize=7.5)
  tried = sum(t['row'] == name for t in record['tries'])
  many = lambda n, one, several: f'{n} {one if n == 1 else several}'
  edits = len(record['registrations']) - 1
  counts = ', '.join((many(len(record['looks']), 'look', 'looks'), many(tried, 'try', 'tries'), many(edits, 'edit', 'edits')))
  figure.suptitle(f'{name.replace("_", " ")}: {look["state"].replace("_", " ")}   ({counts})', fontsize=11, x=0.01, ha='left')
  figure.savefig(path)
  return path


def _rows(ax, look, rows, name, metric) -> None:
  shown = [row for row in rows if metric in look['rows'][row]]
  rivals = {c['other'] for c in look['comparisons'] if c['metric'] == metric}
  values = np.array([look['rows'][row][metric] for row in shown])  # [rows seeds]
  for of_seed in values.T:
    ax.plot(of_seed, range(len(shown)), color='#CCCCCC', linewidth=0.8, zorder=1)
  for y, (row, x) in enumerate(zip(shown, values, strict=True)):
    colour = SYSTEM if row == name else RIVAL if row in rivals else OTHER
    ax.plot(x, np.full(len(x), y), 'o', color=colour, markersize=4, zorder=2)
    ax.plot([x.mean()], [y], '|', color=colour, markersize=16, zorder=2)
  ax.set_yticks(range(len(shown)), [row.replace('_', ' ') for row in shown])
  ax.set_ylim(-0.6, len(shown) - 0.4)
  ax.set_title(metric, fontsize=9, loc='left')
  ax.grid(axis='x', color='#EEEEEE')
  ax.spines[['top', 'right', 'left']].set_visible(False)


def _differences(ax, against, look) -> None:
  for y, c in enumerate(reversed(against)):
    colour = OTHER if c in look['automatic'] else STATES[c['state']]
    ax.plot([c['low'], c['high']], [y, y], color=colour, alpha=0.4, linewidth=5, solid_capstyle='butt')
    ax.plot(c['differences'] or [c['mean']], np.full(len(c['differences']) or 1, y), 'o', color=colour, markersize=3)
    if c not in look['automatic']:
      ax.plot([c['margin']] * 2, [y - 0.4, y + 0.4], color='#333333', linewidth=1, linestyle='--')
  ax.axvline(0, color='#BBBBBB', linewidth=0.8, zorder=0)
  what = lambda c: '' if c in look['automatic'] else 'idea acts: ' if c in look['manipulation'] else ''
  state = lambda c: '' if c in look['automatic'] else f': {c["state"].replace("_", " ")}'
  ax.set_yticks(range(len(against)), [f'{what(c)}{c["other"].replace("_", " ")}{state(c)}' for c in reversed(against)], fontsize=7.5)
  ax.set_ylim(-0.6, len(against) - 0.4)
  ax.set_title('ahead of' + (', less is better' if against and against[0]['lower'] else ''), fontsize=8, loc='left')
  ax.spines[['top', 'right', 'left']].set_visible(False)


def _wrapped(flags) -> str:
  import textwrap

  return '\n'.join(textwrap.fill(f'! {flag}', 52, subsequent_indent='  ') for flag in flags)
