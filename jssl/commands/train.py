"""jssl train: trains a system and compares it with its baselines."""

import contextlib
import time
from pathlib import Path

import jax

from jssl import configs, processes
from jssl.adapt import adapt
from jssl.commands.results import print_results
from jssl.commands.settings import of_data, protocols
from jssl.errors import Stopped, UsageError
from jssl.replay import describe
from jssl.replay import replay as run_again
from jssl.run import load_config, train
from jssl.storage import reach


def run(arguments, overrides) -> None:
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
    config = load_config(arguments.name, [*of_data(arguments.data), *overrides])
    if arguments.data and config.get('experiment'):
      raise UsageError(f'--data: {arguments.name} has its own training loop and data; train another system on your data')
    if arguments.data and any('data' in phase for phase in config.get('phases', ())):
      raise UsageError(f'--data: the phases of {arguments.name} have their own data (phases.data), which --data does not replace')
    adapt(config)
    options = dict(quiet=arguments.json, tensorboard=arguments.tensorboard, take_over=arguments.take_over, resume_with=arguments.resume_with)
    options |= dict(profile=arguments.profile)
    try:
      results = train(config, workdir, protocols=protocols(arguments), **options)
    except Stopped as stopped:
      if stopped.capture is None:
        raise
      raise UsageError(f'{stopped}. {describe(run_again(stopped.capture))}') from stopped
    if jax.process_index() == 0:
      print_results(results, workdir, arguments.json)
