"""Runs, models and data in a bucket, as on this machine; what a bucket cannot do, done otherwise."""

import json
import logging
import os
import socket
import time
from pathlib import Path

import fsspec
import jax
import numpy as np
import pytest
from PIL import Image

import jssl
from jssl import cli, locks, modules, run, storage, testing
from jssl.core import checkpoint, log
from jssl.core.build import open_data
from jssl.core.log import Log
from jssl.data.own.packed import pack
from jssl.errors import ConfigError, DataError, Stopped
from jssl.locks import owned
from jssl.tables import DATA
from tests import bucket
from tests.core.tiny import tiny

CONFIG = tiny(
  view=dict(name='tests.core.tiny:shaken'),
  inputs=dict(name='columns', names=('image',)),
  evaluators={},
  steps=6,
  checkpoint_every=2,
  log_every=1,
)


@pytest.fixture(scope='module', autouse=True)
def _server():
  from etils.epath import backend

  before = fsspec.registry.get('s3')
  fsspec.register_implementation('s3', bucket.Files, clobber=True)
  backend.fsspec_backend._get_filesystem.cache_clear()
  server = bucket.serve()
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('AWS_ENDPOINT_URL', f'http://127.0.0.1:{server.server_address[1]}')
    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'):
      patch.setenv(name, 'test')
    patch.setenv('AWS_REGION', 'us-east-1')
    patch.setenv('AWS_EC2_METADATA_DISABLED', 'true')
    yield
  server.shutdown()
  fsspec.registry._registry.pop('s3') if hasattr(fsspec.registry, '_registry') else None
  if before:
    fsspec.register_implementation('s3', before, clobber=True)
  backend.fsspec_backend._get_filesystem.cache_clear()


@pytest.fixture(autouse=True)
def objects(tmp_path, monkeypatch):
  monkeypatch.setenv('JSSL_STORAGE_CACHE', str(tmp_path / 'cache'))
  bucket.OBJECTS.clear()
  return bucket.OBJECTS


def at(name):
  return storage.path(f's3://bucket/{name}')


# Paths


def test_paths_of_this_machine_stay_what_they_are(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  for text in ('a', '/a/b', '/a/[b]*', 'a:b', 'C:/a'):
    assert storage.path(text) == Path(text) and not storage.remote(storage.path(text))
  assert storage.path('~/w') == tmp_path / 'w' and storage.absolute('w') == str(Path('w').absolute())


def test_an_address_is_never_mangled():
  for text in ('s3://bucket/w', 's3://bucket'):
    assert str(storage.path(text)) == storage.absolute(text) == text
  assert str(storage.path(storage.path('s3://bucket/w/')) / 'x') == 's3://bucket/w/x'
  assert DATA.absolute('packed:s3://bucket/p') == 'packed:s3://bucket/p' and DATA.absolute('s3://bucket/x.jsonl') == 's3://bucket/x.jsonl'
  assert jssl.core.build.plan({**CONFIG, 'start': dict(of='s3://bucket/w')}).config['start']['of'] == 's3://bucket/w'


@pytest.mark.parametrize('text', ['s3:/bucket/w', 'gs:/bucket', 's3://', 's3:///w', 's3://bucket/w[1]', 'az://bucket/w', 'https://host/w'])
def test_addresses_that_cannot_be_read_are_refused(text):
  for call in (storage.path, lambda x: run.train(CONFIG, x), jssl.load, lambda x: DATA.absolute(f'packed:{x}')):
    with pytest.raises(ConfigError, match='not a valid address'):
      call(text)


def test_what_is_missing_to_read_an_address_is_told():
  if storage.importlib.util.find_spec('gcsfs'):
    pytest.skip('gcsfs is installed')
  with pytest.raises(ConfigError, match=r"gcsfs, which is not installed: pip install 'jssl\[cloud\]'"):
    storage.path('gs://bucket/w')


def test_a_bucket_that_is_not_there_is_told(tmp_path):
  with pytest.raises(ConfigError, match='bucket does not exist'):
    run.train(CONFIG, 's3://none/w', protocols=(), quiet=True)
  assert not any(name.startswith('none') for name in bucket.OBJECTS)


# One writer


def test_the_second_is_refused_until_the_first_has_left(objects):
  with owned(at('w')):
    with pytest.raises(ConfigError, match=f'in use by process {os.getpid()} on {socket.gethostname()}'), owned(at('w')):
      pass
    assert len(objects) == 2
  assert not objects


@pytest.mark.parametrize('silent', [False, True])
def test_an_owner_elsewhere_is_dead_when_its_sign_of_life_is_old_by_the_clock_of_the_store(objects, silent, monkeypatch):
  then = time.time() - locks.SILENCE - 60
  held = json.dumps(dict(process=1, host='elsewhere', started='1', since=then, sign='lock.a')).encode()
  objects['bucket/w/lock'] = held, then
  objects['bucket/w/lock.a'] = b'', then if silent else time.time()
  monkeypatch.setattr(time, 'time', lambda: then)  # the clock of this machine does not count
  monkeypatch.setattr(bucket.time, 'time', lambda: then + locks.SILENCE + 60)
  if silent:
    with owned(at('w')):
      assert 'bucket/w/lock.a' not in objects
  else:
    with pytest.raises(ConfigError, match='elsewhere'), owned(at('w')):
      pass
    assert {*objects} == {'bucket/w/lock', 'bucket/w/lock.a'}


def test_a_lock_shows_that_its_owner_lives(objects, monkeypatch):
  monkeypatch.setattr(locks, 'BEAT', 0.05)
  with owned(at('w')):
    sign = next(name for name in objects if name != 'bucket/w/lock')
    objects[sign] = b'', 1.0
    time.sleep(0.5)
    assert objects[sign][1] > 1 and json.loads(objects['bucket/w/lock'][0])['process'] == os.getpid()


def test_who_is_taken_over_writes_no_more_and_leaves_the_lock(objects):
  with owned(at('w')) as mine:
    mine()
    with owned(at('w'), take_over=True) as other:
      other()
      with pytest.raises(Stopped, match='taken over'):
        mine()
  assert not objects


def test_a_store_without_preconditions_lets_one_of_two_go_on(objects, monkeypatch):
  """Both find no lock and write one: the file that is read back tells the first one."""
  monkeypatch.setattr(bucket.Files, 'knows_preconditions', False)
  create, raced = bucket.Files.pipe_file, []

  def slow(self, path, value, **options):
    create(self, path, value, **options)
    if options.get('mode') == 'create' and not raced:
      raced.append(path)
      create(self, path, json.dumps(dict(process=1, host='elsewhere', started='1', since=time.time(), sign='lock.b')).encode())

  monkeypatch.setattr(bucket.Files, 'pipe_file', slow)
  with pytest.raises(ConfigError, match='in use by process 1 on elsewhere'), owned(at('w')):
    pass


# Logs


def test_a_log_is_written_anew_at_a_bounded_rate_and_where_it_is_flushed(objects, monkeypatch):
  clock = [0.0]
  monkeypatch.setattr(log.time, 'monotonic', lambda: clock[0])
  kept = lambda: [json.loads(line)['step'] for line in objects['bucket/w/metrics.jsonl'][0].splitlines()] if objects else []
  lines = Log(at('w'))
  for step in range(1, 5):
    lines.write(step, {'loss': 1.0})
  assert kept() == []  # a run that is killed here loses these lines, and has no checkpoint after them either
  lines.flush()
  assert kept() == [1, 2, 3, 4]
  clock[0] = log.EVERY + 1
  lines.write(5, {'loss': 1.0})
  lines.write(6, {'loss': 1.0})
  assert kept() == [1, 2, 3, 4, 5]
  again = Log(at('w'), 4)
  again.write(5, {'loss': 2.0})
  again.finish()
  assert kept() == [1, 2, 3, 4, 5] and b'5,2.0' in objects['bucket/w/metrics.csv'][0]


def test_a_bucket_out_of_reach_for_a_while_costs_no_line(objects, monkeypatch, caplog):
  clock = [0.0]
  monkeypatch.setattr(log.time, 'monotonic', lambda: clock[0])
  lines = Log(at('w'))
  with monkeypatch.context() as patch:
    patch.setattr(bucket.Files, 'pipe_file', lambda *_, **__: 1 / 0)
    clock[0] = log.EVERY + 1
    lines.write(1, {'loss': 1.0})
  assert 'cannot be reached' in caplog.text
  clock[0] *= 3
  lines.write(2, {'loss': 1.0})
  assert len(objects['bucket/w/metrics.jsonl'][0].splitlines()) == 2


# Runs


@pytest.mark.rotating
def test_a_run_in_a_bucket_is_killed_resumed_and_opened(objects, tmp_path, monkeypatch, caplog):
  x = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 1), np.uint8)
  whole = jssl.train(CONFIG, workdir=tmp_path / 'w', protocols=(), quiet=True)
  save, wait = checkpoint.save, []

  def killed(checkpoints, train, *rest):
    save(checkpoints, train, *rest)
    if int(train.step) == 4:
      checkpoints.wait()
      wait.append({name: held for name, held in objects.items()})
      raise KeyboardInterrupt

  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(checkpoint, 'save', killed)
    run.train(CONFIG, 's3://bucket/w', protocols=(), quiet=True)
  objects.clear()
  objects.update(wait[0])  # as a kill leaves them, lock and all
  steps = [json.loads(line)['step'] for line in objects['bucket/w/metrics.jsonl'][0].splitlines()]
  assert max(steps) == 4 and 'bucket/w/checkpoints/4/commit_success.txt' in objects
  del objects['bucket/w/checkpoints/4/commit_success.txt']  # killed a moment earlier
  with pytest.raises(ConfigError, match='in use'):
    run.train(CONFIG, 's3://bucket/w', protocols=(), quiet=True)
  with caplog.at_level(logging.WARNING, 'jssl'):
    again = jssl.train(CONFIG, workdir='s3://bucket/w', protocols=(), quiet=True) if objects.pop('bucket/w/lock') else None
  assert 'checkpoint 4 is only half-written' in caplog.text
  bits = lambda model: jax.tree.leaves(jax.device_get(model.params()))
  assert all(np.array_equal(a, b) for a, b in zip(bits(whole.model), bits(again.model), strict=True))
  told = lambda rows: [{k: v for k, v in row.items() if k not in testing.TIMES} for row in rows]
  assert told(again.log) == told(whole.log)
  names = {name.removeprefix('bucket/w/').split('/')[0] for name in objects}
  assert names == {'config.json', 'metrics.jsonl', 'metrics.csv', 'results.json', 'model', 'checkpoints'} | {
    x for x in names if x.startswith('lock.')
  }
  for opened in (jssl.load('s3://bucket/w'), jssl.load('s3://bucket/w/model')):
    assert np.array_equal(opened.encode(x), whole.model.encode(x))
  np.save(tmp_path / 'x.npy', x)
  storage.replace(at('other/a'), 'b')
  fsspec.filesystem('s3').put_file(str(tmp_path / 'x.npy'), 'bucket/x.npy')
  assert cli.main(['embed', 's3://bucket/w/model', 's3://bucket/x.npy', 's3://bucket/z.npy']) == 0
  with storage.fetched(at('z.npy')) as here:
    assert np.array_equal(np.load(here), whole.model.encode(x))
  with pytest.raises(ConfigError, match='files other than a jssl model'):
    whole.model.save('s3://bucket/other')
  objects['bucket/w/model/model.safetensors'] = b'x', 1.0
  with pytest.raises(ConfigError, match='s3://bucket/w/model/model.safetensors is damaged'):
    jssl.load('s3://bucket/w/model')


def test_a_run_begins_with_a_run_in_a_bucket(objects):
  first = jssl.train({**CONFIG, 'steps': 1}, workdir='s3://bucket/w', protocols=(), quiet=True)
  for start in (first, first.workdir, 's3://bucket/w/model'):
    second = jssl.train({**CONFIG, 'steps': 1, 'optimizer': dict(name='sgd', learning_rate=0.0)}, start=start, protocols=(), quiet=True)
    a, b = (jax.device_get(run.model.params()['backbone']) for run in (first, second))
    assert all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def test_a_model_that_was_half_uploaded_is_no_model(objects, monkeypatch):
  model = jssl.train({**CONFIG, 'steps': 1}, protocols=(), quiet=True).model
  model.save('s3://bucket/m')
  put, count = bucket.Files.put_file, []

  def cut(self, *given, **options):
    count.append(given)
    if len(count) == 2:
      raise ConnectionError('cut off')
    put(self, *given, **options)

  monkeypatch.setattr(bucket.Files, 'put_file', cut)
  with pytest.raises(OSError, match='cannot be written'):
    model.save('s3://bucket/m')
  assert 'bucket/m/config.json' not in objects
  with pytest.raises(ConfigError, match='holds no readable run'):
    jssl.load('s3://bucket/m')


# Data


@pytest.fixture
def local(tmp_path):
  folder, rows = tmp_path / 'data', []
  for i in range(12):
    (folder / 'photos' / 'ab'[i % 2]).mkdir(parents=True, exist_ok=True)
    name = f'photos/{"ab"[i % 2]}/{i}.png'
    Image.fromarray(np.random.default_rng(i).integers(0, 255, (8, 8), np.uint8)).save(folder / name)
    rows.append(dict(image=name, label='ab'[i % 2]))
  (folder / 'rows.jsonl').write_text('\n'.join(map(json.dumps, rows)))
  np.savez(folder / 'x.npz', vector=np.random.default_rng(0).normal(size=(12, 3)), label=np.arange(12) % 2)
  np.savez(folder / 'x_test.npz', vector=np.ones((2, 3)), label=np.arange(2))
  pack(open_data(dict(name=f'folder:{folder / "photos"}')), folder / 'packed')
  for path in folder.rglob('*'):
    if path.is_file():
      fsspec.filesystem('s3').put_file(str(path), f'bucket/{path.relative_to(folder).as_posix()}')
  return folder


@pytest.mark.parametrize('name', ['folder:{}/photos', '{}/rows.jsonl', '{}/x.npz', 'packed:{}/packed'])
def test_data_in_a_bucket_are_those_of_this_machine(local, name):
  here, there = (open_data(dict(name=DATA.absolute(name.format(of)))) for of in (local, 's3://bucket'))
  assert {*here.splits} == {*there.splits}
  assert all(file.startswith('s3://bucket/') for file in there.info['fingerprint'])
  assert len(here.info['fingerprint']) == len(there.info['fingerprint'])
  for split in here.splits:
    for i in range(len(here.splits[split])):
      a, b = here.splits[split][i], there.splits[split][i]
      assert {*a} == {*b} and all(np.array_equal(a[column], b[column]) for column in a)


def test_a_copy_is_made_once_and_again_where_the_bucket_has_another_version(local, monkeypatch):
  fetched, get = [], bucket.Files.get_file
  monkeypatch.setattr(bucket.Files, 'get_file', lambda self, name, *rest, **options: (fetched.append(name), get(self, name, *rest, **options)))
  first = storage.near(at('photos'))
  assert len(fetched) == 12 and storage.near(at('photos')) == first and len(fetched) == 12
  stamp = (first / 'a' / '0.png').stat().st_mtime_ns
  assert stamp == storage.listed(at('photos'))['s3://bucket/photos/a/0.png'][1]  # on every machine the same
  storage.replace(at('photos/a/0.png'), 'other')
  storage.remove(at('photos/b'))
  storage.near(at('photos'))
  assert (first / 'a' / '0.png').read_text() == 'other' and len(fetched) == 13 and not [*first.glob('b/*')]


def test_shards_are_copied_when_they_are_read(local):
  data = open_data(dict(name='packed:s3://bucket/packed'))
  assert not storage.cache().exists()
  data.splits['test'][0]
  assert [path.name[:4] for path in storage.cache().rglob('*.array_record')] == ['test']


@pytest.mark.parametrize('key', ['photos/../../../x.png', 'photos/a/./0.png'])
def test_no_object_is_copied_out_of_its_folder(local, objects, key):
  objects[f'bucket/{key}'] = b'x', 1.0
  with pytest.raises(DataError, match='not a file name'):
    storage.near(at('photos'))


def test_no_room_for_a_copy_is_told(local, monkeypatch):
  monkeypatch.setattr(storage.shutil, 'disk_usage', lambda _: storage.shutil._ntuple_diskusage(1, 1, 0))
  with pytest.raises(DataError, match='0 are free.*JSSL_STORAGE_CACHE'):
    open_data(dict(name='folder:s3://bucket/photos'))


def test_packed_data_are_written_to_a_bucket(local, objects):
  data = open_data(dict(name=f'folder:{local / "photos"}'))
  assert cli.main(['data', 'pack', f'folder:{local / "photos"}', 's3://bucket/again']) == 0
  again = open_data(dict(name='packed:s3://bucket/again'))
  assert {split: len(x) for split, x in again.splits.items()} == {split: len(x) for split, x in data.splits.items()}
  with pytest.raises(DataError, match='already exists'):
    pack(data, 's3://bucket/again')


def test_a_name_is_no_address():
  assert not storage.in_bucket('gs') and modules.own_name('gs:mine') and not storage.in_bucket('s3:x')
