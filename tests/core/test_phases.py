"""Phases, turns and refreshes: what is trained when, what is kept across, and that a killed run ends in the same bits."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import run
from jssl.core import loop
from jssl.core.build import plan
from jssl.core.phases import phase_at
from jssl.errors import ConfigError
from jssl.types import Column, Features
from tests.made import tiny

ONE = jax.devices()[:1]


def arrays(tree):
  return [np.asarray(x) for x in jax.tree.leaves(tree) if not jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)]


def same(a, b):
  return all(np.array_equal(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))


def trained(config, **options):
  p = plan(config)
  return loop.run(p, loop.open_source(p), quiet=True, devices=ONE, **options)


def simclr(**changes):
  return tiny('simclr', log_every=1, **changes)


@pytest.mark.parametrize('name', [pytest.param('dpo', marks=pytest.mark.long), 'wcord'])
@pytest.mark.rotating
def test_a_run_of_two_phases_killed_anywhere_ends_in_the_same_bits(name, tmp_path):
  c = tiny(name, steps=6, log_every=1, checkpoint_every=1, keep=9)
  whole = trained(c, workdir=tmp_path)
  boundary = plan(c).phases[1].first
  assert whole.compiles == 2
  for cut in (boundary + 1, boundary, boundary - 1):  # within the second phase, between the two, within the first
    for later in range(cut + 1, 7):
      shutil.rmtree(tmp_path / 'checkpoints' / str(later))
    again = trained(c, workdir=tmp_path)
    assert same(whole.train, again.train)
    assert again.compiles == (1 if cut >= boundary else 2), 'the program of a phase that has ended is not compiled'


@pytest.mark.parametrize('steps', [pytest.param(2, marks=pytest.mark.long), 5, pytest.param(9, marks=pytest.mark.long)])
@pytest.mark.rotating
def test_the_reference_of_dpo_is_the_policy_that_imitation_leaves(steps, tmp_path):
  c = tiny('dpo', steps=steps, checkpoint_every=1, keep=1, log_every=1)
  c['phases'] = (dict(steps=1, losses=('told',)), c['phases'][1])
  after = trained(c, workdir=tmp_path)
  first = {**c, 'steps': 1, 'phases': (), 'losses': {'told': c['losses']['told']}}
  np.testing.assert_array_equal(*(arrays(x)[0] for x in (after.train.state['target']['teacher'], trained(first).train.params)))
  assert same(after.train.state['target']['teacher'], trained(first).train.params)
  assert sorted(int(x.name) for x in (tmp_path / 'checkpoints').iterdir()) == sorted({1, steps}), 'what a phase begins from is kept'


def test_phases_cost_what_their_own_passes_cost():
  """FLOPs by hand: forward F and backward 2 F of the language model on each answer that is trained on, F where it is a reference."""
  c = tiny('dpo', batch_size=32)
  c['backbone'] |= dict(width=64, depth=1, heads=2)  # of a scan over layers the compiler counts one round
  p = plan(c)
  n, b, d, v = p.data.spec['answer'].shape[0], 32, 64, p.data.spec['answer'].size
  block = 2 * n * d * 3 * d + 4 * n * n * d + 2 * n * d * d + 2 * 2 * n * d * 4 * d
  forward = b * (block + 2 * (n - 7) * d * v)
  programs = loop.Programs(p, loop.make_mesh(devices=ONE))
  flops = [programs.trace(i).lower().compile().cost_analysis()['flops'] for i in range(2)]
  for found, by_hand in zip(flops, (3 * forward, 2 * (3 + 1) * forward), strict=True):
    assert by_hand < found < 1.35 * by_hand, (found / by_hand, flops)


def test_frozen_networks_stay_and_have_no_optimiser_state():
  c = simclr(steps=4, phases=(dict(steps=2), dict(freeze=('backbone',))))
  p = plan(c)
  states = loop.Programs(p, loop.make_mesh(devices=ONE)).states
  paths = [{str(path) for path, _ in jax.tree_util.tree_leaves_with_path(s.opt)} for s in states]
  assert any('backbone' in path for path in paths[0]) and not any('backbone' in path for path in paths[1])
  whole, half = trained(c), trained({**c, 'steps': 2, 'phases': ()})
  assert same(whole.train.params['backbone'], half.train.params['backbone'])
  assert not same(whole.train.params['projector'], half.train.params['projector'])


@pytest.mark.rotating
def test_a_phase_begins_with_what_it_says():
  c = simclr(steps=4)
  c['heads'] = {'projector': c['heads']['projector'], 'other': c['backbone'] | dict(on='data.image')}
  c['teacher'] = dict(name='ema', decay=0.5, networks=('backbone', 'projector'))
  slow = dict(name='frozen', networks=('backbone', 'projector'))
  c['phases'] = (dict(steps=2), dict(start=dict(other='backbone', teacher='student'), freeze=('other',), teacher=slow))
  whole, half = trained(c), trained({**c, 'steps': 2, 'phases': ()})
  assert same(whole.train.params['other'], half.train.params['backbone'])
  assert same(whole.train.state['target']['teacher']['backbone'], half.train.params['backbone'])
  assert not same(half.train.state['target']['teacher']['backbone'], half.train.params['backbone'])


@pytest.mark.rotating
def test_turns_alternate_and_move_their_own_networks_alone(tmp_path):
  adam = dict(name='adamw', learning_rate=1e-3)
  c = simclr(steps=6, checkpoint_every=1, keep=9, optimizer=adam)
  c['cycle'] = (dict(updates=2, train=('backbone',)), dict(train=('projector',), optimizer=dict(name='sgd', learning_rate=0.1)))
  whole = trained(c, workdir=tmp_path)
  assert whole.compiles == 2
  p, states = plan(c), {}
  assert [p.phases[0].turn(step) for step in range(6)] == [0, 0, 1, 0, 0, 1]
  assert [p.phases[0].count(step) for step in range(6)] == [0, 1, 0, 2, 3, 1]
  for step in range(7):
    states[step] = trained({**c, 'steps': step}).train.params if step else whole.start.params
  for step in range(6):
    moved = {name for name in ('backbone', 'projector') if not same(states[step][name], states[step + 1][name])}
    assert moved == {'projector' if step in (2, 5) else 'backbone'}
  for later in (5, 6):
    shutil.rmtree(tmp_path / 'checkpoints' / str(later))
  assert same(whole.train, trained(c, workdir=tmp_path).train)


@pytest.mark.rotating
def test_a_refresh_adds_columns_that_a_resumed_run_has_too(tmp_path):
  c = simclr(steps=6, checkpoint_every=1, keep=9)
  c['refresh'] = dict(mine=dict(name='clusters', count=4, every=4))
  c['losses']['clusters'] = dict(name='sup_con', of=dict(q='views.q', k='views.k', labels='batch.cluster'), pairs='all')
  whole = trained(c, workdir=tmp_path)
  assert whole.log.rows[-1]['clusters/loss'] > 0
  for cut in (5, 4, 3):  # between two refreshes, at one, before it
    for later in range(cut + 1, 7):
      shutil.rmtree(tmp_path / 'checkpoints' / str(later))
    assert same(whole.train, trained(c, workdir=tmp_path).train)


@pytest.mark.rotating
def test_batches_follow_an_order_that_is_made_anew(tmp_path):
  c = simclr(steps=6, checkpoint_every=1, keep=9)
  c['data'] = dict(name='digits')
  c['refresh'] = dict(near=dict(name='cluster_batches', size=16, columns=('image', 'image'), every=4))
  p = plan(c)
  source, seen = loop.open_source(p), []
  take = source.next
  source.next = lambda state: seen.append(take(state)) or seen[-1]
  whole = loop.run(p, source, quiet=True, devices=ONE, workdir=tmp_path)
  images = np.stack([b['image'].reshape(16, -1).astype(np.float32) for b in seen])
  spread = np.linalg.norm(images - images.mean(1, keepdims=True), axis=-1).mean()
  others = p.data.splits['train'].take(np.arange(96))['image'].reshape(6, 16, -1).astype(np.float32)
  assert spread < 0.9 * np.linalg.norm(others - others.mean(1, keepdims=True), axis=-1).mean()
  for later in (6,):
    shutil.rmtree(tmp_path / 'checkpoints' / str(later))
  assert same(whole.train, trained(c, workdir=tmp_path).train), 'the order is kept with the checkpoint'


def test_a_phase_may_have_data_of_its_own():
  c = simclr(steps=4)
  c['phases'] = (dict(steps=2), dict(data=dict(name='mnist5k', train=100)))
  p = plan(c)
  assert [len(phase.data.splits['train']) for phase in p.phases] == [4000, 100]
  assert np.isfinite(trained(c).log.rows[-1]['loss'])


def test_hard_negatives_are_near_and_not_the_own():
  from jssl.data.core.arrays import Columns
  from jssl.parts.refreshes import hard_negatives
  from jssl.types import Data

  x = np.eye(6, dtype=np.float32)[[0, 0, 1, 1, 2, 3]] + 0.01 * np.arange(6, dtype=np.float32)[:, None]
  data = Data(dict(train=Columns(dict(q=x, p=x))), dict.fromkeys('qp', Column((6,), jnp.float32)), 'q', {})
  refresh = hard_negatives(count=1, query='q', passage='p')
  represent = lambda batch, network=None: Features(batch['q'][:, None], jnp.asarray(batch['q']))
  found = refresh.make(represent, {}, data, jax.random.key(0))['negatives']
  np.testing.assert_array_equal(found[:4, 0], x[[1, 0, 3, 2]])


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    (dict(phases=(dict(steps='50%'), dict(steps=1))), 'add up to'),
    (dict(phases=(dict(), dict())), 'no steps'),
    (dict(phases=(dict(stepps=1),)), 'did you mean steps'),
    (dict(phases=(dict(losses=('nec',)),)), 'did you mean nce'),
    (dict(phases=dict(steps=1)), 'tuple'),
    (dict(freeze=('backbon',)), 'did you mean backbone'),
    (dict(freeze=('backbone', 'projector')), 'nothing is left to train'),
    (dict(cycle=(dict(updates=0),)), 'at least 1'),
    (dict(cycle=(dict(train=('head',)),)), 'head'),
    (dict(start=dict(backbone='nothing')), 'nothing'),
    (dict(refresh=dict(mine=dict(name='cluster', every=3))), 'did you mean clusters'),
    (dict(refresh=dict(mine=dict(name='clusters', count=3))), 'duration'),
  ],
)
def test_refuses(changes, says):
  with pytest.raises(ConfigError) as error:
    plan(simclr(**changes))
  assert says in str(error.value)


def test_a_boundary_belongs_to_the_phase_that_ends_there():
  p = plan(simclr(steps=6, phases=(dict(steps=2), dict(steps=1), dict())))
  assert [phase_at(p.phases, step) for step in range(7)] == [0, 0, 0, 1, 2, 2, 2]
  assert [p.at(step).first for step in range(6)] == [0, 0, 2, 3, 3, 3]


@pytest.mark.rotating
def test_a_run_of_phases_is_reported_like_any_other():
  c = tiny('wcord', steps=4)
  p, done = plan(c), trained(c)
  results = run.report(p, done, run.choose(p, None), None, True)
  assert 0 <= results['figures']['classify_top1'] <= 1 and set(results['baselines']) == {'random_init'}


def test_a_phase_trains_what_it_names_and_nothing_else_decays():
  c = simclr(steps=4, phases=(dict(steps=2), dict(train=('projector',))))
  assert plan(c).phases[1].turns[0].trained == ('projector',)
  whole, half = trained(c), trained({**c, 'steps': 2, 'phases': ()})
  assert same(whole.train.params['backbone'], half.train.params['backbone'])
  assert not same(whole.train.params['projector'], half.train.params['projector'])


def test_a_network_begins_as_the_last_layers_of_another():
  from jssl.core.method import origin

  layers = {'attention': {'kernel': jnp.arange(12.0).reshape(3, 4)}}
  arrays_of = {'encoder': {'blocks': layers, 'table': jnp.ones(5)}, 'decoder': {'blocks': {'attention': {'kernel': jnp.zeros((2, 4))}}}}
  found = origin('decoder', 'encoder[-2:]', arrays_of)
  assert jax.tree.structure(found) == jax.tree.structure(arrays_of['decoder'])
  np.testing.assert_array_equal(found['blocks']['attention']['kernel'], np.arange(4.0, 12.0).reshape(2, 4))
  with pytest.raises(ConfigError, match='shape'):
    origin('decoder', 'encoder[-1:]', arrays_of)


@pytest.mark.parametrize('cut', [pytest.param(5, marks=pytest.mark.long), 4, pytest.param(3, marks=pytest.mark.long)])
@pytest.mark.rotating
def test_an_order_ends_with_its_phase(cut, tmp_path):
  near = dict(name='cluster_batches', size=16, columns=('image', 'image'), every=8)
  c = simclr(steps=6, checkpoint_every=1, keep=9, data=dict(name='digits'), phases=(dict(steps=4, refresh=dict(near=near)), dict()))
  whole = trained(c, workdir=tmp_path)
  for later in range(cut + 1, 7):
    shutil.rmtree(tmp_path / 'checkpoints' / str(later))
  assert same(whole.train, trained(c, workdir=tmp_path).train)


def test_a_surrogate_finds_the_negatives():
  from jssl.data.core.arrays import Columns
  from jssl.parts.refreshes import hard_negatives
  from jssl.types import Data

  ids = np.array([[1, 5, 6, 0], [1, 5, 7, 0], [1, 8, 9, 3], [1, 9, 4, 3]], np.int32)
  spec = dict.fromkeys(('ids', 'query'), Column((4,), jnp.int32, size=10, pad=0))
  data = Data(dict(train=Columns(dict(ids=ids, query=ids))), spec, 'ids', {})
  refuse = lambda *_, **__: pytest.fail('no network is asked')
  found = hard_negatives(count=1, query='query', passage='ids', by='tf_idf').make(refuse, {}, data, jax.random.key(0))['negatives']
  np.testing.assert_array_equal(found[:, 0], ids[[1, 0, 3, 2]])
  asked = []
  represent = lambda batch, network=None: asked.append(network) or Features(None, jnp.asarray(batch['ids'], jnp.float32))
  hard_negatives(count=1, query='query', passage='ids', by='cheap').make(represent, {}, data, jax.random.key(0))
  assert asked == ['cheap', 'cheap']


@pytest.mark.long
@pytest.mark.parametrize('cut', [3, 6])
def test_a_run_of_six_phases_killed_within_one_or_between_two_ends_in_the_same_bits(cut, tmp_path):
  c = tiny('simlm', steps=8, log_every=1, checkpoint_every=1, keep=9)
  assert [phase.first for phase in plan(c).phases] == [0, 2, 4, 5, 6, 7]
  whole = trained(c, workdir=tmp_path)
  for later in range(cut + 1, 9):
    shutil.rmtree(tmp_path / 'checkpoints' / str(later))
  assert same(whole.train, trained(c, workdir=tmp_path).train)
