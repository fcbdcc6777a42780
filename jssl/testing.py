"""The contracts that every method passes, as a kit: for the systems of jssl and for methods written outside.

`check_method(config)` runs them all and returns what was measured; `measure` only measures.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jssl.core import method as methods
from jssl.core.build import Plan, plan
from jssl.core.mesh import BATCH, make_mesh, shardings
from jssl.core.step import enter, init_state, make_step

TOLERANCE = 1e-5  # relative, float32
Errors = dict[str, float]  # of loss, gradient and new state, each |a - b| / |a| over all its arrays


class Layout(NamedTuple):
  """How devices are arranged, and where arrays live on them: `mesh` and `rules` of a config."""

  mesh: Mapping[str, int] = {}
  rules: Any = 'replicated'


def check_method(
  config: Mapping[str, Any],
  devices: int | None = None,
  *,
  layouts: Mapping[str, Layout] | None = None,
  micro_batches: Sequence[int] = (2,),
) -> dict[str, Errors]:
  """Runs every contract on a small version of a config; raises AssertionError at the first that fails.

  Args:
    config: a config whose batch size the devices and micro-batches divide.
    devices: how many devices to compare with one; all by default. Simulate them on a CPU with
      XLA_FLAGS=--xla_force_host_platform_device_count=8.
    layouts: how to spread over them, by a name for the report; by default one, examples on all, by the config's rules.
    micro_batches: in how many to cut the batch.

  Returns:
    The relative errors of each contract.
  """
  check_traces(config)
  layouts = layouts or {'devices': Layout(rules=config.get('rules', 'replicated'))}
  measured = {}
  for name, errors in measure(config, devices, layouts=layouts, micro_batches=micro_batches):
    for of, error in errors.items():
      assert error <= TOLERANCE, f'{name}: the {of} is off by {error:.1e} of that on one device in one batch (allowed {TOLERANCE:.0e})'
    measured[name] = errors
  return measured


def check_traces(config: Mapping[str, Any]) -> None:
  """The step traces, keeps the types of its state, and gives a scalar loss; nothing is compiled."""
  p, after = plan(config), None
  for i, phase in enumerate(p.phases):
    state = jax.eval_shape(partial(enter, phase), after) if i else jax.eval_shape(partial(init_state, phase), jax.random.key(0))
    for turn in range(len(phase.turns)):
      after, metrics = jax.eval_shape(make_step(phase, turn), state, phase.batch)
      same = jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), state, after)
      assert jax.tree.all(same), 'the step changes the shape or type of its state'
      assert metrics['loss'].shape == (), f'the loss has shape {metrics["loss"].shape}'


def measure(
  config: Mapping[str, Any], devices: int | None = None, *, layouts: Mapping[str, Layout], micro_batches: Sequence[int]
) -> Iterator[tuple[str, Errors]]:
  """How far the first step of each phase on many devices, and in micro-batches, is from that on one device in one batch.

  A phase starts from the start of the one before, untrained, and has the columns that its refreshes make of that. Each device
  has examples of its own. Where batch norm sees micro-batches, the one batch is one in which it sees the same groups: the
  micro-batches are then held against the same computation written out piece by piece, without recomputation.

  Yields:
    The name of the layout, or 'micro_batches_2', after that of the phase where it is not the first one, and the errors.
  """
  whole = plan(config)
  one = make_mesh(devices=jax.devices()[:1])
  start = jax.device_get(jax.jit(lambda: whole.method.init(jax.random.key(0)))())
  for i, phase in enumerate(whole.phases):
    if i:
      start = jax.device_get(jax.jit(phase.turns[0].method.enter)(*start, jax.random.key(i)))
    place, batch = f'phase {i + 1}, ' if i else '', first_batch(whole, i, start)
    run = partial(loss_and_grad, start=start, batch=batch, phase=i)
    expected = run(whole, mesh=one)
    for name, (sizes, rules) in layouts.items():
      yield f'{place}{name}', _errors(expected, run(whole, mesh=make_mesh(sizes, jax.devices()[:devices]), rules=rules))
    for count in micro_batches:
      parts = {**whole.config, 'micro_batches': count}
      if jax.tree.leaves(start[1]['stats']):
        kept, methods.in_micro_batches = methods.in_micro_batches, _piece_by_piece
        try:
          expected = run(plan(parts), mesh=one)
        finally:
          methods.in_micro_batches = kept
      yield f'{place}micro_batches_{count}', _errors(expected, run(plan(parts), mesh=one))


def _piece_by_piece(encode, count: int):
  def run(examples):
    found = [encode(jax.tree.map(lambda x, i=i: x[i::count], examples)) for i in range(count)]
    join = lambda *x: jnp.stack(x, 1).reshape(-1, *x[0].shape[1:])
    encoded = jax.tree.map(join, *(e for e, _ in found))
    return encoded, jax.tree.map(lambda *x: jnp.mean(jnp.stack(x), 0), *(s for _, s in found))

  return run


def loss_and_grad(
  p: Plan, start: tuple, batch: Mapping[str, np.ndarray], mesh: Mesh, rules: Any = 'replicated', phase: int = 0
) -> tuple:
  """Loss, gradient and new state of the first step of a phase from `start`, the method's parameters and state."""
  places = shardings(dict(zip(('params', 'state'), start, strict=True)), mesh, rules)
  with jax.set_mesh(mesh):
    params, state = jax.device_put(start, tuple(places.values()))
    batch = jax.device_put(dict(batch), NamedSharding(mesh, BATCH))
    step = jax.device_put(jnp.zeros((), jnp.int32), NamedSharding(mesh, PartitionSpec()))
    grad = jax.jit(jax.value_and_grad(p.phases[phase].turns[0].method.loss, has_aux=True))
    (loss, (state, _)), grads = grad(params, state, batch, jax.random.key(1), step)
  return jax.device_get((loss, grads, state))


def first_batch(p: Plan, phase: int = 0, start: tuple | None = None) -> dict[str, np.ndarray]:
  """The first examples of a phase's training split, in the shapes of the plan, with what its refreshes make of `start`."""
  size, data, method = p.config['batch_size'], p.phases[phase].data, p.phases[phase].turns[0].method
  rows = np.arange(size) % len(data.splits['train'])
  examples = [data.splits['train'][int(i)] for i in rows]
  batch = {name: np.stack([np.asarray(e[name], x.dtype) for e in examples]) for name, x in data.spec.items()}
  for refresh in p.phases[phase].refreshes.values():
    represent = partial(jax.jit(method.represent, static_argnames='network'), *start)
    made = refresh.make(represent, method.networks(*start), data, jax.random.key(0))
    batch |= {name: np.asarray(x)[rows] for name, x in made.items() if name != 'order'}
  return {**batch, 'example': np.arange(size, dtype=np.int32), 'epoch': np.zeros(size, np.int32)}


def _errors(a: tuple, b: tuple) -> Errors:
  return {name: _error(x, y) for name, x, y in zip(('loss', 'grad', 'state'), a, b, strict=True)}


def _error(a: Any, b: Any) -> float:
  flat = lambda tree: np.concatenate([np.ravel(x).astype(np.float64) for x in jax.tree.leaves(tree)] or [np.zeros(1)])
  a, b = flat(a), flat(b)
  return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), 1e-12))
