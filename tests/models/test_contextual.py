"""Texts read beside their corpus: no order among the context, a stand-in where there is none, and one encoding of it a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.core import loop
from jssl.core.build import plan
from jssl.data.core.arrays import Columns
from jssl.data.retrieval.passages import king_james_passages
from jssl.models.text.contextual import ContextualBert
from jssl.transforms import corpus_context
from jssl.types import Data, Features
from tests.contracts.test_systems import needs_data
from tests.made import tiny

IDS = jnp.array([[2, 7, 8, 3, 0, 0], [2, 9, 3, 0, 0, 0]])


def network(null=0.005):
  return ContextualBert((6,), vocabulary=12, width=8, depth=2, heads=2, std=0.5, contexts=4, null=null, rngs=nnx.Rngs(0))


def test_the_context_has_no_order_and_matters():
  net, context = network(), jax.random.normal(jax.random.key(1), (4, 8))
  found = net(IDS, context=context)
  assert found.tokens.shape == (2, 6, 8) and found.layers.shape == (3, 2, 6, 8)
  np.testing.assert_allclose(found.pooled, net(IDS, context=context[::-1]).pooled, atol=1e-5)
  np.testing.assert_allclose(found.pooled, net(IDS, context=jnp.stack([context, context])).pooled, atol=1e-6)
  np.testing.assert_allclose(found.pooled[0], found.tokens[0, :4].mean(0), atol=1e-6)
  assert np.abs(found.pooled - net(IDS, context=2 * context).pooled).max() > 1e-3


def test_the_learned_vector_stands_in():
  context, keys = jax.random.normal(jax.random.key(1), (4, 8)), jax.random.split(jax.random.key(2), 2)
  net = network(null=1.0)
  np.testing.assert_allclose(net(IDS, context=context, keys=keys).pooled, net(IDS).pooled, atol=1e-6)
  assert np.abs(net(IDS, context=context).pooled - net(IDS).pooled).max() > 1e-3
  np.testing.assert_allclose(network(null=0.0)(IDS, context=context, keys=keys).pooled, net(IDS, context=context).pooled, atol=1e-6)


def test_the_corpus_is_embedded_once():
  calls = []

  def represent(inputs, network=None, context=None):
    calls.append((network, len(inputs['ids'])))
    return Features(None, jnp.ones((len(inputs['ids']), 2)) * (1 if context is None else context.sum()))

  ids = np.arange(20, dtype=np.int32).reshape(10, 2)
  data = Data(dict(test=Columns(dict(ids=ids))), {}, 'ids', {})
  before = corpus_context(network='contexts', count=4)
  state = before.fit(represent, data)
  found = [before.apply(represent, state, {'ids': ids[:3]}).pooled for _ in range(2)]
  assert calls == [('contexts', 4), (None, 3), (None, 3)] and found[0][0, 0] == 8


@pytest.mark.rotating
def test_contexts_are_encoded_once_a_batch():
  """FLOPs by hand: forward and backward, 3 F, of the first network on B texts, and of the second on 2 B texts beside B vectors."""
  c = tiny('cde', batch_size=32)
  needs_data(c)
  c['data']['length'] = n = 32
  c['backbone'] |= dict(width=64, depth=1, heads=2, contexts=32)  # of a scan over layers the compiler counts one round
  c['heads']['contexts'] |= dict(width=64, depth=1, heads=2)
  p, b, d = plan(c), 32, 64
  block = lambda n: 2 * n * d * 3 * d + 4 * n * n * d + 2 * n * d * d + 2 * 2 * n * d * 4 * d
  flops = loop.Programs(p, loop.make_mesh(devices=jax.devices()[:1])).trace(1).lower().compile().cost_analysis()['flops']
  by_hand = 3 * (b * block(n) + 2 * b * block(n + b))
  again = by_hand + 3 * 2 * b * (b - 1) * block(n)  # if every member encoded them
  assert by_hand < flops < 1.35 * by_hand < again / 5, (flops / by_hand, again / by_hand)


def test_a_query_is_the_verse_before_its_passage():
  needs_data(dict(data=dict(name='king_james_passages')))
  data = king_james_passages(length=16, vocabulary=600, train=200)
  texts = data.info['texts']
  assert texts['test_queries'][0].startswith('In the beginning God created') and texts['test'][0].startswith('And the earth was without form')
  assert len(data.splits['train']) == 200 and 0 not in data.splits['train'].columns['book']
  assert len(data.splits['queries']) == len(data.splits['test']) == len(data.splits['relevance'])
  assert not set(texts['train']) & set(texts['test'])


@pytest.mark.parametrize('name', ['simlm', 'cde'])
def test_every_phase_is_traced_with_its_own_networks(name):
  c = tiny(name)
  needs_data(c)
  p = plan(c)
  trained = [phase.turns[0].trained for phase in p.phases]
  assert len(set(trained)) == len(trained) if name == 'cde' else {'decoder'} == {n for of in trained[1:2] for n in of} - {'backbone', 'lm'}
