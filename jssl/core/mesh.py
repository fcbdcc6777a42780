"""Devices and the placement of arrays: one mesh, and regular expressions over parameter paths."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jssl.devices.sharding import EXAMPLES, axes_of_examples

AXES = ('data', 'fsdp', 'sequence', 'tensor')
BATCH = PartitionSpec(EXAMPLES)  # examples are sharded over both axes; the other axes each hold all examples

# The first match wins. A single axis shards the largest dimension that it divides; a tuple gives one axis for each dimension,
# counted from the last, so that stacked layers need no separate rule.
RULES: dict[str, tuple] = {
  'replicated': (),
  'fsdp': (('.*', 'fsdp'),),
  'fsdp_tp': (
    (r'\b(q|k|v|kv|qkv|query|key|value|fc1|up|gate)/kernel', ('fsdp', 'tensor')),
    (r'\b(proj|out|fc2|down)/kernel', ('tensor', 'fsdp')),
    (r'\b(q|k|v|kv|qkv|query|key|value|fc1|up|gate)/bias', ('tensor',)),
    ('.*', 'fsdp'),
  ),
}


def make_mesh(sizes: Mapping[str, int] | None = None, devices: Sequence[jax.Device] | None = None) -> Mesh:
  """Makes a mesh with the axes data, fsdp, sequence and tensor. At most one size may be -1, which takes the remaining devices.

  If the devices form several slices, the outer axes span slices first: `data`, then `fsdp`, and so on, so that the axes that communicate most
  stay within a slice.

  Raises:
    ValueError: if the product of the sizes is not the number of devices, or the slices differ.
  """
  devices = jax.devices() if devices is None else devices
  sizes, known = checked_sizes(sizes)
  free = -1 in sizes.values()
  if len(devices) % known or (not free and known != len(devices)):
    raise ValueError(f'mesh {sizes} does not fit {len(devices)} devices: the sizes must multiply to {len(devices)}, and one may be -1')
  shape = [len(devices) // known if sizes[name] == -1 else sizes[name] for name in AXES]
  return Mesh(arrange(shape, devices), AXES, axis_types=(AxisType.Auto,) * len(AXES))


def checked_sizes(sizes: Mapping[str, int] | None) -> tuple[dict[str, int], int]:
  """The size of every axis, and the product of the given sizes. Raises ValueError for invalid sizes."""
  sizes = {'data': -1, 'fsdp': 1, 'sequence': 1, 'tensor': 1} | dict(sizes or {})
  if extra := set(sizes) - set(AXES):
    raise ValueError(f'mesh has no axis {sorted(extra)}; its axes are {list(AXES)}')
  whole = all(isinstance(size, int) and not isinstance(size, bool) and (size > 0 or size == -1) for size in sizes.values())
  if not whole or list(sizes.values()).count(-1) > 1:
    raise ValueError(f'mesh {sizes}: each size must be a whole number above 0, and one may be -1')
  return sizes, math.prod(size for size in sizes.values() if size != -1)


def check_layout(batch_size: int, sizes: Mapping[str, int], micro_batches: int, rules: Any) -> None:
  """Raises ValueError if a layout fits no number of devices. Needs no devices."""
  sizes, _ = checked_sizes(sizes)
  share_out(batch_size, max(sizes['data'], 1), max(sizes['fsdp'], 1), micro_batches)
  known_rules(rules)


def arrange(shape: Sequence[int], devices: Sequence[jax.Device]) -> np.ndarray:
  """Arranges devices in the shape of a mesh: neighbours on a slice's network are neighbours in the mesh, and slices are outermost."""
  slices = [getattr(device, 'slice_index', 0) for device in devices]
  counts = [slices.count(i) for i in sorted(set(slices))]
  if len(set(counts)) > 1:
    raise ValueError(f'the slices have {counts} devices; a mesh needs as many in each')
  across, left = [], len(counts)
  for size in shape:  # the remainder reaches 1, since the slices divide the devices
    across.append(math.gcd(size, left))
    left //= across[-1]
  within = [size // n for size, n in zip(shape, across, strict=True)]
  if len(counts) == 1:
    return mesh_utils.create_device_mesh(within, devices, allow_split_physical_axes=True)
  return mesh_utils.create_hybrid_device_mesh(within, across, devices, allow_split_physical_axes=True)


def share(batch_size: int, mesh: Mesh) -> np.ndarray:
  """The rows of the global batch that this process's devices hold. Processes share rows if an inner axis spans them."""
  places = NamedSharding(mesh, BATCH).addressable_devices_indices_map((batch_size,))
  return np.unique(np.concatenate([np.arange(batch_size)[index] for index in places.values()]))


def shardings(shapes: Any, mesh: Mesh, rules: Sequence[tuple[str, Any]] | str = 'replicated') -> Any:
  """Returns a sharding for each array, by the first rule whose pattern occurs in the array's path; replicated if none does.

  The paths of optimiser moments and teachers contain the parameter's path, so one list of rules places them all. A preset does not shard a
  dimension that its axis does not divide; a custom rule must fit every array that it matches.

  Args:
    shapes: a tree of arrays or of their shapes.
    mesh: from `make_mesh`.
    rules: 'replicated', 'fsdp', 'fsdp_tp', or (pattern, axis or axes) pairs: a single axis for the largest dimension that it divides, a tuple
      with an axis or None for each of the last dimensions, () for replicated.

  Raises:
    ValueError: for an unknown preset, pattern or axis, or a rule that matches no array or does not fit one.
  """
  own, rules = not isinstance(rules, str), known_rules(rules)
  idle = {pattern.pattern for pattern, _ in rules}

  def place(path, x):
    name = jax.tree_util.keystr(path, simple=True, separator='/')
    pattern, axes = next(((p, axes) for p, axes in rules if p.search(name)), (None, ()))
    idle.difference_update([pattern.pattern] if pattern else [])
    spec = _spec(axes, x.shape, mesh)
    if own and not isinstance(axes, str) and [a for a in spec if a] != [a for a in axes if a]:
      raise ValueError(f'rule {(pattern.pattern, axes)} does not fit {name} of shape {x.shape} on the mesh {dict(mesh.shape)}')
    return NamedSharding(mesh, spec)

  found = jax.tree_util.tree_map_with_path(place, shapes)
  if own and idle:
    raise ValueError(f'rules {sorted(idle)} name no array, or only such as an earlier rule names; paths read like "params/backbone/..."')
  return found


def used(rules: Sequence[tuple[re.Pattern, Any]], at: str, name: str, shape: tuple[int, ...]) -> tuple[PartitionSpec, PartitionSpec]:
  """Where a weight is stored on the current mesh, and where it is used: replicated over all devices that hold other examples or tokens."""
  mesh = jax.sharding.get_abstract_mesh()
  if not axes_of_examples() or not {*AXES} <= {*mesh.shape}:
    return PartitionSpec(), PartitionSpec()
  axes = next((axes for pattern, axes in rules if pattern.search(f'{at}/{name}')), ())
  stored = _spec(axes, shape, mesh)
  return stored, PartitionSpec(*(axis if axis == 'tensor' else None for axis in stored))


def known_rules(rules: Any) -> list[tuple[re.Pattern, Any]]:
  """The rules of a preset, or custom rules. Raises ValueError for invalid rules."""
  if not isinstance(rules, list | tuple) and not (isinstance(rules, str) and rules in RULES):
    raise ValueError(f'rules={rules!r} is no preset: give one of {list(RULES)}, or a list of (pattern, axes)')
  return [_checked(rule) for rule in (RULES[rules] if isinstance(rules, str) else rules)]


def _checked(rule: Any) -> tuple[re.Pattern, Any]:
  try:
    pattern, axes = rule
    axes = axes if isinstance(axes, str) else tuple(axes)
    named = [axes] if isinstance(axes, str) else [axis for axis in axes if axis is not None]
    if set(named) <= set(AXES) and len(set(named)) == len(named):
      return re.compile(pattern), axes
  except (TypeError, ValueError, re.error) as error:
    raise ValueError(f'rule {rule!r} is no (pattern, axes): {error}') from error
  raise ValueError(f'rule {rule!r} must name axes of {list(AXES)}, each at most once')


def _spec(axes: Any, shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
  spec: list = [None] * len(shape)
  if isinstance(axes, str):
    # Not the first of three or more dimensions: blocks are stacked along it, so each block would be on its own device.
    fits = [i for i, n in enumerate(shape) if n % mesh.shape[axes] == 0 and n > 1 and (i or len(shape) < 3)]
    if fits and mesh.shape[axes] > 1:
      spec[max(fits, key=lambda i: shape[i])] = axes
  else:
    for i, axis in zip(range(-1, -len(shape) - 1, -1), reversed(axes), strict=False):
      if axis and shape[i] % mesh.shape[axis] == 0:
        spec[i] = axis
  return PartitionSpec(*spec)


def check_batch(batch_size: int, mesh: Mesh, micro_batches: int) -> None:
  """Raises ValueError unless every device gets the same number of examples in every micro-batch."""
  share_out(batch_size, mesh.shape['data'], mesh.shape['fsdp'], micro_batches)


def share_out(batch_size: int, data: int, fsdp: int, micro_batches: int) -> None:
  """`check_batch` for given axis sizes."""
  if batch_size % (share := data * fsdp * micro_batches):
    nearest = max(batch_size // share, 1) * share
    raise ValueError(
      f'batch_size {batch_size} does not divide over data x fsdp x micro_batches = {data} x {fsdp} x {micro_batches}; take a multiple '
      f'of {share}, such as {nearest}'
    )
