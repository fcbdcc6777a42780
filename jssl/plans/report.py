"""Text output of the plan of a run."""

from collections.abc import Iterator, Mapping
from typing import Any


def lines(described: Mapping[str, Any]) -> Iterator[str]:
  """The text lines for a result of `describe`."""
  d = described
  mesh = ', '.join(f'{axis}={size}' for axis, size in d['mesh'].items() if size > 1) or 'one device'
  rules = d['rules'] if isinstance(d['rules'], str) else 'custom rules'
  pieces = f' in {d["micro_batches"]} micro-batches' if d['micro_batches'] > 1 else ''
  yield f'{d["devices"]} x {d["kind"]} ({mesh}; {rules}), batch {d["batch_size"]:,}{pieces}, {d["steps"]:,} steps'
  yield f'parameters {count(d["parameters"])}; the state {size_of(d["state_bytes"])} in all'
  for i, phase in enumerate(d['phases'], 1):
    if len(d['phases']) > 1:
      yield f'phase {i}'
    yield from _phase(phase, d['memory_limit'])
  if largest := d['largest_batch']:
    yield f'largest batch that fits  about {largest["batch_size"]:,} ({size_of(largest["bytes_an_example"])} per device and further example)'
  if d['hours'] is not None:
    price = f', {d["price"]:,.2f} in all' if d['price'] is not None else ''
    yield f'time                     {hours(3600 * d["hours"])} at a utilization (MFU) of {d["mfu"]:g}{price}'


def _phase(phase: Mapping[str, Any], limit: float | None) -> Iterator[str]:
  m = phase['memory']
  parts = f'state and batch {size_of(m["arguments"])}, temporary {size_of(m["temporary"])}'
  room = '' if limit is None else f' of {size_of(limit)}' + ('' if m['total'] <= limit else ': DOES NOT FIT')
  yield f'memory per device        {size_of(m["total"])}{room} ({parts})'
  again = f', and {count(phase["recomputed"])} recomputed' if phase['recomputed'] else ''
  yield f'operations per step      {count(phase["operations"])}{again}'
  if phase['traffic'] is None:
    yield 'sent per step and device unknown: this version of the compiler cannot print its program'
  else:
    kinds = ', '.join(f'{kind} {size_of(size)}' for kind, size in phase['traffic'].items() if size and kind != 'total')
    yield f'sent per step and device {size_of(phase["traffic"]["total"])}' + (f' ({kinds})' if kinds else '')
    for one in phase['sent'][:3]:
      yield f'  {one["times"]} x {size_of(one["bytes"])}  {one["kind"]}  {one["place"]}'
  yield 'largest arrays of the state, per device'
  for one in phase['state'][:3]:
    yield f'  {size_of(one["bytes"]):>9}  {one["name"]} {one["shape"]}' + (f'; {one["advice"]} would reduce it' if one['advice'] else '')
  if phase['arrays']:
    yield 'largest arrays of the step, per device; remat=True or micro_batches reduce those with an axis of examples, `chunk` tables of pairs'
    for one in phase['arrays'][:3]:
      yield f'  {size_of(one["bytes"]):>9}  {one["place"]}, {one["shape"]}'
  yield f'compiled in              {phase["compile_seconds"]:.0f} s'


def size_of(size: float) -> str:
  for unit in ('B', 'kB', 'MB', 'GB', 'TB'):
    if abs(size) < 1000 or unit == 'TB':
      return f'{size:.3g} {unit}' if unit != 'B' else f'{size:.0f} B'
    size /= 1000
  raise AssertionError


def count(number: float) -> str:
  for unit in ('', 'k', 'M', 'G', 'T', 'P', 'E'):
    if number < 1000 or unit == 'E':
      return f'{number:.3g}{" " if unit else ""}{unit}'
    number /= 1000
  raise AssertionError


def hours(seconds: float) -> str:
  if seconds < 60:
    return f'{seconds:.1f} seconds'
  return f'{seconds / 60:.1f} minutes' if seconds < 3600 else f'{seconds / 3600:,.1f} hours'
