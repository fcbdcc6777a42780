"""What a run will take, told without compiling it: the state exactly, the rest roughly, from what JAX traces.

The step is traced with one device's share of the batch. Results of elementwise operations that are read once are taken to be fused into
what reads them; other arrays are alive from the operation that makes them to the last one that reads them. A compiler's own choices,
of layouts, of fusions and of what it computes again, make that a rough figure: `estimated` in experiments/pod.json stands beside what the
compiler says, from 0.4 to 4 times as much.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from jssl.core.build import Plan
from jssl.core.programs import Programs
from jssl.devices.chips import chip, memory
from jssl.devices.operations import operations
from jssl.errors import ConfigError
from jssl.plans.report import count, hours, size_of
from jssl.weights import apart, joined

MFU = 0.4  # for the time that is told
# Operations that are done again wherever their result is read, and so take no memory.
CHEAP = {
  'and', 'broadcast_in_dim', 'convert_element_type', 'copy', 'dynamic_slice', 'eq', 'expand_dims', 'ge', 'gt', 'iota', 'le', 'lt', 'name', 'ne',
  'neg', 'not', 'or', 'pad', 'random_fold_in', 'random_unwrap', 'random_wrap', 'reshape', 'rev', 'select_n', 'slice', 'split', 'squeeze',
  'stop_gradient', 'transpose',
}  # fmt: skip
# Operations whose results are written to memory even where they are read once.
WRITTEN = {
  'argmax', 'argmin', 'cholesky', 'concatenate', 'cond', 'conv_general_dilated', 'cumsum', 'dot_general', 'dynamic_update_slice', 'eigh',
  'gather', 'qr', 'random_bits', 'reduce_max', 'reduce_min', 'reduce_sum', 'scan', 'scatter', 'scatter-add', 'sort', 'svd', 'top_k', 'while',
}  # fmt: skip
INLINED = {'checkpoint', 'closed_call', 'custom_jvp_call', 'custom_vjp_call', 'jit', 'pjit', 'remat', 'remat2'}


class Estimate(NamedTuple):
  """Of a plan on a mesh, a device."""

  parameters: int
  state: int  # bytes, with the batch
  temporary: int  # bytes that the first phase's step takes beside
  operations: float  # that it asks of all devices together


def ahead(p: Plan, programs: Programs) -> Iterator[str]:
  """Two lines on a run that is about to begin; on CPUs, where a step is soon compiled, none.

  Raises:
    ConfigError: the state alone is more than a device holds.
  """
  states, mesh, device = programs.states[0], programs.mesh, programs.mesh.devices.flat[0]
  parameters, held = sum(x.size for x in jax.tree.leaves(states.params)), sum(map(_shard, jax.tree.leaves(states)))
  limit, known = memory(device), chip(device)
  if limit and held > limit:
    raise ConfigError(
      f'the state takes {size_of(held)} on a device that has {size_of(limit)}: spread it, with rules=fsdp, over more devices (mesh.fsdp)'
    )
  if known:
    devices = f'each of {mesh.size} devices' if mesh.size > 1 else 'one device'
    yield f'{count(parameters)} parameters, {size_of(held)} of state on {devices}, {p.steps:,} steps of {p.config["batch_size"]:,} examples'
    try:
      found = estimate(p, programs)
    except Exception as error:  # an objective may not take a device's share alone; no run ends for an estimate
      yield f'what a step takes is told when it is compiled ({" ".join(str(error).split())[:100]})'
      return
    time = hours(found.operations * p.steps / (MFU * known.flops * mesh.size))
    room = f' of {size_of(limit)}' if limit else ''
    yield f'roughly {size_of(found.state + found.temporary)}{room} a device for a step, and {time} at a utilization (MFU) of {MFU}'


def estimate(p: Plan, programs: Programs) -> Estimate:
  """What the first phase's step holds on a device."""
  states, mesh = programs.states[0], programs.mesh
  devices = mesh.shape['data'] * mesh.shape['fsdp']
  local = lambda x: jax.ShapeDtypeStruct((x.shape[0] // devices, *x.shape[1:]), x.dtype)
  batch = {name: local(x) for name, x in p.batch.items()}
  turn = p.phases[0].turns[0]
  moving, held = apart(states.params, turn.trained)
  bare = lambda tree: jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)
  loss = lambda moving, held, state, batch, key, step: turn.method.loss(joined(held, moving), state, batch, key, step)
  given = (moving, held, states.state, batch, states.key, states.step)
  traced = jax.make_jaxpr(jax.value_and_grad(loss, has_aux=True))(*map(bare, given))
  factors = {x.shape: math.prod(x.shape) / math.prod(x.sharding.shard_shape(x.shape)) for x in jax.tree.leaves(states.params)}
  losses = tuple(p.config['losses'])
  held_bytes = sum(_shard(x) for x in jax.tree.leaves(states)) + sum(_bytes(x) for x in batch.values())
  peak = _Memory(factors, losses, len(batch['example']), devices).peak(traced.jaxpr)
  return Estimate(sum(x.size for x in jax.tree.leaves(states.params)), int(held_bytes), int(peak), operations(traced).model * devices)


def _bytes(x: Any) -> int:
  return 8 * math.prod(x.shape) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else math.prod(x.shape) * x.dtype.itemsize


def _shard(x: Any) -> int:
  return _bytes(jax.ShapeDtypeStruct(x.sharding.shard_shape(x.shape), x.dtype))


class _Memory:
  """The peak of what a traced function holds at a time, beside what it is given."""

  def __init__(self, factors: Mapping[tuple, float], losses: Sequence[str], batch: int, devices: int):
    self.factors, self.losses, self.batch, self.devices = factors, losses, batch, devices

  def size(self, aval: Any, place: str) -> float:
    size = _bytes(aval)
    if aval.shape in self.factors:
      return size / self.factors[aval.shape]
    # Examples against all examples of the batch: a device's rows have the columns of all devices.
    against = sum(n >= self.batch and n % self.batch == 0 for n in aval.shape) > 1
    return size * self.devices if against and any(f'({loss})' in place or place.endswith(loss) for loss in self.losses) else size

  def peak(self, jaxpr: Jaxpr) -> float:
    steps: list[tuple] = []  # of a flat program: kind, read, made, what goes on inside at most, place
    names: dict[Any, Any] = {}
    self._flatten(jaxpr, names, steps, '')
    found = [names.get(v, v) for v in jaxpr.outvars if not isinstance(v, Literal)]
    outputs = {v for v in found if not isinstance(v, Literal)}  # a function that was called may give a constant
    roots: dict[Any, frozenset] = {}
    last: dict[Any, int] = {}
    sizes: dict[Any, float] = {}
    uses: dict[Any, int] = {}
    for _, read, _, _, _ in steps:
      for v in {*read}:
        uses[v] = uses.get(v, 0) + 1
    for i, (kind, read, made, _, place) in enumerate(steps):
      under = frozenset().union(*(roots.get(v, frozenset()) for v in read)) if read else frozenset()
      for root in under:
        last[root] = i
      for v, aval in made:
        if kind in WRITTEN or v in outputs or (uses.get(v, 0) > 1 and kind not in CHEAP):
          roots[v], sizes[v], last[v] = frozenset([v]), self.size(aval, place), i
        else:
          roots[v] = under
    for v in outputs:
      for root in roots.get(v, ()):
        last[root] = len(steps)
    ends: dict[int, list] = {}
    for v, i in last.items():
      ends.setdefault(i, []).append(v)
    now = most = 0.0
    for i, (_, _, made, inside, _) in enumerate(steps):
      now += sum(sizes.get(v, 0.0) for v, _ in made)
      most = max(most, now + inside)
      now -= sum(sizes.get(v, 0.0) for v in ends.get(i, ()))
    return most

  def _flatten(self, jaxpr: Jaxpr, names: dict, steps: list, place: str) -> None:
    read = lambda v: names.get(v, v)
    for eqn in jaxpr.eqns:
      here = f'{place}/{eqn.source_info.name_stack}'
      given = [read(v) for v in eqn.invars if not isinstance(v, Literal)]
      inner = [x for x in jax.tree.leaves(list(eqn.params.values()), is_leaf=_is_jaxpr) if _is_jaxpr(x)]
      if eqn.primitive.name in INLINED and inner:
        body = getattr(inner[0], 'jaxpr', inner[0])
        fresh = {}  # names of its variables where it is called here
        for outer, v in zip(eqn.invars[len(eqn.invars) - len(body.invars) :], body.invars, strict=True):
          fresh[v] = outer if isinstance(outer, Literal) else read(outer)
        self._flatten(body, fresh, steps, here)
        for v, found in zip(eqn.outvars, body.outvars, strict=True):
          names[v] = found if isinstance(found, Literal) else fresh.get(found, found)
        continue
      inside = max((self.peak(getattr(x, 'jaxpr', x)) for x in inner), default=0.0)
      if eqn.primitive.name == 'scan':
        inside = max(inside - self._carried(eqn), 0.0)
      made = [(names.setdefault(v, (id(steps), len(steps), k)), v.aval) for k, v in enumerate(eqn.outvars)]
      steps.append((eqn.primitive.name, [v for v in given if not isinstance(v, Literal)], made, inside, here))

  def _carried(self, eqn: Any) -> float:
    """What a loop carries takes the place of what it was given."""
    return sum(self.size(v.aval, '') for v in eqn.outvars[: eqn.params['num_carry']])


def _is_jaxpr(x: Any) -> bool:
  return isinstance(x, Jaxpr | ClosedJaxpr)
