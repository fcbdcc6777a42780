"""Pairs of a user's own, texts or pictures with captions: copies, empty rows, scores, retrieval; lists from Python; sources to embed."""

import io
import json
import tarfile

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image
from scipy.stats import spearmanr

import jssl
from jssl import cli
from jssl.adapt import adapt
from jssl.api import named
from jssl.core.build import open_data, plan
from jssl.data.own.packed import pack
from jssl.data.own.texts import copies
from jssl.errors import ConfigError, DataError
from jssl.evaluators.figures import flatten
from jssl.model import load
from jssl.run import load_config, train

QUICK = dict(steps=3, batch_size=16, quiet=True, baselines=False)
COLOURS = dict(red=(220, 30, 30), green=(30, 200, 30), blue=(30, 30, 220))


def lines(path, rows):
  path.write_text('\n'.join(map(json.dumps, rows)))
  return str(path)


def adapted(system, source, **options):
  c = load_config(f'{system}:tiny', ['--config.steps=3'])
  c.data = dict(name=source, **options)
  adapt(c)
  return c


def painted(colour, seed, size=16):
  rng = np.random.default_rng(seed)
  return Image.fromarray((np.array(COLOURS[colour]) + rng.integers(-25, 26, (size, size + seed % 3, 3))).clip(0, 255).astype(np.uint8))


# --- lists of negatives ------------------------------------------------------------------------------------------------

ANIMALS = ['a cat', 'a dog', 'an owl', 'a fox', 'a hen', 'a bee', 'an ant', 'a cow']


def negatives(count):
  return [[*(ANIMALS * 2)[i + 1 : i + 1 + count]] for i in range(8)]


def test_lists_and_numbered_columns_of_negatives_are_the_same(tmp_path):
  pairs = [dict(query=f'what is {a}', positive=a, teacher=[1.0, 0.5, i]) for i, a in enumerate(ANIMALS)]
  ways = dict(
    lists=[{**row, 'negatives': x} for row, x in zip(pairs, negatives(2), strict=True)],
    columns=[{**row, 'negative_1': a, 'negative_2': b} for row, (a, b) in zip(pairs, negatives(2), strict=True)],
  )
  found = []
  for name, rows in ways.items():
    lines(tmp_path / f'{name}_test.jsonl', rows[:2])
    split = open_data(dict(name=lines(tmp_path / f'{name}.jsonl', rows), length=8)).splits['train']
    found.append(split.take(np.arange(len(split))))
  assert found[0]['negatives'].shape == (8, 2, 8) and found[0]['teacher'].shape == (8, 3)
  np.testing.assert_array_equal(found[0]['negatives'][:, 0], np.roll(found[0]['positive'], -1, 0))
  assert all(np.array_equal(x, found[1][name]) for name, x in found[0].items())


def test_numbers_are_no_negatives(tmp_path):
  rows = [dict(query=a, positive=a, neg_1=i, neg_2=-i) for i, a in enumerate(ANIMALS)]
  assert {'neg_1', 'neg_2'} <= {*open_data(dict(name=lines(tmp_path / 'numbers.jsonl', rows), length=8)).spec}


def test_e5_is_tuned_on_ones_own_negatives_and_scores(tmp_path):
  rows = [
    dict(query=f'query: what is {a}', positive=f'passage: {a}', negatives=x, teacher=[3.0, *np.linspace(0, 1, 7)])
    for a, x in zip(ANIMALS, negatives(7), strict=True)
  ] * 2
  c = load_config('e5:tiny', ['--config.steps=3', '--config.batch_size=8'])
  recipe = load_config('e5:marco')
  c.data, c.view, c.passes, c.losses = dict(name=lines(tmp_path / 'own.jsonl', rows), length=8), recipe.view, recipe.passes, recipe.losses
  c.phases, c.heads, c.evaluators = (), {}, {}
  results = train(c, protocols=(), baselines=False, quiet=True)
  assert np.isfinite([loss for _, loss in results['curve']]).all()


@pytest.mark.parametrize('system, negatives', [('mnrl', False), ('mnrl', True), ('matryoshka', False), ('gist_embed', False)])
def test_ranking_is_trained_on_ones_own_pairs(tmp_path, system, negatives):
  further = {'negative': 'a stone'} if negatives else {}
  rows = [dict(text=f'what is {a} {i}', positive=f'{a} {i}', **further) for a in ANIMALS for i in range(4)]
  c = adapted(system, lines(tmp_path / 'pairs.jsonl', rows), length=8)
  (loss,) = c.losses.values()
  assert loss.of.ids == 'batch.same'
  if negatives:
    c.view.names, loss.of.negatives = ('ids', 'positive', 'negative'), 'pairs.q[2]'
  results = train(c, protocols=(), baselines=False, quiet=True)
  assert np.isfinite([loss for _, loss in results['curve']]).all()


@pytest.mark.parametrize(
  'rows, says',
  [
    ([['a', 'b'], ['a']], '1 and 2 texts'),
    ([['a', 'b'], ['a', ' ']], 'no text'),
    ([['a'], 'b'], 'cannot be read'),
  ],
)
def test_uneven_lists_of_negatives(tmp_path, rows, says, caplog):
  given = [dict(query=f'q{i}', positive=f'p{i}', negatives=rows[i % 2]) for i in range(8)]
  source = lines(tmp_path / 'wrong.jsonl', given)
  if says == 'no text':
    open_data(dict(name=source, length=8))
    assert says in caplog.text
    return
  with pytest.raises(DataError, match=says):
    open_data(dict(name=source, length=8))


# --- copies and empty rows ---------------------------------------------------------------------------------------------


def test_copies_are_rows_that_share_an_entry_or_a_row_between_them():
  assert copies([['a', 'b', 'a', 'c', 'd']]).tolist() == [0, 1, 0, 2, 3]
  assert copies([['a', 'b', 'c', 'd', 'e'], ['x', 'y', 'y', 'a', 'z']]).tolist() == [0, 1, 1, 0, 2]
  assert copies([['a', 'a', 'b'], ['x', 'y', 'y']]).tolist() == [0, 0, 0]


@pytest.mark.rotating
def test_copies_are_no_negatives_of_each_other(tmp_path):
  rows = [dict(anchor='the same', positive='as ever', score=i / 64) for i in range(64)]
  c = adapted('mse_2d', lines(tmp_path / 'same.jsonl', rows), length=8)
  c.losses.elastic.align_weight = 0.0  # that its layers agree is no matter of negatives
  curve = train(c, protocols=(), baselines=False, quiet=True)['curve']
  assert [loss for _, loss in curve] == pytest.approx([0.0] * len(curve), abs=1e-5), 'all are left out, and nothing is left to tell apart'


def test_what_is_adapted_and_what_stays(tmp_path):
  source = lines(tmp_path / 'a.jsonl', [dict(text=f'text {i}', label=i % 2) for i in range(40)])
  of = adapted('simcse', source).losses.nce.of
  assert of.to_dict() == dict(q='views.q', k='views.k', ids='batch.same') and 'ids' not in str(adapted('simcse', 'simlex').losses)
  c = load_config('simcse:tiny')
  c.data, c.losses.nce = dict(name=source), dict(name='simcse', of=dict(q='views.q', k='views.k', ids='batch.label'))
  c.losses.queue = dict(name='info_nce_queue', of=('views.q', 'views.k', 'memory.queue'))
  c.losses.other = dict(name='kl_align', of=('views.q', 'views.k'))
  before = c.losses.to_dict()
  adapt(c)
  assert c.losses.to_dict() == before
  c = load_config('simcse')
  c.data = dict(name='subset', of=dict(name=source), train=20)
  adapt(c)
  assert 'tokenizer' not in c.data and c.losses.nce.of.ids == 'batch.same'
  c.data = dict(name=source)
  adapt(c)
  assert c.data.tokenizer == 'minilm', 'which the encoder knows'
  with pytest.raises(DataError, match='does not exist'):
    adapted('simcse', str(tmp_path / 'none.csv'))


def test_empty_rows_are_left_out_and_counted(tmp_path, caplog):
  rows = [dict(anchor=f'one {i}', positive=f'two {i}') for i in range(40)]
  rows[3]['anchor'], rows[9]['positive'] = ' ', None
  data = open_data(dict(name=lines(tmp_path / 'a.jsonl', rows)))
  assert sum(map(len, data.splits.values())) == 38 and data.info['unread'] == {'row 3 of train': 'no text', 'row 9 of train': 'no text'}
  assert "2 of 40 rows of 'train' have no text and are skipped: 3, 9" in caplog.text


# --- scores ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def scored(tmp_path_factory):
  """A run of a sentence encoder on pairs with scores, and the pairs."""
  folder, words = tmp_path_factory.mktemp('scored'), 'one two three four five six seven eight'.split()
  rng = np.random.default_rng(0)
  pairs = [[' '.join(rng.choice(words, 3)) for _ in range(2)] for _ in range(80)]
  score = [len({*a.split()} & {*b.split()}) / 3 for a, b in pairs]
  text = '\n'.join(['sentence1,sentence2,score', *(f'{a},{b},{s}' for (a, b), s in zip(pairs, score, strict=True))])
  (folder / 'pairs.csv').write_text(text)
  command = ['train', 'simcse:tiny', '--data', str(folder / 'pairs.csv'), '--workdir', str(folder / 'run'), '--config.steps=4', '--json']
  assert cli.main(command) == 0
  return folder


@pytest.mark.rotating
def test_pairs_with_scores_are_judged_by_sts(scored):
  results, model = json.loads((scored / 'run' / 'results.json').read_text()), load(scored / 'run')
  data, n = model.plan.data, len(model.plan.data.splits['pairs'])
  texts = data.info['texts']['test']
  assert len(texts) == 2 * n == len(data.splits['test']) and data.judged.halved and 'split' not in data.info
  rows = {tuple(line.split(',')[:2]): float(line.split(',')[2]) for line in (scored / 'pairs.csv').read_text().splitlines()[1:]}
  z = model.encode(texts, normalize_embeddings=True)
  expected = spearmanr(np.sum(z[:n] * z[n:], 1), [rows[texts[i], texts[n + i]] for i in range(n)]).statistic
  assert results['figures']['sts_spearman'] == pytest.approx(expected, abs=1e-5) and 'raw_input' in results['baselines']
  assert results['figures']['sts_spearman'] <= 1 and '"ids": "batch.same"' in (scored / 'run' / 'config.json').read_text()


def test_scored_pairs_are_packed_and_tuned_on(scored, tmp_path):
  data = open_data(dict(name=str(scored / 'pairs.csv')))
  pack(data, tmp_path / 'packed')
  back = open_data(dict(name=f'packed:{tmp_path / "packed"}'))
  np.testing.assert_array_equal(back.splits['pairs'].take(np.arange(3))['b'], data.splits['pairs'].columns['b'][:3])
  tuned = open_data(dict(name='development', of=dict(name=str(scored / 'pairs.csv'))))
  assert len(tuned.splits['pairs_test']) in (len(data.splits['pairs']) // 2, len(data.splits['pairs']) // 2 + 1)


def test_scores_train_where_the_config_says_so(scored):
  c = adapted('simcse', str(scored / 'pairs.csv'))
  c.view = ConfigDict(dict(name='columns', names=('ids', 'positive')))
  c.losses = ConfigDict(dict(rank=dict(name='cosent', of=dict(q='views.q[0]', k='views.q[1]', labels='batch.score'))))
  assert 'sts_pearson' in train(c, baselines=False, quiet=True)['figures']


# --- captions ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def captions(tmp_path_factory):
  """A run of CLIP on 60 pictures with captions and colours."""
  folder = tmp_path_factory.mktemp('captions')
  rows = ['image,caption,label']
  for i in range(60):
    colour = list(COLOURS)[i % 3]
    painted(colour, i).save(folder / f'{i}.png')
    rows.append(f'{i}.png,a photo of a {colour} square number {i // 6},{colour}')
  (folder / 'captions.csv').write_text('\n'.join(rows))
  settings = ['--config.steps=60', '--config.data.resize=16', '--config.optimizer.learning_rate.peak=0.005']
  command = ['train', 'clip:tiny', '--data', str(folder / 'captions.csv'), '--workdir', str(folder / 'run'), *settings]
  assert cli.main([*command, '--json']) == 0
  return folder


@pytest.mark.rotating
def test_captions_are_found_by_pictures_and_classes_by_their_names(captions):
  results = json.loads((captions / 'run' / 'results.json').read_text())
  figures, before = results['figures'], results['baselines']['random_init']
  assert {f'retrieval_{way}_recall{k}' for way in ('i2t', 't2i') for k in (1, 5, 10)} <= figures.keys()
  assert figures['zero_shot_top1'] > 0.9 and figures['retrieval_t2i_recall5'] > before['retrieval_t2i_recall5']
  model = load(captions / 'run')
  text, image = model.encode('a photo of a red square', network='text_end'), model.encode(captions / '0.png', network='image_end')
  assert text.shape == image.shape == (1, 16) and load(captions / 'run' / 'model').encode('red', network='text').shape == (1, 16)
  same = model.plan.data.splits['train'].columns['same']
  assert 0 < len(np.unique(same)) < len(same), 'pictures with one caption are copies'


def test_captions_without_classes_are_retrieved_and_no_more(captions, tmp_path, caplog):
  rows = [line.rpartition(',')[0] for line in (captions / 'captions.csv').read_text().splitlines()]
  (captions / 'bare.csv').write_text('\n'.join(rows))
  c = adapted('clip', str(captions / 'bare.csv'), resize=16)
  c.heads.text = dict(name='text_tower', width=16, depth=1, heads=2, on='data.ids')  # any backbone, with the objective of SigLIP
  c.heads.scale = dict(name='scale', init=10.0, bias=-10.0)
  of = dict(q='views.q[0]', k='views.q[1]', t_prime='nets.scale.log_scale', bias='nets.scale.bias')
  c.losses = ConfigDict(dict(clip=dict(name='siglip', of=of)))
  results = train(c, baselines=False, quiet=True)
  assert 'retrieval_i2t_recall1' in results['figures'] and 'zero_shot_top1' not in results['figures']
  assert 'skipped protocols' in caplog.text and 'zero_shot' in caplog.text


def test_retrieval_and_zero_shot_are_what_they_say(captions):
  """With towers that see through: two captions of one picture, and prompts that hit."""
  from jssl.evaluators import Subject
  from jssl.tables import EVALUATORS
  from jssl.types import Features

  p = plan(adapted('clip', str(captions / 'captions.csv'), resize=16))
  test = p.data.splits['test']
  columns = test.take(np.arange(len(test)))
  captioned, at = np.unique(columns['ids'], axis=0, return_inverse=True)
  number = {row.tobytes(): i for i, row in enumerate(captioned)}
  of = {x.tobytes(): i for x, i in zip(columns['image'], at.ravel(), strict=True)}
  one_hot = lambda x, known: np.eye(len(captioned) + 1, dtype=np.float32)[[known.get(np.asarray(row).tobytes(), -1) for row in x]]

  class Tower:
    def __init__(self, known):
      self.known = known

    def __call__(self, x):
      shape = (len(x), len(captioned) + 1)
      return Features(None, jax.pure_callback(lambda x: one_hot(x, self.known), jax.ShapeDtypeStruct(shape, np.float32), x))

  networks = dict(backbone=None, text=Tower(number), image_end=lambda z: z, text_end=lambda z: z)
  subject = Subject(p.data, lambda batch: Features(None, one_hot(np.asarray(batch['image']), of)), networks)
  figures = flatten({'found': EVALUATORS['image_text_retrieval'](subject, None)})
  assert figures['found_i2t_recall1'] == 1.0 and figures['found_eer'] == 0.0
  bare = Subject(p.data, subject.represent, dict(backbone=None, text=Tower(number)))
  found = flatten({'found': EVALUATORS['image_text_retrieval'](bare, None, heads=(None, None))})
  assert {name: found[name] for name in figures} == figures, 'a tower without a head is read as it is'
  counts = np.bincount(at.ravel())
  assert figures['found_t2i_recall1'] == pytest.approx(np.mean(1 / counts)), 'of several pictures of a caption one is first'
  with pytest.raises(ValueError, match='in the place of the name'):
    EVALUATORS['zero_shot'].check(subject, prompts=('a photo',))
  with pytest.raises(ValueError, match='one for each of 3 classes'):
    EVALUATORS['zero_shot'].check(subject, names=('a', 'b'))


# --- from Python -------------------------------------------------------------------------------------------------------


@pytest.mark.rotating
def test_lists_of_texts_and_dicts():
  texts = [f'text number {i % 40}' for i in range(60)]
  run = jssl.train('simcse:tiny', data=texts, protocols=(), **QUICK)
  assert run.model.encode(['a text', 'another']).shape == (2, 16) and run.model.plan.config['losses']['nce']['of']['ids'] == 'batch.same'
  rows = [dict(anchor=text, positive=f'{i} is a number', score=i / 60) for i, text in enumerate(texts)]
  assert len(open_data(named(rows)).splits['pairs'])
  columns = dict(anchor=texts, positive=[row['positive'] for row in rows], weight=np.arange(60))
  assert {*open_data(named(columns)).spec} == {'ids', 'positive', 'same', 'weight'}
  assert open_data(named(texts, 'starts')).info['tokenizer'] == 'starts, loaded'


def test_lists_of_pictures(tmp_path):
  pictures = [painted(list(COLOURS)[i % 3], i) for i in range(40)]
  rows = [dict(image=picture, label=list(COLOURS)[i % 3]) for i, picture in enumerate(pictures)]
  run = jssl.train('simclr:tiny', data=rows, **QUICK)
  assert 'knn_top1' in run.figures and run.model.encode(pictures[:2]).shape == (2, 16)
  for i, picture in enumerate(pictures):
    picture.save(tmp_path / f'{i}.png')
  paths, arrays = [tmp_path / f'{i}.png' for i in range(40)], [np.asarray(picture)[:, :16] for picture in pictures]
  for data in (pictures, paths, [*map(str, paths)], arrays):
    assert open_data(named(data)).spec['image'].shape[-1] == 3


@pytest.mark.parametrize(
  ('data', 'says'),
  [
    ([], 'an empty list'),
    (['a', 7], 'a list of int and str'),
    ([dict(text=None), dict(text='')], 'have no text'),
    (dict(text=['a', 'b'], n=[1]), 'expected the same number in each'),
    ([dict(text='a', n=1), dict(text='b')], "no 'n'"),
  ],
)
def test_lists_that_cannot_be_cost_one_line(data, says):
  with pytest.raises(DataError, match=says) as raised:
    named(data)
  assert '\n' not in str(raised.value)


# --- sources to embed --------------------------------------------------------------------------------------------------


def embedded(workdir, source, folder):
  assert cli.main(['embed', str(workdir), str(source), str(folder / 'z.npy')]) == 0
  names = folder / 'z.names.json'
  return np.load(folder / 'z.npy'), json.loads(names.read_text()) if names.exists() else None


@pytest.mark.rotating
def test_texts_of_any_source_are_embedded_with_names(scored, tmp_path, capsys):
  model, texts = load(scored / 'run'), ['one two', 'three', 'four five']
  z = model.encode(texts)
  lines(tmp_path / 'a.jsonl', [dict(query=text, id=f'q{i}') for i, text in enumerate(texts)])
  (tmp_path / 'a.csv').write_text('\n'.join(['id,sentence', *(f'q{i},{text}' for i, text in enumerate(texts))]))
  for source in ('a.jsonl', 'a.csv'):
    found, names = embedded(scored / 'run', tmp_path / source, tmp_path)
    np.testing.assert_allclose(found, z, rtol=1e-5)
    assert names == ['q0', 'q1', 'q2']
  (tmp_path / 'b.tsv').write_text('\n'.join(['text', *texts]))
  assert embedded(scored / 'run', tmp_path / 'b.tsv', tmp_path)[1] == texts
  capsys.readouterr()
  assert cli.main(['neighbours', str(scored / 'run'), str(tmp_path / 'a.csv'), '--query', 'q1', 'one two', '--k', '2', '--json']) == 0
  found = json.loads(capsys.readouterr().out)['found']
  assert found[0]['query'] == 'q1' and len(found[0]['neighbours']) == 2 and found[1]['neighbours'][0]['name'] == 'q0'
  command = ['neighbours', str(scored / 'run'), f'{scored / "pairs.csv"}', '--query', '0', '--k', '1', '--json']
  assert cli.main(command) == 0 and json.loads(capsys.readouterr().out)['found'][0]['neighbours'][0]['score'] <= 1.0001
  data = open_data(dict(name=str(scored / 'pairs.csv'), length=load(scored / 'run').data.spec['ids'].length))
  pack(data, tmp_path / 'packed')
  assert cli.main(['neighbours', str(scored / 'run'), f'packed:{tmp_path / "packed"}', '--query', '0', '--k', '1', '--json']) == 0
  capsys.readouterr()
  (tmp_path / 'none.csv').write_text('number\n1\n')
  for source, says in {'none.csv': 'reads texts', 'a.xyz': 'does not exist', 'mnist5k/far': 'no split', 'folder:.': 'not pictures'}.items():
    assert cli.main(['embed', str(scored / 'run'), str(tmp_path / source) if 'csv' in source else source, str(tmp_path / 'o.npy')]) == 2
    assert says in capsys.readouterr().err


def test_pictures_of_any_source_are_embedded_with_names(captions, tmp_path):
  workdir = captions / 'run'
  z = load(workdir).encode([captions / f'{i}.png' for i in range(60)])
  found, names = embedded(workdir, captions / 'captions.csv', tmp_path)
  np.testing.assert_allclose(found, z, rtol=1e-4, atol=1e-5)
  assert names[:2] == ['0.png', '1.png']
  for i in range(3):
    (tmp_path / 'few').mkdir(exist_ok=True)
    (tmp_path / 'few' / f'{i}.png').write_bytes((captions / f'{i}.png').read_bytes())
  with tarfile.open(tmp_path / 'few.tar', 'w') as tar:
    for i in range(3):
      tar.add(captions / f'{i}.png', f'{i}.png')
  for source, expected in {'folder:few': ['0.png', '1.png', '2.png'], 'tar:few.tar': ['0', '1', '2']}.items():
    kind, _, where = source.partition(':')
    found, names = embedded(workdir, f'{kind}:{tmp_path / where}', tmp_path)
    np.testing.assert_allclose(found, z[:3], rtol=1e-4, atol=1e-5)
    assert names == expected
  data = open_data(dict(name=str(captions / 'captions.csv'), resize=16))
  pack(data, tmp_path / 'packed')
  for split in ('train', 'test'):
    found, names = embedded(workdir, f'packed:{tmp_path / "packed"}/{split}', tmp_path)
    rows = [int(name.removesuffix('.png')) for name in data.splits[split].names]
    np.testing.assert_allclose(found, z[rows], rtol=1e-4, atol=1e-5)
    assert names is None
  np.savez(tmp_path / 'a.npz', images=np.stack([data.splits['train'][i]['image'] for i in range(3)]), label=[0, 1, 2])
  rows = [int(data.splits['train'].names[i].removesuffix('.png')) for i in range(3)]
  np.testing.assert_allclose(embedded(workdir, tmp_path / 'a.npz', tmp_path)[0], z[rows], rtol=1e-4, atol=1e-5)
  file = io.BytesIO()
  Image.open(captions / '0.png').save(file, 'PNG')
  import pyarrow as pa
  import pyarrow.parquet as pq

  pq.write_table(pa.table(dict(image=[dict(bytes=file.getvalue(), path=None)] * 2, name=['a', 'b'])), tmp_path / 'a.parquet')
  found, names = embedded(workdir, tmp_path / 'a.parquet', tmp_path)
  np.testing.assert_allclose(found, z[[0, 0]], rtol=1e-4, atol=1e-5)
  assert names == ['a', 'b']


@pytest.mark.rotating
def test_data_sets_are_embedded_by_name_and_split(tmp_path):
  c = load_config('simclr:tiny', ['--config.steps=2', '--config.data.name=digits'])
  train(c, tmp_path / 'run', protocols=(), baselines=False, quiet=True)
  test, old = embedded(tmp_path / 'run', 'digits', tmp_path)[0], embedded(tmp_path / 'run', 'data:digits/test', tmp_path)[0]
  np.testing.assert_array_equal(test, old)
  assert len(embedded(tmp_path / 'run', 'digits/train', tmp_path)[0]) > len(test)
  with pytest.raises(ConfigError, match="no split 'far'"):
    from jssl.inputs import read_inputs

    read_inputs('digits/far', load(tmp_path / 'run'))
