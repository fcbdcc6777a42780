"""Corrupted triples of a knowledge graph."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Keys, fold


def corrupted_triples(keys: Keys, batch: Batch, *, entities: int, count: int = 1) -> tuple[Array, Array]:
  """Triples of the batch with the head replaced by another entity, `count` of them, then as many with the tail replaced.

  Args:
    keys: [b].
    batch: with head and tail [b].
    entities: how many there are; replacements are drawn evenly from all but the true one.
    count: of each kind.

  Returns:
    Heads and tails, [b 2*count] each; the relation stays.

  Reference: Bordes, Usunier, Garcia-Duran, Weston, Yakhnenko 2013, doi:10.5555/2999792.2999923, Eq. 2; both ends, as in Yang,
  Yih, He, Gao, Deng 2015, arXiv:1412.6575, section 4.
  """

  def other(keys, true):
    drawn = jax.vmap(lambda key: jax.random.randint(key, (count,), 0, entities - 1))(keys)
    return drawn + (drawn >= true[:, None])

  h, t = batch['head'], batch['tail']
  same = lambda x: jnp.repeat(x[:, None], count, 1)
  return (
    jnp.concatenate([other(fold(keys, 0), h), same(h)], 1),
    jnp.concatenate([same(t), other(fold(keys, 1), t)], 1),
  )
