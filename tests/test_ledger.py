"""The ledger: when a claim holds, what makes a record stale, and claims that speak of nothing."""

import itertools
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from jssl import cli, configs, run
from jssl.keys import DEFAULTS
from jssl.ledger import records as ledger


def rows(**means):
  return {row: {'accuracy': dict(mean=mean)} for row, mean in means.items()}


def test_a_check_holds_beyond_each_of_its_others():
  check = ledger.Check('accuracy', ('raw_input', 'random_init'), 0.02, lower=False)
  assert check.holds('mine', rows(mine=0.95, raw_input=0.92, random_init=0.8))
  assert not check.holds('mine', rows(mine=0.95, raw_input=0.94, random_init=0.8))
  assert check._replace(lower=True).holds('mine', rows(mine=0.1, raw_input=0.2, random_init=0.15))


def test_the_interval_is_students():
  mean, low, high = ledger.interval([1.0, 2.0, 3.0])
  assert mean == 2 and np.isclose(high - mean, 4.3027 / np.sqrt(3), atol=1e-4) and np.isclose(mean - low, high - mean)


@pytest.mark.parametrize('name', [name for name in sorted(configs.names()) if run.load_config(name).get('claim')])
def test_claims_speak_of_figures_that_come_out(name):
  c = run.load_config(name)
  known = c.get('evaluators') or DEFAULTS['evaluators']
  assert c.claim.seeds >= 1
  if not c.get('experiment'):
    for check in ledger.checks(c.claim.to_dict()):
      assert any(check.metric.startswith(f'{label}_') for label in known), check


def test_a_claim_of_nothing_is_refused_before_anything_is_trained(monkeypatch):
  c = run.load_config('simclr')
  c.claim.metric = 'analogies_mrr'
  monkeypatch.setattr(run, 'load_config', lambda *_: c)
  monkeypatch.setattr(run, 'outcomes', lambda *_: pytest.fail('it was trained'))
  with pytest.raises(ValueError, match='analogies_mrr, which none of its evaluators finds'):
    ledger.reproduce('simclr')


def test_baselines_are_judged_once_a_seed_beside_the_system_itself(monkeypatch, tmp_path):
  asked = []

  def outcomes(config, seeds, labels, *, baselines):
    asked.append((tuple(seeds), baselines))
    for seed in seeds:
      figures = {'simcse': 0.3 + 0.01 * seed, 'random_init': 0.2} if baselines else {'simcse': 0.25}
      yield dict(rows={row: dict(sts_spearman=x) for row, x in figures.items()}, curve=[(1, 0.5)], alarms=[])

  monkeypatch.setattr(run, 'outcomes', outcomes)
  monkeypatch.setattr(ledger, '_records', tmp_path)
  record = ledger.reproduce('simcse', say=str)
  assert asked == [((0, 1, 2), True), ((0, 1, 2), False)]
  assert record['state'] == 'held' and (tmp_path / 'simcse.png').exists()
  means = {row: figures['sts_spearman']['mean'] for row, figures in record['figures'].items()}
  assert means == pytest.approx({'simcse': 0.31, 'random_init': 0.2, 'no dropout': 0.25})


def _found(name, seed):
  return dict(rows={name: dict(sts_spearman=(30 + seed) / 100), 'random_init': dict(sts_spearman=0.1)}, curve=[], alarms=[])


WHOLE, ODD_AND_EVEN = [range(3)] * 2, [range(0, 3, 2)] * 2 + [range(1, 3, 2)] * 2


@pytest.mark.parametrize('jobs, parts', [(2, WHOLE), (4, ODD_AND_EVEN)])
def test_runs_of_all_claims_are_asked_for_before_any_is_waited_for(monkeypatch, tmp_path, jobs, parts):
  asked = []

  def eager(work, *arguments):
    asked.extend(zip(*arguments, strict=True))
    return iter([work(*a) for a in zip(*arguments, strict=True)])

  monkeypatch.setattr(run, 'outcomes', lambda config, seeds, *_, **__: [_found(config.name, seed) for seed in seeds])
  monkeypatch.setattr(ledger, '_records', tmp_path)
  monkeypatch.setattr(ledger, 'time', types.SimpleNamespace(perf_counter=itertools.count().__next__))  # a second a run
  claims = [ledger.begin(name, map=eager, jobs=jobs) for name in ('simcse', 'diffcse')]
  assert [seeds for seeds, *_ in asked] == parts * 2 and not list(tmp_path.iterdir())
  records = [finish(str) for finish in claims]
  assert [record['name'] for record in records] == ['simcse', 'diffcse']
  assert [record['seconds'] for record in records] == [6 / jobs] * 2, 'three seeds of two variants, so many at a time'
  assert records[0]['figures']['simcse']['sts_spearman']['values'] == [0.3, 0.31, 0.32], 'by seed, whichever came first'


def test_a_claim_that_cannot_be_tried_leaves_the_others(monkeypatch, tmp_path, capsys):
  def outcomes(config, seeds, labels, *, baselines):
    if config.name == 'diffcse':
      raise ValueError('no data\nhere')
    return [_found(config.name, seed) for seed in seeds]

  monkeypatch.setattr(run, 'outcomes', outcomes)
  monkeypatch.setattr(ledger, '_records', tmp_path)
  assert cli.main(['reproduce', 'diffcse', 'simcse', '--jobs', '1']) == 2
  printed = capsys.readouterr()
  assert 'diffcse: not tried: no data here' in printed.err and '1 of 2 claims could not be tried: diffcse' in printed.err
  assert 'simcse: not held: ' in printed.out and (tmp_path / 'simcse.json').exists()
  assert cli.main(['reproduce', 'diffcse', '--jobs', '1']) == 2
  assert capsys.readouterr().err == 'jssl: no data here\n'


def test_records_without_a_checkout_are_the_users(tmp_path):
  """As in a wheel: what is shipped is read, and nothing is written beside it."""
  package = tmp_path / 'site' / 'jssl'
  shutil.copytree(Path(ledger.__file__).parents[1], package, ignore=shutil.ignore_patterns('__pycache__'))
  (package / 'records').mkdir()
  (package / 'records' / 'simclr.json').write_text('{"state": "held"}')
  code = (
    'from jssl.core.log import replace; from jssl.ledger import records; import jssl; print(jssl.__file__); print(records._records)\n'
    'assert records.read("simclr") == {"state": "held"}; records._records.mkdir(parents=True)\n'
    'replace(records._records / "simclr.json", "{}"); assert records.read("simclr") == {}'
  )
  environment = {**os.environ, 'PYTHONPATH': str(tmp_path / 'site'), 'XDG_DATA_HOME': str(tmp_path / 'home')}
  done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=tmp_path, env=environment)
  assert done.returncode == 0, done.stderr
  assert done.stdout.splitlines() == [str(package / '__init__.py'), str(tmp_path / 'home' / 'jssl' / 'ledger')]
