"""jssl plan: what a training step takes on given devices."""

import json
import math
import os
import sys

from jssl.arguments import TPU_COMPILER


def run(arguments, overrides) -> None:
  # Modules that import JAX are imported here, after the variables that it reads are set.
  count = math.prod(arguments.mesh.values()) if arguments.mesh and not arguments.topology else None
  if (arguments.topology or count) and 'jax' not in sys.modules:  # JAX reads these variables when it is imported
    wanted = {'JAX_PLATFORMS': 'cpu', **(TPU_COMPILER if arguments.topology else {})}
    os.environ.update({name: value for name, value in wanted.items() if name not in os.environ})
    if count:
      os.environ['XLA_FLAGS'] = f'{os.environ.get("XLA_FLAGS", "")} --xla_force_host_platform_device_count={count}'
  import jax

  from jssl.adapt import adapt
  from jssl.commands.settings import of_data
  from jssl.configs import load_config
  from jssl.plans.compiled import describe, topology
  from jssl.plans.report import lines

  config = load_config(arguments.name, [*of_data(arguments.data), *overrides])
  adapt(config)
  if arguments.mesh:
    config.mesh = arguments.mesh
  devices = topology(arguments.topology) if arguments.topology else jax.devices()[:count]
  found = describe(config, devices, mfu=arguments.mfu, price=arguments.price)
  print(json.dumps(found) if arguments.json else '\n'.join(lines(found)))
