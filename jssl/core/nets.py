"""Flax NNX at the edge: modules are taken apart into plain dicts of arrays and put together inside the step."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from flax import nnx

from jssl.types import Key, Params, tag


class Network(NamedTuple):
  """One module, taken apart."""

  create: Callable[[Key], nnx.Module]
  train: Any  # its definition in training mode
  eval: Any  # and in evaluation mode: running statistics, no dropout


def network(create: Callable[[Key], nnx.Module]) -> tuple[Network, nnx.Module]:
  """Both definitions, read off the shapes of `create(key)` without making an array, and the module of these shapes."""
  module = nnx.eval_shape(lambda: create(jax.random.key(0)))
  module.train()
  train = nnx.graphdef(module)
  module.eval()
  return Network(create, train, nnx.graphdef(module)), module


def init(networks: Mapping[str, Network], key: Key) -> tuple[Params, Params]:
  """Fresh parameters and statistics; each network's key depends on its name alone, so others may come and go."""
  params, stats = {}, {}
  for name, net in networks.items():
    _, param, rest = nnx.split(net.create(jax.random.fold_in(key, tag(name))), nnx.Param, ...)
    params[name], stats[name] = nnx.to_pure_dict(param), nnx.to_pure_dict(rest)
  return params, stats


def bind(networks: Mapping[str, Network], params: Params, stats: Params, *, train: bool = True) -> dict[str, nnx.Module]:
  """Callable networks over these arrays. Statistics that a call moves are read back with `stats_of`."""
  return {name: nnx.merge(networks[name].train if train else networks[name].eval, params[name], stats[name], copy=True) for name in params}


def stats_of(nets: Mapping[str, nnx.Module]) -> Params:
  """The statistics of bound networks, moved by their calls; outside the gradient."""
  stats = {name: nnx.to_pure_dict(nnx.state(net, nnx.Not(nnx.Param))) for name, net in nets.items()}
  return jax.lax.stop_gradient(stats)
