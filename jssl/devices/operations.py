"""Floating-point operations of a step, counted in the traced program: matrix products and convolutions, including loops."""

import math
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

RECOMPUTED = 'rematted_computation'  # name that `jax.checkpoint` gives to recomputed operations


class Operations(NamedTuple):
  """Operations of one step on all devices together; a multiplication and an addition count as two."""

  model: float  # operations of the method
  recomputed: float  # operations that are recomputed to save memory


def operations(jaxpr: Jaxpr | ClosedJaxpr) -> Operations:
  """Counts the operations of a traced function; within `shard_map`, an equation is executed by each of several devices.

  If the number depends on values, the minimum is counted: the smaller branch of a `cond`, one iteration of a `while`. The resulting utilization
  is therefore never too high, and periodic measurements such as gradient norms are not counted.
  """
  found = [0.0, 0.0]

  def walk(jaxpr: Any, times: float, again: bool) -> None:
    for eqn in getattr(jaxpr, 'jaxpr', jaxpr).eqns:
      inside = again or RECOMPUTED in str(eqn.source_info.name_stack)
      found[inside] += times * _of(eqn)
      name = eqn.primitive.name
      if name == 'cond':
        walk(min(eqn.params['branches'], key=lambda branch: sum(operations(branch))), times, inside)
        continue
      factor = eqn.params['length'] if name == 'scan' else 1
      if name == 'shard_map':
        axes = eqn.params.get('newly_manual_axes', eqn.params.get('manual_axes'))  # the name differs between versions of JAX
        factor = math.prod(eqn.params['mesh'].shape[axis] for axis in axes)
      for inner in jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda x: isinstance(x, Jaxpr | ClosedJaxpr)):
        if isinstance(inner, Jaxpr | ClosedJaxpr):
          walk(inner, times * factor, inside)

  walk(jaxpr, 1.0, False)
  return Operations(*found)


def _of(eqn: Any) -> float:
  if eqn.primitive.name == 'dot_general':
    (contracted, _), _ = eqn.params['dimension_numbers']
    return 2.0 * math.prod(eqn.outvars[0].aval.shape) * math.prod(eqn.invars[0].aval.shape[i] for i in contracted)
  if eqn.primitive.name == 'conv_general_dilated':
    kernel = eqn.invars[1].aval.shape
    out_features = kernel[eqn.params['dimension_numbers'].rhs_spec[0]]
    return 2.0 * math.prod(eqn.outvars[0].aval.shape) * math.prod(kernel) / out_features
  return 0.0
