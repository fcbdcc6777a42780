"""Analyses against scikit-learn and loops, and as recoveries of what was planted."""

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from jssl.evaluators.interpretability import analysis


@pytest.fixture(scope='module')
def neurons():
  """A property with a neuron of its own (17) and one spread over ten neurons (40 to 49)."""
  rng = np.random.default_rng(0)
  n, d = 1200, 64
  own, spread = (rng.random(n) < 0.3).astype(int), rng.integers(0, 2, n)
  x = rng.normal(size=(n, d))
  x[:, 17] += 5 * own
  x[:, 40:50] += 0.9 * spread[:, None]
  return x.astype(np.float32), own, spread


def split(x, y):
  half = len(x) // 2
  return x[:half], y[:half], x[half:], y[half:]


def test_one_neuron_is_enough_for_a_property_of_its_own_and_not_for_one_in_superposition(neurons):
  x, own, spread = neurons
  a = analysis.sparse_probe(*split(x, own), shares=(1, 8))
  b = analysis.sparse_probe(*split(x, spread), shares=(1, 4, 10))
  c = analysis.sparse_probe(*split(x, own), shares=(1,), ranking=analysis.at_random)
  assert a['k1/neuron'] == 17 and a['k1/f1'] > 0.95
  assert b['k1/f1'] < 0.8 and b['k10/f1'] > b['k4/f1'] > b['k1/f1'] and b['k10/f1'] > 0.88
  assert c['k1/f1'] < 0.6
  assert a['dense/f1'] > 0.9


@pytest.mark.parametrize('ranking', [analysis.by_mean_difference, analysis.by_f_statistic, analysis.by_l1])
def test_rankings_find_the_planted_neurons(neurons, ranking):
  x, own, spread = neurons
  assert np.argmax(ranking(x, own)) == 17
  assert set(np.argsort(-ranking(x, spread))[:10]) == set(range(40, 50))


def test_f_statistic_and_l1_are_those_of_sklearn(neurons):
  x, _, y = neurons
  np.testing.assert_allclose(analysis.by_f_statistic(x, y), f_classif(x, y)[0], rtol=1e-3)
  theirs = LogisticRegression(l1_ratio=1.0, solver='saga', C=0.1, class_weight='balanced', max_iter=500, tol=1e-6, random_state=0)
  if 'penalty' in theirs.get_params() and theirs.get_params()['penalty'] == 'l2':
    theirs.set_params(penalty='l1')
  theirs.fit(x, y)
  np.testing.assert_allclose(analysis.by_l1(x, y), np.abs(theirs.coef_[0]), atol=5e-3)


def test_sparse_probe_is_the_refit_of_sklearn(neurons):
  x, _, y = neurons
  train_x, train_y, test_x, test_y = split(x, y)
  ours = analysis.sparse_probe(train_x, train_y, test_x, test_y, shares=(4,), l2=1e-2)
  order = np.argsort(-np.abs((train_x[train_y == 1].mean(0) - train_x[train_y == 0].mean(0)) / train_x.std(0)))[:4]
  model = LogisticRegression(C=1 / (len(train_x) * 1e-2), class_weight='balanced')
  scale = lambda v: ((v - train_x.mean(0)) / train_x.std(0))[:, order]
  predicted = model.fit(scale(train_x), train_y).predict(scale(test_x))
  assert abs(ours['k4/f1'] - f1_score(test_y, predicted)) < 0.01


def test_sparse_probe_wants_two_classes(neurons):
  with pytest.raises(ValueError, match='0 and 1'):
    analysis.sparse_probe(neurons[0], 2 * neurons[1], neurons[0], neurons[1])


def test_online_code_is_the_sum_over_blocks():
  x, y = load_digits(return_X_y=True)
  x, y = x[:400], y[:400]
  ours = analysis.online_code(x, y, classes=10, fractions=(0.1, 0.5, 1.0), precision=4.0)
  std = x.std(0)
  z = (x - x.mean(0)) / np.where(std > 0, std, 1)
  bits = [40 * np.log2(10)]
  for a, b in ((40, 200), (200, 400)):
    model = LogisticRegression(C=1 / 4.0, max_iter=3000, tol=1e-8).fit(z[:a], y[:a])
    bits.append(-np.log2(model.predict_proba(z[a:b])[np.arange(b - a), y[a:b]]).sum())
  np.testing.assert_allclose(ours.blocks, bits, rtol=5e-3)
  assert ours.uniform == 400 * np.log2(10)
  assert abs(ours.compression - ours.uniform / sum(bits)) < 0.02


def test_blocks_end_at_the_papers_shares():
  assert analysis.blocks(1000).tolist() == [1, 2, 4, 8, 16, 32, 62, 125, 250, 500, 1000]
  assert analysis.blocks(10).tolist() == [1, 2, 5, 10]
  assert analysis.blocks(1).tolist() == [1]


def test_code_is_shorter_for_real_labels_than_for_shuffled_ones_and_survives_unseen_classes():
  x, y = load_digits(return_X_y=True)
  order = np.argsort(y[:600], kind='stable')  # the worst order: whole classes come late
  kwargs = dict(classes=10, fractions=(0.1, 0.25, 0.5, 1.0))
  good = analysis.online_code(x[:600], y[:600], key=jax.random.key(0), **kwargs)
  bad = analysis.online_code(x[:600], np.random.default_rng(0).permutation(y[:600]), key=jax.random.key(0), **kwargs)
  late = analysis.online_code(x[:600][order], y[:600][order], **kwargs)
  assert good.compression > 2.5 and bad.compression < 1.05
  assert np.isfinite(late.bits) and late.compression < good.compression


@pytest.fixture(scope='module')
def layers():
  """Five layers in which a label is clearest at the second from the top."""
  rng = np.random.default_rng(0)
  y = rng.integers(0, 3, 500)
  signal = np.eye(3)[y] @ rng.normal(size=(3, 12))
  return np.stack([a * signal + rng.normal(size=(500, 12)) for a in (0.0, 0.1, 0.3, 1.2, 0.4)]).astype(np.float32), y


def test_code_by_layer_finds_the_layer_and_scaling_does_not_move_it(layers):
  h, y = layers
  scaled = h * np.array([1, 20, 1, 1, 1])[:, None, None]
  kwargs = dict(classes=3, key=jax.random.key(0), fractions=(0.1, 0.3, 1.0))
  a, b = (analysis.layer_code(x, y, **kwargs) for x in (h, scaled))
  compression = [a[f'layer{i}/compression'] for i in range(5)]
  assert np.argmax(compression) == 3
  assert abs(a['centre_of_gravity'] - b['centre_of_gravity']) < 1e-3
  expected = sum(i * c for i, c in enumerate(compression)) / sum(compression)
  assert abs(a['centre_of_gravity'] - expected) < 1e-9
  c, d = (analysis.mixed_probe(x, y, classes=3, steps=150) for x in (h, scaled))
  assert np.argmax([c[f'layer{i}/weight'] for i in range(5)]) == 3 and c['accuracy'] > 0.8
  assert abs(c['centre_of_gravity'] - d['centre_of_gravity']) > 0.1  # the mixing weights follow the scale


def test_feet_on_digits():
  """Frozen: blurred pixels; on shots: the same rows, few of them; tuned: pixels as they are."""
  x, y = load_digits(return_X_y=True)
  blurred = x @ np.random.default_rng(0).normal(size=(64, 12))
  rows = analysis.few_shot(y[:900], 2, seed=1)
  assert np.bincount(y[rows]).tolist() == [2] * 10
  figures = analysis.feet(
    {
      'frozen': (blurred[:900], y[:900], blurred[900:], y[900:]),
      'shots2': (blurred[rows], y[rows], blurred[900:], y[900:]),
      'tuned': (x[:900], y[:900], x[900:], y[900:]),
    }
  )
  assert figures['shots2/accuracy_delta'] < -0.1 < 0.02 < figures['tuned/accuracy_delta']
  assert figures['tuned/f1_delta'] == figures['tuned/f1'] - figures['frozen/f1']
  assert 0.5 < figures['shots2/auroc'] < figures['frozen/auroc'] < figures['tuned/auroc'] <= 1


def test_feet_says_what_is_wrong():
  with pytest.raises(ValueError, match='frozen'):
    analysis.feet({'tuned': ()})
  with pytest.raises(ValueError, match='rarest'):
    analysis.few_shot(np.array([0, 0, 1]), 2)
