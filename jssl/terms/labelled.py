"""Examples told apart by their labels."""

import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.two_view import through
from jssl.types import Objective, Term, View, fold


def classified(
  *,
  objective: Objective,
  view: View,
  encoder: str = 'backbone',
  heads: tuple[str, ...] = ('classifier',),
  label: str = 'label',
  prototypes: str | None = None,
) -> Term:
  """objective(z, labels=y) of every view: logits or embeddings, judged with the label of their example.

  Objectives over tuples of one identity, which compare examples with each other, are judged by `multi_view`.

  Args:
    objective: (z: [n d], *prototypes, labels: [n]) -> [n] or scalar, n being examples times views.
    view: one view of each example or more.
    heads: networks applied in turn to the pooled features.
    label: the column of labels.
    prototypes: a head whose kernel [d c] holds a vector a class, for objectives with margins.
  """

  def encode(nets, target, batch, keys):
    views = view(fold(keys, 0), batch)
    found = through(nets, views, range(len(views)), encoder, heads, fold(keys, 1))
    return {'z': jnp.stack([found[i] for i in range(len(views))], 1), 'label': batch[label]}

  def judge(nets, encoded, state, key, step):
    b, v, d = encoded['z'].shape
    learned = (nets[prototypes].kernel[...].T,) if prototypes else ()
    labels = jnp.repeat(encoded['label'], v)
    return jnp.mean(at(objective, step)(encoded['z'].reshape(b * v, d), *learned, labels=labels)), (state, {})

  return Term(lambda key, encoded: {}, encode, judge)
