"""Interface to Flax NNX: modules are split into plain dicts of arrays and merged inside the step."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.devices.sharding import EXAMPLES, Placed, gathered, in_shares
from jssl.types import Key, Params, salted, tag
from jssl.weights import LORA, Changes, adapters, merged


class Network(NamedTuple):
  """A split module."""

  create: Callable[[Key], nnx.Module]
  train: Any  # its graph definition in training mode
  eval: Any  # its graph definition in evaluation mode: running statistics, no dropout
  changes: Changes = Changes()  # modifications of its weights


def network(create: Callable[[Key], nnx.Module]) -> tuple[Network, nnx.Module]:
  """Both graph definitions, from the shapes of `create(key)` without allocating arrays, and the module with these shapes."""
  module = nnx.eval_shape(lambda: create(jax.random.key(0)))
  module.train()
  train = nnx.graphdef(module)
  module.eval()
  return Network(create, train, nnx.graphdef(module)), module


def init(networks: Mapping[str, Network], key: Key, places: Callable | None = None) -> tuple[Params, Params]:
  """Initialises parameters and statistics. Each network's key depends on its name alone, so other networks may be added or removed.

  With `places`, as in `bind`, each device reads only its shard of weights that are loaded from files.
  """
  params, stats = {}, {}
  for name, net in networks.items():
    made = net.create(jax.random.fold_in(key, tag(name)))
    for path, x in nnx.iter_graph(made) if places else ():
      if isinstance(x, nnx.Param) and 'source' in x.get_metadata():
        stored, _ = places('/'.join(map(str, (name, *path))), x.shape)
        if any(stored):
          x.set_value(in_shares(x.get_metadata()['source'].read, x[...], stored))
    _, param, rest = nnx.split(made, nnx.Param, ...)
    params[name], stats[name] = nnx.to_pure_dict(param), nnx.to_pure_dict(rest)
    if net.changes.ranks:
      params[name][LORA] = adapters(net.changes, params[name], salted(key, name, LORA))
  return params, stats


def bind(
  networks: Mapping[str, Network], params: Params, stats: Params, *, train: bool = True, places: Callable | None = None
) -> dict[str, nnx.Module]:
  """Returns callable networks with the given arrays. Statistics that a call updates are read with `stats_of`.

  With `places`, (path, shape) -> where a weight is stored and where it is used, weights are gathered if the two differ: those of stacked blocks
  one block at a time inside `scan`, the others here.
  """
  params = {name: merged(networks[name].changes, of) for name, of in params.items()}
  nets = {name: nnx.merge(networks[name].train if train else networks[name].eval, params[name], stats[name], copy=True) for name in params}
  within = tuple(axis for axis in EXAMPLES if axis in jax.sharding.get_abstract_mesh().manual_axes)
  for _, of in (found for net in nets.values() for found in nnx.iter_graph(net)) if within else ():
    if hasattr(of, 'axis_name') and hasattr(of, 'momentum'):  # batch norm normalises over the batch of all devices, within `shard_map` too
      of.axis_name = within
  return {name: gathered(_placed(net, name, places), blocks=False) if places else net for name, net in nets.items()}


def together(networks: Mapping[str, Network], params: Params, stats: Params, places: Callable) -> Params:
  """Gathers once the parameters that every device needs in full; they are cast to the compute type and back."""
  nets = {name: gathered(_placed(net, name, places)) for name, net in bind(networks, params, stats).items()}
  found = {name: nnx.to_pure_dict(nnx.state(net, nnx.Param)) for name, net in nets.items()}
  return jax.tree.map(lambda x, like: x.astype(like.dtype), found, {name: merged(networks[name].changes, params[name]) for name in found})


def _placed(net: nnx.Module, name: str, places: Callable) -> nnx.Module:
  """A network whose weights carry their storage and use placements, where the two differ."""
  for path, of in nnx.iter_graph(net):
    for weight, x in vars(of).items() if isinstance(of, nnx.Module) else ():
      if isinstance(x, nnx.Param):
        stored, wanted = places('/'.join(map(str, (name, *path, weight))), x.shape)
        if stored != wanted:
          # A linear map casts its weights anyway; casting before the transfer sends less.
          dtype = getattr(of, 'dtype', None) if hasattr(of, 'kernel') or hasattr(of, 'embedding') else None
          x.set_metadata(placed=Placed(stored, wanted, jnp.dtype(dtype or x.dtype)))
  return net


def stats_of(nets: Mapping[str, nnx.Module]) -> Params:
  """The statistics of bound networks after their calls, without gradient."""
  stats = {name: nnx.to_pure_dict(nnx.state(net, nnx.Not(nnx.Param))) for name, net in nets.items()}
  return jax.lax.stop_gradient(stats)
