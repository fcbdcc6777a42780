"""Measures every system by every contract on eight simulated devices, and writes docs/exactness.md from what it finds.

    python experiments/exactness.py [NAME...] [--again] [--render]

Each system is at the scale `tiny`. Results go into experiments/exactness.json as they come; a system that is there, and
whose code has not changed, is not measured again. --render writes the page alone. Ends with 1 where an error is above the bound
and REASONS does not say why.
"""

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import tests.conftest  # noqa: E402, F401  the tests' flags, before jax is imported

import jax  # noqa: E402  # isort: skip
from jssl import configs, testing  # noqa: E402
from jssl.core import loop  # noqa: E402
from jssl.core.build import plan  # noqa: E402
from jssl.ledger import records  # noqa: E402
from tests.made import tiny  # noqa: E402

OUT, PAGE = Path(__file__).with_suffix('.json'), ROOT / 'docs' / 'exactness.md'
KILLS = Path(__file__).with_name('kill.json')
THREE = dict(data=2, fsdp=2, tensor=2)
LAYOUTS = {
  '8 devices': testing.Layout(),
  'fsdp': testing.Layout(dict(data=1, fsdp=8), 'fsdp'),
  'fsdp_tp': testing.Layout(THREE, 'fsdp_tp'),
}
SEQUENCE = {'sequence': testing.Layout(dict(data=4, sequence=2))}  # for those that have transformers
MICRO_BATCHES = (2, 4)
# system -> why one of its errors is above the bound, by its nature
REASONS: dict[str, str] = {}
INTRODUCTION = """\
This page compares the loss and the gradient of one training step on several devices, and in micro-batches, with those of one device and one
batch. The bound for the relative error |a - b| / |a|, over all parameters, is {bound}. Above the bound: {systems}.

Measured by `experiments/exactness.py` on small networks with a batch of 16, in float32, with JAX {jax} on {devices} simulated CPU devices.
Each device has different examples. Cells are the errors of the loss and of the gradient.

| column | meaning |
|---|---|
| 8 devices | data parallelism |
| fsdp | parameters sharded over 8 devices |
| fsdp tp | data 2 x fsdp 2 x tensor 2 |
| sequence | tokens of transformers sharded over 2 devices, examples over 4 |
| micro batches | 2 or 4 micro-batches on one device |
| compilations | of the step, in a run of three steps on data 2 x fsdp 2 x tensor 2 |

Batch normalisation computes the statistics of each micro-batch separately. For systems with it, micro-batches are compared with the same
computation without recomputation."""


def measure(name: str) -> dict:
  """A system's errors by contract, and how often its step was compiled in a run of three steps on data x fsdp x tensor."""
  began = time.perf_counter()
  config = tiny(name)
  method = plan(config).method
  params, _ = jax.eval_shape(lambda: method.init(jax.random.key(0)))
  tokens = any('blocks' in network for network in params.values())
  cells = dict(testing.measure(config, layouts={**LAYOUTS, **(SEQUENCE if tokens else {})}, micro_batches=MICRO_BATCHES))
  p = plan({**config, 'steps': 3, 'mesh': THREE, 'rules': 'fsdp_tp', 'log_every': 1})
  trained = loop.run(p, loop.open_source(p), quiet=True)
  state = trained.train.state
  parts = {'batch norm': state['stats'], 'teacher': state['target'], 'memory': state['memories']}
  has = [word for word, x in parts.items() if jax.tree.leaves(x)]
  programs = sum(len(phase.turns) for phase in p.phases)
  return dict(has=has, cells=cells, compiles=trained.compiles, programs=programs, seconds=round(time.perf_counter() - began, 1))


def missed(name: str, found: dict) -> str:
  """What of a system is above the bound, in words; '' where nothing is."""
  if 'error' in found:
    return found['error']
  over = [f'{cell}: {of} {x:.0e}' for cell, errors in found['cells'].items() for of, x in errors.items() if not x <= testing.TOLERANCE]
  programs = found.get('programs', 1)  # early records, which do not have it, are of systems with one
  over += [f'{found["compiles"]} compilations'] if found['compiles'] != programs else []
  return ', '.join(over)


def render(record: dict) -> str:
  over = sum(bool(missed(name, found)) for name, found in record.items())
  columns = [*LAYOUTS, *SEQUENCE, *(f'micro_batches_{n}' for n in MICRO_BATCHES)]
  lines = [
    '# Exactness, measured',
    '',
    INTRODUCTION.format(
      bound=f'{testing.TOLERANCE:.0e}',
      systems=f'{over or "none"} of the {len(record)} systems measured',
      jax=jax.__version__,
      devices=jax.device_count(),
    ),
    '',
    '| system | has | ' + ' | '.join(c.replace('_', ' ') for c in columns) + ' | compilations |',
    '|---|---|' + '---|' * (len(columns) + 1),
  ]
  for name, found in sorted(record.items()):
    if 'error' not in found:
      cells = [f'{e["loss"]:.0e}, {e["grad"]:.0e}' if e else '' for e in map(found['cells'].get, columns)]
      lines.append(f'| {name} | {", ".join(found["has"])} | ' + ' | '.join(cells) + f' | {found["compiles"]} |')
  lines += ['', '## Above the bound', ''] if over else []
  reported = {name: missed(name, found) for name, found in sorted(record.items())}
  lines += [f'- {name}: {what}. {REASONS.get(name, "No reason is known.")}' for name, what in reported.items() if what]
  if KILLS.exists():
    lines += ['', *kills(json.loads(KILLS.read_text()))]
  return '\n'.join(lines) + '\n'


def kills(record: dict) -> list[str]:
  """What experiments/kill.py found."""
  found = record['kills']
  same = [not k['arrays_that_differ'] and k['same_figures'] for k in found]
  steps = sorted(k['step'] for k in found)
  lines = [
    '## Killed and resumed runs',
    '',
    f'A run with a queue, a teacher, batch normalisation and the health panel was killed at {len(found)} random moments, in steps',
    f'{steps[0]} to {steps[-1]}, and started again. {sum(k["unfinished"] > 0 for k in found)} times a checkpoint was being written.',
    f'{sum(same)} of {len(found)} runs ended in the bits of the uninterrupted run, in all {found[0]["arrays"]} arrays and all logged',
    'figures. Measured by `experiments/kill.py`.',
    '',
    'The same checkpoint resumed on other numbers of devices:',
    '',
    '| devices | steps | examples and order | largest relative error of the loss |',
    '|---|---|---|---|',
  ]
  return lines + [
    f'| {d["devices"]} | {d["steps"]} | {"the same" if d["same_examples"] else "others"} | {d["loss"]:.1e} |' for d in record['devices']
  ]


def main() -> int:
  parser = argparse.ArgumentParser()
  parser.add_argument('names', nargs='*')
  parser.add_argument('--again', action='store_true')
  parser.add_argument('--render', action='store_true')
  arguments = parser.parse_args()
  record = json.loads(OUT.read_text()) if OUT.exists() else {}
  record = {name: found for name, found in record.items() if name in configs.names()}
  for name in [] if arguments.render else arguments.names or sorted(configs.names()):
    config = configs.module(name).get_config().to_dict()
    code = records.code_hash(config)
    known = record.get(name, {})
    if not config.get('losses') or (not arguments.again and known.get('code') == code and 'error' not in known):
      continue  # nothing is trained, or only in a loop of its own, or it is known
    try:
      found = measure(name)
    except Exception as error:  # one system that fails is a line of the page, and not the end of the others
      text = ' '.join(str(error).replace(f'{ROOT}/', '').split())
      found = dict(error=f'{type(error).__name__}: {text[:200]}')
    record[name] = found | dict(code=code)
    OUT.write_text(json.dumps(dict(sorted(record.items())), indent=1) + '\n')
    print(f'{name}: {missed(name, found) or "all within the bound"} ({found.get("seconds")} s)', flush=True)
    jax.clear_caches()
  PAGE.write_text(render(record))
  return int(any(missed(name, found) and name not in REASONS for name, found in record.items()))


if __name__ == '__main__':
  sys.exit(main())
