"""Deep averaging networks against loops."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.heads.compared import Compared
from jssl.models.text.dan import Dan, hashed

IDS = np.array([[2, 5, 6, 3, 0], [7, 8, 0, 0, 0], [4, 0, 0, 0, 0], [0, 0, 0, 0, 0]])


def test_dan_averages_words_and_pairs_of_neighbours():
  net = Dan((5,), vocabulary=12, buckets=50, width=4, widths=(6, 3), rngs=nnx.Rngs(0))
  word, pair = np.asarray(net.word.embedding[...]), np.asarray(net.pair.embedding[...])
  bucket = lambda a, b: int(hashed(jnp.array(a), jnp.array(b), 50))
  for ids, pooled in zip(IDS, net(jnp.asarray(IDS)).pooled, strict=True):
    real = [i for i in ids.tolist() if i]
    vectors = [word[i] for i in real] + [pair[bucket(a, b)] for a, b in zip(real, real[1:], strict=False)]
    mean = sum(vectors) / len(vectors) if vectors else np.zeros(4)
    np.testing.assert_allclose(pooled, net.mlp(jnp.asarray(mean, jnp.float32)), atol=1e-5)


def test_pairs_are_hashed_in_order_and_spread_out():
  a, b = map(jnp.asarray, np.divmod(np.arange(10_000), 100))
  h = np.asarray(hashed(a, b, 1000))
  assert h.min() >= 0 and h.max() < 1000 and np.bincount(h, minlength=1000).max() < 40
  assert (h != np.asarray(hashed(b, a, 1000))).mean() > 0.9


def test_without_buckets_it_is_a_bag_of_words():
  net = Dan((5,), vocabulary=12, buckets=0, width=4, widths=(3,), rngs=nnx.Rngs(0))
  np.testing.assert_allclose(net(jnp.array([[2, 5, 6]])).pooled, net(jnp.array([[6, 2, 5]])).pooled, atol=1e-6)


def test_compared_joins_distance_and_product():
  net = Compared(3, widths=(2,), rngs=nnx.Rngs(0))
  u, v = np.random.RandomState(0).randn(2, 4, 3).astype(np.float32)
  expected = net.mlp(jnp.asarray(np.concatenate([u, v, np.abs(u - v), u * v], 1)))
  np.testing.assert_allclose(net(jnp.asarray(u), jnp.asarray(v)), expected, atol=1e-6)


def test_compared_joins_what_is_named_in_its_order():
  net = Compared(3, widths=(2,), of=('u', 'v', 'distance'), rngs=nnx.Rngs(0))
  u, v = np.random.RandomState(0).randn(2, 4, 3).astype(np.float32)
  expected = net.mlp(jnp.asarray(np.concatenate([u, v, np.abs(u - v)], 1)))
  np.testing.assert_allclose(net(jnp.asarray(u), jnp.asarray(v)), expected, atol=1e-6)
  for of in ((), ('sum',)):
    with pytest.raises(ValueError, match='expected some of u, v, distance, product'):
      Compared(3, of=of, rngs=nnx.Rngs(0))
