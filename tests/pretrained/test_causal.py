"""Causal language models from folders: logits and greedy decoding against transformers, and what is refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from jssl.errors import PretrainedError
from jssl.models.pretrained.family import from_folder, write_folder
from jssl.models.text.llama import Llama
from jssl.models.text.transformer import CausalLm
from tests.pretrained.case import absent
from tests.pretrained.causal_cases import CASES
from tests.pretrained.text_cases import IDS


def llama(**options):
  given = dict(vocabulary=16, width=12, depth=2, heads=6, kv_heads=2, hidden=20, length=9, pad=None, std=0.3, rngs=nnx.Rngs(0))
  return Llama((6,), **given | options)


def changed(folder, **changes):
  """The folder with keys of its config.json set, or left out where they are `...`."""
  config = json.loads((folder / 'config.json').read_text()) | changes
  (folder / 'config.json').write_text(json.dumps({key: x for key, x in config.items() if x is not ...}))
  return str(folder)


@pytest.mark.parametrize('name', ['llama, with biases, all heads and its own table', 'llama 3', 'mistral', 'qwen2', 'qwen3'])
def test_logits_and_what_is_decoded_greedily_are_theirs(name, tmp_path):
  if why := absent():
    pytest.skip(why)
  import torch

  case = CASES[name]
  theirs = case.make()
  theirs.save_pretrained(tmp_path)
  ours = from_folder((9,), folder=str(tmp_path), rngs=nnx.Rngs(0))
  ids = IDS[:1]
  with torch.no_grad():
    logits = theirs(input_ids=torch.tensor(ids)).logits.numpy()
    told = theirs.generate(torch.tensor(ids), max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0).numpy()
  np.testing.assert_allclose(ours.logits(ours(ids).tokens), logits, atol=1e-4, rtol=1e-4)
  features, cache = ours.decode(ids, ours.start(1, 18), 0)
  step, found = jax.jit(ours.decode), []
  for place in range(6, 18):
    found.append(jnp.argmax(ours.logits(features.pooled), -1))
    features, cache = step(found[-1][:, None], cache, place, mask=jnp.ones((1, 1), bool))
  np.testing.assert_array_equal(jnp.stack(found, 1), told[:, 6:])


def test_what_an_older_folder_says_is_obeyed(tmp_path):
  """Names without a prefix, buffers, a pad of -1, `rope_scaling` with a `type`, heads of keys and values that follow from others."""
  net = llama(tied=None, kv_heads=6, scaling=dict(type='linear', factor=2.0), theta=30.0)
  write_folder(tmp_path, net, 'llama')
  tensors = {name.removeprefix('model.'): x for name, x in load_file(tmp_path / 'model.safetensors').items()}
  assert 'embed_tokens.weight' in tensors and 'lm_head.weight' not in tensors
  save_file(tensors | {'layers.0.self_attn.rotary_emb.inv_freq': np.ones(1, np.float32)}, tmp_path / 'model.safetensors')
  older = dict(rope_scaling=dict(type='linear', factor=2), pad_token_id=-1, num_key_value_heads=None, head_dim=..., attention_bias=...)
  again = from_folder((6,), folder=changed(tmp_path, **older), rngs=nnx.Rngs(1))
  np.testing.assert_array_equal(again(IDS).layers, net(IDS).layers)
  with pytest.raises(ValueError, match='lm_head.weight'):
    again.logits(again(IDS).tokens)


def test_the_first_blocks_alone(tmp_path):
  write_folder(tmp_path, llama(), 'llama')
  np.testing.assert_array_equal(from_folder((6,), folder=str(tmp_path), depth=1, rngs=nnx.Rngs(1))(IDS).layers, llama()(IDS).layers[:2])


@pytest.mark.parametrize(
  'changes, match',
  [
    (dict(hidden_act='gelu'), "hidden_act = 'gelu'; only 'silu'"),
    (dict(rope_scaling=dict(rope_type='yarn', factor=4.0)), "rope_type = 'yarn'"),
    (dict(rope_scaling=dict(rope_type='linear')), 'factor = None'),
    (dict(rope_scaling=dict(rope_type='llama3', factor=8.0, low_freq_factor=1.0, high_freq_factor='4')), "high_freq_factor = '4'"),
    (dict(rope_scaling=None, rope_parameters=dict(full_attention=dict(rope_theta=1.0))), 'one table'),
    (dict(partial_rotary_factor=0.5), 'partial_rotary_factor = 0.5'),
    (dict(num_key_value_heads=4), 'do not divide 6'),
    (dict(attention_bias='yes'), "attention_bias = 'yes'"),
    (dict(mlp_bias=True), r'no tensor .*bias'),
    (dict(tie_word_embeddings=1), 'tie_word_embeddings = 1'),
    (dict(model_type='qwen2', sliding_window=2, use_sliding_window=True, max_window_layers=1), 'layer_types'),
    (dict(model_type='mistral', sliding_window=0), 'sliding_window = 0'),
    (dict(model_type='qwen3'), 'q_norm'),
    (dict(head_dim=4), r'config.json says \(24, 12\)'),
    (dict(head_dim=3), '3 wide'),
    (dict(vocab_size=17), r'config.json says \(17, 12\)'),
    (dict(num_hidden_layers=1), 'layers.1.'),
  ],
)
def test_what_cannot_be_obeyed_is_refused_in_a_line(changes, match, tmp_path):
  write_folder(tmp_path, llama(), 'llama')
  with pytest.raises(PretrainedError, match=match) as error:
    from_folder((6,), folder=changed(tmp_path, **changes), rngs=nnx.Rngs(1))
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'family, net, match',
  [
    ('llama', lambda: llama(qkv_bias=True), 'proj_bias = False'),
    ('llama', lambda: llama(qk_norm=True), 'qk_norm = True'),
    ('llama', lambda: llama(window=3), 'window = 3'),
    ('mistral', lambda: llama(mlp_bias=True), 'mlp_bias'),
    ('qwen2', llama, 'qkv_bias = False'),
    ('qwen3', llama, 'qk_norm = False'),
    ('gpt2', lambda: CausalLm((6,), vocabulary=9, width=8, depth=1, heads=2, tied=False, rngs=nnx.Rngs(0)), 'tied=False'),
  ],
)
def test_what_a_family_cannot_say_is_not_written(family, net, match, tmp_path):
  with pytest.raises(PretrainedError, match=match):
    write_folder(tmp_path / 'out', net(), family)
  assert not (tmp_path / 'out').exists()


def test_gpt2_of_one_kind_is_another_network_than_of_another(tmp_path):
  """Width of the hidden layers and epsilon come back; without a pad every id is a token."""
  net = CausalLm((6,), vocabulary=16, width=8, depth=1, heads=2, hidden=11, epsilon=0.1, pad=None, std=0.3, rngs=nnx.Rngs(0))
  write_folder(tmp_path, net, 'gpt2')
  again = from_folder((6,), folder=str(tmp_path), rngs=nnx.Rngs(1))
  np.testing.assert_array_equal(again(IDS).pooled, net(IDS).pooled)
  assert (again.hidden, again.epsilon, again.pad) == (11, 0.1, None)
