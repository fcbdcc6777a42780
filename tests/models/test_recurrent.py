"""Recurrent encoders and pooling by attention against loops."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.layers.attention_pooling import POOLS
from jssl.models.text.recurrent import BiRecurrent, Recurrent

IDS = np.array([[2, 5, 6, 3, 0], [7, 8, 0, 0, 0], [4, 3, 2, 9, 11], [0, 0, 0, 0, 0]])
H = 3


def make(**options):
  return Recurrent((5,), vocabulary=12, width=4, hidden=H, std=1.0, rngs=nnx.Rngs(0), **options)


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def one_way(layer, side, x, state):
  """The states of one direction over the words x, one word at a time, and the last state."""
  w, b, u, c = (np.asarray(p[...], np.float64)[side] for p in (layer.enter, layer.enter_bias, layer.recur, layer.recur_bias))
  h, memory = state
  states = []
  for word in x:
    a, r = word @ w + b, h @ u + c
    if layer.cell == 'lstm':
      i, f, g, o = (a[k * H : k * H + H] + r[k * H : k * H + H] for k in range(4))
      memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
      h = sigmoid(o) * np.tanh(memory)
    else:
      reset, z = sigmoid(a[:H] + r[:H]), sigmoid(a[H : 2 * H] + r[H : 2 * H])
      h = z * h + (1 - z) * np.tanh(a[2 * H :] + reset * r[2 * H :])
    states.append(h)
  return states, (h, memory)


def both_ways(layer, x, states=None):
  nothing = (np.zeros(H), np.zeros(H))
  before = states or (nothing, nothing)
  forth, first = one_way(layer, 0, x, before[0])
  back, second = one_way(layer, 1, x[::-1], before[1])
  return [np.concatenate([a, b]) for a, b in zip(forth, back[::-1], strict=True)], (first, second)


@pytest.mark.parametrize('cell', ['lstm', 'gru'])
@pytest.mark.parametrize('refine', [False, True])
def test_layers_read_from_both_ends_and_skip_padding(cell, refine):
  net = make(cell=cell, refine=refine, depth=2)
  found, table = net(jnp.asarray(IDS)), np.asarray(net.word.embedding[...], np.float64)
  for row, ids in enumerate(IDS):
    words = [table[i] for i in ids if i]
    tokens, states = both_ways(net.layer0, words)
    vectors = [np.max(tokens, 0) if words else np.zeros(2 * H)]
    tokens, _ = both_ways(net.layer1, words, states) if refine else both_ways(net.layer1, tokens)
    vectors.append(np.max(tokens, 0) if words else np.zeros(2 * H))
    np.testing.assert_allclose(found.pooled[row], np.concatenate(vectors) if refine else vectors[1], atol=1e-5)
    np.testing.assert_allclose(found.tokens[row, : len(words)], np.reshape(tokens, (-1, 2 * H)), atol=1e-5)
  assert net.dim == found.pooled.shape[1] == (4 * H if refine else 2 * H)


def test_mean_and_last_states():
  net = make(pool='mean')
  table = np.asarray(net.word.embedding[...], np.float64)
  tokens, (first, second) = both_ways(net.layer0, [table[i] for i in IDS[0] if i])
  np.testing.assert_allclose(net(jnp.asarray(IDS[:1])).pooled[0], np.mean(tokens, 0), atol=1e-5)
  np.testing.assert_allclose(make(pool='last')(jnp.asarray(IDS[:1])).pooled[0], np.concatenate([first[0], second[0]]), atol=1e-5)


@pytest.mark.parametrize('name', POOLS)
def test_heads_are_means_by_their_scores(name):
  pool, rng = POOLS[name](4, heads=3, rngs=nnx.Rngs(0)), np.random.default_rng(0)
  x, mask = rng.normal(size=(3, 5, 4)).astype(np.float32), np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
  found = np.asarray(pool(jnp.asarray(x), jnp.asarray(mask))).reshape(3, 3, 4)
  for row in range(3):
    real = x[row][mask[row]].astype(np.float64)
    scores = []
    for token in real:
      if name == 'low_rank':
        p, q, c = (np.asarray(w[...], np.float64) for w in (pool.p, pool.q, pool.context))
        f = np.tanh([(p[:, k] @ c[:, 0]) * (q[:, k] @ token) for k in range(3)])
        scores.append(f / np.linalg.norm(f))
      else:
        scores.append(np.tanh(token @ np.asarray(pool.enter.kernel[...])) @ np.asarray(pool.leave.kernel[...]))
    for k in range(3):
      weights = [np.exp(f[k]) for f in scores]
      expected = sum((w * token for w, token in zip(weights, real, strict=True)), np.zeros(4)) / max(sum(weights), 1e-9)
      np.testing.assert_allclose(found[row, k], expected, atol=1e-5)


def test_low_rank_scores_have_fewer_parameters():
  count = lambda net: sum(x.size for x in nnx.state(net, nnx.Param).flat_state().leaves)
  assert count(POOLS['low_rank'](16, heads=8, rngs=nnx.Rngs(0))) == 2 * 16 * 8 + 16 < count(POOLS['structured'](16, heads=8, rngs=nnx.Rngs(0)))


def test_unknown_cells_and_pools_are_refused():
  for options in (dict(cell='rnn'), dict(pool='min')):
    with pytest.raises(ValueError, match='expected one of lstm, gru'):
      make(**options)
  with pytest.raises(ValueError, match='cannot encode a subset'):
    make()(jnp.asarray(IDS), keep=jnp.zeros((4, 1), int))
  assert BiRecurrent(4, hidden=H, cell='gru', rngs=nnx.Rngs(0)).enter.shape == (2, 4, 3 * H)
