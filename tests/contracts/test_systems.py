"""The contracts, over the table of systems: a new config is tested by being there. Which of them are run, `cases.py` tells."""

import re
import time

import pytest

from jssl import configs, run, testing
from jssl.core.build import columns_of, open_data, plan
from jssl.errors import DataError
from jssl.plans.blank import stand_ins
from jssl.tables import MEMORIES, PASSES, TEACHERS
from tests.contracts.cases import CLAIMS, CONFIGS, CONTRACTS, OPENED, RECIPES, SYSTEMS, config, parts, representatives
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


@pytest.mark.parametrize('name', OPENED)
def test_configs_copy_no_number_from_their_data(name):
  needs_data(CONFIGS[name].to_dict())
  c = configs.module(name).get_config().to_dict()
  columns = columns_of(open_data(c['data']))
  sizes = {x.size for x in columns.values() if x.size and x.size > 8}
  parts = {key: c[key] for key in ('backbone', 'heads', 'passes', 'losses', 'memories', 'metrics', 'view') if c.get(key)}
  copied = [(place[1:], n) for place, n in numbers(parts) if n in sizes and place[1:] not in ALIKE]
  assert not copied, f"write 'data.COLUMN.size' for {copied}"


def numbers(value, place=''):
  if isinstance(value, dict):
    for key, v in value.items():
      yield from numbers(v, f'{place}.{key}')
  elif isinstance(value, list | tuple):
    for v in value:
      yield from numbers(v, place)
  elif isinstance(value, int) and not isinstance(value, bool):
    yield place, value


# Numbers that happen to be those of the data.
ALIKE = {
  'heads.projector.widths', 'heads.state.widths', 'view.affine.degrees', 'view.affine.shear',
  'passes.low.view.affine.degrees', 'passes.low.view.affine.shear', 'passes.high.view.affine.degrees', 'passes.high.view.affine.shear',
}  # fmt: skip


@pytest.mark.parametrize('name', CLAIMS)
def test_data_of_a_claim_have_both_roles(name):
  spec = run.load_config(f'{name}:tiny').data.to_dict()
  needs_data(dict(data=spec))
  for role, seed in (('development', 0), ('final', 1000)):
    made = open_data(dict(name=role, of=spec, seed=seed))
    assert all(len(split) for split in made.splits.values())
    made.splits['train'][0]


# The divergence of nearly equal rankings is a small difference of scores of some tens.
LEAST = dict(dr_decr=0.1)


def test_devices_and_micro_batches_change_nothing(name, monkeypatch):
  monkeypatch.setattr(testing, 'LEAST', LEAST.get(name, testing.LEAST))
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
