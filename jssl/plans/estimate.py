"""Estimates of the cost of a run without compilation: the state exactly, the rest approximately, from the traced step.

The step is traced with one device's share of the batch. Elementwise results that are read once are assumed to be fused into their consumer;
other arrays are live from the operation that produces them to the last one that reads them. Since the compiler chooses layouts, fusions and
rematerialisation, the estimate is approximate: experiments/pod.json compares `estimated` with the compiler's values. For transformers the
ratio is near 1; for convolutional networks, whose elementwise operations the compiler fuses and recomputes, it is up to 5.
"""

import math
from collections.abc import Iterator, Mapping, Set
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jax.interpreters.partial_eval import dce_jaxpr

from jssl.core.build import Plan
from jssl.core.programs import Programs
from jssl.devices.chips import chip, memory
from jssl.devices.operations import operations
from jssl.errors import ConfigError
from jssl.plans.report import count, hours, size_of
from jssl.weights import apart, joined

MFU = 0.4  # assumed for the time estimate
ROOM = 1.2  # ratio of the executables' memory to the count here, the median of nine programs of experiments/pod.json
# Operations that are recomputed wherever their result is read, and so take no memory.
CHEAP = {
  'and', 'broadcast_in_dim', 'convert_element_type', 'copy', 'dynamic_slice', 'eq', 'expand_dims', 'ge', 'gt', 'iota', 'le', 'lt', 'name', 'ne',
  'neg', 'not', 'or', 'pad', 'random_fold_in', 'random_unwrap', 'random_wrap', 'reshape', 'rev', 'select_n', 'slice', 'split', 'squeeze',
  'stop_gradient', 'transpose',
}  # fmt: skip
# Operations whose results are written to memory even if they are read once.
WRITTEN = {
  'argmax', 'argmin', 'cholesky', 'concatenate', 'cond', 'conv_general_dilated', 'cumsum', 'dot_general', 'dynamic_update_slice', 'eigh',
  'gather', 'qr', 'random_bits', 'reduce_max', 'reduce_min', 'reduce_sum', 'scan', 'scatter', 'scatter-add', 'sort', 'svd', 'top_k', 'while',
}  # fmt: skip
INLINED = {'checkpoint', 'closed_call', 'custom_jvp_call', 'custom_vjp_call', 'jit', 'pjit', 'remat', 'remat2'}


class Estimate(NamedTuple):
  """The estimate of a plan on a mesh, per device."""

  parameters: int
  state: int  # bytes, including the batch
  temporary: int  # additional bytes of the first phase's step
  operations: float  # of a step on all devices together


def ahead(p: Plan, programs: Programs) -> Iterator[str]:
  """Two lines about a run that is about to start: its size and length, and the memory and time that it takes.

  The second is left out on devices whose peak rate is not known, such as CPUs; there the progress display has the remaining time.

  Raises:
    ConfigError: if the state alone exceeds the memory of a device.
  """
  states, mesh, device = programs.states[0], programs.mesh, programs.mesh.devices.flat[0]
  parameters, held = sum(x.size for x in jax.tree.leaves(states.params)), sum(map(_shard, jax.tree.leaves(states)))
  limit, known = memory(device), chip(device)
  if limit and held > limit:
    raise ConfigError(
      f'the state takes {size_of(held)} on a device that has {size_of(limit)}: shard it with rules=fsdp over more devices (mesh.fsdp)'
    )
  devices = f'each of {mesh.size} devices' if mesh.size > 1 else 'one device'
  length = f'{p.steps:,} steps of {p.config["batch_size"]:,} examples'
  if len(p.phases) == 1 and 0 < p.epoch <= p.steps:
    length += f' ({p.steps / p.epoch:,.3g} epochs)'
  yield f'{count(parameters)} parameters, {size_of(held)} of state on {devices}, {length}'
  if known:
    try:
      found = estimate(p, programs)
    except Exception as error:  # an objective may not work on one device's share alone; an estimate must not stop a run
      yield f'the memory of a step is reported when it is compiled ({" ".join(str(error).split())[:100]})'
      return
    seconds = found.operations * p.steps / (MFU * known.flops * mesh.size)
    time = hours(seconds) if seconds >= 60 else 'less than a minute'  # where operations are not what takes the time
    room = f' of {size_of(limit)}' if limit else ''
    yield f'roughly {size_of(found.state + found.temporary)}{room} per device for a step, and {time} at a utilization (MFU) of {MFU}'


def estimate(p: Plan, programs: Programs) -> Estimate:
  """The memory of the first phase's step on a device."""
  states, mesh = programs.states[0], programs.mesh
  devices = mesh.shape['data'] * mesh.shape['fsdp']
  share = len(p.batch['example']) // devices
  turn = p.phases[0].turns[0]
  moving, held = apart(states.params, turn.trained)
  bare = lambda tree: jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)
  loss = lambda moving, held, state, batch, key, step: turn.method.loss(joined(held, moving), state, batch, key, step)
  local = lambda n: {name: jax.ShapeDtypeStruct((n, *x.shape[1:]), x.dtype) for name, x in p.batch.items()}

  def traced(n):
    return jax.make_jaxpr(jax.value_and_grad(loss, has_aux=True))(*map(bare, (moving, held, states.state, local(n), states.key, states.step)))

  step = traced(share)
  copied = p.config['micro_batches'] > 1 and devices > 1  # each device then has a copy of the weights and its own gradient
  whole = lambda x: 1 if copied else math.prod(x.shape) / math.prod(x.sharding.shard_shape(x.shape))
  factors = {x.shape: whole(x) for x in jax.tree.leaves(states.params)}
  # Twice: gathered from the shards, and as passed to the loop over micro-batches.
  copies = 2 * sum(map(_bytes, jax.tree.leaves(moving))) if copied else 0
  held_bytes = sum(_shard(x) for x in jax.tree.leaves(states)) + sum(_bytes(x) for x in local(share).values())
  # In arrays of examples by examples, a device's rows have the columns of all devices; a larger share shows which arrays these are.
  # By a multiple of the devices, so that both shares take the same branches where a batch is sharded.
  more = traced(share + p.config['micro_batches'] * devices) if devices > 1 else step
  tiled = mesh.devices.flat[0].platform == 'tpu'
  found = _Memory(factors, devices, mesh.shape['tensor'], _wide(states.params), tiled).peak(_alive(step.jaxpr), _alive(more.jaxpr))
  return Estimate(
    sum(x.size for x in jax.tree.leaves(states.params)), int(held_bytes), int(ROOM * (copies + found)), operations(step).model * devices
  )


def _wide(params: Any) -> set[int]:
  """The sizes of activation dimensions that the axis `tensor` divides: outputs or inputs of weights sharded over it."""
  found: tuple[set, set] = set(), set()
  for x in jax.tree.leaves(params):
    spec = tuple(x.sharding.spec)
    if 'tensor' in spec:
      for n, axis in zip(x.shape[-2:], spec[-2:], strict=True):
        found[axis == 'tensor'].add(n)
  return found[1] - found[0]


def _bytes(x: Any) -> int:
  return 8 * math.prod(x.shape) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else math.prod(x.shape) * x.dtype.itemsize


def _tiled(x: Any) -> int:
  """Bytes on a TPU, where two dimensions chosen by the compiler are padded to tiles of 8 x 128 words."""
  size, rows = _bytes(x), 32 // x.dtype.itemsize if x.dtype.itemsize in (1, 2, 4) else 8
  if len(x.shape) < 2 or size < 1 << 20:
    return size
  filled = lambda n, tile: -(-n // tile) * tile / n
  return int(size * min(filled(m, rows) * filled(n, 128) for i, m in enumerate(x.shape) for j, n in enumerate(x.shape) if i != j))


def _alive(jaxpr: Jaxpr) -> Jaxpr:
  """Removes operations whose results are not read."""
  return dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))[0]


def _shard(x: Any) -> int:
  return _bytes(jax.ShapeDtypeStruct(x.sharding.shard_shape(x.shape), x.dtype))


class _Memory:
  """The peak live memory of a traced function, in addition to its inputs."""

  def __init__(self, factors: Mapping[tuple, float], devices: int, tensor: int, wide: Set[int], tiled: bool):
    self.factors, self.devices, self.tensor, self.wide, self.tiled = factors, devices, tensor, wide, tiled
    self.divided: set = set()  # arrays sharded over the axis `tensor`

  def size(self, v: Any, aval: Any, grown: Any) -> float:
    """Bytes of an array v; `grown` is the same array for a larger share of the batch."""
    if aval.shape in self.factors:
      return _bytes(aval) / self.factors[aval.shape]
    against = sum(n != m for n, m in zip(aval.shape, grown.shape, strict=True)) > 1
    bytes_ = (_tiled(aval) if self.tiled else _bytes(aval)) * (self.devices if against else 1)
    return bytes_ / self.tensor if v in self.divided else bytes_

  def peak(self, jaxpr: Jaxpr, grown: Jaxpr) -> float:
    steps: list[tuple] = []  # steps of a flat program: kind, inputs, outputs with sizes, peak memory of nested programs
    names: dict[Any, Any] = {}
    self._flatten(jaxpr, grown, names, steps)
    found = [names.get(v, v) for v in jaxpr.outvars if not isinstance(v, Literal)]
    outputs = {v for v in found if not isinstance(v, Literal)}  # a called function may return a constant
    roots: dict[Any, frozenset] = {}
    last: dict[Any, int] = {}
    sizes: dict[Any, float] = {}
    uses: dict[Any, int] = {}
    for _, read, _, _ in steps:
      for v in {*read}:
        uses[v] = uses.get(v, 0) + 1
    for i, (kind, read, made, _) in enumerate(steps):
      under = frozenset().union(*(roots.get(v, frozenset()) for v in read)) if read else frozenset()
      for root in under:
        last[root] = i
      for v, size in made:
        if kind in WRITTEN or v in outputs or (uses.get(v, 0) > 1 and kind not in CHEAP):
          roots[v], sizes[v], last[v] = frozenset([v]), size, i
        else:
          roots[v] = under
    for v in outputs:
      for root in roots.get(v, ()):
        last[root] = len(steps)
    ends: dict[int, list] = {}
    for v, i in last.items():
      ends.setdefault(i, []).append(v)
    now = most = 0.0
    for i, (_, _, made, inside) in enumerate(steps):
      now += sum(sizes.get(v, 0.0) for v, _ in made)
      most = max(most, now + inside)
      now -= sum(sizes.get(v, 0.0) for v in ends.get(i, ()))
    return most

  def _flatten(self, jaxpr: Jaxpr, grown: Jaxpr, names: dict, steps: list) -> None:
    read = lambda v: names.get(v, v)
    for eqn, more in zip(jaxpr.eqns, grown.eqns, strict=True):
      given = [v for v in map(read, (v for v in eqn.invars if not isinstance(v, Literal))) if not isinstance(v, Literal)]
      inner = list(zip(_inner(eqn), _inner(more), strict=True))
      if eqn.primitive.name in INLINED and inner:
        body, longer = inner[0]
        fresh = {}  # names of its variables where it is called here
        for outer, v in zip(eqn.invars[len(eqn.invars) - len(body.invars) :], body.invars, strict=True):
          fresh[v] = outer if isinstance(outer, Literal) else read(outer)
        self._flatten(body, longer, fresh, steps)
        for v, found in zip(eqn.outvars, body.outvars, strict=True):
          names[v] = found if isinstance(found, Literal) else fresh.get(found, found)
        continue
      inside = max((self.peak(*both) for both in inner), default=0.0)
      made = [names.setdefault(v, (id(steps), len(steps), k)) for k, v in enumerate(eqn.outvars)]
      taken = [v in self.divided for v in given]
      # Of a product with a weight nothing is divided but what the weight divides; other operations keep what they are given.
      kept = bool(taken) and not inner and (all if eqn.primitive.name == 'dot_general' else any)(taken)
      self.divided |= {v for v, x in zip(made, eqn.outvars, strict=True) if kept or self.wide & {*x.aval.shape}}
      sizes = [self.size(v, x.aval, y.aval) for v, x, y in zip(made, eqn.outvars, more.outvars, strict=True)]
      if eqn.primitive.name == 'scan':  # the carry of a loop reuses the memory of its input
        inside = max(inside - sum(sizes[: eqn.params['num_carry']]), 0.0)
      steps.append((eqn.primitive.name, given, list(zip(made, sizes, strict=True)), inside))


def _inner(eqn: Any) -> list[Jaxpr]:
  """The programs nested in an operation."""
  found = jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda x: isinstance(x, Jaxpr | ClosedJaxpr))
  return [getattr(x, 'jaxpr', x) for x in found if isinstance(x, Jaxpr | ClosedJaxpr)]
