"""Figures on validation data during a run: what they are judged on, what they leave as it is, and the checkpoint that is kept."""

import json

import jax
import numpy as np
import pytest

import jssl
from jssl import curves as curves_of_runs
from jssl import run
from jssl.core import loop
from jssl.core.build import plan
from jssl.core.log import Log
from jssl.core.programs import Programs, seed_data
from jssl.curves import make_curves, validation
from jssl.data.core.arrays import Columns
from jssl.errors import ConfigError
from jssl.evaluators.features import Frozen
from jssl.evaluators.general.knn import neighbour_vote
from jssl.model import best_step, restore
from jssl.types import Column, Data
from tests.core.tiny import shaken, tiny

QUIET = dict(quiet=True, protocols=(), baselines=False)


@pytest.fixture(autouse=True)
def views(monkeypatch):
  from jssl import tables

  monkeypatch.setitem(tables.TABLES['views'], 'shaken', shaken)


def config(**changes) -> dict:
  return tiny(name='tried', log_every=1, checkpoint_every=3, health_every=8, evaluators=dict(knn=dict(name='knn')), **changes)


def curved(**changes) -> dict:
  return config(evaluate_every=2, curves=dict(best='knn_top1'), **changes)


def labelled(n: int, classes: int = 3, **splits) -> Data:
  """Data whose images tell the split and the row of an example."""
  made = lambda at, n: Columns(dict(image=np.stack([np.full(n, at), np.arange(n)], 1).astype(np.float32), label=np.arange(n) % classes))
  spec = dict(image=Column((2,), np.float32), label=Column((), np.int64))
  return Data({name: made(i, m) for i, (name, m) in enumerate(dict(train=n, test=50, **splits).items())}, spec, 'image', {})


@pytest.mark.parametrize(('n', 'rows', 'sizes'), [(300, 60, (60, 60)), (100, 90, (80, 20)), (300, 200, (200, 100))])
def test_validation_data_are_held_out_of_train(n, rows, sizes):
  found = validation(labelled(n), rows)
  bank, held = (found.splits[name].columns for name in ('train', 'test'))
  assert {*found.splits} == {'train', 'test'} and not {*bank['image'][:, 1]} & {*held['image'][:, 1]}
  assert {*bank['image'][:, 0]} == {*held['image'][:, 0]} == {0}  # none is of the test split
  assert (len(bank['label']), len(held['label'])) == pytest.approx(sizes, abs=3)
  assert np.ptp(np.bincount(held['label'])) <= 0.35 * len(held['label'])
  again = validation(labelled(n), rows)
  np.testing.assert_array_equal(again.splits['test'].columns['image'], held['image'])


def test_a_validation_split_is_judged_where_there_is_one():
  found = validation(labelled(90, validation=40), 30)
  assert [{*found.splits[name].columns['image'][:, 0]} for name in ('train', 'test')] == [{0}, {2}]
  assert [len(found.splits[name]) for name in ('train', 'test')] == [30, 30]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """A run with curves, its workdir, and the same run without."""
  with pytest.MonkeyPatch.context() as patch:
    views.__wrapped__(patch)
    workdir = tmp_path_factory.mktemp('whole') / 'w'
    results, done = run.carried_out(plan(curved()), workdir, **QUIET)
    p = plan(config())
    return results, done, workdir, loop.run(p, loop.open_source(p), quiet=True, programs=done.programs)


def evaluated(rows) -> list[int]:
  return [row['step'] for row in rows if 'validation/knn_top1' in row]


@pytest.mark.rotating
def test_evaluation_leaves_the_training_as_it_is(whole):
  _, done, _, plain = whole
  jax.tree.map(np.testing.assert_array_equal, done.train.params, plain.train.params)
  losses = lambda rows: [row['loss'] for row in rows if 'loss' in row]
  assert losses(done.log.rows) == losses(plain.log.rows) and done.compiles == 1
  assert evaluated(done.log.rows) == [0, 2, 4, 6, 8] and not evaluated(plain.log.rows)


def test_figures_are_those_of_the_protocol_on_validation_data(whole):
  results, done, _, _ = whole
  p = plan(curved())
  data = validation(p.data, 5000)
  x = {name: np.asarray(p.method.represent(done.train.params, done.train.state, split.columns).pooled) for name, split in data.splits.items()}
  y = {name: split.columns['label'] for name, split in data.splits.items()}
  expected = neighbour_vote(Frozen(x['train'], y['train'], x['test'], y['test'], 10))
  of = results['validation']['knn_top1']
  assert of['values'][-1] == pytest.approx(expected['top1'], abs=0.02) and of['steps'] == [0, 2, 4, 6, 8]
  pixels = {name: np.float32(split.columns['image']).reshape(len(split), -1) for name, split in data.splits.items()}
  raw = neighbour_vote(Frozen(pixels['train'], y['train'], pixels['test'], y['test'], 10))
  assert of['raw_input'] == pytest.approx(raw['top1'], abs=2e-3) and results['step'] == 8


def test_one_program_serves_every_evaluation():
  p = plan(curved())
  curves, log = make_curves(p, None), Log(None)
  with jax.set_mesh(loop.make_mesh({})):
    train = Programs(p, loop.make_mesh({})).start(seed_data(p))
  at = lambda step: train._replace(step=jax.device_put(np.int32(step), train.step.sharding))
  compiled = []
  heard = lambda event, seconds, **about: compiled.append(about) if event.endswith('backend_compile_duration') else None
  curves(at(0), log, lambda text: None)
  jax.monitoring.register_event_duration_secs_listener(heard)
  try:
    for step in (2, 4):
      curves(at(step), log, lambda text: None)
  finally:
    jax.monitoring.unregister_event_duration_listener(heard)
  assert evaluated(log.rows) == [0, 2, 4] and not compiled
  said = []
  assert curves(at(6)._replace(params=jax.tree.map(lambda x: x * np.nan, train.params)), log, said.append) is None
  assert evaluated(log.rows) == [0, 2, 4] and 'step 6 could not be evaluated' in said[0]  # and the run goes on


def test_a_killed_run_goes_on_with_each_row_once(whole, tmp_path, monkeypatch):
  _, done, workdir, _ = whole
  real = loop._Run.step

  def killed(self, *given):
    if self.done == 5:
      raise KeyboardInterrupt
    real(self, *given)

  monkeypatch.setattr(loop._Run, 'step', killed)
  monkeypatch.setattr(curves_of_runs, 'curve_picture', lambda *given: None)
  p, own = plan(curved()), tmp_path / 'w'
  begun = lambda: loop.run(p, loop.open_source(p), workdir=own, curves=make_curves(p, own), programs=done.programs, quiet=True)
  with pytest.raises(KeyboardInterrupt):
    begun()
  monkeypatch.setattr(loop._Run, 'step', real)
  again = begun()
  jax.tree.map(np.testing.assert_array_equal, again.train.params, done.train.params)
  figures = lambda rows: [(row['step'], row['validation/knn_top1']) for row in rows if 'validation/knn_top1' in row]
  assert figures(again.log.rows) == figures(done.log.rows)
  assert (own / 'best.json').read_text() == (workdir / 'best.json').read_text()


def test_the_checkpoint_of_the_highest_figure_is_kept(tmp_path):
  values = {0: 0.9, 2: 0.3, 4: 0.5, 6: 0.5, 8: 0.1}

  def curves(train, log, say):
    step = int(train.step)
    return values[step] if step and values[step] > max([0, *(values[s] for s in range(2, step, 2))]) else None

  for steps in (6, 8):  # the figures of checkpoints outlast the process
    p = plan(curved(keep=1, steps=steps, optimizer=dict(name='sgd', learning_rate=0.1)))
    p = p._replace(config={**p.config, 'steps': 8})
    loop.run(p, loop.open_source(p), workdir=tmp_path / 'w', curves=curves, quiet=True)
    assert sorted(int(f.name) for f in (tmp_path / 'w' / 'checkpoints').iterdir()) == [4, steps]
  assert int(restore(tmp_path / 'w', 4)[1].step) == 4
  with pytest.raises(ConfigError, match='no checkpoint of step 6'):
    restore(tmp_path / 'w', 6)


@pytest.mark.rotating
def test_the_best_checkpoint_is_evaluated(whole, tmp_path, monkeypatch):
  monkeypatch.setattr(run, 'draw', lambda *given: None)  # which takes seconds to compile
  results, done, workdir, _ = whole
  of = results['validation']['knn_top1']
  best = json.loads((workdir / 'best.json').read_text())
  assert best == dict(step=of['steps'][1:][np.argmax(of['values'][1:])], figure='knn_top1', value=max(of['values'][1:]))
  found = run.evaluate(workdir, best=True)
  assert found['step'] == best['step'] and run.evaluate(workdir)['step'] == 8
  saved = jssl.load(workdir, best=True)._artefact.params['backbone']
  jax.tree.map(np.testing.assert_array_equal, saved, restore(workdir, best['step'])[1].params['backbone'])
  assert (workdir / 'best' / 'evaluations' / 'knn.json').is_file() and (workdir / 'curves.png').is_file()
  (tmp_path / 'best.json').write_text('{}')
  with pytest.raises(ConfigError, match='train with evaluate_every and curves.best'):
    best_step(tmp_path)


@pytest.mark.parametrize(
  ('changes', 'said'),
  [
    (dict(evaluate_every='often'), 'evaluate_every'),
    (dict(curves=dict(row=10)), "curves has no option 'row'; did you mean rows"),
    (dict(curves=dict(rows=1)), 'curves.rows must be a whole number of at least 2'),
    (dict(curves=dict(protocols=('kn',))), 'curves.protocols.*knn'),
    (dict(curves=dict(protocols=('finetune',))), 'finetune reads'),
    (dict(curves=dict(best='linear_top1')), 'curves.best is .linear_top1., which is not a figure of knn'),
    (dict(evaluators=dict(tsne=dict(name='fewshot'))), 'none of knn'),
    (dict(data=dict(name='king_james', length=8, vocabulary=300)), "need the column 'label'"),
  ],
)
def test_what_cannot_be_judged_is_refused_before_the_first_step(changes, said):
  with pytest.raises(ConfigError, match=said):
    c = {**curved(), **{k: v for k, v in changes.items() if k != 'data'}}
    p = plan(c)
    if 'data' in changes:
      p = p._replace(data=labelled(30)._replace(spec=dict(image=Column((2,), np.float32))))
    make_curves(p, None)


def test_several_processes_are_refused(monkeypatch):
  p = plan(curved())
  monkeypatch.setattr(jax, 'process_count', lambda: 2)
  with pytest.raises(ConfigError, match='not supported with several processes, and this run has 2'):
    make_curves(p, None)


def test_a_figure_that_is_not_found_is_refused_at_the_start():
  p = plan(curved() | dict(curves=dict(best='knn_top5')))
  with pytest.raises(ConfigError, match='curves.best is .knn_top5.*did you mean knn_top1'):
    loop.run(p, loop.open_source(p), curves=make_curves(p, None), quiet=True)
