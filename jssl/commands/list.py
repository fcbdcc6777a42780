"""jssl list: every system, its paper and its claim."""

import json
import shutil
import sys
import textwrap

from jssl.errors import UsageError
from jssl.ledger import catalogue
from jssl.options import closest

PAPER = 32  # columns that the paper has at least, where columns are left out to fit the terminal


def run(arguments, overrides) -> None:
  rows = [row for row in catalogue.systems() if arguments.family in (None, row['family'])]
  if not rows:
    known = {row['family'] for row in catalogue.systems()}
    raise UsageError(f'no family is called {arguments.family!r}{closest(arguments.family, known)}')
  if arguments.json:
    print(json.dumps({'systems': rows}))
    return
  state = lambda claim: claim['state'].replace('_', ' ') + (' (stale)' if claim['stale'] else '')
  of = dict(
    family=lambda row: row['family'], kind=lambda row: row['kind'], scales=lambda row: ' '.join(row['scales']),
    fidelity=lambda row: row['fidelity'], claim=lambda row: state(row['claim']),
  )  # fmt: skip
  cells = {'name': [row['name'] for row in rows]} | {name: [of[name](row) for row in rows] for name in of}
  papers = [row['paper'] for row in rows]
  wide, left_out = shutil.get_terminal_size().columns if sys.stdout.isatty() else None, []
  used = lambda: sum(2 + max(map(len, of)) for of in cells.values())
  for name in ('scales', 'kind', 'fidelity', 'claim', 'family'):
    if wide and wide - used() < PAPER:
      left_out.append(name)
      del cells[name]
  columns = [[f'{text:{max(map(len, of))}}' for text in of] for of in cells.values()]
  for *row, paper in zip(*columns, papers, strict=True):
    line = '  '.join([*row, paper])
    print(line if not wide or len(line) <= wide else f'{line[: wide - 1]}…')
  if left_out:
    note = f'{len(rows)} systems. The columns {", ".join(left_out)} do not fit: see --json, a wider terminal, or `jssl show NAME`.'
    print('', *textwrap.wrap(note, wide), sep='\n')
