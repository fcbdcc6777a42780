"""Plots of a comparison of methods: the figures of each by seed, and their paired differences to the first."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

COLOURS = ('#CC3311', '#4477AA', '#228833', '#AA3377', '#997700', '#0099AA')
RAW, UNTRAINED, GRID = '#777777', '#AAAAAA', '#EEEEEE'
MOST = 6  # panels


def comparison_picture(result: Mapping[str, Any], path: Path) -> Path:
  """Plots the first six figures of a comparison, one column each.

  At the top, each method has one point per seed, its mean and the interval of the mean; raw input and the untrained networks are lines. Below
  are the paired differences to the first method with one-sided 95 % bounds.

  Args:
    result: the contents of `compare.json`, with one figure at least.
    path: path of the .png file.

  Returns:
    The path written.
  """
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  metrics = result['metrics'][:MOST]
  names = [name for name, of in result['methods'].items() if 'figures' in of]
  colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
  figure = Figure((1.2 + 3.6 * len(metrics), 0.75 * len(names) + 2.6), dpi=110, facecolor='white', layout='constrained')
  FigureCanvasAgg(figure)
  axes = figure.subplots(2, len(metrics), squeeze=False, height_ratios=[len(names) + 0.8, max(len(names) - 1, 1) + 0.8])
  for (above, below), metric in zip(axes.T, metrics, strict=True):
    _figures(above, result, metric, colours)
    _differences(below, result, metric, colours)
  handles, labels = axes[0, 0].get_legend_handles_labels()
  what = (
    'points: runs; lines: means; bars: one-sided 95 % bounds' if len(result['seeds']) > 1 else 'bars: 95 % interval; below, one-sided bounds'
  )
  figure.legend(handles, labels, loc='outside lower center', ncols=len(labels), fontsize=8, frameon=False, title=what, title_fontsize=8)
  spent = result['budget']
  budget = f'{spent["steps"]} steps of {spent["batch_size"]} on {spent["examples"]} examples of {spent["data"]}'
  figure.suptitle(f'{budget}; figures on {result["source"].partition(" (")[0]}', fontsize=10, x=0.01, ha='left')
  figure.savefig(path)
  return path


def _figures(ax, result, metric, colours) -> None:
  seeds = len(result['seeds'])
  for y, name in enumerate(reversed(colours)):
    of, first = result['methods'][name], y == 0
    if metric in of['random_init']:
      x = np.mean(of['random_init'][metric])
      ax.plot([x, x], [y - 0.38, y + 0.38], color=UNTRAINED, linewidth=1.6, linestyle=':', label='untrained network' if first else None)
    if of['interval'][metric]:
      ax.plot(of['interval'][metric], [y, y], color=colours[name], alpha=0.3, linewidth=7, solid_capstyle='butt')
    values = of['figures'][metric]
    if seeds > 1:
      ax.plot(values, [y] * seeds, 'o', color=colours[name], markersize=4)
    ax.plot([np.mean(values)], [y], '|', color=colours[name], markersize=17, markeredgewidth=1.8)
    ax.annotate(f'{np.mean(values):.3f}', (np.mean(values), y), (0, 10), textcoords='offset points', fontsize=7.5, ha='center')
  if metric in result['raw_input']:
    ax.axvline(np.mean(result['raw_input'][metric]), color=RAW, linewidth=1.2, linestyle='--', label='raw input', zorder=0)
  ax.set_yticks(range(len(colours)), [*reversed(colours)])
  ax.set_ylim(-0.6, len(colours) - 0.2)
  ax.set_title(f'{metric}' + (f', {seeds} seeds' if seeds > 1 else ', 95 % interval over test items'), fontsize=9, loc='left')
  _plain(ax)


def _differences(ax, result, metric, colours) -> None:
  first = next(iter(colours))
  shown = [d for d in reversed(result['differences']) if d['metric'] == metric and d['to'] == first]
  for y, d in enumerate(shown):
    ax.plot([d['low'], d['high']], [y, y], color=colours[d['method']], alpha=0.3, linewidth=7, solid_capstyle='butt')
    ax.plot(d['differences'], [y] * len(d['differences']), 'o', color=colours[d['method']], markersize=4)
    ax.plot([d['mean']], [y], '|', color=colours[d['method']], markersize=17, markeredgewidth=1.8)
  ax.axvline(0, color='#999999', linewidth=0.9, zorder=0)
  ax.set_yticks(range(len(shown)), [d['method'] for d in shown])
  ax.set_ylim(-0.6, max(len(shown), 1) - 0.4)
  ax.set_title(f'difference to {first}', fontsize=9, loc='left')
  _plain(ax)


def _plain(ax) -> None:
  ax.locator_params(axis='x', nbins=5)
  ax.tick_params(labelsize=8)
  ax.grid(axis='x', color=GRID)
  ax.set_axisbelow(True)
  ax.spines[['top', 'right', 'left']].set_visible(False)
