"""Optimisers by their names in configs: those of optax, with weight decay for matrices only."""

import functools
import logging
from collections.abc import Mapping

import jax
import optax

from jssl.parts.schedules import Schedule
from jssl.types import Params

Rate = float | Schedule
DECAYED = ('kernel', 'embedding', 'lora_a', 'lora_b')


def matrices(params: Params) -> Params:
  """True for kernels and embeddings, False for biases, scales, tokens and positions: the mask of weight decay and of LARS.

  Warns about a network whose matrices all have other names, which can happen for a user-defined module.
  """
  # By name, not by rank: stacked layers give biases a second axis.
  for network, of in params.items() if isinstance(params, Mapping) else ():
    named = [(path[-1].key, x.ndim) for path, x in jax.tree_util.tree_leaves_with_path(of) if path and hasattr(x, 'ndim')]
    if max((n for _, n in named), default=0) > 1 and not any(name in DECAYED for name, _ in named):
      _not_decayed(network)
  return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key in DECAYED, params)


@functools.cache
def _not_decayed(network: str) -> None:
  logging.getLogger('jssl').warning(
    'no weight of the network %s is decayed: weight decay applies to parameters called %s', network, ' or '.join(DECAYED)
  )


def adamw(
  *, learning_rate: Rate, weight_decay: float = 0.05, b1: float = 0.9, b2: float = 0.999, clip: float | None = None
) -> optax.GradientTransformation:
  """AdamW (Loshchilov & Hutter 2019), after clipping gradients to the global norm `clip`."""
  return _clipped(clip, optax.adamw(learning_rate, b1, b2, weight_decay=weight_decay, mask=matrices))


def sgd(
  *, learning_rate: Rate, momentum: float = 0.9, weight_decay: float = 1e-4, nesterov: bool = False, clip: float | None = None
) -> optax.GradientTransformation:
  """Stochastic gradient descent with momentum and L2 regularisation."""
  decay = optax.add_decayed_weights(weight_decay, matrices)
  return _clipped(clip, optax.chain(decay, optax.sgd(learning_rate, momentum, nesterov)))


def lars(
  *, learning_rate: Rate, weight_decay: float = 1e-6, momentum: float = 0.9, trust: float = 0.001, clip: float | None = None
) -> optax.GradientTransformation:
  """LARS (You et al. 2017), without adaptation and decay of biases and scales, as in SimCLR and BYOL."""
  return _clipped(clip, optax.lars(learning_rate, weight_decay, matrices, trust, momentum=momentum, trust_ratio_mask=matrices))


def lamb(
  *, learning_rate: Rate, weight_decay: float = 0.05, b1: float = 0.9, b2: float = 0.999, clip: float | None = None
) -> optax.GradientTransformation:
  """LAMB (You et al. 2020)."""
  return _clipped(clip, optax.lamb(learning_rate, b1, b2, weight_decay=weight_decay, mask=matrices))


def adagrad(*, learning_rate: Rate, clip: float | None = None) -> optax.GradientTransformation:
  """AdaGrad (Duchi, Hazan, Singer 2011), with accumulators initialised to 0 and no weight decay."""
  return _clipped(clip, optax.adagrad(learning_rate, initial_accumulator_value=0.0, eps=1e-10))


def _clipped(norm: float | None, optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
  return optax.chain(optax.clip_by_global_norm(norm), optimizer) if norm else optimizer
