"""What a step costs over the bare forward and backward passes of its networks, on the same views.

    python experiments/bench_step.py [--system simclr] [--rounds 15]

Runs the two in turn and prints the medians, and the time to the first step with an empty and a filled compile cache.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp

from jssl import configs
from jssl.core import loop
from jssl.core.build import plan
from jssl.core.nets import bind, stats_of
from jssl.core.step import init_state, make_step
from jssl.options import option


def bare_passes(p):
  """Forward and backward of backbone and projector on views that are ready, as plainly as it can be written."""
  networks = {}
  from jssl.core import build

  # The networks are the plan's own: built once more, since a method does not show its insides.
  kept = build.make_method
  build.make_method = lambda nets, *a, **k: networks.update(nets) or kept(nets, *a, **k)
  try:
    plan(p.config)
  finally:
    build.make_method = kept

  def loss(params, stats, x):
    nets = bind(networks, params, stats)
    z = nets['projector'](nets['backbone'](x).pooled)
    return jnp.mean(z * z), stats_of(nets)

  return jax.jit(jax.value_and_grad(loss, has_aux=True))


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument('--system', default='simclr')
  parser.add_argument('--rounds', type=int, default=15)
  arguments = parser.parse_args()
  p = plan(configs.module(arguments.system).get_config())
  state = jax.jit(lambda: init_state(p.phases[0], jax.random.key(0)))()
  batch = jax.device_put(loop.open_source(p).batch(0))
  view = option('view', p.config['view'], 'views')
  views = jax.jit(view)(jax.random.split(jax.random.key(0), p.config['batch_size']), batch)
  x = jnp.concatenate(views)
  step, bare = jax.jit(make_step(p.phases[0])), bare_passes(p)
  draw = jax.jit(view)
  keys = jax.random.split(jax.random.key(0), p.config['batch_size'])
  runs = {
    'step': lambda: step(state, batch),
    'bare forward and backward': lambda: bare(state.params, state.state['stats'], x),
    'views': lambda: draw(keys, batch),
  }
  times = {name: [] for name in runs}
  for run in runs.values():
    jax.block_until_ready(run())
  for _ in range(arguments.rounds):
    for name, run in runs.items():
      began = time.perf_counter()
      jax.block_until_ready(run())
      times[name].append(time.perf_counter() - began)
  medians = {name: statistics.median(t) for name, t in times.items()}
  for name, t in medians.items():
    print(f'{name:28s} {1000 * t:7.1f} ms (least {1000 * min(times[name]):.1f})')
  print(f'step / bare = {medians["step"] / medians["bare forward and backward"]:.3f}')
  with tempfile.TemporaryDirectory() as cache:
    for name in ('empty', 'filled'):
      print(f'first step with an {name} compile cache: {first_step(arguments.system, cache):.1f} s')


def first_step(system: str, cache: str) -> float:
  """Seconds from the start of the process to the end of the first step."""
  code = 'import time; began = time.perf_counter()\nimport sys; from jssl import cli\ncli.main(sys.argv[1:]); '
  began = time.time()
  run = subprocess.run(
    [sys.executable, '-c', code, 'train', system, '--protocol', 'none', '--config.steps=1', '--workdir', f'{cache}/w{began}'],
    env={**__import__('os').environ, 'JAX_COMPILATION_CACHE_DIR': f'{cache}/xla'}, capture_output=True, text=True,
  )  # fmt: skip
  if run.returncode:
    raise RuntimeError(run.stderr)
  return time.time() - began


if __name__ == '__main__':
  main()
