"""Times systems next to other libraries, and writes docs/speed.md.

    python experiments/bench_page.py                   all cases
    python experiments/bench_page.py vit mae           these
    python experiments/bench_page.py --page            writes the page from experiments/bench.json alone

Needs `pip install 'jssl[peers]'`. Leave the machine alone while it runs.
"""

import argparse
import datetime
import json
import re
from pathlib import Path

from jssl.bench.bench import PEERS, bench
from jssl.plans.report import count, size_of

ROOT = Path(__file__).resolve().parents[1]
HELD = ROOT / 'experiments' / 'bench.json'
VIT = '--config.backbone.name=vit_tiny --config.backbone.depth=6 --config.backbone.patch=4'
LOCAL = ','.join(["{'size':16,'crop':{'scale':(0.2,0.5)}}"] * 4)
CASES = {  # name -> what it is, the arguments of `jssl bench`, and the libraries
  'vit': ('SimCLR, ViT-Ti/4 of 6 blocks, 128 views of 28 pixels', f'simclr --config.batch_size=64 {VIT}', 'lightly,torch'),
  'dino': (
    'DINO, the same ViT, two views of 28 pixels and four of 16',
    f'dino --config.batch_size=32 {VIT} --config.view.views=({{}},{{}},{LOCAL}) --config.passes.views.teacher_views=2 '
    '--config.heads.projector.norm=none',
    'lightly,torch',
  ),
  'mae': ('MAE, the same ViT as the encoder', f'mae --config.batch_size=64 {VIT}', 'lightly,torch'),
  'convnet': ('SimCLR, four convolutions with kernels of 3', 'simclr --config.backbone.kernel=3', 'lightly,torch'),
  'default': ('SimCLR, the default network', 'simclr', 'lightly,torch'),
  'resnet18': ('SimCLR, ResNet-18 for small images', "simclr --config.batch_size=64 --config.backbone={'name':'resnet18'}", 'lightly,torch'),
  'sentences': (
    'SimCSE, MiniLM, 64 texts of 32 tokens',
    'simcse --config.batch_size=64 --config.data.name=lee --config.data.length=32 --config.backbone.depth=6',
    'sentence-transformers',
  ),
  'distmult': ('DistMult, Kinships', 'distmult', 'pykeen'),
  'words': ('Skip-gram with negative samples', 'word2vec', 'gensim'),
}  # fmt: skip


INTRODUCTION = """\
# Speed

Training iterations of jssl and of other libraries, with the same network, batch size, views, kind of optimiser and precision (float32), on the
same machine in the same minutes. An iteration is input, views, loss, gradients and update. Each library trains in a process of its own, and the
processes take turns of two seconds, in alternating order. While one trains, the others are stopped. The ratio is the time of the other library
over that of jssl in the same round: the median over the rounds, with quartiles. Above 1, jssl is faster.
"""
STEP = """
The compiled step of jssl, with the share of the operations per second that products of 1,024 x 1,024 matrices reach in the same turns, and
the seconds from the start of a process to the end of its first iteration:
"""


def page(held: dict) -> str:
  lines = [
    *INTRODUCTION.split('\n'),
    'Written by `experiments/bench_page.py`. To repeat one of them:',
    '',
    '```',
    "pip install 'jssl[peers]'",
    *(f'jssl bench {arguments} --against {against}' for _, arguments, against in list(CASES.values())[2:3]),
    '```',
    '',
    '| training | batch | jssl | other | ratio |',
    '|---|---|---|---|---|',
  ]
  for name, (title, _, _) in CASES.items():
    if name not in held:
      continue
    ours, *others = held[name]['rows']
    for row in others:
      ratio = f'{row["ratio"]:.2f} [{row["ratio_low"]:.2f}, {row["ratio_high"]:.2f}]'
      lines.append(
        f'| {title} | {ours["batch_size"]} | {_time(ours["seconds"])} | {PEERS[row["name"]][1]}: {_time(row["seconds"])} | {ratio} |'
      )
  lines += ['', '"PyTorch, views ready" leaves out input and views of PyTorch, and not those of jssl. PyTorch is eager.', '']
  lines += [
    *STEP.strip().split('\n'),
    '',
    '| training | parameters | operations | temporary memory | share | first iteration |',
    '|---|---|---|---|---|---|',
  ]
  for name, (title, _, _) in CASES.items():
    if name in held:
      ours = held[name]['rows'][0]
      share = f'{held[name]["share"]:.0%}' if ours['operations'] else ''
      lines.append(
        f'| {title} | {count(ours["parameters"])} | {count(ours["operations"]) if ours["operations"] else ""} '
        f'| {size_of(ours["temporary_bytes"])} | {share} | {ours["first_iteration_seconds"]:.1f} s |'
      )
  lines += ['', '| training | commands | date, machine and versions |', '|---|---|---|']
  for name, (title, arguments, against) in CASES.items():
    if name in held:
      one = held[name]
      versions = one['versions'] | {k: v for row in one['rows'][1:] for k, v in row['versions'].items()}
      told = ', '.join(f'{k} {v}' for k, v in versions.items() if k != 'jssl')
      command = re.sub(r'([|])', r'\\\1', f'jssl bench {arguments} --against {against}')
      lines.append(f'| {title} | `{command}` | {one["date"]}, {one["machine"]["cores"]} cores {one["machine"]["processor"]}; {told} |')
  return '\n'.join([*lines, ''])


def _time(seconds: float) -> str:
  return f'{seconds:.2f} s' if seconds >= 1 else f'{1000 * seconds:.3g} ms'


if __name__ == '__main__':
  parser = argparse.ArgumentParser()
  parser.add_argument('cases', nargs='*', choices=[[], *CASES])
  parser.add_argument('--page', action='store_true')
  parser.add_argument('--rounds', type=int, default=7)
  given = parser.parse_args()
  held = json.loads(HELD.read_text()) if HELD.exists() else {}
  for case in [] if given.page else given.cases or CASES:
    _, arguments, against = CASES[case]
    name, *settings = arguments.split()
    held[case] = bench(name, settings, against=against.split(','), rounds=given.rounds) | {'date': str(datetime.date.today())}
    print(case, [(row['name'], round(row['seconds'], 4), round(row['ratio'], 2)) for row in held[case]['rows']], flush=True)
    HELD.write_text(json.dumps(held, indent=1, sort_keys=True) + '\n')
  (ROOT / 'docs' / 'speed.md').write_text(page(held))
