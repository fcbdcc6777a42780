"""Decoding with a cache against calls on whole sequences."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from jssl.core.mesh import make_mesh
from jssl.devices.sharding import EXAMPLES
from jssl.models.text.llama import Llama
from jssl.models.text.transformer import CausalLm

IDS = jax.random.randint(jax.random.key(0), (3, 9), 1, 11)


def causal_lm(length=12, **options):
  return CausalLm((length,), **dict(vocabulary=11, width=8, depth=3, heads=2, std=0.5, rngs=nnx.Rngs(0)) | options)


def llama(length=12, **options):
  given = dict(vocabulary=11, width=8, depth=3, heads=4, kv_heads=2, head=6, theta=20.0, std=0.3, rngs=nnx.Rngs(0))
  return Llama((length,), **given | options)


NETS = {'causal_lm': causal_lm, 'llama': llama, 'llama with a window': partial(llama, window=3, qk_norm=True, qkv_bias=True)}


def decoded(net, ids, chunks, length=12):
  """Tokens in chunks of these sizes, with one compilation for each size."""
  traces = []

  @jax.jit
  def step(ids, cache, place):
    traces.append(ids.shape)
    return net.decode(ids, cache, place)

  cache, place, found = net.start(len(ids), length), 0, []
  for t in chunks:
    features, cache = step(ids[:, place : place + t], cache, place)
    found.append(features)
    place += t
  assert len(traces) == len(set(chunks))
  return jax.tree.map(lambda *x: jnp.concatenate(x, -2), *(f._replace(pooled=f.pooled[:, None]) for f in found)), cache


@pytest.mark.parametrize('chunks', [(9,), (1,) * 9, (4, 3, 2), (5, 1, 1, 1, 1)])
@pytest.mark.parametrize('name', NETS)
def test_tokens_in_chunks_have_the_states_of_a_whole_sequence(name, chunks):
  net = NETS[name]()
  whole, (found, cache) = net(IDS), decoded(net, IDS, chunks)
  np.testing.assert_allclose(found.tokens, whole.tokens, atol=1e-5)
  np.testing.assert_allclose(found.layers, whole.layers, atol=1e-5)
  np.testing.assert_allclose(found.pooled[:, -1], whole.pooled, atol=1e-5)
  np.testing.assert_array_equal(jnp.abs(cache.k[:, :, 9:]).sum(), 0)


@pytest.mark.parametrize('name', NETS)
def test_texts_of_unequal_lengths_go_on_over_their_padding(name):
  net, lengths = NETS[name](), jnp.array([2, 5, 3])
  begun = jnp.where(jnp.arange(5) < lengths[:, None], IDS[:, :5], 0)
  first, cache = jax.jit(net.decode)(begun, net.start(3, 12), 0)
  whole = net(IDS)
  np.testing.assert_allclose(first.pooled, whole.tokens[jnp.arange(3), lengths - 1], atol=1e-5)
  step = jax.jit(net.decode)
  for i in range(4):
    at = lengths + i
    found, cache = step(IDS[jnp.arange(3), at][:, None], cache, at)
    np.testing.assert_allclose(found.pooled, whole.tokens[jnp.arange(3), at], atol=1e-5)
  assert step._cache_size() == 1


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('name', NETS)
def test_a_cache_holds_two_numbers_for_each_token_of_each_layer_and_feature_of_keys(name, dtype):
  net = NETS[name](dtype=dtype)
  cache = net.start(5, 7)
  kv = net.blocks.attention.kv_heads * net.blocks.attention.head
  assert sum(x.nbytes for x in jax.tree.leaves(cache)) == 2 * 3 * 5 * 7 * kv * jnp.dtype(dtype).itemsize
  assert jax.eval_shape(net.decode, IDS[:1, :2], net.start(1, 7), 0)[1] == jax.eval_shape(lambda: net.start(1, 7))


@pytest.mark.parametrize('place', [3, np.arange(8)])
@pytest.mark.parametrize('name', NETS)
def test_a_step_writes_into_the_cache_in_place(name, place):
  """Donated, it becomes the next one; beside it a step takes about as much as one of the eight layers."""
  net = NETS[name](length=256, depth=8)
  cache = net.start(8, 256)
  compiled = jax.jit(net.decode, donate_argnums=1).lower(IDS[:1, :1].repeat(8, 0), cache, place).compile().memory_analysis()
  size = sum(x.nbytes for x in jax.tree.leaves(cache))
  assert compiled.alias_size_in_bytes == size
  assert compiled.temp_size_in_bytes < size / 3


def test_more_tokens_than_positions_are_refused():
  with pytest.raises(ValueError, match='at most 12'):
    causal_lm().start(1, 13)


@pytest.mark.parametrize('place', [3, np.arange(16)])
def test_examples_on_other_devices_are_not_asked_for(place):
  net, mesh = llama(), make_mesh()
  graphdef, state = nnx.split(net)
  over = lambda x, *axes: jax.device_put(x, NamedSharding(mesh, PartitionSpec(*axes)))
  with jax.set_mesh(mesh):
    cache, ids = over(net.start(16, 12), None, EXAMPLES), over(jnp.ones((16, 1), jnp.int32), EXAMPLES)
    step = jax.jit(lambda state, *given: nnx.merge(graphdef, state).decode(*given))
    compiled = step.lower(over(state), ids, cache, over(jnp.asarray(place), *[EXAMPLES] * np.ndim(place))).compile().as_text()
  assert not re.findall('all-gather|all-reduce|all-to-all|collective-permute', compiled)
