"""A model as a folder: opened anywhere, without what it was trained with, it gives the same bits."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

import jssl
from jssl import artefact, cli, model, run, tables
from jssl.core import build
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.data.core import packaged
from jssl.data.text import corpora
from jssl.errors import ConfigError
from jssl.models.pretrained import gpt2, starts
from jssl.models.text.transformer import CausalLm
from jssl.types import Features

TINY_BERT = Path(__file__).parent / 'models' / 'tiny_bert'


def settled(name, *overrides):
  """A plan, and a state in which all arrays differ from those of the start: parameters, statistics and teachers."""
  p = plan(run.load_config(name, [f'--config.{x}' for x in overrides]))
  train = Programs(p, make_mesh(devices=jax.devices()[:1])).create(seed_data(p))
  rng = np.random.default_rng(0)
  moved = lambda x: x + rng.uniform(0.01, 0.1, x.shape).astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x
  return p, train._replace(params=jax.tree.map(moved, train.params), state=jax.tree.map(moved, train.state))


def judged(p, train):
  """The representation of a run, as its evaluators see it."""
  (subject,) = run.list_subjects(p, train, {}, raw=False).values()
  return subject.represent


def batch(p, n=256):
  x = p.data.splits['train'].take(np.arange(n) % len(p.data.splits['train']))
  return {name: x[name] for name in p.data.spec}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """The workdir of a short run."""
  workdir = tmp_path_factory.mktemp('run') / 'w'
  over = ['--config.data.name=digits', '--config.steps=3', '--config.transform={"name": "zca_whiten"}']
  run.train(run.load_config('simclr:tiny', over), workdir, quiet=True, protocols=['knn'])
  return workdir


@pytest.fixture(scope='module')
def texts():
  """A model of texts that was not trained."""
  p, train = settled('simcse:tiny')
  return p, model.Model(artefact.of_run(p, train), p)


@pytest.fixture
def hidden(monkeypatch, tmp_path):
  """No data set opens, and the working directory is another."""

  def gone(*_, **__):
    raise jssl.DataError('the data set is gone')

  def hide():
    for module in (build, jssl.inputs):
      monkeypatch.setattr(module, 'open_data', gone)
    monkeypatch.setattr(packaged, 'package', gone)
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')

  return hide


@pytest.mark.rotating
def test_a_run_opens_by_its_model_where_its_data_are_gone(trained, tmp_path, hidden, caplog):
  opened = jssl.load(trained)
  x = opened.data.splits['test'].take(np.arange(40))['image']
  z, own = opened.encode(x), judged(*model.restore(trained)[:2])
  padded = np.concatenate([x, np.repeat(x[-1:], 216, 0)])
  np.testing.assert_array_equal(z, own({'image': padded}).pooled[:40])
  shutil.copytree(trained, tmp_path / 'moved')
  hidden()
  again = jssl.load(tmp_path / 'moved')
  assert again.plan is None and 'the data set is gone' in caplog.text
  np.testing.assert_array_equal(again.encode(x), z)
  again.save(tmp_path / 'saved')
  shutil.rmtree(tmp_path / 'moved')
  np.testing.assert_array_equal(jssl.load(tmp_path / 'saved').encode(x), z)
  card = (tmp_path / 'saved' / 'README.md').read_text()
  assert 'Kornblith' in card and 'CC BY 4.0' in card and '| knn_top1 |' in card and 'zca_whiten' in card and 'jax' in card


@pytest.mark.parametrize(
  ('name', 'overrides'),
  [
    ('byol:tiny', ('data.name=digits', "represent={'from_teacher': True}")),
    ('dino:tiny', ('data.name=digits', 'dtype=bfloat16')),
    ('simclr:tiny', ('data.name=digits', "transform={'name': 'pca_whiten'}")),
    ('whitening_bert:tiny', ()),
  ],
)
def test_what_is_saved_represents_as_the_run_does(name, overrides, tmp_path):
  p, train = settled(name, *overrides)
  expected = judged(p, train)(batch(p)).pooled
  model.Model(artefact.of_run(p, train), p).save(tmp_path / 'm')
  np.testing.assert_array_equal(jssl.load(tmp_path / 'm').encode(batch(p)), expected)
  statistics = [name for name in load_file(tmp_path / 'm' / 'model.safetensors') if name.startswith('stats.')]
  assert statistics or name == 'whitening_bert:tiny'
  assert {path.suffix for path in (tmp_path / 'm').iterdir()} == {'.json', '.md', '.safetensors'}  # nothing to unpickle


def test_texts_are_read_as_the_ids_of_the_data(texts, tmp_path, hidden):
  p, opened = texts
  words = list(p.data.info['texts']['train'][:30])
  z = opened.encode(p.data.splits['train'].take(np.arange(30)))
  opened.save(tmp_path / 'm')
  hidden()
  again = jssl.load(tmp_path / 'm')
  for given in (words, tuple(words), np.array(words), [{'ids': word} for word in words], {'ids': words}):
    np.testing.assert_array_equal(again.encode(given), z)
  assert again.encode(words[0]).shape == (1, 16)
  with pytest.raises(ValueError, match='give only str'):
    again.encode([Path('a.png')])


@pytest.mark.parametrize(
  ('spec', 'known'),
  [
    (dict(name='king_james_cipher', verses=300, length=16, vocabulary=600, query=6, labelled=50), True),
    (dict(name='subset', of=dict(name='simlex', length=8, vocabulary=600), train=50), True),
    (dict(name='few_reviews', length=8, vocabulary=600, shots=20), True),
    (dict(name='subset', of=dict(name='reviews_and_lee', length=8, vocabulary=600, shots=20), train=9), True),
    (dict(name='digits'), False),
  ],
)
def test_a_tokenizer_is_the_one_that_made_the_ids_or_none(spec, known):
  data = build.open_data(spec)
  found = artefact._tokenizer_for(SimpleNamespace(config=dict(data=spec), data=data))
  assert (found is not None) == known and (found is None or corpora.made_by(found, data))


@pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA', 'P', 'I;16', 'CMYK'])
def test_files_images_and_arrays_of_a_picture_agree(trained, tmp_path, mode):
  from PIL import Image

  opened = jssl.load(trained / 'model')
  grey = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
  image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == 'I;16' else Image.fromarray(grey).convert(mode)
  image.save(tmp_path / 'a.tiff')
  given = [[image], [tmp_path / 'a.tiff'], [str(tmp_path / 'a.tiff')], image, tmp_path / 'a.tiff']
  for same in given if mode in ('CMYK', 'P') else [*given, grey[None, :, :, None], [grey[..., None]]]:
    np.testing.assert_array_equal(opened.encode(same), opened.encode(given[1]))


def test_a_turned_photograph_is_read_alike_from_file_and_memory(trained, tmp_path):
  from PIL import Image

  opened = jssl.load(trained / 'model')
  image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8))
  exif = image.getexif()
  exif[0x0112] = 6
  image.save(tmp_path / 'a.jpg', exif=exif)
  np.testing.assert_array_equal(opened.encode(Image.open(tmp_path / 'a.jpg')), opened.encode(tmp_path / 'a.jpg'))


def beginning(monkeypatch, backbone, heads=None, **data):
  """The model of a plan whose networks begin with weights."""
  monkeypatch.setitem(tables.DATA._entries, 'numbers', lambda: jssl.arrays(**data))
  config = dict(
    data=dict(name='numbers'), backbone=backbone, heads=heads or {}, batch_size=8, steps=0, losses={},
    optimizer=dict(name='sgd', learning_rate=0.1), evaluators={},
  )  # fmt: skip
  p = plan(config)
  return model.Model(artefact.of_run(p, Programs(p, make_mesh(devices=jax.devices()[:1])).create(seed_data(p))), p)


IDS = np.random.default_rng(0).integers(1, 20, (40, 7)).astype(np.int32)


@pytest.mark.parametrize(('name', 'pad'), [('bert_from', {}), ('gpt2_from', dict(pad=None)), ('gpt2_from', dict(depth=1))])
def test_pretrained_weights_are_not_needed_again(name, pad, tmp_path, monkeypatch):
  if name == 'bert_from':
    shutil.copytree(TINY_BERT, tmp_path / 'folder')
  else:
    net = CausalLm((12,), vocabulary=20, width=8, depth=2, heads=2, rngs=nnx.Rngs(0))
    gpt2.write(tmp_path / 'folder', net, tokenizer=TINY_BERT / 'config.json')  # of which nothing is read
  backbone = dict(name=name, folder=str(tmp_path / 'folder'), **pad)
  made = beginning(monkeypatch, backbone, ids=IDS, facts=dict(ids=dict(size=20, pad=0)))
  z = made.encode(IDS)
  made.save(tmp_path / 'm')
  shutil.rmtree(tmp_path / 'folder')
  np.testing.assert_array_equal(jssl.load(tmp_path / 'm').encode(IDS), z)
  assert '`backbone`: the weights of the folder folder' in (tmp_path / 'm' / 'README.md').read_text()
  with pytest.raises(ValueError, match='no tokenizer'):
    made.encode(['a text'])


@pytest.mark.parametrize('name', ['masked_lm', 'causal_lm', 'image_encoder'])
def test_networks_that_jssl_ships_are_not_needed_again(name, tmp_path, monkeypatch):
  column = dict(image=np.random.default_rng(0).integers(0, 256, (9, 28, 28, 1), np.uint8)) if name == 'image_encoder' else dict(ids=IDS)
  facts = {} if name == 'image_encoder' else dict(facts=dict(ids=dict(size=4096, pad=0)))
  heads = dict(lm=dict(name='masked_lm_head_start')) if name == 'masked_lm' else {}
  made = beginning(monkeypatch, dict(name=f'{name}_start'), heads, **column, **facts)
  made.save(tmp_path / 'm')
  monkeypatch.setattr(starts, 'FOLDER', tmp_path / 'gone')
  again = jssl.load(tmp_path / 'm')
  np.testing.assert_array_equal(again.encode(column), made.encode(column))
  jax.tree.map(np.testing.assert_array_equal, again.params(), made.params())
  if name == 'masked_lm':
    tokens, table = again.represent({'ids': IDS}).tokens, made.params()['backbone']['word']['embedding']
    np.testing.assert_array_equal(*(artefact.network_of(x._artefact, 'lm')(tokens, table) for x in (made, again)))


def test_a_tower_reads_its_own_column(tmp_path):
  p, train = settled('symile:tiny')
  made = model.Model(artefact.of_run(p, train), p)
  x = batch(p, 5)
  made.save(tmp_path / 'm')
  again = jssl.load(tmp_path / 'm')
  net = p.method.networks(train.params, train.state)
  shift = net['shift'](x['shift']).pooled
  for name, expected in (('shift', shift), ('shift_end', net['shift_end'](shift))):
    np.testing.assert_array_equal(again.encode(x['shift'], network=name), made.encode(x, network=name))
    np.testing.assert_allclose(made.encode(x, network=name), expected, rtol=1e-5, atol=1e-6)
  assert again.encode(x['image'], network='image_end').shape == (5, 32)
  with pytest.raises(ValueError, match='did you mean shift'):
    again.encode(x, network='shft')


def test_a_head_that_reads_no_vectors_says_so(tmp_path):
  p, train = settled('mae:tiny', 'data.name=digits')
  with pytest.raises(ValueError, match="'decoder' .* choose a tower"):
    model.Model(artefact.of_run(p, train), p).encode(batch(p, 3), network='decoder')


def test_one_takes_the_network_and_its_arrays(trained):
  opened = jssl.load(trained / 'model')
  net = opened.backbone()
  assert isinstance(net, nnx.Module)
  x = np.random.default_rng(0).random((3, 8, 8, 1), np.float32)
  assert isinstance(net(x), Features)
  held = nnx.to_pure_dict(nnx.state(net, nnx.Param))
  jax.tree.map(np.testing.assert_array_equal, held, opened.params()['backbone'])
  head = opened.backbone('projector')
  np.testing.assert_allclose(head(net(x).pooled), opened.encode(x, network='projector'), atol=1e-3)  # of pixels of 8 bits
  with pytest.raises(ValueError, match='no network is called'):
    opened.backbone('shift')


def test_precisions(trained):
  opened = jssl.load(trained / 'model')
  x = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
  z = opened.encode(x)
  for name in ('float16', 'bfloat16'):
    found = opened.encode(x, precision=name, show_progress_bar=True)
    assert found.dtype.name == name
    np.testing.assert_array_equal(found, z.astype(found.dtype))
  eight = opened.encode(x, precision='int8')
  low, high = z.min(0), z.max(0)
  assert eight.dtype == np.int8 and (eight.min(0) == -128).all()
  assert np.abs((eight.astype(np.float32) + 128) * (high - low) / 255 + low - z).max() <= ((high - low) / 255).max() * 1.01
  assert (opened.encode(x[:1], precision='int8') == -128).all()  # no range
  unit = opened.encode(x, normalize_embeddings=True, truncate_dim=4)
  np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-5)
  with pytest.raises(ValueError, match='did you mean'):
    opened.encode(x, precision='float23')


@pytest.mark.parametrize(('k', 'measure'), [(1, 'cosine'), (7, 'cosine'), (50, 'dot')])
def test_neighbours_are_those_of_an_exhaustive_search(trained, monkeypatch, k, measure):
  monkeypatch.setattr(model, 'ROWS', 16)
  monkeypatch.setattr(model, 'QUERIES', 4)
  opened = jssl.load(trained / 'model')
  monkeypatch.setitem(opened.config, 'similarity', measure)
  rng = np.random.default_rng(0)
  query, of = rng.integers(-3, 4, (9, 5)).astype(np.float32) + 0.5, rng.integers(-3, 4, (50, 5)).astype(np.float32) + 0.5
  of[40] = of[3]  # a tie
  index, score = opened.neighbours(query, of, k)
  unit = (lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)) if measure == 'cosine' else lambda x: x
  expected = unit(query.astype(np.float64)) @ unit(of.astype(np.float64)).T
  np.testing.assert_allclose(opened.similarity(query, of), expected, atol=1e-5)
  np.testing.assert_allclose(score, -np.sort(-expected, axis=1)[:, :k], atol=1e-5)
  np.testing.assert_allclose(np.take_along_axis(expected, index, 1), score, atol=1e-5)
  order = [list(row) for row in index]
  assert all(row.index(3) < row.index(40) for row in order if 40 in row)
  for wrong, says in (((query, of, 51), 'give a smaller k'), ((query[:, :3], of, 1), 'expected'), ((query * np.nan, of, 1), 'nan')):
    with pytest.raises(ValueError, match=says):
      opened.neighbours(*wrong)


def _edit(folder, **changes):
  path = folder / 'config.json'
  path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _weights(folder, change):
  """Other arrays under a checksum that fits."""
  arrays = load_file(folder / 'model.safetensors')
  change(arrays)
  save_file(arrays, folder / 'model.safetensors')
  _edit(folder, sums={'model.safetensors': artefact._sum(folder / 'model.safetensors')})


def _cut(folder):
  path = folder / 'model.safetensors'
  path.write_bytes(path.read_bytes()[:-7])


def _rename(arrays):
  arrays['params.backbone.other'] = arrays.pop(min(arrays))


def _reshape(arrays):
  name = next(name for name, x in arrays.items() if name.startswith('params') and x.ndim > 1)
  arrays[name] = arrays[name][:1]


def _lose(folder, key):
  path = folder / 'config.json'
  path.write_text(json.dumps({name: x for name, x in json.loads(path.read_text()).items() if name != key}))


@pytest.mark.parametrize(
  ('damage', 'says'),
  [
    (lambda f: (f / 'model.safetensors').unlink(), 'lacks model.safetensors'),
    (lambda f: (f / 'config.json').unlink(), 'no readable run'),
    (lambda f: (f / 'config.json').write_text('{'), 'no readable run'),
    (_cut, 'is damaged'),
    (lambda f: _lose(f, 'columns'), "lacks 'columns'"),
    (lambda f: _edit(f, jssl_model=99), 'install a newer jssl'),
    (lambda f: _edit(f, backbone=dict(name='convnett')), 'convnet'),
    (lambda f: _edit(f, backbone=dict(name='not_here.nets:Net')), 'not_here'),
    (lambda f: _edit(f, columns=dict(image=dict(shape=[8, 8, 1]))), 'dtype'),
    (lambda f: _edit(f, backbone=dict(name='convnet', widths=(8, 16, 32))), 'must be from one model'),
    (lambda f: _weights(f, _rename), 'unlike the networks'),
    (lambda f: _weights(f, _reshape), 'must be from one model'),
    (lambda f: _weights(f, lambda arrays: arrays.pop('transform.mean.array')), 'the transform'),
    (lambda f: _edit(f, fitted=dict(kind='os:path', of={})), 'another package'),
  ],
)
def test_a_damaged_model_costs_one_line(damage, says, trained, tmp_path, capsys):
  folder = tmp_path / 'm'
  shutil.copytree(trained / 'model', folder)
  damage(folder)
  assert cli.main(['embed', str(folder), 'x.npy', str(tmp_path / 'z.npy')]) == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert says in line, line


def test_a_damaged_tokenizer_costs_one_line(texts, tmp_path):
  texts[1].save(tmp_path / 'm')
  (tmp_path / 'm' / 'tokenizer.json').write_text('{}')
  with pytest.raises(ConfigError, match='tokenizer.json is damaged'):
    jssl.load(tmp_path / 'm')
  (tmp_path / 'm' / 'tokenizer.json').unlink()
  with pytest.raises(ConfigError, match='lacks tokenizer.json'):
    jssl.load(tmp_path / 'm')


def test_a_folder_of_something_else_is_left_as_it_is(trained, tmp_path):
  opened = jssl.load(trained / 'model')
  (tmp_path / 'mine.txt').write_text('kept')
  with pytest.raises(ConfigError, match='are not overwritten'):
    opened.save(tmp_path)
  with pytest.raises(ConfigError, match='are not overwritten'):
    opened.save(trained)
  with pytest.raises(ConfigError, match='a saved model, which can only embed'):
    run.evaluate(trained / 'model')
  opened.save(tmp_path / 'm')
  opened.save(tmp_path / 'm')  # in the place of the one before
  assert sorted(p.name for p in tmp_path.iterdir()) == ['m', 'mine.txt']
  (tmp_path / 'm' / 'notes.txt').write_text('kept')
  with pytest.raises(ConfigError, match='are not overwritten'):
    opened.save(tmp_path / 'm')


def test_a_model_that_cannot_be_saved_is_told_and_none_of_an_earlier_state_stays(trained, tmp_path, monkeypatch, caplog):
  p, train, _ = model.restore(trained)
  model.save_run(p, train, tmp_path, {})
  assert (tmp_path / 'model' / 'model.safetensors').exists()
  monkeypatch.setattr(artefact.util, 'find_spec', lambda name: None)
  model.save_run(p, train, tmp_path, {})
  assert 'safetensors, which is not installed' in caplog.text and not (tmp_path / 'model').exists()


def test_the_command_line_reads_texts_and_finds_neighbours(texts, tmp_path, hidden, capsys):
  p, opened = texts
  words = list(p.data.info['texts']['train'][:12])
  opened.save(tmp_path / 'm')
  hidden()
  Path('a.txt').write_text('\n'.join(words) + '\n')
  Path('a.jsonl').write_text('\n'.join(json.dumps({'text': word}) for word in words))
  for source in ('a.txt', 'a.jsonl'):
    assert cli.main(['embed', str(tmp_path / 'm'), source, 'z.npy']) == 0
    np.testing.assert_array_equal(np.load('z.npy'), opened.encode(words))
    Path('z.npy').unlink()
  capsys.readouterr()
  assert cli.main(['neighbours', str(tmp_path / 'm'), 'a.txt', '--query', words[2], 'another one', '--k', '3', '--json']) == 0
  first, second = json.loads(capsys.readouterr().out)['found']
  index, score = opened.neighbours(opened.encode([words[2], 'another one']), opened.encode(words), 4)
  assert first['query'] == words[2] and [near['row'] for near in first['neighbours']] == [i for i in index[0] if i != 2][:3]
  assert [near['name'] for near in second['neighbours']] == [words[i] for i in index[1][:3]]
  np.testing.assert_allclose([near['score'] for near in second['neighbours']], score[1][:3], rtol=1e-5)
  assert cli.main(['neighbours', str(tmp_path / 'm'), 'a.txt']) == 0
  assert len(capsys.readouterr().out.splitlines()) == 12 * 6
  for text, says in (('{"a": 1}', 'line 1 has no text'), ('{', 'line 1 is not JSON'), ('', 'contains no texts')):
    Path('b.jsonl').write_text(text)
    assert cli.main(['embed', str(tmp_path / 'm'), 'b.jsonl', 'z.npy']) == 2
    assert says in capsys.readouterr().err


def test_the_command_line_finds_pictures(trained, tmp_path, hidden, capsys):
  from PIL import Image

  rng = np.random.default_rng(0)
  (tmp_path / 'pictures').mkdir()
  for name in 'abcd':
    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / 'pictures' / f'{name}.png')
  shutil.copy(tmp_path / 'pictures' / 'c.png', tmp_path / 'query.png')
  hidden()
  command = ['neighbours', str(trained / 'model'), str(tmp_path / 'pictures'), '--json', '--query']
  assert cli.main([*command, 'a.png', '1', str(tmp_path / 'query.png')]) == 0
  found = json.loads(capsys.readouterr().out)['found']
  assert [each['query'] for each in found] == ['a.png', 'b.png', str(tmp_path / 'query.png')]
  assert {near['name'] for near in found[0]['neighbours']} == {'b.png', 'c.png', 'd.png'}
  assert found[2]['neighbours'][0]['name'] == 'c.png' and len(found[2]['neighbours']) == 4
  assert cli.main([*command, 'e.png']) == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert 'expected a row from 0 to 3' in line
