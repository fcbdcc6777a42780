"""Communication of a compiled program, parsed from its text: every collective, and how often it runs."""

import math
import re
from typing import NamedTuple

SIZES = dict(pred=1, s8=1, u8=1, s16=2, u16=2, bf16=2, f16=2, s32=4, u32=4, f32=4, s64=8, u64=8, f64=8)
SHAPE = re.compile(rf'\b({"|".join(SIZES)})\[([\d,]*)\]')
COLLECTIVE = re.compile(r'\s*(?:ROOT )?%?[\w.\-]+ = (.*?) (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(-start)?\(')


class Collective(NamedTuple):
  """A collective operation."""

  times: int  # per step
  kind: str
  size: float  # bytes of its result on one device
  shapes: tuple[tuple[int, ...], ...]  # of its results
  place: str  # the operation of the method that it belongs to


def collectives(text: str) -> list[Collective]:
  """The collectives of a compiled program, `compiled.as_text()`; those in a loop count once per iteration."""
  bodies: dict[str, list[str]] = {}
  entry = current = ''
  for line in text.splitlines():
    if head := re.match(r'^(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{', line):
      current = head[2]
      bodies[current] = []
      entry = current if head[1] else entry
    elif line.startswith('}'):
      current = ''
    elif current:
      bodies[current].append(line)
  found: list[Collective] = []

  def turns(line: str) -> int:
    if known := re.search(r'known_trip_count":\{"n":"(\d+)"', line):
      return int(known[1])
    lines = list(bodies.get(re.search(r'condition=%?([\w.\-]+)', line)[1], ()))
    lines += [x for called in re.findall(r'(?:calls|to_apply)=%?([\w.\-]+)', ' '.join(lines)) for x in bodies.get(called, ())]
    return max([int(n) for n in re.findall(r'[su]32\[\](?:\{[^}]*\})? constant\((\d+)\)', ' '.join(lines))], default=1)

  def walk(name: str, times: int) -> None:
    for line in bodies.get(name, ()):
      if one := COLLECTIVE.match(line):
        found.append(_collective(line, one, times))
      if ' while(' in line:
        walk(re.search(r'body=%?([\w.\-]+)', line)[1], times * turns(line))
        continue
      if 'fusion' in line or 'call(' in line or 'async' in line:
        for called in re.findall(r'(?:calls|to_apply|async_execution_thread_calls)=%?([\w.\-]+)', line):
          walk(called, times)
      branches = [name for group in re.findall(r'branch_computations=\{([^}]*)\}', line) for name in group.split(',')]
      for branch in [*branches, *re.findall(r'(?:true_computation|false_computation)=%?([\w.\-]+)', line)]:
        walk(branch.strip().lstrip('%'), times)

  walk(entry, 1)
  return found


def _collective(line: str, one: re.Match, times: int) -> Collective:
  results, kind, starts = one.groups()
  shapes = [(dtype, tuple(int(n) for n in dims.split(',') if n)) for dtype, dims in SHAPE.findall(results)]
  sizes = [SIZES[dtype] * math.prod(dims) for dtype, dims in shapes]
  size = float(sum(sizes))
  if starts and kind == 'all-gather':  # the start of an all-gather also returns its operand
    size -= min(sizes)
  elif starts and kind == 'collective-permute':
    size /= 2
  place = re.search(r'op_name="([^"]*)"', line)
  return Collective(times, kind, size, tuple(dims for _, dims in shapes), place[1] if place else '')


def total(found: list[Collective]) -> float:
  """Bytes per step and device."""
  return sum(one.times * one.size for one in found)
