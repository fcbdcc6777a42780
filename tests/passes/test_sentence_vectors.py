"""Passes over the layers, the attention and the parameters of encoders, and over vectors of phrases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.text.bert import Bert
from jssl.passes.sentences import compose, drift, log_attention, mean_layers
from jssl.passes.views import embed, encode
from jssl.views.text import duplicate
from tests.passes.by_hand import given

B, N, D, HEADS = 3, 5, 8, 2
IDS = jnp.array([[2, 6, 7, 8, 3], [2, 9, 3, 0, 0], [2, 5, 6, 3, 0]])
KEYS = jax.random.split(jax.random.key(0), B)
BATCH = dict(ids=IDS, example=jnp.arange(B), epoch=jnp.zeros(B, jnp.int32))


def bert(seed=0, **options):
  return Bert((N,), vocabulary=12, width=D, depth=3, heads=HEADS, std=0.5, rngs=nnx.Rngs(seed), **options)


def run(passes, *wanted, nets, target=None):
  return given(passes, *wanted, nets=nets, target=target, batch=BATCH, keys=KEYS)


def test_layers_are_averaged_over_real_tokens():
  passes = dict(guide=(encode(on='batch.ids', teacher=True), 'batch.ids'), it=(mean_layers(on='guide.layers'), 'guide.layers'))
  net = bert()
  found = run(passes, 'it.out', 'guide.layers', nets=dict(backbone=net), target=dict(backbone=net))
  layers = np.asarray(found('guide.layers'))
  assert layers.shape == (B, 4, N, D)
  for i, count in enumerate((5, 3, 4)):
    np.testing.assert_allclose(found('it.out')[i], layers[i, :, :count].mean(1), atol=1e-6)


@pytest.mark.parametrize('last', [None, 2])
def test_attention_is_that_of_the_blocks(last):
  passes = dict(views=embed(view=duplicate), it=(log_attention(on='views.layers', last=last), 'views.layers'))
  net = bert()
  found = run(passes, 'it.out', 'it.real', 'views.layers', nets=dict(backbone=net))
  states, out = np.asarray(found('views.layers')[0]), np.asarray(found('it.out')[1])
  assert out.shape == (B, last or 3, HEADS, N, N)
  np.testing.assert_array_equal(found('it.real'), IDS != 0)
  qkv = net.blocks.attention.qkv
  for at, layer in enumerate(range(3 - (last or 3), 3)):
    mixed = states[:, layer] @ np.asarray(qkv.kernel[...])[layer] + np.asarray(qkv.bias[...])[layer]
    q, k = (mixed[..., i * D : i * D + D].reshape(B, N, HEADS, D // HEADS) for i in (0, 1))
    for b, count in enumerate((5, 3, 4)):
      for h in range(HEADS):
        scores = np.exp(q[b, :, h] @ k[b, :count, h].T / np.sqrt(D // HEADS))
        np.testing.assert_allclose(np.exp(out[b, at, h, :, :count]), scores / scores.sum(1, keepdims=True), atol=1e-5)
        assert np.exp(out[b, at, h, :, count:]).max(initial=0) == 0


@pytest.mark.parametrize(
  'how, expected', [('mean', lambda a, b: (a + b) / 2), ('max', np.maximum), ('parts', lambda a, b: np.concatenate([a[:, :4], b[:, 4:]], 1))]
)
def test_compositions(how, expected):
  passes = dict(text=embed(view=duplicate), it=(compose(on=('text.pooled[0]', 'text.pooled[1]'), how=how), 'text.pooled'))
  found = run(passes, 'it.out', 'text.pooled', nets=dict(backbone=bert(dropout=0.5)))
  a, b = (np.asarray(found('text.pooled')[i]) for i in (0, 1))
  assert not np.allclose(a, b)
  np.testing.assert_allclose(found('it.out'), expected(a, b), atol=1e-6)


def test_unknown_compositions_are_refused():
  with pytest.raises(ValueError, match="no way 'sum'"):
    compose(on=('text.pooled[0]',), how='sum')


def test_drift_is_the_squared_distance_of_all_parameters():
  student, teacher = bert(0), bert(1)
  arrays = lambda net: jax.tree.leaves(nnx.to_pure_dict(nnx.state(net, nnx.Param)))
  expected = sum(float(np.sum((np.asarray(a, np.float64) - b) ** 2)) for a, b in zip(arrays(student), arrays(teacher), strict=True))
  found = run(dict(it=drift()), 'it.out', nets=dict(backbone=student), target=dict(backbone=teacher))('it.out')
  np.testing.assert_allclose(found, [expected] * B, rtol=1e-5)
  assert run(dict(it=drift()), 'it.out', nets=dict(backbone=student), target=dict(backbone=student))('it.out')[0] == 0
