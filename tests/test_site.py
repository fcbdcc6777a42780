"""The documentation as a site: pages made from the code, and their links."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import jssl
from jssl import configs
from jssl.tables import TABLES

DOCS = Path(__file__).resolve().parents[1] / 'docs'
FORMULAS = tomllib.loads((DOCS / 'formulas.toml').read_text())


def module(name):
  spec = importlib.util.spec_from_file_location(name, DOCS / f'{name}.py')
  found = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(found)
  return found


@pytest.fixture(scope='module')
def site(tmp_path_factory):
  folder = tmp_path_factory.mktemp('docs')
  module('reference').write(folder)
  return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob('*.md')}


def test_every_name_of_a_table_and_every_public_name_is_in_the_reference(site):
  for table, entries in TABLES.items():
    if table != 'metrics':
      found = set(re.findall(r'^##+ (\w+)$', site[f'reference/{table}.md'], re.M))
      assert {*entries} <= found, table
  public = set(re.findall(r'^## (\w+)$', site['reference/api.md'], re.M))
  assert {name for name in jssl.__all__ if name != 'objectives'} <= public


def test_every_system_has_a_page_with_its_options(site):
  for name in configs.names():
    assert f'system/{name}.md' in site and '| seed |' in site[f'system/{name}.md'].replace('*', ''), name


def test_every_objective_has_a_formula_and_a_reference(site):
  assert FORMULAS.keys() == TABLES['objectives'].keys()
  entries = re.split(r'^### ', site['reference/objectives.md'], flags=re.M)[1:]
  assert len(entries) == len(FORMULAS)
  for entry in entries:
    assert entry.count('```{math}') == 1 and '**Reference.**' in entry, entry.partition('\n')[0]


def test_braces_of_formulas_are_closed():
  for name, formula in FORMULAS.items():
    plain = re.sub(r'\\[{}]', '', formula)
    assert plain.count('{') == plain.count('}') and formula.count(r'\left') == formula.count(r'\right'), name


def test_formulas_are_rendered():
  pytest.importorskip('latex2mathml')
  pytest.importorskip('docutils')
  mathml = module('mathml').mathml
  for name, formula in FORMULAS.items():
    for row in re.sub(r'\n +', ' ', formula.strip()).splitlines():
      assert mathml(row, 'block').startswith('<math'), name
  with pytest.raises(ValueError, match='does not know'):
    mathml(r'\unknown{x}')


def test_links_between_pages_lead_somewhere(site):
  pages = {**site, **{path.name: path.read_text() for path in DOCS.glob('*.md')}}
  anchors = {
    name: {re.sub(r'[^\w\- ]', '', h.lower()).replace(' ', '-') for h in re.findall(r'^#+ (.*)$', text, re.M)} for name, text in pages.items()
  }
  for name, text in pages.items():
    for target in re.findall(r'\]\(((?:\.\./)?[\w/]+\.md(?:#[\w-]+)?)\)', text):
      path, _, anchor = target.partition('#')
      where = (Path('/', name).parent / path).resolve().relative_to('/').as_posix()
      if not target.startswith('../') or '/' in name:
        assert where in pages, f'{name}: {target}'
        assert not anchor or anchor in anchors[where], f'{name}: {target}'


@pytest.mark.long
def test_the_site_is_built_without_a_warning(tmp_path):
  pytest.importorskip('sphinx')
  command = [sys.executable, '-m', 'sphinx', '-W', '-q', str(DOCS), str(tmp_path)]
  built = subprocess.run(command, capture_output=True, text=True)
  assert built.returncode == 0, built.stderr
