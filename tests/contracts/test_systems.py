"""The contracts, over the table of systems: a new config is tested by being there. Which of them are run, `cases.py` tells."""

import re
import time

import pytest

from jssl import configs, run, testing
from jssl.core.build import open_data, plan
from jssl.errors import DataError
from jssl.plans.blank import stand_ins
from jssl.tables import MEMORIES, PASSES, TEACHERS
from tests.contracts.cases import CONFIGS, CONTRACTS, RECIPES, SYSTEMS, config, parts, representatives
from tests.made import MADE
from tests.test_scales import code_lines


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


@pytest.mark.parametrize('name', RECIPES)
def test_published_scale_is_built_and_traced(name):
  with stand_ins():
    c, seconds = configs.load_config(name), []
    while not seconds or (seconds[-1] >= 2 and len(seconds) < 3):  # the first time with imports
      began = time.process_time()
      p = plan(c)
      seconds.append(time.process_time() - began)
    assert min(seconds) < 2, seconds
    run.check(p, p.evaluators)
    testing.check_traces(c)


def test_devices_and_micro_batches_change_nothing(name):
  testing.check_method(config(name), steps=0)  # which the next test does


def test_trains_resumes_and_compiles_each_step_once(name):
  testing.check_resumes(config(name), steps=4 if len(config(name).get('phases', ())) < 3 else 8)


def test_every_contract_has_a_test():
  assert {f'test_{contract}' for contract in CONTRACTS} <= {*globals()}


@pytest.mark.parametrize('name', CONFIGS)
def test_config_says_where_it_comes_from(name):
  paper = configs.module(name).__doc__ or ''
  assert re.search(r'(arXiv:\d{4}\.\d{4,5}|doi:10\.)', paper), 'the first line names the paper with its arXiv number or DOI'
  most = 60 if configs.module(name).get_config().get('phases') else 40
  assert code_lines(name) <= most, 'beside docstring, claim, parts and published scales'
