"""A complete run of a config: training, evaluation with baselines, writing the results."""

import inspect
import json
import logging
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

import jssl
from jssl import loops
from jssl.artefact import PRETRAINED, from_scratch
from jssl.configs import load_config as load_config
from jssl.core import loop
from jssl.core.build import Plan, judges, plan
from jssl.core.log import as_json
from jssl.core.mesh import check_batch, make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.core.step import TrainState
from jssl.curves import make_curves, subject_of
from jssl.data.own.pictures import tell
from jssl.errors import ConfigError
from jssl.evaluators.baselines import raw_input, too_large
from jssl.evaluators.figures import Items, flatten
from jssl.evaluators.subject import Subject
from jssl.model import best_step, read_config, restore, save_run, trained_networks, writable
from jssl.options import lookup
from jssl.panel import alarms, make_panel
from jssl.pictures.curves import PREFIX, RAW, curves_of
from jssl.pictures.embedding import LEAST, embedding_map
from jssl.plans.estimate import ahead
from jssl.resume import continued, networks_for
from jssl.storage import make, reach, remote, replace, text
from jssl.tables import EVALUATORS
from jssl.trackers.tracking import Tracking
from jssl.trackers.tracking import check as check_trackers

FEW = 100  # steps below which randomly initialised networks have learned little


def train(
  config: Mapping[str, Any],
  workdir: str | Path | None = None,
  *,
  protocols: Sequence[str] | None = None,
  baselines: bool = True,
  quiet: bool = False,
  track: Sequence[str] = (),
  take_over: bool = False,
  resume_with: Sequence[str] = (),
  profile: tuple[int, int] | None = None,
) -> dict[str, Any]:
  """Trains a config, resuming from `workdir`, and evaluates it, with raw input and random initialisation as baselines.

  Args:
    config: from a file of `configs/`, or a dict of the same keys.
    workdir: folder for checkpoints, metrics, results and plots; None saves nothing.
    protocols: evaluations at the end, by their labels in the config or names in the table; None for those of the config, () for none.
    baselines: whether to evaluate raw input and random initialisation too.
    track: where to track the run, names of trackers such as 'wandb'.
    take_over: take the workdir from another run that has it.
    resume_with: changed settings for resuming the run in `workdir`, ('epochs=40',); recorded in its config and listed in its results.
    profile: (first, last): the steps after `first`, up to `last`, are traced by JAX's profiler into `workdir`/profile.

  Returns:
    The contents of `results.json`: figures, baselines, alarms, seconds, compiles, versions.

  Raises:
    ConfigError: for a config that cannot be built or a workdir that cannot be used.
  """
  workdir = reach(workdir) if workdir else None
  track = check_trackers(track, workdir)
  if config.get('experiment'):
    no_protocols(protocols)
    if resume_with:
      raise ConfigError('this system has its own training loop, whose settings cannot change: remove --resume-with')
    if profile:
      raise ConfigError('this system has its own training loop, which cannot be profiled: remove --profile')
    return train_loop(config, workdir, track, quiet=quiet, take_over=take_over)
  p = plan(continued(config, workdir, resume_with))
  if profile and workdir and remote(workdir):
    raise ConfigError(f'--profile cannot write to {workdir}; give a local workdir')
  if profile and profile[0] >= p.steps:
    raise ConfigError(f'profile {profile[0]}:{profile[1]} traces nothing, as the run has {p.steps} steps: give an earlier range')
  options = dict(quiet=quiet, take_over=take_over, profile=profile)
  return carried_out(p, workdir, protocols, baselines, track=track, **options)[0]


def carried_out(
  p: Plan, workdir: Path | None, protocols: Sequence[str] | None, baselines: bool,
  *, track: Sequence[str] = (), watch: Sequence[Callable] = (),
  items: dict[str, dict[str, Items]] | None = None, **options,
) -> tuple[dict[str, Any], loop.Trained]:  # fmt: skip
  """The results of a plan, and the trained run.

  `track` is checked by `trackers.tracking.check`, `items` is filled as by `compare`, and `options` are those of `loop.run`.
  """
  try:
    asked = choose(p, fitting(p) if protocols is None else protocols)
    if workdir and jax.process_index() == 0:
      usable(workdir)
      own_data(p, workdir)
    if 'fingerprint' in p.data.info and 0 < p.steps < FEW:
      logging.getLogger('jssl').warning('the run has only %d steps; increase --config.epochs or decrease --config.batch_size', p.steps)
    mesh = make_mesh(p.config['mesh'])
    check_batch(p.config['batch_size'], mesh, p.config['micro_batches'])
    with jax.set_mesh(mesh):
      programs = Programs(p, mesh)
    told = [*ahead(p, programs)] if p.steps else []
    quiet = options.get('quiet') or jax.process_index() > 0
    options |= dict(programs=programs, curves=make_curves(p, workdir), ready=partial(say, () if quiet else told))
    with tracking(track, p.config, workdir) as tracked:
      options |= dict(given=networks_for(p, workdir, trained_networks), watch=(*watch, tracked))
      trained = learn(p, make_panel(p), workdir=workdir, **options)
      workdir = workdir if jax.process_index() == 0 else None  # every process evaluates, to stay in step; the first one writes
      results = report(p, trained, asked, workdir, baselines, items)
      tracked.finish(results)
    return results, trained
  finally:
    tell(p.data.info.get('unread', {}))


def say(lines: Sequence[str]) -> None:
  """Prints lines beside the output of a command; a run goes on where they cannot be printed."""
  with suppress(OSError):
    for line in lines:
      print(line, file=sys.stderr, flush=True)


def own_data(p: Plan, workdir: Path) -> None:
  """Saves the stamps of user data in the workdir, and compares them with existing ones.

  Raises:
    ConfigError: if the run in the workdir was trained on other data than the present ones.
  """
  now = {file: stamp for phase in p.phases for file, stamp in phase.data.info.get('fingerprint', {}).items()}
  path = workdir / 'data.json'
  if not now:
    return
  if not path.exists():
    make(workdir)
    replace(path, as_json(now, indent=1))
    return
  try:
    before = json.loads(text(path))
    resumed = json.loads(text(workdir / 'config.json'))['data'] == json.loads(as_json(p.config['data']))
  except (OSError, ValueError, KeyError):  # of no run that could be resumed
    before, resumed = {}, False
  if before == now or not resumed:
    return replace(path, as_json(now, indent=1)) if not (workdir / 'config.json').exists() else None
  changed = sum(before[file] != now[file] for file in before.keys() & now.keys())
  counts = dict(added=len(now.keys() - before.keys()), gone=len(before.keys() - now.keys()), changed=changed)
  raise ConfigError(
    f'the data of the run in {workdir} have changed ({", ".join(f"{n} {what}" for what, n in counts.items())}: files of '
    f'{p.data.info["name"]}); give another --workdir, or restore the files to resume it'
  )


def fitting(p: Plan) -> list[str] | None:
  """The evaluators of the config whose requirements, such as labels, user data meet; the others are reported in one line.

  None for a built-in data set: the config's evaluators are made for it, and a missing requirement is an error.
  """
  if 'fingerprint' not in p.data.info:
    return None
  of = (p.config['backbone'], *p.config['heads'].values())
  pretrained = [x['name'] for x in of if x['name'] in PRETRAINED and p.data.spec[p.data.inputs].size]
  if pretrained and p.data.info.get('tokenizer', '').endswith('trained on train'):
    raise ConfigError(
      f'{pretrained[0]} is pretrained and knows the ids of its own tokenizer alone, and one was trained on these data: give '
      "that one: --config.data.tokenizer=minilm, starts, or the path of the network's tokenizer.json"
    )
  kept, left = [], {}
  for label, judge in p.evaluators.items():
    try:
      check(p, {label: judge})
      kept.append(label)
    except ConfigError as error:
      left[label] = str(error.__cause__ or error)
  if left:
    told = '; '.join(f'{label} ({why})' for label, why in left.items())
    logging.getLogger('jssl').warning('skipped protocols that need other data: %s', told)
  return kept


def train_loop(config: Mapping[str, Any], workdir: Path | None, track: Sequence[str] = (), **options) -> dict[str, Any]:
  """`train` for a system with a custom loop: its row, and the other rows. Its results are tracked, and not its steps."""
  began = time.perf_counter()
  c = config.to_dict() if hasattr(config, 'to_dict') else dict(config)
  with tracking(track, c, workdir) as tracked:
    results = of_rows(c['name'], loops.train(c, workdir, **options))
    results |= dict(seconds=time.perf_counter() - began, versions=versions())
    if workdir:
      replace(workdir / 'results.json', as_json(results, indent=1))
    tracked.finish(results)
  return results


def tracking(names: Sequence[str], config: Mapping[str, Any], workdir: Path | None) -> Tracking:
  """The trackers of a run; only process 0 has any."""
  return Tracking(names if jax.process_index() == 0 else (), {**config, 'versions': versions()}, workdir, alarms)


def no_protocols(protocols: Sequence[str] | None) -> None:
  """Raises an error for protocols of a system with a custom loop."""
  if protocols:
    raise ConfigError(f'this system has its own training loop and figures: remove --protocol={",".join(protocols)}')


def of_rows(name: str, rows: Mapping[str, dict[str, float]]) -> dict[str, Any]:
  return dict(name=name, figures=rows.get(name, {}), baselines={row: figures for row, figures in rows.items() if row != name})


def learn(p: Plan, panel: Callable, **options) -> loop.Trained:
  """Trains a plan, monitored by its health panel; `options` are those of `loop.run`."""
  check_batch(p.config['batch_size'], make_mesh(p.config['mesh']), p.config['micro_batches'])  # before data are read
  return loop.run(p, loop.open_source(p), health=panel if p.steps else None, alarm=alarms, **options)


def report(
  p: Plan, trained: loop.Trained, evaluators: Mapping[str, Callable], workdir: Path | None, baselines: bool,
  items: dict[str, dict[str, Items]] | None = None,
) -> dict[str, Any]:  # fmt: skip
  """The results of a run: the figures of `compare`, and training statistics; written to `results.json` if there is a workdir."""
  starts = starts_of(p, trained.start, trained.untrained if trained.given else None) if evaluators and baselines else {}
  results, subjects = compare(p, trained.train, starts, evaluators, workdir, baselines, items)
  rows = [row for row in trained.log.rows if not any(name.startswith((PREFIX, RAW)) for name in row)]
  seen = {k: v for row in rows[-2:] for k, v in row.items() if '/' in k}
  curves = curves_of(trained.log.rows)
  results |= dict(
    health={k.removeprefix('health/'): v for k, v in seen.items() if k.startswith('health/')},
    alarms=alarms(seen),
    curve=[(row['step'], row['loss']) for row in trained.log.rows if 'loss' in row],
    seconds=trained.seconds,
    first_step_seconds=trained.first_step,
    compiles=trained.compiles,
    versions=versions(),
    step=int(trained.train.step),
    **({'validation': curves} if curves else {}),
    **({'resumed': p.config['resumed']} if p.config['resumed'] else {}),
  )
  if workdir:
    replace(workdir / 'results.json', as_json(results, indent=1))
    if jax.process_count() == 1:  # with several processes, not all arrays are here
      save_run(p, trained.train, workdir, results)
  if workdir or jax.process_count() > 1:
    draw(p, results, subjects, workdir)
  return results


def evaluate(workdir: str | Path, protocols: Sequence[str] | None = None, best: bool = False) -> dict[str, Any]:
  """Evaluates the run in a workdir, as `jssl evaluate` does.

  Args:
    workdir: workdir of a finished or stopped run.
    protocols: names such as ('knn', 'linear'); None for those of the run's config.
    best: evaluate the checkpoint that `curves.best` has kept, instead of the newest; files are written to `WORKDIR/best`.

  Returns:
    name, figures, baselines and step, as in `results.json`. Each protocol is also written to `WORKDIR/evaluations/PROTOCOL.json`.

  Raises:
    ConfigError: if there is no such run or protocol, or the data do not meet the protocol's requirements.
  """
  workdir = reach(workdir)
  config = read_config(workdir)
  if config.get('experiment'):
    no_protocols(protocols)
    return of_rows(config['name'], loops.rows(workdir))
  p, trained, programs = restore(workdir, best_step(workdir) if best else None)
  given = networks_for(p, workdir, trained_networks).get(0)
  starts = starts_of(p, programs.start(seed_data(p), given), programs.start(seed_data(p)) if given else None)
  try:
    asked = choose(p, fitting(p) if protocols is None else protocols)
    out = workdir / 'best' if best else workdir
    make(out)
    usable(out)
    results, subjects = compare(p, trained, starts, asked, out)
    draw(p, results, subjects, out)
    return {**results, 'step': int(trained.step)}
  finally:
    tell(p.data.info.get('unread', {}))


def choose(p: Plan, protocols: Sequence[str] | None) -> dict[str, Callable]:
  """The requested evaluators: labels of the config, or names of the table with default options.

  Raises:
    ConfigError: for an unknown evaluator, or one that cannot evaluate this plan.
  """
  for name in protocols or ():
    if name not in p.evaluators:
      lookup('evaluators', name, 'protocol')
  own = p.evaluators if protocols is None else protocols
  asked = {name: p.evaluators[name] if name in p.evaluators else judges({name: name})[name] for name in own}
  check(p, asked)
  return asked


def check(p: Plan, evaluators: Mapping[str, Callable]) -> None:
  """Checks before the first step that the requirements of evaluators will be met after the last one; computes nothing.

  Raises:
    ConfigError: if they will not.
  """
  if not evaluators:
    return
  if (fitted := p.transform) and not fitted.networks and fitted.labels not in p.data.spec:
    if list(inspect.signature(fitted.fit).parameters.values())[1].default is inspect.Parameter.empty:
      raise ConfigError(
        f'transform is fitted to the column {fitted.labels!r}, and the data have {sorted(p.data.spec)}; '
        'name one of them in transform.labels, or set transform=None'
      )
  traced = cache(lambda: (p.method_of(p.steps), jax.eval_shape(p.method_of(p.steps).init, jax.random.key(0))))
  zeros = partial(jax.tree.map, lambda x: jax.numpy.zeros(x.shape, x.dtype))  # in a trace, so of no size
  represent = lambda x: zeros(jax.eval_shape(traced()[0].represent, *traced()[1], x))
  subject = Subject(p.data, represent, {'backbone': None})
  wanted = [need for judge in evaluators.values() for need in ('nets.' if of_panel(judge) else '', *judge.func.needs)]
  if any(need.startswith(('nets.', 'layers', 'memory.')) for need in wanted):  # which takes seconds to trace
    subject = Subject(p.data, represent, traced()[0].networks(*traced()[1]), memories=traced()[1][1]['memories'])
  for label, judge in evaluators.items():
    try:
      judge.func.check(subject, **judge.keywords)
    except ValueError as error:
      raise ConfigError(f'protocol {label}: {error}; choose another with --protocol=NAME, or --protocol=none') from error


def of_panel(judge: Callable) -> bool:
  """Whether a protocol applies another one to other data, and may have the other's requirements on networks."""
  return getattr(judge.func.judge, '__name__', '') == 'panel'  # by name: a claim rests on what its code refers to


def usable(workdir: Path) -> None:
  """Checks that the results of a run can be written to its workdir, if that exists already.

  Raises:
    OSError: if they cannot.
  """
  for path in (workdir / 'results.json', workdir / 'embedding.png', workdir / 'evaluations' / '_'):
    if workdir.is_dir():  # otherwise it is created, or refused, when it is claimed
      writable(path)


def compare(
  p: Plan,
  trained: TrainState,
  starts: Mapping[str, TrainState],
  evaluators: Mapping[str, Callable],
  workdir: Path | None,
  baselines: bool = True,
  items: dict[str, dict[str, Items]] | None = None,
) -> tuple[dict[str, Any], dict[str, Subject]]:
  """Evaluates the trained representation and, as baselines, the same network before training and the raw input.

  `starts` are states before training by their row, from `starts_of`. The decrease of the results of `panel` evaluators relative to the start is
  given as `forgetting`.

  `items`, if given, is filled with row -> metric -> test items.

  Returns:
    name, figures and baselines, and the evaluated subjects by row; `left_out` has the reason if the raw input is too large to be evaluated. A
    record for each evaluator is written to `workdir`.
  """
  name = p.config['name'] or 'trained'
  results: dict[str, Any] = dict(name=name, figures={}, baselines={})
  if not evaluators:
    return results, {}
  found: dict[str, dict[str, Any]] = {}
  of_raw = {label: judge for label, judge in evaluators.items() if judge.func.raw}
  if baselines and (why := too_large(p.data, evaluators.values(), p.config['raw_limit'])):
    logging.getLogger('jssl').warning('raw input is not judged: %s', why)
    results['left_out'], of_raw = {'raw_input': why}, {}
  subjects = list_subjects(p, trained, starts, bool(of_raw))
  subjects = subjects if baselines else {name: subjects[name]}
  for row, subject in subjects.items():
    asked = of_raw if row == 'raw_input' else evaluators
    found[row] = {label: judge(subject, jax.random.key(p.config['seed'])) for label, judge in asked.items()}
    made_of = {f'{label}_{name}': x for label, result in found[row].items() for name, x in result.pop('items', {}).items()}
    if items is not None:
      items[row] = made_of
  rows = {row: flatten(result) for row, result in found.items()}
  results['figures'] = rows[name]
  results['baselines'] = {row: figures for row, figures in rows.items() if row != name}
  if 'start' in rows:
    panels = tuple(f'{label}_' for label, judge in evaluators.items() if of_panel(judge))
    ends = ('_low', '_high', '_std', '_validation')
    names = [figure for figure in rows[name] if figure.startswith(panels) and not figure.endswith(ends)] if panels else []
    results['forgetting'] = {figure: rows['start'][figure] - rows[name][figure] for figure in names}
  if workdir:
    (workdir / 'evaluations').mkdir(exist_ok=True)
    for label in evaluators:
      record = {row: result[label] for row, result in found.items() if label in result}
      replace(workdir / 'evaluations' / f'{label}.json', as_json(record, indent=1))
  return results, subjects


def starts_of(p: Plan, start: TrainState, untrained: TrainState | None) -> dict[str, TrainState]:
  """The states before training by their row: `random_init`, which is untrained, and `start`, if a run started from trained networks.

  Args:
    p: the plan.
    start: the initial state of the run.
    untrained: the initial state without the networks of another run; None if there were none.
  """
  plain = from_scratch(p.config, p.method.networks(start.params, start.state))
  if plain == {key: p.config[key] for key in plain}:
    return {'random_init': start} if untrained is None else {'random_init': untrained, 'start': start}
  fresh = plan({**p.config, **plain})  # without the pretrained weights that its config names
  return {'random_init': Programs(fresh, make_mesh(devices=jax.local_devices()[:1])).start(seed_data(fresh)), 'start': start}


def draw(p: Plan, results: Mapping[str, Any], subjects: Mapping[str, Subject], workdir: Path | None) -> None:
  """Plots the representations as maps of the test examples by class, in `embedding.png`, if there are classes.

  All processes must call this, since they share the encoding; those without a workdir write nothing.
  """
  name, lacking = results['name'], None
  if not subjects or 'label' not in p.data.spec:
    return
  try:
    EVALUATORS['fewshot'].check(subjects[name])  # which needs what a map does
  except ValueError as error:
    lacking = str(error)
  if lacking is None and len(p.data.splits['test']) < LEAST:
    lacking = f'the test split has fewer than {LEAST} examples'
  if lacking:
    if workdir:
      logging.getLogger('jssl').warning('the representation is not plotted: %s', lacking)
    return
  short = lambda row: ', '.join(f'{n.removesuffix("_top1")} {x:.1%}' for n, x in row.items() if n.endswith('_top1'))
  rows = {**results['baselines'], name: results['figures']}
  shown = lambda of: {row.replace('_', ' '): of(row) for row in subjects}
  features, labels = shown(lambda row: subjects[row].frozen.test_x), subjects[name].frozen.test_y
  if workdir:
    embedding_map(features, labels, workdir / 'embedding.png', titles=shown(lambda row: short(rows[row])))


def list_subjects(p: Plan, trained: TrainState, starts: Mapping[str, TrainState], raw: bool) -> dict[str, Subject]:
  """The subjects to compare. An untrained network is its own start."""
  found = {'raw_input': Subject(p.data, raw_input(p.data, standardize=False))} if raw else {}
  for row, s in {**(starts if p.steps else {}), p.config['name'] or 'trained': trained}.items():
    found[row] = subject_of(p, s, p.data, jax.jit(p.method_of(int(s.step)).represent, static_argnames='network'))
  return found


def outcomes(configs: Sequence[Any], protocols: Sequence[str] | None = None, *, baselines: bool = True) -> Iterator[dict[str, Any]]:
  """Rows of metrics for each config, with the system's row under its name; obtained by training it, or by its custom loop.

  The configs are of one system and differ only in seeds; those whose data have the same columns share traced and compiled programs.

  Yields:
    rows: row -> metric -> number; items: row -> metric -> test items; curve: (step, loss); alarms of collapse.
  """
  first = programs = None
  for config in configs:
    name = config['name']
    if config.get('experiment'):
      yield dict(rows=loops.train(config, None, quiet=True), items={}, curve=[], alarms=[])
      continue
    p = plan(config)
    if first is not None and same_programs(first, p):
      phases = zip(first.phases, p.phases, strict=True)
      p = p._replace(phases=tuple(a._replace(data=b.data, refreshes=b.refreshes) for a, b in phases))
    else:
      first, programs, panel = p, None, make_panel(p)
    asked, items = choose(p, protocols), {}
    of_raw = baselines and 'raw_input' in (p.config['claim'] or {}).get('beats', ())
    if of_raw and (why := too_large(p.data, asked.values(), p.config['raw_limit'])):
      raise ConfigError(f'the claim of {name} needs raw_input: {why}')
    trained = learn(p, panel, quiet=True, programs=programs)
    programs = trained.programs
    results = report(p, trained, asked, None, baselines, items)
    rows = {**results['baselines'], name: results['figures']}
    yield dict(rows=rows, items=items, curve=results['curve'], alarms=results['alarms'])


def same_programs(p: Plan, other: Plan) -> bool:
  """Whether the programs of one plan can be used for another: both have one config except for seeds, on data with the same columns."""
  shape = lambda plan: [(phase.first, phase.steps, phase.epoch, phase.batch, phase.data.spec) for phase in plan.phases]
  return shape(p) == shape(other)


def versions() -> dict[str, str]:
  """The versions that the results depend on."""
  return {
    'jssl': jssl.__version__,
    'python': platform.python_version(),
    **{name: version(name) for name in ('jax', 'flax', 'optax', 'numpy')},
  }
