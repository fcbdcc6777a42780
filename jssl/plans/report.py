"""A plan of a run, for people to read."""

from collections.abc import Iterator, Mapping
from typing import Any


def lines(described: Mapping[str, Any]) -> Iterator[str]:
  """The lines of what `describe` found."""
  d = described
  mesh = ', '.join(f'{axis}={size}' for axis, size in d['mesh'].items() if size > 1) or 'one device'
  rules = d['rules'] if isinstance(d['rules'], str) else 'rules of its own'
  pieces = f' in {d["micro_batches"]} micro-batches' if d['micro_batches'] > 1 else ''
  yield f'{d["devices"]} x {d["kind"]} ({mesh}; {rules}), batch {d["batch_size"]:,}{pieces}, {d["steps"]:,} steps'
  yield f'parameters {_count(d["parameters"])}; the state {_bytes(d["state_bytes"])} in all'
  for i, phase in enumerate(d['phases'], 1):
    if len(d['phases']) > 1:
      yield f'phase {i}'
    yield from _phase(phase, d['memory_limit'])
  if largest := d['largest_batch']:
    yield f'largest batch that fits  about {largest["batch_size"]:,} ({_bytes(largest["bytes_an_example"])} a device for each example more)'
  if d['hours'] is not None:
    price = f', {d["price"]:,.0f} in all' if d['price'] is not None else ''
    yield f'time                     {_hours(d["hours"])} at a utilization (MFU) of {d["mfu"]:g}{price}'


def _phase(phase: Mapping[str, Any], limit: float | None) -> Iterator[str]:
  m = phase['memory']
  parts = f'state and batch {_bytes(m["arguments"])}, temporary {_bytes(m["temporary"])}'
  room = '' if limit is None else f' of {_bytes(limit)}' + ('' if m['total'] <= limit else ': DOES NOT FIT')
  yield f'memory a device          {_bytes(m["total"])}{room} ({parts})'
  again = f', and {_count(phase["recomputed"])} recomputed' if phase['recomputed'] else ''
  yield f'operations a step        {_count(phase["operations"])}{again}'
  if phase['traffic'] is None:
    yield 'sent a step and device   not known: this version of the compiler cannot write its program down'
  else:
    kinds = ', '.join(f'{kind} {_bytes(size)}' for kind, size in phase['traffic'].items() if size and kind != 'total')
    yield f'sent a step and device   {_bytes(phase["traffic"]["total"])}' + (f' ({kinds})' if kinds else '')
    for one in phase['sent'][:3]:
      yield f'  {one["times"]} x {_bytes(one["bytes"])}  {one["kind"]}  {one["place"]}'
  yield 'largest arrays of the state, on a device'
  for one in phase['state'][:3]:
    yield f'  {_bytes(one["bytes"]):>9}  {one["name"]} {one["shape"]}' + (f'; {one["advice"]} would shrink it' if one['advice'] else '')
  if phase['arrays']:
    yield 'largest arrays of the step, on a device'
    for one in phase['arrays'][:3]:
      yield f'  {_bytes(one["bytes"]):>9}  {one["place"]}, {one["shape"]}; {one["advice"]} would shrink it'
  yield f'compiled in              {phase["compile_seconds"]:.0f} s'


def _bytes(size: float) -> str:
  for unit in ('B', 'kB', 'MB', 'GB', 'TB'):
    if abs(size) < 1000 or unit == 'TB':
      return f'{size:.3g} {unit}' if unit != 'B' else f'{size:.0f} B'
    size /= 1000
  raise AssertionError


def _count(number: float) -> str:
  for unit in ('', 'k', 'M', 'G', 'T', 'P', 'E'):
    if number < 1000 or unit == 'E':
      return f'{number:.3g}{" " if unit else ""}{unit}'
    number /= 1000
  raise AssertionError


def _hours(hours: float) -> str:
  return f'{hours * 60:.1f} minutes' if hours < 1 else f'{hours:,.1f} hours'
