"""What a config reaches: definitions, by the names in them, and a hash that no other change moves."""

import inspect
import sys
import threading
from contextlib import contextmanager

import pytest

from jssl import loops, run
from jssl.ledger import reach
from tests.made import tiny


def config(**changes):
  return {**run.load_config('simclr').to_dict(), **changes}


def text(module: str) -> str:
  return reach.source(module).decode()


def edited(module: str, before: str, after: str) -> reach.Code:
  assert before in text(module)
  return reach.Code({module: text(module).replace(before, after, 1)})


def test_another_config_has_another_hash():
  assert reach.code_hash(config()) == reach.code_hash(config()) != reach.code_hash(config(epochs=3))


def test_what_only_a_variant_names_is_reached():
  c = config()
  assert 'jssl.objectives.redundancy:vicreg' not in reach.reached(c)
  c['claim'] = {**c['claim'], 'variants': {'other': ('losses.nce.name=vicreg', 'backbone={"name": "dan"}')}}
  assert {'jssl.objectives.redundancy:vicreg', 'jssl.models.text.dan:Dan', 'jssl.core.step:make_step'} <= reach.reached(c)


@pytest.mark.parametrize('root', [*reach.FIGURES, *reach.LOOP])
def test_roots_are_definitions(root):
  assert len(reach.code().resolved(root)) == 1


@pytest.mark.parametrize('module', reach.LEFT_OUT)
def test_what_is_left_out_is_there(module):
  assert reach.source(module)


def test_comments_and_docstrings_move_no_hash():
  module = 'jssl.objectives.contrastive'
  told = 'Reference: '
  assert edited(module, told, 'See also: ').hash(config()) == reach.code_hash(config())
  assert reach.Code({module: '# a comment\n' + text(module)}).hash(config()) == reach.code_hash(config())


def test_what_is_not_named_moves_no_hash():
  assert edited('jssl.tables', "'contrastive:nt_xent',", "'contrastive:nt_xent', 'new': 'contrastive:dcl',").hash(config()) == reach.code_hash(
    config()
  )
  assert edited('jssl.objectives.contrastive', 'def siglip(', 'def siglip(x, ').hash(config()) == reach.code_hash(config())


def test_what_is_named_moves_the_hash():
  assert edited('jssl.tables', "'contrastive:nt_xent',", "'contrastive:info_nce',").hash(config()) != reach.code_hash(config())
  assert edited('jssl.objectives.contrastive', 'def nt_xent(', 'def nt_xent(x, ').hash(config()) != reach.code_hash(config())
  assert reach.Code({'jssl.objectives.contrastive': text('jssl.objectives.contrastive') + 'jax.config.update("x", 1)'}).hash(
    config()
  ) != reach.code_hash(config())


def test_defaults_name_entries_of_tables():
  feet = run.load_config('feet').to_dict()
  assert {'jssl.models.pretrained.bert:minilm', 'jssl.data.text.corpora:rotten_tomatoes'} <= reach.reached(feet)
  assert 'jssl.core.step:make_step' not in reach.reached(feet), 'it has a loop of its own'


def test_evaluators_are_the_default_ones_where_none_are_given():
  assert 'jssl.evaluators.general.knn:neighbour_vote' in reach.reached(config())
  assert 'jssl.evaluators.general.knn:neighbour_vote' not in reach.reached(config(evaluators=dict(one=dict(name='sts'))))


SOURCE = '''
import jssl.ops.pooling
from jssl import objectives
from jssl.core import loop
from jssl.objectives import mmd as other
from jssl.types import Features
if True:
  from jssl.metrics import ranking

LEVELS = {'a': 1}
LEVELS['b'] = jssl.ops.pooling.masked_mean

def own(q: Features, k, *, loop=None, by=other):
  """Says objectives."""
  from jssl.metrics.spectrum import rankme
  return [loop.run for ranking in k] + [helper(rankme), objectives.dcl, LEVELS]

def helper(x):
  return lambda objectives: objectives.nt_xent

def idle():
  return loop.run
'''


def test_names_are_followed_as_python_does(tmp_path, monkeypatch):
  (tmp_path / 'made_up.py').write_text(SOURCE)
  monkeypatch.syspath_prepend(str(tmp_path))
  found = reach.Code().reached(config(losses=dict(one=dict(name='made_up:own')), passes={}))
  without = reach.Code().reached(config(losses={}, passes={}))
  assert {name for name in found if name.startswith('made_up')} == {'made_up:own', 'made_up:helper', 'made_up:LEVELS'}
  homes = {'jssl.objectives.diffusion:mmd', 'jssl.metrics.spectrum:rankme', 'jssl.objectives.contrastive:dcl', 'jssl.ops.pooling:masked_mean'}
  assert homes <= found
  assert 'jssl.types:Features' not in {*reach.analyse('made_up', SOURCE.encode()).definitions['own'].refs}
  assert 'jssl.objectives.contrastive:nt_xent' not in found - without


def test_a_module_as_such_is_all_of_it():
  source = 'from jssl.ops import pooling\ndef own(): return vars(pooling)'
  found = reach.Code({'jssl.objectives.contrastive': source.replace('own', 'nt_xent')}).reached(config())
  assert {name for name in reach.code().resolved('jssl.ops.pooling')} <= found


def test_what_is_kept_of_modules_is_made_anew_where_it_is_damaged(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  texts = {name: reach.source(name) for name in ('jssl.errors', 'jssl.core.phases')}
  expected = reach.analysed(texts, write=True)
  (kept,) = tmp_path.rglob('*.json')
  for damage in ('[1]', kept.read_text()[:1000], kept.read_text()):
    kept.write_text(damage)
    assert reach.analysed(texts, write=True) == expected
  monkeypatch.setattr(reach, 'analyse', lambda *_, **__: pytest.fail('it is kept'))
  assert reach.analysed(texts, write=True) == expected


@contextmanager
def calls():
  """The functions of jssl that are called, as 'module:name', but by imports and by what is left out."""
  found = set()

  def told(frame) -> bool:
    while frame:
      name = frame.f_globals.get('__name__') or ''
      if reach.within(name, reach.LEFT_OUT) or name.startswith('jssl.') and frame.f_code.co_name == '<module>':
        return True
      frame = frame.f_back
    return False

  def seen(frame, event, _):
    name = frame.f_globals.get('__name__') or ''
    if event == 'call' and name.startswith('jssl.') and frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # no body of a module or class
      at = f'{name}:{frame.f_code.co_qualname.partition(".")[0]}'
      if at not in found and '<' not in at + frame.f_code.co_filename and not told(frame):
        found.add(at)

  sys.setprofile(seen), threading.setprofile(seen)
  try:
    yield found
  finally:
    sys.setprofile(None), threading.setprofile(None)


@pytest.mark.parametrize(
  'name',
  ['word2vec', *(pytest.param(name, marks=pytest.mark.long) for name in ('simclr', 'dpo', 'self_predictive', 'missing_mmd', 'inlp', 'tldr'))],
)
@pytest.mark.rotating
def test_what_is_called_is_reached(name):
  c = tiny(name)
  with calls() as found:
    if c.get('experiment'):
      loop = loops.make(c)
      loop.rows(loops.run(loop))
    else:
      p = run.plan(c)
      trained = run.learn(p, run.make_panel(p), quiet=True)
      run.compare(p, trained.train, run.starts_of(p, trained.start, None), run.choose(p, None), None)
  assert len(found) > 20
  assert found <= reach.reached(c)
