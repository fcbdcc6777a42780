"""Figures of a batch, for the log: pure functions of arrays, written in a config as losses are."""

import jax.numpy as jnp

from jssl.types import Array


def token_accuracy(logits: Array, labels: Array, mask: Array) -> Array:
  """The share of masked tokens [b m] whose logits [b m v] are largest at the label."""
  right = (jnp.argmax(logits, -1) == labels) & mask
  return jnp.sum(right) / jnp.maximum(jnp.sum(mask), 1)


def pair_accuracy(chosen: Array, rejected: Array, reference_chosen: Array | None = None, reference_rejected: Array | None = None) -> Array:
  """How often the preferred answer [b] scores above the other one, each above its reference where there is one."""
  return jnp.mean(_margin(chosen, rejected, reference_chosen, reference_rejected) > 0)


def pair_margin(chosen: Array, rejected: Array, reference_chosen: Array | None = None, reference_rejected: Array | None = None) -> Array:
  """By how much the preferred answer [b] scores above the other one, each above its reference where there is one."""
  return jnp.mean(_margin(chosen, rejected, reference_chosen, reference_rejected))


def diagonal_top1(scores: Array) -> Array:
  """The share of rows of [b b] that are largest on the diagonal."""
  return jnp.mean(jnp.argmax(scores, 1) == jnp.arange(len(scores)))


def share(part: Array, of: Array) -> Array:
  """The share of true entries of `of` that are true in `part`."""
  return jnp.sum(part & of) / jnp.maximum(jnp.sum(of), 1)


def mean_value(x: Array) -> Array:
  """The mean of all entries."""
  return jnp.mean(x)


def _margin(chosen, rejected, reference_chosen, reference_rejected):
  if reference_chosen is None:
    return chosen - rejected
  return (chosen - reference_chosen) - (rejected - reference_rejected)
