"""Sequences told, cells filled and verses found, by networks whose answers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.data.core.arrays import Columns, arrays
from jssl.evaluators import Subject
from jssl.tables import EVALUATORS as PROTOCOLS
from jssl.types import Features


class Counter:
  """Tells the token that follows by adding one to the last that it can see; hidden tokens it cannot."""

  table = jnp.eye(12)

  def __call__(self, ids, *, mask=None, keys=None):
    last = lambda shown: jnp.max(jnp.where(shown, jnp.arange(ids.shape[1]), 0), 1)
    if mask is None:
      return Features(self.table[ids + 1], self.table[ids[:, 0]])
    token = jnp.take_along_axis(ids, last(~mask)[:, None], 1) + 1
    return Features(self.table[jnp.broadcast_to(token, ids.shape)], self.table[token[:, 0]])

  def logits(self, tokens):
    return tokens


@pytest.mark.parametrize('name', ['fill_masked', 'greedy_decode'])
def test_what_is_told_builds_on_what_was_told(name):
  ids = np.array([[1, 2, 3, 4, 5], [3, 4, 5, 6, 7], [1, 2, 3, 5, 6]])
  data = arrays(ids=ids, test=dict(ids=ids), facts=dict(ids=dict(start=2)))
  subject = Subject(data, lambda x: None, dict(backbone=Counter(), lm=lambda tokens, table: tokens @ table))
  found = PROTOCOLS[name](subject, jax.random.key(0))
  assert found['exact'] == pytest.approx(2 / 3) and found['tokens'] == pytest.approx(7 / 9)


def test_late_retrieval_finds_the_passage_with_the_query_in_it():
  passages = np.array([[1, 2, 3], [4, 5, 0], [6, 7, 8]])
  data = arrays(ids=passages, cipher=np.array([[2, 3], [5, 4], [1, 2]]))
  rows = data.splits['train']
  data = data._replace(splits={'test': [rows[i] for i in range(len(rows))]})  # a list of dicts will do
  found = PROTOCOLS['late_retrieval'](Subject(data, lambda x: None, dict(backbone=Counter(), projector=lambda x: x)), jax.random.key(0))
  assert found['recall1'] == pytest.approx(2 / 3) and found['mrr'] == pytest.approx((1 + 1 + (1 / 2 + 1 / 3) / 2) / 3)


def test_labelled_regression_fits_the_split_that_has_numbers():
  random = np.random.RandomState(0)
  columns = lambda n: dict(x=(x := random.randn(n, 3).astype(np.float32)), truth=x @ np.array([[1], [2], [3]], np.float32))
  data = arrays(x=random.randn(5, 3))
  data = data._replace(splits={**data.splits, 'labelled': Columns(columns(80)), 'test': Columns(columns(20))})
  represent = lambda batch: Features(batch['x'][:, None], batch['x'])
  assert PROTOCOLS['labelled_regression'](Subject(data, represent), jax.random.key(0))['r2'] > 0.99


def test_hidden_tokens_beside_their_frequency():
  """`Counter` adds one to the last token that it can see: right where the last of a text that counts is hidden."""
  ids = np.array([[1, 2, 3, 4, 0], [3, 4, 5, 6, 7], [7, 7, 7, 7, 7]])
  data = arrays(ids=ids, test=dict(ids=ids[:2]), facts=dict(ids=dict(size=12, pad=0)))
  subject = Subject(data, lambda x: None, dict(backbone=Counter(), lm=lambda tokens, table: 30 * tokens @ table))
  found = PROTOCOLS['masked_tokens'](subject, jax.random.key(0))
  assert found['tokens'] == 2 and found['top1'] in (0, 0.5, 1) and found['loss'] == pytest.approx(30 * (1 - found['top1']), abs=1e-3)
  # 7 is seen six times of 14, and each of the 12 once more
  assert found['unigram_top1'] <= 0.5 and 0 < np.exp(-found['unigram_loss']) <= 7 / 26


def test_next_tokens_beside_counts_of_pairs():
  ids = np.array([[1, 2, 3, 4, 0], [3, 4, 5, 6, 7]])
  data = arrays(ids=ids, test=dict(ids=ids), facts=dict(ids=dict(size=12, pad=0)))
  subject = Subject(data, lambda x: None, dict(backbone=type('Sure', (Counter,), dict(logits=lambda self, tokens: 30 * tokens))()))
  found = PROTOCOLS['next_tokens'](subject, jax.random.key(0))
  assert found['tokens'] == 7 and found['top1'] == 1 and found['perplexity'] == pytest.approx(1, abs=1e-3)
  seen = {1: 1, 2: 1, 3: 2, 4: 2, 5: 1, 6: 1, 7: 1}
  unigram = lambda b: (seen[b] + 1) / (9 + 12)
  pairs = [(1, 2), (2, 3), (3, 4), (3, 4), (4, 5), (5, 6), (6, 7)]
  bigram = [(pairs.count((a, b)) + 100 * unigram(b)) / (sum(x == a for x, _ in pairs) + 100) for a, b in pairs]
  assert found['unigram_perplexity'] == pytest.approx(np.exp(-np.mean([np.log(unigram(b)) for _, b in pairs])))
  assert found['bigram_perplexity'] == pytest.approx(np.exp(-np.mean(np.log(bigram))))
