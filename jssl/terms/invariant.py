"""A classifier whose representation does not tell a nuisance, even where the nuisance is partly missing."""

from collections.abc import Callable

import jax.numpy as jnp
import optax

from jssl.parts.schedules import at, value_at
from jssl.types import Objective, Term, View, fold


def invariant(
  *,
  objective: Objective,
  estimator: Callable,
  view: View,
  given: tuple[str, ...] = ('nuisance', 'seen', 'propensity', 'imputation'),
  penalty: float = 1.0,
  classifier: str = 'classifier',
  encoder: str = 'backbone',
  label: str = 'label',
) -> Term:
  """mean CE(h(r), y) + penalty objective(r, w1, w0, y),   (w1, w0) = estimator(*given).

  Args:
    objective: (r: [b d], w1: [b], w0: [b], y: [b]) -> scalar.
    estimator: columns [b] -> weights of the examples in which the nuisance is 1, and in which it is 0, [b] each.
    view: draws one view.
    given: the columns that the estimator takes.
    penalty: lambda.
    classifier: the head h.
    encoder: the network whose pooled features are r.
    label: the column y.

  Reference: Goldstein et al., NeurIPS workshop 2021, arXiv:2112.00881.
  """

  def encode(nets, target, batch, keys):
    (x,) = view(fold(keys, 0), batch)
    r = nets[encoder](x, keys=fold(keys, 1)).pooled
    return dict(r=r, logits=nets[classifier](r), label=batch[label], given=[batch[name] for name in given])

  def judge(nets, encoded, state, key, step):
    del nets, key
    error = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(encoded['logits'], encoded['label']))
    gap = at(objective, step)(encoded['r'], *estimator(*encoded['given']), encoded['label'])
    return error + value_at(penalty, step) * gap, (state, {'error': error, 'gap': gap})

  return Term(lambda key, encoded: {}, encode, judge)
