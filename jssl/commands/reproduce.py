"""jssl reproduce: runs claims and records them in the ledger."""

import os
import sys

from jssl import configs, processes
from jssl.console import keep_traceback, settle
from jssl.core.log import as_json
from jssl.errors import UsageError
from jssl.ledger import records as ledger
from jssl.ledger import trials
from jssl.run import load_config


def run(arguments, overrides) -> None:
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
        bug = '' if isinstance(error, ValueError | OSError | RuntimeError) else f'a bug in jssl, traceback in {keep_traceback()}: '
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
