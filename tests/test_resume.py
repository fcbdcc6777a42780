"""Runs that begin as others have ended, in part or frozen, and runs that go on with other settings."""

import json
import shutil
from functools import partial

import jax
import numpy as np
import pytest

import jssl
from jssl import run, starts
from jssl.configs import load_config
from jssl.core.build import plan
from jssl.errors import ConfigError
from jssl.keys import FORMAT, differing
from jssl.model import read_config

NO_FIGURES = dict(protocols=(), quiet=True)


def tiny(name):
  return load_config(f'{name}:tiny').to_dict()


def same(a, b):
  return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


@pytest.fixture(scope='module')
def first(tmp_path_factory):
  """A run that has ended, its model, and its workdir."""
  folder = tmp_path_factory.mktemp('first') / 'w'
  c = {**tiny('mae'), 'steps': 3}
  return jssl.train(c, workdir=folder, **NO_FIGURES), c, folder


def trained(c, workdir=None, **options):
  """The trained state of a config, and the state that it began with."""
  p = plan(c)
  _, found = run.carried_out(p, workdir, (), False, quiet=True, **options)
  return jax.device_get(found.train), jax.device_get(found.start), jax.device_get(found.untrained)


@pytest.mark.rotating
def test_a_run_begins_with_the_encoder_of_another(first):
  done, c, folder = first
  after, start, untrained = trained({**c, 'seed': 9, 'start': dict(of=str(folder))})
  assert same(start.params['backbone'], done.model.params()['backbone'])
  assert same(start.params['decoder'], untrained.params['decoder']) and not same(start.params['backbone'], untrained.params['backbone'])
  assert not same(after.params['backbone'], start.params['backbone']) and int(start.step) == 0


@pytest.mark.rotating
def test_frozen_weights_do_not_move_by_a_bit(first):
  _, c, folder = first
  of = dict(start=dict(of=str(folder)), optimizer=dict(name='adamw', learning_rate=0.1, weight_decay=0.5))
  after, start, _ = trained({**c, **of, 'freeze': ('backbone',)})
  assert same(after.params['backbone'], start.params['backbone']) and not same(after.params['decoder'], start.params['decoder'])
  after, start, _ = trained({**c, **of, 'freeze': ('backbone.blocks[:1]', 'backbone.embed')})
  own, was = after.params['backbone'], start.params['backbone']
  assert same(own['embed'], was['embed'])
  for x, y in zip(jax.tree.leaves(own['blocks']), jax.tree.leaves(was['blocks']), strict=True):
    assert np.array_equal(x[0], y[0])
  assert any(not np.array_equal(x[1], y[1]) for x, y in zip(jax.tree.leaves(own['blocks']), jax.tree.leaves(was['blocks']), strict=True))


@pytest.mark.rotating
def test_statistics_of_a_frozen_network_stay():
  c = {**tiny('simclr'), 'steps': 2, 'epochs': None, 'freeze': ('backbone',)}
  after, start, _ = trained(c)
  assert jax.tree.leaves(start.state['stats']['backbone']) and same(after.state['stats']['backbone'], start.state['stats']['backbone'])
  after, start, _ = trained({**c, 'freeze': ()})
  assert not same(after.state['stats']['backbone'], start.state['stats']['backbone'])


@pytest.mark.rotating
def test_some_layers_of_another_run_fill_the_first_ones(first):
  done, c, folder = first
  depth = c['backbone']['depth']
  deeper = {**c, 'backbone': {**c['backbone'], 'depth': depth + 1}}
  with pytest.raises(ConfigError, match='expected .*that network is'):
    trained({**deeper, 'start': dict(of=str(folder))})
  _, start, untrained = trained({**deeper, 'start': dict(of=str(folder), layers=(0, depth))})
  of, fresh, given = (x['backbone'] for x in (start.params, untrained.params, done.model.params()))
  for x, y, z in zip(*(jax.tree.leaves(tree['blocks']) for tree in (of, given, fresh)), strict=True):
    assert np.array_equal(x[:depth], y) and np.array_equal(x[depth:], z[depth:])
  assert same(of['embed'], given['embed'])


@pytest.mark.rotating
def test_a_teacher_and_a_head_begin_as_networks_of_another_run(first):
  _, c, folder = first
  twin = dict(c['backbone'], on='data.image')
  c = {**c, 'heads': {**c['heads'], 'twin': twin}, 'start': dict(of=str(folder), networks=dict(backbone='backbone', twin='backbone'))}
  c['teacher'] = dict(name='ema', decay=0.5, networks=('backbone',))
  _, start, _ = trained(c)
  assert same(start.params['twin'], start.params['backbone']) and same(start.state['target']['teacher']['backbone'], start.params['backbone'])


@pytest.mark.rotating
def test_a_later_phase_begins_with_a_folder(first):
  done, c, folder = first
  phases = (dict(steps=2), dict(start=dict(of=str(folder)), freeze=('backbone',)))
  after, _, _ = trained({**c, 'steps': 4, 'phases': phases})
  assert same(after.params['backbone'], done.model.params()['backbone'])


@pytest.mark.parametrize('start, said', [
  (dict(of='nowhere'), 'holds no readable run'),
  (dict(of=''), 'start.of must be the workdir'),
  (dict(of='W', layer=3), 'did you mean layers'),
  (dict(of='W', layers=(2, 1)), 'start.layers must be'),
  (dict(of='W', layers=(0, 9)), 'has 2 layers'),
  (dict(of='W', networks=('bakbone',)), 'did you mean backbone'),
  (dict(of='W', networks=dict(backbone='projector')), "has no network 'projector'"),
  (dict(of='W', networks=dict(decoder='backbone')), 'that network is'),
])  # fmt: skip
def test_a_start_that_does_not_fit_is_refused(first, start, said):
  _, c, folder = first
  start = {**start, 'of': str(folder) if start['of'] == 'W' else start['of']}
  with pytest.raises(ConfigError, match=said):
    trained({**c, 'start': start})


@pytest.mark.parametrize('name, said', [
  ('backbone.block', 'did you mean blocks'), ('backbone.embed[:1]', 'NETWORK.blocks'), ('backbone.blocks[1]', 'NETWORK.blocks'),
  (3, 'must name'),
])  # fmt: skip
def test_a_part_to_freeze_is_named_rightly(name, said):
  with pytest.raises(ConfigError, match=said):
    plan({**tiny('mae'), 'freeze': (name,)})


def test_updates_are_left_out_where_frozen():
  updates = dict(a=dict(x=np.ones((3, 2)), blocks=dict(y=np.ones((3, 2)))), b=dict(x=np.ones(4)))
  updates = jax.tree.map(jax.numpy.asarray, updates)
  found = starts.without(updates, starts.places(('a.blocks[1:]', 'b'), updates))
  assert np.array_equal(found['a']['blocks']['y'], [[1, 1], [0, 0], [0, 0]]) and found['a']['x'].all() and not found['b']['x'].any()


@pytest.mark.long
def test_forgetting_is_measured_on_a_fixed_panel(first, tmp_path):
  _, c, folder = first
  panel = dict(before=dict(name='panel', data=dict(name='subset', of=dict(name='mnist5k'), train=200, test=100), protocol='knn'))
  c = {**c, 'start': dict(of=str(folder)), 'evaluators': dict(knn=dict(name='knn'), **panel)}
  found = run.train(c, tmp_path / 'w', quiet=True)
  rows = {**found['baselines'], 'now': found['figures']}
  assert {*rows} == {'raw_input', 'random_init', 'start', 'now'} and 'before_top1' not in rows['raw_input']
  names = ('before_top1', 'before_top1_majority')
  assert found['forgetting'] == {name: pytest.approx(rows['start'][name] - rows['now'][name]) for name in names}
  again = run.evaluate(tmp_path / 'w')
  assert again['baselines'] == found['baselines'] and again['forgetting'] == found['forgetting']
  with pytest.raises(ConfigError, match='and the network reads'):
    run.train({**c, 'evaluators': dict(a=dict(name='panel', data=dict(name='rotten_tomatoes')))}, quiet=True)


@pytest.mark.rotating
def test_a_run_that_has_begun_needs_its_start_no_more(first, tmp_path, caplog):
  _, c, folder = first
  other = shutil.copytree(folder, tmp_path / 'other')
  c = {**c, 'start': dict(of=str(other)), 'evaluators': dict(knn=dict(name='knn')), 'data': dict(name='mnist5k', train=200)}
  found = run.train(c, tmp_path / 'w', quiet=True)
  shutil.rmtree(other)
  with caplog.at_level('WARNING', 'jssl'):
    again = run.evaluate(tmp_path / 'w')
  assert 'start' in found['baselines'] and 'start' not in again['baselines'] and again['figures'] == found['figures']
  assert 'without the baseline start' in caplog.text
  shutil.rmtree(tmp_path / 'w' / 'checkpoints')
  with pytest.raises(ConfigError, match='holds no readable run'):
    run.train(c, tmp_path / 'w', quiet=True)


@pytest.mark.rotating
def test_a_run_goes_on_with_other_settings(tmp_path):
  c = {**tiny('simclr'), 'steps': 4, 'epochs': None, 'optimizer': dict(name='adamw', learning_rate=1e-3)}
  go = partial(run.train, workdir=tmp_path / 'w', protocols=(), quiet=True)
  assert 'resumed' not in go(c)
  longer = go(c, resume_with=('steps=6', 'optimizer.learning_rate=1e-4'))
  assert [*longer['resumed']] == [dict(step=4, settings=['steps=6', 'optimizer.learning_rate=1e-4'])]
  rows = [json.loads(line) for line in (tmp_path / 'w' / 'metrics.jsonl').read_text().splitlines()]
  assert max(row['step'] for row in rows) == 6 and rows[-1].get('learning_rate', 1e-4) == pytest.approx(1e-4)
  # The same command again, with the settings or without them, goes on with what was changed.
  for again in ((), ('steps=6', 'optimizer.learning_rate=1e-4')):
    assert len(go(c, resume_with=again)['resumed']) == 1
  assert len(go(c, resume_with=('epochs=1',))['resumed']) == 2
  assert int(jssl.model.restore(tmp_path / 'w')[1].step) == plan({**c, 'steps': None, 'epochs': 1}).steps


@pytest.fixture(scope='module')
def four_steps(tmp_path_factory):
  """A config and the workdir of its run."""
  c = {**tiny('simclr'), 'steps': 4, 'epochs': None, 'optimizer': dict(name='adamw', learning_rate=1e-3)}
  run.train(c, folder := tmp_path_factory.mktemp('four') / 'w', protocols=(), quiet=True)
  return c, folder


@pytest.mark.parametrize('settings, said', [
  (('seed=3',), 'cannot continue with another seed'),
  (('steps=2',), 'has done 4 steps'),
  (('optimizer.name=sgd', 'optimizer.learning_rate=0.1'), 'the state of the run would have another structure'),
  (('losses.nce.temprature=1.0',), 'did you mean temperature'),
])  # fmt: skip
def test_settings_that_a_run_cannot_go_on_with(four_steps, tmp_path, settings, said):
  c, folder = four_steps
  shutil.copytree(folder, tmp_path / 'w')
  with pytest.raises(ValueError, match=said):
    run.train(c, tmp_path / 'w', protocols=(), quiet=True, resume_with=settings)
  assert (
    'resumed' not in json.loads((tmp_path / 'w' / 'config.json').read_text())
    or not json.loads((tmp_path / 'w' / 'config.json').read_text())['resumed']
  )
  run.train(c, tmp_path / 'w', protocols=(), quiet=True)


def test_going_on_needs_a_run(tmp_path):
  with pytest.raises(ConfigError, match='contains no run'):
    run.train(tiny('simclr'), tmp_path / 'w', resume_with=('epochs=3',))


def test_the_evaluator_linear_of_an_older_workdir_is_logistic(first, tmp_path):
  _, c, folder = first
  shutil.copytree(folder, tmp_path / 'w')
  path, judged = tmp_path / 'w' / 'config.json', dict(a=dict(name='linear'), b='linear', c=dict(name='panel', protocol='linear'))
  held = json.loads(path.read_text())
  older = {key: x for key, x in held.items() if key != 'format'} | dict(evaluators=judged)
  path.write_text(json.dumps(older))
  now = dict(a=dict(name='logistic'), b='logistic', c=dict(name='panel', protocol='logistic'))
  assert read_config(tmp_path / 'w')['evaluators'] == now and differing(older, {**held, 'evaluators': now}) == []
  assert differing(older, {**held, 'evaluators': judged}) == ['evaluators']
  path.write_text(json.dumps(older | dict(format=FORMAT)))
  assert read_config(tmp_path / 'w')['evaluators'] == judged
  with pytest.raises(ConfigError, match='the config has format 9, and this jssl reads 2'):
    plan({**c, 'format': 9})
