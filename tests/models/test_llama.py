"""Llama against its definition; tests/pretrained/ compares it with transformers."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.layers import rotary
from jssl.models.text.llama import Llama

IDS = jnp.array([[3, 4, 5, 0, 0, 0], [1, 2, 3, 4, 5, 6]])
KEYS = jax.random.split(jax.random.key(0), 2)


def llama(**options):
  return Llama((6,), **dict(vocabulary=9, width=8, depth=2, heads=4, kv_heads=2, theta=50.0, std=0.3, rngs=nnx.Rngs(0)) | options)


@pytest.mark.parametrize('window', [None, 2])
def test_tokens_see_only_those_before_them_and_no_padding(window):
  net = llama(window=window)
  whole, cut = net(IDS), net(IDS[:, :3])
  np.testing.assert_allclose(whole.tokens[:, :3], cut.tokens, atol=1e-5)
  np.testing.assert_array_equal(whole.pooled, jnp.stack([whole.tokens[0, 2], whole.tokens[1, 5]]))
  assert whole.layers.shape == (3, 2, 6, 8)
  loss = lambda net: jnp.sum(net(IDS).layers ** 2)
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(nnx.grad(loss)(net)))


def test_a_window_reaches_as_far_as_the_blocks_carry_it():
  """Two blocks of a window of 2 reach 2 tokens further back, and no further."""
  net, other = llama(window=2), IDS.at[1, 0].set(7)
  differ = jnp.abs(net(IDS).tokens - net(other).tokens).max((0, 2)) > 1e-6
  np.testing.assert_array_equal(differ, [True, True, True, False, False, False])


def test_positions_are_relative():
  """Tokens that start later, after padding that is not attended to, have the same states."""
  net, moved = llama(), jnp.array([[0, 0, 3, 4, 5, 6]])
  np.testing.assert_allclose(net(moved).tokens[:, 2:], net(moved[:, 2:]).tokens, atol=1e-5)


def test_options_change_parameters_as_they_say():
  shapes = lambda **options: {'.'.join(map(str, path)): x.shape for path, x in nnx.to_flat_state(nnx.state(llama(**options)))}
  plain = shapes()
  assert plain['blocks.attention.kv.kernel'] == (2, 8, 8) and plain['blocks.mlp.gate.kernel'] == (2, 8, 21)
  assert not [name for name in plain if 'bias' in name]
  added = lambda **options: sorted(name.removeprefix('blocks.') for name in shapes(**options).keys() - plain.keys())
  assert added(qkv_bias=True) == ['attention.kv.bias', 'attention.q.bias']
  assert added(proj_bias=True) == ['attention.proj.bias']
  assert added(mlp_bias=True) == ['mlp.fc1.bias', 'mlp.fc2.bias', 'mlp.gate.bias']
  assert added(qk_norm=True) == ['attention.norm_k.scale', 'attention.norm_q.scale']
  assert added(tied=False) == ['output'] and added(tied=None) == []
  assert shapes(head=6)['blocks.attention.proj.kernel'] == (2, 24, 8) and shapes(hidden=5)['blocks.mlp.fc2.kernel'] == (2, 5, 8)


def test_dropout_is_drawn_from_the_keys_of_the_examples():
  net = llama(dropout=0.5)
  both, one = net(IDS, keys=KEYS).pooled, net(IDS[1:], keys=KEYS[1:]).pooled
  np.testing.assert_allclose(both[1], one[0], atol=1e-5)
  assert not np.allclose(both, net(IDS).pooled)


def test_half_precision_is_computed_in_and_logits_are_whole():
  net = llama(dtype='bfloat16')
  features = net(IDS)
  assert features.tokens.dtype == jnp.bfloat16 and net.logits(features.tokens).dtype == jnp.float32
  assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(nnx.state(net, nnx.Param)))
  np.testing.assert_allclose(features.tokens.astype(jnp.float32), llama()(IDS).tokens, atol=0.1)


@pytest.mark.parametrize(
  'options, match',
  [
    (dict(length=5), 'at most 5 tokens'),
    (dict(head=3), '3 wide'),
    (dict(kv_heads=3), 'do not divide 4'),
    (dict(scaling=dict(type='yarn', factor=2.0)), "'linear' or 'llama3'"),
  ],
)
def test_what_cannot_be_is_refused(options, match):
  with pytest.raises(ValueError, match=match):
    llama(**options)


def test_stretched_wavelengths_are_those_of_the_loop():
  scaling = dict(type='llama3', factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
  found, plain = (rotary.angles(jnp.array([1]), 16, 100.0, x)[0] for x in (scaling, None))
  for i, angle in enumerate(found):
    frequency = 100.0 ** (-2 * i / 16)
    turns = 64 * frequency / (2 * math.pi)  # over the texts that the network was first trained on
    share = min(max((turns - 1) / 3, 0), 1)
    np.testing.assert_allclose(angle, share * frequency + (1 - share) * frequency / 8, rtol=1e-5)
  assert found[0] == plain[0] and np.isclose(found[-1], plain[-1] / 8)
  np.testing.assert_allclose(rotary.angles(jnp.array([6]), 16, 100.0, dict(type='linear', factor=2.0)), 3 * plain[None], rtol=1e-6)
