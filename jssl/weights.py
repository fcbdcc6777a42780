"""What is done to the weights of networks, by path: low-rank adapters are added to them, and some of them are left at 0.

Adapters are parameters of their network, under 'lora', beside its own: params['backbone']['lora']['blocks']['attention']['qkv']. Where
the network is called it has `merged` weights, so that it need not know of them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jssl.types import Array, Key, Params, salted

LORA = 'lora'
Path = tuple[str | int, ...]  # of a layer in its network


class Changes(NamedTuple):
  """What is done to the weights of one network."""

  ranks: Mapping[Path, int] = {}  # layer -> rank of the adapter of its kernel
  alpha: float = 1.0
  kept: Mapping[Path, float] = {}  # layer -> share of its kernel that is not left at 0
  stacked: frozenset[Path] = frozenset()  # layers whose kernels have a leading axis, for the blocks that they are stacked from


def adapters(change: Changes, params: Params, key: Key) -> Params:
  """Fresh adapters, which change nothing: lora_a [(l) in r] uniform within 1 / sqrt(in), lora_b [(l) r out] of zeros.

  A kernel of a convolution [k k c d] is taken for the matrix [k*k*c d].

  Reference: Hu et al., ICLR 2022, arXiv:2106.09685, section 4.1, where A is Gaussian; the distribution is that of the official code.
  """
  found: Params = {}
  for path, rank in change.ranks.items():
    *layers, inputs, outputs = matrix(_at(params, path)['kernel'].shape, path in change.stacked)
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
    *layers, inputs, outputs = matrix(kernel.shape, path in change.stacked)
    size = jnp.abs(kernel).reshape(*layers, inputs * outputs)
    least = jnp.sort(size, -1)[..., -max(1, round(keep * inputs * outputs)), None]
    params = _with(params, path, jnp.where(size >= least, kernel.reshape(size.shape), 0).reshape(kernel.shape))
  return params


def bare(params: Params) -> Params:
  """The parameters of a network without its adapters."""
  return {key: x for key, x in params.items() if key != LORA}


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


def matrix(shape: tuple[int, ...], stacked: bool) -> tuple[int, ...]:
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
