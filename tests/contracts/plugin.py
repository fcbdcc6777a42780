"""What pytest does with the cases of contracts: those that are not selected are skipped, and what is owed is written down.

With `-m ''` all are run. CONTRACT_SECONDS is how long stale cases may take, 60 by default, in each of the processes that run tests.
"""

import json
import os
import time
from pathlib import Path

import pytest

OWED = Path(__file__).with_name('owed.json')
HINT = "-m '' runs it"


class Contracts:
  """A session of tests; where there are several processes, each collects and runs cases, and the first one hears of all."""

  def __init__(self, budget: float):
    self.budget, self.spent = budget, 0.0
    self.passed: dict[tuple[str, str], tuple[str, float]] = {}
    self.failed: set[tuple[str, str]] = set()
    self.owed: set[tuple[str, str]] = set()
    self.current = 0

  def pytest_collection_modifyitems(self, config, items):
    found = {item: case for item in items if (case := case_of(item))}
    if not found:
      return
    from tests.contracts import cases

    now = {case: cases.hashes()[case] for case in found.values()}
    processes = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', 1))
    chosen = cases.select(cases.read(), now, self.budget * processes, cases.tree(), cases.representatives())
    for item, case in found.items():
      state = 'owed' if case in chosen.owed else 'current' if case in chosen.current else 'run'
      item.user_properties.append(('contract', [*case, now[case], state]))
      if config.option.markexpr == '':
        continue
      if state == 'owed':
        item.add_marker(pytest.mark.skip(reason=f'owed: there was no time for it; {HINT}'))
      elif state == 'current':
        item.add_marker(pytest.mark.skip(reason=f'it passed with what it rests on; {HINT}'))

  @pytest.hookimpl(wrapper=True)
  def pytest_runtest_call(self, item):
    if not (told := dict(item.user_properties).get('contract')):
      return (yield)
    if self.spent > self.budget and item.config.option.markexpr != '':  # recorded on a faster machine
      told[3] = 'owed'
      pytest.skip(f'owed: the time is up; {HINT}')
    began = time.perf_counter()
    try:
      return (yield)
    finally:
      self.spent += time.perf_counter() - began

  def pytest_runtest_logreport(self, report):
    if not (told := dict(report.user_properties).get('contract')):
      return
    contract, name, own, state = told
    if report.failed:
      self.failed.add((contract, name))
    elif report.passed and report.when == 'call':
      self.passed[contract, name] = (own, round(report.duration, 1))
    elif report.skipped and state != 'current':  # where its data are not here, too
      self.owed.add((contract, name))
    elif report.skipped:
      self.current += 1

  def pytest_terminal_summary(self, terminalreporter):
    if not (self.passed or self.failed or self.owed or self.current):
      return
    owed = sorted(self.owed | self.failed)
    OWED.write_text(json.dumps(owed, indent=1) + '\n')
    counts = f'{len(self.passed)} passed, {len(self.failed)} failed, {self.current} rest on what they passed with, {len(self.owed)} owed'
    terminalreporter.section('contracts of systems')
    terminalreporter.line(counts + (f', listed in {OWED.name}: {", ".join(sorted({name for _, name in owed}))}' if owed else ''))


def case_of(item) -> tuple[str, str] | None:
  """The case that a test is."""
  if item.path.name != 'test_systems.py' or item.path.parent != OWED.parent:
    return None
  from tests.contracts import cases

  contract = item.originalname.removeprefix('test_')
  return (contract, item.callspec.params['name']) if contract in cases.CONTRACTS else None


def pytest_configure(config):
  config.pluginmanager.register(Contracts(float(os.environ.get('CONTRACT_SECONDS', 60))), 'contracts')
