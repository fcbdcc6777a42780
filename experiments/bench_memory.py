"""Memory and time of the contrastive objectives with their gradient, all pairs at once and in chunks.

    python experiments/bench_memory.py --batch 4096 32768 --chunk 256 --time-up-to 4096

Memory is read off the compiled program, which need not run; time is the median of runs by turns. Several devices,
simulated ones among them, share the batch, and the figures are then those of one device:

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python experiments/bench_memory.py --time-up-to 0
"""

import argparse
import inspect
import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jssl.ops.pairwise import AXES
from jssl.tables import OBJECTIVES

CHUNKED = [name for name, f in OBJECTIVES.items() if 'chunk' in inspect.signature(f).parameters]
SYMMETRIC = ('nt_xent', 'info_nce')  # also run both ways, as in SimCLR and CLIP


def program(name, batch, dim, chunk, both=False):
  """The mean loss and its gradient, compiled, and arguments for it."""
  options = {} if chunk is None else dict(chunk=chunk)
  needs = inspect.signature(OBJECTIVES[name]).parameters
  x = jax.random.normal(jax.random.key(0), (3, batch, dim))
  columns = {n: x[2] for n in ('negatives', 'support') if n in needs}
  if 'labels' in needs:
    columns['labels'] = jnp.arange(batch) // 4
  place = NamedSharding(jax.sharding.get_mesh(), PartitionSpec(AXES))
  arguments = jax.device_put((x[0], x[0] + x[1], columns), place)

  def loss(q, k, columns):
    objective = partial(OBJECTIVES[name], **columns, **options)
    one_way = jnp.mean(objective(q, k))
    return (one_way + jnp.mean(objective(k, q))) / 2 if both else one_way

  run = jax.jit(jax.value_and_grad(loss, (0, 1)), out_shardings=(None, (place, place)))
  return run.lower(*arguments).compile(), arguments


def seconds(programs, repeats):
  """The median time of each program, run by turns."""
  times = [[] for _ in programs]
  for turn in range(repeats + 1):
    for found, (run, arguments) in zip(times, programs, strict=True):
      start = time.perf_counter()
      jax.block_until_ready(run(*arguments))
      if turn:
        found.append(time.perf_counter() - start)
  return [statistics.median(t) for t in times]


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--objectives', nargs='+', default=CHUNKED, choices=CHUNKED)
  parser.add_argument('--batch', nargs='+', type=int, default=[4096, 32768])
  parser.add_argument('--dim', type=int, default=256)
  parser.add_argument('--chunk', nargs='+', type=int, default=[256])
  parser.add_argument('--repeats', type=int, default=7)
  parser.add_argument('--time-up-to', type=int, default=4096, help='larger batches are compiled but not run')
  args = parser.parse_args()
  ways = [(name, False) for name in args.objectives] + [(name, True) for name in args.objectives if name in SYMMETRIC]
  mesh = jax.make_mesh((jax.device_count(), 1), AXES, axis_types=(AxisType.Auto,) * 2)
  print(f'{"objective":<24}{"form":<14}{"B":>8}{"temp MiB":>12}{"time s":>10}{"relative":>10}')
  with jax.set_mesh(mesh):
    for name, both in ways:
      for batch in args.batch:
        forms = [None, *args.chunk]
        programs = [program(name, batch, args.dim, chunk, both) for chunk in forms]
        took = seconds(programs, args.repeats) if batch <= args.time_up_to else None
        for i, (chunk, (run, _)) in enumerate(zip(forms, programs, strict=True)):
          memory = run.memory_analysis().temp_size_in_bytes / 2**20
          timing = f'{took[i]:>10.3f}{took[i] / took[0]:>10.2f}' if took else f'{"":>20}'
          form = 'plain' if chunk is None else f'chunk {chunk}'
          print(f'{name + " both ways" * both:<24}{form:<14}{batch:>8}{memory:>12.1f}{timing}', flush=True)


if __name__ == '__main__':
  main()
