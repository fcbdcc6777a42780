"""Losses of examples some of which have no label."""

import jax
import jax.numpy as jnp

from jssl.parts.look_up import pick
from jssl.types import Array


def known_cross_entropy(logits: Array, *, labels: Array) -> Array:
  """Cross entropy over the examples whose label is known.

  l = -(1/|K|) sum_{i in K} log softmax(logits_i)_{y_i},   K = {i: y_i >= 0}

  Args:
    logits: [b c] of c classes.
    labels: [b] whole numbers, negative where there is none.

  Returns:
    scalar, nats; 0 where no label is known.

  Reference: Chen, Wang, Gan, Liu, Henao, Carin, CVPR 2021, arXiv:2012.08674, section 4, the task's loss, over those examples
    that have a label.
  """
  known = labels >= 0
  log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
  chosen = pick(log_p, jnp.maximum(labels, 0))
  return -jnp.sum(known * chosen) / jnp.maximum(jnp.sum(known), 1)
