"""Figures of a batch, for the log: pure functions of arrays, written in a config as losses are."""

import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, Num

from jssl.types import Array


def token_accuracy(logits: Float[Array, 'b m v'], labels: Int[Array, 'b m'], mask: Bool[Array, 'b m']) -> Float[Array, '']:
  """The share of masked tokens [b m] whose logits [b m v] are largest at the label."""
  right = (jnp.argmax(logits, -1) == labels) & mask
  return jnp.sum(right) / jnp.maximum(jnp.sum(mask), 1)


def pair_accuracy(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'] | None = None,
  reference_rejected: Float[Array, ' b'] | None = None,
) -> Float[Array, '']:
  """How often the preferred answer [b] scores above the other one, each above its reference where there is one."""
  return jnp.mean(_margin(chosen, rejected, reference_chosen, reference_rejected) > 0)


def pair_margin(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'] | None = None,
  reference_rejected: Float[Array, ' b'] | None = None,
) -> Float[Array, '']:
  """By how much the preferred answer [b] scores above the other one, each above its reference where there is one."""
  return jnp.mean(_margin(chosen, rejected, reference_chosen, reference_rejected))


def diagonal_top1(scores: Float[Array, 'b b']) -> Float[Array, '']:
  """The share of rows of [b b] that are largest on the diagonal."""
  return jnp.mean(jnp.argmax(scores, 1) == jnp.arange(len(scores)))


def share(part: Bool[Array, ' *s'], of: Bool[Array, ' *s']) -> Float[Array, '']:
  """The share of true entries of `of` that are true in `part`."""
  return jnp.sum(part & of) / jnp.maximum(jnp.sum(of), 1)


def mean_value(x: Num[Array, '...']) -> Float[Array, '']:
  """The mean of all entries."""
  return jnp.mean(x)


def _margin(chosen, rejected, reference_chosen, reference_rejected):
  if reference_chosen is None:
    return chosen - rejected
  return (chosen - reference_chosen) - (rejected - reference_rejected)
