"""A probe with a learned query, on tokens of which one knows the label."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.data.core.arrays import arrays
from jssl.evaluators import Subject, attentive, linear
from jssl.evaluators.general.attentive import AttentiveProbe
from jssl.tables import EVALUATORS
from jssl.types import Features

KEY = jax.random.key(0)


@pytest.fixture(scope='module')
def subject():
  """16 tokens of noise an example, of which one is marked and has the label's direction."""
  random = np.random.RandomState(0)

  def split(n):
    y, x = np.arange(n, dtype=np.int32) % 4, random.randn(n, 16, 12).astype(np.float32)
    marked = np.arange(n), random.randint(0, 16, n)
    x[*marked, y] += 3
    x[*marked, 8] += 8
    return dict(image=x, label=y)

  represent = jax.jit(lambda batch: Features(jnp.asarray(batch['image']), jnp.mean(batch['image'], 1)))
  return Subject(arrays(**split(800), test=split(200)), represent, {'backbone': represent})


def test_it_finds_the_token_that_knows(subject):
  figures = attentive(subject, KEY, learning_rates=(1e-4, 0.2), epochs=6, batch_size=64, refit=False)
  assert figures['top1'] > 0.85 and figures['chosen'] == dict(learning_rate=0.2, weight_decay=1e-3) and 'top5' not in figures
  assert linear(subject, KEY, epochs=6, batch_size=64, learning_rates=(0.1,), refit=False)['top1'] < 0.65


def test_its_forward_pass_is_that_of_a_loop():
  probe = AttentiveProbe(6, heads=2, classes=3, rngs=nnx.Rngs(0))
  p = jax.tree.map(lambda x: np.asarray(x, float), nnx.to_pure_dict(nnx.state(probe)))
  x = np.random.RandomState(0).randn(2, 5, 6)
  norm = lambda z: (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)
  line = lambda z, of: z @ of['kernel'] + of['bias']
  gelu = np.vectorize(lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2)
  for example, found in zip(x, np.asarray(nnx.jit(probe)(jnp.asarray(x, jnp.float32))), strict=True):
    q, (k, v) = line(p['query'][0], p['attention']['q']), np.split(line(norm(example), p['attention']['kv']), 2, -1)
    heads = []
    for one in (slice(0, 3), slice(3, 6)):
      a = np.exp(k[:, one] @ q[one] / np.sqrt(3))
      heads.append((a / a.sum()) @ v[:, one])
    y = p['query'][0] + line(np.concatenate(heads), p['attention']['proj'])
    y = y + line(gelu(line(norm(y), p['mlp']['fc1'])), p['mlp']['fc2'])
    np.testing.assert_allclose(found, line(y, p['linear']), rtol=1e-3, atol=1e-4)


def test_heads_must_divide_the_tokens(subject):
  with pytest.raises(ValueError, match='heads is 5; expected a number that divides the width of the tokens, 12'):
    EVALUATORS['attentive'].check(subject, heads=5)
