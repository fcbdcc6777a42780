"""Draws docs/imports.svg: which package of jssl imports which. Arrows only point down.

python experiments/import_graph.py
"""

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# From the top of the house to its ground; a package imports only from lower floors.
FLOORS = [
  ['cli', 'testing'],
  ['commands'],
  ['comparison', 'sweeps', 'bench'],
  ['several', 'api'],
  ['report'],
  ['ledger'],
  ['run', 'replay', 'show'],
  ['trackers'],
  ['model', 'processes', 'resume', 'plans', 'panel', 'curves'],
  ['export', 'folders'],
  ['loops', 'artefact', 'inputs', 'adapt'],
  ['core'],
  ['keys', 'configs', 'starts', 'changes', 'exports', 'sizes', 'optimizer', 'progress', 'signals'],
  ['options'],
  ['evaluators', 'data', 'passes'],
  ['parts'],
  ['metrics'],
  ['objectives', 'views', 'masks', 'noise', 'negatives', 'models', 'transforms', 'pictures', 'envs'],
  ['ops', 'experiments', 'devices'],
  ['tables'],
  ['weights'],
  ['types', 'modules', 'arguments', 'locks', 'console'],
  ['storage'],
  ['errors'],
]


def package(module: str) -> str:
  return module.split('.')[1] if '.' in module else module


def imports() -> dict[str, set[str]]:
  """package -> packages of jssl that its files import, at the top of a file or within a function."""
  found = defaultdict(set)
  for path in sorted((ROOT / 'jssl').rglob('*.py')):
    parts = path.relative_to(ROOT).with_suffix('').parts
    here = parts[1] if len(parts) > 1 else 'jssl'
    if here in ('__init__', '__main__'):
      continue
    for node in ast.walk(ast.parse(path.read_text())):
      names = []
      if isinstance(node, ast.ImportFrom) and node.module and node.module.split('.')[0] == 'jssl':
        names = [f'{node.module}.{a.name}' for a in node.names] if node.module == 'jssl' else [node.module]
      elif isinstance(node, ast.Import):
        names = [a.name for a in node.names if a.name.split('.')[0] == 'jssl']
      found[here] |= {package(n) for n in names} - {here, 'jssl'}
  return dict(found)


def modules() -> dict[str, set[str]]:
  """module -> modules of jssl that it imports at the top of its file."""
  paths = {'.'.join(p.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): p for p in (ROOT / 'jssl').rglob('*.py')}
  found = {}
  for name, path in paths.items():
    named = set()
    for node in ast.parse(path.read_text()).body:
      if isinstance(node, ast.ImportFrom) and node.module:
        named |= {x if (x := f'{node.module}.{a.name}') in paths else node.module for a in node.names}
      elif isinstance(node, ast.Import):
        named |= {a.name for a in node.names}
    found[name] = {x for x in named if x in paths} - {name}
  return found


def wrong_way(graph: dict[str, set[str]]) -> list[str]:
  """Imports that do not point to a lower floor."""
  floor = {name: i for i, names in enumerate(FLOORS) for name in names}
  return [f'{a} -> {b}' for a, targets in sorted(graph.items()) for b in sorted(targets) if floor[a] >= floor[b]]


def draw(graph: dict[str, set[str]], path: Path) -> None:
  import matplotlib

  matplotlib.use('Agg')
  import matplotlib.pyplot as plt

  figure, axes = plt.subplots(figsize=(9, 7))
  place = {}
  for row, names in enumerate(FLOORS):
    shown = [n for n in names if n in graph or any(n in t for t in graph.values())]
    for column, name in enumerate(shown):
      place[name] = ((column - (len(shown) - 1) / 2) * 2.0, -row * 1.3)
  for a, targets in graph.items():
    for b in targets:
      if a in place and b in place:
        near = abs(place[a][1] - place[b][1]) < 2
        axes.annotate(
          '', place[b], place[a], zorder=1,
          arrowprops=dict(arrowstyle='-|>', color='#4a6fa5' if near else '#c3cfdf', shrinkA=16, shrinkB=16, lw=1.1,
                          connectionstyle='arc3,rad=0' if near else 'arc3,rad=0.12'),
        )  # fmt: skip
  for name, (x, y) in place.items():
    axes.text(x, y, name, ha='center', va='center', fontsize=11, zorder=2,
              bbox=dict(boxstyle='round,pad=0.45', fc='#f4f7fb', ec='#4a6fa5'))  # fmt: skip
  axes.set_xlim(-6.2, 6.2)
  axes.set_ylim(-len(FLOORS) * 1.3 + 0.6, 0.8)
  axes.axis('off')
  figure.tight_layout()
  figure.savefig(path)


if __name__ == '__main__':
  graph = imports()
  if wrong := wrong_way(graph):
    sys.exit('imports that point up: ' + ', '.join(wrong))
  draw(graph, ROOT / 'docs' / 'imports.svg')
  draw(graph, ROOT / 'docs' / 'imports.png')
