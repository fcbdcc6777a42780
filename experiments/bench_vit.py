"""Images a second and MFU of SimCLR and MAE with a ViT-B/16 at 224 pixels, in bfloat16, on the devices that are here.

    python experiments/bench_vit.py [--batch 256] [--steps 20]     batch: images per device
    python experiments/bench_vit.py --tiny                         the same on a CPU, to see that it runs

The batch is drawn once and stays on the device: what is timed is the step, with views, loss and optimiser.
"""

import argparse
import json
import time

import jax
import numpy as np
from jax.sharding import NamedSharding

from jssl.configs import load_config
from jssl.core.build import plan
from jssl.core.mesh import BATCH, make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.devices.usage import usage
from jssl.plans.blank import stand_ins


def config(name: str, batch_size: int, tiny: bool):
  """The published scale of a system, with a ViT-B/16."""
  c = load_config(f'{name}:imagenet')
  c.batch_size, c.steps, c.evaluators = batch_size, 1000, {}
  with c.ignore_type():
    c.epochs, c.dtype = None, 'bfloat16'
  if name == 'simclr':
    c.backbone = dict(name='vit_base', patch=16, mask_token=False)
    c.optimizer = dict(name='adamw', learning_rate=1e-3, weight_decay=0.1)
  if tiny:
    c.backbone.name = 'vit_tiny'
  return c


def measure(name: str, batch_size: int, steps: int, tiny: bool) -> dict:
  mesh = make_mesh({})
  with stand_ins(), jax.set_mesh(mesh):
    p = plan(config(name, batch_size * mesh.size, tiny))
    programs = Programs(p, mesh)
    began = time.perf_counter()
    step, state = programs.step(0, 0), programs.start(seed_data(p))
    compiled = time.perf_counter() - began
    rng = np.random.default_rng(0)
    drawn = lambda x: rng.integers(0, 256, x.shape, x.dtype) if x.dtype == np.uint8 else np.zeros(x.shape, x.dtype)
    place = NamedSharding(mesh, BATCH)
    batch = {name: jax.device_put(drawn(x), place) for name, x in p.phases[0].batch.items()}
    for _ in range(2):
      state, metrics = step(state, batch)
    jax.block_until_ready(metrics)
    began = time.perf_counter()
    for _ in range(steps):
      state, metrics = step(state, batch)
    jax.block_until_ready(metrics)
    seconds = (time.perf_counter() - began) / steps
  images = p.config['batch_size'] / seconds
  found = dict(system=name, batch=p.config['batch_size'], step_seconds=seconds, images_a_second=images, compile_seconds=compiled)
  return found | dict(loss=float(metrics['loss'])) | usage(mesh, programs.operations[0, 0], seconds)


if __name__ == '__main__':
  parser = argparse.ArgumentParser()
  parser.add_argument('--batch', type=int, default=256)
  parser.add_argument('--steps', type=int, default=20)
  parser.add_argument('--tiny', action='store_true')
  arguments = parser.parse_args()
  given = (2, 1, True) if arguments.tiny else (arguments.batch, arguments.steps, False)
  device = jax.devices()[0]
  print(f'{jax.device_count()} {device.device_kind}, jax {jax.__version__}')
  for system in ('simclr', 'mae'):
    print(json.dumps(measure(system, *given)), flush=True)
