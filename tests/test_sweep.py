"""Sweeps: values and ranges, trials that are not repeated, failures that stop nothing, the config of the best."""

import json
import shutil
from pathlib import Path

import pytest

import jssl
from jssl import cli, several
from jssl.errors import ConfigError, Stopped, UsageError
from jssl.ledger import records
from jssl.sweeps import engines, space
from jssl.sweeps.space import Choice, Range
from tests.small_runs import ASKED, CONFIG, DIVERGED, without_training

OVER = {'losses.nce.temperature': [0.1, 0.2], 'optimizer.learning_rate': [0.1, 0.3]}


@pytest.fixture
def small(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(records, '_records', tmp_path / 'ledger')
  Path('small.py').write_text(CONFIG)
  return 'small.py'


def rate(config):
  return config['optimizer']['learning_rate']


def score(config):
  return 0.5 + 0.5 * rate(config) - abs(config['losses']['nce']['temperature'] - 0.2) + 0.001 * config['seed']


@pytest.mark.parametrize(
  'text, expected',
  [
    ('1,2,3', Choice((1, 2, 3))), ('adamw,lars', Choice(('adamw', 'lars'))), ('(16,),(32,8)', Choice(((16,), (32, 8)))),
    ('0.1', Choice((0.1,))), ('1e-4:1e-2:log', Range(1e-4, 1e-2, True)), ('0.1:0.5', Range(0.1, 0.5)), ('2:8', Range(2, 8)),
    ('None,0.5', Choice((None, 0.5))), ('my.losses:hinge,my.losses:other', Choice(('my.losses:hinge', 'my.losses:other'))),
  ],
)  # fmt: skip
def test_values_and_ranges_are_read(text, expected):
  assert space.parsed('x', text) == expected


@pytest.mark.parametrize(
  'texts, message',
  [
    ([], 'needs the options that it tries'), (['seed'], 'write --over x.y=a,b,c'), (['x='], 'write --over'),
    (['x=1,1'], 'the same value twice'), (['x=2:1'], 'LOW below HIGH'), (['x=0:1:log'], 'above 0'), (['x=1', 'x=2'], 'given twice'),
  ],
)  # fmt: skip
def test_values_that_mean_nothing_are_refused(texts, message):
  with pytest.raises(UsageError, match=message):
    space.read(texts)


def test_a_grid_is_scored_on_validation_data_and_its_best_config_is_a_file(small, monkeypatch):
  asked = without_training(monkeypatch, score)
  result = jssl.sweep(small, OVER, workdir='w', seeds=2, settings={'epochs': 2}, say=str)
  assert len(asked) == 8 and {c['data']['name'] for c in asked} == {'development'} and {c['epochs'] for c in asked} == {2}
  assert {c['steps'] for c in asked} == {None}, 'epochs take the place of the steps of the config'
  assert [t['settings'] for t in result['trials']][0] == ['losses.nce.temperature=0.2', 'optimizer.learning_rate=0.3']
  assert result['best']['scores'] == pytest.approx([0.65, 0.651]) and result['best']['score'] == pytest.approx(0.6505)
  c = jssl.load_config(result['config'])
  assert (c.losses.nce.temperature, c.optimizer.learning_rate, c.epochs, c.steps, c.name) == (0.2, 0.3, 2, None, 'small_best')
  assert c.data.name == 'digits', 'trained on the whole training split'
  assert Path('w/sweep.png').stat().st_size > 5_000 and not [*Path('w').rglob('checkpoints')], 'the checkpoints of trials are not kept'
  assert not Path('ledger').exists(), 'a sweep does not count as tries'


def test_a_sweep_that_was_killed_runs_only_what_is_left(small, monkeypatch):
  asked = without_training(monkeypatch, lambda c: ASKED if len(asked) == 3 else score(c))
  with pytest.raises(Stopped):
    jssl.sweep(small, OVER, workdir='w', say=str)
  assert [t['state'] for t in json.loads(Path('w/sweep.json').read_text())['trials']].count('complete') == 2
  before = [(c['losses']['nce']['temperature'], rate(c)) for c in asked[:2]]
  asked = without_training(monkeypatch, score)
  result = jssl.sweep(small, OVER, workdir='w', say=str)
  after = [(c['losses']['nce']['temperature'], rate(c)) for c in asked]
  assert len(after) == 2 and not {*before} & {*after} and [t['state'] for t in result['trials']] == ['complete'] * 4
  with pytest.raises(ConfigError, match=r'holds another sweep \(differing in over\)'):
    jssl.sweep(small, {'optimizer.learning_rate': [0.1]}, workdir='w', say=str)


def test_a_trial_that_fails_is_recorded_and_does_not_stop_the_others(small, monkeypatch):
  figure = lambda c: {0.1: DIVERGED, 0.2: OSError('no space left'), 0.3: 0.4, 0.4: 0.9}[rate(c)]
  asked = without_training(monkeypatch, figure)
  over = {'optimizer.learning_rate': [0.1, 0.2, 0.3], 'losses.nce.temperature': [0.5, 9.0]}
  result = jssl.sweep(small, over, workdir='w', say=str)
  told = {tuple(t['points'].values()): (t['state'], t['message']) for t in result['trials']}
  assert (
    told[2, 0] == ('complete', None) and told[0, 0] == ('failed', 'at step 2 the loss is nan') and told[1, 0] == ('failed', 'no space left')
  )
  assert told[2, 1] == ('failed', 'collapse alarm: deviation 0.001'), 'a collapsed network is not the best, whatever it scores'
  assert result['best']['points'] == {'optimizer.learning_rate': 2, 'losses.nce.temperature': 0}
  asked.clear()
  jssl.sweep(small, over, workdir='w', say=str)
  assert [rate(c) for c in asked] == [0.2, 0.2], 'what failed because of the machine is tried again, what diverged is not'


def test_settings_that_are_known_to_be_bad_are_refused_before_the_first_step(small, monkeypatch):
  asked = without_training(monkeypatch, score)
  for over, message in (
    ({'batch_size': [16, 4000]}, 'batch_size=4000: batch_size 4000 is more than the 160'),
    ({'losses.nce.temperatur': [1.0]}, 'temperatur'),
    ({'optimizer.name': ['sgd', 'adamww']}, "optimizer.name='?adamww"),
  ):
    with pytest.raises(ConfigError, match=message):
      jssl.sweep(small, over, workdir='w', say=str)
  with pytest.raises(ConfigError, match="no evaluator gives 'top1'"):
    jssl.sweep(small, OVER, workdir='w', metric='top1', say=str)
  with pytest.raises(UsageError, match='a grid has no points'):
    jssl.sweep(small, {'optimizer.learning_rate': '0.1:0.3'}, workdir='w', sampler='grid', say=str)
  with pytest.raises(UsageError, match='needs the number of trials'):
    jssl.sweep(small, {'optimizer.learning_rate': '0.1:0.3'}, workdir='w', say=str)
  assert not asked


def test_the_score_and_its_direction_are_those_of_the_claim_unless_given(small, monkeypatch):
  Path('small.py').write_text(
    CONFIG.replace('  return c', "  c.claim = dict(metric='knn_top1', beats=('raw_input',), margin=0.0, lower=True)\n  return c")
  )
  without_training(monkeypatch, score)
  result = jssl.sweep(small, OVER, workdir='w', say=str)
  assert result['lower'] and result['best']['score'] == min(t['score'] for t in result['trials'])
  assert not jssl.sweep(small, OVER, workdir='v', lower=False, say=str)['lower']


def test_the_command_line_sweeps_without_counting_tries_and_keeps_the_rules_of_tuning(small, monkeypatch, capsys):
  without_training(monkeypatch, score)
  command = ['sweep', small, '--over', 'optimizer.learning_rate=0.1,0.3', '--jobs', '1']
  assert cli.main([*command, '--workdir', 'w', '--config.losses.nce.temperature=0.2']) == 0
  out = capsys.readouterr().out
  assert 'the test split was not read' in out and 'not registered' in out and 'jssl train ' in out and out.index('0.6500') < out.index('0.5500')
  assert cli.main([*command, '--workdir', 'w', '--config.losses.nce.temperature=0.2', '--json']) == 0
  assert json.loads(capsys.readouterr().out)['best']['score'] == 0.65
  for more, message in (
    (['--tune', '--metric', 'knn_top1'], '--metric is not for --tune'), (['--row', 'hot'], 'give --tune'),
    (['--engine-option', 'cpu=1'], 'for --engine slurm or ray'), (['--jobs', '0'], '--jobs 0'),
  ):  # fmt: skip
    assert cli.main([*command, *more]) == 2 and message in capsys.readouterr().err
  assert cli.main(['sweep', small, '--tune', '--over', 'optimizer.learning_rate=0.1:0.3']) == 2 and 'listed values' in capsys.readouterr().err


def test_optuna_proposes_trials_and_goes_on_from_the_records(small, monkeypatch):
  pytest.importorskip('optuna')
  asked = without_training(monkeypatch, lambda c: ASKED if len(asked) == 5 else score(c))
  over = {'optimizer.learning_rate': '1e-3:0.9:log', 'losses.nce.temperature': [0.1, 0.2]}
  with pytest.raises(Stopped):
    jssl.sweep(small, over, workdir='w', trials=8, say=str)
  first = [rate(c) for c in asked]
  asked = without_training(monkeypatch, score)
  result = jssl.sweep(small, over, workdir='w', trials=8, say=str)
  again = [rate(c) for c in asked]
  assert len(result['trials']) == 8 and len({*first, *again}) == 8 and len(again) == 4 and again[0] == first[-1], (
    'the trial that was stopped goes on'
  )
  assert all(1e-3 <= x <= 0.9 for x in again) and result['best']['score'] == max(t['score'] for t in result['trials'])
  assert len(jssl.sweep(small, over, workdir='w', trials=10, say=str)['trials']) == 10, 'more trials can be asked for'


def test_options_of_engines_are_read_and_missing_libraries_are_named(monkeypatch, tmp_path):
  assert engines.options_of(['timeout_min=60', 'slurm_partition=gpu', 'cpu=0.5']) == dict(timeout_min=60, slurm_partition='gpu', cpu=0.5)
  with pytest.raises(UsageError, match='write --engine-option KEY=VALUE'):
    engines.options_of(['gpu'])
  for engine, package in ((engines.slurm, 'submitit'), (engines.ray, 'ray')):
    monkeypatch.setitem(__import__('sys').modules, package, None)
    with pytest.raises(UsageError, match=rf"pip install 'jssl\[{engine.__name__}\]'"), engine(tmp_path, None, {}):
      pass


@pytest.mark.long
def test_submitit_runs_trials(small):
  pytest.importorskip('submitit')
  with engines.slurm(Path('jobs').absolute(), 2, dict(cluster='debug')) as spread:
    result = jssl.sweep(small, {'optimizer.learning_rate': [0.1, 0.3]}, workdir='w', settings=dict(steps=2), map=spread, say=str)
  assert [t['state'] for t in result['trials']] == ['complete'] * 2


def test_an_outcome_that_is_damaged_is_named(small, monkeypatch):
  without_training(monkeypatch, score)
  jssl.sweep(small, OVER, workdir='w', say=str)
  Path('w/trials/000/seed-0/outcome.json').write_text('{')
  with pytest.raises(ConfigError, match='damaged'):
    several.outcome(several.Task(small, (), 0, 'validation', 'w/trials/000/seed-0'))
  shutil.rmtree('w/trials/000')
  assert len(jssl.sweep(small, OVER, workdir='w', say=str)['trials']) == 4
