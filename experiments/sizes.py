"""Counts the lines that each system added, and writes docs/sizes.md.

    python experiments/sizes.py

The size of a system is the number of lines of its config, and of the objectives and passes that it is the first to use. Blank lines,
comments and docstrings do not count. Systems are counted in the order of the table: first those without a number, then by their number in
the list of papers. A loop in experiments/loops counts for its system.
"""

import ast
import inspect
import statistics
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any

from jssl import configs, experiments, tables
from jssl.ledger import catalogue

PARTS = ('config', 'objective', 'pass', 'loop', 'all')
ROOT = Path(__file__).resolve().parents[1]
# What systems of later kinds asked of jssl/core, and why.
CORE = (
  ('all analyses; INLP, RepE, Retrofitting, FEET', 'build, loop, method',
   'a config names evaluators, a transform of the features, or a loop; evaluators take a Subject instead of an array'),
  ('SPR, self-predictive RL, TACO', 'loop', 'a source may generate data with the current policy, so it receives the current networks'),
  ('SODA, InfoDiffusion, UMD', 'build', 'noise is a view with its own keyword'),
  ('DINO, SwAV, and all methods with a teacher', 'build, method', 'the health panel observes the inputs of losses in addition to features'),
)  # fmt: skip


def code_lines(source: str) -> int:
  """Lines that hold code."""
  tree = ast.parse(inspect.cleandoc(source) if source.startswith(' ') else source)
  told: set[int] = set()
  for node in ast.walk(tree):
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
      told |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
  lines = enumerate(source.splitlines(), 1)
  return sum(1 for i, line in lines if i not in told and line.strip() and not line.strip().startswith('#'))


def named(config: Any, key: str = '') -> Iterator[tuple[str, str]]:
  """(keyword that holds it, name) of all that a config names."""
  if isinstance(config, Mapping):
    if isinstance(config.get('name'), str):
      yield key, config['name']
    for k, value in config.items():
      yield from named(value, k)


def sizes() -> list[dict[str, Any]]:
  """A row a system, in the order in which lines are charged."""
  order = sorted(catalogue.systems(), key=lambda row: (row['number'] is not None, row['number'] or 0, row['name']))
  seen: set[Any] = set()
  rows = []
  for row in order:
    c = configs.module(row['name']).get_config().to_dict()
    source = Path(util.find_spec(configs.names()[row['name']]).origin).read_text()
    count = {'config': code_lines(source), 'objective': 0, 'pass': 0, 'loop': 0}
    entries = [('pass', tables.TABLES['passes'][spec['name']]) for spec in c.get('passes', {}).values()]
    entries += [('objective', tables.TABLES['objectives'].get(name)) for spec in c.get('losses', {}).values() for _, name in named(spec)]
    for part, entry in entries:
      entry = entry.func if isinstance(entry, partial) else entry
      if entry is not None and entry not in seen:
        seen.add(entry)
        count[part] += code_lines(inspect.getsource(entry))
    if c.get('experiment'):
      count['loop'] = code_lines(inspect.getsource(experiments.module(c['experiment']['name'])))
    rows.append(dict(name=row['name'], number=row['number'], **count, all=sum(count.values())))
  return rows


def page() -> str:
  rows = sizes()
  new = [row for row in rows if row['number'] is not None]
  lines = [
    '# Sizes of systems',
    '',
    f'The {len(new)} systems with a number have a median of {statistics.median(row["all"] for row in new):g} lines, '
    f'of which {statistics.median(row["config"] for row in new):g} are the config.',
    '',
    ' '.join(__doc__.strip().splitlines()[4:]) + ' Counted by `experiments/sizes.py`.',
    '',
    '| system | number | config | objective | pass | loop | all |',
    '|---|---|---|---|---|---|---|',
    *(f'| {r["name"]} | {r["number"] or "–"} | ' + ' | '.join(str(r[part] or '') for part in PARTS) + ' |' for r in rows),
    '',
    '## Changes of the core',
    '',
    'These systems needed changes of `jssl/core`. All others needed none.',
    '',
    '| systems | module | reason |',
    '|---|---|---|',
    *(f'| {" | ".join(change)} |' for change in CORE),
  ]
  return '\n'.join(lines) + '\n'


if __name__ == '__main__':
  (ROOT / 'docs' / 'sizes.md').write_text(page())
