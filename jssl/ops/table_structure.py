"""How a transformer reads a table of facts."""

from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Bool, Int, Shaped

from jssl.types import Array, Features, Keys


def visibility(batch: Mapping[str, Shaped[Array, '...']]) -> Bool[Array, 'b n n']:
  """Which tokens of a table see each other, [b n n] bool: M_ij = 1 where row_i = row_j or column_i = column_j.

  Args:
    batch: row and column, [b n]; headers are in row 0, subjects in column 0.

  Reference: Deng et al. 2020, arXiv:2006.14806, section 4.3, the visibility matrix, of a table without a caption.
  """
  same = lambda x: x[:, :, None] == x[:, None, :]
  return same(batch['row']) | same(batch['column'])


def token_types(batch: Mapping[str, Shaped[Array, '...']]) -> Int[Array, 'b n']:
  """[b n]: 0 for headers, 1 for subjects, 2 for cells."""
  return jnp.where(batch['row'] == 0, 0, jnp.where(batch['column'] == 0, 1, 2))


def table_states(
  net, batch: Mapping[str, Shaped[Array, '...']], hidden: Bool[Array, 'b n'], structured: bool, keys: Keys | None = None
) -> Features:
  """A Bert on tables, parts of which are hidden.

  Args:
    net: a Bert with three types of tokens (headers, subjects, cells) that pools at its first token.
    batch: ids, row and column, [b n].
    hidden: [b n] bool, True = replaced by `mask_id`.
    structured: with the `visibility` of the table; otherwise all see all.
    keys: [b], or None for evaluation.
  """
  visible = visibility(batch) if structured else None
  return net(batch['ids'], mask=hidden, types=token_types(batch), visible=visible, keys=keys)
