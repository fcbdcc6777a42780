"""Tables of figures."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from jssl.core.log import as_json
from jssl.model import SAVED

UNBOUNDED = 10_000  # columns, so that rich cuts nothing


def print_results(results: dict[str, Any], workdir: Path, plain: bool) -> None:
  """Prints the results of a run: figures beside those of baselines, curves, alarms, files; with `plain`, as one JSON object."""
  if plain:
    print(as_json(results))
    return
  figures = results['figures']
  if figures:
    names = [n for n in figures if not n.endswith(('_low', '_high', '_std', '_validation'))]
    shown = table('', *names)
    for row, values in [*results['baselines'].items(), (results['name'], figures)]:
      shown.add_row(row.replace('_', ' '), *(_figure(values, n) for n in names))
    print_table(shown)
  if curves := results.get('validation'):
    shown = table('validation', 'raw input', 'start', 'best', 'at step', 'end')
    for name, of in curves.items():
      steps, values = of['steps'], of['values']
      top = max(range(len(values)), key=values.__getitem__)
      start = f'{values[0]:.3f}' if steps[0] == 0 else ''
      shown.add_row(name, _figure(of, 'raw_input'), start, f'{values[top]:.3f}', str(steps[top]), f'{values[-1]:.3f}')
    print_table(shown)
  for line in results.get('alarms', []):
    print(f'collapse alarm: {line}')
  if results.get('seconds'):
    print(f'trained in {results["seconds"]:.0f} s')
  names = [path.name for path in workdir.iterdir() if path.is_file()] + [f'{SAVED}/'] * (workdir / SAVED).is_dir()
  print(f'{workdir}: ' + ', '.join(sorted(names)))


def _figure(values: dict[str, float], name: str) -> str:
  if name not in values:
    return ''
  text = f'{values[name]:.3f}'
  if f'{name}_low' in values:
    text += f' [{values[f"{name}_low"]:.3f}, {values[f"{name}_high"]:.3f}]'
  return text


def table(*columns: str) -> Table:
  """An empty table with these columns."""
  made = Table(box=box.SIMPLE)
  for column in columns:
    made.add_column(column, no_wrap=True)
  return made


def print_table(table: Table) -> None:
  """Prints a table, fitted to the width of the terminal, or to 80 columns (or the variable COLUMNS) in a file or a pipe."""
  for part in fitted(table, shutil.get_terminal_size().columns):
    Console(width=UNBOUNDED).print(part)


def fitted(shown: Table, width: int) -> Iterator[Table]:
  """Yields a table as it is if it fits the width; else with rows and columns exchanged, and if need be in parts of fewer columns.

  Names and figures are never cut: a table with a single wide column may exceed the width.
  """
  rows = [[str(column.header) for column in shown.columns], *zip(*(column.cells for column in shown.columns), strict=True)]
  turned = [*zip(*rows, strict=True)]
  for cells in (rows, turned, beneath := [[cell.replace(' [', '\n[') for cell in row] for row in turned]):
    if _width(made := _made(cells)) <= width:
      yield made
      return
  first, last = 1, len(rows)
  part = lambda first, stop: _made([[row[0], *row[first:stop]] for row in beneath])
  while first < last:
    stop = max((n for n in range(first + 1, last + 1) if _width(part(first, n)) <= width), default=first + 1)
    yield part(first, stop)
    first = stop


def _made(rows: Sequence[Sequence[str]]) -> Table:
  made = table(*rows[0])
  for row in rows[1:]:
    made.add_row(*row)
  return made


def _width(table: Table) -> int:
  return Console(width=UNBOUNDED).measure(table).maximum
