"""Initial networks from other runs, and changed settings when a run is resumed."""

import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from jssl.configs import set_option
from jssl.core.build import Plan, plan
from jssl.core.log import as_json
from jssl.core.mesh import make_mesh
from jssl.core.phases import Phase, phase_at
from jssl.core.programs import Programs
from jssl.core.stored import fingerprint
from jssl.errors import ConfigError
from jssl.keys import differing
from jssl.options import closest
from jssl.starts import BLOCKS
from jssl.storage import children, make, replace, saved, text
from jssl.types import Given, Params
from jssl.weights import bare

# Settings that may change when a run is resumed. Data, networks, seed and batch size must not.
CHANGES = (
  'epochs', 'steps', 'optimizer', 'losses', 'teacher', 'teachers', 'guard', 'evaluators', 'log_every', 'checkpoint_every', 'health_every',
  'keep', 'log_gradients', 'micro_batches', 'mesh', 'rules',
)  # fmt: skip


def networks_for(p: Plan, workdir: Path | None, trained: Callable[[str], tuple[dict, Params, Params]]) -> dict[int, Given]:
  """phase -> its initial networks, for each phase that starts from the networks of another run.

  A fingerprint of the initial networks is saved in `start.json`. A run with a checkpoint of the phase is resumed without the other run; its
  results are then not compared with that start.

  Args:
    p: the plan.
    workdir: workdir of the run.
    trained: folder -> config, parameters and statistics of the networks there.

  Raises:
    ConfigError: if the other run cannot be opened, or its networks do not fit.
  """
  asked = {i: phase for i, phase in enumerate(p.phases) if phase.begin}
  if not asked:
    return {}
  done = last_step(workdir) if workdir else None
  path = workdir / 'start.json' if workdir else None
  held = {}
  if path and done is not None:
    with contextlib.suppress(OSError, ValueError):  # without it, the start cannot be compared, and is accepted
      held = dict(json.loads(text(path)))
  found, prints = {}, dict(held)
  for i, phase in asked.items():
    entered = done is not None and (i == 0 or done > phase.first)
    try:
      given = networks_of(phase, *trained(phase.begin.of))
      prints[str(i)] = fingerprint(jax.tree.map(_numbers, given))
      if entered and str(i) in held and held[str(i)] != prints[str(i)]:
        raise ConfigError(f'{phase.begin.of} has other networks than those that this run started from')
      found[i] = given
    except ConfigError as error:
      if not entered:
        raise
      logging.getLogger('jssl').warning('%s; the run continues from its checkpoint, without the baseline start', error)
      prints[str(i)] = held.get(str(i))
  if path and jax.process_index() == 0:
    make(path.parent)
    replace(path, as_json(prints, indent=1))
  return found


def networks_of(phase: Phase, config: Mapping[str, Any], trained: Params, statistics: Params) -> Given:
  """The parameters and statistics of a phase's initial networks, on the host, selected from all trained ones."""
  begin, method = phase.begin, phase.turns[0].method
  params, state = jax.eval_shape(method.init, jax.random.key(0))
  given = {}, {}
  for here, there in begin.networks.items():
    if there not in trained:
      raise ConfigError(f'start.networks: {begin.of} has no network {there!r}{closest(there, trained)}')
    spec = config['backbone'] if there == 'backbone' else config['heads'][there]
    for kind, own, of in zip(given, (params, state['stats']), (trained, statistics), strict=True):
      kind[here] = _fitting(here, begin.of, spec, bare(own[here]), of[there], begin.layers)
  return given


def _fitting(network: str, folder: str, spec: Mapping[str, Any], own: Any, of: Any, layers: tuple[int, int] | None) -> Any:
  """Arrays for a network from those of another: all of them, or some of its stacked layers.

  Raises:
    ConfigError: if they do not fit.
  """
  leaves = lambda tree: {jax.tree_util.keystr(path, simple=True, separator='.'): x for path, x in jax.tree_util.tree_leaves_with_path(tree)}
  has, wants = leaves(of), leaves(own)
  advice = f'that network is { ({key: x for key, x in spec.items() if key != "on"})!r}: make this one equal, or leave it out of start.networks'
  if differ := sorted(has.keys() ^ wants.keys()):
    which = 'has' if differ[0] in has else 'lacks'
    raise ConfigError(f'start: {network} of {folder} {which} the array {differ[0]!r}, unlike the network to initialise with it; {advice}')
  for name, x in has.items():
    stacked, want = BLOCKS in name.split('.'), wants[name].shape
    if stacked and layers and layers[1] > len(x):
      raise ConfigError(f'start.layers is {layers}, and {network} of {folder} has {len(x)} layers')
    has[name] = x = x[slice(*layers)] if stacked and layers else x
    fits = x.shape[1:] == want[1:] and len(x) <= want[0] if stacked and layers else x.shape == want
    if not fits:
      raise ConfigError(f'start: {network} of {folder} has {name!r} of shape {list(x.shape)}; expected {list(want)}: {advice}')
  tree = jax.tree.structure(own)
  return jax.tree.unflatten(tree, [_on_host(has[name]) for name in wants])


def _on_host(x: Any) -> Any:
  return x if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else np.asarray(x)


def _numbers(x: Any) -> Any:
  return jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x


def last_step(workdir: Path) -> int | None:
  """The step of the newest checkpoint; None if there is none."""
  steps = [int(folder.name) for folder in children(workdir / 'checkpoints') if folder.name.isdigit() and saved(folder)]
  return max(steps, default=None)


def continued(config: Mapping[str, Any], workdir: Path | None, settings: Sequence[str] = ()) -> Mapping[str, Any]:
  """The config with which the run in `workdir` is resumed: with earlier changes, and `settings` from now on.

  Every change is recorded under `resumed` in the config, with the step from which it applies. Schedules are recomputed for the new total
  length: a cosine that had reached its end is higher again.

  Args:
    config: the config with which the run was first started.
    settings: 'epochs=40', 'optimizer.learning_rate=1e-4'.

  Raises:
    ConfigError: if there is no run, or it cannot be resumed with these settings.
  """
  there = workdir is not None and (workdir / 'config.json').is_file()
  if settings and not there:
    raise ConfigError(f'--resume-with {settings[0]}: {workdir or "no workdir"} contains no run; give the --workdir of an existing run')
  if not there:
    return config
  held, c = _read(workdir / 'config.json'), ConfigDict(config.to_dict() if hasattr(config, 'to_dict') else dict(config))
  before = [*held.get('resumed', ())]
  for change in before:
    changed(c, change['settings'])
  if settings and (not before or [*settings] != [*before[-1]['settings']]):
    old = plan(c)
    if differ := differing(held, json.loads(json.dumps({**old.config, 'resumed': before}, default=str))):
      raise ConfigError(f'{workdir} holds a run of another config (differing in {", ".join(differ)}); give the config that it was started with')
    changed(c, settings)
    done = last_step(workdir) or 0
    check(old, plan(c), done)
    before.append(dict(step=done, settings=[*settings]))
    logging.getLogger('jssl').warning('%s continues from step %d with %s', workdir, done, ', '.join(settings))
  if before:
    with c.ignore_type():
      c.resumed = tuple(before)
  return c


def _read(path: Path) -> dict[str, Any]:
  try:
    return dict(json.loads(text(path)))
  except (OSError, ValueError, TypeError) as error:
    raise ConfigError(f'{path} cannot be read ({error}); give a workdir that holds a run') from error


def changed(c: ConfigDict, settings: Sequence[str]) -> None:
  """Changes settings that a resumed run may change."""
  for setting in settings:
    key = setting.partition('=')[0].partition('.')[0]
    if key not in CHANGES:
      raise ConfigError(f'a run cannot continue with another {key}{closest(key, CHANGES)}; start a new run from it: --config.start.of=WORKDIR')
    if key in ('epochs', 'steps'):  # one of them is the length
      with c.ignore_type():
        c.epochs = c.steps = None
    set_option(c, setting)


def check(old: Plan, new: Plan, done: int) -> None:
  """Checks that training can continue from a state of one plan with another; computes nothing.

  Raises:
    ConfigError: if it cannot.
  """
  if new.steps < done:
    raise ConfigError(f'the run has done {done} steps, and would end at {new.steps}; give more epochs or steps')
  now = phase_at(old.phases, done)
  if [phase.last for phase in old.phases[:now]] != [phase.last for phase in new.phases[:now]] or phase_at(new.phases, done) != now:
    raise ConfigError('the phases that have ended would change their lengths; give lengths of phases in steps, not as shares')
  mesh = make_mesh(devices=jax.local_devices()[:1])
  shapes = [jax.tree_util.tree_leaves_with_path(Programs(p, mesh).states[now]) for p in (old, new)]
  told = [{jax.tree_util.keystr(path, simple=True, separator='/'): (x.shape, x.dtype) for path, x in of} for of in shapes]
  if differ := sorted(name for name in told[0].keys() | told[1].keys() if told[0].get(name) != told[1].get(name)):
    raise ConfigError(
      f'the state of the run would have another structure (differing in {differ[0]}): of a schedule only change options, as in '
      'optimizer.learning_rate.peak=1e-4, and leave parts that are frozen or start later as they are; for '
      'another optimiser start a new run from this one: --config.start.of=WORKDIR'
    )
