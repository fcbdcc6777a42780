import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.evaluators import extract, frozen, holdout
from jssl.types import Data, Features


def examples(n, seed=0):
  random = np.random.RandomState(seed)
  return [dict(image=random.rand(4, 4, 1).astype(np.float32), label=np.int64(i % 3), name=f'{i}') for i in range(n)]


def counting():
  shapes = []

  @jax.jit
  def represent(inputs):
    shapes.append(inputs['image'].shape)
    x = inputs['image'].reshape(len(inputs['image']), -1)
    return Features(x.reshape(-1, 4, 4), 2 * x)

  return represent, shapes


def test_extract_pads_the_last_batch_and_compiles_once():
  represent, shapes = counting()
  for n in (1, 7, 8, 19):
    rows = examples(n)
    x, y = extract(represent, rows, batch_size=8)
    np.testing.assert_array_equal(x, np.stack([2 * row['image'].ravel() for row in rows]))
    np.testing.assert_array_equal(y, np.arange(n) % 3)
    assert x.dtype == np.float32
  assert shapes == [(8, 4, 4, 1)]


def test_extract_other_columns_and_no_label():
  represent, _ = counting()
  rows = examples(5)
  x, y = extract(represent, rows, batch_size=4, column='tokens', label=None)
  assert x.shape == (5, 16) and y is None
  with pytest.raises(ValueError, match='empty split'):
    extract(represent, [])
  with pytest.raises(ValueError, match='tag'):
    extract(represent, rows, label='tag')
  with pytest.raises(ValueError, match='pooled'):
    extract(represent, rows, column='layers')


def test_extract_on_a_sharded_batch_equals_one_device():
  devices = np.array(jax.devices())
  sharding = jax.sharding.NamedSharding(jax.sharding.Mesh(devices, 'data'), jax.sharding.PartitionSpec('data'))
  w = jax.random.normal(jax.random.key(0), (16, 5))

  def represent(inputs):
    x = inputs['image'].reshape(len(inputs['image']), -1) @ w
    return Features(x[:, None], x)

  rows = examples(19)
  expected, _ = extract(jax.jit(represent), rows, batch_size=8 * len(devices))
  found, _ = extract(jax.jit(represent, in_shardings=sharding), rows, batch_size=8 * len(devices))
  np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_frozen_checks_labels_and_features():
  represent, _ = counting()

  def data(train, test):
    return Data({'train': train, 'test': test}, {}, 'image', {})

  features = frozen(represent, data(examples(9), examples(6, 1)), batch_size=4)
  assert features.train_x.shape == (9, 16) and features.test_y.shape == (6,) and features.classes == 3
  assert features.train_y.dtype == np.int32
  wrong = [dict(row, label=0.5) for row in examples(4)]
  with pytest.raises(ValueError, match='class index'):
    frozen(represent, data(wrong, examples(4)))
  with pytest.raises(ValueError, match='diverged'):
    frozen(lambda inputs: Features(None, jnp.full((4, 2), jnp.nan)), data(examples(4), examples(4)), batch_size=4)
  with pytest.raises(ValueError, match="'test'"):
    frozen(represent, Data({'train': examples(4)}, {}, 'image', {}))


def test_holdout_is_stratified_fixed_and_leaves_single_examples():
  labels = np.repeat([0, 1, 2, 3], [100, 37, 2, 1])
  held = holdout(labels)
  assert [int(held[labels == c].sum()) for c in range(4)] == [10, 4, 1, 0]
  np.testing.assert_array_equal(held, holdout(labels))
  assert np.flatnonzero(held)[:3].tolist() == [2, 16, 26]  # the stream is part of the protocols
  with pytest.raises(ValueError, match='two examples'):
    holdout(np.arange(5))
