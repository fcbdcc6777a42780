"""Pairs drawn within the batch by the labels of its examples."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Objective, Term, View, fold


def label_pairs(
  *, objective: Objective, view: View, pairs: int = 1, encoder: str = 'backbone', heads: Sequence[str] = (), label: str = 'label'
) -> Term:
  """Every example meets partners of its own class and as many of others, drawn from the batch (SetFit).

  An example that is alone in its class meets itself there, which teaches nothing.

  Args:
    objective: (q: [b d], k: [b d], labels: [b]) -> [b] or scalar, labels 1 for the same class and 0 for another.
    view: one view of each input.
    pairs: R, partners of either kind an example.
    encoder, heads: the network, and what its pooled features go through.
    label: column of whole numbers.

  Reference: Tunstall et al., arXiv:2209.11055, section 3.1.
  """

  def encode(nets, target, batch, keys):
    del target
    (x,) = view(fold(keys, 0), batch)
    z = nets[encoder](x, keys=fold(keys, 1)).pooled
    for head in heads:
      z = nets[head](z)
    return {'z': z, 'label': batch[label]}

  def judge(nets, encoded, state, key, step):
    del nets
    z, same = encoded['z'], encoded['label'][:, None] == encoded['label']
    alone = jnp.sum(same, 1, keepdims=True) == 1
    kinds = (same & (alone | ~jnp.eye(len(z), dtype=bool)), ~same)

    def meet(key, of, y):
      partner = jax.random.categorical(key, jnp.where(of, 0.0, -jnp.inf))
      return jnp.mean(at(objective, step)(z, z[partner], labels=jnp.full(len(z), y)))

    keys = jax.random.split(key, (pairs, 2))
    met = [meet(k, of, y) for pair in keys for k, of, y in zip(pair, kinds, (1.0, 0.0), strict=True)]
    return jnp.mean(jnp.stack(met)), (state, {})

  return Term(stateless, encode, judge)
