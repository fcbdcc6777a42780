"""ModernBERT: layers of two kinds in one compiled block, windows, padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.layers.rotary import angles
from jssl.models.text.modernbert import ModernBert, ModernBertBlock

IDS = jnp.array([[2, 5, 6, 3, 0, 0], [2, 7, 8, 9, 4, 3]])
SIZES = dict(vocabulary=12, width=8, depth=4, heads=2, every=3, window=2, std=0.5)


def make(**options):
  return ModernBert((6,), **SIZES | options, rngs=nnx.Rngs(0))


def layer(net, i):
  """One of the stacked blocks."""
  graphdef, params = nnx.split(net.blocks)
  return nnx.merge(graphdef, jax.tree.map(lambda x: x[i], nnx.to_pure_dict(params)))


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_shapes_and_dtypes(dtype):
  tokens, pooled, layers, _ = make(dtype=dtype)(IDS)
  assert tokens.shape == (2, 6, 8) and pooled.shape == (2, 8) and layers.shape == (5, 2, 6, 8)
  assert tokens.dtype == pooled.dtype == layers.dtype == jnp.dtype(dtype)


def test_layers_are_those_of_a_loop():
  net, places = make(theta=50.0, local_theta=5.0), jnp.arange(6)
  x, near = net(IDS).layers[0], jnp.abs(places[:, None] - places) <= 1
  for i in range(4):
    block, full = layer(net, i), i in (0, 3)
    y = x if i == 0 else block.norm1(x)
    mask = (IDS != 0)[:, None, :] & (jnp.ones_like(near) if full else near)
    x = x + block.attention(y, mask=mask, rotary=angles(places, 4, 50.0 if full else 5.0))
    a, b = jnp.split(block.mlp.fc1(block.norm2(x)), 2, -1)
    x = x + block.mlp.fc2(jax.nn.gelu(a, approximate=False) * b)
    np.testing.assert_allclose(net(IDS).layers[i + 1], x, atol=1e-5)


def test_a_local_block_sees_its_window():
  block = ModernBertBlock(4, heads=1, hidden=6, std=0.5, rngs=nnx.Rngs(0))
  places = jnp.arange(6)
  window = jnp.abs(places[:, None] - places) <= 2
  given = dict(mask=jnp.ones((1, 6), bool), window=window, rotary=jnp.zeros((2, 6, 2)), first=jnp.array(False))
  x = jax.random.normal(jax.random.key(0), (1, 6, 4))
  seen = lambda full: jnp.abs(jax.jacobian(lambda x: block(x, full=jnp.array(full), **given))(x)[0, :, :, 0]).sum((1, 3)) > 0
  np.testing.assert_array_equal(seen(False), window)
  assert seen(True).all()


@pytest.mark.parametrize('pool', ['mean', 'cls'])
def test_padding_changes_nothing(pool):
  net = make(pool=pool)
  whole, cut = net(IDS), net(IDS[:1, :4])
  np.testing.assert_allclose(whole.pooled[0], cut.pooled[0], atol=1e-5)
  np.testing.assert_allclose(whole.tokens[0, :4], cut.tokens[0], atol=1e-5)
  assert jnp.isfinite(net(jnp.zeros_like(IDS)).pooled).all()


def test_hiding():
  net, hidden = make(mask_id=1), jnp.zeros(IDS.shape, bool).at[:, 1].set(True).at[0, 5].set(True)
  np.testing.assert_array_equal(net(IDS, mask=hidden).tokens, net(IDS.at[:, 1].set(1)).tokens)
  with pytest.raises(ValueError, match='no mask_id'):
    make()(IDS, mask=hidden)
  with pytest.raises(ValueError, match='subset'):
    net(IDS, keep=jnp.zeros((2, 3), int))


def test_dropout_is_by_example():
  net, keys = make(dropout=0.5), jax.random.split(jax.random.key(0), 2)
  np.testing.assert_allclose(net(IDS, keys=keys).pooled[1], net(IDS[1:], keys=keys[1:]).pooled[0], atol=1e-5)
  assert jnp.abs(net(IDS, keys=keys).pooled - net(IDS).pooled).max() > 1e-3


@pytest.mark.parametrize(
  ('options', 'message'),
  [(dict(pool='sqrt'), "unknown pool 'sqrt'"), (dict(heads=3), 'do not divide'), (dict(length=5), 'n <= 5')],
)
def test_what_cannot_be_made(options, message):
  with pytest.raises(ValueError, match=message):
    make(**options)
