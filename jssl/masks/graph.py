"""Masks over the nodes of small graphs. All randomness of example i comes from keys[i]."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Keys


def random_nodes(keys: Keys, x: Array, *, ratio: float = 0.5) -> Array:
  """Masks a random share of the nodes of each graph.

  Args:
    keys: [b] one key per example.
    x: [b n f] features; nodes that are zero in all features are padding and stay visible.
    ratio: the masked share of the others, rounded down, and at least one node.

  Returns:
    [b n] bool, True where masked.

  Reference: Hou et al., KDD 2022, arXiv:2205.10803, section 3 (0.5 to 0.75); the number as in the official code.
  """
  real = jnp.any(x != 0, -1)
  rank = jnp.argsort(jnp.argsort(jnp.where(real, jax.vmap(lambda key: jax.random.uniform(key, real.shape[1:]))(keys), 2.0)))
  return real & (rank < jnp.maximum(jnp.floor(ratio * jnp.sum(real, 1)), 1)[:, None])
