"""The ledger: registration, looks and tries, blind seeds and data, states by paired bounds, runs that resume, records of one's own."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from jssl import cli, configs, run, tables
from jssl.errors import ConfigError, UsageError
from jssl.evaluators.figures import Items
from jssl.ledger import blind, claims, records, trials, tuning
from jssl.ledger.fidelity import fidelity, parts
from jssl.options import lookup

CONFIG = """
from ml_collections import ConfigDict

def get_config():
  c = ConfigDict(dict(data=dict(name='digits', train=200), batch_size=32, steps=4, backbone=dict(name='mlp_backbone', widths=(16,))))
  c.heads = dict(projector=dict(name='mlp', widths=(16, 8)))
  c.view = dict(name='augment', jitter=dict(brightness=0.2))
  c.passes = dict(views=dict(name='embed', heads=('projector',)))
  c.losses = dict(nce=dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=0.5))
  c.optimizer = dict(name='sgd', learning_rate=0.1)
  c.evaluators = dict(knn=dict(name='knn'))
  c.claim = dict(metric='knn_top1', beats=('hot',), margin=MARGIN, without='hot', variants=dict(hot=('losses.nce.temperature=5.0',)))
  return c
"""


@pytest.fixture
def ledger(tmp_path, monkeypatch):
  """A ledger of one's own, and the config of a small system beside it; it can be called to change the config."""
  monkeypatch.setattr(records, '_records', tmp_path / 'ledger')
  monkeypatch.setattr(records, '_shipped', tmp_path / 'none')
  monkeypatch.chdir(tmp_path)

  def config(margin=0.0, **changes):
    text = CONFIG.replace('MARGIN', str(margin))
    for old, new in changes.items():
      assert old in text
      text = text.replace(old, new)
    Path('small.py').write_text(text)
    return 'small.py'

  config()
  return config


def drawn(monkeypatch, of=lambda name, row, seed: 0.5 + 0.01 * (seed % 3)):
  """Figures without training; every run that is asked for is kept."""
  asked = []

  def outcomes(given, labels, *, baselines=True):
    for c in given:
      row = 'hot' if c['losses']['nce']['temperature'] == 5.0 else c['name']
      asked.append((row, c['seed'], c['data']['name']))
      rows = {c['name']: dict(knn_top1=of(c['name'], row, c['seed']))} | ({'raw_input': dict(knn_top1=0.9)} if baselines else {})
      yield dict(rows=rows, items={}, curve=[(1, 0.5), (2, 0.4)], alarms=[])

  monkeypatch.setattr(run, 'outcomes', outcomes)
  return asked


@pytest.mark.parametrize(
  'low, high, margin, state',
  [
    (0.03, 0.05, 0.02, 'held'), (0.02, 0.05, 0.02, 'undecided'), (-0.01, 0.019, 0.02, 'not_held'), (-0.05, -0.001, 0.02, 'contradicted'),
    (0.0, 0.0, 0.02, 'not_held'), (-0.04, 0.03, -0.05, 'held'), (-0.06, 0.03, -0.05, 'undecided'), (-0.09, -0.06, -0.05, 'contradicted'),
    (-0.01, -0.001, -0.05, 'held'), (0.0, 0.0, 0.0, 'undecided'), (1e-9, 1.0, 0.0, 'held'), (-1.0, -1e-9, 0.0, 'contradicted'),
  ],
)  # fmt: skip
def test_states_are_as_defined(low, high, margin, state):
  assert claims.state(low, high, margin) == state


def test_bounds_are_those_of_one_sided_paired_t_tests():
  mine, other = np.array([0.91, 0.93, 0.92, 0.95, 0.90]), np.array([0.90, 0.90, 0.91, 0.92, 0.91])
  low, high = claims.bounds(mine - other)
  assert ttest_1samp(mine - other, low, alternative='greater').pvalue == pytest.approx(0.05)
  assert ttest_1samp(mine - other, high, alternative='less').pvalue == pytest.approx(0.05)


def test_items_are_resampled_in_pairs():
  right = np.random.default_rng(0).random(400) < 0.7
  better = right | (np.arange(400) % 20 == 0)  # right wherever the other is
  low, high = claims.resampled(Items('mean', (better,)), Items('mean', (right,)))
  assert 0 < low < better.mean() - right.mean() < high < 0.05, 'unpaired, 400 items could not tell them apart'
  assert claims.resampled(Items('mean', (better,)), Items('mean', (right,)), sign=-1) == pytest.approx((-high, -low))
  with pytest.raises(ValueError, match='use the same items'):
    claims.resampled(Items('mean', (better,)), Items('mean', (right[1:],)))


def test_a_claim_is_as_good_as_its_worst_comparison_and_flags_stand_beside():
  claim = dict(metric='x', beats=('a', 'b'), margin=0.02, without='a', ceiling=('top',), variants=dict(a=(), b=(), top=()))
  near = lambda mean: list(mean + np.array([0.001, -0.001, 0.0, 0.001, -0.001]))
  rows = {row: dict(x=near(mean)) for row, mean in dict(mine=0.9, a=0.8, b=0.895, top=0.9, raw_input=0.95).items()}
  verdict = claims.judge('mine', claim, rows, {})
  assert [c.state for c in verdict.comparisons] == ['held', 'not_held'] and verdict.state == 'not_held'
  assert verdict.flags == ['raw_input is better in x by 0.05', 'top leaves 0.005 of head room in x']
  claim |= dict(manipulation=dict(metric='y', beats=('a',), margin=0.1), beats=('a',), without=None)
  rows['mine']['y'], rows['a']['y'] = near(0.3), near(0.25)
  verdict = claims.judge('mine', claim, rows, {})
  assert verdict.state == 'held' and [c.state for c in verdict.manipulation] == ['not_held']
  assert verdict.flags[1:3] == ['the idea is not shown to move its own quantity by 0.1: y against a: not held', 'no row without the idea']


@pytest.mark.parametrize(
  'change, message',
  [
    (dict(seeds=3), 'seeds is 3; give 5 or more'), (dict(margins=1), "no key 'margins'"), (dict(beats=('cold',)), "names 'cold'"),
    (dict(also=(dict(metric='x', beats=('hot',)),)), "lacks 'margin'"), (dict(ceiling=('oracle',)), "names 'oracle'"),
    (dict(variants=dict(hot=(), mine=())), "a variant is called 'mine'"), (dict(variants=dict(hot=(), raw_input=())), "called 'raw_input'"),
    (dict(manipulation=dict(metric='x', beats=('hot',), margin=0, seeds=5)), "no key 'seeds'"),
  ],
)  # fmt: skip
def test_claims_that_cannot_be_tried_are_refused(change, message):
  claim = dict(metric='knn_top1', beats=('hot',), margin=0.0, variants=dict(hot=()))
  claims.validate('mine', claim, loop=False)
  with pytest.raises(ConfigError, match=message):
    claims.validate('mine', {**claim, **change}, loop=False)


def test_a_claim_is_registered_before_its_first_run_and_an_edit_shows(ledger, monkeypatch):
  seen = []
  monkeypatch.setattr(run, 'outcomes', lambda *_, **__: seen.append(records.read('small')) or pytest.fail('stopped'))
  with pytest.raises(BaseException, match='stopped'):
    trials.reproduce('small.py')
  (first,) = seen[0]['registrations']
  assert first['claim']['margin'] == 0.0 and first['budget'] == dict(steps=4, batch_size=32, seeds=5) and not first['changed']
  assert [spec['name'] for spec in first['data']] == ['digits']
  drawn(monkeypatch)
  record = trials.reproduce('small.py', say=str)
  assert [r['hash'] for r in record['registrations']] == [first['hash']] and len(record['looks']) == 1
  trials.reproduce(ledger(margin=0.5), say=str)
  trials.reproduce(ledger(margin=0.5, **{'train=200': 'train=300', 'steps=4': 'steps=5'}), say=str)
  trials.reproduce(ledger(margin=0.5, **{'train=200': 'train=300', 'steps=4': 'steps=5', "'sgd'": "'adamw'"}), say=str)
  record = records.read('small')
  assert [r['changed'] for r in record['registrations']] == [[], ['claim'], ['data', 'budget'], ['method']]
  assert [look['state'] for look in record['looks']] == ['undecided', 'not_held', 'not_held', 'not_held']


def test_a_second_look_is_counted_and_an_unchanged_hash_is_no_look(ledger, monkeypatch):
  asked = drawn(monkeypatch)
  record = trials.reproduce('small.py', say=str)
  assert {seed for _, seed, _ in asked} == {1000, 1001, 1002, 1003, 1004} and {data for *_, data in asked} == {'final'}
  assert [(look['runs'], look['state']) for look in record['looks']] == [(1, 'undecided')]
  record = trials.reproduce('small.py', say=str)
  assert [look['runs'] for look in record['looks']] == [2], 'run again, and looked at once'
  monkeypatch.setattr(records, 'code_hash', lambda config: 'of other code')
  drawn(monkeypatch, of=lambda name, row, seed: 0.8 if row == name else 0.5 + 0.01 * (seed % 2))
  record = trials.reproduce('small.py', say=str)
  assert [look['state'] for look in record['looks']] == ['undecided', 'held'], 'what was found before is kept'
  assert record['looks'][0]['rows']['small'] == dict(knn_top1=[0.5 + 0.01 * (seed % 3) for seed in range(1000, 1005)])
  assert len(record['registrations']) == 1


def test_a_record_is_stale_when_its_config_is_another(ledger, monkeypatch):
  drawn(monkeypatch)
  c = run.load_config('small.py').to_dict()
  assert records.state(records.read('small')) == 'untried' and not records.stale(records.read('small'), c)
  record = trials.reproduce('small.py', say=str)
  assert not records.stale(record, c) and records.stale(record, {**c, 'steps': 5})
  assert records.code_hash(c) == records.code_hash({**c, 'parts': ('all',), 'keep': 3, 'number': 7}), 'no figure rests on these'


def test_runs_that_were_done_are_not_done_again(ledger, monkeypatch):
  asked, limit = [], itertools.count()

  def outcomes(given, labels, *, baselines=True):
    for c in given:
      if next(limit) == 3:
        raise KeyboardInterrupt
      asked.append((c['losses']['nce']['temperature'], c['seed']))
      yield dict(rows={'small': dict(knn_top1=0.5)}, items={}, curve=[(1, 0.5)], alarms=[])

  monkeypatch.setattr(run, 'outcomes', outcomes)
  with pytest.raises(KeyboardInterrupt):
    trials.reproduce('small.py')
  assert len(asked) == 3
  trials.reproduce('small.py', say=str)
  assert len(asked) == len({*asked}) == 10
  assert sorted(p.name for p in (records.folder()).iterdir()) == ['runs', 'small.json', 'small.png']
  assert not [*(records.folder() / 'runs').iterdir()]


def test_variants_of_like_names_have_runs_of_their_own(tmp_path):
  names = ('next token', 'next_token', 'next/token', 'next.token')
  assert len({trials._path(tmp_path, name, 1000) for name in names}) == 4
  assert all(trials._path(tmp_path, name, 1000).parent == tmp_path for name in names)


@pytest.mark.rotating
def test_final_seeds_draw_other_data_and_share_a_program(ledger):
  """A claim as it is, trained: the split differs by seed, and what is compiled for one seed serves the others."""
  record = trials.reproduce('small.py', say=str)
  look = record['looks'][-1]
  assert look['drawn'] and len({*look['rows']['raw_input']['knn_top1']}) > 1
  assert {*look['rows']} == {'small', 'hot', 'raw_input', 'random_init'} and {c['other'] for c in look['automatic']} == {
    'raw_input',
    'random_init',
  }
  assert (records.folder() / 'small.png').exists()
  of = [blind.settled(run.load_config('small.py'), seed, 'final') for seed in (1000, 1001)]
  one, two = (run.plan(c) for c in of)
  assert run.same_programs(one, two)
  pixels = [p.data.splits['test'].columns['image'] for p in (one, two)]
  assert pixels[0].shape == pixels[1].shape and not np.array_equal(*pixels)
  alone = [*run.outcomes(of[1:], ['knn'], baselines=False)][0]['rows']['small']
  shared = [*run.outcomes(of, ['knn'], baselines=False)][1]['rows']['small']
  assert alone == shared


class Poisoned:
  """A test split that says when it is read."""

  def __len__(self):
    return 50

  def __getitem__(self, index):
    pytest.fail('the test split was read')

  take = decoded = __getitem__


def test_tuning_reads_neither_final_seeds_nor_the_test_split(ledger, monkeypatch):
  whole = tables.DATA['digits']

  def poisoned(**options):
    data = whole(**options)
    return data._replace(splits={**data.splits, 'test': Poisoned()})

  monkeypatch.setitem(tables.DATA, 'digits', poisoned)
  tries = tuning.tune('small.py', {'optimizer.learning_rate': (0.1, 0.2)}, seeds=2, say=str)
  assert [t['seeds'] for t in tries] == [[0, 1]] * 2 and all(len(t['figures']['knn_top1']) == 2 for t in tries)
  config = run.load_config('small.py')
  with pytest.raises(BaseException, match='the test split was read'):
    [*run.outcomes([blind.settled(config, 1000, 'final')], ['knn'])]
  with pytest.raises(ConfigError, match='seed 1000 is not for development'):
    blind.settled(config, 1000, 'development')
  with pytest.raises(ConfigError, match='seed 3 is not for final'):
    blind.settled(config, 3, 'final')
  with pytest.raises(UsageError, match='1001 seeds'):
    tuning.tune('small.py', {'seed': (0,)}, seeds=1001)
  with pytest.raises(ConfigError, match='would use the data of final figures'):
    blind.settled(run.load_config('musik'), 0, 'development')


def test_tries_are_counted_at_most_eight_a_row_and_the_rival_has_as_many(ledger, monkeypatch):
  asked = drawn(monkeypatch)
  tuning.tune('small.py', {'optimizer.learning_rate': (0.1, 0.2)}, say=str)
  assert {(seed, data) for _, seed, data in asked} == {(seed, 'development') for seed in (0, 1, 2)} and len(asked) == 6
  tuning.tune('small.py', {'optimizer.learning_rate': (0.2, 0.3)}, say=str)
  assert len(asked) == 9, 'what was scored is not scored again'
  with pytest.raises(UsageError, match='small of small: 9 tries, 6 of them new, and at most 8'):
    tuning.tune('small.py', {'optimizer.learning_rate': (1.0, 2.0, 3.0), 'batch_size': (8, 16)})
  tuning.tune('small.py', {'optimizer.learning_rate': (0.1, 0.2)}, row='hot', say=str)
  record = trials.reproduce('small.py', say=str)
  assert records.tries(record) == dict(small=3, hot=2) and len(record['looks']) == 1
  with pytest.raises(UsageError, match="no row 'cold'; expected one of small, hot"):
    tuning.tune('small.py', {'seed': (1,)}, row='cold')


def test_a_claim_of_nothing_is_refused_before_anything_is_trained(ledger, monkeypatch):
  monkeypatch.setattr(run, 'outcomes', lambda *_, **__: pytest.fail('it was trained'))
  with pytest.raises(ConfigError, match='analogies_mrr, which none of its evaluators computes'):
    trials.reproduce(ledger(knn_top1='analogies_mrr'))
  with pytest.raises(ConfigError, match="unknown option 'temper'"):
    trials.reproduce(ledger(**{'losses.nce.temperature=5.0': 'losses.nce.temper.ature=5.0'}))
  assert not (records.folder() / 'small.json').exists()


def test_runs_of_all_claims_are_asked_for_before_any_is_waited_for(ledger, monkeypatch):
  asked = []

  def eager(work, *arguments):
    asked.extend(zip(*arguments, strict=True))
    return iter([work(*a) for a in zip(*arguments, strict=True)])

  drawn(monkeypatch)
  finish = trials.begin('small.py', map=eager, jobs=4)
  assert [(variant, seeds) for variant, _, seeds in asked] == [
    (row, seeds) for seeds in ([1000, 1002, 1004], [1001, 1003]) for row in ('small', 'hot')
  ]
  assert not records.read('small')['looks']
  look = finish(str)['looks'][0]
  assert look['rows']['small']['knn_top1'] == [0.5 + 0.01 * (seed % 3) for seed in range(1000, 1005)], 'by seed, whichever came first'


def test_a_claim_that_cannot_be_tried_leaves_the_others(ledger, monkeypatch, capsys):
  drawn(monkeypatch)
  shutil.copy('small.py', 'other.py')
  inner = run.outcomes

  def outcomes(given, labels, *, baselines=True):
    for c in given:
      if c['name'] == 'other':
        raise ValueError('no data\nhere')
      yield from inner([c], labels, baselines=baselines)

  monkeypatch.setattr(run, 'outcomes', outcomes)
  assert cli.main(['reproduce', 'other.py', 'small.py', '--jobs', '1']) == 2
  printed = capsys.readouterr()
  assert 'other.py: not tested: no data here' in printed.err and '1 of 2 claims could not be tested: other.py' in printed.err
  assert 'small: undecided: knn_top1' in printed.out and records.read('small')['looks']
  assert cli.main(['reproduce', 'other.py', '--jobs', '1']) == 2
  assert capsys.readouterr().err == 'jssl: no data here\n'


def test_the_command_line_tunes_and_says_how_many_tries_are_left(ledger, monkeypatch, capsys):
  drawn(monkeypatch)
  assert cli.main(['sweep', 'small.py', '--tune', '--over', 'optimizer.learning_rate=0.1,0.2', '--seeds', '2', '--jobs', '1']) == 0
  assert '2 of 8 tries; figures are means on validation data' in capsys.readouterr().out
  assert cli.main(['sweep', 'small.py', '--tune', '--over', 'seed']) == 2 and 'write --over x.y=a,b,c' in capsys.readouterr().err


NAMED = dict(losses='objectives', metrics='metrics', passes='passes', memories='memories', heads='models', evaluators='evaluators')


@pytest.mark.parametrize('name', [name for name in sorted(configs.names()) if run.load_config(name).get('claim')])
def test_claims_of_systems_can_be_tried(name):
  config, labels = records.prepared(name)
  assert labels or config.get('experiment')
  registration = records.registration(config)
  assert registration == records.registration(json.loads(json.dumps(config, default=str))), 'as it comes back from a file'
  for settings in claims.settings(config['claim']).values():
    c = run.load_config(name, [f'--config.{s}' for s in settings])
    for key, table in NAMED.items():
      for label, spec in (c.get(key) or {}).items():
        lookup(table, spec['name'], f'{key}.{label}')


def test_parts_say_how_faithful_a_system_is():
  out = lambda reason: dict(part='of it', out=reason, why='as it is')
  assert fidelity(parts({})) == 'unstated'
  assert fidelity(parts(dict(parts=('all', out('scale'), out('data'), out('hardware'))))) == 'faithful'
  assert fidelity(parts(dict(parts=('all', out('open'))))) == fidelity(parts(dict(parts=(out('unpublished'),)))) == 'partial'
  for wrong in (dict(part='of it'), dict(part='of it', out='scale'), out('time'), ''):
    with pytest.raises(ConfigError, match='part 1 is'):
      parts(dict(parts=(wrong,)))
  for name in configs.names():
    parts(run.load_config(name))


def test_records_without_a_checkout_are_the_users(tmp_path):
  """As in a wheel: what is shipped is read, and nothing is written beside it."""
  package = tmp_path / 'site' / 'jssl'
  shutil.copytree(Path(records.__file__).parents[1], package, ignore=shutil.ignore_patterns('__pycache__'))
  (package / 'records').mkdir()
  (package / 'records' / 'simclr.json').write_text('{"name": "simclr", "tries": [1]}')
  code = (
    'from jssl.ledger import records; import jssl; print(jssl.__file__); print(records._records)\n'
    'held = records.read("simclr"); assert held["tries"] == [1]\n'
    'records.write(dict(held, tries=[])); assert records.read("simclr")["tries"] == []'
  )
  environment = {**os.environ, 'PYTHONPATH': str(tmp_path / 'site'), 'XDG_DATA_HOME': str(tmp_path / 'home')}
  done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=tmp_path, env=environment)
  assert done.returncode == 0, done.stderr
  assert done.stdout.splitlines() == [str(package / '__init__.py'), str(tmp_path / 'home' / 'jssl' / 'ledger')]
  assert not (package / 'records' / 'simclr.json').read_text().count('registrations')


def test_the_data_of_a_panel_are_those_of_the_role():
  """Else tuning would read a test split through an evaluator."""
  c = run.load_config('simclr:tiny').to_dict()
  c['evaluators'] = dict(knn=dict(name='knn'), before=dict(name='panel', data=dict(name='mnist5k'), protocol='knn'))
  found = blind.settled(c, 3, 'development')['evaluators']
  assert found['before']['data']['name'] == 'development' and found['before']['data']['of']['name'] == 'mnist5k'
  assert found['knn'] == dict(name='knn') and blind.settled(c, 1003, 'final')['evaluators']['before']['data']['name'] == 'final'
