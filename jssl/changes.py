"""What a config says of the weights of networks: which have adapters or masks, and which are trained."""

import fnmatch
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flax import nnx

from jssl.errors import ConfigError
from jssl.options import closest, mapping, natural, shown
from jssl.types import Params
from jssl.weights import LORA, Changes, Path, matrix


def changes(lora: Any, masks: Any, networks: Mapping[str, nnx.Module]) -> dict[str, Changes]:
  """`lora` and `masks` of a config, by network: dict(rank=8, alpha=16, of=('backbone.blocks.*.qkv',)) and dict(keep=0.5, of=(...)).

  Raises:
    ConfigError: an option is unknown or out of range, or a pattern matches no layer with a kernel.
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
    raise ConfigError(f'lora.alpha must be a number above 0, not {shown(alpha)}')
  if not _number(keep) or not 0 < keep <= 1:
    raise ConfigError(f'masks.keep must be the share of the weights that is kept, above 0 and at most 1, not {shown(keep)}')
  for name, path in adapted:
    kernel = layers[name][path]
    if rank > min(sizes := matrix(kernel.shape, _stacked(kernel))[-2:]):
      where = '.'.join(map(str, (name, *path)))
      raise ConfigError(f'lora.rank is {rank}, and the kernel of {where} maps {sizes[0]} to {sizes[1]}: give at most {min(sizes)}')
  of = lambda name, found: [path for network, path in found if network == name]
  stacked = lambda name: frozenset(path for path, kernel in layers[name].items() if _stacked(kernel))
  return {
    name: Changes(dict.fromkeys(of(name, adapted), rank), float(alpha), dict.fromkeys(of(name, masked), float(keep)), stacked(name))
    for name in networks
    if of(name, adapted) or of(name, masked)
  }


def trained(place: str, names: Any, networks: Mapping[str, Any], shapes: Callable[[], Params], held: Sequence[str]) -> tuple[str, ...]:
  """`train` of a config: networks, of which those with adapters are trained by these alone, and parts of networks.

  Args:
    place: in the config, for messages.
    names: 'NETWORK', or 'NETWORK.part' for some of its parameters; None for all networks.
    networks: by name, as `core.nets` has them.
    shapes: gives network -> nested dicts of the shapes of its parameters.
    held: networks that are frozen.

  Raises:
    ConfigError: there is no such part.
  """
  names = tuple(networks) if names is None else names
  if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
    raise ConfigError(f"{place} must name networks or parts of them, ('projector', 'backbone.norm'), not {shown(names)}")
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
    raise ConfigError(f"{place}.of must name layers, ('backbone.blocks.attention.qkv', 'backbone.blocks.*fc1'), not {shown(patterns)}")
  found = {}
  for pattern in patterns:
    if not (matching := fnmatch.filter(known, pattern)):
      raise ConfigError(f'{place}.of: {pattern!r} matches no layer with a kernel{closest(pattern, known)}')
    found |= {name: known[name] for name in matching}
  return list(found.values())


def _number(x: Any) -> bool:
  return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


def _stacked(kernel: nnx.Param) -> bool:
  return bool(kernel.get_metadata().get('stacked'))
