"""Data of a user's own: what a SOURCE gives, how it is split, and what is refused in a line."""

import io
import json
import os
import sys
import tarfile

import numpy as np
import pytest
from PIL import Image

from jssl import cli
from jssl.adapt import adapt
from jssl.core.build import open_data, plan
from jssl.data.core.arrays import resident
from jssl.data.own.files import held_out
from jssl.data.own.packed import pack
from jssl.errors import ConfigError, DataError
from jssl.modules import own_name
from jssl.run import fitting, load_config, train
from jssl.tables import DATA
from tests.photos import digits

FORMATS = ('png', 'jpg', 'webp', 'gif', 'tiff', 'bmp')
CLASSES = ('cat', 'dog', 'elk')


def picture(seed, size=(20, 20), mode='RGB'):
  return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)).convert(mode)


def encoded(seed):
  file = io.BytesIO()
  picture(seed).save(file, 'PNG')
  return file.getvalue()


@pytest.fixture
def photos(tmp_path):
  """60 pictures of three classes, of many sizes and formats; three of them are broken, each in its own way."""
  folder = tmp_path / 'photos'
  for i in range(60):
    (folder / CLASSES[i // 20]).mkdir(parents=True, exist_ok=True)
    mode = 'L' if i % 7 == 0 else 'RGBA' if FORMATS[i % 6] == 'png' else 'RGB'
    picture(i, (20 + i % 11, 24 + i % 5), mode).save(folder / CLASSES[i // 20] / f'{i:02d}.{FORMATS[i % 6]}')
  whole = (folder / 'elk' / '42.png').read_bytes()
  for name, broken in {'cat/00.png': b'', 'dog/24.png': b'no picture', 'elk/42.png': whole[: len(whole) // 2]}.items():
    (folder / name).write_bytes(broken)
  return folder


def names(data):
  return {split: set(examples.names) for split, examples in data.splits.items()}


def lines(path, rows):
  path.write_text('\n'.join(map(json.dumps, rows)))
  return str(path)


def test_places_are_no_modules():
  assert not own_name('folder:photos') and own_name('mine.folder:photos')
  assert 'folder:photos' in DATA and 'pairs.jsonl' in DATA and 'pairs.txt' not in DATA and 'folder:' not in DATA
  assert [DATA.absolute(name) for name in ('mnist5k', 'tfds:cifar10', 'hf:mnist')] == ['mnist5k', 'tfds:cifar10', 'hf:mnist']
  assert os.path.isabs(DATA.absolute('folder:photos').removeprefix('folder:')) and os.path.isabs(DATA.absolute('a.csv'))


@pytest.mark.rotating
def test_a_folder_in_the_command_line(photos, tmp_path, monkeypatch, caplog, capsys):
  monkeypatch.chdir(tmp_path)
  settings = ['--config.data.resize=32', '--config.epochs=1', '--config.steps=None', '--workdir', 'run']
  command = ['train', 'simclr:tiny', '--data', 'folder:photos', *settings]
  assert cli.main(command) == 0
  assert {'knn_top1', 'linear_top1'} <= json.loads((tmp_path / 'run' / 'results.json').read_text())['figures'].keys()
  told = [r.getMessage() for r in caplog.records if 'could not be read' in r.getMessage()]
  assert len(told) == 1 and all(name in told[0] for name in ('cat/00.png (empty)', 'dog/24.png (no picture)', 'elk/42.png (OSError'))
  assert json.loads((tmp_path / 'run' / 'config.json').read_text())['data'] == dict(name=f'folder:{photos}', resize=32)
  picture(99).save(photos / 'cat' / 'new.png')
  (photos / 'cat' / '01.jpg').unlink()
  picture(98, (31, 31)).save(photos / 'cat' / '02.webp')
  capsys.readouterr()
  assert cli.main(command) == 2
  assert '(1 added, 1 gone, 1 changed' in capsys.readouterr().err


def test_a_folder_is_read_lazily_and_all_pictures_alike(photos, caplog):
  data = open_data(dict(name=f'folder:{photos}'))
  assert data.spec['image'].shape == (24, 24, 3) and data.spec['label'].classes == CLASSES and data.info['split'] == 'random'
  assert 'scaled to cover 24 x 24' in caplog.text and 'are grey; all are read as RGB' in caplog.text
  assert sum(map(len, data.splits.values())) == 58 and data.splits['train']._held is None
  assert open_data(dict(name=f'folder:{photos}', channels=1, resize=(10, 12))).splits['test'][0]['image'].shape == (10, 12, 1)
  whole = resident(data.splits['train']).columns
  assert whole['image'].shape[1:] == (24, 24, 3) and 'elk/42.png' in data.info['unread']
  few = open_data(dict(name='subset', of=dict(name=f'folder:{photos}', resize=8), train=10))
  assert len(few.splits['train']) == 10
  with pytest.raises(ConfigError, match="has no option 'rezise'; did you mean resize"):
    open_data(dict(name=f'folder:{photos}', rezise=8))


@pytest.mark.parametrize(
  ('arguments', 'says'),
  [
    (['simclr:tiny', '--data', 'folder:'], 'is not a known data source'),
    (['use:tiny', '--data', 'a.csv'], 'have their own data'),
    (['simclr:tiny', '--data', 'folder:nowhere'], 'does not exist'),
    (['simclr:tiny', '--data', 'cifra10'], 'cifra10'),
    (['musik:tiny', '--data', 'a.csv'], 'its own training loop'),
  ],
)
def test_sources_that_cannot_be(arguments, says, capsys):
  assert cli.main(['train', *arguments]) == 2
  assert says in capsys.readouterr().err


def test_another_file_moves_none(photos):
  before = names(open_data(dict(name=f'folder:{photos}')))
  assert before['test'] and not before['train'] & before['test']
  for i in range(20):
    picture(i).save(photos / CLASSES[i % 3] / f'new{i}.png')
  after = names(open_data(dict(name=f'folder:{photos}')))
  assert all(before[split] <= after[split] for split in before)
  assert 0.15 < held_out([str(i) for i in range(2000)], 0.2).mean() < 0.25


def test_splits_of_its_own(tmp_path):
  for i, split in enumerate(('train', 'val', 'test')):
    for c in 'ab':
      (tmp_path / 'set' / split / c).mkdir(parents=True)
      picture(i).save(tmp_path / 'set' / split / c / '0.png')
  data = open_data(dict(name=f'folder:{tmp_path / "set"}'))
  assert {split: len(x) for split, x in data.splits.items()} == dict(train=2, validation=2, test=2) and 'split' not in data.info
  tuned = open_data(dict(name='development', of=dict(name=f'folder:{tmp_path / "set"}')))
  assert 'validation' not in tuned.splits
  lines(tmp_path / 'a_test.jsonl', [dict(text='one', label='x'), dict(text='two', label='y')])
  data = open_data(dict(name=lines(tmp_path / 'a.jsonl', [dict(text=f'{i} words', label='xy'[i % 2]) for i in range(8)])))
  assert len(data.splits['test']) == 2 and len(data.splits['train']) == 8


@pytest.mark.rotating
def test_pairs_of_texts_train_a_text_system(tmp_path, caplog):
  rows = [dict(anchor=f'the number {i}', positive=f'{i} is a number', score=i / 64, label=i % 2) for i in range(64)]
  source = lines(tmp_path / 'pairs.jsonl', rows)
  data = open_data(dict(name=source))
  assert {'ids', 'positive', 'same', 'score', 'label'} == {*data.spec} and data.inputs == 'ids' and data.spec['ids'].pad == 0
  assert open_data(dict(name=source, length=6)).spec['positive'].shape == (6,)
  c = load_config('mse_2d:tiny', ['--config.steps=1']).to_dict() | dict(data=dict(name=source, length=8))
  results = train(c, baselines=False, quiet=True)
  assert len(results['curve']) == 1 and {'sts_spearman', 'shallow_spearman'} <= results['figures'].keys()
  c = load_config('simcse').to_dict() | dict(data=dict(name=source))
  with pytest.raises(ConfigError, match='data.tokenizer=minilm'):
    train(c, quiet=True)


def test_answers_begin_after_their_prompt(tmp_path):
  rows = [dict(prompt=f'what is {i}', chosen='a number', rejected='no idea at all') for i in range(32)]
  data = open_data(dict(name=lines(tmp_path / 'answers.jsonl', rows)))
  assert data.inputs == 'chosen' and data.spec['chosen'].start == data.spec['rejected'].length // 2


def test_a_table_of_pictures_and_one_of_numbers(photos, tmp_path):
  files = sorted(photos.rglob('*.*'))
  rows = [f'{file.relative_to(tmp_path)},{file.parent.name},{i}' for i, file in enumerate(files)]
  (tmp_path / 'list.csv').write_text('\n'.join(['image,label,weight', *rows]))
  data = open_data(dict(name=str(tmp_path / 'list.csv'), resize=16))
  assert data.spec['image'].shape == (16, 16, 3) and data.spec['label'].classes == CLASSES and data.splits['train'][0]['weight'] >= 0
  assert names(data)['test'] and {*data.info['unread']} == {'photos/cat/00.png', 'photos/dog/24.png'}
  (tmp_path / 'plain.csv').write_text('\n'.join(['a,b,class', *(f'{i},{i / 3},{"xyz"[i % 3]}' for i in range(30))]))
  data = open_data(dict(name=str(tmp_path / 'plain.csv')))
  assert data.inputs == 'numbers' and data.spec['numbers'].shape == (2,) and data.spec['label'].classes == ('x', 'y', 'z')


def test_parquet_with_pictures_in_it(tmp_path):
  import pyarrow as pa
  import pyarrow.parquet as pq

  rows = dict(image=[dict(bytes=encoded(i), path=None) for i in range(30)], label=[i % 3 for i in range(30)], v=[[1.0, 2.0]] * 30)
  pq.write_table(pa.table(rows), tmp_path / 'a.parquet')
  data = open_data(dict(name=str(tmp_path / 'a.parquet')))
  assert data.spec['image'].shape == (20, 20, 3) and data.spec['label'].size == 3 and data.spec['v'].shape == (2,)


def test_arrays(tmp_path):
  x, y = np.random.default_rng(0).integers(0, 255, (60, 12, 12), np.uint8), np.arange(60) % 3
  np.savez(tmp_path / 'a.npz', x=x, y=y, x_test=x[:6], y_test=y[:6])
  data = open_data(dict(name=str(tmp_path / 'a.npz')))
  assert data.spec['image'].shape == (12, 12, 1) and data.spec['label'].size == 3 and len(data.splits['test']) == 6
  np.save(tmp_path / 'a.npy', x.reshape(60, -1).astype(float))
  assert sum(map(len, open_data(dict(name=str(tmp_path / 'a.npy'))).splits.values())) == 60
  np.savez(tmp_path / 'b.npz', x=x, y=y[:5])
  with pytest.raises(DataError, match='expected the same first axis'):
    open_data(dict(name=str(tmp_path / 'b.npz')))


def test_tars_are_read_at_random(tmp_path):
  for shard in range(2):
    with tarfile.open(tmp_path / f'a-{shard:03d}.tar', 'w') as tar:
      for i in range(20):
        for suffix, content in dict(png=encoded(i), cls=str(i % 2).encode(), txt=b'a caption').items():
          member = tarfile.TarInfo(f'{shard}_{i}.{suffix}')
          member.size = len(content)
          tar.addfile(member, io.BytesIO(content))
  data = open_data(dict(name=f'tar:{tmp_path}/a-{{000..001}}.tar'))
  assert {*data.spec} == {'image', 'label', 'ids', 'same'} and sum(map(len, data.splits.values())) == 40
  name, found = data.splits['test'].names[0], data.splits['test'][0]
  np.testing.assert_array_equal(found['image'], np.asarray(picture(int(name.split('_')[1]))))
  assert found['label'] == int(name.split('_')[1]) % 2


def test_data_sets_of_hugging_face(tmp_path, monkeypatch):
  with monkeypatch.context() as without:
    without.setitem(sys.modules, 'datasets', None)
    with pytest.raises(DataError, match='datasets, which is not installed: pip install'):
      open_data(dict(name='hf:mnist'))
  datasets = pytest.importorskip('datasets')
  features = datasets.Features(dict(img=datasets.Image(), label=datasets.ClassLabel(names=['a', 'b'])))
  rows = dict(img=[picture(i) for i in range(8)], label=[i % 2 for i in range(8)])
  of = datasets.Dataset.from_dict(rows, features=features)
  datasets.DatasetDict(dict(train=of, validation=of)).save_to_disk(str(tmp_path / 'set'))
  data = open_data(dict(name=f'hf:{tmp_path / "set"}'))
  assert data.spec['label'].classes == ('a', 'b') and len(data.splits['test']) == 8
  np.testing.assert_array_equal(data.splits['train'][3]['image'], np.asarray(picture(3)))


def test_packed_data_are_what_they_were(photos, tmp_path, capsys):
  out = tmp_path / 'packed'
  assert cli.main(['data', 'pack', f'folder:{photos}', str(out), 'resize=16', '--json']) == 0
  assert sum(json.loads(capsys.readouterr().out)['splits'].values()) == 58
  data, of = open_data(dict(name=f'packed:{out}')), open_data(dict(name=f'folder:{photos}', resize=16))
  assert data.spec == of.spec and data.info['split'] == 'random'
  for split in of.splits:
    for name, x in resident(of.splits[split]).columns.items():
      np.testing.assert_array_equal(x, data.splits[split].take(np.arange(len(x)))[name])
  with pytest.raises(DataError, match='already exists'):
    pack(data, out)


def test_no_labels_leave_protocols_out(tmp_path, caplog):
  (tmp_path / 'flat').mkdir()
  for i in range(30):
    picture(i).save(tmp_path / 'flat' / f'{i}.png')
  c = load_config('simclr:tiny', ['--config.steps=1']).to_dict() | dict(data=dict(name=f'folder:{tmp_path / "flat"}'), batch_size=8)
  assert train(c, quiet=True)['figures'] == {} and 'skipped protocols that need other data: knn' in caplog.text
  with pytest.raises(ConfigError, match="no column 'label'"):
    train(c, quiet=True, protocols=['knn'])


def test_examples_without_a_label_among_others(photos, caplog):
  for i in range(4):
    picture(i).save(photos / f'{i}.png')
  c = load_config('simclr:tiny').to_dict() | dict(data=dict(name=f'folder:{photos}', resize=16))
  p = plan(c)
  assert p.data.spec['label'].pad == -1 and '4 examples have no label' in caplog.text
  assert fitting(p) == [] and "the labels of 'train' begin at -1" in caplog.text


@pytest.mark.parametrize(
  ('make', 'source', 'says'),
  [
    (lambda at: (at / 'a').mkdir(), 'folder:{}/a', 'contains no files'),
    (lambda at: None, 'folder:{}/none', 'does not exist'),
    (lambda at: ((at / 'a').mkdir(), (at / 'a' / 'x.txt').write_text('x')), 'folder:{}/a', 'none of the 1 images'),
    (lambda at: (at / 'a.csv').write_text('a,b\n1\n'), '{}/a.csv', 'cannot be read'),
    (lambda at: (at / 'a.csv').write_text('a,b\n'), '{}/a.csv', 'has no rows'),
    (lambda at: (at / 'a.npz').write_text('x'), '{}/a.npz', 'cannot be read as arrays'),
    (lambda at: lines(at / 'a.jsonl', [dict(positive='x')] * 9), '{}/a.jsonl', 'no column to pair it with'),
    (lambda at: lines(at / 'a.jsonl', [dict(text='x')] * 3), '{}/a.jsonl', 'makes a split empty'),
    (lambda at: lines(at / 'a.jsonl', [dict(text=None, n=1), dict(text=' ', n=1)]), '{}/a.jsonl', "all rows of 'train' have no text"),
    (
      lambda at: lines(at / 'a.jsonl', [dict(text='a', n=i if i % 9 else None) for i in range(1, 40)]),
      '{}/a.jsonl',
      "row 8 of 'train'.* no 'n'",
    ),
    (lambda at: (at / 'a.csv').write_text('\n'.join(['a', 'inf', *map(str, range(30))])), '{}/a.csv', "'a' has inf; expected finite"),
    (lambda at: (at / 'a.csv').write_text('a,a\n1,2\n'), '{}/a.csv', "two columns 'a'"),
    (lambda at: None, 'tar:{}/*.tar', 'no file matches'),
    (lambda at: None, 'packed:{}', 'no readable packed data'),
  ],
)
def test_what_cannot_be_read_costs_one_line(make, source, says, tmp_path):
  make(tmp_path)
  with pytest.raises(DataError, match=says) as raised:
    open_data(dict(name=source.format(tmp_path)))
  assert '\n' not in str(raised.value)


def test_labels_that_are_no_classes(tmp_path, caplog):
  source = lines(tmp_path / 'a.jsonl', [dict(text=f'text {i}', label=['a'], mine=f'{i % 4}') for i in range(40)])
  assert 'label' not in open_data(dict(name=source)).spec and 'the columns label, mine are ignored' in caplog.text
  rows = [dict(text=f'text {i}', id=i * 10**12) for i in range(40)]
  assert {*open_data(dict(name=lines(tmp_path / 'b.jsonl', rows))).spec} == {'ids', 'same'} and 'do not fit into 32 bits' in caplog.text
  lines(tmp_path / 'c_test.jsonl', [dict(text='a', n=0.5), dict(text='b', n=1.0)])
  data = open_data(dict(name=lines(tmp_path / 'c.jsonl', [dict(text='a', n=1), dict(text='b', n=2)])))
  assert {x[0]['n'].dtype for x in data.splits.values()} == {data.spec['n'].dtype} == {np.dtype(np.float32)}
  assert open_data(dict(name=source, label='mine')).spec['label'].size == 4
  with pytest.raises(DataError, match='expected texts or integers'):
    open_data(dict(name=source, label='label'))
  with pytest.raises(DataError, match="has no column 'other'"):
    open_data(dict(name=source, label='other'))


def test_one_class_is_none(tmp_path, caplog):
  (tmp_path / 'a' / 'cat').mkdir(parents=True)
  for i in range(20):
    picture(i).save(tmp_path / 'a' / 'cat' / f'{i}.png')
  assert 'label' not in open_data(dict(name=f'folder:{tmp_path / "a"}')).spec and 'have the class' in caplog.text


def test_views_of_colour_pictures_change_colours_unless_the_config_speaks_of_them(tmp_path):
  digits(tmp_path / 'photos', 24, broken=False)
  spec = str(dict(name=f'folder:{tmp_path}/photos'))
  load = lambda *settings: load_config('simclr:tiny', [f'data={spec}', *settings])
  adapt(c := load())
  assert c.view.grey == 0.5 and c.view.jitter.hue == 0.2 and c.view.jitter.brightness == 0.4
  for own in ('view.grey=0.0', "view.jitter={'brightness': 0.1, 'hue': 0.0}"):
    adapt(c := load(own))
    assert c.view.jitter.get('hue', 0.0) == 0.0 and c.view.get('grey', 0.0) == 0.0
  adapt(c := load_config('simclr:tiny', [f'data={dict(name=f"folder:{tmp_path}/photos", channels=1)}']))
  assert 'grey' not in c.view
  adapt(c := load_config('simclr:tiny'))
  assert 'grey' not in c.view and 'hue' not in c.view.jitter


def test_clips_are_folders_of_frames(tmp_path):
  """Every stride-th frame from a drawn start, cropped alike; in the middle otherwise; the last frame where there are no more."""
  for i in range(8):
    video = tmp_path / ('train' if i < 6 else 'val') / CLASSES[i % 2] / f'v{i}'
    video.mkdir(parents=True)
    for t in range(3 if i == 0 else 12):
      Image.fromarray(np.full((10, 8, 3), 16 * t + i, np.uint8)).save(video / f'{t:03d}.png')
  data = open_data(dict(name=f'clips:{tmp_path}', frames=4, stride=2, resize=6, crop=dict(scale=(0.3, 0.5))))
  train, test = data.splits['train'], data.splits['test']
  assert data.spec['clip'].shape == (4, 6, 6, 3) and data.spec['label'].classes == ('cat', 'dog') and (len(train), len(test)) == (6, 2)
  times = lambda clip: (clip.mean((2, 3, 4)) // 16).astype(int).tolist()
  found = train.take(np.arange(6))
  assert times(found['clip']) == [[0, 2, 2, 2]] + 5 * [[3, 5, 7, 9]] and set(found['label'].tolist()) == {0, 1}
  rows = np.arange(1, 6)
  drawn = [train.drawn(rows, epoch, 0)['clip'] for epoch in (*range(12), 0)]
  np.testing.assert_array_equal(drawn[0], drawn[-1])
  starts = {clip[0] for x in drawn for clip in times(x)}
  assert starts == {*range(6)} and all(np.diff(clip).tolist() == [2, 2, 2] for x in drawn for clip in times(x))
  ramp = np.broadcast_to(np.arange(80, dtype=np.uint8).reshape(10, 8, 1) * 3, (10, 8, 3))
  for t in range(12):
    Image.fromarray(ramp).save(tmp_path / 'train' / 'dog' / 'v1' / f'{t:03d}.png')
  clip = train.drawn(np.array([3]), 0, 0)['clip'][0]
  assert (clip == clip[:1]).all() and not (clip[0] == train.take(np.array([3]))['clip'][0, 0]).all()
  (tmp_path / 'train' / 'dog' / 'v1' / '005.png').write_bytes(b'')
  with pytest.raises(DataError, match=r'v1/005.png cannot be read'):
    train.take(np.array([3]))
  (tmp_path / 'empty').mkdir()
  with pytest.raises(DataError, match='contains no videos'):
    open_data(dict(name=f'clips:{tmp_path}/empty'))
