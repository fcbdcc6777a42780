"""Modifications of network weights by path: low-rank adapters and pruning masks.

Adapters are additional parameters of their network, under 'lora': params['backbone']['lora']['blocks']['attention']['qkv']. A network is called
with `merged` weights, so that its code does not depend on them.
"""

import fnmatch
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.errors import ConfigError
from jssl.options import closest, mapping, natural
from jssl.types import Array, Key, Params, salted

LORA = 'lora'
Path = tuple[str | int, ...]  # of a layer in its network


class Changes(NamedTuple):
  """The modifications of the weights of one network."""

  ranks: Mapping[Path, int] = {}  # layer -> rank of the adapter of its kernel
  alpha: float = 1.0
  kept: Mapping[Path, float] = {}  # layer -> share of its kernel that is not pruned
  stacked: frozenset[Path] = frozenset()  # layers whose kernels have a leading axis for stacked blocks


def changes(lora: Any, masks: Any, networks: Mapping[str, nnx.Module]) -> dict[str, Changes]:
  """Parses `lora` and `masks` of a config, by network: dict(rank=8, alpha=16, of=('backbone.blocks.*.qkv',)) and dict(keep=0.5, of=(...)).

  Raises:
    ConfigError: if an option is unknown or out of range, or a pattern matches no layer with a kernel.
  """
  lora, masks = _options('lora', lora, ('rank', 'alpha', 'of')), _options('masks', masks, ('keep', 'of'))
  if not lora and not masks:
    return {}
  layers = {name: _layers(net) for name, net in networks.items()}
  known = {'.'.join(map(str, (name, *path))): (name, path) for name, found in layers.items() for path in found}
  adapted, masked = _matches('lora', lora.get('of', ()), known), _matches('masks', masks.get('of', ()), known)
  rank, keep = natural({'lora.rank': lora.get('rank', 1)}, 'lora.rank'), masks.get('keep', 1.0)
  alpha = lora.get('alpha', rank)
  if not _number(alpha) or alpha <= 0:
    raise ConfigError(f'lora.alpha must be a number above 0, not {alpha!r}')
  if not _number(keep) or not 0 < keep <= 1:
    raise ConfigError(f'masks.keep must be the share of the weights that is kept, above 0 and at most 1, not {keep!r}')
  for name, path in adapted:
    kernel = layers[name][path]
    if rank > min(sizes := _matrix(kernel.shape, _stacked(kernel))[-2:]):
      where = '.'.join(map(str, (name, *path)))
      raise ConfigError(f'lora.rank is {rank}, and the kernel of {where} maps {sizes[0]} to {sizes[1]}: give at most {min(sizes)}')
  of = lambda name, found: [path for network, path in found if network == name]
  stacked = lambda name: frozenset(path for path, kernel in layers[name].items() if _stacked(kernel))
  return {
    name: Changes(dict.fromkeys(of(name, adapted), rank), float(alpha), dict.fromkeys(of(name, masked), float(keep)), stacked(name))
    for name in networks
    if of(name, adapted) or of(name, masked)
  }


def adapters(change: Changes, params: Params, key: Key) -> Params:
  """Initial adapters, which do not change the output: lora_a [(l) in r] uniform within 1 / sqrt(in), lora_b [(l) r out] zero.

  A convolution kernel [k k c d] is treated as the matrix [k*k*c d].

  Reference: Hu et al., ICLR 2022, arXiv:2106.09685, section 4.1, where A is Gaussian; the distribution is that of the official code.
  """
  found: Params = {}
  for path, rank in change.ranks.items():
    *layers, inputs, outputs = _matrix(_at(params, path)['kernel'].shape, path in change.stacked)
    bound = 1 / math.sqrt(inputs)
    a = jax.random.uniform(salted(key, '.'.join(map(str, path))), (*layers, inputs, rank), jnp.float32, -bound, bound)
    made: Params = dict(lora_a=a, lora_b=jnp.zeros((*layers, rank, outputs)))
    for part in reversed(path):
      made = {part: made}
    found = joined(found, made)
  return found


def merged(change: Changes, params: Params) -> Params:
  """The effective parameters of a network: W + (alpha / r) A B, without separate adapters.

  A masked kernel has no gradient where it is 0, and so its zeros are kept.

  Args:
    change: the modifications of the network.
    params: nested dicts, with adapters under 'lora'; without these, they are merged already.

  Reference: Hu et al., ICLR 2022, arXiv:2106.09685, Eq. 3.
  """
  if change.ranks and LORA not in params:
    return params
  own = bare(params)
  for path in change.kept:
    kernel = _at(own, path)['kernel']
    own = _with(own, path, jnp.where(kernel != 0, kernel, 0))
  for path, rank in change.ranks.items():
    kernel, adapter = _at(own, path)['kernel'], _at(params[LORA], path)
    added = jnp.matmul(adapter['lora_a'], adapter['lora_b'], precision='highest') * (change.alpha / rank)
    own = _with(own, path, kernel + added.reshape(kernel.shape).astype(kernel.dtype))
  return own


def pruned(change: Changes, params: Params) -> Params:
  """Parameters with the smallest weights in magnitude set to 0, separately for each layer; idempotent.

  Reference: Han et al., NeurIPS 2015, arXiv:1506.02626, section 3: weights are pruned by magnitude, and the others are trained.
  """
  for path, keep in change.kept.items():
    kernel = _at(params, path)['kernel']
    *layers, inputs, outputs = _matrix(kernel.shape, path in change.stacked)
    size = jnp.abs(kernel).reshape(*layers, inputs * outputs)
    least = jnp.sort(size, -1)[..., -max(1, round(keep * inputs * outputs)), None]
    params = _with(params, path, jnp.where(size >= least, kernel.reshape(size.shape), 0).reshape(kernel.shape))
  return params


def bare(params: Params) -> Params:
  """The parameters of a network without its adapters."""
  return {key: x for key, x in params.items() if key != LORA}


def trained(place: str, names: Any, networks: Mapping[str, Any], shapes: Callable[[], Params], held: Sequence[str]) -> tuple[str, ...]:
  """Parses `train` of a config: networks, and parts of networks. Of a network with adapters, only the adapters are trained.

  Args:
    place: place in the config, for messages.
    names: 'NETWORK', or 'NETWORK.part' for some of its parameters; None for all networks.
    networks: networks of `core.nets` by name.
    shapes: returns network -> nested dicts of the shapes of its parameters.
    held: frozen networks.

  Raises:
    ConfigError: for an unknown part.
  """
  names = tuple(networks) if names is None else names
  if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
    raise ConfigError(f"{place} must name networks or parts of them, ('projector', 'backbone.norm'), not {names!r}")
  found = []
  for name in names:
    network, *keys = name.split('.')
    within = shapes() if keys else networks
    for key in (network, *keys):
      known = {str(k): k for k in within} if isinstance(within, Mapping) else {}
      if key not in known:
        raise ConfigError(f'{place} names {name!r}{closest(key, known)}')
      within = within[known[key]]
    if network not in held:
      found.append(f'{network}.{LORA}' if not keys and networks[network].changes.ranks else name)
  return tuple(dict.fromkeys(found))


def apart(params: Params, names: Iterable[str]) -> tuple[Params, Params]:
  """The trained parameters, in terms of `trained`, and all others, each as nested dicts."""

  def cut(tree: Params, paths: Sequence[Sequence[str]]) -> tuple[Params, Params]:
    moving, held = {}, {}
    for key, x in tree.items():
      below = [path[1:] for path in paths if path[0] == str(key)]
      if [] in below:
        moving[key] = x
      elif below:
        moving[key], held[key] = cut(x, below)
      else:
        held[key] = x
    return moving, held

  return cut(params, [name.split('.') for name in names])


def joined(held: Params, moving: Params) -> Params:
  """Merges the two results of `apart`; `moving` takes precedence."""
  both = lambda key, x: joined(held[key], x) if key in held and isinstance(x, Mapping) else x
  return {**held, **{key: both(key, x) for key, x in moving.items()}}


def _options(place: str, spec: Any, known: Sequence[str]) -> dict[str, Any]:
  if spec is None:
    return {}
  spec = mapping(place, spec)
  if wrong := [key for key in spec if key not in known]:
    raise ConfigError(f'{place} has no option {wrong[0]!r}{closest(wrong[0], known)}')
  if lacking := [key for key in known if key not in spec and key != 'alpha']:
    raise ConfigError(f'{place} lacks {lacking[0]!r}; it has the options {list(known)}')
  return spec


def _layers(net: nnx.Module) -> dict[Path, nnx.Param]:
  """The kernels of a network by the paths of their layers."""
  held = ((path, getattr(of, 'kernel', None)) for path, of in nnx.iter_graph(net) if isinstance(of, nnx.Module))
  return {path: kernel for path, kernel in held if isinstance(kernel, nnx.Param) and len(kernel.shape) > 1}


def _matches(place: str, patterns: Any, known: Mapping[str, tuple[str, Path]]) -> list[tuple[str, Path]]:
  if isinstance(patterns, str) or not isinstance(patterns, tuple | list) or not all(isinstance(x, str) for x in patterns):
    raise ConfigError(f"{place}.of must name layers, ('backbone.blocks.attention.qkv', 'backbone.blocks.*fc1'), not {patterns!r}")
  found = {}
  for pattern in patterns:
    if not (matching := fnmatch.filter(known, pattern)):
      raise ConfigError(f'{place}.of: {pattern!r} is no layer that has a kernel{closest(pattern, known)}')
    found |= {name: known[name] for name in matching}
  return list(found.values())


def _number(x: Any) -> bool:
  return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


def _stacked(kernel: nnx.Param) -> bool:
  return bool(kernel.get_metadata().get('stacked'))


def _matrix(shape: tuple[int, ...], stacked: bool) -> tuple[int, ...]:
  """The shape of a kernel viewed as a matrix, [(l) in out]."""
  return (*shape[:stacked], math.prod(shape[stacked:-1]), shape[-1])


def _at(tree: Params, path: Path) -> Any:
  for key in path:
    tree = tree[key]
  return tree


def _with(tree: Params, path: Path, kernel: Array) -> Params:
  """Parameters with the kernel of a layer replaced."""
  if not path:
    return {**tree, 'kernel': kernel}
  return {**tree, path[0]: _with(tree[path[0]], path[1:], kernel)}
