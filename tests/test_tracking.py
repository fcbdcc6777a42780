"""Trackers of runs: what they get, after a kill and a return to an earlier step too, and that a run does not depend on them."""

import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import jssl
from jssl import tables
from jssl.arguments import make_parser
from jssl.core.log import Log
from jssl.errors import ConfigError
from jssl.run import tracking, train
from jssl.trackers import tracking as seam
from jssl.trackers.tracking import Tracking, check, flat
from tests.core.tiny import tiny as of_tiny

RESULTS = dict(figures={'knn_top1': 0.9, 'ndcg@10': 0.5}, baselines={'raw_input': {'knn_top1': 0.8}}, alarms=['rank is low'], step=10)
CONFIG = dict(name='simclr', losses=dict(nce=dict(name='nt_xent', of=('views.q', 'views.k'), temperature=0.2)), transform=None)


def tiny(**changes):
  return of_tiny(view=dict(name='tests.core.tiny:shaken'), name='tiny', **changes)


class Kept:
  """A tracker that keeps what it is given."""

  made: list['Kept'] = []

  def __init__(self):
    self.runs, self.points, self.alarms, self.pictures, self.results = [], [], [], [], 'none yet'
    Kept.made.append(self)

  def start(self, run):
    self.runs.append(run)
    self.points = [(row['step'], row) for row in run.rows]
    return 'id'

  def figures(self, step, figures):
    self.points.append((step, figures))

  def alarm(self, step, text):
    self.alarms.append((step, text))

  def picture(self, step, name, path):
    assert path.is_file()
    self.pictures.append(name)

  def finish(self, results):
    self.results = results


@pytest.fixture
def kept(monkeypatch):
  """Makes trackers, by default one that keeps what it is given, known by a name."""
  Kept.made = []
  return lambda name='kept', tracker=Kept: monkeypatch.setitem(tables.TRACKERS._entries, name, tracker)


def test_a_tracker_gets_figures_pictures_results_and_the_config(kept, tmp_path):
  kept()
  config = tiny(log_every=2, health_every=4, checkpoint_every=4)
  results = train(config, tmp_path / 'w', quiet=True, track=('kept', 'kept'), protocols=('knn',))
  (tracker,) = Kept.made
  rows = [json.loads(line) for line in (tmp_path / 'w' / 'metrics.jsonl').read_text().splitlines()]
  assert [step for step, _ in tracker.points] == [row['step'] for row in rows]
  assert [figures for _, figures in tracker.points] == [{k: v for k, v in row.items() if k != 'step'} for row in rows]
  assert tracker.pictures == ['embedding'] and tracker.results['figures'] == results['figures']
  (run,) = tracker.runs
  assert run.name == 'w' and run.id is None and run.config['losses']['near']['name'] == 'alignment'
  assert run.config['versions']['jssl'] == jssl.__version__


def test_a_tracker_that_fails_during_a_run_is_left_out_of_it(kept, tmp_path, caplog):
  class Failing(Kept):
    def figures(self, step, figures):
      raise SystemExit('no space left on device')

  kept('failing', Failing), kept()
  results = train(tiny(log_every=2), tmp_path / 'w', quiet=True, track=('failing', 'kept'), protocols=())
  failing, other = Kept.made
  assert results['step'] == 8 and failing.results == 'none yet' and other.results['step'] == 8
  assert [record.message for record in caplog.records if 'tracker' in record.message] == [
    'the tracker failing has failed, and is not used further: SystemExit: no space left on device'
  ]


def test_a_tracker_that_cannot_be_started_ends_the_run_before_its_first_step(kept, tmp_path):
  class Away(Kept):
    def start(self, run):
      raise OSError('no route to host')

  kept('away', Away)
  with pytest.raises(ConfigError, match=r'the tracker away cannot be started \(OSError: no route to host\)'):
    train(tiny(), tmp_path / 'w', quiet=True, track=('away',), protocols=())
  assert not (tmp_path / 'w' / 'metrics.jsonl').exists()


def test_a_run_does_not_wait_for_a_tracker(kept, tmp_path, monkeypatch, caplog):
  free = threading.Event()

  class Slow(Kept):
    def figures(self, step, figures):
      free.wait(30)

  kept('slow', Slow)
  monkeypatch.setattr(seam, 'PATIENCE', 0.2)
  began = time.monotonic()
  with Tracking(('slow',), CONFIG, tmp_path, lambda row: []) as slow:
    log = Log(tmp_path, watch=[slow])
    for step in range(1, 100):
      log.write(step, {'loss': 1.0})
  assert time.monotonic() - began < 5 and 'has not taken everything' in caplog.text
  free.set()


def test_an_alarm_is_told_when_it_begins(kept, tmp_path):
  kept()
  with Tracking(('kept',), CONFIG, tmp_path, lambda row: ['rank is low']) as watch:
    log = Log(tmp_path, watch=[watch])
    for step, alarms in enumerate((0, 1, 1, 0, 1), 1):
      log.write(step, {'health/alarms': alarms})
      log.write(step, {'loss': 1.0})
  assert Kept.made[0].alarms == [(2, 'rank is low'), (5, 'rank is low')] and Kept.made[0].results is None


def test_a_resumed_run_continues_the_tracked_one(kept, tmp_path):
  kept()
  of = lambda points: [(step, figures['loss']) for step, figures in points]
  for config, same in ((CONFIG, False), (CONFIG, True), ({**CONFIG, 'epochs': 2}, False)):
    with Tracking(('kept',), config, tmp_path, lambda row: []) as watch:
      log = Log(tmp_path, 4, watch=[watch])
      for step in (2, 4, 6, 8) if not log.rows else (6, 8):
        log.write(step, {'loss': float(step)})
    run = Kept.made[-1].runs[0]
    assert (run.id, run.same) == ('id' if len(Kept.made) > 1 else None, same)
    assert of(Kept.made[-1].points) == [(step, float(step)) for step in (2, 4, 6, 8)]
  with Tracking(('kept',), CONFIG, tmp_path, lambda row: []) as watch:
    log = Log(tmp_path, 8, watch=[watch])
    log.rewind(4)  # what the guard of a run does
    log.write(6, {'loss': 60.0})
  first, again = Kept.made[-1].runs
  assert [len(first.rows), len(again.rows)] == [4, 2] and not again.same
  assert of(Kept.made[-1].points) == [(2, 2.0), (4, 4.0), (6, 60.0)]


def test_trackers_are_checked_before_a_run(monkeypatch, tmp_path):
  with pytest.raises(ConfigError, match="no tracker is called 'wand'.*wandb"):
    check(('wand',), tmp_path)
  with pytest.raises(ConfigError, match="'tests.test_tracking:Gone' cannot be used as a tracker: .*Gone"):
    check(('tests.test_tracking:Gone',), tmp_path)
  assert check('tests.test_tracking:Kept', tmp_path) == ('tests.test_tracking:Kept',)
  monkeypatch.setattr(seam.importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(ConfigError, match=r"needs the package mlflow: pip install 'jssl\[mlflow\]'"):
    train(tiny(), tmp_path, track=('mlflow',))
  monkeypatch.setattr(seam.importlib.util, 'find_spec', lambda name: name)
  with pytest.raises(ConfigError, match='needs a workdir'):
    jssl.train(tiny(), track='wandb,aim')
  assert check('wandb,aim,wandb', tmp_path) == ('wandb', 'aim')


def test_the_options_of_the_command_line():
  parse = lambda *given: make_parser().parse_args(['train', 'simclr', *given]).track
  assert parse() == [] and parse('--tensorboard') == ['tensorboard']
  assert parse('--track', 'wandb, aim', '--track', 'mlflow', '--tensorboard') == ['wandb', 'aim', 'mlflow', 'tensorboard']


def test_only_the_first_process_tracks(kept, monkeypatch, tmp_path):
  kept()
  monkeypatch.setattr('jax.process_index', lambda: 1)
  with tracking(('kept',), CONFIG, tmp_path) as watch:
    watch([{'step': 1, 'loss': 1.0}])
    watch.finish(RESULTS)
  assert not Kept.made and not (tmp_path / seam.KEPT).exists()


def test_a_config_by_paths():
  assert dict(flat(CONFIG))['losses.nce.temperature'] == 0.2 and dict(flat({'a': {}, 'b': {'c': None}})) == {'a': {}, 'b.c': None}


class Online:
  """What `jssl.trackers.wandb` uses of wandb, with a server that keeps runs: id -> tags and points."""

  def __init__(self):
    self.server = {}
    self.setup = lambda: SimpleNamespace(settings=SimpleNamespace(mode='online'))
    self.login = lambda prompt: True
    self.Settings = self.Image = lambda *given, **options: None
    self.util = SimpleNamespace(generate_id=lambda: f'run{len(self.server)}')

  def init(self, id, mode, **options):
    assert mode == 'online'
    run = self.server.setdefault(id or self.util.generate_id(), SimpleNamespace(points=[], tags=(), summary={}, config={}))
    run.id = next(name for name, of in self.server.items() if of is run)
    run.offline, run.starting_step = False, max((step for step, _ in run.points), default=-1) + 1
    run.config = SimpleNamespace(update=lambda config, allow_val_change: None)
    run.log = lambda figures, step: run.points.append((step, figures))
    run.finish = lambda exit_code: None
    return run


def test_a_wandb_run_on_a_server_has_each_point_once(monkeypatch, tmp_path):
  monkeypatch.setitem(sys.modules, 'wandb', wandb := Online())
  losses = lambda run: [(step, figures['loss']) for step, figures in run.points]
  with Tracking(('wandb',), CONFIG, tmp_path, lambda row: []) as watch:
    log = Log(tmp_path, watch=[watch])
    for step in (2, 4, 6):
      log.write(step, {'loss': float(step)})
  with Tracking(('wandb',), CONFIG, tmp_path, lambda row: []) as watch:
    log = Log(tmp_path, 4, watch=[watch])  # step 6 is on the server, and is written again with the same value
    for step in (6, 8):
      log.write(step, {'loss': float(step)})
  assert {id: losses(run) for id, run in wandb.server.items()} == {'run0': [(2, 2.0), (4, 4.0), (6, 6.0), (8, 8.0)]}
  with Tracking(('wandb',), {**CONFIG, 'epochs': 2}, tmp_path, lambda row: []) as watch:
    log = Log(tmp_path, 4, watch=[watch])
    log.write(6, {'loss': 60.0})
    watch.finish(RESULTS)
  old, new = wandb.server.values()
  assert old.tags == ('superseded',) and losses(old)[-1] == (8, 8.0)
  assert losses(new) == [(2, 2.0), (4, 4.0), (6, 60.0)] and new.summary['final/knn_top1'] == 0.9 and not new.tags


# The tools themselves, without a network. A process writes steps 2 to 8 and is killed; another one resumes at 4 and ends at 10, where its guard
# has returned to step 8 with other values; so each series has five steps, each once.
BEGIN = """
import os, sys
from pathlib import Path
from jssl.core.log import Log
from jssl.trackers.tracking import Tracking
from tests.test_tracking import CONFIG, RESULTS, point

name, step, end = sys.argv[1], int(sys.argv[2]), sys.argv[3]
w = Path('w')
w.mkdir(exist_ok=True)
with Tracking((name,), CONFIG, w, lambda row: ['rank is low']) as watch:
  log = Log(w, step, watch=[watch])
  for at in range(step + 2, 9, 2):
    log.write(at, point(at))
  if end == 'killed':
    watch.lines[name].send(lambda tracker: os._exit(9))
    watch.lines[name].join()
  log.write(10, {'loss': 1e9})
  log.rewind(8)
  log.write(10, point(10))
  from PIL import Image
  Image.new('RGB', (40, 30), 'red').save(w / 'embedding.png')
  watch.finish(RESULTS)
"""


def point(step):
  return {'loss': 1 / step, 'validation/knn_top1': step / 10, 'health/alarms': float(step == 6), 'nce/loss': math.nan if step == 4 else 2.0}


WANTED = {name: [(step, point(step)[name]) for step in range(2, 11, 2)] for name in point(2)}


def run(name, folder, modules):
  """The workdir of a run that was killed once, tracked by the tool of that name. Skipped if its packages are not installed."""
  for module in modules:
    pytest.importorskip(module)
  environment = {
    **os.environ,
    'PYTHONPATH': str(Path(jssl.__file__).parents[1]),
    'WANDB_MODE': 'offline',
    'MLFLOW_TRACKING_URI': 'sqlite:///a.db',
  }
  for step, end in ((0, 'killed'), (4, 'done')):
    done = subprocess.run([sys.executable, '-c', BEGIN, name, str(step), end], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == (9 if end == 'killed' else 0) and 'has failed' not in done.stderr, done.stderr
  return folder / 'w'


def same(found, approximately=1e-6):
  """Whether each series of the log has its steps once, with their values, and the final figures are there."""
  for name, points in WANTED.items():
    assert [step for step, _ in found[name]] == [step for step, _ in points], name
    assert [x for _, x in found[name]] == pytest.approx([x for _, x in points], rel=approximately, nan_ok=True), name


def test_tensorboard(tmp_path):
  w = run('tensorboard', tmp_path, ('tensorboardX', 'tensorboard'))
  from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

  found = EventAccumulator(str(w))
  found.Reload()
  same({tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()['scalars']})
  assert found.Scalars('baselines/raw_input/knn_top1')[0].value == pytest.approx(0.8) and found.Tags()['images'] == ['embedding']
  assert 'config/text_summary' in found.Tags()['tensors'] and len(found.PluginTagToContent('hparams')) == 3


@pytest.mark.long
def test_wandb(tmp_path):
  w = run('wandb', tmp_path, ('wandb',))
  (folder,) = (w / 'wandb').glob('offline-run-*')
  (file,) = folder.glob('run-*.wandb')
  from wandb.proto import wandb_internal_pb2

  found, configs, summary = {}, {}, {}
  for record in _records(file.read_bytes()):
    told = wandb_internal_pb2.Record.FromString(record)
    items = {'.'.join(item.nested_key) or item.key: json.loads(item.value_json) for item in told.history.item}
    for name, x in items.items():
      found.setdefault(name, []).append((items['_step'], math.nan if x == 'NaN' else x))
    configs |= {item.key: json.loads(item.value_json) for item in told.config.update}
    summary |= {'.'.join(item.nested_key) or item.key: json.loads(item.value_json) for item in told.summary.update}
  same(found)
  assert configs['losses']['nce']['temperature'] == 0.2 and summary['final/ndcg@10'] == 0.5 and summary['baselines/raw_input/knn_top1'] == 0.8
  assert (folder / 'files' / 'media').is_dir() and json.loads((w / seam.KEPT).read_text())['runs']['wandb'] in file.name


def _records(data: bytes):
  """The records of a W&B file: a header of 7 bytes, then blocks of 32 KiB with pieces of records, as in logs of LevelDB."""
  at, whole = 7, b''
  while at + 7 <= len(data):
    if (left := -at % 32768) and left < 7:
      at += left
      continue
    length, kind = int.from_bytes(data[at + 4 : at + 6], 'little'), data[at + 6]
    whole = (b'' if kind in (1, 2) else whole) + data[at + 7 : at + 7 + length]
    at += 7 + length
    if kind in (1, 4):  # a whole one, or a last piece
      yield whole


@pytest.mark.long
def test_mlflow(tmp_path):
  w = run('mlflow', tmp_path, ('mlflow',))
  from mlflow import MlflowClient

  client = MlflowClient(f'sqlite:///{tmp_path}/a.db')
  runs = client.search_runs([client.get_experiment_by_name('jssl').experiment_id])
  (kept,) = (r for r in runs if 'jssl.superseded' not in r.data.tags)
  id = json.loads((w / seam.KEPT).read_text())['runs']['mlflow']
  assert kept.info.run_id == id and kept.info.status == 'FINISHED' and len(runs) == 2, 'one for each way that the run took'
  same({name: [(p.step, p.value) for p in client.get_metric_history(id, name)] for name in kept.data.metrics})
  assert kept.data.params['losses.nce.temperature'] == '0.2' and kept.data.metrics['final/ndcg_10'] == 0.5
  assert [file.path for file in client.list_artifacts(id, 'pictures')] == ['pictures/embedding.png']
  assert 'rank is low' in kept.data.tags['jssl.alarms']


@pytest.mark.long
def test_aim(tmp_path, monkeypatch):
  w = run('aim', tmp_path, ('aim',))
  import aim
  from aim.sdk.index_manager import RepoIndexManager

  id = json.loads((w / seam.KEPT).read_text())['runs']['aim']
  repo = aim.Repo(str(tmp_path))
  RepoIndexManager.get_index_manager(repo).index(id)  # as `aim up` does
  found = aim.Run(id, repo=repo, read_only=True)
  tables = {metric.name: metric.dataframe() for metric in found.metrics()}
  same({name: sorted(zip(map(int, of['step']), of['value'], strict=True)) for name, of in tables.items()})
  assert found['config']['losses']['nce']['temperature'] == 0.2 and found['results']['baselines']['raw_input']['knn_top1'] == 0.8
  assert tables['final/knn_top1']['value'].tolist() == [0.9] and repo.list_all_runs() == [id]
