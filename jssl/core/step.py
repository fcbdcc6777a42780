"""The one train step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from jssl.parts import guards
from jssl.types import Array, Batch, Key, Method, Metrics, Params


class TrainState(NamedTuple):
  """All that changes. All randomness comes from (key, epoch, example) and (key, step)."""

  step: Array
  params: Params
  state: Any
  opt: Any
  key: Key
  guard: dict[str, Array]


def init_state(method: Method, optimizer: optax.GradientTransformation, key: Key) -> TrainState:
  params, state = method.init(key)
  return TrainState(jax.numpy.zeros((), jax.numpy.int32), params, state, optimizer.init(params), key, guards.start())


def make_step(
  method: Method, optimizer: optax.GradientTransformation, guard: guards.Guard | None = None
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
  """Loss and gradient over the global batch, one optimiser update, then the teacher; under a guard, where one is given."""

  def step(train: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    grad = jax.value_and_grad(method.loss, has_aux=True)
    (loss, (state, metrics)), grads = grad(train.params, train.state, batch, train.key, train.step)
    updates, opt = optimizer.update(grads, train.opt, train.params)
    params = optax.apply_updates(train.params, updates)
    state = method.after_update(params, state, train.step)
    metrics |= {'loss': loss, 'grad_norm': optax.tree.norm(grads)}
    after = train._replace(step=train.step + 1, params=params, state=state, opt=opt)
    return guarded(train, after, metrics) if guard else (after, metrics)

  def guarded(train: TrainState, after: TrainState, metrics: Metrics) -> tuple[TrainState, Metrics]:
    moving = lambda t: (t.params, t.state, t.opt)
    kept, known = guards.choose(guard, train.guard, metrics['loss'], metrics['grad_norm'], moving(after), moving(train))
    params, state, opt = kept
    # A skipped step counts: the next one has other random numbers and another batch.
    step = jax.numpy.where(known['halted'], train.step, after.step)
    seen = {'guard/skipped': known['skipped'], 'guard/halted': known['halted']}
    return TrainState(step, params, state, opt, train.key, known), metrics | seen

  return step
