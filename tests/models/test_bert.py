"""The BERT family: shapes, padding, hiding, randomness."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models import Bert
from jssl.models.layers.relative import buckets
from jssl.models.text.averaged import AveragedBert
from jssl.models.text.bert import PostNormBlock

IDS = jnp.array([[2, 5, 6, 3, 0, 0], [2, 7, 8, 9, 4, 3], [2, 3, 0, 0, 0, 0]])


def make(**options):
  return Bert((6,), vocabulary=12, width=8, depth=2, heads=2, rngs=nnx.Rngs(0), **options)


def run(net, *args, **options):
  graphdef, params = nnx.split(net)
  return jax.jit(lambda params, args, options: nnx.merge(graphdef, params, copy=True)(*args, **options))(params, args, options)


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_shapes_and_dtypes(dtype):
  tokens, pooled, layers, _ = run(make(dtype=dtype), IDS)
  assert tokens.shape == (3, 6, 8) and pooled.shape == (3, 8) and layers.shape == (3, 3, 6, 8)
  assert tokens.dtype == pooled.dtype == layers.dtype == jnp.dtype(dtype)
  np.testing.assert_array_equal(layers[-1], tokens)


@pytest.mark.parametrize('pool', ['mean', 'cls'])
def test_padding_changes_nothing(pool):
  net = make(pool=pool)
  whole, cut = run(net, IDS), run(net, IDS[:, :4])
  np.testing.assert_allclose(whole.pooled[::2], cut.pooled[::2], atol=1e-5)
  np.testing.assert_allclose(whole.tokens[0, :4], cut.tokens[0], atol=1e-5)


def test_pooling():
  tokens, pooled, *_ = run(make(), IDS)
  np.testing.assert_allclose(pooled[0], tokens[0, :4].mean(0), atol=1e-6)
  tokens, pooled, *_ = run(make(pool='cls'), IDS)
  np.testing.assert_array_equal(pooled, tokens[:, 0])
  _, pooled, layers, _ = run(make(pool='first_last'), IDS)
  np.testing.assert_allclose(pooled[0], (layers[1] + layers[2])[0, :4].mean(0) / 2, atol=1e-6)
  _, pooled, *_ = run(make(pool='sqrt'), IDS)
  np.testing.assert_allclose(pooled[0], run(make(), IDS).tokens[0, :4].sum(0) / 2, atol=1e-5)
  averaged = AveragedBert((6,), vocabulary=12, width=8, depth=2, heads=2, rngs=nnx.Rngs(0))
  np.testing.assert_allclose(run(averaged, IDS).pooled[0], layers[:, 0, :4].mean((0, 1)), atol=1e-6)
  assert np.isfinite(run(make(), jnp.zeros_like(IDS)).pooled).all()


@pytest.mark.parametrize('options', [{}, dict(activation='relu', buckets=8, std=0.5)])
def test_neurons_lead_to_the_next_layer(options):
  net = make(**options)
  layers, neurons = net(IDS).layers, net.neurons(IDS)
  assert neurons.shape == (2, 3, 6, 32)
  graphdef, params = nnx.split(net.blocks)
  for i in range(2):
    block = nnx.merge(graphdef, jax.tree.map(lambda x, i=i: x[i], nnx.to_pure_dict(params)))
    h = block.norm1(layers[i] + block.attention(layers[i], mask=IDS != 0, bias=net.bias(6)))
    np.testing.assert_allclose(block.norm2(h + block.mlp.fc2(neurons[i])), layers[i + 1], atol=1e-5)


def test_positions_that_count_from_padding_skip_it():
  net = make(from_pad=True)
  assert net.position.embedding.shape == (7, 8) and net.longest == 6
  gaps = jnp.array([[2, 0, 5, 0, 6, 3]])
  at = jnp.array([0, 2, 4, 5])
  np.testing.assert_allclose(run(net, gaps).tokens[0, at], run(net, gaps[:, at]).tokens[0], atol=1e-5)
  assert not np.allclose(run(make(), gaps).tokens[0, at], run(make(), gaps[:, at]).tokens[0], atol=1e-3)


def test_classes_of_distances():
  found = buckets(np.arange(60) - np.arange(60)[:, None], 16, 32, bidirectional=True)
  for i in range(0, 60, 7):
    for j in range(60):
      far = abs(j - i) if abs(j - i) < 4 else min(7, 4 + math.floor(4 * math.log(abs(j - i) / 4) / math.log(8) + 1e-6))
      assert found[i, j] == far + (8 if j > i else 0)


def test_what_is_learned_of_distances_is_added_to_the_logits():
  net, none = make(buckets=8), make()
  np.testing.assert_allclose(run(net, IDS).tokens, run(none, IDS).tokens, atol=0.05)  # the same but for a bias near 0
  net.relative[...] = jnp.arange(8.0)[:, None] * jnp.array([1.0, 0.0])
  assert net.bias(6).shape == (1, 2, 6, 6) and not np.allclose(run(net, IDS).tokens, run(none, IDS).tokens, atol=1e-3)
  np.testing.assert_array_equal(net.bias(6)[0, 0, 2], buckets(np.arange(6) - 2, 8, 128, bidirectional=True))


def test_an_embedding_of_another_width_and_no_token_types():
  net = make(embedding=4, types=0)
  assert net.table.shape == (12, 4) and net.type is None and run(net, IDS).tokens.shape == (3, 6, 8)
  assert make(embedding=8).project is None
  with pytest.raises(ValueError, match='leave types out'):
    net(IDS, types=IDS * 0)


def test_a_push_is_added_behind_its_block():
  net, by = make(), jnp.arange(8.0)
  before, after = net(IDS).layers, net.pushed(0, by)(IDS).layers
  np.testing.assert_allclose(after[0], before[0], atol=1e-6)
  np.testing.assert_allclose(after[1], before[1] + by, atol=1e-5)
  assert not np.allclose(after[2], before[2], atol=1e-2)


def test_attention_probabilities_are_dropped_too():
  block, x = PostNormBlock(8, heads=2, hidden=16, dropout=0.5, rngs=nnx.Rngs(0)), jax.random.normal(jax.random.key(0), (3, 6, 8))
  block.dropout = 0.0  # of all the rest
  keys, mask = jax.random.split(jax.random.key(1), 3), IDS != 0
  found = block(x, mask=mask, keys=keys)
  assert not np.allclose(found, block(x, mask=mask), atol=1e-3)
  np.testing.assert_allclose(found[1:], block(x[1:], mask=mask[1:], keys=keys[1:]), atol=1e-5)


def test_hidden_tokens_leave_no_trace_and_padding_stays():
  net = make(mask_id=4)
  mask = jnp.zeros((3, 6), bool).at[:, 1].set(True).at[:, 5].set(True)
  other = IDS.at[:, 1].set(11)
  np.testing.assert_allclose(run(net, IDS, mask=mask).pooled, run(net, other, mask=mask).pooled, atol=1e-6)
  np.testing.assert_allclose(run(net, IDS, mask=mask).pooled[0], run(net, IDS.at[:, 1].set(4)).pooled[0], atol=1e-6)


def test_randomness_is_of_each_example_alone():
  net, keys = make(dropout=0.5), jax.random.split(jax.random.key(7), 3)
  whole = run(net, IDS, keys=keys).pooled
  np.testing.assert_allclose(whole[1:], run(net, IDS[1:], keys=keys[1:]).pooled, atol=1e-5)
  assert not np.allclose(whole, run(net, IDS).pooled, atol=1e-3)


def test_stacked_layers_differ():
  kernel = make().blocks.mlp.fc1.kernel[...]
  assert kernel.shape == (2, 8, 32) and not np.allclose(kernel[0], kernel[1])


@pytest.mark.parametrize(
  'given, message',
  [
    (dict(on=(6, 2)), 'ids of shape'),
    (dict(on=()), r'ids of shape \(n,\), and was given \(\)'),
    (dict(length=5), '5 positions takes at most 5 tokens'),
    (dict(length=6, from_pad=True), '6 positions takes at most 5 tokens'),
    (dict(from_pad=True, pad=None), 'pad is None'),
    (dict(activation='mish'), 'unknown activation'),
    (dict(buckets=6), 'multiple of 4'),
    (dict(pool='max'), "'first_last' or 'cls'"),
    (dict(heads=3), 'divide'),
  ],
)
def test_complaints(given, message):
  given = dict(on=(6,), vocabulary=12, width=8, depth=1, heads=2, rngs=nnx.Rngs(0)) | given
  with pytest.raises(ValueError, match=message):
    Bert(given.pop('on'), **given)


def test_hiding_needs_a_mask_id():
  with pytest.raises(ValueError, match='mask_id'):
    make()(IDS, mask=IDS > 4)
