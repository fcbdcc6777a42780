"""Concept directions in hidden states: found from contrasting examples, used as scores, added or removed.

The finders are transforms with one score as feature; for layers [l n d], use vmap: `jax.vmap(fit, (0, None))`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jssl.ops.logistic import logistic
from jssl.ops.normalize import l2_normalize
from jssl.types import Array, Transform


class Direction(NamedTuple):
  """A concept as a direction. `length * vector` leads from the average negative to the average positive example."""

  mean: Array  # [d], of all examples
  vector: Array  # [d], of length 1, towards more of the concept
  length: Array  # []


def score(direction: Direction, h: Array) -> Array:
  """The score of a concept in hidden states: v'(h - mean), [...] for h [... d]."""
  return jnp.matmul(h.astype(jnp.float32) - direction.mean, direction.vector, precision='highest')


def _finder(fit) -> Transform:
  return Transform(fit, lambda direction, h: score(direction, h)[..., None])


def _direction(h: Array, labels: Array, vector: Array) -> Direction:
  """A direction with its sign towards more of the concept, and its length."""
  vector = l2_normalize(vector)
  gap = jnp.matmul(_gap(h, labels), vector, precision='highest')
  return Direction(jnp.mean(h, 0), vector * jnp.where(gap < 0, -1.0, 1.0), jnp.abs(gap))


def _gap(h: Array, labels: Array) -> Array:
  """Mean of the positives minus mean of the negatives, [d]; 0 if there are no positives or no negatives."""
  positive = (labels > 0).astype(jnp.float32)
  p, n = jnp.sum(positive), jnp.sum(1 - positive)
  gap = jnp.matmul(positive, h, precision='highest') / jnp.maximum(p, 1) - jnp.matmul(1 - positive, h, precision='highest') / jnp.maximum(n, 1)
  return jnp.where((p > 0) & (n > 0), gap, 0.0)


def lat() -> Transform:
  """Linear artificial tomography: the direction along which pairs that differ in the concept differ most.

  v = first principal direction of {d_i} and {-d_i},   d_i = h_2i - h_{2i+1}

  The sign of v is chosen so that positives score above negatives; the labels have no other effect.

  Returns:
    Transform: fit(h [2n d], labels [2n] in {0, 1}) -> Direction, apply(direction, h [... d]) -> score [... 1]. Rows
    2i and 2i + 1 are a pair, one of them labelled 1.

  Raises:
    ValueError: for an odd number of rows.

  Reference: Zou et al., Representation Engineering, 2023, arXiv:2310.01405, section 3.1. The official code centres the differences, whose order
    within pairs is shuffled, so that their mean is about 0; using each with both signs does the same without randomness, and also works if all
    pairs have the same order. It determines the sign by a majority of pairs.
  """

  def fit(h, labels):
    if len(h) % 2:
      raise ValueError(f'lat reads rows 2i and 2i + 1 as a pair, and {len(h)} rows were given')
    h = h.astype(jnp.float32)
    difference = h[::2] - h[1::2]
    vector = jnp.linalg.svd(difference, full_matrices=False)[2][0]
    return _direction(h, labels, vector)

  return _finder(fit)


def mean_difference() -> Transform:
  """The difference of the mean positive and the mean negative example, as in contrastive activation addition.

  length v = mean of h where labels = 1  -  mean of h where labels = 0

  Returns:
    Transform: fit(h [n d], labels [n] in {0, 1}) -> Direction, apply(direction, h [... d]) -> score [... 1].

  Reference: Rimsky, Gabrieli, Schulz, Tong, Hubinger, Turner 2023, arXiv:2312.06681, section 3, for pairs, of which
    this is the mean difference; Zou et al. 2023, arXiv:2310.01405, the official code's cluster mean.
  """

  def fit(h, labels):
    h = h.astype(jnp.float32)
    return _direction(h, labels, _gap(h, labels))

  return _finder(fit)


def logistic_direction(*, l2: float = 1e-2) -> Transform:
  """The normal of the decision boundary of a logistic regression between negatives and positives.

  Args:
    l2: the penalty; the smaller it is, the more the direction differs from the mean difference.

  Returns:
    Transform: fit(h [n d], labels [n] in {0, 1}) -> Direction, apply(direction, h [... d]) -> score [... 1].

  Reference: Zou et al. 2023, arXiv:2310.01405, section 3.1, supervised reading.
  """

  def fit(h, labels):
    h = h.astype(jnp.float32)
    w = logistic(h, jax.nn.one_hot((labels > 0).astype(jnp.int32), 2), l2=l2).weights
    return _direction(h, labels, w[:, 1] - w[:, 0])

  return _finder(fit)


def random_direction(*, seed: int = 0) -> Transform:
  """The control: a uniformly random direction, drawn anew for other examples; only its sign and length depend on their labels.

  Args:
    seed: seed of the direction, with the bits of the first number of the examples.

  Returns:
    Transform: fit(h [n d], labels [n] in {0, 1}) -> Direction, apply(direction, h [... d]) -> score [... 1].
  """

  def fit(h, labels):
    h = h.astype(jnp.float32)
    key = jax.random.fold_in(jax.random.key(seed), jax.lax.bitcast_convert_type(h[0, 0], jnp.uint32))
    return _direction(h, labels, jax.random.normal(key, h.shape[-1:]))

  return _finder(fit)


def _where(h: Array, change: Array, mask: Array | None) -> Array:
  return h + (change if mask is None else change * mask[..., None]).astype(h.dtype)


def add(h: Array, direction: Direction, strength: float | Array = 1.0, *, mask: Array | None = None) -> Array:
  """Linear control: h + c length v; c = 1 leads from the average negative to the average positive.

  Args:
    h: [... d] hidden states; the result has their type.
    direction: the direction to add.
    strength: c; below 0 for less of the concept.
    mask: [...], 1 where to act; everywhere by default.

  Returns:
    [... d].

  Reference: Zou et al. 2023, arXiv:2310.01405, section 3.2, linear combination; there, c does not include the length.
  """
  return _where(h, strength * direction.length * direction.vector, mask)


def amplify(h: Array, direction: Direction, strength: float | Array = 1.0, *, mask: Array | None = None) -> Array:
  """Piecewise control: h + c length sign(v'h) v, which amplifies the side that a state is on.

  Args:
    h: [... d] hidden states; the result has their type.
    direction: the direction.
    strength: c; negative values attenuate.
    mask: [...], 1 where to act; everywhere by default.

  Returns:
    [... d].

  Reference: Zou et al. 2023, arXiv:2310.01405, section 3.2, piece-wise operation.
  """
  side = jnp.sign(jnp.matmul(h.astype(jnp.float32), direction.vector, precision='highest'))[..., None]
  return _where(h, strength * direction.length * side * direction.vector, mask)


def project_out(h: Array, direction: Direction, *, mask: Array | None = None) -> Array:
  """Removal: h - (v'h) v, whose component along v is 0.

  Args:
    h: [... d] hidden states; the result has their type.
    direction: the direction to remove.
    mask: [...], 1 where to act; everywhere by default.

  Returns:
    [... d].

  Reference: Zou et al. 2023, arXiv:2310.01405, section 3.2, projection; the official code does not have it.
  """
  along = jnp.matmul(h.astype(jnp.float32), direction.vector, precision='highest')[..., None]
  return _where(h, -along * direction.vector, mask)


def contrast(h: Array, positive: Array, negative: Array, strength: float | Array = 1.0, *, mask: Array | None = None) -> Array:
  """Control by contrast: h + c (h+ - h-), the states of the same input under two prompts.

  Args:
    h: [... d] hidden states; the result has their type.
    positive: [... d] states under the prompt for the concept.
    negative: [... d] states under the prompt against it.
    strength: c.
    mask: [...], 1 where to act; everywhere by default.

  Returns:
    [... d].

  Reference: Zou et al. 2023, arXiv:2310.01405, section 3.2, contrast vector.
  """
  return _where(h, strength * (positive.astype(jnp.float32) - negative.astype(jnp.float32)), mask)


def keep_norm(steered: Array, h: Array) -> Array:
  """Rescales steered states to their original norm: |h| steered / |steered|, [... d].

  Reference: Zou et al. 2023, arXiv:2310.01405, the official code's option `normalize`.
  """
  length = jnp.sqrt(jnp.sum(h.astype(jnp.float32) ** 2, -1, keepdims=True))
  return (l2_normalize(steered) * length).astype(steered.dtype)
