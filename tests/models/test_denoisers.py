"""The U-Net and the transformers that are told the level of noise; grids of any axes; decoders beside them."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl import models
from jssl.models.layers import positions, time
from jssl.models.series import tst
from jssl.models.text import masked_text_decoder
from jssl.models.vision import cross_decoder, dit, grid, unet
from jssl.ops.patches import patchify


def normal(*shape, seed=0):
  return jax.random.normal(jax.random.key(seed), shape)


def shaken(net, seed=3):
  """The network with all parameters random, so that nothing starts at zero."""
  graphdef, params, rest = nnx.split(net, nnx.Param, ...)
  leaves, tree = jax.tree.flatten(params)
  keys = jax.random.split(jax.random.key(seed), len(leaves))
  shake = lambda x, key: x + 0.1 * jax.random.normal(key, x.shape)
  return nnx.merge(graphdef, tree.unflatten(map(shake, leaves, keys)), rest)


def test_adaptive_group_norm_is_the_formula():
  block = shaken(unet.ModulatedBlock(4, 4, time=3, code=2, rngs=nnx.Rngs(0)))
  x, t, z = normal(2, 3, 3, 4), normal(2, 3, seed=1), normal(2, 2, seed=2)
  h = np.asarray(block.conv1(jax.nn.silu(block.norm1(x))), np.float64)
  for i, c in itertools.product(range(2), range(4)):  # 4 groups of one channel
    h[i, ..., c] = (h[i, ..., c] - h[i, ..., c].mean()) / np.sqrt(h[i, ..., c].var() + 1e-5)
  silu = lambda x: x / (1 + np.exp(-x))
  for net, given in ((block.time, silu(np.asarray(t))), (block.code, np.asarray(z))):
    both = given @ np.asarray(net.kernel[...]) + np.asarray(net.bias[...])
    h = (1 + both[:, None, None, :4]) * h + both[:, None, None, 4:]
  expected = x + block.conv2(jnp.asarray(silu(h), jnp.float32))
  np.testing.assert_allclose(block(x, t, z), expected, atol=1e-4)


@pytest.mark.rotating
def test_unet_starts_silent_and_hears_its_code():
  net = unet.UNet((8, 8, 1), code=4, widths=(8, 8), sections=2, drop=1 - 1e-6, rngs=nnx.Rngs(0))
  x, t = normal(2, 8, 8, 1), jnp.array([0.1, 0.9])
  assert not net(x, t, normal(2, 4)).any()
  net = shaken(net)
  quiet, heard = net(x, t, jnp.zeros((2, 4))), net(x, t, normal(2, 4))
  assert quiet.shape == x.shape and jnp.abs(quiet - heard).max() > 1e-4
  keys = jax.random.split(jax.random.key(0), 2)
  np.testing.assert_allclose(net(x, t, normal(2, 4), keys=keys), quiet, atol=1e-6)  # all sections dropped
  assert jnp.abs(net(x, 1 - t, jnp.zeros((2, 4))) - quiet).max() > 1e-4


@pytest.mark.parametrize(('options', 'message'), [(dict(widths=(8, 8, 8), patch=2), 'divides'), (dict(sections=3), 'sections')])
def test_unet_refuses(options, message):
  with pytest.raises(ValueError, match=message):
    unet.UNet((12, 12, 1), code=4, rngs=nnx.Rngs(0), **options)


def test_time_embedding_is_the_loop():
  net = time.TimeEmbedding(4, frequencies=2, rngs=nnx.Rngs(0))
  t = 0.37
  angles = [1000 * t, 1000 * t / 100]
  h = np.array([*np.sin(angles), *np.cos(angles)]) @ np.asarray(net.fc1.kernel[...])
  expected = (h / (1 + np.exp(-h))) @ np.asarray(net.fc2.kernel[...])
  np.testing.assert_allclose(net(jnp.array([t]))[0], expected, atol=1e-4)


def test_dit_block_starts_as_nothing_and_follows_the_time():
  block = dit.ModulatedBlock(8, heads=2, rngs=nnx.Rngs(0))
  x, t = normal(2, 5, 8), normal(2, 8, seed=1)
  np.testing.assert_array_equal(block(x, time=t), x)
  block = shaken(block)
  assert jnp.abs(block(x, time=t) - block(x, time=-t)).max() > 1e-3


def test_dit_encodes_what_is_kept():
  net = shaken(dit.DiT((8, 8, 1), width=8, depth=1, heads=2, patch=4, rngs=nnx.Rngs(0)))
  x, keep = normal(2, 8, 8, 1), jnp.array([[3, 1, 0, 2]] * 2)
  whole, kept = net(x, time=jnp.ones(2)), net(x, time=jnp.ones(2), keep=keep)
  np.testing.assert_allclose(kept.tokens, whole.tokens[:, keep[0]], atol=1e-5)
  np.testing.assert_allclose(net(x).pooled, net(x, time=jnp.zeros(2)).pooled)
  head = dit.DiTDecoder(net, width=8, depth=1, heads=2, rngs=nnx.Rngs(0))
  assert head(kept.tokens[:, :2], jnp.argsort(keep, 1), jnp.ones(2)).shape == (2, 4, 32)


def test_grid_on_two_axes_is_a_vit():
  options = dict(width=8, depth=2, heads=2, patch=4)
  vit = models.ViT((8, 12, 1), pool='mean', positions='sincos', std=0.0, rngs=nnx.Rngs(0), **options)
  net = grid.GridTransformer((8, 12, 1), rngs=nnx.Rngs(1), **options)
  nnx.update(net, nnx.state(vit, nnx.Param))
  x, keep = normal(2, 8, 12, 1), jnp.array([[4, 0, 2]] * 2)
  mask = jnp.array([[0, 1, 1, 0, 1, 0]] * 2, bool)
  for given in ({}, dict(keep=keep), dict(mask=mask)):
    for a, b in zip(net(x, **given)[:3], vit(x, **given)[:3], strict=True):
      np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_grid_of_any_width_has_positions():
  """Those of the next width that three axes divide, cut, as in the official code of V-JEPA; no mask token, no parameter for it."""
  net = grid.GridTransformer((4, 4, 8, 1), width=8, depth=1, heads=2, patch=(2, 2, 4), mask_token=False, std=0.02, rngs=nnx.Rngs(0))
  assert 'mask_token' not in nnx.to_pure_dict(nnx.state(net, nnx.Param)) and float(net.embed.kernel[...].std()) < 0.04
  entered = net(jnp.zeros((1, 4, 4, 8, 1))).layers[0, 0]  # of black pixels, a bias of 0
  np.testing.assert_allclose(entered, positions.sincos((2, 2, 2), 12)[:, :8], atol=1e-6)
  x, mask = normal(1, 4, 4, 8, 1), jnp.ones((1, 8), bool)
  np.testing.assert_allclose(net(x, mask=mask).layers[0, 0], entered, atol=1e-6)


def test_patches_of_clips_are_the_loop():
  x = np.arange(2 * 4 * 4 * 6 * 1).reshape(2, 4, 4, 6, 1)
  expected = [[x[i, t : t + 2, r : r + 2, c : c + 3].reshape(-1) for t in (0, 2) for r in (0, 2) for c in (0, 3)] for i in range(2)]
  np.testing.assert_array_equal(patchify(jnp.asarray(x), (2, 2, 3)), expected)
  table = positions.sincos((2, 3, 4), 12)
  assert table.shape == (24, 12) and len(np.unique(table.round(4), axis=0)) == 24


def normed(x, p):
  x = x - x.mean(-1, keepdims=True)
  return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * p['scale'] + p['bias']


def attended(q, k, v, heads):
  outs = []
  for a, b, c in zip(*(np.split(t, heads, -1) for t in (q, k, v)), strict=True):
    weights = np.exp(a @ b.T / np.sqrt(a.shape[-1]))
    outs.append(weights / weights.sum(-1, keepdims=True) @ c)
  return np.concatenate(outs, -1)


def cross_decoded(p, table, x, visible, hidden, heads):
  """One example through Latent MIM's decoder, as its official code has it, without the encoder's class token."""
  linear = lambda x, p: x @ p['kernel'] + p['bias']
  x = linear(x, p['embed'])
  near = attended(table[hidden], table[visible], x, 1)
  q, kv = np.concatenate([p['cls'][None], p['mask_token'] + near + table[hidden]]), x + table[visible]
  for l in range(len(p['blocks']['norm1']['scale'])):
    b = jax.tree.map(lambda a, l=l: a[l], p['blocks'])
    q = q + linear(attended(*np.split(linear(normed(q, b['norm1']), b['attention']['qkv']), 3, -1), heads), b['attention']['proj'])
    k, v = np.split(linear(normed(kv, b['norm_context']), b['cross']['kv']), 2, -1)
    q = q + linear(attended(linear(normed(q, b['norm2']), b['cross']['q']), k, v, heads), b['cross']['proj'])
    h = linear(normed(q, b['norm3']), b['mlp']['fc1'])
    q = q + linear(h * (1 + np.vectorize(math.erf)(h / np.sqrt(2))) / 2, b['mlp']['fc2'])
  return linear(normed(q[1:], p['norm']), p['proj'])


def test_cross_decoder_is_the_official_one_by_hand():
  net = models.ViT((8, 8, 1), width=8, depth=1, heads=2, patch=2, pool='mean', rngs=nnx.Rngs(0))
  head = shaken(cross_decoder.CrossDecoder(net, width=12, depth=2, heads=2, rngs=nnx.Rngs(0)))
  params = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(head, nnx.Param)))
  x, visible, hidden = normal(2, 4, 8), jnp.array([[0, 5, 9, 3], [1, 2, 7, 8]]), jnp.array([[1, 2, 7], [15, 0, 4]])
  found = head(x, visible, hidden)
  table = np.asarray(positions.sincos((4, 4), 12, net.temperature))
  for i in range(2):
    given = (np.asarray(t)[i] for t in (x, visible, hidden))
    np.testing.assert_allclose(found[i], cross_decoded(params, table, *given, 2), atol=1e-4)
  order = jnp.array([2, 0, 3, 1])
  np.testing.assert_allclose(found, head(x[:, order], visible[:, order], hidden), atol=1e-5)


def test_series_transformer_does_not_see_padding():
  net = tst.TST((6, 3), width=8, depth=2, heads=2, rngs=nnx.Rngs(0))
  net.eval()
  x = normal(2, 6, 3).at[:, 4:].set(0)
  tokens, pooled = net(x)[:2]
  np.testing.assert_allclose(pooled, tokens[:, :4].mean(1), atol=1e-6)
  net.positions[...] = net.positions[...].at[4:].add(5.0)
  np.testing.assert_allclose(net(x).pooled, pooled, atol=1e-6)
  assert jnp.abs(net(x, mask=jnp.ones(x.shape, bool).at[:, 1:].set(False)).pooled - pooled).max() > 1e-5


def test_series_transformer_scales_its_input_and_ends_with_a_gelu():
  net = tst.TST((6, 3), width=8, depth=0, heads=2, rngs=nnx.Rngs(0))
  x = normal(2, 6, 3)
  before = np.sqrt(8) * (np.asarray(x) @ np.asarray(net.embed.kernel[...])) + np.asarray(net.positions[...])  # its bias is 0 at the start
  erf = np.vectorize(math.erf)
  np.testing.assert_allclose(net(x).tokens, before * (1 + erf(before / np.sqrt(2))) / 2, atol=1e-5)


def test_series_transformer_drops_attention_probabilities():
  block = tst.BatchNormBlock(8, heads=2, ratio=2.0, dropout=0.5, rngs=nnx.Rngs(0))
  block.eval()
  block.dropout = block.mlp.dropout = 0.0  # of all the rest
  x, mask, keys = normal(2, 6, 8), jnp.ones((2, 6), bool), jax.random.split(jax.random.key(0), 2)
  found = block(x, mask=mask, keys=keys)
  assert not np.allclose(found, block(x, mask=mask), atol=1e-3)
  np.testing.assert_allclose(found[1:], block(x[1:], mask=mask[1:], keys=keys[1:]), atol=1e-5)


def test_reporter_does_not_read_hidden_words():
  net = masked_text_decoder.MaskedTextDecoder(4, vocabulary=5, length=3, width=8, depth=1, heads=2, rngs=nnx.Rngs(0))
  mask, feature = jnp.array([[False, True, False]]), normal(1, 4)
  a, b = (net(jnp.array([[0, hidden, 3]]), mask, feature) for hidden in (1, 4))
  np.testing.assert_array_equal(a, b)
  assert jnp.abs(a - net(jnp.array([[0, 1, 3]]), mask, -feature)).max() > 1e-4
