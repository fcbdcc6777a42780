"""Greedy completion of sequences: the share of exact matches."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import likeliest
from jssl.ops.generation import generate
from jssl.types import Key


@protocol('2', needs=('{split}.ids', 'nets.{encoder}.table', 'nets.{head}'), raw=False, fits=needs.starts)
def fill_masked(subject: Subject, key: Key, *, split: str = 'test', encoder: str = 'backbone', head: str = 'lm') -> dict[str, float]:
  """The `fill_masked` protocol: completes a sequence from left to right, predicting each token as the first masked one.

  Args:
    subject: its data have ids [n], with the `start` of the part to predict.
    key: breaks ties; otherwise the most likely token is taken.
    split: the split to evaluate.
    encoder: (ids, mask) -> Features; has a `table`.
    head: (tokens, table) -> logits.

  Returns:
    exact, the share of exactly correct sequences; tokens, the share of correct tokens.

  Reference: Nolte et al. 2024, arXiv:2412.05117, section 3 (inference).
  """
  net, lm = subject.networks[encoder], subject.networks[head]

  def at(ids, place):
    hidden = jnp.broadcast_to(jnp.arange(ids.shape[1]) >= place, ids.shape)
    return lm(jnp.take(net(ids, mask=hidden).tokens, place, axis=1), net.table)

  return _told(subject, key, split, at)


@protocol('2', needs=('{split}.ids', 'nets.{encoder}.logits'), raw=False, fits=needs.starts)
def greedy_decode(subject: Subject, key: Key, *, split: str = 'test', encoder: str = 'backbone') -> dict[str, float]:
  """The `greedy_decode` protocol: as `fill_masked`, but a causal network predicts each token from the previous tokens.

  Args:
    subject, key, split: as in `fill_masked`.
    encoder: ids -> Features; has `logits`.

  Returns:
    exact and tokens, as in `fill_masked`.
  """
  net = subject.networks[encoder]
  return _told(subject, key, split, lambda ids, place: net.logits(jnp.take(net(ids).tokens, place - 1, axis=1)))


def _told(subject: Subject, key: Key, split: str, at: Callable) -> dict[str, float]:
  """`at`: (ids, place) -> logits of a position, which must not depend on the tokens from that position on."""
  examples, start = subject.data.splits[split], subject.data.spec['ids'].start
  ids = np.stack([examples[i]['ids'] for i in range(len(examples))])

  @jax.jit
  def tell(ids):
    b, n = ids.shape

    def step(cache, new, place):
      ids, sums = cache
      ids = ids.at[:, place].set(new)
      logits = at(ids, place + 1)
      return logits, None, (ids, sums.at[:, place + 1].set(jnp.sum(logits, -1)))

    cache = ids.at[:, start:].set(1), jnp.zeros((b, n))
    choose = lambda logits, place: likeliest(jax.random.fold_in(key, place), logits)
    ids, (_, sums) = generate(step, cache, ids, jnp.full(b, start), choose, length=n, begin=start - 1)
    return ids, sums

  told, sums = tell(ids)
  finite(sums, 'the logits of tokens')
  right = np.asarray(told)[:, start:] == ids[:, start:]
  return {'exact': float(right.all(1).mean()), 'tokens': float(right.mean())}
