"""Anchors meet candidates: all at once, or a chunk at a time and round the ring of devices.

The table with a row an anchor and a column a candidate is what makes a contrastive objective grow with the square of
the batch. Its entries are dot products, and an objective needs but one number of each row. With `chunk` the table is
made a chunk of rows at a time and never kept: forward a chunk of anchors against all candidates, which also gives the
derivative by these anchors; backward a chunk of candidates against all anchors, made anew, which gives the derivative
by these candidates. Four products of matrices instead of three, and nothing of size [b m].

Where a mesh is in force that spreads the batch over several devices, each keeps its share, and the other side's shares
go round: the candidates forward, the anchors backward.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from jssl.types import Array

EMPTY = -1e30  # the logarithm of an empty sum: finite, so that its gradient is 0 and not NaN
AXES = ('data', 'fsdp')  # the axes of the mesh over which a batch is spread


class Reduction(NamedTuple):
  """How a row of the table becomes one number.

  rows: (logits [r m], valid [r m]) -> [r].
  slope: (logits, reduced) -> the derivative of the reduced row by each of its valid logits; broadcasts.
  join: of two parts of a row, reduced, to the whole.
  """

  rows: Callable[[Array, Array], Array]
  slope: Callable[[Array, Array], Array]
  join: Callable[[Array, Array], Array]


def _log_sum_exp(logits: Array, valid: Array) -> Array:
  logits = jnp.where(valid, logits, EMPTY)
  top = jax.lax.stop_gradient(jnp.max(logits, 1))
  total = jnp.sum(jnp.where(valid, jnp.exp(logits - top[:, None]), 0), 1)
  return jnp.log(jnp.where(total > 0, total, 1)) + top


def _sum(f: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
  return lambda logits, valid: jnp.sum(jnp.where(valid, f(logits), 0), 1)


LOG_SUM_EXP = Reduction(_log_sum_exp, lambda logits, total: jnp.exp(logits - total), jnp.logaddexp)
SUM_SOFTPLUS = Reduction(_sum(jax.nn.softplus), lambda logits, _: jax.nn.sigmoid(logits), jnp.add)
SUM_SQUARE = Reduction(_sum(jnp.square), lambda logits, _: 2 * logits, jnp.add)


def over_candidates(
  how: Reduction,
  q: Array,
  candidates: Array,
  ids: Array,
  candidate_ids: Array,
  *,
  scale: Array,
  candidate_scale: Array,
  shift: Array | float = 0.0,
  chunk: int | None = None,
) -> Array:
  """how.rows of the logits of each anchor with the candidates of another id, [b].

  logit_im = scale_i candidate_scale_m q_i.candidates_m + shift

  Args:
    how: what becomes of a row.
    q: [b d] anchors, float32.
    candidates: [m d], float32.
    ids: [b] whole numbers.
    candidate_ids: [m] whole numbers; a candidate with the anchor's id is left out.
    scale: [b]; apart from q, so that no scaled copy of q is kept.
    candidate_scale: [m].
    shift: a scalar.
    chunk: rows of the table held at a time; None holds all of it. With a chunk it can be differentiated once, and in
      reverse only.

  Returns:
    [b]; for LOG_SUM_EXP about EMPTY where no candidate is left.
  """
  if chunk is None:
    logits = _times(q * scale[:, None], (candidates * candidate_scale[:, None]).T) + shift
    return how.rows(logits, ids[:, None] != candidate_ids)
  shift = jnp.broadcast_to(jnp.float32(shift), ids.shape)
  return _over_candidates(how, chunk, q, scale, shift, ids, candidates, candidate_scale, candidate_ids)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _over_candidates(how, chunk, q, a, shift, ids, c, b, candidate_ids):
  def row(q, a, shift, ids, c, b, candidate_ids):
    logits = _times(q * a[:, None], c.T) * b + shift[:, None]
    return how.rows(logits, ids[:, None] != candidate_ids)

  return _meet(row, how.join, chunk, (q, a, shift, ids), (c, b, candidate_ids))


def _forward(how, chunk, q, a, shift, ids, c, b, candidate_ids):
  """The reduced rows, and for the backward pass their derivatives by a q, by a and by the shift: sums over the
  candidates of p b c, p b q.c and p, where p is the derivative by a logit."""

  def row(q, a, shift, ids, c, b, candidate_ids):
    logits = _times(q * a[:, None], c.T) * b + shift[:, None]
    reduced, pull = jax.vjp(lambda x: how.rows(x, ids[:, None] != candidate_ids), logits)
    (p,) = pull(jnp.ones_like(reduced))
    pbc = _times(p * b, c)
    return reduced, (pbc, jnp.sum(q * pbc, 1), jnp.sum(p, 1))

  def join(one, other):
    total, pull = jax.vjp(how.join, one[0], other[0])
    u, v = pull(jnp.ones_like(total))
    return total, jax.tree.map(lambda x, y: (u * x.T + v * y.T).T, one[1], other[1])

  reduced, by = _meet(row, join, chunk, (q, a, shift, ids), (c, b, candidate_ids))
  return reduced, (q, a, shift, ids, c, b, candidate_ids, reduced, by)


def _backward(how, chunk, kept, g):
  q, a, shift, ids, c, b, candidate_ids, reduced, (by_aq, by_a, by_shift) = kept

  def row(c, b, candidate_ids, q, a, shift, ids, reduced, g):
    logits = _times(c * b[:, None], q.T) * a + shift
    p = jnp.where(candidate_ids[:, None] != ids, how.slope(logits, reduced), 0)
    pgaq = _times(p * (g * a), q)
    return pgaq, jnp.sum(c * pgaq, 1)

  join = partial(jax.tree.map, jnp.add)
  by_bc, by_b = _meet(row, join, chunk, (c, b, candidate_ids), (q, a, shift, ids, reduced, g))
  return (g * a)[:, None] * by_aq, g * by_a, g * by_shift, None, b[:, None] * by_bc, by_b, None


_over_candidates.defvjp(_forward, _backward)


def class_sums(x: Array, labels: Array, *, chunk: int | None = None) -> Array:
  """The sum of the rows of x with the same label, [b d] for x [b d]; `chunk` as in `over_candidates`."""
  return _alike(labels, x, labels) if chunk is None else _class_sums(chunk, x, labels)


def _alike(mine, x, labels):
  return _times((mine[:, None] == labels).astype(x.dtype), x)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _class_sums(chunk, x, labels):
  return _meet(_alike, jnp.add, chunk, (labels,), (x, labels))


# Having the same label is symmetric, and so the sum is its own transpose.
_class_sums.defvjp(
  lambda chunk, x, labels: (_class_sums(chunk, x, labels), labels),
  lambda chunk, labels, g: (_class_sums(chunk, g, labels), None),
)


def nearest(q: Array, candidates: Array, *, chunk: int | None = None) -> Array:
  """The row of the candidate with the largest dot product, the first of equals, [b]; `chunk` as in `over_candidates`.

  No gradient flows.
  """
  if chunk is None:
    return jnp.argmax(_times(q, candidates.T), 1)

  def row(q, candidates, rows):
    dots = _times(q, candidates.T)
    return jnp.max(dots, 1), rows[jnp.argmax(dots, 1)]

  def join(one, other):
    first = (one[0] > other[0]) | ((one[0] == other[0]) & (one[1] < other[1]))
    return tuple(jnp.where(first, x, y) for x, y in zip(one, other, strict=True))

  q, candidates = jax.lax.stop_gradient((q, candidates))
  return _meet(row, join, chunk, (q,), (candidates, jnp.arange(len(candidates))))[1]


def unlike(ids: Array) -> Array:
  """How many rows have another id, [b]; counted without a table."""
  ordered = jnp.sort(ids)
  return len(ids) - jnp.searchsorted(ordered, ids, side='right') + jnp.searchsorted(ordered, ids)


def _meet(row: Callable, join: Callable, chunk: int, rows: tuple[Array, ...], columns: tuple[Array, ...]) -> Any:
  """row(*rows, *columns) in chunks of the rows, and on several devices part by part of the columns.

  Args:
    row: (chunk of the rows, part of the columns) -> arrays, one entry a row.
    join: two such results, for two parts of the columns, to one for both.
    chunk: rows at a time.
    rows: arrays with one entry a row.
    columns: arrays with one entry a column.
  """
  if chunk < 1:
    raise ValueError(f'chunk is the number of rows held at a time, 1 or more, or None for all; given {chunk}')
  mesh = jax.sharding.get_abstract_mesh()
  devices = math.prod(mesh.shape.get(axis, 1) for axis in AXES)

  def here(rows, columns):
    return _in_chunks(lambda *x: row(*x, *columns), chunk, rows)

  # Within a shard_map the arrays are those of one device already.
  if devices == 1 or mesh.manual_axes or len(rows[0]) % devices or len(columns[0]) % devices:
    return here(rows, columns)

  axes = tuple(axis for axis in AXES if axis in mesh.shape)
  pass_on = partial(jax.lax.ppermute, axis_name=axes, perm=[(i, (i + 1) % devices) for i in range(devices)])

  def ring(rows, columns):
    def step(carry, _):
      columns, found = carry
      # The next part travels while this one is worked on: neither waits for the other.
      return (jax.tree.map(pass_on, columns), join(found, here(rows, columns))), None

    start = jax.tree.map(pass_on, columns), here(rows, columns)
    return jax.lax.scan(step, start, length=devices - 1)[0][1]

  spread = PartitionSpec(axes)
  return jax.shard_map(ring, in_specs=spread, out_specs=spread)(rows, columns)


def _in_chunks(f: Callable, chunk: int, arrays: tuple[Array, ...]) -> Any:
  """f(*arrays), computed on at most `chunk` entries at a time."""
  n = len(arrays[0])
  count = -(-n // chunk)
  size = -(-n // count)
  padded = (jnp.pad(x, [(0, count * size - n)] + [(0, 0)] * (x.ndim - 1)) for x in arrays)
  cut = tuple(x.reshape(count, size, *x.shape[1:]) for x in padded)
  found = jax.lax.map(lambda part: f(*part), cut)
  return jax.tree.map(lambda x: x.reshape(count * size, *x.shape[2:])[:n], found)


def _times(x: Array, y: Array) -> Array:
  return jnp.matmul(x, y, precision='highest')
