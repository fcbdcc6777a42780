"""Damages configs, or the circumstances of runs, at random, and sees that each works or is refused in one clear line.

    python experiments/mutate.py --count 10000              # configs, in one process: built and traced
    python experiments/mutate.py --end-to-end --count 300   # the command line, in processes of its own

Seeds come from the commit, so that each draws new ones. Prints what was built, what was refused, and every other end grouped by
its kind and place, with the seed that repeats it:

    python experiments/mutate.py --count 1 --seed SEED
"""

import argparse
import copy
import functools
import random
import signal
import subprocess
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from jssl import configs
from jssl.core import build
from jssl.core.build import Plan, plan
from jssl.errors import ConfigError, DataError
from jssl.run import load_config
from jssl.tables import TABLES

ROOT = Path(__file__).resolve().parents[1]
VALUES = (
  None, True, False, 0, 1, -1, 3, 10**6, 2**40, 0.0, 0.5, -0.5, 1e-30, 1e30, float('nan'), float('inf'), '', 'x', '10%', '-5%', '3 epochs',
  'backbone', 'data.image', (), (1,), (0, 1), (1, 'x'), [], [[]], {}, {'x': 1}, {'name': None}, {'name': 3}, {'name': ''}, {'name': 'mlp'},
  {'name': 'cosine'}, {'name': 'cosine', 'peak': 'x'}, {'name': {'name': 'mlp'}}, b'x', object(), len,
)  # fmt: skip
SIZES = (
  0, -1, 1, 2, 3, 5, 7, 1000, 2**31, 2**63, 10**30, 1.0, 2.5, float('nan'), float('inf'), True, None, '3', (), (3,), (0, 0), (-1, 2),
)  # fmt: skip
SECONDS = 60  # a config that takes longer hangs


def places(at: Any, path: tuple = ()) -> Iterator[tuple]:
  """Every key in a config, nested ones too."""
  for key, value in at.items():
    yield (*path, key)
    if isinstance(value, dict):
      yield from places(value, (*path, key))


def mutate(config: dict, others: list[dict], chance: random.Random) -> list[str]:
  """Damages a config in place, once to three times; what was done."""
  done = []
  for _ in range(chance.choice((1, 1, 1, 2, 3))):
    path = chance.choice(list(places(config)))
    at = config
    for key in path[:-1]:
      at = at[key]
    key, place = path[-1], '.'.join(map(str, path))
    kind = chance.choice(DAMAGES)
    at = config if kind is begin else at
    kind(at, key, others, chance)
    done.append(f'{kind.__name__} {place}')
    if not config:
      break
  return done


def replace(at, key, others, chance):
  at[key] = copy.deepcopy(chance.choice(VALUES))


def remove(at, key, others, chance):
  del at[key]


def misspell(at, key, others, chance):
  letters = list(str(key))
  letters.insert(chance.randrange(len(letters) + 1), chance.choice('aeiou_.'))
  at[''.join(letters)] = at.pop(key)


def add(at, key, others, chance):
  inner = at[key] if isinstance(at[key], dict) else at
  inner[chance.choice(('name', 'x', 'on', 'weight', 'heads', 'rngs', 'steps', 'epoch', 3, None))] = copy.deepcopy(chance.choice(VALUES))


def nest(at, key, others, chance):
  at[key] = chance.choice(({key: at[key]}, (at[key],), {'name': at[key]}, {'name': 'constant', 'value': at[key]}))


def rename(at, key, others, chance):
  inner = at[key] if isinstance(at[key], dict) else at
  inner['name'] = chance.choice(sorted(TABLES[chance.choice(sorted(TABLES))]))


def scale(at, key, others, chance):
  if isinstance(at[key], int | float):
    at[key] = at[key] * chance.choice((-1, 0, 0.5, 2, 7, 1000, 1e-9))
  elif isinstance(at[key], tuple | list):
    at[key] = chance.choice((at[key][:-1], (*at[key], *at[key]), at[key][::-1], at[key][:1] and at[key][0]))


def resize(at, key, others, chance):
  """Another size, count, rate or seed of what has one: too small for the data, one off, negative, huge, of another type."""
  numbers = [k for k, value in at.items() if isinstance(value, int | float | tuple) and not isinstance(value, bool)]
  key = chance.choice(numbers or [key])
  near = at[key] + chance.choice((-1, 1)) if isinstance(at[key], int | float) else at[key][:-1] if isinstance(at[key], tuple) else None
  at[key] = chance.choice((near, near, near, *SIZES))


def graft(at, key, others, chance):
  """A part of another system's config."""
  other = chance.choice(others)
  path = chance.choice([p for p in places(other) if p[-1] == key] or list(places(other)))
  for step in path:
    other = other[step]
  at[key] = copy.deepcopy(other)


def begin(at, key, others, chance):
  """What networks begin with, what of them is trained and what is done to their weights; sound for many systems, or not."""
  of = chance.choice((('backbone',), ('backbone.*',), ('backbone.blocks[:1]',), ('*',), ('head',), ('projector',), ('x',), 'backbone', ()))
  option = chance.choice(('lora', 'masks', 'freeze', 'train', 'start'))
  at[option] = chance.choice((
    *dict(
      lora=(dict(rank=chance.choice((1, 2, 10**6)), of=of), dict(rank=2, of=of, alpha=chance.choice(VALUES)), dict(of=of)),
      masks=(dict(keep=chance.choice((0.5, 1, 0, 2, None)), of=of),), freeze=(of,), train=(of,),
      start=(dict(of=chance.choice(('nowhere', '', 3))), dict(backbone='backbone'), dict(backbone='x'), dict(teacher='student')),
    )[option],
    copy.deepcopy(chance.choice(VALUES)),
  ))  # fmt: skip


def recipe(at, key, others, chance):
  """What papers' recipes say of training; sound for many systems, or not."""
  some = lambda *sound: chance.choice((*sound, copy.deepcopy(chance.choice(VALUES))))
  ramp = dict(
    name=chance.choice(('cosine', 'linear_decay', 'rsqrt', 'steps', 'rise')), peak=some(1e-3), warmup=some('10%', '1 epoch'), start=some(0.0)
  )
  of = chance.choice(('backbone', ('backbone', '*.bias'), '*.scale', 'backbone.blocks', 'x', '*', ''))
  options = dict(
    parts=some((dict(of=of, rate=some(0.1, 0.0)),), (dict(of=of, until=some('1 epoch', 3), decay=some(1.0)),), (dict(of=of),)),
    layer_decay=some(0.75), clip_each=some(1.0), per=some(256), mu_dtype=some('bfloat16'), eps=some(1e-6), weight_decay=some(0.1, ramp),
    learning_rate=ramp, momentum=some(0.9, ramp), form=some('byol', 'larc'), trust_clip=some(True),
  )  # fmt: skip
  chosen = {name: options[name] for name in chance.sample(sorted(options), chance.choice((1, 1, 2)))}
  option = chance.choice(('optimizer', 'optimizer', 'dtype', 'evaluate_every', 'curves'))
  at[option] = dict(
    optimizer=dict(name=chance.choice(('adamw', 'sgd', 'lars', 'lamb', 'adagrad')), learning_rate=1e-3) | chosen,
    dtype=some('bfloat16', 'float16'), evaluate_every=some('10%', 1),
    curves=some(dict(best=some('knn_top1', 'x')), dict(protocols=some(('knn',), ('x',))), dict(rows=some(100, 1))),
  )[option]  # fmt: skip


DAMAGES = (begin, recipe, replace, replace, replace, remove, misspell, add, nest, rename, scale, resize, resize, resize, graft)


class Late(BaseException):
  """No Exception, so that nothing on the way turns it into a refusal."""


def judge(config: dict, traced: bool = True) -> tuple[str, str]:
  """How it ended: ('built' or 'refused', message), or the exception and where it was raised."""

  def late(*_):
    raise Late

  stage = ''
  before = signal.signal(signal.SIGALRM, late)
  signal.alarm(SECONDS)
  try:
    made = plan(config)
    stage = 'traced '
    if traced:
      trace(made)
    return 'built', ''
  except (ConfigError, DataError) as error:
    text = str(error)
    return ('refused', text) if text.strip() and '\n' not in text and len(text) < 1000 else ('refused unclearly', text)
  except Late:
    return f'{stage}hangs', traceback.format_exc(limit=-3)
  except BaseException as error:
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((f for f in reversed(frames) if '/jssl/' in f.filename), frames[-1])  # ours, where a library raises
    return f'{stage}{type(error).__name__} at {"/".join(frame.filename.split("/")[-2:])}:{frame.lineno}', str(error)[:300]
  finally:
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def trace(made: Plan) -> None:
  """Initialisation and loss of each turn, as far as shapes and types go; nothing is computed."""
  for phase in made.phases:
    for turn in phase.turns:
      params, state = jax.eval_shape(turn.method.init, jax.random.key(0))
      jax.eval_shape(turn.method.loss, params, state, phase.batch, jax.random.key(0), 0)


def sound() -> list[dict]:
  """The configs of all systems, on narrow networks, which are traced sooner."""
  return [load_config(f'{name}:tiny').to_dict() for name in sorted(configs.names())]


def read_once(systems: list[dict]) -> None:
  """Reads the data of sound configs once: of a damaged one most often something else is damaged."""
  known, read = {repr(c.get('data')) for c in systems}, build.open_data
  once = functools.cache(lambda text: read(eval(text)))
  build.open_data = lambda spec: once(repr(spec)) if repr(spec) in known else read(spec)


def seed_of_commit() -> int:
  return int(subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=ROOT, capture_output=True, text=True, check=True).stdout[:8], 16)


def run(seed: int, systems: list[dict], traced: bool = True) -> tuple[str, str, list[str]]:
  """Damages the config that a seed names, and judges it."""
  chance = random.Random(seed)
  config = copy.deepcopy(chance.choice(systems))
  done = mutate(config, systems, chance)
  return *judge(config, traced), done


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--end-to-end', action='store_true', help='damage the circumstances of runs instead')
  parser.add_argument('--built', action='store_true', help='only build configs, and do not trace them: ten times as many in a time')
  parser.add_argument('--count', type=int, default=2000)
  parser.add_argument('--seed', type=int, help='of the first one, and the next has the next; of the commit unless given')
  parser.add_argument('--seconds', type=float, default=float('inf'), help='stop after this long')
  parser.add_argument('--messages', type=int, default=0, help='show as many of the refusals')
  parser.add_argument('--folder', type=Path, default=Path(tempfile.gettempdir()) / 'jssl-mutate', help='where the runs are; can be kept')
  parser.add_argument('--among', default='', help='only the circumstances whose name has this')
  parser.add_argument('--show', action='store_true', help='print each one, with all that was seen')
  args = parser.parse_args()
  if args.end_to_end:
    import mutate_runs

    base, fine = mutate_runs.Base(args.folder.resolve()), mutate_runs.FINE
    one = lambda seed: mutate_runs.run(seed, base, args.among)
  else:
    systems, fine = sound(), ('built', 'refused')
    read_once(systems)
    one = lambda seed: run(seed, systems, not args.built)
  first = seed_of_commit() if args.seed is None else args.seed
  ends, examples, refusals = Counter(), {}, []
  began, slowest = time.perf_counter(), (0.0, 0)
  for seed in range(first, first + args.count):
    start = time.perf_counter()
    if start - began > args.seconds:
      break
    end, message, done = one(seed)
    slowest = max(slowest, (time.perf_counter() - start, seed))
    ends[end] += 1
    refusals += [message] if end == 'refused' else []
    if args.show or end not in fine and end not in examples:
      print(f'seed {seed}: {done}: {end}: {message if args.show else message[-600:]}', flush=True)
    examples.setdefault(end, (seed, done, message))
  seconds = time.perf_counter() - began
  print(f'{sum(ends.values())} from seed {first} on in {seconds:.0f} s; the slowest {slowest[0]:.1f} s, seed {slowest[1]}')
  for end, count in ends.most_common():
    seed, done, message = examples[end]
    print(f'{count:6} {end}' + (f'\n         seed {seed}: {done}: {message[-300:]}' if end not in fine else ''))
  for message in refusals[:: max(len(refusals) // args.messages, 1)] if args.messages else ():
    print('  ', message)
  raise SystemExit(0 if set(ends) <= {*fine} else 1)


if __name__ == '__main__':
  main()
