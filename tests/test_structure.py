"""The house: imports point down, and an objective costs a plain import of jax."""

import ast
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _graph():
  spec = importlib.util.spec_from_file_location('import_graph', ROOT / 'experiments' / 'import_graph.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_imports_point_down():
  graph = _graph()
  assert not graph.wrong_way(graph.imports())


def test_modules_import_each_other_in_no_circle_and_no_longer_chain_than_fourteen():
  imports = _graph().modules()
  longest: dict[str, int] = {}

  def chain(module: str, above: tuple[str, ...] = ()) -> int:
    assert module not in above, f'a circle: {" -> ".join([*above[above.index(module) :], module])}'
    if module not in longest:
      longest[module] = 1 + max((chain(other, (*above, module)) for other in imports[module]), default=0)
    return longest[module]

  assert max(map(chain, imports)) <= 14


def test_long_files_say_why():
  for path in (ROOT / 'jssl').rglob('*.py'):
    text = path.read_text()
    assert len(text.splitlines()) <= 500 or 'One file, since' in text, f'{path} is long: split it, or say why in its docstring'


def test_core_is_small():
  lines = sum(len(p.read_text().splitlines()) for p in (ROOT / 'jssl' / 'core').glob('*.py'))
  assert lines <= 2300, f'jssl/core has {lines} lines'


def test_every_function_is_used():
  text = {p: p.read_text() for room in ('jssl', 'configs', 'experiments') for p in (ROOT / room).rglob('*.py')}
  words = Counter(word for own in text.values() for word in re.findall(r'\w+', own))
  idle = [
    f'{path.relative_to(ROOT)}: {node.name}'
    for path, own in text.items() if path.is_relative_to(ROOT / 'jssl')
    for node in ast.parse(own).body
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and words[node.name] < 2
  ]  # fmt: skip
  # What Python calls, and a formula that only its tests evaluate.
  assert {*idle} <= {'jssl/__init__.py: __getattr__', 'jssl/__init__.py: __dir__', 'jssl/objectives/spectrum.py: effective_rank'}


def test_objectives_import_nothing_heavy():
  code = 'import sys; from jssl import objectives; print([m for m in sys.argv[1:] if m in sys.modules])'
  heavy = ['tensorflow_datasets', 'grain', 'orbax', 'orbax.checkpoint', 'tokenizers', 'flax', 'sklearn', 'matplotlib', 'rich']
  found = subprocess.run([sys.executable, '-c', code, *heavy], capture_output=True, text=True, check=True, cwd=ROOT)
  assert found.stdout.strip() == '[]'


def test_the_table_of_passes_is_of_today():
  from experiments import passes_page

  assert passes_page.PAGE.read_text() == passes_page.page(), 'run python experiments/passes_page.py'
