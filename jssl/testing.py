"""Contract tests for methods: for the systems of jssl and for external methods.

`check_method(config)` checks the contracts that need only a config: the step traces and preserves its types; a stopped and resumed run ends in
the same bits, and compiles each step once; several devices or micro-batches do not change results. It cannot check that an objective equals its
formula; that requires an independent oracle. `measure` only measures.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jssl.core import loop
from jssl.core import method as methods
from jssl.core.build import Plan, plan
from jssl.core.mesh import BATCH, make_mesh, shardings
from jssl.core.step import enter, init_state, make_step

TOLERANCE = 1e-5  # relative, float32
# A loss nearer to 0 is compared as if it were this large: it is a mean of terms that cancel, such as cosines, each with an error of its own.
LEAST = 0.01
TIMES = ('examples_per_second', 'data_wait', 'step_seconds', 'mfu', 'memory_peak')  # metrics of the log that differ between runs
Errors = dict[str, float]  # for loss, gradient and new state, each |a - b| / |a| over all arrays, with |a| >= LEAST for the loss


class Layout(NamedTuple):
  """The arrangement of devices and the placement of arrays: `mesh` and `rules` of a config."""

  mesh: Mapping[str, int] = {}
  rules: Any = 'replicated'


def check_method(
  config: Mapping[str, Any],
  devices: int | None = None,
  *,
  layouts: Mapping[str, Layout] | None = None,
  micro_batches: Sequence[int] = (2,),
  steps: int = 4,
) -> dict[str, Errors]:
  """Checks the step, resuming, devices and micro-batches of a config, which should be small. Raises AssertionError at the first failure.

  Args:
    config: a config whose batch size is divisible by the devices and micro-batches.
    devices: number of devices to compare with one; all by default. Simulate them on a CPU with
      XLA_FLAGS=--xla_force_host_platform_device_count=8.
    layouts: layouts by a name for the report; by default one, with examples sharded over all devices by the config's rules.
    micro_batches: numbers of micro-batches.
    steps: steps of the resumed run, as in `check_resumes`; 0 for no such check.

  Returns:
    The relative errors of layouts and micro-batches.
  """
  check_traces(config)
  if steps:
    check_resumes(config, steps)
  layouts = layouts or {'devices': Layout(rules=config.get('rules', 'replicated'))}
  measured = {}
  for name, errors in measure(config, devices, layouts=layouts, micro_batches=micro_batches):
    for of, error in errors.items():
      assert error <= TOLERANCE, f'{name}: the {of} differs by {error:.1e} from that on one device in one batch (allowed {TOLERANCE:.0e})'
    measured[name] = errors
  return measured


def check_traces(config: Mapping[str, Any]) -> None:
  """Checks that the step traces, preserves the types of its state, and returns a scalar loss; compiles nothing."""
  p, after = plan(config), None
  for i, phase in enumerate(p.phases):
    state = jax.eval_shape(partial(enter, phase), after) if i else jax.eval_shape(partial(init_state, phase), jax.random.key(0))
    for turn in range(len(phase.turns)):
      after, metrics = jax.eval_shape(make_step(phase, turn), state, phase.batch)
      same = jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), state, after)
      assert jax.tree.all(same), 'the step changes the shape or type of its state'
      assert metrics['loss'].shape == (), f'the loss has shape {metrics["loss"].shape}'


def check_resumes(config: Mapping[str, Any], steps: int = 4) -> None:
  """Runs on one device, then repeats the second half from the checkpoint in the middle: bits and metrics must agree, with one compilation per
  step.

  Args:
    config: its phases, if any, should be shares of its steps; otherwise it is trained to its own end.
    steps: number of training steps.
  """
  c = {**plan(config).config, 'mesh': {}, 'log_every': 1}
  if all(isinstance(phase.get('steps', '%'), str) and '%' in phase.get('steps', '%') for phase in c['phases']):
    c |= dict(steps=steps, epochs=None)
  last = plan(c).steps
  half = last // 2
  p = plan({**c, 'checkpoint_every': half, 'keep': last})
  of = lambda steps: len({(p.at(step).first, p.at(step).turn(step)) for step in steps})
  bits = lambda tree: [x for x in jax.tree.leaves(tree) if not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)]
  timeless = lambda rows: [{k: v for k, v in row.items() if k not in TIMES} for row in rows]
  with tempfile.TemporaryDirectory() as folder:
    run = lambda: loop.run(p, loop.open_source(p), workdir=Path(folder), quiet=True, devices=jax.devices()[:1])
    whole = run()
    for later in range(half + 1, last + 1):  # a phase may end there
      shutil.rmtree(Path(folder) / 'checkpoints' / str(later), ignore_errors=True)
    again = run()
  assert np.isfinite(whole.log.rows[-1]['loss']), f'the loss of step {last} is {whole.log.rows[-1]["loss"]}'
  for a, b in zip(bits(whole.train), bits(again.train), strict=True):
    assert np.array_equal(a, b, equal_nan=True), 'a run that is resumed halfway does not end in the same bits'
  assert timeless(whole.log.rows) == timeless(again.log.rows), 'a run that is resumed halfway has different figures'
  assert whole.log.rows[:half] == again.log.rows[:half], 'steps that were not run again have different figures'
  programs = (of(range(last)), of(range(half, last)))
  assert (whole.compiles, again.compiles) == programs, f'steps were compiled {whole.compiles} and {again.compiles} times, not {programs}'


def measure(
  config: Mapping[str, Any], devices: int | None = None, *, layouts: Mapping[str, Layout], micro_batches: Sequence[int]
) -> Iterator[tuple[str, Errors]]:
  """Measures the difference of the first step of each phase on several devices, and with micro-batches, from that on one device in one batch.

  A phase starts from the untrained start of the previous one, with the columns that its refreshes compute from it. Each device has different
  examples. If batch norm operates on micro-batches, they are compared with the same computation written out group by group, without
  recomputation.

  Yields:
    The name of the layout, or 'micro_batches_2', prefixed by the phase unless it is the first one, and the errors.
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
      yield f'{place}{name}', _errors(expected, run(plan({**whole.config, 'rules': rules}), mesh=make_mesh(sizes, jax.devices()[:devices])))
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
  def run(params, held, examples):
    found = [encode(params, held, jax.tree.map(lambda x, i=i: x[i::count], examples)) for i in range(count)]
    join = lambda *x: jnp.stack(x, 1).reshape(-1, *x[0].shape[1:])
    encoded = jax.tree.map(join, *(e for e, _ in found))
    return encoded, jax.tree.map(lambda *x: jnp.mean(jnp.stack(x), 0), *(s for _, s in found))

  return run


def loss_and_grad(p: Plan, start: tuple, batch: Mapping[str, np.ndarray], mesh: Mesh, phase: int = 0) -> tuple:
  """Loss, gradient and new state of the first step of a phase from `start`, the method's parameters and state."""
  places = shardings(dict(zip(('params', 'state'), start, strict=True)), mesh, p.config['rules'])
  with jax.set_mesh(mesh):
    params, state = jax.device_put(start, tuple(places.values()))
    batch = jax.device_put(dict(batch), NamedSharding(mesh, BATCH))
    step = jax.device_put(jnp.zeros((), jnp.int32), NamedSharding(mesh, PartitionSpec()))
    grad = jax.jit(jax.value_and_grad(p.phases[phase].turns[0].method.loss, has_aux=True))
    (loss, (state, _)), grads = grad(params, state, batch, jax.random.key(1), step)
  return jax.device_get((loss, grads, state))


def first_batch(p: Plan, phase: int = 0, start: tuple | None = None) -> dict[str, np.ndarray]:
  """The first examples of a phase's training split, in the shapes of the plan, with the columns that its refreshes compute from `start`."""
  size, data, method = p.config['batch_size'], p.phases[phase].data, p.phases[phase].turns[0].method
  train = data.splits['train']
  rows = np.arange(size) % len(train)
  if data.info.get('drawn'):
    batch = train.drawn(rows, 0, p.config['seed'])
  else:
    examples = [train[int(i)] for i in rows]
    batch = {name: np.stack([np.asarray(e[name], x.dtype) for e in examples]) for name, x in data.spec.items()}
  for refresh in p.phases[phase].refreshes.values():
    represent = partial(jax.jit(method.represent, static_argnames='network'), *start)
    made = refresh.make(represent, method.networks(*start), data, jax.random.key(0))
    batch |= {name: np.asarray(x)[rows] for name, x in made.items() if name != 'order'}
  return {**batch, 'example': np.arange(size, dtype=np.int32), 'epoch': np.zeros(size, np.int32)}


def _errors(a: tuple, b: tuple) -> Errors:
  least = dict(loss=LEAST, grad=1e-12, state=1e-12)
  return {name: _error(x, y, least[name]) for name, x, y in zip(least, a, b, strict=True)}


def _error(a: Any, b: Any, least: float) -> float:
  flat = lambda tree: np.concatenate([np.ravel(x).astype(np.float64) for x in jax.tree.leaves(tree)] or [np.zeros(1)])
  a, b = flat(a), flat(b)
  return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), least))
