"""Initialisation of networks from other networks of the run, or from another run; and freezing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jssl.errors import ConfigError
from jssl.options import closest, shown
from jssl.types import Array, Params
from jssl.weights import bare, joined

BLOCKS = 'blocks'  # the name of layers that are stacked along a leading axis


class Outside(NamedTuple):
  """Networks initialised from another run."""

  of: str  # its workdir, or the folder of a model
  networks: Mapping[str, str]  # network -> network of that run
  layers: tuple[int, int] | None  # the range of its stacked layers to use for the first ones


def outside(spec: Mapping[str, Any], networks: Iterable[str]) -> Outside | None:
  """Parses the `start` of a config that names another run: dict(of=FOLDER, networks=('backbone',), layers=(0, 6))."""
  if 'of' not in spec:
    return None
  known = ('of', 'networks', 'layers')
  if wrong := [key for key in spec if key not in known]:
    raise ConfigError(f'start has no option {wrong[0]!r}{closest(wrong[0], known)}')
  if not isinstance(spec['of'], str) or not spec['of']:
    raise ConfigError(f'start.of must be the workdir of a run or the folder of a model, not {shown(spec["of"])}')
  given = spec.get('networks', ('backbone',))
  if not isinstance(given, Mapping):
    given = {name: name for name in ([given] if isinstance(given, str) else given)}
  if wrong := [name for name in given if name not in networks]:
    raise ConfigError(f'start.networks names {wrong[0]!r}{closest(wrong[0], networks)}')
  layers = spec.get('layers')
  if layers is not None and not (
    isinstance(layers, Sequence) and len(layers) == 2 and all(isinstance(i, int) for i in layers) and 0 <= layers[0] < layers[1]
  ):
    raise ConfigError(f'start.layers must be (first, last + 1), such as (0, 6) for the first six layers, not {shown(layers)}')
  return Outside(spec['of'], dict(given), tuple(layers) if layers else None)


def begins(spec: Mapping[str, Any], networks: Mapping[str, Any], teachers: Mapping[str, Any]) -> dict[str, str]:
  """Parses the `start` of a phase: network -> network whose parameters or layers initialise it, or teacher -> 'student'."""
  for name, of in spec.items():
    found = re.fullmatch(r'(\w+)(\[-?\d*:-?\d*\])?', of) if isinstance(of, str) else None
    if not (found and (name in teachers and of == 'student' or name in networks and found[1] in networks)):
      raise ConfigError(
        f"start.{name} is {of!r}; write NETWORK='NETWORK', NETWORK='NETWORK[-2:]' for its last two layers, TEACHER='student', or "
        f'of=FOLDER to start from another run; there are {sorted(networks)} and {sorted(teachers)}'
      )
    if name in networks and name != of and any(networks[x].changes.ranks for x in (name, found[1])):
      raise ConfigError(f'start.{name} is {of!r}, but only one of them has adapters: leave it out of lora.of, or out of start')
  return dict(spec)


def origin(name: str, source: str, arrays: Mapping[str, Any]) -> Any:
  """The initial arrays of a network in a phase: from 'NETWORK' a copy, from 'NETWORK[-2:]' the common parameters of those layers."""
  network, _, cut = source.removesuffix(']').partition('[')
  if not cut:
    return jax.tree.map(jnp.copy, arrays[network])
  layers = slice(*(int(part) if part else None for part in cut.split(':')))

  def part(own: Any, of: Any) -> Any:
    if isinstance(own, Mapping):
      return {key: part(x, of[key]) for key, x in own.items()}
    found = of if of.shape == own.shape else of[layers]
    if found.shape != own.shape:
      raise ConfigError(f'start.{name} is {source!r}, which gives arrays of shape {found.shape} where the network has {own.shape}')
    return jnp.copy(found)

  return part(arrays[name], arrays[network])


def filled(own: Params, given: Params) -> Params:
  """Initial arrays by network, with given ones filled in; a smaller number of stacked layers replaces the first ones."""

  def fill(x: Array, of: Array) -> Array:
    if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):  # dropout keys: a run draws its own
      return x
    return of.astype(x.dtype) if of.shape == x.shape else x.at[: len(of)].set(of)

  return joined(own, {name: jax.tree.map(fill, bare(own[name]), of) for name, of in given.items()})


def places(names: Any, shapes: Params) -> tuple[tuple[str, tuple[str, ...], slice], ...]:
  """Parses `freeze` of a config: 'NETWORK', 'NETWORK.part', or 'NETWORK.blocks[:6]' -> network, path, layers.

  Args:
    names: the frozen parts.
    shapes: network -> nested dicts of arrays, or of their shapes.
  """
  if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
    raise ConfigError(f"freeze must name networks or parts of them, ('backbone.embed', 'backbone.blocks[:6]'), not {shown(names)}")
  found = []
  for name in names:
    path, _, cut = name.removesuffix(']').partition('[')
    within, (network, *keys) = shapes, path.split('.')
    for key in (network, *keys):
      known = list(within) if isinstance(within, Mapping) else []
      if key not in known:
        raise ConfigError(f'freeze names {name!r}{closest(key, known)}')
      within = within[key]
    bounds = re.fullmatch(r'(-?\d*):(-?\d*)', cut) if cut else None
    if cut and not (bounds and BLOCKS in keys):
      raise ConfigError(f'freeze names {name!r}; layers are written NETWORK.blocks[:6], where a network has {BLOCKS}')
    found.append((network, tuple(keys), slice(*(int(x) if x else None for x in bounds.groups())) if bounds else slice(None)))
  return tuple(found)


def without(updates: Params, frozen: Iterable[tuple[str, tuple[str, ...], slice]]) -> Params:
  """Updates with zeros for frozen parts."""

  def still(tree: Any, path: Sequence[str], layers: slice) -> Any:
    if path:
      return {**tree, path[0]: still(tree[path[0]], path[1:], layers)} if path[0] in tree else tree
    return jax.tree.map(lambda x: x.at[layers].set(0) if x.ndim else jnp.zeros_like(x), tree)

  for network, path, layers in frozen:
    updates = {**updates, network: still(updates[network], path, layers)}
  return updates
