"""The contracts that every method passes, as a kit: for the systems of jssl and for methods written outside.

`check_method(config)` runs them all and returns what was measured; each check can also be called by itself.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jssl.core import method as methods
from jssl.core.build import Plan, plan
from jssl.core.mesh import BATCH, make_mesh, shardings
from jssl.core.step import init_state, make_step

TOLERANCE = 1e-5  # relative, float32


def check_method(config: Mapping[str, Any], devices: int | None = None) -> dict[str, float]:
  """Runs every contract on a small version of a config; raises AssertionError at the first that fails.

  Args:
    config: a config whose batch size the number of devices divides.
    devices: how many devices to compare with one; all by default. Simulate them on a CPU with
      XLA_FLAGS=--xla_force_host_platform_device_count=8.

  Returns:
    The largest relative error of the loss and of the gradient for each contract.
  """
  check_traces(config)
  measured = {f'devices_{k}': v for k, v in check_devices(config, devices).items()}
  measured |= {f'micro_batches_{k}': v for k, v in check_micro_batches(config).items()}
  return measured


def check_traces(config: Mapping[str, Any]) -> None:
  """The step traces, keeps the types of its state, and gives a scalar loss; nothing is compiled."""
  p = plan(config)
  state = jax.eval_shape(lambda: init_state(p.method, p.optimizer, jax.random.key(0)))
  after, metrics = jax.eval_shape(make_step(p.method, p.optimizer), state, p.batch)
  same = jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), state, after)
  assert jax.tree.all(same), 'the step changes the shape or type of its state'
  assert metrics['loss'].shape == (), f'the loss has shape {metrics["loss"].shape}'


def check_devices(config: Mapping[str, Any], devices: int | None = None) -> dict[str, float]:
  """Loss and gradient on many devices, each with examples of its own, equal those on one."""
  p = plan(config)
  one = loss_and_grad(p, make_mesh(devices=jax.devices()[:1]))
  many = loss_and_grad(p, make_mesh(devices=jax.devices()[:devices]), rules=p.config['rules'])
  return _agree(one, many, 'on many devices')


def check_micro_batches(config: Mapping[str, Any], count: int = 2) -> dict[str, float]:
  """Loss and gradient in micro-batches equal those of the whole batch.

  Where batch norm sees micro-batches, the whole batch is one in which it sees the same groups: the micro-batches are
  then held against the same computation written out piece by piece, without recomputation.
  """
  whole, parts = plan(config), plan({**dict(config), 'micro_batches': count})
  mesh = make_mesh(devices=jax.devices()[:1])
  stats = jax.eval_shape(lambda: whole.method.init(jax.random.key(0))[1])['stats']
  if not jax.tree.leaves(stats):
    return _agree(loss_and_grad(whole, mesh), loss_and_grad(parts, mesh), f'in {count} micro-batches')
  kept, methods.in_micro_batches = methods.in_micro_batches, _piece_by_piece
  try:
    direct = loss_and_grad(plan({**dict(config), 'micro_batches': count}), mesh)
  finally:
    methods.in_micro_batches = kept
  return _agree(direct, loss_and_grad(parts, mesh), f'in {count} micro-batches')


def _piece_by_piece(encode, count: int):
  def run(batch, keys):
    found = [encode({k: x[i::count] for k, x in batch.items()}, keys[i::count]) for i in range(count)]
    join = lambda *x: jnp.stack(x, 1).reshape(-1, *x[0].shape[1:])
    encoded = jax.tree.map(join, *(e for e, _ in found))
    return encoded, jax.tree.map(lambda *x: jnp.mean(jnp.stack(x), 0), *(s for _, s in found))

  return run


def loss_and_grad(p: Plan, mesh: jax.sharding.Mesh, rules: Any = 'replicated') -> tuple[Any, Any, Any]:
  """Loss, gradient and new state of the first step, on real examples of the plan's data."""
  places = NamedSharding(mesh, BATCH)
  batch = {name: jax.device_put(x, places) for name, x in first_batch(p).items()}
  init = lambda: p.method.init(jax.random.key(0))
  to = shardings(jax.eval_shape(init), mesh, rules)
  with jax.set_mesh(mesh):
    params, state = jax.device_put(jax.jit(init)(), to)
    grad = jax.jit(jax.value_and_grad(p.method.loss, has_aux=True))
    at = jax.device_put(jnp.zeros((), jnp.int32), NamedSharding(mesh, PartitionSpec()))
    (loss, (state, _)), grads = grad(params, state, batch, jax.random.key(1), at)
  return jax.device_get((loss, grads, state))


def first_batch(p: Plan) -> dict[str, np.ndarray]:
  """The first examples of the training split, in the shapes of the plan."""
  size = p.config['batch_size']
  examples = [p.data.splits['train'][i % len(p.data.splits['train'])] for i in range(size)]
  batch = {name: np.stack([np.asarray(e[name], x.dtype) for e in examples]) for name, x in p.data.spec.items()}
  return {**batch, 'example': np.arange(size, dtype=np.int32), 'epoch': np.zeros(size, np.int32)}


def _agree(a: tuple, b: tuple, where: str) -> dict[str, float]:
  errors = {'loss': _error(a[0], b[0]), 'grad': _error(a[1], b[1]), 'state': _error(a[2], b[2])}
  for name, error in errors.items():
    assert error <= TOLERANCE, f'the {name} {where} differs by {error:.1e} relative (allowed {TOLERANCE:.0e})'
  return errors


def _error(a: Any, b: Any) -> float:
  """|a - b| / |a| over a whole tree of arrays."""
  flat = lambda tree: np.concatenate([np.ravel(x).astype(np.float64) for x in jax.tree.leaves(tree)] or [np.zeros(1)])
  a, b = flat(a), flat(b)
  return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), 1e-12))
