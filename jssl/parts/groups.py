"""Parts of networks for an optimiser: options by the paths of parameters, factors by layer, and the arrays in stacked blocks."""

import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jssl.errors import ConfigError
from jssl.parts.schedules import Schedule
from jssl.types import Array, Params

BLOCKS = 'blocks'
STACKED = re.compile(rf'(.*\.)?({BLOCKS}|stage\d+)\..*')  # what `models.layers.blocks.stacked` makes is called so in all networks
# What a network has after its blocks, or shares between them; all else that is not in blocks is an embedding.
FINAL = ('norm', 'final', 'head', 'out', 'output', 'proj', 'pixels', 'words', 'linear', 'bias', 'relative', 'distances')
Parts = Sequence[Mapping[str, Any]]  # (dict(of=('backbone.embed',), rate=0.1), dict(of=('*.bias',), decay=0.0, until=100))
Shift = Callable[[Any], Any]  # a number or a schedule -> the same, for an optimiser that starts later


def by_name(function: Callable, tree: Params, *rest: Any) -> Any:
  """Maps a function of the name of a parameter, 'network.path.to.parameter', and of its values in some trees."""
  spelt = lambda path: jax.tree_util.keystr(path, simple=True, separator='.')
  return jax.tree_util.tree_map_with_path(lambda path, *x: function(spelt(path), *x), tree, *rest)


def matches(pattern: str, names: Iterable[str]) -> list[str]:
  """The names that a pattern matches, with * for any characters, or that are below a path that it matches."""
  return [name for name in names if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f'{pattern}.*')]


def option(parts: Parts, key: str, name: str, default: float) -> float:
  """An option of a parameter: that of the last part that has the option and matches the name."""
  return next((part[key] for part in reversed(parts) if key in part and any(matches(of, [name]) for of in part['of'])), default)


def rates(params: Params, parts: Parts, layer_decay: float | None = None) -> Params:
  """The factor on the learning rate of each parameter: a number, or an array that broadcasts over the layers of stacked blocks."""
  factors = layer_factors(params, layer_decay) if layer_decay else jax.tree.map(lambda _: 1.0, params)
  # What is frozen has the number 0.0, never an array of zeros.
  return by_name(lambda name, factor: factor * rate if (rate := option(parts, 'rate', name, 1.0)) else 0.0, factors)


def layer_factors(params: Params, decay: float) -> Params:
  """decay^(l + 1 - i) for block i = 1..l of each network with stacked blocks, decay^(l + 1) for its embeddings, 1 for what follows, and 1 for
  networks without stacked blocks.

  Args:
    params: network -> nested dicts of parameters.
    decay: factor from layer to layer, such as 0.75.

  Raises:
    ConfigError: if no network has stacked blocks.

  Reference: Bao et al. (BEiT), ICLR 2022, arXiv:2106.08254, official code, optim_factory.py, `get_num_layer_for_vit`; He et al. (MAE), official
    code, util/lr_decay.py. There the final normalisation has factor 1; in timm it has that of the last block, unless it is `fc_norm`.
  """
  depths = {}
  for network, of in params.items():
    stack = jax.tree.leaves(of.get(BLOCKS, {})) or jax.tree.leaves(of.get('lora', {}).get(BLOCKS, {}))
    depths |= {network: len(stack[0])} if stack else {}
  if not depths:
    raise ConfigError(f'optimizer.layer_decay is for networks of stacked blocks, such as ViTs, and {list(params)} have none: leave it out')

  def factor(name: str, x: Array) -> float | np.ndarray:
    network, *path = name.split('.')
    path = [key for key in path if key != 'lora']
    if network not in depths:
      return 1.0
    depth = depths[network]
    if path[0] == BLOCKS:
      return np.float32(decay ** np.arange(depth, 0, -1)).reshape(depth, *(1,) * (x.ndim - 1))
    embeds = path[0] == 'norm' and not {'position', 'final'}.isdisjoint(params[network])  # BERT and ModernBERT normalise embeddings
    return 1.0 if path[0] in FINAL and not embeds else decay ** (depth + 1)

  return by_name(factor, params)


def by_array(function: Callable, tree: Params, *rest: Params) -> Params:
  """Maps a function of arrays over trees; stacked blocks are as many arrays as they have layers."""
  return by_name(lambda name, *x: (jax.vmap(function) if STACKED.fullmatch(name) else function)(*x), tree, *rest)


def clipped_each(grads: Params, norm: float) -> Params:
  """Gradients with each array clipped to a norm, as `utils.clip_gradients` in the official code of DINO."""
  return by_array(lambda g: g * jnp.minimum(1.0, norm / (jnp.linalg.norm(g.ravel()) + 1e-6)), grads)


class Late(NamedTuple):
  """The state of an optimiser that starts later than the others."""

  count: Array
  inner: Any


def late(optimizer: optax.GradientTransformation, start: int) -> optax.GradientTransformation:
  """An optimiser that changes neither parameters nor its own state before step `start`."""

  def update(grads, state, params=None):
    begun = state.count >= start
    updates, inner = optimizer.update(grads, state.inner, params)
    chosen = lambda new, old: jax.tree.map(lambda a, b: jnp.where(begun, a, b), new, old)
    return chosen(updates, jax.tree.map(jnp.zeros_like, updates)), Late(optax.safe_increment(state.count), chosen(inner, state.inner))

  return optax.GradientTransformation(lambda params: Late(jnp.zeros((), jnp.int32), optimizer.init(params)), update)


def grouped(
  make: Callable[[Shift], optax.GradientTransformation],
  *,
  clip: float | None,
  clip_each: float | None,
  parts: Parts,
  layer_decay: float | None = None,
) -> optax.GradientTransformation:
  """An optimiser with options for parts of networks. Without such options, it is the one that `make` gives.

  Gradients are clipped array by array, then to the global norm. Parts with rate 0 have no state and no share in the global norm.

  Args:
    make: makes the optimiser; it applies its argument to each schedule.
    clip: global norm, or None.
    clip_each: norm of each array, or None.
    parts: options by path.
    layer_decay: as in `layer_factors`, or None.
  """
  starts = sorted({math.ceil(part.get('until', 0)) for part in parts} - {0})
  optimizer = make(lambda value: value)
  if starts:
    # Parts that start later have an optimiser of their own, whose counts start later, but whose schedules do not.
    ahead = lambda start, value: Schedule(lambda step: value(step + start)) if isinstance(value, Schedule) else value
    made = {f'late{i}': late(make(lambda value, start=start: ahead(start, value)), start) for i, start in enumerate(starts)}
    label = {0: 'first', **dict(zip(starts, made, strict=True))}
    labels = lambda params: by_name(lambda name, _: label[math.ceil(option(parts, 'until', name, 0))], params)
    optimizer = optax.partition({'first': optimizer, **made}, labels)
  optimizer = optax.chain(optax.clip_by_global_norm(clip), optimizer) if clip else optimizer
  if not (parts or layer_decay or clip_each):
    return optimizer

  frozen = lambda rate: isinstance(rate, float) and rate == 0.0
  trained = lambda rate, tree: jax.tree.map(lambda r, x: optax.MaskedNode() if frozen(r) else x, rate, tree)
  scaled = lambda r, update, g: jnp.zeros_like(g) if frozen(r) else update * jnp.asarray(r, update.dtype)

  def update(grads, state, params):
    rate = rates(params, parts, layer_decay)
    own = trained(rate, grads)
    updates, state = optimizer.update(clipped_each(own, clip_each) if clip_each else own, state, trained(rate, params))
    return jax.tree.map(scaled, rate, updates, grads), state

  return optax.GradientTransformation(lambda params: optimizer.init(trained(rates(params, parts, layer_decay), params)), update)
