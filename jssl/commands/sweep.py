"""jssl sweep: scores settings of a system on validation data."""

import ast
import sys

from jssl import processes
from jssl.commands.results import print_table, table
from jssl.console import settle
from jssl.core.log import as_json
from jssl.errors import UsageError
from jssl.ledger import tuning
from jssl.run import load_config


def run(arguments, overrides) -> None:
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
  shown = table(arguments.row or arguments.name, *metrics)
  for each in tries:
    shown.add_row(' '.join(each['settings']) or 'unchanged', *(f'{sum(x) / len(x):.4f}' for x in each['figures'].values()))
  print_table(shown)
  print(f'{len(tries)} of {tuning.TRIES} tries; figures are on validation data, the mean over seeds {tries[-1]["seeds"]}')
