"""Part of a text is hidden, and told from the rest."""

import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Array, Objective, Term, View, fold


def masked_lm(*, objective: Objective, mask: View, column: str = 'ids', encoder: str = 'backbone', head: str = 'lm') -> Term:
  """Hidden tokens are replaced by [MASK], and told from the tokens around them (BERT, without its random replacements).

  Args:
    objective: (logits: [b m v], tokens: [b m], mask: [b m]) -> [b] or scalar.
    mask: (keys, ids) -> Hidden.
    column: of ids.
    encoder: (ids, mask) -> Features, with a `table`.
    head: (tokens, table) -> logits.
  """

  def encode(nets, target, batch, keys):
    del target
    ids = batch[column]
    hidden = mask(fold(keys, 0), ids)
    tokens = nets[encoder](ids, mask=hidden.mask, keys=fold(keys, 1)).tokens
    return told(nets, encoder, head, tokens, ids, hidden)

  return Term(stateless, encode, judged(objective))


def masked_autoencoder_lm(
  *, objective: Objective, mask: View, column: str = 'ids', encoder: str = 'backbone', decoder: str = 'decoder', head: str = 'lm'
) -> Term:
  """The encoder sees the other tokens alone; [MASK] enters at the decoder, which tells what was hidden (MAE-LM).

  Args:
    objective, mask, column, head: as in `masked_lm`.
    encoder: with `embed`, `encode`, `mask_id` and `table`.
    decoder: tokens [b n d], mask [b n] -> [b n d].
  """

  def encode(nets, target, batch, keys):
    del target
    ids, net = batch[column], nets[encoder]
    real, hidden = ids != 0, mask(fold(keys, 0), batch[column])
    # Not to be attended to is, for the others, not to be there; shapes stay static.
    x = net.encode(net.embed(ids, keys=fold(keys, 1)), real & ~hidden.mask, keys=fold(keys, 1)).tokens
    x = jnp.where(hidden.mask[..., None], net.embed(jnp.full_like(ids, net.mask_id)), x)
    tokens = nets[decoder](x, mask=real, keys=fold(keys, 2))
    return told(nets, encoder, head, tokens, ids, hidden)

  return Term(stateless, encode, judged(objective))


def told(nets, encoder: str, head: str, tokens: Array, ids: Array, hidden) -> dict[str, Array]:
  """Logits and truth at the hidden places alone: over a vocabulary, logits are the largest thing there is."""
  pick = lambda x: jnp.take_along_axis(x, hidden.places.reshape(*hidden.places.shape, *[1] * (x.ndim - 2)), 1)
  return {'logits': nets[head](pick(tokens), nets[encoder].table), 'tokens': pick(ids), 'mask': hidden.valid}


def judged(objective: Objective):
  """Judges logits against tokens where the mask is set; the objective counts over the whole batch."""

  def judge(nets, encoded, state, key, step):
    del nets, key
    right = (jnp.argmax(encoded['logits'], -1) == encoded['tokens']) & encoded['mask']
    loss = jnp.mean(at(objective, step)(encoded['logits'], encoded['tokens'], mask=encoded['mask']))
    return loss, (state, {'accuracy': jnp.sum(right) / jnp.maximum(jnp.sum(encoded['mask']), 1)})

  return judge
