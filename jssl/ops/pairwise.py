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
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Float, Int

from jssl.types import Array

EMPTY = -1e30  # the logarithm of an empty sum: finite, so that its gradient is 0 and not NaN
AXES = ('data', 'fsdp')  # the axes of the mesh over which a batch is spread


class Reduction(NamedTuple):
  """How a row of the table becomes one number.

  rows: (logits [r m], valid [r m]) -> the number, [r], and its derivative by each logit as u_i s_im: s [r m], u [r].
  slope: (logits, reduced) -> the derivative of the reduced row by each of its valid logits; broadcasts.
  join: of two parts of a row, reduced, to the whole.
  """

  rows: Callable[[Array, Array], tuple[Array, Array, Array]]
  slope: Callable[[Array, Array], Array]
  join: Callable[[Array, Array], Array]


def _log_sum_exp(logits: Array, valid: Array) -> tuple[Array, Array, Array]:
  logits = jnp.where(valid, logits, EMPTY)
  top = jax.lax.stop_gradient(jnp.max(logits, 1))
  each = jnp.where(valid, jnp.exp(logits - top[:, None]), 0)
  total = jnp.sum(each, 1)
  total = jnp.where(total > 0, total, 1)
  return jnp.log(total) + top, each, 1 / total


def _sum(f: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Reduction:
  def rows(logits, valid):
    return jnp.sum(jnp.where(valid, f(logits), 0), 1), jnp.where(valid, slope(logits), 0), jnp.ones(len(logits))

  return Reduction(rows, lambda logits, _: slope(logits), jnp.add)


LOG_SUM_EXP = Reduction(_log_sum_exp, lambda logits, total: jnp.exp(logits - total), jnp.logaddexp)
SUM_SOFTPLUS = _sum(jax.nn.softplus, jax.nn.sigmoid)
SUM_SQUARE = _sum(jnp.square, lambda logits: 2 * logits)


class Rows(NamedTuple):
  """One side of the table.

  x: [n d], float32; None for candidates that are the anchors' own rows.
  ids: [n] whole numbers; a candidate with the anchor's id is left out.
  scale: [n], what x is multiplied by; apart from x, so that no scaled copy is kept.
  labels: [n] whole numbers, or None.
  """

  x: Array | None
  ids: Array
  scale: Array
  labels: Array | None = None


class Part(NamedTuple):
  """What is known of the rows after some of the candidates; the last two are None without labels."""

  reduced: Array  # [r]
  like: Array | None = None  # [r], the sum of the logits with candidates of the anchor's label
  count: Array | None = None  # type: ignore[assignment]  # [r], their number; `tuple.count` is not used


def over_candidates(
  how: Reduction, anchors: Rows, *candidates: Rows, shift: float | Float[Array, ''] = 0.0, chunk: int | None = None
) -> Float[Array, ' b']:
  """how.rows of the logits of each anchor with the candidates of another id, [b].

  logit_im = scale_i candidate_scale_m q_i.candidates_m + shift

  With labels, less the mean of the logits with the candidates of another id and the anchor's label.

  Args:
    how: what becomes of a row.
    anchors: b rows.
    candidates: the rows of the table's columns, in any number of pieces.
    shift: a scalar.
    chunk: rows of the table held at a time; None holds all of it. With a chunk it can be differentiated once, and in
      reverse only.

  Returns:
    [b]; for LOG_SUM_EXP about EMPTY where no candidate is left.
  """
  shift = jnp.broadcast_to(jnp.float32(shift), anchors.ids.shape)
  if chunk is None:
    return _value(_part(how, anchors, shift, *_filled(anchors, candidates)))
  return _over_candidates(how, chunk, anchors, shift, candidates)


def _filled(anchors: Rows, candidates: tuple[Rows, ...]) -> tuple[Rows, ...]:
  return tuple(c._replace(x=anchors.x) if c.x is None else c for c in candidates)


def _part(how: Reduction, anchors: Rows, shift: Array, *candidates: Rows) -> Part:
  parts = []
  for c in candidates:
    assert anchors.x is not None and c.x is not None
    logits = _times(anchors.x * anchors.scale[:, None], (c.x * c.scale[:, None]).T) + shift[:, None]
    parts.append(Part(how.rows(logits, _unlike(anchors, c))[0], *_likeness(anchors, c, logits)))
  return reduce(partial(_join, how), parts)


def _join(how: Reduction, one: Part, other: Part) -> Part:
  return Part(how.join(one.reduced, other.reduced), *jax.tree.map(jnp.add, one[1:], other[1:]))


def _value(part: Part) -> Array:
  return part.reduced if part.like is None or part.count is None else part.reduced - part.like / jnp.maximum(part.count, 1)


def _unlike(one: Rows, other: Rows) -> Array:
  return one.ids[:, None] != other.ids


def _alike(one: Rows, other: Rows) -> Array:
  assert one.labels is not None
  return (one.labels[:, None] == other.labels) & _unlike(one, other)


def _likeness(anchors: Rows, c: Rows, logits: Array) -> tuple[Array | None, Array | None]:
  if anchors.labels is None:
    return None, None
  alike = _alike(anchors, c)
  return jnp.sum(jnp.where(alike, logits, 0), 1), jnp.sum(alike, 1, dtype=jnp.float32)


def _share(chunk: int, anchors: Rows, candidates: tuple[Rows, ...]) -> int:
  """Rows at a time where a row has as many tables as there are pieces, and as many more of likeness."""
  return -(-chunk // (len(candidates) * (1 if anchors.labels is None else 2)))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _over_candidates(how, chunk, anchors, shift, candidates):
  rows, columns = (anchors, shift), _filled(anchors, candidates)
  return _meet(partial(_part, how), partial(_join, how), _value, _share(chunk, anchors, candidates), rows, columns)


def _forward(how, chunk, anchors, shift, candidates):
  """The reduced rows, and for the backward pass their derivatives by a q, by a and by the shift: sums over the
  candidates of p b c, p b q.c and p, where p is the derivative by a logit."""

  def pieces(anchors, shift, *candidates):
    """For each piece of the candidates the part of the row that it is, and that part's derivative by the logits."""
    for c in candidates:
      logits = _times(anchors.x * anchors.scale[:, None], c.x.T) * c.scale + shift[:, None]
      reduced, s, u = how.rows(logits, _unlike(anchors, c))
      yield Part(reduced, *_likeness(anchors, c, logits)), (c, s, u)

  def by(anchors, c, s, u=1):
    psc = _times(s * c.scale, c.x)
    return jax.tree.map(lambda x: (u * x.T).T, (psc, jnp.sum(anchors.x * psc, 1), jnp.sum(s, 1)))

  def row(anchors, shift, *candidates):
    def of(part, slopes):
      like = None if part.count is None else by(anchors, slopes[0], _alike(anchors, slopes[0]).astype(jnp.float32))
      return part, by(anchors, *slopes), like

    return reduce(join, [of(*piece) for piece in pieces(anchors, shift, *candidates)])

  def join(one, other):
    _, pull = jax.vjp(how.join, one[0].reduced, other[0].reduced)
    u, v = pull(jnp.ones_like(one[0].reduced))
    by = jax.tree.map(lambda x, y: (u * x.T + v * y.T).T, one[1], other[1])
    return _join(how, one[0], other[0]), by, jax.tree.map(jnp.add, one[2], other[2])

  def finish(found):
    part, by, like = found
    if like is not None:
      by = jax.tree.map(lambda x, y: (x.T - y.T / jnp.maximum(part.count, 1)).T, by, like)
    return _value(part), (part.reduced, part.count, by)

  def labelled(anchors, shift, *candidates):
    """finish(row(...)) with one product for both derivatives: with all candidates at hand the count is known."""
    parts, slopes = zip(*pieces(anchors, shift, *candidates), strict=True)
    whole = reduce(partial(_join, how), parts)
    _, pull = jax.vjp(lambda *reduced: reduce(how.join, reduced), *(part.reduced for part in parts))
    each = 1 / jnp.maximum(whole.count, 1)[:, None]
    found = [
      by(anchors, c, (share * u)[:, None] * s - _alike(anchors, c) * each)
      for (c, s, u), share in zip(slopes, pull(jnp.ones_like(whole.reduced)), strict=True)
    ]
    return _value(whole), (whole.reduced, whole.count, jax.tree.map(lambda *x: sum(x), *found))

  rows, columns = (anchors, shift), _filled(anchors, candidates)
  alone = None if anchors.labels is None else labelled
  value, kept = _meet(row, join, finish, _share(chunk, anchors, candidates), rows, columns, alone=alone)
  return value, (anchors, shift, candidates, *kept)


def _backward(how, chunk, kept, g):
  anchors, shift, candidates, reduced, count, (by_aq, by_a, by_shift) = kept

  def row(c, anchors, shift, reduced, count, g):
    logits = _times(c.x * c.scale[:, None], anchors.x.T) * anchors.scale + shift
    p = jnp.where(_unlike(c, anchors), how.slope(logits, reduced), 0)
    if count is not None:
      p -= jnp.where(_alike(c, anchors), 1 / jnp.maximum(count, 1), 0)
    pgaq = _times(p * (g * anchors.scale), anchors.x)
    return c.scale[:, None] * pgaq, jnp.sum(c.x * pgaq, 1)

  join = partial(jax.tree.map, jnp.add)
  by_q, sides = (g * anchors.scale)[:, None] * by_aq, []
  for c, whole in zip(candidates, _filled(anchors, candidates), strict=True):
    meet = partial(_meet, row, join, lambda found: found, chunk, (whole,), (anchors, shift, reduced, count, g))
    if c.x is None:  # added where the other derivative by q stands already: no second array of its size
      by_q, by_b = meet(onto=(by_q, jnp.zeros_like(c.scale)))
      sides.append(Rows(None, None, by_b))
    else:
      by_c, by_b = meet()
      sides.append(Rows(by_c, None, by_b))
  return Rows(by_q, None, g * by_a), g * by_shift, tuple(sides)


_over_candidates.defvjp(_forward, _backward)


def nearest(q: Float[Array, 'b d'], candidates: Float[Array, 'm d'], *, chunk: int | None = None) -> Int[Array, ' b']:
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
  return _meet(row, join, lambda found: found[1], chunk, (q,), (candidates, jnp.arange(len(candidates))))


def unlike(ids: Int[Array, ' b']) -> Int[Array, ' b']:
  """How many rows have another id, [b]; counted without a table."""
  ordered = jnp.sort(ids)
  return len(ids) - jnp.searchsorted(ordered, ids, side='right') + jnp.searchsorted(ordered, ids)


def _meet(
  row: Callable, join: Callable, finish: Callable, chunk: int, rows: tuple, columns: tuple, *, alone: Callable | None = None, onto: Any = None
) -> Any:
  """finish(row(*rows, *columns)) in chunks of the rows, and on several devices part by part of the columns.

  Args:
    row: (chunk of the rows, part of the columns) -> arrays, one entry a row.
    join: two such results, for two parts of the columns, to one for both.
    finish: what is kept of the result for all columns; arrays, one entry a row.
    chunk: rows at a time.
    rows: arrays with one entry a row.
    columns: arrays with one entry a column.
    alone: finish(row(...)) by a shorter way, for when all columns are there from the start.
    onto: what the result is added to, if anything.
  """
  if chunk < 1:
    raise ValueError(f'chunk is {chunk}; expected the number of rows computed at a time, at least 1, or None for all')
  mesh = jax.sharding.get_abstract_mesh()
  devices = math.prod(mesh.shape.get(axis, 1) for axis in AXES)
  lengths = {len(x) for x in jax.tree.leaves((rows, columns))}

  # Within a shard_map the arrays are those of one device already.
  if devices == 1 or mesh.manual_axes or any(n % devices for n in lengths):
    whole = alone or (lambda *x: finish(row(*x)))
    return _in_chunks(lambda *x: whole(*x, *columns), chunk, rows, onto)

  axes = tuple(axis for axis in AXES if axis in mesh.shape)
  pass_on = partial(jax.lax.ppermute, axis_name=axes, perm=[(i, (i + 1) % devices) for i in range(devices)])

  def ring(rows, columns):
    here = lambda columns: _in_chunks(lambda *x: row(*x, *columns), chunk, rows)

    def step(carry, _):
      columns, found = carry
      # The next part travels while this one is worked on: neither waits for the other.
      return (jax.tree.map(pass_on, columns), join(found, here(columns))), None

    start = jax.tree.map(pass_on, columns), here(columns)
    (last, found), _ = jax.lax.scan(step, start, length=devices - 2)
    return finish(join(found, here(last)))  # the last part travels no further

  spread = PartitionSpec(axes)
  found = jax.shard_map(ring, in_specs=spread, out_specs=spread)(rows, columns)
  return found if onto is None else jax.tree.map(jnp.add, onto, found)


def _in_chunks(f: Callable, chunk: int, arrays: tuple, onto: Any = None) -> Any:
  """f(*arrays), computed on at most `chunk` entries at a time; added to `onto` in place where that is given."""
  n = len(jax.tree.leaves(arrays)[0])
  count = -(-n // chunk)
  size = -(-n // count)

  def cut(x):
    return jnp.pad(x, [(0, count * size - n)] + [(0, 0)] * (x.ndim - 1)).reshape(count, size, *x.shape[1:])

  def add(total, part):
    i, arrays = part
    return jax.tree.map(lambda x, y: x.at[i].add(y), total, f(*arrays)), None

  parts = jax.tree.map(cut, arrays)
  if onto is None:
    found = jax.lax.map(lambda part: f(*part), parts)
  else:
    found, _ = jax.lax.scan(add, jax.tree.map(cut, onto), (jnp.arange(count), parts))
  return jax.tree.map(lambda x: x.reshape(count * size, *x.shape[2:])[:n], found)


def _times(x: Array, y: Array) -> Array:
  return jnp.matmul(x, y, precision='highest')
