"""jssl report: one HTML file about a run, about several runs, or about the ledger."""

import json
import sys

from jssl.errors import UsageError
from jssl.report import comparison, ledger
from jssl.report import run as of_run
from jssl.storage import path, reach, remote


def run(arguments, overrides) -> None:
  if arguments.ledger == bool(arguments.workdirs):
    raise UsageError('give the workdirs of one or more runs, or --ledger')
  workdirs = [reach(workdir) for workdir in arguments.workdirs]
  output = arguments.output or (workdirs[0] / 'report.html' if len(workdirs) == 1 else path('report.html'))
  if arguments.output and not remote(output) and not output.absolute().parent.is_dir():
    raise UsageError(f'--output {output}: there is no folder {output.parent}; create it first')
  made = ledger.report() if arguments.ledger else of_run.report(workdirs[0]) if len(workdirs) == 1 else comparison.report(workdirs)
  made.save(output)
  if arguments.json:
    print(json.dumps(dict(output=str(output), sections=made.sections, left_out=made.left_out)))
    return
  for section, why in made.left_out.items():
    print(f'left out: {section}: {why}', file=sys.stderr)
  print(f'{output}: {", ".join(made.sections)}')
