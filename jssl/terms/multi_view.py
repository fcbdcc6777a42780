"""Several views or modalities of each example, judged together rather than pair by pair."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.two_view import through
from jssl.types import Objective, Term, View, fold


def multi_view(
  *,
  objective: Objective,
  view: View,
  towers: Sequence[str] | str = 'backbone',
  heads: Sequence[str] | str = 'projector',
  scalars: Mapping[str, str] | None = None,
) -> Term:
  """objective(z), z_iv = head_v(tower_v(view_iv)).

  Args:
    objective: (z: [b v d], **scalars) -> [b] or scalar.
    view: draws the v views: of one image, or the columns of v modalities, or v examples of one identity.
    towers: the network each view runs through, one name for all or one a view.
    heads: the network on the tower's pooled features, one name for all or one a view.
    scalars: objective's keyword -> network called without input: a learned temperature.
  """

  def encode(nets, target, batch, keys):
    views = view(fold(keys, 0), batch)
    shared = isinstance(heads, str)
    found = through(nets, views, range(len(views)), towers, (heads,) if shared else (), fold(keys, 1))
    z = [found[i] if shared else nets[heads[i]](found[i]) for i in range(len(views))]
    return {'z': jnp.stack(z, 1)}

  def judge(nets, encoded, state, key, step):
    learned = {name: nets[net]() for name, net in (scalars or {}).items()}
    return jnp.mean(at(objective, step)(encoded['z'], **learned)), (state, {})

  def watch(encoded, state, step):
    return {'pairs': (encoded['z'][:, 0], encoded['z'][:, 1])}

  return Term(lambda key, encoded: {}, encode, judge, watch)
