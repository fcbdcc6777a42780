"""The training step."""

from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jssl.core.phases import Phase
from jssl.parts import guards
from jssl.starts import without
from jssl.types import Array, Batch, Given, Key, Metrics, Params, salted
from jssl.weights import apart, joined


class TrainState(NamedTuple):
  """Everything that changes during training. All randomness comes from (key, epoch, example) and (key, step)."""

  step: Array
  params: Params
  state: Any
  opt: tuple  # one state for each turn of the phase
  key: Key
  guard: dict[str, Array]


def init_state(phase: Phase, key: Key, given: Given | None = None) -> TrainState:
  """The state at the start of a run whose first phase is `phase`, with the given networks, if any."""
  params, state = of_all([turn.method.init(key, given) for turn in phase.turns])
  return TrainState(jnp.zeros((), jnp.int32), params, state, optimizers(phase, params), key, guards.start())


def enter(phase: Phase, train: TrainState, given: Given | None = None) -> TrainState:
  """The state at the start of a phase, from that at the end of the previous phase: networks continue, optimisers are initialised."""
  key = salted(train.key, 'phase', phase.first)
  params, state = of_all([turn.method.enter(train.params, train.state, key, given) for turn in phase.turns])
  return train._replace(params=params, state=state, opt=optimizers(phase, params), guard=guards.start())


def of_all(starts: list[tuple[Params, Any]]) -> tuple[Params, Any]:
  """Combines the initial parameters and state of all turns. Turns differ only in their memories; each has those that it reads."""
  params, state = starts[0]
  return params, {**state, 'memories': {name: held for _, state in reversed(starts) for name, held in state['memories'].items()}}


def optimizers(phase: Phase, params: Params) -> tuple:
  return tuple(turn.optimizer.init(apart(params, turn.trained)[0]) for turn in phase.turns)


def make_step(
  phase: Phase, turn: int = 0, guard: guards.Guard | None = None, gradients_every: int = 0
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
  """Makes the step: loss and gradient over the global batch, one optimiser update, then the teachers; guarded if a guard is given.

  Args:
    phase: the phase of the step.
    turn: index of the turn within the phase.
    guard: how failed steps are handled.
    gradients_every: steps between two measurements of each loss's gradient norm and of the cosines between the gradients; 0 for never. A
      measurement costs one backward pass for each loss.
  """
  method, optimizer, _, trained, frozen, _ = phase.turns[turn]

  def step(train: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    at = train.step - phase.first if phase.first else train.step  # schedules of a phase count its own steps
    moving, held = apart(train.params, trained)
    grad = jax.value_and_grad(lambda p: method.loss(joined(held, p), train.state, batch, train.key, at), has_aux=True)
    (loss, (state, metrics)), grads = grad(moving)
    updates, opt = optimizer.update(grads, train.opt[turn], moving)
    params = joined(held, optax.apply_updates(moving, without(updates, frozen)))
    state = method.after_update(params, state, at)
    metrics |= {'loss': loss, 'grad_norm': optax.tree.norm(grads)}
    if gradients_every:
      gradients = lambda: method.gradients(train.params, train.state, batch, train.key, at)
      each = lambda: compared({loss: apart(g, trained)[0] for loss, g in gradients().items()})
      blank = jax.tree.map(lambda x: jnp.full(x.shape, jnp.nan), jax.eval_shape(each))
      metrics |= jax.lax.cond((train.step + 1) % gradients_every == 0, each, lambda: blank)
    opts = (*train.opt[:turn], opt, *train.opt[turn + 1 :])
    after = train._replace(step=train.step + 1, params=params, state=state, opt=opts)
    return guarded(train, after, metrics) if guard else (after, metrics)

  def guarded(train: TrainState, after: TrainState, metrics: Metrics) -> tuple[TrainState, Metrics]:
    moving = lambda t: (t.params, t.state, t.opt)
    kept, known = guards.choose(guard, train.guard, metrics['loss'], metrics['grad_norm'], moving(after), moving(train))
    params, state, opt = kept
    # A skipped step counts: the next step has other random numbers and another batch.
    step = jnp.where(known['halted'], train.step, after.step)
    seen = {'guard/skipped': known['skipped'], 'guard/halted': known['halted']}
    return TrainState(step, params, state, opt, train.key, known), metrics | seen

  return step


def compared(gradients: dict[str, Params]) -> Metrics:
  """The norm of each loss's gradient, including its weight, and the cosine between each two gradients."""
  norms = {name: optax.tree.norm(g) for name, g in gradients.items()}
  inner = lambda a, b: optax.tree.vdot(gradients[a], gradients[b]) / jnp.maximum(norms[a] * norms[b], 1e-30)
  cosines = {f'gradients/{a}_{b}_cosine': inner(a, b) for a, b in combinations(gradients, 2)}
  return {f'gradients/{name}_norm': norm for name, norm in norms.items()} | cosines
