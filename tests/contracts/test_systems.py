"""The contracts, over the table of systems: a new config is tested by being there. Which of them are run, `cases.py` tells."""

import ast
import re
from collections.abc import Collection
from importlib import util

import pytest

from jssl import configs, testing
from jssl.core.build import open_data
from jssl.errors import DataError
from jssl.tables import MEMORIES, PASSES, TEACHERS
from tests.contracts.cases import CONFIGS, CONTRACTS, SYSTEMS, config, parts, representatives
from tests.made import MADE


@pytest.fixture(params=[*SYSTEMS, *MADE])
def name(request):
  needs_data(config(request.param))
  return request.param


def needs_data(c):
  """Skips where a package that carries the data, or the tokenizer, is not installed."""
  try:
    open_data(dict(c['data']))
  except DataError as error:
    pytest.skip(str(error))


def test_representatives_have_every_part():
  covered = set().union(*map(parts, representatives()))
  tables = {'pass': PASSES, 'teacher': TEACHERS, 'memory': MEMORIES}
  assert {(kind, name) for kind, table in tables.items() for name in table} <= covered
  assert {('phases', 'yes'), ('cycle', 'yes')} <= covered


@pytest.mark.parametrize('name', SYSTEMS)
def test_traces_at_full_size(name):
  needs_data(CONFIGS[name].to_dict())
  testing.check_traces(configs.module(name).get_config())


def test_devices_and_micro_batches_change_nothing(name):
  testing.check_method(config(name), steps=0)  # which the next test does


def test_trains_resumes_and_compiles_each_step_once(name):
  testing.check_resumes(config(name), steps=4 if len(config(name).get('phases', ())) < 3 else 8)


def test_every_contract_has_a_test():
  assert {f'test_{contract}' for contract in CONTRACTS} <= {*globals()}


@pytest.mark.parametrize('name', CONFIGS)
def test_config_says_where_it_comes_from(name):
  source = open(util.find_spec(configs.names()[name]).origin).read()
  tree = ast.parse(source)
  paper = ast.get_docstring(tree, clean=False) or ''
  assert re.search(r'(arXiv:\d{4}\.\d{4,5}|doi:10\.)', paper), 'the first line names the paper with its arXiv number or DOI'
  published = getattr(configs.module(name), 'PUBLISHED', {})
  apart = [range(node.lineno, node.end_lineno + 1) for node in ast.walk(tree) if _is_beside(node, published)]
  code = [line for i, line in enumerate(source.splitlines(), 1) if line.strip() and not any(i in lines for lines in apart)]
  count = len(code) - len([line for line in paper.splitlines() if line.strip()])
  assert count <= (60 if configs.module(name).get_config().get('phases') else 40), 'beside docstring, claim, parts and published scale'


def _is_beside(node: ast.AST, published: Collection[str]) -> bool:
  """Whether a node is the claim, the parts or one of the published scales."""
  if isinstance(node, ast.FunctionDef):
    return node.name in published
  return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute) and node.targets[0].attr in ('claim', 'parts')
