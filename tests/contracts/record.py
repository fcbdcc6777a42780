"""Runs contracts of systems and records in records.json which have passed, with what they rest on and in how many seconds.

python -m tests.contracts.record                  the stale ones, however long they take
python -m tests.contracts.record --all            all
python -m tests.contracts.record --owed           runs nothing: lists the stale ones, and exits with 1 where there are any

Other arguments go to pytest: `-k simclr`, `-n 4`.
"""

import os
import sys


def main(arguments: list[str]) -> int:
  own = {'--all', '--owed'} & {*arguments}
  arguments = [a for a in arguments if a not in own]
  if '--owed' in own:
    from tests.contracts import cases

    owed = sorted(cases.stale(cases.read(), cases.hashes()))
    for contract, name in owed:
      print(f'{contract}[{name}]')
    print(f'{len(owed)} of {len(cases.hashes())} contracts of systems are owed')
    return int(bool(owed))
  import pytest

  os.environ['CONTRACT_SECONDS'] = 'inf'
  recorder = Recorder()
  code = pytest.main(['tests/contracts/test_systems.py', *(['-m', ''] if '--all' in own else []), *arguments], plugins=[recorder])
  return int(code)


class Recorder:
  """Writes down what has passed when all have run, or as many as did before they were stopped."""

  def pytest_sessionfinish(self, session):
    if hasattr(session.config, 'workerinput'):
      return
    from tests.contracts import cases

    found = session.config.pluginmanager.get_plugin('contracts')
    cases.write(found.passed, found.failed)


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
