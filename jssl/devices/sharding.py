"""Sharding constraints within a step, at the few places that determine the communication between devices.

Examples are sharded over the axes `data` and `fsdp` of the current mesh. A weight that is sharded over one of them must be gathered before it
is used; without constraints, the partitioner may instead send the activations of the whole batch.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import AxisType, PartitionSpec

from jssl.types import Array

EXAMPLES = ('data', 'fsdp')  # the axes of the mesh over which a batch is sharded


class Placed(NamedTuple):
  """Where a weight is stored, where it is used, and its type there."""

  stored: PartitionSpec
  wanted: PartitionSpec
  dtype: Any


def axes_of_examples() -> tuple[str, ...]:
  """The axes of the current mesh over which the partitioner shards examples; none within `shard_map`, or on one device."""
  mesh = jax.sharding.get_abstract_mesh()
  if mesh.size == 1 or not {*EXAMPLES} <= {*mesh.shape} or {*EXAMPLES} & {*mesh.manual_axes} or AxisType.Explicit in mesh.axis_types:
    return ()
  return EXAMPLES


def spread_over(axis: str) -> bool:
  """Whether the partitioner may shard arrays over an axis of the current mesh."""
  mesh = jax.sharding.get_abstract_mesh()
  return mesh.shape.get(axis, 1) > 1 and axis not in mesh.manual_axes and AxisType.Explicit not in mesh.axis_types


def pinned(x: Array, *axes: str | None) -> Array:
  """Constrains the dimensions of an array to axes of the current mesh; None for a replicated dimension."""
  return jax.lax.with_sharding_constraint(x, PartitionSpec(*axes))


def over_examples(x: Array, *rest: str | None) -> Array:
  """[b ...], with examples sharded over the current mesh, and the other dimensions over the axes `rest`, or replicated."""
  axes, sizes = axes_of_examples(), jax.sharding.get_abstract_mesh().shape
  if not axes or len(x) % math.prod(sizes[axis] for axis in axes):
    return x
  return jax.lax.with_sharding_constraint(x, PartitionSpec(axes, *rest))


def gathered(module: nnx.Module, *, blocks: bool | None = None) -> nnx.Module:
  """Gathers the weights of a module that have placements.

  Args:
    module: a result of `placed`.
    blocks: None for all weights; False for those outside stacked blocks; True for those of one block.
  """
  for _, x in nnx.iter_graph(module):
    known = x.get_metadata() if isinstance(x, nnx.Param) else {}
    if 'placed' in known and blocks in (None, bool(known.get('stacked'))):
      stored, wanted, dtype = known['placed']
      x.set_value(gather(x[...], *(PartitionSpec(*spec[1:] if blocks else spec) for spec in (stored, wanted)), dtype))
  return module


def in_shares(read: Callable[..., np.ndarray], like: Array, stored: PartitionSpec) -> Array:
  """Moves an array from the host to the current mesh; each device receives only its shard.

  Args:
    read: a slice for each dimension -> that part.
    like: an array with its shape and type.
    stored: the mesh axis of each dimension, or None.
  """
  sizes = jax.sharding.get_abstract_mesh().shape
  axes = (*stored, *(None,) * (like.ndim - len(stored)))
  share = tuple(n // sizes.get(axis, 1) for n, axis in zip(like.shape, axes, strict=True))

  def part(*at):
    return read(*(slice(i * n, (i + 1) * n) for i, n in zip(map(int, at), share, strict=True)))

  def own():
    at = [jax.lax.axis_index(axis) if axis else jnp.int32(0) for axis in axes]
    return jax.pure_callback(part, jax.ShapeDtypeStruct(share, like.dtype), *at)

  return jax.shard_map(own, in_specs=(), out_specs=stored, check_vma=False)()


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def gather(w: Array, stored: PartitionSpec, wanted: PartitionSpec, dtype: Any) -> Array:
  """A weight for use: cast first, then gathered from its shards; its gradient is summed over examples and kept sharded."""
  pin = jax.lax.with_sharding_constraint
  # The barrier keeps one gathered weight for all products with it; otherwise each would get its own all-gather.
  return pin(pin(w.astype(dtype), stored), wanted)


def _forward(w, stored, wanted, dtype):
  return gather(w, stored, wanted, dtype), jnp.zeros((), w.dtype)


def _backward(stored, wanted, dtype, like, gradient):
  pin = jax.lax.with_sharding_constraint
  # Replicated first: if shards were requested directly, the partitioner might gather the examples of all devices for each shard.
  return (pin(pin(gradient, wanted), stored).astype(like.dtype),)


gather.defvjp(_forward, _backward)
