"""How a transformer reads a table of facts."""

from collections.abc import Mapping

import jax.numpy as jnp

from jssl.types import Array, Features, Keys


def table_states(net, batch: Mapping[str, Array], hidden: Array, structured: bool, keys: Keys | None = None) -> Features:
  """A Bert on tables, parts of which are hidden.

  M_ij = 1 where row_i = row_j or column_i = column_j,   token i may see token j

  Args:
    net: with `embed`, `encode` and `mask_id`, three types of tokens (headers, subjects, cells), pooling at its first token.
    batch: ids, row and column, [b n]; headers are in row 0, subjects in column 0.
    hidden: [b n] bool, True = replaced by `mask_id`.
    structured: with M; otherwise all see all.
    keys: [b], or None for evaluation.

  Reference: Deng et al. 2020, arXiv:2006.14806, section 4.3, the visibility matrix, of a table without a caption.
  """
  real = batch['ids'] != 0
  same = lambda x: x[:, :, None] == x[:, None, :]
  visible = same(batch['row']) | same(batch['column']) if structured else True
  types = jnp.where(batch['row'] == 0, 0, jnp.where(batch['column'] == 0, 1, 2))
  x = net.embed(jnp.where(hidden, net.mask_id, batch['ids']), types=types, keys=keys)
  return net.encode(x, visible & real[:, None, :], keys=keys)
