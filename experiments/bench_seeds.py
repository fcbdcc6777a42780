"""Whether the seeds of a claim are quicker one after the other, with one program, or side by side as one program.

    python experiments/bench_seeds.py simclr missing_mmd symile [--seeds 5] [--steps 20]

Writes experiments/seeds.json: system -> milliseconds a step of all seeds, in turn and as one, and the seconds to compile each.
The ledger runs seeds in turn; `processes.workers` spreads them over cores.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import jax
import jax.numpy as jnp

from jssl.core import loop
from jssl.core.step import init_state, make_step
from jssl.run import load_config, plan, versions

OUT = Path(__file__).with_name('seeds.json')


def measure(name: str, seeds: int, steps: int) -> dict[str, float]:
  """Of the first phase of a system."""
  p = plan(load_config(name))
  batch = jax.device_put(loop.open_source(p).batch(0))
  keys = jax.vmap(jax.random.key)(jnp.arange(seeds))
  states = jax.jit(jax.vmap(lambda key: init_state(p.phases[0], key)))(keys)
  batches = jax.tree.map(lambda x: jnp.stack([x] * seeds), batch)
  each = [jax.tree.map(lambda x, i=i: x[i], states) for i in range(seeds)]
  step, found = make_step(p.phases[0]), {}
  programs = dict(
    in_turn=(jax.jit(step), lambda run: [run(state, batch) for state in each]),
    as_one=(jax.jit(jax.vmap(step)), lambda run: run(states, batches)),
  )
  for how, (jitted, run) in programs.items():
    began = time.perf_counter()
    jax.block_until_ready(run(jitted))
    found[f'{how}_first'] = round(time.perf_counter() - began, 2)
  times = {how: [] for how in programs}
  for _ in range(steps):
    for how, (jitted, run) in programs.items():  # by turns, so that other work on the machine slows both
      began = time.perf_counter()
      jax.block_until_ready(run(jitted))
      times[how].append(time.perf_counter() - began)
  return found | {how: round(1000 * statistics.median(t), 2) for how, t in times.items()}


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument('systems', nargs='+')
  parser.add_argument('--seeds', type=int, default=5)
  parser.add_argument('--steps', type=int, default=20)
  arguments = parser.parse_args()
  held = json.loads(OUT.read_text()) if OUT.exists() else {}
  for name in arguments.systems:
    found = measure(name, arguments.seeds, arguments.steps)
    held[name] = dict(seeds=arguments.seeds, platform=jax.default_backend(), **found, ratio=round(found['as_one'] / found['in_turn'], 2))
    print(f'{name}: {held[name]}', flush=True)
  OUT.write_text(json.dumps(held | {'versions': versions()}, indent=1) + '\n')


if __name__ == '__main__':
  main()
