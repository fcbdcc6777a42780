"""The documentation as a site: pages made from the code, and their links."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jssl
from jssl import configs
from jssl.tables import TABLES

DOCS = Path(__file__).resolve().parents[1] / 'docs'


@pytest.fixture(scope='module')
def site(tmp_path_factory):
  spec = importlib.util.spec_from_file_location('reference', DOCS / 'reference.py')
  reference = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(reference)
  folder = tmp_path_factory.mktemp('docs')
  reference.write(folder)
  return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob('*.md')}


def test_every_name_of_a_table_and_every_public_name_is_in_the_reference(site):
  for table, entries in TABLES.items():
    if table != 'metrics':
      found = set(re.findall(r'^## (\w+)$', site[f'reference/{table}.md'], re.M))
      assert {*entries} <= found, table
  public = set(re.findall(r'^## (\w+)$', site['reference/api.md'], re.M))
  assert {name for name in jssl.__all__ if name != 'objectives'} <= public


def test_every_system_has_a_page_with_its_options(site):
  for name in configs.names():
    assert f'system/{name}.md' in site and '| seed |' in site[f'system/{name}.md'].replace('*', ''), name


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
