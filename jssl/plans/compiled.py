"""Reports on a step that is compiled for its target devices."""

import math
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from jssl.core.build import Plan, plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs
from jssl.devices.chips import chip, memory
from jssl.devices.operations import operations
from jssl.devices.traffic import SHAPE, SIZES, Collective, collectives, total
from jssl.errors import ConfigError

KINDS = ('all-gather', 'all-reduce', 'reduce-scatter', 'all-to-all', 'collective-permute')
FULL = 0.95  # share of a device's memory that a step may use
# An operation that produces an array, rather than passing it on.
RESULT = re.compile(
  r'\s*(?:ROOT )?%?[\w.\-]+ = \(?(\w+\[[\d,]*\])\S* (?!parameter|get-tuple|bitcast|tuple|while|conditional|constant)([\w\-]+)\('
)
PLUMBING = ('jit', 'step', 'jvp', 'transpose', 'shard_map', 'closed_call', 'body')  # parts of operation names that JAX adds
ONCE = {'exec_time_optimization_effort': -1.0}  # for a TPU, for a program that is inspected and not run


def topology(name: str) -> list[jax.Device]:
  """The devices of a TPU topology that need not be present, 'v5p:2x2x4'.

  Raises:
    ConfigError: if there is no TPU compiler, or it does not know the topology.
  """
  from jax.experimental.topologies import get_topology_desc

  try:
    return list(get_topology_desc(topology_name=name, platform='tpu').devices)
  except Exception as error:  # the plugin raises errors of many types
    why = ' '.join(str(error).split())[:200]
    raise ConfigError(
      f'--topology {name}: {why}; give one such as v5p:2x2x4 or v6e:4x4, and install the compiler that belongs to this JAX: '
      "pip install 'jax[tpu]', which needs no TPU"
    ) from error


def describe(config: Mapping[str, Any], devices: Sequence[jax.Device], *, mfu: float = 0.4, price: float | None = None) -> dict[str, Any]:
  """Reports the cost of each phase's first step, compiled for these devices, without running it or allocating arrays.

  Args:
    config: a config whose mesh the devices fill.
    devices: present or simulated devices, or those of a TPU `topology`.
    mfu: assumed model FLOPs utilisation, to estimate the hours.
    price: price per device hour.
  """
  p = plan(config)
  mesh = make_mesh(p.config['mesh'], devices)
  described = {
    'devices': len(devices), 'kind': devices[0].device_kind, 'mesh': dict(mesh.shape), 'rules': p.config['rules'],
    'batch_size': p.config['batch_size'], 'micro_batches': p.config['micro_batches'], 'steps': p.steps,
  }  # fmt: skip
  with jax.set_mesh(mesh):
    programs = Programs(p, mesh)
    described['parameters'] = sum(x.size for x in jax.tree.leaves(programs.states[0].params))
    described['state_bytes'] = sum(math.prod(x.shape) * x.dtype.itemsize for x in _arrays(programs.states[0]))
    described['phases'] = [_step(p, programs, i, devices) for i in range(len(p.phases))]
  limit, known = memory(devices[0]), chip(devices[0])
  described['memory_limit'] = limit
  described['largest_batch'] = _largest(p, devices, described['phases'][0]['memory']['total'], limit) if limit else None
  asked = sum(phase['operations'] * of.steps for phase, of in zip(described['phases'], p.phases, strict=True))
  hours = asked / (mfu * known.flops * len(devices)) / 3600 if known else None
  described |= {'mfu': mfu, 'hours': hours, 'price': hours * price * len(devices) if hours is not None and price is not None else None}
  return described


def _arrays(tree: Any) -> list[jax.ShapeDtypeStruct]:
  return [x for x in jax.tree.leaves(tree) if not jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)]


def _step(p: Plan, programs: Programs, phase: int, devices: Sequence[jax.Device]) -> dict[str, Any]:
  traced = programs.trace(phase)
  turns = p.phases[phase].turns  # all are counted, and the first one is compiled
  counted = [operations(programs.trace(phase, i).jaxpr) if i else operations(traced.jaxpr) for i in range(len(turns))]
  mean = lambda of: sum(of(x) * turn.updates for x, turn in zip(counted, turns, strict=True)) / sum(turn.updates for turn in turns)
  began = time.perf_counter()
  compiled = traced.lower().compile(compiler_options=_options(devices))
  seconds = time.perf_counter() - began
  m = compiled.memory_analysis()
  memory = {'arguments': m.argument_size_in_bytes, 'temporary': m.temp_size_in_bytes, 'code': m.generated_code_size_in_bytes}
  memory['outputs'] = m.output_size_in_bytes - m.alias_size_in_bytes
  memory['total'] = sum(memory.values())
  found: dict[str, Any] = {
    'compile_seconds': seconds, 'memory': memory, 'operations': mean(lambda x: x.model), 'recomputed': mean(lambda x: x.recomputed),
    'state': _largest_of_state(programs.states[phase]),
  }  # fmt: skip
  try:
    text = compiled.as_text()
  except Exception:  # some versions of the TPU compiler cannot print compiled programs
    return {**found, 'traffic': None, 'arrays': None}
  sent = collectives(text)
  found['traffic'] = {kind: total([one for one in sent if one.kind == kind]) for kind in KINDS} | {'total': total(sent)}
  found['sent'] = _largest_sent(sent)
  found['arrays'] = _largest_arrays(text)
  return found


def _largest_of_state(state: Any, count: int = 5) -> list[dict[str, Any]]:
  """The arrays of the state with the most memory on one device, and how to reduce them."""
  found = []
  for path, x in jax.tree_util.tree_leaves_with_path(state):
    if not jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
      held = math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize
      whole = math.prod(x.shape) * x.dtype.itemsize
      name = jax.tree_util.keystr(path, simple=True, separator='/')
      found.append(
        {'name': name, 'shape': list(x.shape), 'bytes': held, 'advice': "rules='fsdp' and a larger fsdp axis" if held == whole else None}
      )
  return sorted(found, key=lambda one: -one['bytes'])[:count]


def _largest_sent(sent: list[Collective], count: int = 5) -> list[dict[str, Any]]:
  ranked = sorted(sent, key=lambda one: -one.times * one.size)[:count]
  return [
    {'times': one.times, 'kind': one.kind, 'bytes': one.size, 'shape': [*map(list, one.shapes[:1])], 'place': _short(one.place)}
    for one in ranked
  ]


def _largest_arrays(text: str, count: int = 5) -> list[dict[str, Any]]:
  """The largest results of single operations of a compiled step, one per place in the method."""
  best: dict[str, dict[str, Any]] = {}
  for line in text.splitlines():
    one = re.match(
      r'\s*(?:ROOT )?%?[\w.\-]+ = \(?(\w+\[[\d,]*\])\S* (?!parameter|get-tuple|bitcast|tuple|while|conditional|constant)([\w\-]+)\(', line
    )
    place = re.search(r'op_name="([^"]*)"', line)
    if not one or not place or not (shape := SHAPE.match(one[1])):
      continue
    size = SIZES[shape[1]] * math.prod(int(n) for n in shape[2].split(',') if n)
    name = _short(place[1])
    if size > best.get(name, {'bytes': 0})['bytes']:
      best[name] = {'bytes': size, 'shape': one[1], 'place': name}
  return sorted(best.values(), key=lambda one: -one['bytes'])[:count]


def _short(place: str) -> str:
  """'jit(step)/jvp(seen)/while/body/closed_call/dot_general' -> 'seen: dot_general'."""
  names = [
    name for name in re.findall(r'[\w.\-]+', place) if name not in ('jit', 'step', 'jvp', 'transpose', 'shard_map', 'closed_call', 'body')
  ]
  backward = ' (backward)' if 'transpose(' in place else ''
  return (f'{names[0]}: {names[-1]}' if len(names) > 1 else ''.join(names)) + backward


def _largest(p: Plan, devices: Sequence[jax.Device], total: float, limit: float) -> dict[str, Any] | None:
  """The largest batch that fits, by linear extrapolation from this batch size and half of it."""
  sizes = p.config['mesh']
  mesh = make_mesh(sizes, devices)
  share = mesh.shape['data'] * mesh.shape['fsdp'] * p.config['micro_batches']
  size = p.config['batch_size']
  if (half := size // 2 // share * share) < share:
    return None
  with jax.set_mesh(mesh):
    m = Programs(plan({**p.config, 'batch_size': half}), mesh).trace().lower().compile(compiler_options=_options(devices)).memory_analysis()
  smaller = m.argument_size_in_bytes + m.temp_size_in_bytes + m.generated_code_size_in_bytes + m.output_size_in_bytes - m.alias_size_in_bytes
  slope = (total - smaller) / (size - half)
  if slope <= 0:
    return None
  fits = int((FULL * limit - total) / slope + size) // share * share
  return {'batch_size': max(fits, 0), 'bytes_an_example': slope}


def _options(devices: Sequence[jax.Device]) -> dict[str, Any] | None:
  return ONCE if devices[0].platform == 'tpu' else None
