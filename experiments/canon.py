"""Trains the image canon on MNIST-5k, on backbones of different kinds, and prints one table.

    python experiments/canon.py [--systems simclr byol ...] [--backbones convnet vit_hybrid_micro] [--render]

Every row is a run of the system's config as it stands but for its backbone; those that hide patches stand on their own. Rows go
into experiments/canon.jsonl as they come, and from there into docs/canon.md and docs/canon.png; --render writes these alone.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import jax

from jssl import run
from jssl.console import keep_memory

ROOT = Path(__file__).resolve().parents[1]
ROWS = Path(__file__).with_suffix('.jsonl')

# Systems that hide patches need a backbone that has patches.
JOINT = [
  'simclr', 'supcon', 'moco_v2', 'moco_v3', 'byol', 'simsiam', 'barlow_twins', 'vicreg', 'w_mse', 'swav', 'dino', 'nnclr',
]  # fmt: skip
MARGIN = 0.02
COLUMNS = (
  'system', 'backbone', 'epochs of batches of, at', 'tried', 'kNN', 'validation', 'linear', 'margin over baselines', 'RankMe',
  'seconds', 'alarms',
)  # fmt: skip
HEADER = f'| {" | ".join(COLUMNS)} |\n' + '|---' * len(COLUMNS) + '|'
MASKED = ['mae', 'simmim', 'ijepa', 'data2vec']


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument('--systems', nargs='*', default=JOINT + MASKED)
  parser.add_argument('--backbones', nargs='*', default=['convnet', 'vit_hybrid_micro'])
  parser.add_argument('--set', nargs='*', default=[], metavar='key=value')
  parser.add_argument('--render', action='store_true')
  arguments = parser.parse_args()
  keep_memory()
  jax.config.update('jax_compilation_cache_dir', str(Path.home() / '.cache' / 'jssl' / 'xla'))
  print(HEADER, flush=True)
  for system in [] if arguments.render else arguments.systems:
    for backbone in ['vit_micro'] if system in MASKED else arguments.backbones:
      settings = [f'--config.{s}' for s in arguments.set]
      if system not in MASKED and backbone != 'convnet':
        settings = [f'--config.backbone.name={backbone}', '--config.optimizer.learning_rate.peak=2e-3', *settings]
      results = run.train(run.load_config(system, settings), quiet=True)
      figures, baselines = results['figures'], results['baselines']
      margin = figures['linear_top1'] - max(b['linear_top1'] for b in baselines.values())
      row = dict(
        system=system, backbone=backbone, knn=figures['knn_top1'], linear=figures['linear_top1'], margin=margin,
        rankme=results['health']['rankme'], seconds=results['seconds'], alarms=results['alarms'], curve=results['curve'],
        figures=figures, baselines=baselines, settings=settings,
      )  # fmt: skip
      print(line(row), flush=True)
      with ROWS.open('a') as f:
        f.write(json.dumps(row) + '\n')
  render([json.loads(text) for text in ROWS.read_text().splitlines()])


def line(row: dict) -> str:
  c = run.load_config(row['system'], row['settings'])
  recipe = f'{c.epochs} of {c.batch_size}, {c.optimizer.learning_rate.peak:g}'
  cells = (
    row['system'], row['backbone'], recipe, str(row.get('tried', 1)), f'{row["knn"]:.3f}',
    f'{row["figures"]["linear_top1_validation"]:.3f}', f'{row["linear"]:.3f}', f'{row["margin"]:+.3f}',
    f'{row["rankme"]:.1f}', f'{row["seconds"]:.0f}', '; '.join(row['alarms']),
  )  # fmt: skip
  return f'| {" | ".join(cells)} |'


def render(rows: list[dict]) -> None:
  """The table and its picture: of the runs of a system on a backbone, the one that is best on validation."""
  validation = lambda row: row['figures']['linear_top1_validation']
  tried = Counter((row['system'], row['backbone']) for row in rows)
  best = {(row['system'], row['backbone']): row for row in sorted(rows, key=validation)}
  rows = [best[of] | dict(tried=n) for of, n in tried.items()]
  good = {row['system']: 0 for row in rows}
  for row in rows:
    good[row['system']] += row['margin'] >= MARGIN
  untrained = {'raw input': rows[0]['baselines']['raw_input']} | {
    f'{row["backbone"]} untrained': row['baselines']['random_init'] for row in rows[::-1]
  }
  text = [
    '# The canon on MNIST-5k, measured',
    '',
    'Written by `experiments/canon.py`: one run of a config (seed 0), 4,000 images to train on, the thousand held out to judge; linear',
    'and kNN accuracy. Where more than one recipe was tried on a backbone (`tried`), the row is the one of the best validation accuracy;',
    '`experiments/canon.jsonl` has them all, but for those of W-MSE before what shrinks its covariance was settled. What was tried by',
    'hand while a config was written is not counted.',
    f'{sum(n > 0 for n in good.values())} methods are {MARGIN:g} or more above the better of raw input and the untrained network by the',
    f'linear probe, {sum(n > 1 for n in good.values())} of them on both backbones. Seconds are of training, on one core.',
    '',
    HEADER,
    *map(line, rows),
    '',
    'Baselines (kNN, linear): ' + '; '.join(f'{name} {b["knn_top1"]:.3f}, {b["linear_top1"]:.3f}' for name, b in untrained.items()) + '.',
    '',
    '![Linear accuracy by method and backbone](canon.png)',
  ]  # fmt: skip
  below = [row for row in rows if row['margin'] < MARGIN and row.get('curve')]
  if below:
    text += ['', 'The losses of runs that did not come that far in this budget:', '', '![Losses by step](canon_curves.png)']
    draw_curves(below, ROOT / 'docs' / 'canon_curves.png')
  else:
    (ROOT / 'docs' / 'canon_curves.png').unlink(missing_ok=True)
  (ROOT / 'docs' / 'canon.md').write_text('\n'.join(text) + '\n')
  draw(rows, ROOT / 'docs' / 'canon.png')


def draw(rows: list[dict], path: Path) -> None:
  from matplotlib.figure import Figure

  systems = sorted({row['system'] for row in rows}, key=lambda s: -max(r['linear'] for r in rows if r['system'] == s))
  figure = Figure((9, 0.32 * len(systems) + 1.2), layout='constrained')
  axes = figure.subplots()
  for backbone, marker in zip(dict.fromkeys(row['backbone'] for row in rows), 'osD', strict=False):
    here = [row for row in rows if row['backbone'] == backbone]
    axes.plot([r['linear'] for r in here], [systems.index(r['system']) for r in here], marker, label=backbone, alpha=0.8)
  raw = rows[0]['baselines']['raw_input']['linear_top1']
  axes.axvline(raw, color='0.6', lw=1, label='raw input')
  axes.axvline(raw + MARGIN, color='0.6', lw=1, ls=':', label=f'raw input + {MARGIN:g}')
  axes.set(yticks=range(len(systems)), yticklabels=systems, xlabel='linear probe, accuracy on the held-out thousand')
  axes.invert_yaxis()
  axes.legend(fontsize=8)
  axes.spines[['top', 'right']].set_visible(False)
  figure.savefig(path, dpi=150)


def draw_curves(rows: list[dict], path: Path) -> None:
  from matplotlib.figure import Figure

  columns = min(len(rows), 4)
  lines = -(-len(rows) // columns)
  figure = Figure((2.6 * columns, 1.9 * lines), layout='constrained')
  for axes, row in zip(figure.subplots(lines, columns, squeeze=False).flat, rows, strict=False):
    axes.plot(*zip(*row['curve'], strict=True), lw=1)
    axes.set_title(f'{row["system"]}, {row["backbone"]}', fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[['top', 'right']].set_visible(False)
  for axes in figure.axes[len(rows) :]:
    axes.remove()
  figure.savefig(path, dpi=150)


if __name__ == '__main__':
  main()
