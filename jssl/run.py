"""A run from config to figures: train, evaluate beside the baselines, write down what came out."""

import ast
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

import jssl
from jssl import configs
from jssl.core import loop
from jssl.core.build import ConfigError, Plan, closest, plan
from jssl.core.step import TrainState
from jssl.evaluators.baselines import raw_input
from jssl.evaluators.features import frozen
from jssl.evaluators.figures import flatten
from jssl.evaluators.health import alarm, health
from jssl.evaluators.picture import embedding_map
from jssl.evaluators.protocols import PROTOCOLS
from jssl.model import restore


def load_config(name: str, overrides: Sequence[str] = ()):
  """A system's config with `--config.x.y=v` settings applied in order."""
  try:
    c = configs.module(name).get_config()
  except LookupError:
    raise ConfigError(f'no system is called {name!r}{closest(name, configs.names())}') from None
  except FileNotFoundError:
    raise ConfigError(f'there is no config file {name}') from None
  except (AttributeError, SyntaxError) as error:
    raise ConfigError(f'{name} is not a config: {error}; it needs a function get_config()') from error
  c.name = Path(name).stem
  for override in overrides:
    set_option(c, override.removeprefix('--config.'))
  return c


def set_option(c: Any, setting: str) -> None:
  """Sets one `x.y=v`. A new `name` takes with it the options that belonged to the old one."""
  path, equals, text = setting.partition('=')
  if not equals:
    raise ConfigError(f'--config.{setting} has no value; write --config.{setting}=VALUE')
  *parents, last = path.split('.')
  for key in parents:
    if key not in c or not hasattr(c[key], 'to_dict'):
      raise ConfigError(f'--config.{path}: there is no {key!r} to set{closest(key, c.keys())}')
    c = c[key]
  try:
    value = ast.literal_eval(text)
  except (ValueError, SyntaxError):
    value = text  # a word needs no quotes
  if last == 'name' and c.get('name') != value:
    for key in list(c.keys()):
      if key not in ('on', 'weight', 'networks'):
        del c[key]
  with c.ignore_type():
    c[last] = value


def train(
  config: Mapping[str, Any],
  workdir: str | Path | None = None,
  *,
  protocols: Sequence[str] = ('knn', 'linear'),
  quiet: bool = False,
  tensorboard: bool = False,
) -> dict[str, Any]:
  """Trains a config, resuming what `workdir` holds, and evaluates it beside raw input and random initialisation.

  Args:
    config: from a file of `configs/`, or a dict of the same keys.
    workdir: where checkpoints, metrics, figures and pictures go; None keeps nothing.
    protocols: evaluations at the end, by name; none for ().

  Returns:
    What is written to `results.json`: figures, baselines, alarms, seconds, compiles, versions.

  Raises:
    ConfigError: for a config that cannot be built or a workdir that cannot be used.
  """
  _check(protocols)
  p = plan(config)
  workdir = Path(workdir) if workdir else None
  represent = jax.jit(p.method.represent)
  source = loop.open_source(p)
  panel = make_panel(p, source.batch(0))
  trained = loop.run(p, source, workdir=workdir, quiet=quiet, tensorboard=tensorboard, health=panel, alarm=alarms)
  results = compare(p, represent, trained.train, trained.start, protocols, workdir)
  seen = {k: v for row in trained.log.rows[-2:] for k, v in row.items() if '/' in k}
  results |= dict(
    health={k.removeprefix('health/'): v for k, v in seen.items() if k.startswith('health/')},
    alarms=alarms(seen),
    curve=[(row['step'], row['loss']) for row in trained.log.rows if 'loss' in row],
    seconds=trained.seconds,
    first_step_seconds=trained.first_step,
    compiles=trained.compiles,
    versions=versions(),
  )
  if workdir:
    (workdir / 'results.json').write_text(json.dumps(results, indent=1))
  return results


def make_panel(p: Plan, batch: Mapping[str, Any]) -> Callable[[TrainState], dict[str, float]]:
  """The health panel of a train state on one batch: its features, and what its terms compare."""

  @jax.jit
  def panel(state: TrainState, batch):
    features = p.method.represent(state.params, state.state, {name: batch[name] for name in p.data.spec}).pooled
    watched = p.method.watch(state.params, state.state, batch, state.key, state.step)
    return health(features, **{name: x for found in watched.values() for name, x in found.items()})

  return lambda state: jax.device_get(panel(state, batch))


def alarms(figures: Mapping[str, float]) -> list[str]:
  """What the newest figures of a log warn of."""
  return alarm({name.rsplit('/', 1)[-1]: float('nan') if x is None else x for name, x in figures.items()})


def evaluate(workdir: str | Path, protocols: Sequence[str] = ('knn', 'linear')) -> dict[str, Any]:
  """Judges the run in `workdir` by named protocols; one JSON a protocol in its folder `evaluations`."""
  _check(protocols)
  p, trained, start = restore(Path(workdir))
  return compare(p, jax.jit(p.method.represent), trained, start, protocols, Path(workdir))


def compare(
  p: Plan, represent: Callable, trained: TrainState, start: TrainState, protocols: Sequence[str], workdir: Path | None
) -> dict[str, Any]:
  """Figures of the trained representation, of the same network before training, and of the input as it is."""
  name = p.config['name'] or 'trained'
  results: dict[str, Any] = dict(name=name, figures={}, baselines={})
  if not protocols:
    return results
  bound = {key: partial(represent, s.params, s.state) for key, s in (('random_init', start), (name, trained))}
  features = {key: frozen(f, p.data) for key, f in {'raw_input': raw_input(p.data, standardize=False), **bound}.items()}
  chance = jax.random.key(p.config['seed'])
  found = {key: {q: PROTOCOLS[q].read(x, chance) for q in protocols} for key, x in features.items()}
  rows = {key: _figures(result) for key, result in found.items()}
  results['figures'] = rows[name]
  results['baselines'] = {key: row for key, row in rows.items() if key != name}
  if workdir:
    (workdir / 'evaluations').mkdir(exist_ok=True)
    for q in protocols:
      record = {key: result[q] for key, result in found.items()}
      (workdir / 'evaluations' / f'{q}.json').write_text(json.dumps(record, indent=1))
    titles = {key: ', '.join(f'{n.removesuffix("_top1")} {x:.1%}' for n, x in row.items() if n.endswith('_top1')) for key, row in rows.items()}
    test = {key: x.test_x for key, x in features.items()}
    shown = lambda rows: {key.replace('_', ' '): x for key, x in rows.items()}
    embedding_map(shown(test), features[name].test_y, workdir / 'embedding.png', titles=shown(titles))
  return results


def versions() -> dict[str, str]:
  """What the figures rest on."""
  return {
    'jssl': jssl.__version__,
    'python': platform.python_version(),
    **{name: version(name) for name in ('jax', 'flax', 'optax', 'numpy')},
  }


def _figures(found: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
  return {n: x for n, x in flatten(found).items() if n.endswith(('top1', 'top1_low', 'top1_high', 'nmi', 'ari'))}


def _check(protocols: Sequence[str]) -> None:
  for name in protocols:
    if name not in PROTOCOLS:
      raise ConfigError(f'no protocol is called {name!r}{closest(name, PROTOCOLS)}')
