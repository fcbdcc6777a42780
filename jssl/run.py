"""A run from config to figures: train, evaluate beside the baselines, write down what came out."""

import json
import platform
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jssl.core import loop
from jssl.core.build import Plan, plan
from jssl.model import restore
from jssl.core.step import TrainState
from jssl.data.sources import open_source
from jssl.evaluators import baselines, picture
from jssl.evaluators.features import extract
from jssl.evaluators.figures import flatten
from jssl.evaluators.health import alarm, health
from jssl.evaluators.protocols import check_protocols, evaluate_features
from jssl.types import Data

WATCHED = 512  # training examples on which the health panel is read


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
  check_protocols(protocols)
  p = plan(config)
  workdir = Path(workdir) if workdir else None
  represent = jax.jit(p.method.represent)
  trained = loop.run(
    p, open_source(p), workdir=workdir, quiet=quiet, tensorboard=tensorboard, health=_panel(p, represent)
  )
  results = compare(p, represent, trained.train, trained.start, protocols, workdir)
  panels = [row for row in trained.log.rows if 'health/rankme' in row]
  last = {k.removeprefix('health/'): v for k, v in panels[-1].items()} if panels else {}
  results |= dict(
    alarms=alarm(last),
    health=last,
    seconds=trained.seconds,
    first_step_seconds=trained.first_step,
    compiles=trained.compiles,
    versions=versions(),
  )
  if workdir:
    (workdir / 'results.json').write_text(json.dumps(results, indent=1))
  return results


def evaluate(workdir: str | Path, protocols: Sequence[str] = ('knn', 'linear')) -> dict[str, Any]:
  """Judges the run in `workdir` by named protocols and writes one JSON a protocol to its folder `evaluations`."""
  check_protocols(protocols)
  workdir = Path(workdir)
  p, trained, start = restore(workdir)
  return compare(p, jax.jit(p.method.represent), trained, start, protocols, workdir)


def compare(
  p: Plan, represent, trained: TrainState, start: TrainState, protocols: Sequence[str], workdir: Path | None
) -> dict[str, Any]:
  """Figures of the trained representation, of the same network before training, and of the input as it is."""
  results: dict[str, Any] = dict(name=p.config['name'], figures={}, baselines={})
  if not protocols:
    return results
  bind = lambda s: partial(represent, s.params, s.state)
  named = {
    'raw_input': baselines.raw_input(p.data, standardize=False),
    'random_init': bind(start),
    'trained': bind(trained),
  }
  frozen = {name: baselines.frozen(r, p.data) for name, r in named.items()}
  key = jax.random.key(p.config['seed'])
  found = {name: evaluate_features(features, key, protocols) for name, features in frozen.items()}
  results['figures'] = _figures(found.pop('trained'))
  results['baselines'] = {name: _figures(result) for name, result in found.items()}
  if workdir:
    folder = workdir / 'evaluations'
    folder.mkdir(exist_ok=True)
    for protocol in protocols:
      rows = {name: evaluate_features(features, key, [protocol])[protocol] for name, features in ()} or {}
      rows = {'figures': results['figures'], 'baselines': results['baselines'], **rows}
      (folder / f'{protocol}.json').write_text(json.dumps(rows, indent=1))
    picture.embedding_maps(frozen, results, workdir / 'embedding.png')
  return results
