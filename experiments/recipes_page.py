"""Measures what published scales take, from shapes alone, into experiments/recipes.json, and writes docs/recipes.md from it.

python experiments/recipes_page.py [NAME:SCALE ...]     all by default; --page measures none
"""

import argparse
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import jax  # noqa: E402 - which reads that

from jssl import configs  # noqa: E402
from jssl.configs import load_config  # noqa: E402
from jssl.core.build import plan  # noqa: E402
from jssl.core.mesh import make_mesh  # noqa: E402
from jssl.core.programs import Programs  # noqa: E402
from jssl.plans.blank import STAND_INS, stand_ins  # noqa: E402
from jssl.plans.estimate import MFU, estimate  # noqa: E402
from jssl.plans.report import count, size_of  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
# Peak dense operations per second in half precision, from data sheets; of a TPU v3 core, half of its chip.
PEAKS = {'V100': 125e12, 'A100': 312e12, 'H100': 989e12, 'TPU v3': 61.5e12, 'TPU v4': 275e12, '2080 Ti': 53.8e12, '3090': 71e12}
INTRODUCTION = """\
# Recipes

The published scales of all systems: the papers' own settings at full size, as `jssl train NAME:SCALE` runs them. None has been run here: all
are planned, and the figures are those of the sources below. Made by `experiments/recipes_page.py` from the configs and from shapes.

- **parameters** of all trained networks, heads included.
- **TFLOP a step**: products and convolutions of the forward and the backward pass and of teachers, over the whole batch.
- **memory**: of one device of the stated hardware, with its share of the batch and all parameters, in float32, as `jssl plan` estimates it
  without compiling. The published runs mostly compute in half precision. For convolutional networks, whose elementwise operations compilers
  fuse, it is up to five times too high.
- **hours**: at a utilisation (MFU) of 40 % of the peak of the stated hardware in half precision, beside the published hours, which include
  the loading of data and may include evaluation. A dash stands for what is not published, or for hardware that is not named or is
  that of fine-tuning alone, as are the published hours there.
- **compiled**: memory of one device in the executable for a TPU topology (`experiments/pod.py`), sharded by `fsdp`."""


def published() -> Iterator[tuple[str, Mapping[str, Any]]]:
  """'system:scale' and what is published of it."""
  for name in sorted(configs.names()):
    for scale, row in getattr(configs.module(name), 'PUBLISHED', {}).items():
      yield f'{name}:{scale}', row


def devices(hardware: str | None) -> int | None:
  """The number of devices that a text names: 'one V100', '8 V100 GPUs', '4 nodes of 8 GPUs'; None if it names none, or those of fine-tuning."""
  if 'fine-tuning' in (hardware or ''):
    return None
  found = re.match(r'(\d+|one )(?: nodes of (\d+))?', hardware or '')
  return int(found[1].replace('one ', '1')) * int(found[2] or 1) if found else None


def measure(name: str, hardware: str | None) -> dict[str, Any]:
  """What a recipe takes: a device has its share of the batch, the first phase stands for all steps. Empty without data in place of its own."""
  with stand_ins():
    c = load_config(name)
    if c.data.name not in STAND_INS['data']:
      return {}
    whole = plan(c)
    c.batch_size //= devices(hardware) or 1
    p, mesh = plan(c), make_mesh({}, jax.devices()[:1])
    with jax.set_mesh(mesh):
      found = estimate(p, Programs(p, mesh))
  operations = found.operations * whole.config['batch_size'] / c.batch_size
  return dict(parameters=found.parameters, operations=operations, steps=whole.steps, memory=found.state + found.temporary)


def hours(taken: Mapping[str, Any], hardware: str | None) -> float | None:
  """At the assumed utilisation; None for hardware without a known peak."""
  peak, n = next((peak for chip, peak in PEAKS.items() if chip in (hardware or '')), None), devices(hardware)
  return taken['operations'] * taken['steps'] / (MFU * peak * n) / 3600 if taken and peak and n else None


def compiled() -> dict[str, str]:
  """Memory of a device for a topology, by recipe, where experiments/pod.json has that recipe."""
  rows = json.loads((ROOT / 'experiments' / 'pod.json').read_text())
  keyed = {key.split()[0]: (key.split()[1], row) for key, row in rows.items() if ':' in key.split()[0]}
  return {name: f'{size_of(row["state"] + row["temporary"])} on {where}' for name, (where, row) in keyed.items()}


def page(measured: Mapping[str, Mapping[str, Any]]) -> str:
  at, told = compiled(), lambda show, x: '–' if x is None else show(x)
  short = lambda x: f'{x:,.0f}' if x >= 10 else f'{x:.1f}'
  titles = ('recipe', 'published', 'state', 'parameters', 'steps', 'TFLOP a step', 'hardware', 'memory', 'hours', 'published hours', 'compiled')
  lines = [INTRODUCTION, '', f'| {" | ".join(titles)} |', '|---' * len(titles) + '|']
  for name, of in published():
    taken, hardware = measured.get(name, {}), of['hardware']
    cells = (
      f'`{name}`', f'{of["metric"]} {told("{:.4g}".format, of["value"])}', 'planned', told(count, taken.get('parameters')),
      told('{:,}'.format, taken.get('steps')), told(lambda x: short(x / 1e12), taken.get('operations')), hardware or '–',
      told(size_of, taken.get('memory') if devices(hardware) else None), told(short, hours(taken, hardware)), told(short, of['hours']),
      at.get(name, '–'),
    )  # fmt: skip
    lines.append(f'| {" | ".join(cells)} |')
  lines += ['', '## Sources', '', *(f'- `{name}`: {of["source"]}' for name, of in published())]
  return '\n'.join(lines) + '\n'


if __name__ == '__main__':
  parser = argparse.ArgumentParser()
  parser.add_argument('names', nargs='*', help='recipes to measure, all by default')
  parser.add_argument('--page', action='store_true', help='write the page from what has been measured')
  arguments = parser.parse_args()
  kept = ROOT / 'experiments' / 'recipes.json'
  measured = json.loads(kept.read_text()) if kept.exists() else {}
  for name, of in () if arguments.page else published():
    if name in (arguments.names or [name]):
      measured[name] = measure(name, of['hardware'])
      print(name, measured[name], flush=True)
      kept.write_text(json.dumps(measured, indent=1) + '\n')
  (ROOT / 'docs' / 'recipes.md').write_text(page(measured))
