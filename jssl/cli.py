"""The command line: jssl list, show, train, plan, evaluate, embed, neighbours, export, data, reproduce, sweep, replay."""

import contextlib
import json
import logging
import math
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jssl.arguments import SOURCES, TPU_COMPILER, make_parser
from jssl.errors import UsageError

BUG = 70  # the exit status of an unexpected error, EX_SOFTWARE of sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
  """Runs one command. User errors give a one-line message and a non-zero exit status."""
  for name in ('stdout', 'stderr'):
    if getattr(sys, name) is None:  # closed before Python started, which libraries do not expect
      setattr(sys, name, open(os.devnull, 'w'))  # noqa: SIM115 - as long as the process lives
  parser = make_parser()
  try:
    arguments, rest = parser.parse_known_args(argv)
  except SystemExit as asked:  # for --help
    try:
      flush()
    except OSError as error:
      return _fail(f'the output cannot be written ({error.strerror})', 2)
    raise asked
  overrides = [x for x in rest if x.startswith('--config.')]
  if unknown := [x for x in rest if x not in overrides]:
    parser.error(f'unknown argument {unknown[0]}; settings of a config are given as --config.key=value')
  if overrides and arguments.command not in ('train', 'plan', 'show'):
    parser.error(f'{arguments.command} takes no --config settings')
  # Reuses compiled programs; JAX reads these variables when it is imported, which happens later.
  os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(home() / '.cache' / 'jssl' / 'xla'))
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')
  settle()
  try:
    COMMANDS[arguments.command](arguments, overrides)
    flush()
  except KeyboardInterrupt:
    ahead = '; the same command with --workdir continues from the last checkpoint' if arguments.command == 'train' else ''
    return _fail(f'interrupted{ahead}', 130)
  except MemoryError as error:
    return _fail(f'out of memory ({error or "on this machine"}); use a smaller batch, or fewer runs at a time', 2)
  except (ValueError, OSError, RuntimeError) as error:
    if os.environ.get('JSSL_TRACEBACK'):
      raise
    return _fail(' '.join(str(error).split()), 2)
  except Exception as error:
    if os.environ.get('JSSL_TRACEBACK'):
      raise
    kept = _keep_traceback()
    return _fail(f'this is a bug in jssl, {type(error).__name__}: {" ".join(str(error).split())[:400]}; please report it with {kept}', BUG)
  return 0


def _keep_traceback() -> str:
  """Writes the traceback of the current error to a new file. Returns its path."""
  try:
    with tempfile.NamedTemporaryFile('w', prefix='jssl-traceback-', suffix='.txt', delete=False) as file:
      traceback.print_exc(file=file)
    return file.name
  except OSError:
    return 'the traceback that JSSL_TRACEBACK=1 shows'


def home() -> Path:
  """The home directory; if there is none, a per-user folder among the temporary files."""
  try:
    return Path.home()
  except RuntimeError:
    return Path(tempfile.gettempdir()) / f'jssl-{os.getuid()}'


def settle() -> None:
  """Common set-up of every process of the command line."""
  keep_memory()
  logging.getLogger('absl').setLevel(logging.CRITICAL)  # messages of Orbax's threads; the error itself reaches us as an exception
  logging.basicConfig(format='jssl: %(message)s', level=logging.WARNING)


def keep_memory() -> None:
  """Keeps freed memory in the process, which glibc would otherwise return after every step and page in again.

  On a CPU this saves a third of a step of a small network. The process keeps its peak size.
  """
  if sys.platform != 'linux':
    return
  import ctypes

  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (OSError, AttributeError):  # another C library
    return
  one_arena, no_mmap, no_trim, ahead = (-8, 1), (-4, 0), (-1, 2**31 - 1), (-2, 64 << 20)
  for option in (one_arena, no_mmap, no_trim, ahead):
    mallopt(*option)


def _fail(message: str, code: int) -> int:
  with contextlib.suppress(OSError, ValueError):
    flush()
  try:
    print(f'jssl: {message}', file=sys.stderr, flush=True)
  except OSError:  # nothing can be printed, so the exit status reports it; Python would retry at exit and change the status
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
  except ValueError:
    pass
  return code


def flush() -> None:
  """Flushes the output.

  Raises:
    OSError: if the output cannot be written; Python then does not try again at exit with a message of its own.
  """
  for stream in (sys.stderr, sys.stdout):
    try:
      stream.flush()
    except OSError:
      os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
      if stream is sys.stdout:  # unreadable progress output does not make a command fail
        raise


def list_systems(arguments, overrides) -> None:
  from jssl.ledger import catalogue

  rows = [row for row in catalogue.systems() if arguments.family in (None, row['family'])]
  if not rows:
    from jssl.options import closest

    known = {row['family'] for row in catalogue.systems()}
    raise UsageError(f'no family is called {arguments.family!r}{closest(arguments.family, known)}')
  if arguments.json:
    print(json.dumps({'systems': rows}))
    return
  shown = [(row, ' '.join(row['scales'])) for row in rows]
  state = lambda claim: claim['state'].replace('_', ' ') + (' (stale)' if claim['stale'] else '')
  wide, wider = max(len(row['name']) for row in rows), max(len(scales) for _, scales in shown)
  for row, scales in shown:
    what = f'{row["name"]:{wide}}  {row["family"]:8}  {row["kind"]:10}  {scales:{wider}}'
    print(f'{what}  {row["fidelity"]:8}  {state(row["claim"]):20}  {row["paper"]}')


def show(arguments, overrides) -> None:
  from jssl import show

  found = show.show(arguments.name, overrides)
  if arguments.json:
    print(json.dumps({**found, 'options': [option._asdict() for option in found['options']]}, default=show.short))
  else:
    print(show.text(found))


def train(arguments, overrides) -> None:
  import jax

  from jssl import configs, processes, run
  from jssl.adapt import adapt
  from jssl.storage import reach

  if arguments.processes and not arguments.workdir:
    raise UsageError('several processes need a --workdir on a shared file system')
  if not arguments.processes and (arguments.process is not None or arguments.coordinator):
    raise UsageError('--process and --coordinator need --processes N')
  system, scale = configs.split(arguments.name)
  of = Path(system).stem + ('' if scale == configs.SMALL else f'-{scale}')
  now = time.time()
  begun = time.strftime('%Y%m%d-%H%M%S', time.localtime(now)) + f'-{int(now % 1 * 1000):03}'  # two commands in the same second are two runs
  workdir = arguments.workdir or Path('runs') / f'{of}-{begun}'
  workdir = reach(workdir)
  who = dict(coordinator=arguments.coordinator, process=arguments.process)
  with processes.joined(arguments.processes, **who) if arguments.processes else contextlib.nullcontext():
    if arguments.resume_with and not arguments.workdir:
      raise UsageError('--resume-with continues the run in a workdir: give --workdir')
    config = run.load_config(arguments.name, [*of_data(arguments.data), *overrides])
    if arguments.data and config.get('experiment'):
      raise UsageError(f'--data: {arguments.name} has its own training loop and data; train another system on your data')
    if arguments.data and any('data' in phase for phase in config.get('phases', ())):
      raise UsageError(f'--data: the phases of {arguments.name} have their own data (phases.data), which --data does not replace')
    adapt(config)
    options = dict(quiet=arguments.json, track=arguments.track, take_over=arguments.take_over, resume_with=arguments.resume_with)
    options |= dict(profile=arguments.profile)
    try:
      results = run.train(config, workdir, protocols=_protocols(arguments), **options)
    except run.loop.Stopped as stopped:
      if stopped.capture is None:
        raise
      from jssl.replay import describe
      from jssl.replay import replay as run_again

      raise UsageError(f'{stopped}. {describe(run_again(stopped.capture))}') from stopped
    if jax.process_index() == 0:
      _show(results, workdir, arguments.json)


def plan(arguments, overrides) -> None:
  count = math.prod(arguments.mesh.values()) if arguments.mesh and not arguments.topology else None
  if (arguments.topology or count) and 'jax' not in sys.modules:  # JAX reads these variables when it is imported
    wanted = {'JAX_PLATFORMS': 'cpu', **(TPU_COMPILER if arguments.topology else {})}
    os.environ.update({name: value for name, value in wanted.items() if name not in os.environ})
    if count:
      os.environ['XLA_FLAGS'] = f'{os.environ.get("XLA_FLAGS", "")} --xla_force_host_platform_device_count={count}'
  import jax

  from jssl.adapt import adapt
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


def of_data(source: str | None) -> list[str]:
  """The setting that replaces the data of a config by user data."""
  from jssl.tables import DATA

  if source is not None and (not source or source.endswith(':')):
    raise UsageError(f'--data {source} does not say where the data are; give one of {SOURCES}')
  return [] if source is None else [f'--config.data={dict(name=DATA.absolute(source))!r}']


def data(arguments, overrides) -> None:
  from ml_collections import ConfigDict

  from jssl.configs import set_option
  from jssl.core.build import open_data
  from jssl.data.own.packed import pack
  from jssl.data.own.pictures import tell

  spec = ConfigDict(dict(name=arguments.source))
  for setting in arguments.options:
    set_option(spec, setting)
  opened = open_data(spec.to_dict())
  splits = pack(opened, arguments.output)
  tell(opened.info.get('unread', {}))
  told = ', '.join(f'{n} of {split}' for split, n in splits.items())
  print(json.dumps(dict(output=str(arguments.output), splits=splits)) if arguments.json else f'{told} in packed:{arguments.output}')


def evaluate(arguments, overrides) -> None:
  from jssl import run

  _show(run.evaluate(arguments.workdir, _protocols(arguments), arguments.best), arguments.workdir, arguments.json)


def embed(arguments, overrides) -> None:
  from jssl.model import check_output, write_features

  check_output(arguments.output)
  _, _, names, features = _encoded(arguments)
  write_features(features, arguments.output, names)
  summary = dict(output=str(arguments.output), examples=len(features), dim=int(features.shape[-1]))
  print(json.dumps(summary) if arguments.json else f'{len(features)} vectors of {features.shape[-1]} in {arguments.output}')


def neighbours(arguments, overrides) -> None:
  if arguments.k < 1:
    raise UsageError(f'--k={arguments.k}: at least one neighbour is needed')
  model, inputs, names, z = _encoded(arguments)
  names = names or (inputs if isinstance(inputs, list) and isinstance(inputs[0], str) else None)
  rows = {name: i for i, name in reversed(list(enumerate(names or [])))} | {str(i): i for i in range(len(z))}
  asked = arguments.query or [str(i) for i in range(len(z))]
  others = [item for item in asked if item not in rows]
  if others and not model.reads_texts() and (wrong := [item for item in others if not Path(item).is_file()]):
    raise UsageError(f'--query {wrong[0]}: expected a row from 0 to {len(z) - 1}, the name of a file of INPUT or the path of a picture')
  more = dict(zip(others, model.encode(others, batch_size=arguments.batch_size), strict=True)) if others else {}
  index, scores = model.neighbours([more[item] if item in more else z[rows[item]] for item in asked], z, min(arguments.k + 1, len(z)))
  label = lambda i: names[i] if names else int(i)
  found = []
  for item, near, of in zip(asked, index, scores, strict=True):
    kept = [(int(i), float(x)) for i, x in zip(near, of, strict=True) if i != rows.get(item)][: arguments.k]
    query = label(rows[item]) if item in rows else item
    found.append(dict(query=query, neighbours=[dict(row=i, **({'name': names[i]} if names else {}), score=x) for i, x in kept]))
  if arguments.json:
    print(json.dumps({'found': found}))
    return
  for each in found:
    print(each['query'])
    for near in each['neighbours']:
      print(f'  {near["score"]:.4f}  {near.get("name", near["row"])}')


def export(arguments, overrides) -> None:
  from jssl.storage import children

  of, out = arguments.format, arguments.output
  given = {name: getattr(arguments, name) for name in ('network', 'normalize', 'family', 'outputs', 'platforms')}
  _opened(arguments.workdir).export(out, of, **given)
  files = [path.name for path in children(out)]
  print(json.dumps(dict(output=str(out), format=of, files=files)) if arguments.json else f'{of} in {out}: {", ".join(files)}')


def _encoded(arguments) -> tuple:
  """The model, the inputs of a command, their names and their features."""
  from jssl.inputs import read_inputs
  from jssl.storage import in_bucket

  if arguments.batch_size < 1:
    raise UsageError(f'--batch_size={arguments.batch_size}: at least one input per call is needed')
  model = _opened(arguments.workdir)
  inputs, names = read_inputs(arguments.input if in_bucket(arguments.input) else os.path.expanduser(arguments.input), model)
  return model, inputs, names, model.encode(inputs, batch_size=arguments.batch_size)


def _opened(where: Path) -> Any:
  """The model of a run, or in a folder."""
  from jssl.model import Model, load

  model = load(where)
  if not isinstance(model, Model):
    raise UsageError(f'{where} is from a system with its own training loop, which has no encoder; jssl.load gives its states by name')
  return model


def reproduce(arguments, overrides) -> None:
  from jssl import configs, processes
  from jssl.core.log import as_json
  from jssl.ledger import records as ledger
  from jssl.ledger import trials
  from jssl.run import load_config

  if bool(arguments.names) == arguments.all:
    raise UsageError('give the names of systems, or --all')
  jobs = processes.at_once() if arguments.jobs is None else arguments.jobs
  if jobs < 1:
    raise UsageError(f'--jobs {jobs}: at least one run at a time is needed')
  names = arguments.names or [name for name in configs.names() if load_config(name).get('claim')]
  for name in names:
    load_config(name)  # an unknown name is reported before hours are spent on the others
  if arguments.stale:
    current = lambda c: (record := ledger.read(c.name))['looks'] and not ledger.stale(record, c.to_dict())
    names = [name for name in names if not current(load_config(name))]
  records, lost = [], []
  with processes.workers(jobs, ready=settle) as spread:
    claims = {name: trials.begin(name, map=spread, jobs=jobs) for name in names}  # all at once, so that no core waits for the end of a claim
    for name, finish in claims.items():
      try:
        record = finish(lambda line: print(line, file=sys.stderr, flush=True))
      except Exception as error:  # the other claims are not affected
        if len(names) == 1 or os.environ.get('JSSL_TRACEBACK'):
          raise
        lost.append(name)
        bug = '' if isinstance(error, ValueError | OSError | RuntimeError) else f'a bug in jssl, traceback in {_keep_traceback()}: '
        print(f'{name}: not tried: {bug}{" ".join(str(error).split())}', file=sys.stderr, flush=True)
        continue
      records.append(record)
      if not arguments.json:
        last = record['looks'][-1]
        spent = f'{sum(last["seconds"].values()):.0f} s in all, look {len(record["looks"])}'
        print(f'{record["name"]}: {last["state"].replace("_", " ")}: {ledger.summary(record)} ({spent})', flush=True)
  if arguments.json:
    print(as_json(records, default=str))
  if lost:
    raise UsageError(f'{len(lost)} of {len(names)} claims could not be tried: {", ".join(lost)}')


def replay(arguments, overrides) -> None:
  from jssl.core.log import as_json
  from jssl.replay import describe
  from jssl.replay import replay as run_again

  found = run_again(arguments.folder)
  print(as_json(found) if arguments.json else describe(found))


def sweep(arguments, overrides) -> None:
  import ast

  from jssl import processes
  from jssl.core.log import as_json
  from jssl.ledger import tuning
  from jssl.run import load_config

  if not arguments.tune:
    raise UsageError('a sweep needs --tune, as its settings count as tries; it uses only development seeds and validation data')
  jobs = processes.at_once() if arguments.jobs is None else arguments.jobs
  if jobs < 1:
    raise UsageError(f'--jobs {jobs}: at least one run at a time is needed')
  load_config(arguments.name)
  over = {}
  for text in arguments.over:
    key, equals, values = text.partition('=')
    if not (key and equals and values):
      raise UsageError(f'--over {text}: write --over x.y=a,b,c')
    try:
      given = ast.literal_eval(f'({values},)')
    except (ValueError, SyntaxError):
      given = values.split(',')  # strings need no quotes
    over[key] = given
  say = lambda line: print(line, file=sys.stderr, flush=True)
  with processes.workers(jobs, ready=settle) as spread:
    tries = tuning.tune(arguments.name, over, row=arguments.row, seeds=arguments.seeds, map=spread, say=say)
  if arguments.json:
    print(as_json({'tries': tries}))
    return
  metrics = list(tries[0]['figures'])
  table = _table(arguments.row or arguments.name, *metrics)
  for each in tries:
    table.add_row(' '.join(each['settings']) or 'unchanged', *(f'{sum(x) / len(x):.4f}' for x in each['figures'].values()))
  _print(table)
  print(f'{len(tries)} of {tuning.TRIES} tries; figures are on validation data, the mean over seeds {tries[-1]["seeds"]}')


COMMANDS = {
  'sweep': sweep,
  'reproduce': reproduce,
  'list': list_systems,
  'show': show,
  'train': train,
  'plan': plan,
  'evaluate': evaluate,
  'embed': embed,
  'export': export,
  'data': data,
  'neighbours': neighbours,
  'replay': replay,
}


def _protocols(arguments) -> list[str] | None:
  return None if arguments.protocol is None else [] if arguments.protocol == 'none' else arguments.protocol.split(',')


def _show(results: dict[str, Any], workdir: Path, plain: bool) -> None:
  from jssl.core.log import as_json
  from jssl.model import SAVED

  if plain:
    print(as_json(results))
    return
  figures = results['figures']
  if figures:
    names = [n for n in figures if not n.endswith(('_low', '_high', '_std', '_validation'))]
    table = _table('', *names)
    for row, values in [*results['baselines'].items(), (results['name'], figures)]:
      table.add_row(row.replace('_', ' '), *(_figure(values, n) for n in names))
    _print(table)
  if curves := results.get('validation'):
    table = _table('validation', 'raw input', 'start', 'best', 'at step', 'end')
    for name, of in curves.items():
      steps, values = of['steps'], of['values']
      top = max(range(len(values)), key=values.__getitem__)
      start = f'{values[0]:.3f}' if steps[0] == 0 else ''
      table.add_row(name, _figure(of, 'raw_input'), start, f'{values[top]:.3f}', str(steps[top]), f'{values[-1]:.3f}')
    _print(table)
  for line in results.get('alarms', []):
    print(f'collapse alarm: {line}')
  if results.get('seconds'):
    print(f'trained in {results["seconds"]:.0f} s')
  names = [path.name for path in workdir.iterdir() if path.is_file()] + [f'{SAVED}/'] * (workdir / SAVED).is_dir()
  print(f'{workdir}: ' + ', '.join(sorted(names)))


def _figure(values: dict[str, float], name: str) -> str:
  if name not in values:
    return ''
  text = f'{values[name]:.3f}'
  if f'{name}_low' in values:
    text += f' [{values[f"{name}_low"]:.3f}, {values[f"{name}_high"]:.3f}]'
  return text


def _table(*columns: str):
  from rich import box
  from rich.table import Table

  table = Table(box=box.SIMPLE)
  for column in columns:
    table.add_column(column)
  return table


def _print(table) -> None:
  from rich.console import Console

  # Output to a file does not truncate names, however many columns there are.
  Console(width=None if sys.stdout.isatty() else 1000).print(table)


if __name__ == '__main__':
  sys.exit(main())
