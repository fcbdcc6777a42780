"""Comparison of methods: one budget, paired bounds, runs that are not repeated, figures that are not from the test split by accident."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

import jssl
from jssl import cli
from jssl.errors import ConfigError, Stopped, UsageError
from tests.small_runs import ASKED, CONFIG, DIVERGED, without_training


@pytest.fixture
def methods(tmp_path, monkeypatch):
  """Three methods on the same data, which differ in temperature; the budget of the second one is another."""
  monkeypatch.chdir(tmp_path)
  Path('warm.py').write_text(CONFIG)
  Path('hot.py').write_text(CONFIG.replace('temperature=0.5', 'temperature=5.0').replace('batch_size=32, steps=4', 'batch_size=16, steps=9'))
  Path('cold.py').write_text(CONFIG.replace('temperature=0.5', 'temperature=0.1'))
  return ['warm.py', 'hot.py', 'cold.py']


def figure(config):
  """0.9, 0.6 and 0.95 by temperature, which vary with the seed, together and apart."""
  temperature, seed = config['losses']['nce']['temperature'], config['seed']
  return {0.5: 0.8, 5.0: 0.6, 0.1: 0.81}[temperature] + 0.03 * seed + (0.01 * (seed == 1) if temperature == 0.1 else 0)


def test_every_method_has_the_budget_of_the_first_and_settings_apply_to_all(methods, monkeypatch):
  asked = without_training(monkeypatch, figure)
  result = jssl.compare(methods, workdir='w', seeds=2, say=str)
  assert {(c['batch_size'], c['steps'], tuple(c['evaluators'])) for c in asked} == {(32, 4, ('knn',))}
  assert [(c['name'], c['seed']) for c in asked] == [(name, seed) for seed in (0, 1) for name in ('warm', 'hot', 'cold')]
  assert result['budget'] == dict(data='digits', examples=160, batch_size=32, steps=4, epochs=0.8)
  assert result['methods']['hot']['parameters'] == 5 and result['methods']['hot']['encoder'] == 3
  assert result['methods']['hot']['seconds'] == [1.5, 1.5]
  asked.clear()
  result = jssl.compare(methods, workdir='v', seeds=1, settings={'epochs': 3, 'batch_size': 20}, say=str)
  assert {(c['batch_size'], c['steps'], c['epochs']) for c in asked} == {(20, None, 3)} and result['budget']['steps'] == 24


def test_differences_are_paired_by_seed_with_the_bounds_of_a_paired_t_test(methods, monkeypatch):
  without_training(monkeypatch, figure)
  result = jssl.compare(methods, workdir='w', seeds=3, say=str)
  found = {(d['method'], d['to']): d for d in result['differences']}
  assert [*found] == [
    ('warm', 'raw_input'), ('warm', 'random_init'), ('hot', 'warm'), ('hot', 'raw_input'), ('hot', 'random_init'),
    ('cold', 'warm'), ('cold', 'hot'), ('cold', 'raw_input'), ('cold', 'random_init'),
  ]  # fmt: skip
  mine, other = (result['methods'][name]['figures']['knn_top1'] for name in ('cold', 'warm'))
  two_sided = ttest_rel(mine, other).confidence_interval(0.9)
  d = found['cold', 'warm']
  assert (d['low'], d['high']) == pytest.approx((two_sided.low, two_sided.high)) and d['mean'] == pytest.approx(np.mean(mine) - np.mean(other))
  assert found['cold', 'raw_input']['differences'] == pytest.approx([x - 0.45 for x in mine])
  assert json.loads(Path('w/compare.json').read_text()) == result and Path('w/compare.png').stat().st_size > 10_000


def test_with_one_seed_test_items_are_resampled_in_pairs(methods, monkeypatch):
  without_training(monkeypatch, figure)
  result = jssl.compare(methods[:2], workdir='w', seeds=1, say=str)
  (d,) = [d for d in result['differences'] if (d['method'], d['to']) == ('hot', 'warm')]
  assert d['mean'] == pytest.approx(-0.2) and -0.28 < d['low'] < -0.2 < d['high'] < -0.12 and not d['differences']
  assert result['methods']['hot']['interval']['knn_top1'] == pytest.approx([0.5, 0.7])


def test_what_has_ended_is_not_run_again_and_what_was_stopped_is(methods, monkeypatch):
  asked = without_training(monkeypatch, lambda c: ASKED if (c['name'], c['seed']) == ('hot', 1) else figure(c))
  with pytest.raises(Stopped):
    jssl.compare(methods, workdir='w', seeds=2, say=str)
  asked = without_training(monkeypatch, figure)
  jssl.compare(methods, workdir='w', seeds=3, say=str)
  assert [(c['name'], c['seed']) for c in asked] == [('hot', 1), ('cold', 1), ('warm', 2), ('hot', 2), ('cold', 2)]
  with pytest.raises(ConfigError, match='holds a run with other settings'):
    jssl.compare(methods, workdir='w', seeds=3, settings={'optimizer.learning_rate': 0.2}, say=str)


def test_figures_are_from_validation_data_unless_the_test_split_is_asked_for(methods, monkeypatch, capsys):
  asked = without_training(monkeypatch, figure)
  command = ['compare', *methods[:2], '--jobs', '1', '--seeds', '2']
  assert cli.main([*command, '--workdir', 'w']) == 0
  out = capsys.readouterr().out
  assert "a fifth of the split 'train', drawn with the seed and not trained on); the test split was not read" in out
  assert 'with --split test' in out and 'knn_top1: warm is highest, above all others' in out
  assert {c['data']['name'] for c in asked} == {'development'}
  asked.clear()
  assert cli.main([*command, '--workdir', 'v', '--split', 'test', '--json']) == 0
  assert json.loads(capsys.readouterr().out)['source'] == 'the test split' and {c['data']['name'] for c in asked} == {'digits'}


def test_a_method_that_fails_is_reported_and_the_others_are_compared(methods, monkeypatch, capsys):
  without_training(monkeypatch, lambda c: DIVERGED if c['name'] == 'hot' and c['seed'] == 1 else figure(c))
  assert cli.main(['compare', *methods, '--jobs', '1', '--seeds', '2', '--workdir', 'w']) == 2
  printed = capsys.readouterr()
  assert 'hot, seed 1, failed: at step 2 the loss is nan' in printed.out and '1 of 3 methods failed: hot' in printed.err
  assert {d['method'] for d in json.loads(Path('w/compare.json').read_text())['differences']} == {'warm', 'cold'}


@pytest.mark.parametrize(
  'names, options, error, message',
  [
    (['warm.py'], {}, UsageError, 'give at least two'), (['warm.py', 'warm.py'], {}, UsageError, 'warm cannot name one method'),
    (['warm.py', 'hot.py'], dict(seeds=0), UsageError, '0 seeds'), (['warm.py', 'hot.py'], dict(split='train'), UsageError, "split 'train'"),
    (['warm.py', 'whitening_bert'], dict(data='digits'), ConfigError, 'whitening_bert trains nothing'),
    (['warm.py', 'musik'], dict(data='digits'), ConfigError, 'musik has its own training loop'),
    (['warm.py', 'simclr:tiny'], {}, UsageError, 'warm is on the data .*digits.* and simclr:tiny on .*mnist5k.*; give --data SOURCE'),
    (['warm.py', 'hot.py'], dict(settings=['losses.told.weight=1.0']), ConfigError, "unknown option 'told'"),
    (['warm.py', 'hot.py'], dict(protocols=('clustering_of',)), ConfigError, 'clustering_of'),
  ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(methods, monkeypatch, names, options, error, message):
  asked = without_training(monkeypatch)
  with pytest.raises(error, match=message):
    jssl.compare(names, workdir='w', say=str, **options)
  assert not asked


@pytest.mark.long
def test_methods_are_trained(methods):
  own = {'steps': 2, 'evaluators': dict(linear=dict(name='logistic'))}
  result = jssl.compare(methods[:2], workdir='w', seeds=1, settings=own, say=str)
  of = result['methods']['warm']
  assert 0 < of['figures']['linear_top1'][0] <= 1 and of['parameters'] > of['encoder'] > 0 and result['raw_input']['linear_top1'][0] > 0.5
  assert len(result['differences']) == 5 and Path('w/warm-0/model').is_dir(), 'an ordinary run, whose model can be used'
