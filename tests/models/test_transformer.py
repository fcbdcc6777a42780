"""Transformers over tokens. `tiny_gpt2.safetensors` was written by transformers 5.24 (random weights, torch 2.13)."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from jssl.errors import PretrainedError
from jssl.models.pretrained import gpt2
from jssl.models.text.transformer import CausalLm, Decoder, LmHead

IDS = jnp.array([[3, 4, 5, 0, 0, 0], [1, 2, 3, 4, 5, 6]])
KEYS = jax.random.split(jax.random.key(0), 2)


def lm(**options):
  return CausalLm((6,), **dict(vocabulary=9, width=8, depth=2, heads=2, std=0.5, rngs=nnx.Rngs(0)) | options)


def test_tokens_see_only_those_before_them():
  net = lm()
  whole, cut = net(IDS), net(IDS[:, :3])
  np.testing.assert_allclose(whole.tokens[:, :3], cut.tokens, atol=1e-5)
  np.testing.assert_allclose(whole.pooled, jnp.stack([whole.tokens[0, 2], whole.tokens[1, 5]]))
  assert whole.layers.shape == (3, 2, 6, 8)


def test_hidden_states_are_those_of_gpt2():
  """Every id is a token there, 0 too; epsilon 1e-5 and the GELU by tanh are not spelled."""
  given = load_file(Path(__file__).parent / 'tiny_gpt2.safetensors')
  net = CausalLm((7,), vocabulary=11, width=8, depth=2, heads=2, pad=None, rngs=nnx.Rngs(0))
  names = {
    'norm1.scale': 'ln_1.weight', 'norm1.bias': 'ln_1.bias', 'norm2.scale': 'ln_2.weight', 'norm2.bias': 'ln_2.bias',
    'attention.qkv.kernel': 'attn.c_attn.weight', 'attention.qkv.bias': 'attn.c_attn.bias',
    'attention.proj.kernel': 'attn.c_proj.weight', 'attention.proj.bias': 'attn.c_proj.bias',
    'mlp.fc1.kernel': 'mlp.c_fc.weight', 'mlp.fc1.bias': 'mlp.c_fc.bias',
    'mlp.fc2.kernel': 'mlp.c_proj.weight', 'mlp.fc2.bias': 'mlp.c_proj.bias',
  }  # fmt: skip
  params = {f'blocks.{ours}': np.stack([given[f'h.{i}.{theirs}'] for i in range(2)]) for ours, theirs in names.items()}
  params |= {'table': given['wte.weight'], 'positions': given['wpe.weight']}
  params |= {'norm.scale': given['ln_f.weight'], 'norm.bias': given['ln_f.bias']}
  for path, x in params.items():
    part = net
    for name in path.split('.'):
      part = getattr(part, name)
    assert part[...].shape == x.shape
    part[...] = jnp.asarray(x)
  found = net(given['ids'])
  np.testing.assert_allclose(found.layers[:-1], given['hidden'][:-1], atol=1e-4)
  np.testing.assert_allclose(found.tokens, given['hidden'][-1], atol=1e-4)
  np.testing.assert_array_equal(found.pooled, found.tokens[:, -1])
  np.testing.assert_allclose(net.logits(found.tokens), given['logits'], atol=1e-4)


def test_residual_kernels_start_small_by_the_number_of_layers():
  kernels = lm(width=64, depth=8).blocks.mlp.fc2.kernel[...]
  np.testing.assert_allclose(jnp.std(kernels, (1, 2)), 0.5 / 4, rtol=0.05)


def test_padding_is_what_is_said_to_be():
  ids = jnp.where(IDS == 0, 7, IDS)
  np.testing.assert_allclose(lm(pad=7)(ids).pooled[0], lm()(IDS[:1, :3]).pooled[0], atol=1e-5)
  np.testing.assert_array_equal(lm(pad=None)(IDS).pooled, lm(pad=None)(IDS).tokens[:, -1])


def test_attention_probabilities_are_dropped_too():
  net = lm(dropout=0.5)
  net.dropout = net.blocks.dropout = net.blocks.mlp.dropout = 0.0  # of all the rest
  assert not np.allclose(net(IDS, keys=KEYS).pooled, net(IDS).pooled, atol=1e-3)


def test_padding_tells_nothing():
  net = lm()
  np.testing.assert_allclose(net(IDS).pooled[0], net(IDS[:1, :3]).pooled[0], atol=1e-5)
  assert np.isfinite(net(jnp.zeros((1, 6), jnp.int32)).pooled).all()


@pytest.mark.parametrize('tied', [True, False])
def test_logits(tied):
  net = lm(tied=tied)
  tokens = net(IDS).tokens
  table = net.table if tied else net.output
  np.testing.assert_allclose(net.logits(tokens), tokens @ table[...].T, atol=1e-5)


def test_dropout_is_drawn_from_the_keys_of_the_examples():
  net = lm(dropout=0.5)
  both, one = net(IDS, keys=KEYS).pooled, net(IDS[1:], keys=KEYS[1:]).pooled
  np.testing.assert_allclose(both[1], one[0], atol=1e-5)
  assert not np.allclose(both, net(IDS).pooled)


@pytest.mark.parametrize('causal', [True, False])
def test_decoder_attends_to_the_context_and_to_what_it_may_see(causal):
  net = Decoder(4, width=8, depth=2, heads=2, causal=causal, std=0.5, rngs=nnx.Rngs(0))
  x, context = jax.random.normal(KEYS[0], (2, 5, 8)), jax.random.normal(KEYS[1], (2, 3, 4))
  y = net(x, context)
  assert y.shape == (2, 5, 8) and not np.allclose(y, net(x, -context))
  assert np.allclose(y[:, 0], net(x[:, :1], context)[:, 0], atol=1e-5) == causal
  masked = net(x, context, context_mask=jnp.array([[True, True, False]] * 2))
  np.testing.assert_allclose(masked, net(x, context[:, :2]), atol=1e-5)


def test_head_reads_logits_off_the_table_it_is_given_or_its_own():
  net = lm()
  tokens, table = net(IDS).tokens, net.table[...]
  tied = LmHead(net, transform=False, rngs=nnx.Rngs(0))
  np.testing.assert_allclose(tied(tokens, table), tokens @ table.T, atol=1e-5)
  own = LmHead(8, vocabulary=7, tied=False, rngs=nnx.Rngs(0))
  assert own(tokens).shape == (2, 6, 7)
  with pytest.raises(ValueError, match='give vocabulary'):
    LmHead(8, rngs=nnx.Rngs(0))


def test_a_causal_model_is_read_from_a_folder_in_the_form_of_gpt2(tmp_path):
  """What is written is read, with the names and layouts of `test_hidden_states_are_those_of_gpt2`, and another network is refused."""
  net = lm(pad=None)
  (tmp_path / 'given.json').write_text('{}')
  gpt2.write(tmp_path / 'out', net, tokenizer=tmp_path / 'given.json')
  given = load_file(tmp_path / 'out' / 'model.safetensors')
  theirs = load_file(Path(__file__).parent / 'tiny_gpt2.safetensors').keys() - {'ids', 'hidden', 'logits'}
  assert given.keys() == {f'transformer.{name}' for name in theirs}
  for prefix in ('transformer.', ''):
    save_file({f'{prefix}{name.removeprefix("transformer.")}': x for name, x in given.items()}, tmp_path / 'out' / 'model.safetensors')
    again = gpt2.gpt2((4,), folder=str(tmp_path / 'out'), pad=None, rngs=nnx.Rngs(1))
    np.testing.assert_array_equal(again(IDS).tokens, net(IDS).tokens)
  path = tmp_path / 'out' / 'config.json'
  config = json.loads(path.read_text())
  for change, match in (
    (dict(activation_function='relu'), "'relu'"), (dict(n_embd='8'), "n_embd = '8'"), (dict(n_head=3), 'do not divide'),
    (dict(vocab_size=10), r'\(9, 8\): config.json says \(10, 8\)'), (dict(n_layer=3), 'ln_1'), (dict(n_layer=1), 'h.1.'),
    (dict(n_positions=3), 'at most 3'),
  ):  # fmt: skip
    path.write_text(json.dumps(config | change))
    with pytest.raises(PretrainedError, match=match) as error:
      gpt2.gpt2((4,), folder=str(tmp_path / 'out'), rngs=nnx.Rngs(1))
    assert '\n' not in str(error.value) and len(str(error.value)) < 400
