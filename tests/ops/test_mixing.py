"""Mixing against timm, slow loops written from the papers, and the distribution of what is drawn."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from scipy import stats

from jssl.ops import mixing
from tests.pretrained.case import absent

DRAW = np.random.default_rng(0)
X = DRAW.random((8, 9, 12, 3), np.float32)
Y = np.eye(5, dtype=np.float32)[[0, 3, 2, 1, 4, 4, 0, 2]]


def drawn(keys, **options):
  return jax.jit(jax.vmap(partial(mixing.mixing, shape=(9, 12), **options)))(keys)


KEYS = jax.random.split(jax.random.key(0), 2000)


@pytest.mark.parametrize('name', ['mixup', 'cutmix'])
def test_images_and_labels_are_mixed_with_the_next_example(name):
  f = getattr(mixing, name)
  x, y = jax.jit(partial(f, alpha=0.7))(jax.random.key(3), X, Y)
  own, share = mixing.mixing(jax.random.key(3), (9, 12), **{**dict(mixup=0.0, cutmix=0.0), name: 0.7})
  assert 0 < share < 1
  for i in range(8):
    j = (i + 1) % 8
    np.testing.assert_allclose(y[i], share * Y[i] + (1 - share) * Y[j], atol=1e-6)
    for r in range(9):
      for s in range(12):
        kept = float(share) if name == 'mixup' else float(own[r, s, 0])
        np.testing.assert_allclose(x[i, r, s], kept * X[i, r, s] + (1 - kept) * X[j, r, s], atol=1e-6)


def test_the_share_of_mixup_is_beta_distributed():
  own, share = drawn(KEYS, mixup=0.8, cutmix=0.0)
  np.testing.assert_array_equal(own, np.broadcast_to(share[:, None, None, None], own.shape))
  assert stats.kstest(share, stats.beta(0.8, 0.8).cdf).pvalue > 1e-3


def test_the_box_of_cutmix_is_one_rectangle_and_the_share_its_true_area():
  own, share = map(np.asarray, drawn(KEYS, mixup=0.0, cutmix=1.0))
  hole = own[..., 0] == 0
  assert np.all(hole | (own[..., 0] == 1))
  rows, columns = hole.any(2).sum(1), hole.any(1).sum(1)
  np.testing.assert_array_equal(hole.sum((1, 2)), rows * columns)
  np.testing.assert_allclose(share, 1 - rows * columns / 108, atol=1e-6)
  theirs = []
  for _ in range(2000):  # the box of the paper, Eq. 2, in whole pixels
    r = np.sqrt(1 - DRAW.beta(1, 1))
    at = [(DRAW.integers(side), int(side * r)) for side in (9, 12)]
    lengths = [min(c - n // 2 + n, side) - max(c - n // 2, 0) for (c, n), side in zip(at, (9, 12), strict=True)]
    theirs.append(lengths[0] * lengths[1])
  assert stats.ks_2samp(rows * columns, theirs).pvalue > 1e-3


def test_how_often_each_is_drawn():
  own, share = map(np.asarray, drawn(KEYS, mixup=0.8, cutmix=1.0, p=0.6, switch=0.3))
  cut = (own[..., 0] == 0).any((1, 2))
  blended = (own[:, 0, 0, 0] > 0) & (own[:, 0, 0, 0] < 1)
  idle = ~cut & ~blended
  assert np.all(share[idle] == 1)
  empty = 0.18 / 81  # boxes smaller than a pixel
  for found, probability in ((cut, 0.18 - empty), (blended, 0.42), (idle, 0.4 + empty)):
    assert stats.binomtest(int(found.sum()), 2000, probability).pvalue > 1e-3


@pytest.mark.skipif(bool(absent('timm')), reason='timm is not installed')
@pytest.mark.parametrize('name', ['mixup', 'cutmix'])
def test_a_batch_of_two_is_mixed_as_timm_does(name, monkeypatch):
  """Of two examples, the next one and the batch in reverse order are the same."""
  import torch
  from timm.data import mixup as theirs

  for seed in range(4):
    key = jax.random.key(seed)
    x, y = mixing.mixed(key, X[:2], mixing.smoothed(jnp.array([3, 1]), 5, 0.1), **{**dict(mixup=0.0, cutmix=0.0), name: 0.8})
    keys = jax.random.split(key, 5)
    lam = float(jax.random.beta(keys[int(name == 'cutmix')], 0.8, 0.8))
    at = iter(np.floor(np.asarray(jax.random.uniform(keys[4], (2,))) * [9, 12]).astype(int))
    monkeypatch.setattr(theirs.np.random, 'beta', lambda a, b, size=None, lam=lam: lam)
    monkeypatch.setattr(theirs.np.random, 'randint', lambda low, high, size=None, at=at: next(at))
    mix = theirs.Mixup(**{'mixup_alpha': 0.0, f'{name}_alpha': 0.8}, label_smoothing=0.1, num_classes=5)
    a, b = mix(torch.tensor(X[:2].transpose(0, 3, 1, 2)), torch.tensor([3, 1]))
    np.testing.assert_allclose(x, a.permute(0, 2, 3, 1), atol=1e-6)
    np.testing.assert_allclose(y, b, atol=1e-6)


def test_labels_are_smoothed_as_told():
  np.testing.assert_allclose(mixing.smoothed(jnp.array([2, 0]), 4, 0.2), [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]], atol=1e-7)
  assert np.all(np.isnan(mixing.smoothed(jnp.array([4]), 4, 0.2)))


def test_on_eight_devices_one_example_moves_between_neighbours():
  mesh = jax.make_mesh((8,), ('data',), axis_types=(AxisType.Auto,))
  spread = NamedSharding(mesh, PartitionSpec('data'))
  x, y = np.repeat(X, 2, 0), np.repeat(Y, 2, 0)
  f = jax.jit(mixing.mixed, out_shardings=spread).lower(jax.random.key(0), *jax.device_put((x, y), spread)).compile()
  moved = re.findall(r'= (\S+) (all-gather|all-reduce|all-to-all|collective-permute)\(', f.as_text())
  assert {kind for _, kind in moved} == {'collective-permute'} and all(re.match(r'f32\[1,', shape) for shape, _ in moved), moved
  jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), f(jax.random.key(0), *jax.device_put((x, y), spread)),
               mixing.mixed(jax.random.key(0), x, y))  # fmt: skip


@pytest.mark.parametrize(
  ('options', 'message'),
  [(dict(mixup=-1.0), 'alphas'), (dict(mixup=0.0, cutmix=0.0), 'one of them above'), (dict(p=1.2), 'p is'), (dict(switch=-0.1), 'switch')],
)
def test_bad_options_are_refused(options, message):
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(lambda: mixing.mixed(jax.random.key(0), X, Y, **options))
