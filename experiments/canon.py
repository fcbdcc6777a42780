"""Trains the image canon on MNIST-5k, on backbones of different kinds, and prints one table.

    python experiments/canon.py [--systems simclr byol ...] [--backbones convnet vit_hybrid_micro] [--out FILE]

Every row is a run of the system's config as it stands but for its backbone; those that hide patches stand on their own.
"""

import argparse
import json
from pathlib import Path

import jax

from jssl import cli, run

# Systems that hide patches need a backbone that has patches.
JOINT = [
  'simclr', 'supcon', 'moco_v2', 'moco_v3', 'byol', 'simsiam', 'barlow_twins', 'vicreg', 'w_mse', 'swav', 'dino', 'nnclr',
]  # fmt: skip
MASKED = ['mae', 'simmim', 'ijepa', 'data2vec']


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument('--systems', nargs='*', default=JOINT + MASKED)
  parser.add_argument('--backbones', nargs='*', default=['convnet', 'vit_hybrid_micro'])
  parser.add_argument('--set', nargs='*', default=[], metavar='key=value')
  parser.add_argument('--out', type=Path)
  arguments = parser.parse_args()
  cli.keep_memory()
  jax.config.update('jax_compilation_cache_dir', str(Path.home() / '.cache' / 'jssl' / 'xla'))
  print('| system | backbone | kNN | linear | margin over baselines | RankMe | seconds |\n|---|---|---|---|---|---|---|', flush=True)
  for system in arguments.systems:
    for backbone in ['vit_micro'] if system in MASKED else arguments.backbones:
      settings = [f'--config.{s}' for s in arguments.set]
      if system not in MASKED and backbone != 'convnet':
        settings = [f'--config.backbone.name={backbone}', '--config.optimizer.learning_rate.peak=2e-3', *settings]
      results = run.train(run.load_config(system, settings), quiet=True)
      figures, baselines = results['figures'], results['baselines']
      margin = figures['linear_top1'] - max(b['linear_top1'] for b in baselines.values())
      row = dict(
        system=system, backbone=backbone, knn=figures['knn_top1'], linear=figures['linear_top1'], margin=margin,
        rankme=results['health']['rankme'], seconds=results['seconds'], alarms=results['alarms'],
      )  # fmt: skip
      print(
        f'| {system} | {backbone} | {row["knn"]:.3f} | {row["linear"]:.3f} | {margin:+.3f} | {row["rankme"]:.1f} '
        f'| {row["seconds"]:.0f} |' + ''.join(f' {a}' for a in row['alarms']),
        flush=True,
      )
      if arguments.out:
        with arguments.out.open('a') as f:
          f.write(json.dumps(row | dict(figures=figures, baselines=baselines, settings=settings)) + '\n')


if __name__ == '__main__':
  main()
