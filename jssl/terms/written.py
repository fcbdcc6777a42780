"""One text is written from another, token by token."""

import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Array, Keys, Objective, Term, fold


def written(
  *,
  objective: Objective,
  source: str = 'ids',
  text: str = 'target',
  encoder: str = 'backbone',
  decoder: str = 'decoder',
  head: str = 'lm',
) -> Term:
  """An encoder reads a text, and a decoder that attends to it tells another: gap sentences, or a summary (PEGASUS).

  Args:
    objective: (logits: [b m v], tokens: [b m], mask: [b m]) -> [b] or scalar.
    source: column of ids that are read, [b n].
    text: column of ids that are written, [b m + 1], whose first is known.
    encoder: with `embed` and `table`.
    decoder: (embedded [b m d], context [b n d], mask, context_mask) -> [b m d], causal.
    head: (tokens, table) -> logits.

  Reference: Zhang, Zhao, Saleh, Liu, ICML 2020, arXiv:1912.08777, section 3.1.
  """

  def encode(nets, target, batch, keys):
    del target
    net, ids, y = nets[encoder], batch[source], batch[text]
    context = net(ids, keys=fold(keys, 0)).tokens
    logits = next_logits(net, nets[decoder], nets[head], context, ids != 0, y[:, :-1], fold(keys, 1))
    return {'logits': logits, 'tokens': y[:, 1:], 'mask': y[:, 1:] != 0}

  def judge(nets, encoded, state, key, step):
    del nets, key
    right = (jnp.argmax(encoded['logits'], -1) == encoded['tokens']) & encoded['mask']
    loss = jnp.mean(at(objective, step)(encoded['logits'], encoded['tokens'], mask=encoded['mask']))
    return loss, (state, {'accuracy': jnp.sum(right) / jnp.maximum(jnp.sum(encoded['mask']), 1)})

  return Term(stateless, encode, judge)


def next_logits(net, decoder, head, context: Array, seen: Array, y: Array, keys: Keys | None = None) -> Array:
  """Logits [b m v] of the tokens that follow each of y [b m], after a context [b n d] of which `seen` [b n] are tokens."""
  tokens = decoder(net.embed(y, keys=keys), context, mask=y != 0, context_mask=seen, keys=None if keys is None else fold(keys, 1))
  return head(tokens, net.table)
