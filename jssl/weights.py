"""What is done to the weights of networks, by path: low-rank adapters are added to them, and some of them are left at 0.

Adapters are parameters of their network, under 'lora', beside its own: params['backbone']['lora']['blocks']['attention']['qkv']. Where
the network is called it has `merged` weights, so that it need not know of them.
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
  """What is done to the weights of one network."""

  ranks: Mapping[Path, int] = {}  # layer -> rank of the adapter of its kernel
  alpha: float = 1.0
  kept: Mapping[Path, float] = {}  # layer -> share of its kernel that is not left at 0
  stacked: frozenset[Path] = frozenset()  # layers whose kernels have a leading axis, for the blocks that they are stacked from


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
  """Fresh adapters, which change nothing: lora_a [(l) in r] uniform within 1 / sqrt(in), lora_b [(l) r out] of zeros.

  A kernel of a convolution [k k c d] is taken for the matrix [k*k*c d].

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
  """The parameters of a network as it uses them: W + (alpha / r) A B, and none of the adapters.

  A kernel under a mask has no gradient where it is 0, and so stays there.

  Args:
    change: what is done to the network.
    params: nested dicts, with the adapters under 'lora'; without, they are merged already.

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
  """Parameters in which the weights that are smallest in magnitude are 0, of each layer by itself; done again, it changes nothing.

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
  """What is trained, as `trained` names it, and all the rest, each as nested dicts."""

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
  """Parameters of the two that `apart` gives; what both have is that of `moving`."""
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
  """The shape of a kernel as that of a matrix, [(l) in out]."""
  return (*shape[:stacked], math.prod(shape[stacked:-1]), shape[-1])


def _at(tree: Params, path: Path) -> Any:
  for key in path:
    tree = tree[key]
  return tree


def _with(tree: Params, path: Path, kernel: Array) -> Params:
  """Parameters with another kernel of a layer."""
  if not path:
    return {**tree, 'kernel': kernel}
  return {**tree, path[0]: _with(tree[path[0]], path[1:], kernel)}
