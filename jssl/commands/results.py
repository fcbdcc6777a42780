"""Tables of figures."""

import sys
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from jssl.core.log import as_json
from jssl.model import SAVED


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
    made.add_column(column)
  return made


def print_table(table: Table) -> None:
  """Prints a table; one that goes to a file or a pipe is as wide as it needs to be."""
  Console(width=None if sys.stdout.isatty() else 1000).print(table)
