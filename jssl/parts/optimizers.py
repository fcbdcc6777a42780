"""Optimisers by their names in configs: those of optax, with weight decay for matrices only, and options for parts of networks.

All have these options:

- `clip`: global norm to which gradients are clipped.
- `clip_each`: norm to which the gradient of each array is clipped before; each layer of stacked blocks is an array of its own.
- `parts`: (dict(of=('backbone.embed', '*.bias'), rate=..., decay=..., until=...), ...). `of` matches 'network.path.to.parameter', with * for
  any characters, and everything below a path that it matches. `rate` is a factor on the learning rate; with 0.0, parameters are frozen and
  have no state. `decay` is a factor on the weight decay, in place of 1 for kernels and embeddings and 0 for other parameters. `until` is the
  duration for which parameters, and their moments, are not updated at all. Of several parts with the same option, the last one counts.
- `layer_decay`, but for `lars` and `adagrad`: a factor on the learning rate from layer to layer, as in `groups.layer_factors`.

Learning rate, weight decay and momentum may be schedules.
"""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jssl.parts.groups import Parts, by_array, by_name, grouped, option, rates
from jssl.parts.schedules import Schedule
from jssl.types import Array, Params

Rate = float | Schedule
DECAYED = ('kernel', 'embedding', 'lora_a', 'lora_b')


def matrices(params: Params) -> Params:
  """True for kernels and embeddings, False for biases, scales, tokens and positions: the mask of weight decay and of LARS.

  Warns about a network whose matrices all have other names, which can happen for a user-defined module.
  """
  # By name, not by rank: stacked layers give biases a second axis.
  for network, of in params.items() if isinstance(params, Mapping) else ():
    named = [(path[-1].key, x.ndim) for path, x in jax.tree_util.tree_leaves_with_path(of) if path and hasattr(x, 'ndim')]
    whole = not any(isinstance(x, optax.MaskedNode) for x in jax.tree.leaves(of, is_leaf=lambda x: isinstance(x, optax.MaskedNode)))
    if whole and max((n for _, n in named), default=0) > 1 and not any(name in DECAYED for name, _ in named):
      _not_decayed(network)
  return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key in DECAYED, params)


@functools.cache
def _not_decayed(network: str) -> None:
  logging.getLogger('jssl').warning(
    'no weight of the network %s is decayed: weight decay applies to parameters called %s', network, ' or '.join(DECAYED)
  )


def adamw(
  *,
  learning_rate: Rate,
  weight_decay: Rate = 0.05,
  b1: float = 0.9,
  b2: float = 0.999,
  eps: float = 1e-8,
  mu_dtype: str | None = None,
  clip: float | None = None,
  clip_each: float | None = None,
  layer_decay: float | None = None,
  parts: Sequence[Mapping[str, Any]] = (),
) -> optax.GradientTransformation:
  """AdamW.

  Args:
    learning_rate: of the update and of the weight decay.
    weight_decay: decoupled: multiplied by the learning rate, and not seen by the moments.
    b1, b2: decay rates of the first and second moment.
    eps: added to the root of the second moment.
    mu_dtype: type in which the first moment is stored; None for that of the parameters.
    clip, clip_each, layer_decay, parts: as described at the top of the file.

  Reference: Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101, Algorithm 2; the rate multiplies the decay, as in PyTorch.
  """

  def make(shift):
    moments = optax.scale_by_adam(b1, b2, eps, mu_dtype=mu_dtype)
    return optax.chain(moments, _decayed(shift(weight_decay), parts), optax.scale_by_learning_rate(shift(learning_rate)))

  return grouped(make, clip=clip, clip_each=clip_each, layer_decay=layer_decay, parts=parts)


def sgd(
  *,
  learning_rate: Rate,
  momentum: Rate = 0.9,
  weight_decay: Rate = 1e-4,
  nesterov: bool = False,
  clip: float | None = None,
  clip_each: float | None = None,
  layer_decay: float | None = None,
  parts: Sequence[Mapping[str, Any]] = (),
) -> optax.GradientTransformation:
  """Stochastic gradient descent with momentum and L2 regularisation.

  v <- momentum v + g + weight_decay w, w <- w - learning_rate v

  Args:
    learning_rate: multiplies v, as in PyTorch.
    momentum: decay rate of v.
    weight_decay: of the L2 regularisation.
    nesterov: use Nesterov momentum, as in PyTorch.
    clip, clip_each, layer_decay, parts: as described at the top of the file.

  Reference: Sutskever et al., ICML 2013, section 2; `torch.optim.SGD`.
  """

  def make(shift):
    trace = _injected(partial(optax.trace, nesterov=nesterov), shift(momentum))
    return optax.chain(_decayed(shift(weight_decay), parts), optax.chain(trace, optax.scale_by_learning_rate(shift(learning_rate))))

  return grouped(make, clip=clip, clip_each=clip_each, layer_decay=layer_decay, parts=parts)


def lars(
  *,
  learning_rate: Rate,
  weight_decay: Rate = 1e-6,
  momentum: Rate = 0.9,
  trust: float = 0.001,
  eps: float = 0.0,
  form: str = 'simclr',
  nesterov: bool = False,
  trust_clip: bool = False,
  always_adapt: bool = False,
  clip: float | None = None,
  clip_each: float | None = None,
  parts: Sequence[Mapping[str, Any]] = (),
) -> optax.GradientTransformation:
  """LARS: each array's update is scaled to `trust` times the norm of the array; in stacked blocks, that of each layer.

  u = ratio (g + weight_decay w), ratio = trust |w| / (|g + weight_decay w| + eps), or 1 where one of the norms is 0

  Args:
    learning_rate: of the update.
    weight_decay: of the L2 regularisation.
    momentum: decay rate of v.
    trust: the trust coefficient.
    eps: added to the denominator.
    form: 'simclr': v <- momentum v + learning_rate u, w <- w - v.
      'byol', also Barlow Twins, VICReg and MoCo v3: v <- momentum v + u, w <- w - learning_rate v.
      'larc', also lightly, solo-learn and timm: as 'byol', with |g| + weight_decay |w| + eps in the denominator.
    nesterov: use Nesterov momentum.
    trust_clip: replace the ratio by min(ratio / learning_rate, 1), so that no array has a higher rate than `learning_rate` (LARC).
    always_adapt: adapt every array, and not only those with weight decay, by default kernels and embeddings.
    clip, clip_each, parts: as described at the top of the file.

  Raises:
    ValueError: for an unknown form.

  Reference: You, Gitman, Ginsburg 2017, arXiv:1708.03888, Eq. 6 and Algorithm 1, which are those of 'larc' with the momentum of 'simclr';
    `lars_optimizer.py` in the official code of SimCLR (classic momentum); `main.py` in that of Barlow Twins; `timm.optim.Lars`; `LARC.py` in
    NVIDIA apex for trust_clip.
  """
  if form not in ('simclr', 'byol', 'larc'):
    raise ValueError(f"form is {form!r}; choose 'simclr', 'byol' or 'larc'")

  def make(shift):
    rate, decay = shift(learning_rate), shift(weight_decay)
    within, before = (decay, optax.identity()) if form == 'larc' else (None, _decayed(decay, parts))
    adapted = _injected(lambda weight_decay, most: _adapted(trust, eps, weight_decay, most, parts), within, rate if trust_clip else None)
    trace = _injected(partial(optax.trace, nesterov=nesterov), shift(momentum))
    last = [optax.scale_by_learning_rate(rate), trace]
    return optax.chain(before, _where_decayed(adapted, parts, always_adapt), *(last if form == 'simclr' else last[::-1]))

  return grouped(make, clip=clip, clip_each=clip_each, parts=parts)


def lamb(
  *,
  learning_rate: Rate,
  weight_decay: Rate = 0.05,
  b1: float = 0.9,
  b2: float = 0.999,
  eps: float = 1e-6,
  bias_correction: bool = True,
  trust_clip: bool = False,
  always_adapt: bool = True,
  clip: float | None = None,
  clip_each: float | None = None,
  layer_decay: float | None = None,
  parts: Sequence[Mapping[str, Any]] = (),
) -> optax.GradientTransformation:
  """LAMB: Adam's update of each array, with weight decay, is scaled to the norm of the array; in stacked blocks, to that of each layer.

  Args:
    learning_rate: of the update.
    weight_decay: of the update that is scaled.
    b1, b2: decay rates of the first and second moment.
    eps: added to the root of the second moment.
    bias_correction: correct the moments for their start at 0, as in the paper; the official code for BERT does not.
    trust_clip: scale by at most 1 (LAMBC, as in timm).
    always_adapt: scale every array, and not only those with weight decay, by default kernels and embeddings, as in timm.
    clip, clip_each, layer_decay, parts: as described at the top of the file.

  Reference: You et al., ICLR 2020, arXiv:1904.00962, Algorithm 2; `timm.optim.Lamb`.
  """

  def make(shift):
    moments = optax.scale_by_adam(b1, b2, eps) if bias_correction else _uncorrected(b1, b2, eps)
    ratio = _where_decayed(_adapted(1.0, 0.0, None, 1.0 if trust_clip else None, ()), parts, always_adapt)
    return optax.chain(moments, _decayed(shift(weight_decay), parts), ratio, optax.scale_by_learning_rate(shift(learning_rate)))

  return grouped(make, clip=clip, clip_each=clip_each, layer_decay=layer_decay, parts=parts)


def adagrad(
  *, learning_rate: Rate, clip: float | None = None, clip_each: float | None = None, parts: Sequence[Mapping[str, Any]] = ()
) -> optax.GradientTransformation:
  """AdaGrad (Duchi, Hazan, Singer 2011), with accumulators initialised to 0 and no weight decay; options as at the top of the file."""
  make = lambda shift: optax.adagrad(shift(learning_rate), initial_accumulator_value=0.0, eps=1e-10)
  return grouped(make, clip=clip, clip_each=clip_each, parts=parts)


class Counted(NamedTuple):
  """The state of a transformation whose options change with the step."""

  count: Array
  inner: Any


def _injected(make: Callable[..., optax.GradientTransformation], *values: Rate | None) -> optax.GradientTransformation:
  """A transformation of some values; if one of them is a schedule, it counts the steps."""
  if not any(isinstance(value, Schedule) for value in values):
    return make(*values)

  def update(updates, state, params=None):
    now = (value(state.count) if isinstance(value, Schedule) else value for value in values)
    updates, inner = make(*now).update(updates, state.inner, params)
    return updates, Counted(optax.safe_increment(state.count), inner)

  return optax.GradientTransformation(lambda params: Counted(jnp.zeros((), jnp.int32), make(*values).init(params)), update)


def _decays(params: Params, parts: Parts) -> Params:
  """The factor on the weight decay of each parameter."""
  return by_name(lambda name, matrix: option(parts, 'decay', name, float(matrix)), matrices(params))


def _where_decayed(inner: optax.GradientTransformation, parts: Parts, always: bool = False) -> optax.GradientTransformation:
  """A transformation of the parameters with weight decay alone, or always of all."""
  return inner if always else optax.masked(inner, lambda params: jax.tree.map(bool, _decays(params, parts)))


def _decayed(weight_decay: Rate, parts: Parts) -> optax.GradientTransformation:
  """g + weight_decay w, with the factor of each parameter."""

  def make(decay):
    add = lambda updates, params: jax.tree.map(lambda factor, g, w: g + decay * factor * w, _decays(params, parts), updates, params)
    return optax.identity() if isinstance(decay, int | float) and not decay else optax.stateless(add)

  return _where_decayed(_injected(make, weight_decay), parts)


def _adapted(trust: float, eps: float, weight_decay: Any, most: Any, parts: Parts) -> optax.GradientTransformation:
  """Multiplies the update of each array by its trust ratio, as in `lars`.

  Args:
    trust: the trust coefficient.
    eps: added to the denominator.
    weight_decay: added here, with its norm separate in the denominator; None if it has been added.
    most: the learning rate, at which the ratio is clipped; None for no clipping.
    parts: options by path.
  """
  norm = lambda x: optax.safe_norm(x, 0.0).reshape((1,) * x.ndim)

  def adapt(g, w, size, length, decay, rate):
    own = 0.0 if weight_decay is None else weight_decay * decay
    below = size + eps if weight_decay is None else size + own * length + eps
    ratio = jnp.where((length == 0.0) | (size == 0.0), 1.0, trust * length / below)
    ratio = ratio if most is None else jnp.minimum(ratio / (most * rate), 1.0)
    return (g if weight_decay is None else g + own * w) * ratio

  def adapted(updates, params):
    norms = by_array(norm, updates), by_array(norm, params)
    return jax.tree.map(adapt, updates, params, *norms, _decays(params, parts), rates(params, parts))

  return optax.stateless(adapted)


def _uncorrected(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
  """Adam without bias correction."""
  inner = optax.scale_by_adam(b1, b2, eps)

  def update(grads, state, params=None):
    _, state = inner.update(grads, state, params)
    return jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + eps), state.mu, state.nu), state

  return optax.GradientTransformation(inner.init, update)
