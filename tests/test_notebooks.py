"""The notebooks: their outputs are those of their code, as `notebooks/executed.json` records, and code that has changed runs.

Notebooks whose code, or the code of jssl that they reach, has changed since they were executed run here, with training cut to two steps, as
long as NOTEBOOK_SECONDS last (10 by default). So does one more, chosen by a hash of the sources. `experiments/notebooks.py` executes them in
full.
"""

import ast
import hashlib
import json
import os
import re
import shlex
import time
from functools import cache
from pathlib import Path

import pytest

import jssl
from experiments import notebooks
from jssl import cli
from jssl.api import train
from tests.contracts import cases

NAMES = notebooks.names()
PLACES = re.compile(r'/(?:tmp|home|root|work|opt)/\S*|\d{4}-\d\d-\d\d[T ]\d\d:\d\d')  # of a machine, or times
SLOW = ('objectives_in_your_loop', 'your_own_method')  # have a loop of their own, or a check on several devices, which is not cut
SAID = ('WARNING:jssl:', 'collapse alarm at step')  # warnings of jssl that a notebook shows on purpose
spent = [0.0]


@cache
def changed() -> list[str]:
  return notebooks.changed()


@cache
def order() -> list[str]:
  """All notebooks, in an order that follows from the sources."""
  return sorted(NAMES, key=lambda name: hashlib.sha256(f'{cases.tree()} {name}'.encode()).hexdigest())


def short(method, data=None, **options):
  """`jssl.train` for at most two steps, with the protocols of the notebook."""
  return train(method, data, **{**options, 'epochs': None, 'steps': min(2, options.get('steps', 2)), 'batch_size': 16})


def run_cell(cell: str, names: dict) -> None:
  """Runs a cell as a notebook does: what its last line gives is shown."""
  if notebooks.SHELL.match(cell):
    assert cli.main(shlex.split(cell.partition('|')[0])[1:]) == 0
    return
  if written := notebooks.WRITTEN.match(cell):
    Path(written[1]).write_text(cell[written.end() :])
    return
  tree = ast.parse(cell)
  last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
  exec(compile(tree, '<cell>', 'exec'), names)
  if last:
    value = eval(compile(ast.Expression(last.value), '<cell>', 'eval'), names)
    for form in ('_repr_html_', '_repr_png_'):
      getattr(value, form, repr)() if hasattr(value, form) else repr(value)


def run_notebook(name: str, folder, monkeypatch, train) -> None:
  monkeypatch.chdir(folder)
  monkeypatch.syspath_prepend(folder)
  monkeypatch.setattr(jssl, 'train', train)
  monkeypatch.setattr(os, 'environ', dict(os.environ))
  monkeypatch.setenv('MPLBACKEND', 'agg')
  names = {'__name__': name}
  for cell in notebooks.cells(name):
    run_cell(cell, names)


@pytest.mark.parametrize('name', order())
def test_code_that_has_changed_runs(name, tmp_path, monkeypatch):
  stale = [other for other in order() if other in changed()]
  more = next((other for other in order() if other not in (*stale, *SLOW)), None)
  if name != more and name not in stale:
    pytest.skip('it was executed as it is')
  if name != more and spent[0] > float(os.environ.get('NOTEBOOK_SECONDS', 10)):
    pytest.skip('its code has changed, and there was no time for it: python experiments/notebooks.py')
  began = time.perf_counter()
  run_notebook(name, tmp_path, monkeypatch, short)
  spent[0] += time.perf_counter() - began


@pytest.mark.long
@pytest.mark.parametrize('name', NAMES)
def test_all_of_a_notebook_runs(name, tmp_path, monkeypatch):
  run_notebook(name, tmp_path, monkeypatch, train)


@pytest.mark.parametrize('name', NAMES)
def test_outputs_are_fit_to_be_shown(name):
  path = notebooks.FOLDER / f'{name}.ipynb'
  text = path.read_text()
  assert len(text) <= 400_000, f'{name} has {len(text)} bytes: draw smaller pictures'
  notebook = json.loads(text)
  code = [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']
  assert [cell['execution_count'] for cell in code] == [*range(1, len(code) + 1)], 'execute it: python experiments/notebooks.py'
  outputs = [output for cell in code for output in cell['outputs']]
  assert not [output for output in outputs if output['output_type'] == 'error']
  warned = [line for output in outputs if output.get('name') == 'stderr' for line in ''.join(output['text']).splitlines()]
  assert not [line for line in warned if not line.startswith(SAID)], 'only what jssl itself says is shown'
  assert not [cell for cell in code if cell['metadata']], 'with times of execution'
  shown = json.dumps([{**output, 'data': {k: v for k, v in output.get('data', {}).items() if k != 'image/png'}} for output in outputs])
  assert not PLACES.search(shown), PLACES.search(shown)


def test_notebooks_begin_alike_and_are_listed():
  first = {notebooks.cells(name)[0] for name in NAMES}
  assert len(first) == 1, 'the first cell installs jssl where it is missing'
  page = (notebooks.FOLDER.parent / 'docs' / 'notebooks.md').read_text()
  assert NAMES == sorted(re.findall(r'notebooks/(\w+)\.ipynb', page))


def test_a_hash_follows_what_a_notebook_reaches():
  from jssl.ledger import reach

  before = reach.Code(left_out=())
  edit = lambda module, old, new: reach.Code({module: reach.source(module).decode().replace(old, new)}, left_out=())
  other = edit('jssl.objectives.redundancy', 'def vicreg(', 'def vicreg_(')
  assert notebooks.hashed('objectives_in_your_loop', before) != notebooks.hashed('objectives_in_your_loop', other)
  assert notebooks.hashed('own_pictures', before) == notebooks.hashed('own_pictures', other)
