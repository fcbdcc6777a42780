"""Text towers: what is attended to and what is pooled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.text.tower import TextTower

IDS = jnp.array([[2, 5, 6, 9, 0, 0], [2, 9, 8, 9, 4, 3]])  # 9 ends a text


def make(**options):
  return TextTower((6,), **dict(vocabulary=10, width=8, depth=2, heads=2, std=0.5) | options, rngs=nnx.Rngs(0))


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_shapes_and_dtypes(dtype):
  tokens, pooled, layers, _ = make(out=3, dtype=dtype)(IDS)
  assert tokens.shape == (2, 6, 8) and pooled.shape == (2, 3) and layers.shape == (3, 2, 6, 8)
  assert tokens.dtype == pooled.dtype == layers.dtype == jnp.dtype(dtype)
  assert make(out=3).dim == 3 and make().dim == 8


def test_what_is_pooled():
  net = make(pool='end', end=9)
  np.testing.assert_array_equal(net.ends(IDS), [3, 1])
  np.testing.assert_array_equal(net(IDS).pooled, net(IDS).tokens[jnp.arange(2), jnp.array([3, 1])])
  np.testing.assert_array_equal(make(pool='end', end=3).ends(IDS), [0, 5])  # the first token where there is no end
  np.testing.assert_array_equal(make(pool='largest').ends(IDS), [3, 1])
  np.testing.assert_array_equal(make(pool='last').ends(IDS), [5, 5])
  np.testing.assert_array_equal(make(pool='last_real', pad=0).ends(IDS), [3, 5])
  np.testing.assert_array_equal(make(pool='last_real').ends(IDS), [5, 5])  # where nothing is padding
  np.testing.assert_array_equal(net.attended(IDS), jnp.arange(6) <= jnp.array([[3], [1]]))


def test_a_class_token_reads_the_text_and_not_its_padding():
  net, plain = make(pool='cls', pad=0), make()
  found, cut, changed = net(IDS), net(IDS[:1, :4]), net(IDS.at[0, 0].set(7))
  assert found.tokens.shape == (2, 6, 8) and found.layers.shape == (3, 2, 6, 8)
  np.testing.assert_allclose(found.pooled[0], cut.pooled[0], atol=1e-6)  # without its padding
  assert jnp.abs(found.pooled - changed.pooled)[0].max() > 1e-3
  np.testing.assert_allclose(found.layers[:, 1], plain(IDS).layers[:, 1], atol=1e-5)  # tokens do not attend to it
  np.testing.assert_array_equal(found.tokens, found.layers[-1])  # and are not normalised


def test_a_causal_tower_does_not_see_what_follows():
  net, other = make(), make(causal=False)
  cut, changed = IDS[:1, :4], IDS.at[0, 5].set(7)
  np.testing.assert_allclose(net(IDS).pooled[0], net(cut).pooled[0], atol=1e-6)
  np.testing.assert_array_equal(net(IDS).pooled, net(changed).pooled)
  assert jnp.abs(other(IDS).pooled - other(changed).pooled)[0].max() > 1e-3


def test_dropout_is_by_example():
  net, keys = make(dropout=0.5), jax.random.split(jax.random.key(0), 2)
  np.testing.assert_allclose(net(IDS, keys=keys).pooled[1], net(IDS[1:], keys=keys[1:]).pooled[0], atol=1e-5)
  assert jnp.abs(net(IDS, keys=keys).pooled - net(IDS).pooled).max() > 1e-3


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    (dict(pool='mean'), "unknown pool 'mean'"),
    (dict(pool='end'), 'give end'),
    (dict(heads=3), 'do not divide'),
    (dict(length=5), 'n <= 5'),
    (dict(activation='gelu_fast'), 'unknown activation'),
  ],
)
def test_what_cannot_be_made(options, message):
  with pytest.raises(ValueError, match=message):
    make(**options)
