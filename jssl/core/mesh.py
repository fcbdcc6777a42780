"""Devices and where arrays live on them: one mesh, and regular expressions over parameter paths."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXES = ('data', 'fsdp', 'tensor')
BATCH = PartitionSpec(('data', 'fsdp'))  # examples are spread over both; the tensor axis sees them all

# First match wins. 'fsdp' shards the largest dimension that the axis divides; a tuple names an axis a dimension,
# counted from the last, so that stacked layers need no rule of their own.
RULES: dict[str, tuple] = {
  'replicated': (),
  'fsdp': (('.*', 'fsdp'),),
  'fsdp_tp': (
    (r'(qkv|query|key|value|fc1|up|gate)/kernel', ('fsdp', 'tensor')),
    (r'(proj|out|fc2|down)/kernel', ('tensor', 'fsdp')),
    (r'(qkv|query|key|value|fc1|up|gate)/bias', ('tensor',)),
    ('.*', 'fsdp'),
  ),
}


def make_mesh(sizes: Mapping[str, int] | None = None, devices: Sequence[jax.Device] | None = None) -> Mesh:
  """A mesh with the axes data, fsdp and tensor; at most one size may be -1, which takes the devices that are left.

  Raises:
    ValueError: if the sizes do not multiply to the number of devices.
  """
  devices = jax.devices() if devices is None else devices
  sizes = {'data': -1, 'fsdp': 1, 'tensor': 1} | dict(sizes or {})
  if extra := set(sizes) - set(AXES):
    raise ValueError(f'mesh has no axis {sorted(extra)}; its axes are {list(AXES)}')
  free = [name for name, size in sizes.items() if size == -1]
  known = int(np.prod([size for size in sizes.values() if size != -1]))
  if len(free) > 1 or known < 1 or len(devices) % known or (not free and known != len(devices)):
    raise ValueError(f'mesh {sizes} does not fit {len(devices)} devices: the sizes must multiply to {len(devices)}')
  shape = [len(devices) // known if sizes[name] == -1 else sizes[name] for name in AXES]
  return jax.make_mesh(shape, AXES, devices=devices, axis_types=(AxisType.Auto,) * len(AXES))


def path_name(path: tuple) -> str:
  return '/'.join(str(getattr(p, 'key', getattr(p, 'name', getattr(p, 'idx', p)))) for p in path)


def shardings(shapes: Any, mesh: Mesh, rules: Sequence[tuple[str, Any]] | str = 'replicated') -> Any:
  """A sharding an array, by the first rule whose pattern is found in the array's path; replicated where none is.

  Optimiser moments and teachers carry the parameter's path within theirs, so one list of rules places them all.
  """
  rules = RULES[rules] if isinstance(rules, str) else rules

  def place(path, x):
    name = path_name(path)
    tactic = next((t for pattern, t in rules if re.search(pattern, name)), ())
    return NamedSharding(mesh, _spec(tactic, x.shape, mesh))

  return jax.tree_util.tree_map_with_path(place, shapes)


def _spec(tactic: Any, shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
  axes: list = [None] * len(shape)
  if isinstance(tactic, str):
    fits = [i for i, n in enumerate(shape) if n % mesh.shape[tactic] == 0 and n > 1]
    if fits and mesh.shape[tactic] > 1:
      axes[max(fits, key=lambda i: shape[i])] = tactic
  else:
    for i, axis in zip(range(-1, -len(shape) - 1, -1), reversed(tactic), strict=False):
      if axis and shape[i] % mesh.shape[axis] == 0:
        axes[i] = axis
  return PartitionSpec(*axes)


def check_batch(batch_size: int, mesh: Mesh, micro_batches: int) -> None:
  """Raises ValueError unless every device gets the same number of examples in every micro-batch."""
  share = mesh.shape['data'] * mesh.shape['fsdp'] * micro_batches
  if batch_size % share:
    nearest = max(batch_size // share, 1) * share
    raise ValueError(
      f'batch_size {batch_size} does not divide over data x fsdp x micro_batches = {mesh.shape["data"]} x '
      f'{mesh.shape["fsdp"]} x {micro_batches}; take a multiple of {share}, such as {nearest}'
    )
