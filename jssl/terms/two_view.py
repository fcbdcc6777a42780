"""Two or more views of each example, drawn together or told apart by an objective over pairs."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.types import Memory, Objective, Term, View, fold


def two_view(
  *,
  objective: Objective,
  view: View,
  pairs: Sequence = ((0, 1), (1, 0)),
  towers: Sequence[str] | str = 'backbone',
  heads: Sequence[str] = ('projector',),
  predictor: str | None = None,
  columns: Mapping[str, str] | None = None,
  scalars: Mapping[str, str] | None = None,
  memory: Memory | None = None,
  assign: Objective | None = None,
) -> Term:
  """The mean over `pairs` (i, j) of objective(q_i, k_j).

  q_i = predictor(heads(tower(view_i))) by the trained networks, and k_j = heads(tower(view_j)) by the target networks,
  or by the trained ones where the method has no teacher. Stop-gradients belong to the objective. Views of one tower
  and shape run through it in one call, so batch norm sees them together.

  Args:
    objective: (q: [b d], k: [b d], **columns, **scalars, **memory) -> [b] or scalar.
    view: draws the views.
    pairs: which views are compared: ((0, 1),) for an objective that is symmetric or one-way.
    towers: the network each view runs through, one name for all or one a view.
    heads: networks applied in turn to the pooled features.
    predictor: a head of the trained side alone.
    columns: objective's keyword -> column of the batch.
    scalars: objective's keyword -> network called without input: a learned temperature, or a matrix.
    memory: what is kept between steps for the objective.
    assign: (k: [b p], **memory) -> [b p], the teacher's probabilities, where the heads end in scores of prototypes; for
      the health panel.
  """
  asked = sorted({i for i, _ in pairs})
  keyed = sorted({j for _, j in pairs})

  def encode(nets, target, batch, keys):
    views = view(fold(keys, 0), batch)
    side = lambda nets, which, salt: through(nets, views, which, towers, heads, fold(keys, salt))
    if target is None:
      q = k = side(nets, sorted({*asked, *keyed}), 1)
    else:
      q, k = side(nets, asked, 1), side(target, keyed, 2)
    if predictor:
      q = {i: nets[predictor](q[i]) for i in asked}
    extra = {name: batch[column] for name, column in (columns or {}).items()}
    return {'q': [q[i] for i in asked], 'k': [k[j] for j in keyed], 'columns': extra}

  def init(key, encoded):
    return memory.init(key, encoded) if memory else {}

  def judge(nets, encoded, state, key, step):
    del key
    given = encoded['columns'] | {name: nets[net]() for name, net in (scalars or {}).items()}
    given |= memory.read(state) if memory else {}
    judged = at(objective, step)
    q, k = dict(zip(asked, encoded['q'], strict=True)), dict(zip(keyed, encoded['k'], strict=True))
    loss = jnp.mean(jnp.stack([jnp.mean(judged(q[i], k[j], **given)) for i, j in pairs]))
    return loss, (memory.write(state, encoded) if memory else state, {})

  def watch(encoded, state, step):
    if assign:
      return {'teacher': at(assign, step)(encoded['k'][0], **(memory.read(state) if memory else {}))}
    q, k = dict(zip(asked, encoded['q'], strict=True)), dict(zip(keyed, encoded['k'], strict=True))
    i, j = pairs[0]
    return {'pairs': (q[i], k[j])} if q[i].shape == k[j].shape else {}

  return Term(init, encode, judge, watch)


def through(nets, views, which, towers, heads, keys) -> dict[int, jax.Array]:
  """Pooled features of the views in `which` after tower and heads; views alike in tower and shape in one call."""
  groups: dict[tuple, list[int]] = {}
  for i in which:
    tower = towers if isinstance(towers, str) else towers[i]
    shape = tuple(leaf.shape for leaf in jax.tree.leaves(views[i]))
    groups.setdefault((tower, shape), []).append(i)
  found = {}
  for (tower, _), members in groups.items():
    # Interleaved, not end to end: each device then keeps its own examples and nothing moves between them.
    merge = lambda *x: jnp.stack(x, 1).reshape(-1, *x[0].shape[1:])
    x = jax.tree.map(merge, *(views[i] for i in members))
    z = nets[tower](x, keys=merge(*(fold(keys, i) for i in members))).pooled
    for head in heads:
      z = nets[head](z)
    for i, part in zip(members, jnp.unstack(z.reshape(-1, len(members), z.shape[-1]), axis=1), strict=True):
      found[i] = part
  return found
