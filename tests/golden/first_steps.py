"""Loss and gradient of every trained system, and of the variants of its claim, on a fixed batch: what a rebuilding must not change.

    python -m tests.golden.first_steps               compares with first_steps.json, and says how far each is off
    python -m tests.golden.first_steps --write       writes it anew
    python -m tests.golden.first_steps simclr dino   some systems alone

Each system is at the scale `tiny`. Its loss and gradient are taken twice from the same start, at the first step and at the
last, where what trains later does. Of each gradient the file keeps, per parameter, a hash of its bits, its norm and its inner
products with four fixed random vectors, from which the distance to another gradient can be told without keeping it whole.
"""

import argparse
import hashlib
import json
import multiprocessing
from pathlib import Path
from typing import Any

import jax
import numpy as np

import tests.conftest  # noqa: F401  the flags that the tests compile with
from jssl import configs, run, testing
from jssl.core.build import plan
from jssl.errors import DataError

FILE = Path(__file__).with_suffix('.json')
PROJECTIONS = 4


def cases(name: str) -> dict[str, list[str]]:
  """The system and its variants, each with the settings that make it."""
  claim = run.load_config(f'{name}:tiny').get('claim') or {}
  return {name: []} | {f'{name}/{variant}': list(settings) for variant, settings in claim.get('variants', {}).items()}


def measure(name: str, settings: list[str]) -> dict[str, Any]:
  """Loss and digests of the gradient, at the first step and at the last."""
  p = plan(run.load_config(f'{name}:tiny', settings))
  params, state = jax.jit(lambda: p.method.init(jax.random.key(0)))()
  found = {'init': digest(params)}
  for step in (0, p.steps - 1):
    phase = p.at(step)
    of = phase.turns[phase.turn(step)].method
    if phase.first:
      _, state = jax.jit(of.enter)(params, state, jax.random.key(0))
    batch = testing.first_batch(p, p.phases.index(phase), (params, state))
    grad = jax.jit(jax.value_and_grad(of.loss, has_aux=True))
    (loss, _), grads = grad(params, state, batch, jax.random.key(1), np.int32(step - phase.first))
    trained = {name: grads[name] for name in phase.turns[phase.turn(step)].trained}
    found[f'step {step}'] = dict(loss=float(loss), grad=digest(trained))
  return found


def digest(tree: Any) -> dict[str, list]:
  found = {}
  for path, x in jax.tree_util.tree_leaves_with_path(tree):
    name, x = jax.tree_util.keystr(path, simple=True, separator='/'), np.asarray(x)
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], 'little'))
    flat = np.ravel(x).astype(np.float64)
    bits = hashlib.sha256(np.ascontiguousarray(x + 0.0).tobytes()).hexdigest()[:12]  # + 0.0: no -0.0
    found[name] = [bits, float(np.linalg.norm(flat)), *(rng.standard_normal((PROJECTIONS, flat.size)) @ flat).tolist()]
  return found


def distance(a: dict[str, list], b: dict[str, list]) -> float:
  """The norm of the difference over the norm of `a`, by the projections; of what only one has, by its norm."""
  square = 0.0
  for name in {*a, *b}:
    if name in a and name in b:
      if a[name][0] != b[name][0]:
        square += float(np.mean((np.asarray(a[name][2:]) - np.asarray(b[name][2:])) ** 2))
    else:  # a frozen network has no gradient any more; it was 0
      square += (a.get(name) or b[name])[1] ** 2
  return float(np.sqrt(square) / max(np.sqrt(sum(x[1] ** 2 for x in a.values())), 1e-30))


def compare(old: dict[str, Any], new: dict[str, Any]) -> dict[str, float]:
  """Relative differences; 0 where every bit is the same."""
  off = {'init': distance(old['init'], new['init'])}
  for step in [key for key in old if key != 'init']:
    a, b = old[step], new[step]
    off[f'{step} loss'] = abs(a['loss'] - b['loss']) / max(abs(a['loss']), 1e-30)
    off[f'{step} grad'] = distance(a['grad'], b['grad'])
  return off


def work(name: str) -> dict[str, Any]:
  found = {}
  for case, settings in cases(name).items():
    try:
      found[case] = measure(case.split('/')[0], settings)
    except DataError as error:
      found[case] = dict(error=f'no data: {error}')
    except Exception as error:
      found[case] = dict(error=f'{type(error).__name__}: {error}'[:500])
  jax.clear_caches()
  return found


def trained() -> list[str]:
  return [name for name in sorted(configs.names()) if run.load_config(name).get('losses')]


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('names', nargs='*')
  parser.add_argument('--write', action='store_true')
  parser.add_argument('--jobs', type=int, default=2)
  args = parser.parse_args()
  held = json.loads(FILE.read_text()) if FILE.exists() else {}
  found, worst = {}, 0.0
  with multiprocessing.get_context('spawn').Pool(args.jobs) as pool:
    for of in pool.imap(work, args.names or trained()):
      for case, new in of.items():
        found[case] = new
        if 'error' in new:
          print(f'{case:40} {new["error"]}', flush=True)
        elif case in held:
          off = compare(held[case], new)
          worst = max(worst, *off.values())
          said = ', '.join(f'{k} {v:.1e}' for k, v in off.items() if v)
          print(f'{case:40} {said or "the same bits"}', flush=True)
        else:
          print(f'{case:40} new', flush=True)
  if args.write:
    kept = {**held, **found} if args.names else found
    FILE.write_text('{\n' + ',\n'.join(f'{json.dumps(k)}: {json.dumps(v)}' for k, v in sorted(kept.items()) if 'error' not in v) + '\n}\n')
  print(f'the largest relative difference is {worst:.1e}')


if __name__ == '__main__':
  main()
