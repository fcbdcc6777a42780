"""Plots of a sweep: the score of each trial by the value of each option."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

POINT, BEST, FAILED = '#4477AA', '#CC3311', '#AAAAAA'


def sweep_picture(result: Mapping[str, Any], path: Path) -> Path:
  """Plots one panel per option: its value on the horizontal axis, the score of each trial on the vertical one.

  Listed values are spaced evenly; ranges are drawn to scale. The best trial is ringed, and failed ones are crosses at the lower edge.

  Args:
    result: the contents of `sweep.json`, with one score at least.
    path: path of the .png file.

  Returns:
    The path written.
  """
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  over = result['over']
  wide = min(len(over), 4)
  high = -(-len(over) // wide)
  figure = Figure((1 + 3.6 * wide, 3.2 * high), dpi=110, facecolor='white', layout='constrained')
  FigureCanvasAgg(figure)
  axes = figure.subplots(high, wide, squeeze=False, sharey=True).ravel()
  for ax in axes[len(over) :]:
    ax.set_axis_off()
  for ax, (option, of) in zip(axes, over.items(), strict=False):
    _panel(ax, result, option, of)
    ax.set_xlabel(option, fontsize=8.5)
    ax.tick_params(labelsize=8)
    ax.grid(axis='y', color='#EEEEEE')
    ax.set_axisbelow(True)
    ax.spines[['top', 'right']].set_visible(False)
  axes[0].set_ylabel(result['metric'], fontsize=9)
  axes[0].legend(fontsize=7.5, frameon=False)
  figure.suptitle(f'{Path(result["name"]).name}: {result["metric"]} on {result["source"].partition(" (")[0]}', fontsize=10, x=0.01, ha='left')
  figure.savefig(path)
  return path


def _panel(ax, result, option, of) -> None:
  scored = [t for t in result['trials'] if t['score'] is not None]
  failed = [t for t in result['trials'] if t['state'] == 'failed']
  at = lambda trials: [t['points'][option] for t in trials]
  for t in scored:
    if len(t['scores']) > 1:
      ax.plot([t['points'][option]] * len(t['scores']), t['scores'], '_', color=POINT, alpha=0.5, markersize=7)
  ax.plot(at(scored), [t['score'] for t in scored], 'o', color=POINT, markersize=5, label='trial')
  if 'values' in of:
    means = {x: np.mean([t['score'] for t in scored if t['points'][option] == x]) for x in sorted({*at(scored)})}
    ax.plot(list(means), list(means.values()), color=POINT, alpha=0.4, linewidth=1.2, label='mean of a value')
  if best := result['best']:
    ax.plot(at([best]), [best['score']], 'o', color=BEST, markerfacecolor='none', markersize=11, label=f'best: {best["score"]:.3f}')
  if failed:
    ax.plot(at(failed), [0.02] * len(failed), 'x', color=FAILED, transform=ax.get_xaxis_transform(), label='failed')
  if 'values' in of:
    ax.set_xticks(range(len(of['values'])), [str(x) for x in of['values']])
    ax.set_xlim(-0.5, len(of['values']) - 0.5)
  elif of['log']:
    ax.set_xscale('log')
