"""The command line, as a person uses it: each mistake costs one line and a non-zero exit."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from jssl import cli, run, storage
from jssl.arguments import make_parser
from jssl.commands.results import print_results
from jssl.core.log import as_json

BEGUN = r'[\d.]+ (\w+ )?parameters|compil'  # what a run that has begun says of itself
QUICK = [
  '--config.data.name=digits', '--config.backbone.widths=(8,16)', '--config.batch_size=32', '--config.epochs=1', '--config.steps=12',
]  # fmt: skip


def jssl(*arguments, **kwargs):
  return subprocess.run([sys.executable, '-m', 'jssl', *map(str, arguments)], capture_output=True, text=True, **kwargs)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A short run, and what it printed."""
  workdir = tmp_path_factory.mktemp('run') / 'w'
  done = jssl('train', 'simclr', '--workdir', workdir, '--json', *QUICK)
  assert done.returncode == 0, done.stderr
  return workdir, json.loads(done.stdout)


def test_train_leaves_results(trained):
  workdir, printed = trained
  results = json.loads((workdir / 'results.json').read_text())
  assert results == printed
  assert {'knn_top1', 'linear_top1'} <= set(results['figures'])
  assert {'raw_input', 'random_init'} == set(results['baselines'])
  assert results['compiles'] == 1 and results['seconds'] > 0 and 'jax' in results['versions']
  assert (workdir / 'embedding.png').stat().st_size > 10_000
  rows = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
  assert rows[-1]['step'] == 12 and (workdir / 'metrics.csv').exists()


@pytest.mark.rotating
def test_evaluate_writes_a_file_a_protocol(trained):
  workdir, printed = trained
  done = jssl('evaluate', workdir, '--protocol', 'knn', '--json')
  assert done.returncode == 0, done.stderr
  assert json.loads(done.stdout)['figures']['knn_top1'] == printed['figures']['knn_top1']
  assert json.loads((workdir / 'evaluations' / 'knn.json').read_text())['simclr']['version'] == '2'


def test_embed(trained, tmp_path):
  workdir, _ = trained
  images = np.random.default_rng(0).integers(0, 255, (5, 8, 8, 1), dtype=np.uint8)
  np.save(tmp_path / 'in.npy', images)
  done = jssl('embed', workdir, tmp_path / 'in.npy', tmp_path / 'out.npy', '--json')
  assert done.returncode == 0, done.stderr
  assert np.load(tmp_path / 'out.npy').shape == (5, 16)
  assert json.loads(done.stdout)['examples'] == 5


@pytest.mark.rotating
def test_embed_a_folder_reads_it_as_training_does_and_names_the_rows(trained, tmp_path):
  from PIL import Image

  workdir, _ = trained
  folder = tmp_path / 'pictures'
  folder.mkdir()
  wide = np.broadcast_to(np.linspace(0, 255, 80).astype(np.uint8), (8, 80))
  Image.fromarray(wide).save(folder / 'wide.png')
  Image.fromarray(np.full((8, 8), 99, np.uint8)).save(folder / 'flat.gif')
  (folder / 'notes.txt').write_text('no picture')
  done = jssl('embed', workdir, folder, tmp_path / 'out.npy', '--json')
  assert done.returncode == 0 and 'notes.txt' in done.stderr, done.stderr
  assert json.loads((tmp_path / 'out.names.json').read_text()) == ['flat.gif', 'wide.png']
  np.save(tmp_path / 'cut.npy', np.stack([np.full((8, 8), 99, np.uint8), wide[:, 36:44]])[..., None])
  done = jssl('embed', workdir, tmp_path / 'cut.npy', tmp_path / 'same.npy')
  assert done.returncode == 0 and not (tmp_path / 'same.names.json').exists()
  np.testing.assert_allclose(np.load(tmp_path / 'out.npy'), np.load(tmp_path / 'same.npy'), rtol=1e-5)
  done = jssl('embed', workdir, folder, tmp_path / 'out.parquet')
  import pyarrow.parquet as pq

  assert pq.read_table(tmp_path / 'out.parquet')['name'].to_pylist() == ['flat.gif', 'wide.png']
  (folder / 'flat.gif').write_bytes(b'GIF89a')
  done = jssl('embed', workdir, folder, tmp_path / 'out.npy')
  assert done.returncode == 2 and 'flat.gif cannot be read' in done.stderr.splitlines()[-1] and 'Traceback' not in done.stderr


def test_encode_refuses_what_the_model_was_not_trained_on(trained):
  from jssl.model import load

  model = load(trained[0])
  for shape, todo in (((3, 32, 32, 1), 'scale and cut them to 8 x 8'), ((3, 1, 8, 8), 'move the channels to the end')):
    with pytest.raises(ValueError, match=f'expected pictures .* as the model was trained on: {todo}'):
      model.encode(np.zeros(shape, np.uint8))
  with pytest.raises(ValueError, match='divide by 255'):
    model.encode(np.full((3, 8, 8, 1), 200.0))
  images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
  for same in (images / 255, images.astype(np.uint16) * 257, list(images)):
    np.testing.assert_array_equal(model.encode(same), model.encode(images))


def test_list_json():
  done = jssl('list', '--json')
  rows = json.loads(done.stdout)['systems']
  assert {'name', 'paper', 'number', 'family', 'kind', 'config', 'scales', 'fidelity', 'claim'} <= set(rows[0])
  assert {tuple(row['scales']) for row in rows if row['name'] in ('simclr', 'byol')} == {
    ('tiny', 'small', 'fashion_mnist', 'imagenet', 'cifar10', 'imagenet100'),
    ('tiny', 'small', 'imagenet', 'cifar10', 'imagenet100'),
  }
  assert all(row['claim']['state'] in ('held', 'undecided', 'not_held', 'contradicted', 'untried') for row in rows)
  assert all({'text', 'state', 'stale', 'tries', 'looks'} == set(row['claim']) for row in rows)


@pytest.mark.long  # contracts/test_kill.py does this without the command line
def test_killed_run_ends_in_the_same_bits(tmp_path):
  """kill -9 in mid-run, and the same command again."""
  command = ['train', 'moco_v2', '--protocol', 'none', *QUICK, '--config.steps=20', '--config.checkpoint_every=5']
  command += ['--config.memories.queue.size=64', '--config.log_every=1']
  whole = jssl(*command, '--workdir', tmp_path / 'whole')
  assert whole.returncode == 0, whole.stderr
  cut = subprocess.Popen([sys.executable, '-m', 'jssl', *command, '--workdir', str(tmp_path / 'cut')])
  deadline = time.time() + 120
  while not _steps(tmp_path / 'cut') and time.time() < deadline and cut.poll() is None:
    time.sleep(0.05)
  cut.send_signal(signal.SIGKILL)
  cut.wait()
  again = jssl(*command, '--workdir', tmp_path / 'cut')
  assert again.returncode == 0, again.stderr
  assert _final(tmp_path / 'cut') == _final(tmp_path / 'whole')


def _steps(workdir):
  folder = workdir / 'checkpoints'
  return [p for p in folder.iterdir() if p.name.isdigit()] if folder.exists() else []


def _final(workdir):
  import jax

  from jssl.model import restore

  _, train, _ = restore(workdir)
  train = train._replace(key=jax.random.key_data(train.key))
  return [np.asarray(x).tobytes() for x in jax.tree.leaves(train)]


@pytest.mark.parametrize(
  ('arguments', 'says'),
  [
    (['train', 'simclrr'], 'did you mean simclr'),
    (['train', 'nowhere.py'], 'no config file'),
    (['train', 'simclr', '--config.backbone.name=vitt'], 'did you mean vit'),
    (['train', 'simclr', '--config.data.name=mnist'], 'mnist'),
    (['train', 'simclr', '--config.data.name=nosuchset'], 'nosuchset'),
    (['train', 'simclr', '--config.optimiser.name=sgd'], 'did you mean optimizer'),
    (['train', 'simclr', '--config.epochs=many'], 'whole number'),
    (['train', 'simclr', '--config.batch_size=65'], 'multiple of 8'),
    (['train', 'simclr', '--workdir', '/proc/nowhere'], 'workdir'),
    (['train', 'simclr', '--protocol', 'nearest'], 'no protocol'),
    (['train', 'simclr', '--frobnicate'], 'unknown argument'),
    (['train', 'simclr', '--workdir='], 'must not be empty'),
    (['train', 'simclr', '--processes=x', '--workdir=w'], 'processes=auto'),
    (['train', 'simclr', '--process=-1'], '--processes N'),
    (['train', 'simclr', '--protocol='], 'no protocol'),
    (['train', 'simclr', '--protocol=knn,,'], 'no protocol'),
    (['train', 'simclr', '--config.x'], 'has no value'),
    (['train', 'simclr', '--config.optimizer.learning_rate=abc'], 'optimizer.learning_rate must be a number'),
    (['train', 'simclr', '--config.batch_size=0'], 'at least 1'),
    (['train', 'simclr', '--config.batch_size=1e9'], 'whole number'),
    (['train', 'simclr', '--config.losses.nce.temperature=-1'], 'above 0'),
    (['train', 'simclr', '--config.heads={}', '--config.data.name=digits'], "no network is called 'projector'"),
    (['train', 'cores', '--protocol=knn'], 'its own training loop'),
    (['list', '--family='], 'no family'),
    (['reproduce', 'simclr', '--jobs=0'], 'at least one'),
    (['replay', '/nonexistent'], 'captured step'),
    (['embed', '/nonexistent', 'x.npy', 'y.npy', '--batch_size=0'], 'at least one input'),
    (['embed', '/nonexistent', 'x.npy', 'no/such/y.npy'], 'create it first'),
    (['embed', '/nonexistent', 'x.npy', '/proc/y.npy'], 'cannot be written'),
    # what a protocol lacks is told before the first step
    (['train', 'simclr', '--config.data.name=digits', '--protocol=sts'], "no split 'pairs'"),
    (['train', 'simclr', '--config.data.name=digits', '--protocol=classify'], "no network 'classifier'"),
    (['train', 'simclr', '--config.data.name=digits', '--protocol=greedy_decode'], "no column 'ids'"),
    (['train', 'simclr', '--config.data.name=digits', '--protocol=mixing_weights'], 'choose a transformer'),
    (['train', 'simclr', '--config.data.name=digits', '--protocol=erasure'], "needs the option 'attribute'"),
    (['train', 'simclr', '--config.data.name=digits', "--config.evaluators={'k': {'name': 'knn', 'ks': (0,)}}"], 'ks must be'),
    (['train', 'simclr', '--config.data.name=digits', "--config.evaluators={'c': {'name': 'clustering', 'clusters': 9999}}"], 'ask for fewer'),
    (['train', 'simclr', '--config.data.name=digits', "--config.transform={'name': 'inlp', 'labels': 'gender'}"], "the column 'gender'"),
    (['evaluate', '/nonexistent'], 'no readable run'),
    (['embed', '/nonexistent', 'x.npy', 'y.txt'], '.npy or .parquet'),
    (['list', '--family', 'imagee'], 'image'),
  ],
)
def test_mistakes_cost_one_line(arguments, says, tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  try:
    code = cli.main(arguments)
  except SystemExit as error:  # as argparse ends
    code = error.code
  printed = capsys.readouterr()
  assert code == 2 and not printed.out
  lines = [line for line in printed.err.splitlines() if not re.match(rf'(usage:|\s|WARNING|{BEGUN})', line)]
  assert len(lines) == 1, printed.err
  assert says in lines[0]


@pytest.mark.parametrize(
  ('text', 'says'),
  [
    ('x = 1', 'needs a function get_config'),
    ('import no_such_module', 'no_such_module'),
    ('def get_config():\n  raise KeyError("boom")', 'boom'),
    ('def get_config():\n  return {}', 'returned dict'),
    ('def get_config(size):\n  return {}', 'of no arguments'),
  ],
)
def test_a_file_that_is_no_config_costs_one_line(text, says, tmp_path, capsys):
  (tmp_path / 'mine.py').write_text(text + '\n')
  assert cli.main(['train', str(tmp_path / 'mine.py'), f'--workdir={tmp_path / "w"}']) == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert says in line


def _broken_inputs(folder):
  """Files that are no arrays of pictures [n 8 8 1], or are not what they are called: name -> what is said of them."""
  for name, x in dict(
    empty=np.zeros((0, 8, 8, 1), np.uint8), rank=np.zeros((3, 8)), words=np.full((3, 8, 8, 1), 'a'), complex=np.zeros((3, 8, 8, 1), complex),
    nan=np.full((3, 8, 8, 1), np.nan), scalar=np.float32(3),
  ).items():  # fmt: skip
    np.save(folder / f'{name}.npy', x)
  np.save(folder / 'objects.npy', np.array([{}, 1], object), allow_pickle=True)
  (folder / 'text.npy').write_text('1 2 3')
  (folder / 'nothing.npy').write_text('')
  (folder / 'zip.npy').write_bytes(b'PK\x03\x04')
  with (folder / 'several.npy').open('wb') as file:
    np.savez(file, a=np.zeros(3))
  (folder / 'notes.txt').write_text('')
  (folder / 'folder').mkdir()
  return {
    'empty.npy': 'inputs must be', 'rank.npy': 'expected pictures', 'words.npy': 'expected numbers', 'complex.npy': 'convert them',
    'nan.npy': 'nan', 'scalar.npy': 'inputs must be', 'objects.npy': 'numpy.save', 'text.npy': 'numpy.save', 'nothing.npy': 'numpy.save',
    'zip.npy': 'numpy.save', 'several.npy': 'several arrays', 'notes.txt': 'INPUT must be',
    'folder': 'no images', 'gone.npy': 'does not exist',
    'data:digits/far': 'no split', 'data:nosuch': 'nosuch', 'data:rooms': "'image'",
  }  # fmt: skip


@pytest.mark.rotating
def test_embed_refuses_what_it_cannot_read_in_one_line(trained, tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  for given, says in _broken_inputs(tmp_path).items():
    assert cli.main(['embed', str(trained[0]), given, 'out.npy']) == 2, given
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line, (given, line)
    assert not (tmp_path / 'out.npy').exists()


def test_a_batch_larger_than_the_inputs_needs_no_more_memory(trained, tmp_path):
  np.save(tmp_path / 'in.npy', np.zeros((3, 8, 8, 1), np.uint8))
  assert cli.main(['embed', str(trained[0]), str(tmp_path / 'in.npy'), str(tmp_path / 'out.npy'), '--batch_size=1000000000000']) == 0
  assert np.load(tmp_path / 'out.npy').shape == (3, 16)


@pytest.mark.parametrize(
  ('change', 'says'),
  [
    (dict(data=dict(name='gone_set')), 'gone_set'),
    (dict(backbone=dict(name='of_my_module')), 'of_my_module'),
    (dict(data=dict(name='digits', folder='/moved')), 'folder'),
    (None, 'no checkpoint yet'),
    ('[]', 'holds list'),
    ('\0', 'no readable run'),
  ],
)
def test_a_run_that_cannot_be_opened_says_what_is_missing(change, says, trained, tmp_path, capsys):
  text = (trained[0] / 'config.json').read_text()
  (tmp_path / 'config.json').write_text(json.dumps({**json.loads(text), **change}) if isinstance(change, dict) else change or text)
  (tmp_path / 'captures' / '3').mkdir(parents=True)
  for command in (['evaluate', tmp_path], ['embed', tmp_path, 'x.npy', tmp_path / 'y.npy'], ['replay', tmp_path]):
    assert cli.main([*map(str, command)]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert says in line or command[0] == 'replay' and 'no captured step that can be read' in line, line
    assert not isinstance(change, dict) or 'restore what is missing' in line


def test_results_stay_where_no_picture_can_be_drawn(trained, tmp_path, monkeypatch):
  from jssl.data.core.arrays import Columns

  p = run.plan(json.loads((trained[0] / 'config.json').read_text()))
  few = Columns(p.data.splits['test'].take(np.arange(3)))
  monkeypatch.setattr(run, 'plan', lambda config: p._replace(data=p.data._replace(splits={**p.data.splits, 'test': few})))
  monkeypatch.setattr(run, 'learn', lambda p, panel, **options: _untrained(p))
  (tmp_path / 'w').mkdir()
  results = run.train(p.config, tmp_path / 'w', protocols=['knn'])
  assert json.loads((tmp_path / 'w' / 'results.json').read_text())['figures'] == results['figures'] != {}
  assert not (tmp_path / 'w' / 'embedding.png').exists()


def _untrained(p):
  import jax

  from jssl.core import loop
  from jssl.core.log import Log
  from jssl.core.mesh import make_mesh
  from jssl.core.programs import Programs, seed_data

  programs = Programs(p, make_mesh(devices=jax.devices()[:1]))
  return loop.Trained(programs.start(seed_data(p)), Log(None), 0, 0.0, 0.0, programs, seed_data(p), None)


def test_an_error_of_another_kind_is_called_a_bug(monkeypatch, tmp_path, capsys):
  monkeypatch.setattr('jssl.commands.list.run', lambda *_: {}['gone'])
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
  assert cli.main(['list']) == cli.BUG
  (line,) = capsys.readouterr().err.splitlines()
  (kept,) = tmp_path.glob('jssl-traceback-*')
  assert "a bug in jssl, KeyError: 'gone'" in line and str(kept) in line and 'Traceback' in kept.read_text()


def test_each_command_of_the_parser_is_a_module():
  (commands,) = (action.choices for action in make_parser()._actions if isinstance(action.choices, dict))
  beside = {'results', 'settings', 'encoding'}  # what several commands share
  assert {file.stem for file in Path(cli.__file__).with_name('commands').glob('[a-z]*.py')} - beside == set(commands)


def test_a_mistake_ends_the_process_with_its_code():
  done = jssl('train', 'simclrr')
  assert done.returncode == 2 and done.stderr.startswith('jssl: no system is called') and 'Traceback' not in done.stderr


def test_workdir_of_another_config_is_refused(trained):
  workdir, _ = trained
  done = jssl('train', 'simclr', '--workdir', workdir, '--config.seed=3')
  assert done.returncode != 0 and 'another config' in done.stderr and 'seed' in done.stderr


def test_no_home_is_no_obstacle(monkeypatch, capsys):
  def no_home():
    raise RuntimeError('Could not determine home directory.')

  monkeypatch.setattr(cli.Path, 'home', no_home)
  monkeypatch.delenv('JAX_COMPILATION_CACHE_DIR')
  assert cli.main(['list', '--json']) == 0 and json.loads(capsys.readouterr().out)
  assert cli.main(['train', 'simclr', '--workdir=~nobody-of-this-name/w']) == 2
  assert 'without ~' in capsys.readouterr().err


@pytest.mark.parametrize('workdir', ['gs:/bucket/w', 'az://bucket/w', 's3://', 's3:///w', 's3://bucket/w*'])
def test_an_address_that_cannot_be_read_is_refused_before_anything_runs(workdir, capsys):
  with pytest.raises(SystemExit, match='2'):
    cli.main(['train', 'simclr', f'--workdir={workdir}'])
  assert f'{workdir} is not a valid address' in capsys.readouterr().err


def test_a_home_directory_may_be_meant(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  assert storage.reach('~/w') == tmp_path / 'w'


def test_a_config_finds_modules_beside_it(tmp_path):
  (tmp_path / 'beside_it.py').write_text('WIDTHS = (4, 8)\n')
  (tmp_path / 'mine.py').write_text(
    'from beside_it import WIDTHS\nfrom jssl.configs.image import simclr\n\n\n'
    'def get_config():\n  c = simclr.get_config()\n  c.backbone.widths = WIDTHS\n  return c\n'
  )
  assert tuple(run.load_config(str(tmp_path / 'mine.py')).backbone.widths) == (4, 8)


def test_what_is_not_finite_is_null():
  assert as_json({'a': [float('nan'), 1.0], 'b': {'c': float('-inf')}}) == '{"a": [null, 1.0], "b": {"c": null}}'


@pytest.mark.parametrize('columns', [60, 80, 200])
def test_results_fit_the_terminal_and_cut_no_name(columns, monkeypatch, tmp_path, capsys):
  monkeypatch.setenv('COLUMNS', str(columns))
  names = ['knn_top1', 'linear_top1', 'correspondence_within_cells', *(f'segmentation_iou_{i}' for i in range(9))]
  figures = {f'{name}{end}': x for name in names for end, x in {'': 0.9, '_low': 0.8, '_high': 0.95}.items()}
  rows = dict.fromkeys(('raw_input', 'random_init', 'start'), figures)
  curves = {name: dict(steps=[0, 8], values=[0.1, 0.2]) for name in names}
  print_results(dict(name='dino', figures=figures, baselines=rows, validation=curves), tmp_path, False)
  *lines, _ = capsys.readouterr().out.splitlines()
  assert max(map(len, lines)) <= columns
  words = ' '.join(lines).split()
  assert {*names, 'raw', 'random', 'start', 'dino'} <= {*words} and words.count('[0.800,') == 4 * len(names)


def test_a_table_that_fits_has_a_row_a_system(monkeypatch, tmp_path, capsys):
  monkeypatch.setenv('COLUMNS', '80')
  print_results(dict(name='dino', figures={'knn_top1': 0.9}, baselines={'raw_input': {'knn_top1': 0.8}}), tmp_path, False)
  assert [line.split() for line in capsys.readouterr().out.splitlines()[3:5]] == [['raw', 'input', '0.800'], ['dino', '0.900']]


def test_list_fits_the_terminal(monkeypatch, capsys):
  claim = dict(state='held', stale=True)
  row = dict(
    name='simclr', family='image', kind='method', scales=['tiny', 'small', 'imagenet'] * 3, fidelity='partial', claim=claim, paper='P' * 99
  )
  monkeypatch.setattr('jssl.commands.list.catalogue.systems', lambda: [row])
  monkeypatch.setenv('COLUMNS', '60')
  cli.main(['list'])
  assert capsys.readouterr().out == f'simclr  image  method  {" ".join(row["scales"])}  partial  held (stale)  {row["paper"]}\n', 'in a pipe'
  monkeypatch.setattr('sys.stdout.isatty', lambda: True)
  cli.main(['list'])
  first, *note = capsys.readouterr().out.splitlines()
  assert first.startswith('simclr  image  PPP') and len(first) == 60
  assert 'scales, kind, fidelity, claim do not fit' in ' '.join(note) and max(map(len, note)) <= 60


@pytest.mark.rotating
def test_a_first_step_that_is_not_finite_is_told_by_its_cause(tmp_path, capsys):
  assert cli.main(['train', 'simclr', f'--workdir={tmp_path / "w"}', *QUICK, '--config.losses.nce.temperature=0.0']) == 2
  (said,) = [line for line in capsys.readouterr().err.splitlines() if not re.match(BEGUN, line)]
  assert 'div made' in said and 'of part nce' in said and 'learning rate' not in said


def test_closed_streams_are_no_obstacle(monkeypatch):
  """As a shell leaves them after `>&-`: Python has None in their place."""
  monkeypatch.setattr(sys, 'stdout', None)
  assert cli.main(['list']) == 0
  monkeypatch.setattr(sys, 'stderr', None)
  assert cli.main(['list', '--family', 'nope']) == 2


def test_every_command_takes_a_home_directory(tmp_path, monkeypatch, capsys):
  monkeypatch.setenv('HOME', str(tmp_path))
  (tmp_path / 'w').mkdir()
  for command in (['evaluate', '~/w'], ['embed', '~/w', 'data:digits', '~/o.npy'], ['neighbours', '~/w', 'data:digits'], ['replay', '~/w']):
    assert cli.main(command) == 2
    assert str(tmp_path / 'w') in capsys.readouterr().err


def test_the_status_is_the_same_where_standard_error_is_broken(tmp_path):
  read, write = os.pipe()
  os.close(read)
  done = subprocess.run([sys.executable, '-m', 'jssl', 'evaluate', 'nothing'], stderr=write, cwd=tmp_path)
  os.close(write)
  assert done.returncode == 2, 'and not 120, as when Python tries again at its end'


def test_a_line_of_progress_is_one_line(capsys):
  from jssl.progress import Bar

  with Bar(3, 0, examples=1, quiet=False) as bar:
    bar.show(3, 1.7e28)
  assert len(capsys.readouterr().err.strip().splitlines()) == 1
