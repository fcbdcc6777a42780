"""jssl sweep: scores settings of a system on validation data; with --tune as counted trials for its claim."""

import contextlib
import sys
from functools import partial

import jssl
from jssl import processes
from jssl.commands.results import print_table, table
from jssl.commands.settings import jobs_of, new_workdir, of_data
from jssl.configs import split
from jssl.console import settle
from jssl.core.log import as_json
from jssl.errors import UsageError
from jssl.ledger import tuning
from jssl.run import load_config
from jssl.several import local
from jssl.sweeps import engines, space

ALONE = ('data', 'workdir', 'metric', 'lower', 'sampler', 'trials', 'engine', 'engine_option')  # options that --tune does not take


def run(arguments, overrides) -> None:
  load_config(arguments.name)
  jobs = jobs_of(arguments)
  over = space.read(arguments.over)
  if arguments.tune:
    return tune(arguments, over, jobs)
  if arguments.row:
    raise UsageError('--row names a variant of a claim: give --tune, or set its options')
  of_data(arguments.data)  # refuses one without a place
  workdir = local(arguments.workdir or new_workdir(f'sweep-{split(arguments.name)[0].removesuffix(".py").rpartition("/")[2]}'))
  options = engines.options_of(arguments.engine_option)
  if options and arguments.engine in (None, 'local'):
    raise UsageError('--engine-option is for --engine slurm or ray; local trials have --jobs')
  engine = dict(
    local=partial(processes.workers, jobs, ready=settle), slurm=partial(engines.slurm, workdir / 'jobs', arguments.jobs, options),
    ray=partial(engines.ray, workdir / 'ray', arguments.jobs, options),
  )[arguments.engine or 'local']  # fmt: skip
  with contextlib.ExitStack() as opened:
    result = jssl.sweep(
      arguments.name, over, arguments.data, workdir=workdir, metric=arguments.metric, lower=arguments.lower, seeds=arguments.seeds or 1,
      sampler=arguments.sampler, trials=arguments.trials, settings=overrides, map=opened.enter_context(engine()), at_once=jobs,
      say=lambda line: print(line, file=sys.stderr, flush=True),
    )  # fmt: skip
  if arguments.json:
    print(as_json(result))
  else:
    shown = table(*over, result['metric'], 'by seed', 'seconds')
    for each in result['trials']:
      values = [str(of.at(each['points'][option])) for option, of in over.items()]
      scores = ' '.join(f'{x:.4f}' for x in each['scores']) if result['seeds'] > 1 else ''
      shown.add_row(*values, each['message'] or f'{each["score"]:.4f}', scores, f'{each["seconds"]:.0f}' if each['seconds'] is not None else '')
    print_table(shown)
    print(f'Scores are from {result["source"]}.')
    print('These trials are not registered for the claim of a system; `jssl sweep --tune` counts them.')
    if result['best']:
      print(f'Train the best with: jssl train {result["config"]}')
    print(f'{workdir}: sweep.json' + (', sweep.png' if result['best'] else '') + ', a folder for each trial')
  if not result['best']:
    raise UsageError(f'all {len(result["trials"])} trials failed; the table and {workdir}/sweep.json say why')


def tune(arguments, over: space.Space, jobs: int) -> None:
  """Scores settings for the claim of a system, by the rules of the ledger."""
  if given := [name for name in ALONE if getattr(arguments, name)]:
    raise UsageError(f'--{given[0].replace("_", "-")} is not for --tune, which takes data and metrics of the claim; leave one out')
  if ranges := [option for option, of in over.items() if isinstance(of, space.Range)]:
    raise UsageError(f'--over {ranges[0]} is a range, and --tune tries listed values: write --over x.y=a,b,c')
  say = lambda line: print(line, file=sys.stderr, flush=True)
  values = {option: of.values for option, of in over.items()}
  with processes.workers(jobs, ready=settle) as spread:
    tries = tuning.tune(arguments.name, values, row=arguments.row, seeds=arguments.seeds or 3, map=spread, say=say)
  if arguments.json:
    print(as_json({'tries': tries}))
    return
  metrics = list(tries[0]['figures'])
  shown = table(arguments.row or arguments.name, *metrics)
  for each in tries:
    shown.add_row(' '.join(each['settings']) or 'unchanged', *(f'{sum(x) / len(x):.4f}' for x in each['figures'].values()))
  print_table(shown)
  print(f'{len(tries)} of {tuning.TRIES} tries; figures are means on validation data over seeds {tries[-1]["seeds"]}')
