"""Replays a captured step one operation at a time, to find the first array that is not finite."""

import contextlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

from jssl.core import checkpoint
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs
from jssl.core.step import make_step
from jssl.errors import ConfigError
from jssl.model import read_plan
from jssl.storage import children, reach, saved


class Origin(NamedTuple):
  """An operation that computed a non-finite array from finite ones."""

  operation: str
  where: str  # source line, or the name of an input
  part: str | None  # the pass or loss
  network: str | None  # the network whose parameters were used last before it
  array: str  # dtype and shape
  nan: int  # entries
  inf: int
  inputs: str  # their value ranges
  because: 'Origin | None' = None  # for a NaN, the origin of the infinity that caused it


class Value(NamedTuple):
  """An array during a step, with the origin of its non-finite values and its network."""

  x: Any
  origin: Origin | None = None
  network: str | None = None
  parameter: bool = False


def replay(folder: str | Path) -> dict[str, Any]:
  """Runs the captured step in `folder` operation by operation, without fusion.

  Args:
    folder: a capture, or a workdir, whose last capture is used.

  Returns:
    step; loss and grad_norm, None if not finite or not reached; usual, their running means; first, the fields of the Origin of the loss, or of
    the gradient if the loss is finite, or None if both are; examples, those of the batch with non-finite values.

  Raises:
    ConfigError: if there is no captured step.
  """
  folder = reach(folder)
  if (folder / 'config.json').exists():
    steps = [int(f.name) for f in children(folder / 'captures') if f.name.isdigit() and saved(f)]
    if not steps:
      raise ConfigError(f'{folder} contains no captured step: the guard did not stop this run')
    folder = folder / 'captures' / str(max(steps))
  if not (folder.name.isdigit() and folder.exists()):
    raise ConfigError(f'{folder} is not a captured step; give WORKDIR/captures/STEP, or a workdir that has captures')
  p = read_plan(folder.parent.parent)
  phase = p.at(int(folder.name))
  turn, one_device = phase.turn(int(folder.name)), jax.sharding.SingleDeviceSharding(jax.devices()[0])
  shapes = Programs(p, make_mesh(devices=jax.devices()[:1])).states[p.phases.index(phase)]
  train, batch = checkpoint.captured(folder, shapes, phase.batch, one_device)

  parts = (*p.config['passes'], *p.config['losses'])
  given = dict(params=train.params, state=train.state, batch=batch, key=train.key, step=train.step)
  loss = lambda g: phase.turns[turn].method.loss(g['params'], g['state'], g['batch'], g['key'], g['step'] - phase.first)[0]
  value = walk(loss, given, parts)[0]
  found = {'loss': value, 'grad_norm': None}
  if value.origin is None:  # the forward pass is fast, the whole step slower
    one = lambda g: make_step(phase, turn)(train._replace(params=g['params'], state=g['state'], key=g['key'], step=g['step']), g['batch'])[1]
    names = sorted(jax.eval_shape(one, given))
    found = dict(zip(names, walk(one, given, parts), strict=True))
  first = next((found[name].origin for name in ('loss', 'grad_norm') if found[name] and found[name].origin), None)
  bad = [~np.isfinite(np.asarray(x)).reshape(len(x), -1).all(1) for x in batch.values() if _inexact(x)]
  rows = np.any(bad, 0) if bad else np.zeros(0, bool)
  return dict(
    step=int(train.step),
    **{name: _figure(found[name]) for name in ('loss', 'grad_norm')},
    usual=dict(zip(('loss', 'grad_norm'), np.asarray(train.guard['mean']).tolist(), strict=True)),
    first=_fields(first),
    examples=np.asarray(batch['example'])[rows].tolist() if rows.any() else [],
  )


def describe(found: Mapping[str, Any]) -> str:
  """The result of `replay` in a few lines."""
  figures = ', '.join(f'{name} {found[name]}' for name in ('loss', 'grad_norm') if found[name] is not None)
  said = [f'step {found["step"]}: {figures or "the loss is not finite"}']
  if found['first'] is None:
    usual = ', '.join(f'{name} {x:.4g}' for name, x in found['usual'].items())
    said.append(f'every array is finite, one operation at a time; usual values are {usual}')
  origin, how = found['first'], 'first not finite'
  while origin:
    place = ''.join(f' {what} {origin[what]}' for what in ('part', 'network') if origin[what])
    counts = ' and '.join(f'{origin[kind]} {kind}' for kind in ('nan', 'inf') if origin[kind])
    said.append(f'{how}: {origin["operation"]} made {counts} in {origin["array"]} of{place or " the step"}, at {origin["where"]}')
    if origin['inputs']:
      said.append(f'  from {origin["inputs"]}')
    origin, how = origin['because'], '  from an infinity'
  if found['examples']:
    said.append(f'examples with values that are not finite: {", ".join(map(str, found["examples"][:20]))}')
  return '\n'.join(said)


def _figure(value: Value | None) -> float | None:
  return float(value.x) if value and not value.origin else None


def _fields(origin: Origin | None) -> dict[str, Any] | None:
  return origin and {**origin._asdict(), 'because': _fields(origin.because)}


def walk(function: Any, given: Mapping[str, Any], parts: Sequence[str] = ()) -> list[Value]:
  """The outputs of function(given), each with its Origin; `given['params']` identifies networks."""
  closed = jax.make_jaxpr(function)(given)
  values = []
  for path, x in jax.tree_util.tree_leaves_with_path(dict(given)):
    name = jax.tree_util.keystr(path, simple=True, separator='/')
    network = name.split('/')[1] if name.startswith('params/') else None
    nan, inf = _count(x)
    origin = Origin('the input', name, None, network, _kind(x), nan, inf, '') if nan or inf else None
    values.append(Value(x, origin, network, bool(network)))
  return _Walk(parts).run(closed, values)


class _Walk:
  """Evaluates a jaxpr equation by equation."""

  def __init__(self, parts: Sequence[str]):
    self.parts = parts
    self.calls: list[JaxprEqn] = []  # calls that are being evaluated, outermost first

  def run(self, closed: ClosedJaxpr, values: Sequence[Value]) -> list[Value]:
    jaxpr, consts = (closed.jaxpr, closed.consts) if isinstance(closed, ClosedJaxpr) else (closed, ())
    held = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*map(Value, consts), *values], strict=True))
    read = lambda v: Value(v.val) if isinstance(v, Literal) else held[v]
    last = {v: i for i, eqn in enumerate(jaxpr.eqns) for v in eqn.invars if not isinstance(v, Literal)}
    last |= {v: len(jaxpr.eqns) for v in jaxpr.outvars if not isinstance(v, Literal)}
    for i, eqn in enumerate(jaxpr.eqns):
      held |= zip(eqn.outvars, self.apply(eqn, [read(v) for v in eqn.invars]), strict=True)
      for v in eqn.invars:
        if not isinstance(v, Literal) and last[v] == i:
          held.pop(v, None)
    return [read(v) for v in jaxpr.outvars]

  def apply(self, eqn: JaxprEqn, values: list[Value]) -> list[Value]:
    name, params = eqn.primitive.name, eqn.params
    if name == 'cond':
      return self.enter(eqn, params['branches'][int(values[0].x)], values[1:])
    inner = params.get('jaxpr', params.get('call_jaxpr'))
    if inner is not None and name != 'scan':  # a call: jit, checkpoint, custom derivatives
      return self.enter(eqn, inner, values)
    with getattr(getattr(eqn, 'ctx', None), 'manager', None) or contextlib.nullcontext():
      out = eqn.primitive.bind(*(v.x for v in values), **params)
    out = list(out) if eqn.primitive.multiple_results else [out]
    network, parameter = _network(values)
    results = [Value(x, None, network, parameter) for x in out]
    bad = [any(_count(x)) for x in out]
    if any(bad):
      enter = {'scan': self.scan, 'while': self.rounds}.get(name)
      within = enter(eqn, values) if enter else None
      results = [r._replace(origin=within or self.origin(eqn, values, r)) if b else r for r, b in zip(results, bad, strict=True)]
    return results

  def enter(self, eqn: JaxprEqn, inner: Any, values: list[Value]) -> list[Value]:
    self.calls.append(eqn)
    out = self.run(inner, values)
    self.calls.pop()
    return out

  def scan(self, eqn: JaxprEqn, values: list[Value]) -> Origin | None:
    """The origin within the first iteration of a loop with a non-finite result."""
    params = eqn.params
    if 'ft_in' in params:  # from jax 0.12 on
      consts, carry, xs = map(list, params['ft_in'].update(values).unpack())
    else:
      fixed, carried = params['num_consts'], params['num_consts'] + params['num_carry']
      consts, carry, xs = values[:fixed], values[fixed:carried], values[carried:]
    rounds = range(params['length'])
    for i in reversed(rounds) if params['reverse'] else rounds:
      out = self.enter(eqn, params['jaxpr'], [*consts, *carry, *(v._replace(x=v.x[i]) for v in xs)])
      if found := next((v.origin for v in out if v.origin), None):
        return found
      carry = out[: len(carry)]
    return None

  def rounds(self, eqn: JaxprEqn, values: list[Value]) -> Origin | None:
    """`scan` for a while loop."""
    tests = values[: eqn.params['cond_nconsts']]
    consts, carry = (rest := values[len(tests) :])[: eqn.params['body_nconsts']], rest[eqn.params['body_nconsts'] :]
    while np.any(self.enter(eqn, eqn.params['cond_jaxpr'], [*tests, *carry])[0].x):
      carry = self.enter(eqn, eqn.params['body_jaxpr'], [*consts, *carry])
      if found := next((v.origin for v in carry if v.origin), None):
        return found
    return None

  def origin(self, eqn: JaxprEqn, values: list[Value], result: Value) -> Origin:
    """The origin of a non-finite array: a non-finite input, or this operation."""
    nan, inf = _count(result.x)
    marked = [v for v in values if v.origin]
    if same := [v.origin for v in marked if not nan or _count(v.x)[0]]:
      return same[0]
    scopes = {name for e in (*self.calls, eqn) for name in re.split(r'[()/]', str(_told(e, 'name_stack')))}
    part = next((p for p in self.parts if p in scopes), None)
    # Functions that JAX itself jits are traced once, and keep the line of their first caller.
    own = next((i for i, e in enumerate(self.calls) if _of_jax(e.params.get('name'))), len(self.calls))
    where = next(filter(None, map(_line, [*self.calls, eqn][own::-1])), 'an unknown line')
    # Inputs of look-ups are also reported, since `look_up` returns NaN for an index out of range.
    told = [v.x for v in values if _inexact(v.x) or eqn.primitive.name == 'gather' and _whole(v.x)]
    ranges = ', '.join(map(_range, told))
    because = marked[0].origin if marked else None
    return Origin(eqn.primitive.name, where, part, result.network, _kind(result.x), nan, inf, ranges, because)


def _network(values: Sequence[Value]) -> tuple[str | None, bool]:
  """The network of a result: that of a parameter among its inputs, or else that of the other inputs."""
  ordered = sorted((v for v in values if v.network), key=lambda v: not v.parameter)
  return (ordered[0].network, all(v.parameter for v in ordered)) if ordered else (None, False)


def _inexact(x: Any) -> bool:
  return hasattr(x, 'dtype') and jnp.issubdtype(x.dtype, jnp.inexact)


def _whole(x: Any) -> bool:
  return hasattr(x, 'dtype') and jnp.issubdtype(x.dtype, jnp.integer)


def _count(x: Any) -> tuple[int, int]:
  """The numbers of NaN and of infinite entries."""
  if not _inexact(x):
    return 0, 0
  x = np.asarray(x)
  return int(np.isnan(x).sum()), int(np.isinf(x).sum())


def _kind(x: Any) -> str:
  return f'{x.dtype}[{", ".join(map(str, np.shape(x)))}]'


def _range(x: Any) -> str:
  flat = np.asarray(x, np.float64).ravel()
  flat = flat[np.isfinite(flat)]
  return f'{_kind(jnp.asarray(x))} in [{flat.min():.3g}, {flat.max():.3g}]' if len(flat) else _kind(jnp.asarray(x))


def _of_jax(name: Any) -> bool:
  return isinstance(name, str) and any(hasattr(m, name.lstrip('_')) for m in (jnp, jnp.linalg, jax.nn, jax.random, jax.scipy.special))


def _told(eqn: JaxprEqn, what: str) -> Any:
  """Trace information of an operation, from a non-public interface of JAX; None if that is unavailable."""
  return getattr(getattr(eqn, 'source_info', None), what, None)


def _line(eqn: JaxprEqn) -> str | None:
  """The innermost line of the program outside JAX and Flax; None if the trace has none."""
  frames = getattr(_told(eqn, 'traceback'), 'frames', [])
  library = tuple(str(Path(sys.modules[name].__file__).parent) for name in ('jax', 'flax', 'optax'))
  for frame in frames:
    if not frame.file_name.startswith((*library, '<')):
      return f'{"/".join(Path(frame.file_name).parts[-3:])}:{frame.line_num} in {frame.function_name}'
  return None
