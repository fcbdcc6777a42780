"""Late interaction: texts as many vectors, compared one by one."""

import jax.numpy as jnp
from jaxtyping import Bool, Float

from jssl.types import Array


def late_interaction(q: Float[Array, 'a n d'], p: Float[Array, 'b m d'], mask: Bool[Array, 'b m']) -> Float[Array, 'a b']:
  """Every query against every passage.

  s_qp = sum_i max_j <q_i, p_j>

  Args:
    q: [a n d] vectors of the queries' tokens, of unit length.
    p: [b m d] those of the passages'.
    mask: [b m] bool, True = token of a passage.

  Returns:
    [a b].

  Reference: Khattab, Zaharia, SIGIR 2020, arXiv:2004.12832, section 3.3.
  """
  inner = jnp.einsum('and,bmd->abnm', q, p)
  return jnp.sum(jnp.max(jnp.where(mask[:, None, :], inner, -1e9), -1), -1)
