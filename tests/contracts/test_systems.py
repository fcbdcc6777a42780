"""The contracts, over the table of systems: a new config is tested by being there."""

import ast
import re
import shutil
from importlib import util

import jax
import numpy as np
import pytest

from jssl import configs, testing
from jssl.core import loop
from jssl.core.build import open_data, plan
from jssl.data import DataError
from jssl.tables import TERMS
from tests.small import small

CONFIGS = {name: configs.module(name).get_config() for name in sorted(configs.names())}
SYSTEMS = [name for name, c in CONFIGS.items() if c.get('terms')]  # others train nothing, or in a loop of their own


def representatives() -> set[str]:
  """Systems that between them have every file of terms, every teacher and every memory."""
  covered, chosen = set(), set()
  for name in ('simclr', 'moco_v2', 'dino', 'w_mse', *SYSTEMS):
    c = CONFIGS[name].to_dict()
    parts = {TERMS[term['name']].__module__ for term in c['terms'].values()}
    parts |= {('memory', term['memory']['name']) for term in c['terms'].values() if term.get('memory')}
    parts |= {('teacher', c['teacher']['name'])} if c.get('teacher') else set()
    if parts - covered:
      covered |= parts
      chosen.add(name)
  return chosen


# The others are held to the same by `pytest -m long`, and their figures are those of docs/exactness.md.
COMPILED = [pytest.param(name, marks=() if name in representatives() else pytest.mark.long) for name in SYSTEMS]


@pytest.fixture(params=COMPILED)
def name(request):
  needs_data(small(request.param))
  return request.param


def needs_data(config):
  """Skips where a package that carries the data, or the tokenizer, is not installed."""
  try:
    open_data(dict(config['data']))
  except DataError as error:
    pytest.skip(str(error))


@pytest.mark.parametrize('name', SYSTEMS)
def test_traces_at_full_size(name):
  needs_data(CONFIGS[name].to_dict())
  testing.check_traces(configs.module(name).get_config())


def test_devices_and_micro_batches_change_nothing(name):
  testing.check_method(small(name))


def test_trains_resumes_and_compiles_once(name, tmp_path):
  """Four steps, and the last two again from the checkpoint in their middle: the same bits, and figures."""
  p = plan(small(name, steps=4, log_every=1, checkpoint_every=2))
  run = lambda: loop.run(p, loop.open_source(p), workdir=tmp_path, quiet=True, devices=jax.devices()[:1])
  whole = run()
  rows = list(whole.log.rows)
  shutil.rmtree(tmp_path / 'checkpoints' / '4')
  again = run()
  assert rows[:2] == again.log.rows[:2], 'steps that are not run again keep even their times'
  for a, b in zip(jax.tree.leaves(whole.train), jax.tree.leaves(again.train), strict=True):
    if not jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
      np.testing.assert_array_equal(a, b)
  timeless = lambda rows: [{k: v for k, v in r.items() if k not in ('examples_per_second', 'data_wait')} for r in rows]
  assert timeless(rows) == timeless(again.log.rows)
  assert np.isfinite(whole.log.rows[-1]['loss'])
  assert whole.compiles == again.compiles == 1


@pytest.mark.parametrize('name', CONFIGS)
def test_config_says_where_it_comes_from(name):
  source = open(util.find_spec(configs.names()[name]).origin).read()
  paper = ast.get_docstring(ast.parse(source)) or ''
  assert re.search(r'(arXiv:\d{4}\.\d{4,5}|doi:10\.)', paper), 'the first line names the paper with its arXiv number or DOI'
  assert len(source.splitlines()) <= 40
  claim = configs.module(name).get_config().claim
  assert claim and {'metric', 'beats', 'margin', 'seeds'} <= set(claim)
