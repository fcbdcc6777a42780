"""Views of token ids, [b n] int32 padded at the end with 0. Ids below `first` are special, and never touched."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Keys


class Hidden(NamedTuple):
  """Which tokens are hidden, as a mask over the sequence and as a list of places of one length."""

  mask: Array  # [b n] bool
  places: Array  # [b m] int32
  valid: Array  # [b m] bool: a short text hides fewer than m, and what is listed beyond is none of them


def twice(keys: Keys, batch: Batch, *, column: str = 'ids') -> tuple[Array, Array]:
  """The same ids as both views: only dropout tells them apart.

  Reference: Gao, Yao, Chen, EMNLP 2021, arXiv:2104.08821, section 3.
  """
  del keys
  return batch[column], batch[column]


def deleted(
  keys: Keys, batch: Batch, *, column: str = 'ids', rate: float = 0.1, first: int = 5, views: int = 2, original: bool = True
) -> tuple[Array, ...]:
  """Each token is left out with a probability, and the rest moves up.

  Args:
    keys: [b].
    batch: with the column.
    column: of ids.
    rate: of tokens left out.
    first: ids below it stay.
    views: how many.
    original: the first view is the ids as they are.

  Returns:
    `views` arrays [b n].

  Reference: Wei, Zou, EMNLP 2019, arXiv:1901.11196, section 2, random deletion.
  """
  ids = batch[column]

  def leave_out(key, ids):
    gone = (ids >= first) & jax.random.bernoulli(key, rate, ids.shape)
    order = jnp.argsort(gone | (ids == 0), stable=True)
    return jnp.where(gone, 0, ids)[order]

  draw = lambda i: jax.vmap(lambda key, ids: leave_out(jax.random.fold_in(key, i), ids))(keys, ids)
  return tuple(ids if original and not i else draw(i) for i in range(views))


def mask_tokens(keys: Keys, ids: Array, *, ratio: float = 0.15, first: int = 5) -> Hidden:
  """A share of each text's tokens, drawn without replacement; at least one where there is any.

  Args:
    keys: [b].
    ids: [b n].
    ratio: share of the tokens from `first` up, rounded.
    first: ids below it are not hidden.

  Returns:
    Hidden, with m = max(1, round(ratio n)).

  Reference: Devlin, Chang, Lee, Toutanova, NAACL 2019, arXiv:1810.04805, section 3.1.
  """
  m = max(1, round(ratio * ids.shape[1]))

  def draw(key, ids):
    real = ids >= first
    count = jnp.clip(jnp.round(ratio * jnp.sum(real)), 1, m) * jnp.any(real)
    places = jnp.argsort(jnp.where(real, jax.random.uniform(key, ids.shape), 2.0))[:m].astype(jnp.int32)
    valid = jnp.arange(m) < count
    return Hidden(jnp.zeros(ids.shape, bool).at[places].set(valid), places, valid)

  return jax.vmap(draw)(keys, ids)
