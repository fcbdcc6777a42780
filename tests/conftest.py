"""Eight simulated devices, one compile cache for all runs, and the tests that take turns."""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

import pytest

FLAGS = [
  '--xla_force_host_platform_device_count=8',
  # What is tested is what is computed, not how fast: unoptimised code compiles in a third of the time.
  '--xla_backend_optimization_level=0',
  # With fewer cores than devices, collectives that this scheduler starts side by side can wait for each other for ever.
  '--xla_cpu_enable_concurrency_optimized_scheduler=false',
]
if version('jaxlib').startswith('0.10.'):  # later ones do not know it, and end
  FLAGS.append('--xla_cpu_use_fusion_emitters=false')  # halves that time again
  FLAGS += ['--xla_cpu_parallel_codegen_split_count=1', '--xla_llvm_disable_expensive_passes=true']  # and these take a quarter of the rest
os.environ.setdefault('XLA_FLAGS', ' '.join(FLAGS))
# Threads of XLA, as many as there are cores unless this is set: with fewer, two collectives that do not depend on each other can each hold
# threads that the other waits for, and the process is aborted.
os.environ.setdefault('NPROC', '32')
os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(Path.home() / '.cache' / 'jssl' / 'xla'))
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')


def pytest_configure(config):
  from tests.contracts import plugin

  plugin.pytest_configure(config)


def pytest_collection_modifyitems(config, items):
  """Of the tests that are marked as rotating, one in six runs; which ones follows from the sources. `-m rotating` runs them all."""
  if config.option.markexpr == '' or 'rotating' in config.option.markexpr:
    return
  from tests.contracts import cases

  for item in items:
    drawn = int(hashlib.sha256(f'{cases.tree()} {item.nodeid}'.encode()).hexdigest(), 16) % 6 == 0
    if item.get_closest_marker('rotating') and not drawn:
      item.add_marker(pytest.mark.skip(reason="it is another one's turn; -m '' runs it"))


@pytest.fixture(autouse=True, scope='module')
def _forget():
  """Programs of a module of tests go with it: thousands of them in one process use up its memory maps."""
  yield
  import jax

  jax.clear_caches()


@pytest.fixture(autouse=True, scope='session')
def _quick_maps():
  """Maps of runs are drawn after a few steps of t-SNE, which is slow in unoptimised code. tests/evaluators/test_picture.py runs all steps."""
  from functools import partial

  from jssl.pictures import embedding

  whole, embedding.tsne = embedding.tsne, partial(embedding.tsne, steps=5, exaggerated=2)
  yield
  embedding.tsne = whole
