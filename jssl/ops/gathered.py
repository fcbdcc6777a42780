"""Objectives within `shard_map` and `pmap`, where arrays are those of one device."""

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp


def gathered(objective: Callable, axis: str, *, whole: Collection[str] = ()) -> Callable:
  """An objective of the global batch, for use where each device holds a part of it.

      loss = lambda q, k: gathered(nt_xent, 'data')(q, k, temperature=0.2).mean()      # within shard_map or pmap over 'data'

  Arrays [b/n ...] are gathered over the axis, the objective is computed of all of them, and the losses of this device's rows come back. The
  mean over devices of their mean, and of their gradients, is the mean of the objective over the global batch and its gradient. Under
  `jax.jit` with sharded arrays nothing of this is needed: there arrays are global.

  Args:
    objective: (q, k, ...) -> [b], or a scalar, which every device then has.
    axis: name of the mapped axis.
    whole: arguments that every device has in full, such as a queue or prototypes; numbers always are.

  Returns:
    The objective, of arrays of one device.
  """
  names = [*inspect.signature(objective).parameters]

  @wraps(objective)
  def local(*args: Any, **options: Any) -> jax.Array:
    rows = 0

    def everything(name: str, x: Any) -> Any:
      nonlocal rows
      if name in whole or not isinstance(x, jax.Array) or not x.ndim:
        return x
      rows = rows or len(x)
      return jax.lax.all_gather(x, axis, tiled=True)

    given = [everything(name, x) for name, x in zip(names, args, strict=False)]
    loss = objective(*given, **{name: everything(name, x) for name, x in options.items()})
    if not jnp.ndim(loss):
      return loss
    return jax.lax.dynamic_slice_in_dim(loss, jax.lax.axis_index(axis) * rows, rows)

  return local
