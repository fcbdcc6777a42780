"""Which contracts of systems are run, which are owed, and what is kept of those that passed."""

import json

import pytest

from jssl.ledger import reach
from tests.contracts import cases, plugin, record

NOW = {('resumes', f'system{i}'): f'hash{i}' for i in range(40)}


@pytest.fixture(autouse=True)
def _share(monkeypatch):
  monkeypatch.setattr(cases, 'PART', 20)  # of forty cases, some


def recorded(**changes):
  """Records of all cases, each of so many seconds as its number."""
  kept = {name: (own, float(name.removeprefix('system'))) for (_, name), own in NOW.items()}
  return {'resumes': {**kept, **changes}}


def without_share(selection, share):
  drawn = cases.select(recorded(), NOW, 0, share).run
  return {name for _, name in selection.run - drawn}


def test_what_rests_on_the_same_is_left_out_but_for_a_share():
  chosen = cases.select(recorded(), NOW, 600, 'tree')
  assert not chosen.owed and chosen.run | chosen.current == {*NOW} and not chosen.run & chosen.current
  assert 0 < len(chosen.run) < len(NOW) / 2
  assert chosen == cases.select(recorded(), NOW, 600, 'tree') != cases.select(recorded(), NOW, 600, 'another')


def test_every_case_is_drawn_by_some_tree():
  assert set.union(*(cases.select(recorded(), NOW, 0, str(tree)).run for tree in range(200))) == {*NOW}


def test_stale_cases_are_run_as_far_as_their_seconds_fit():
  records = recorded(**{f'system{i}': ('older', float(i)) for i in range(10, 20)})
  chosen = cases.select(records, NOW, 40, 'tree')
  assert chosen.run | chosen.owed >= cases.stale(records, NOW) == {('resumes', f'system{i}') for i in range(10, 20)}
  cheap = without_share(chosen, 'tree')
  assert sum(int(name.removeprefix('system')) for name in cheap) <= 40
  assert max(cheap) < min(name for _, name in chosen.owed), 'what takes less is run first'
  assert not cases.select(records, NOW, float('inf'), 'tree').owed


def test_some_come_before_cheaper_ones():
  records = recorded(**{f'system{i}': ('older', float(i)) for i in range(10, 20)})
  share = next(share for share in map(str, range(99)) if ('resumes', 'system19') not in cases.select(recorded(), NOW, 0, share).run)
  assert 'system19' not in without_share(cases.select(records, NOW, 25, share), share)
  assert 'system19' in without_share(cases.select(records, NOW, 25, share, first={'system19'}), share)


def test_what_was_never_run_is_stale_and_taken_for_ten_seconds():
  chosen = cases.select({}, NOW, 100, 'tree')
  assert len(without_share(chosen, 'tree')) == 10 and len(chosen.owed) == 30 - len(cases.select(recorded(), NOW, 0, 'tree').run)


def test_a_change_makes_stale_what_rests_on_it():
  contract = 'trains_resumes_and_compiles_each_step_once'
  text = reach.source('jssl.objectives.word2vec').decode()
  after = reach.Code({'jssl.objectives.word2vec': text.replace('def sgns(', 'def sgns(another, ')}, left_out=())
  assert cases.hashed(contract, 'word2vec', after) != cases.hashed(contract, 'word2vec') == cases.hashes()[contract, 'word2vec']
  assert cases.hashed(contract, 'simclr', after) == cases.hashed(contract, 'simclr')


def test_contracts_rest_on_no_evaluator():
  reached = cases.code().reached({**cases.config('simclr'), 'evaluators': {}}, cases.CONTRACTS['devices_and_micro_batches_change_nothing'])
  assert {'jssl.testing:measure', 'jssl.core.step:make_step', 'jssl.core.checkpoint:save'} <= reached
  assert not any(name.startswith('jssl.evaluators.general') for name in reached)


@pytest.mark.parametrize('functions', cases.CONTRACTS.values(), ids=cases.CONTRACTS)
def test_what_checks_a_contract_is_a_definition(functions):
  assert all(len(cases.code().resolved(function)) == 1 for function in functions)


def test_records_are_kept_beside_each_other(tmp_path, monkeypatch):
  monkeypatch.setattr(cases, 'RECORDS', tmp_path / 'records.json')
  one, two = ('traces_at_full_size', 'simclr'), ('traces_at_full_size', 'word2vec')
  cases.write({one: ('a', 1.5), two: ('b', 2.0)}, ())
  cases.write({one: ('c', 1.0)}, {two})
  assert cases.flat(cases.read()) == {one: ('c', 1.0)}
  assert [*json.loads(cases.RECORDS.read_text())] == [*cases.CONTRACTS]


def test_what_is_owed_is_listed(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(cases, 'RECORDS', tmp_path / 'records.json')
  monkeypatch.setattr(cases, 'hashes', lambda: {('traces_at_full_size', 'simclr'): 'now', ('traces_at_full_size', 'dino'): 'now'})
  cases.write({('traces_at_full_size', 'simclr'): ('now', 1.0)}, ())
  assert record.main(['--owed']) == 1
  assert 'traces_at_full_size[dino]\n1 of 2' in capsys.readouterr().out
  cases.write({('traces_at_full_size', 'dino'): ('now', 1.0)}, ())
  assert record.main(['--owed']) == 0


class Report:
  def __init__(self, outcome, state, when='call'):
    self.user_properties, self.when, self.duration = [('contract', ['resumes', outcome + state, 'hash', state])], when, 1.23
    self.passed, self.failed, self.skipped = (outcome == kind for kind in ('passed', 'failed', 'skipped'))


def test_what_has_not_passed_is_owed():
  session = plugin.Contracts(600)
  for outcome, state in (('passed', 'run'), ('failed', 'run'), ('skipped', 'run'), ('skipped', 'owed'), ('skipped', 'current')):
    session.pytest_runtest_logreport(Report(outcome, state))
  assert session.passed == {('resumes', 'passedrun'): ('hash', 1.2)} and session.current == 1
  assert session.failed | session.owed == {('resumes', name) for name in ('failedrun', 'skippedrun', 'skippedowed')}
