"""The one train step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from jssl.types import Array, Batch, Key, Method, Metrics, Params


class TrainState(NamedTuple):
  """All that changes. All randomness comes from (key, epoch, example) and (key, step)."""

  step: Array
  params: Params
  state: Any
  opt: Any
  key: Key


def init_state(method: Method, optimizer: optax.GradientTransformation, key: Key) -> TrainState:
  params, state = method.init(key)
  return TrainState(jax.numpy.zeros((), jax.numpy.int32), params, state, optimizer.init(params), key)


def make_step(
  method: Method, optimizer: optax.GradientTransformation
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
  """Loss and gradient over the global batch, one optimiser update, then the teacher."""

  def step(train: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    grad = jax.value_and_grad(method.loss, has_aux=True)
    (loss, (state, metrics)), grads = grad(train.params, train.state, batch, train.key, train.step)
    updates, opt = optimizer.update(grads, train.opt, train.params)
    params = optax.apply_updates(train.params, updates)
    state = method.after_update(params, state, train.step)
    metrics |= {'loss': loss, 'grad_norm': optax.tree.norm(grads)}
    return TrainState(train.step + 1, params, state, opt, train.key), metrics

  return step
