"""Training from Python: arrays in, a run out."""

import numpy as np
import pytest

import jssl
from jssl.errors import ConfigError, DataError

QUICK = dict(steps=3, batch_size=16, protocols=(), quiet=True)


@pytest.fixture(scope='module')
def images():
  random = np.random.default_rng(0)
  return random.integers(0, 256, (80, 12, 12, 3), dtype=np.uint8), random.integers(0, 3, 80)


def test_arrays_train_and_the_run_encodes(images, tmp_path):
  x, y = images
  run = jssl.train('simclr:tiny', data=dict(image=x, label=y), steps=3, batch_size=16, protocols=('knn',), quiet=True, workdir=tmp_path / 'w')
  assert {'knn_top1'} <= set(run.figures) and {'raw_input', 'random_init'} == set(run.results['baselines'])
  assert run.model.encode(x[:5]).shape[0] == 5 and run.log[-1]['step'] == 3
  assert 'knn_top1' in repr(run) and '<table>' in run._repr_html_() and (tmp_path / 'w' / 'results.json').exists()
  run.plot(tmp_path / 'log.png')
  assert (tmp_path / 'log.png').stat().st_size > 5000
  again = jssl.train('simclr:tiny', data=dict(image=x, label=y), steps=3, batch_size=16, protocols=(), quiet=True, workdir=tmp_path / 'w')
  np.testing.assert_array_equal(again.model.encode(x[:5]), run.model.encode(x[:5]))
  with pytest.raises(ConfigError, match='data'):  # a run does not go on with other data
    jssl.train('simclr:tiny', data=dict(image=x[::-1], label=y), **QUICK, workdir=tmp_path / 'w')


@pytest.mark.rotating
def test_options_reach_the_config(images):
  x, _ = images
  run = jssl.train('simclr:tiny', x, backbone=dict(name='flat'), settings={'losses.nce.temperature': 0.1, 'losses.nce.name': 'dcl'}, **QUICK)
  c = run.model.plan.config
  assert c['backbone'] == dict(name='flat') and c['losses']['nce']['name'] == 'dcl' and c['steps'] == 3 and c['epochs'] is None
  grey = jssl.train('simclr:tiny', x[..., 0], epochs=1, batch_size=16, quiet=True)
  assert grey.figures == {}, 'there are no labels, so that nothing is judged by them'
  assert grey.model.plan.data.spec['image'].shape == (12, 12, 1) and grey.workdir is None


@pytest.mark.rotating
def test_data_of_any_kind(images):
  x, y = images
  assert jssl.train('simclr:tiny', data=jssl.arrays(image=x, held_out=0.5), **QUICK).log
  assert jssl.train('simclr:tiny', data='digits', **QUICK).model.plan.data.info['name'] == 'digits'
  assert jssl.train('simclr:tiny', data=dict(name='digits', train=100), **QUICK).log
  for wrong, message in ((7, 'data is of type int'), (dict(image=x, label=y[:5]), 'label'), (x.astype(float), r'\[0, 1\]')):
    with pytest.raises(DataError, match=message):
      jssl.train('simclr:tiny', data=wrong, **QUICK)


def test_what_cannot_be_is_told_before_training(images):
  x, _ = images
  with pytest.raises(ConfigError, match='give one of them'):
    jssl.train('simclr:tiny', x, epochs=1, steps=2)
  with pytest.raises(ConfigError, match="no system is called 'simcler'"):
    jssl.train('simcler', x)
  with pytest.raises(ConfigError, match='label'):
    jssl.train('simclr:tiny', x, steps=2, batch_size=16, protocols=('knn',), quiet=True)


def test_systems_lists_what_there_is():
  assert {'simclr', 'dpo'} <= {row['name'] for row in jssl.systems()}
