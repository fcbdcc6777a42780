"""The decoder of T5: teacher forcing, token by token, and what it writes, against transformers."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.layers.relative import buckets
from jssl.models.pretrained.family import from_folder, write_folder
from jssl.models.text.t5 import T5, T5Encoder
from jssl.ops.generation import beam_search, contrastive_search, greedy
from tests.pretrained.case import absent
from tests.pretrained.t5_cases import GATED, SMALL
from tests.pretrained.text_cases import IDS, transformer

TARGET = np.array([[0, 5, 9, 3, 8, 1, 0], [0, 6, 4, 2, 1, 0, 0]], np.int32)
KINDS = {
  'version 1.0': ('T5', SMALL, False),
  'version 1.1, tied': ('T5', GATED, False),
  'version 1.1': ('T5', GATED, True),
  'own table, scaled': ('T5', SMALL, True),
  'mt5': ('MT5', SMALL, True),
}


@pytest.fixture(scope='module', params=KINDS)
def opened(request, tmp_path_factory):
  if why := absent():
    pytest.skip(why)
  import torch

  kind, config, own = KINDS[request.param]
  theirs = transformer(f'{kind}ForConditionalGeneration', f'{kind}Config', **config)()
  if own:
    theirs.lm_head.weight = torch.nn.Parameter(torch.randn(16, 12, generator=torch.Generator().manual_seed(1)))
  folder = tmp_path_factory.mktemp('theirs')
  theirs.save_pretrained(folder)
  return kind.lower(), theirs, from_folder((6,), folder=str(folder), rngs=nnx.Rngs(0)), own


def decoded(net):
  import torch

  with torch.no_grad():
    ids = torch.tensor(IDS, dtype=torch.long)
    out = net(input_ids=ids, attention_mask=ids != 0, decoder_input_ids=torch.tensor(TARGET, dtype=torch.long), output_hidden_states=True)
  return [x.numpy() for x in out.decoder_hidden_states], out.logits.numpy()


def test_decoder_states_and_logits_are_theirs(opened, tmp_path):
  kind, theirs, ours, own = opened
  assert ours.tied != own
  states, logits = decoded(theirs)
  found = jax.jit(lambda ids, target: ours.decode(target, ours(ids).tokens, context_mask=ours.attended(ids)))(IDS, TARGET)
  np.testing.assert_allclose(found.layers[:-1], states[:-1], atol=1e-4, rtol=1e-4)
  np.testing.assert_allclose(found.tokens, states[-1], atol=1e-4, rtol=1e-4)
  np.testing.assert_allclose(ours.logits(found.tokens), logits, atol=1e-4, rtol=1e-4)
  np.testing.assert_array_equal(found.pooled, found.tokens[jnp.arange(2), jnp.array([5, 4])])
  write_folder(tmp_path, ours, kind)
  again, other = decoded(type(theirs).from_pretrained(tmp_path).eval())
  np.testing.assert_allclose(again[-1], states[-1], atol=1e-5, rtol=1e-5)
  np.testing.assert_allclose(other, logits, atol=1e-5, rtol=1e-5)


def test_steps_are_what_decoding_at_once_gives(opened):
  _, _, net, _ = opened
  whole = net.decode(TARGET, net(IDS).tokens, context_mask=net.attended(IDS)).tokens
  cache = jax.jit(lambda ids: net.start(ids, 9))(IDS)
  step = jax.jit(net.step)
  for place in range(TARGET.shape[1]):
    logits, hidden, cache = step(cache, TARGET[:, place], place)
    np.testing.assert_allclose(hidden, whole[:, place], atol=1e-5)
    np.testing.assert_allclose(logits, net.logits(whole[:, place]), atol=1e-4)
  assert step._cache_size() == 1


@pytest.mark.parametrize('beams', [1, 4])
def test_what_is_written_is_what_transformers_writes(opened, beams):
  import torch

  _, theirs, net, _ = opened
  start, one, end = jnp.zeros((2, 1), jnp.int32), jnp.ones(2, jnp.int32), 9
  options = dict(length=12, end=end)
  if beams == 1:
    write = lambda ids: greedy(net.step, net.start(ids, 12), start, one, **options)
  else:
    write = lambda ids: beam_search(net.step, net.start(ids, 12), start, one, beams=beams, axis=1, **options).ids[:, 0]
  ids = torch.tensor(IDS, dtype=torch.long)
  asked = dict(do_sample=False, num_beams=beams, max_length=12, eos_token_id=end, attention_mask=(ids != 0).long())
  with torch.no_grad():
    expected = theirs.generate(ids, **asked).numpy()
  cut = lambda row: (row := [int(x) for x in row])[: row.index(end) + 1 if end in row else None]
  assert [cut(row) for row in jax.jit(write)(IDS)] == [cut(row) for row in expected]


def small(kind=T5, **options):
  return kind((6,), **dict(vocabulary=16, width=12, depth=2, heads=3, head=5, hidden=20, rngs=nnx.Rngs(0)) | options)


def test_contrastive_search_reads_the_cache_along_its_axis():
  """The cached step against one that reads the whole text anew."""
  net = small(gated=True, activation='gelu_tanh')
  context, seen = net(IDS).tokens, jnp.asarray(net.attended(IDS))

  def anew(cache, ids, place):
    rows = jnp.arange(len(ids)) // (len(ids) // 2)
    cache = cache.at[:, place].set(ids)
    hidden = jnp.take(net.decode(cache, context[rows], context_mask=seen[rows]).tokens, place, axis=1)
    return net.logits(hidden), hidden, cache

  options = dict(candidates=3, alpha=0.5, length=8, end=1)
  start, one = jnp.zeros((2, 1), jnp.int32), jnp.ones(2, jnp.int32)
  found = contrastive_search(net.step, net.start(IDS, 8), start, one, axis=1, **options)
  np.testing.assert_array_equal(found, contrastive_search(anew, jnp.zeros((2, 8), jnp.int32), start, one, **options))


@pytest.mark.parametrize('both', [True, False])
@pytest.mark.parametrize(('count', 'distance'), [(32, 128), (32, 256), (8, 20), (64, 100)])
def test_buckets_are_those_of_transformers(both, count, distance):
  if why := absent():
    pytest.skip(why)
  import torch
  from transformers.models.t5.modeling_t5 import T5Attention

  offsets = np.arange(-5000, 5001)
  expected = T5Attention._relative_position_bucket(torch.tensor(offsets), bidirectional=both, num_buckets=count, max_distance=distance)
  np.testing.assert_array_equal(buckets(offsets, count, distance, bidirectional=both), expected.numpy())


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_shapes_and_types(dtype):
  net = small(dtype=dtype, remat=True, dropout=0.1, tied=False, decoder_depth=3)
  keys = jax.random.split(jax.random.key(0), 2)
  made = net(IDS, keys=keys)
  assert made.tokens.shape == (2, 6, 12) and made.pooled.shape == (2, 12) and made.layers.shape == (3, 2, 6, 12)
  found = net.decode(TARGET, made.tokens, keys=keys)
  assert found.tokens.shape == (2, 7, 12) and found.pooled.shape == (2, 12) and found.layers.shape == (4, 2, 7, 12)
  assert found.tokens.dtype == made.pooled.dtype == jnp.dtype(dtype)
  logits, _, cache = net.step(net.start(IDS, 4), TARGET[:, 0], 0)
  assert logits.shape == (2, 16) and logits.dtype == jnp.float32 and cache.k.dtype == jnp.dtype(dtype)


def test_padding_is_neither_attended_to_nor_pooled():
  net = small(T5Encoder)
  whole, short = net(IDS), net(IDS[1:, :4])
  np.testing.assert_allclose(whole.pooled[1], short.pooled[0], atol=1e-5)
  np.testing.assert_allclose(whole.tokens[1, :4], short.tokens[0], atol=1e-5)


def test_kernels_begin_as_in_the_official_code():
  """Logits of attention have the deviation that scaled ones would have, and each map keeps that of its input."""
  block = small(width=64, heads=8, head=16, hidden=128, gated=True).blocks
  q, k, v = jnp.split(block.attention.qkv.kernel[...], 3, -1)
  expected = {1: (64 * 16) ** -0.5, 2: 64**-0.5, 3: 64**-0.5, 4: 128**-0.5, 5: 64**-0.5, 6: 128**-0.5, 7: (64 * 16) ** -0.5}
  found = (q, k, v, block.attention.proj.kernel, block.mlp.gate.kernel, block.mlp.fc2.kernel, block.cross.q.kernel)
  for x, deviation in zip(found, expected.values(), strict=True):
    assert float(jnp.std(x[...])) == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize(
  ('changed', 'told'),
  [
    (dict(feed_forward_proj='swish'), "feed_forward_proj = 'swish'"),
    (dict(is_gated_act=True), 'is_gated_act = True'),
    (dict(is_decoder=True), 'is_decoder = True'),
    (dict(is_encoder_decoder=False), "part='encoder'"),
    (dict(num_decoder_layers='3'), "num_decoder_layers = '3'"),
    (dict(d_kv=7), 'has the shape'),
    (dict(feed_forward_proj='gated-gelu'), 'wi_0'),
    (dict(num_layers=2), 'encoder.block.2'),
  ],
)
def test_contradictory_folders_are_refused(tmp_path, changed, told):
  write_folder(tmp_path, small(depth=3), 't5')
  config = json.loads((tmp_path / 'config.json').read_text())
  (tmp_path / 'config.json').write_text(json.dumps(config | changed))
  with pytest.raises(PretrainedError, match=told):
    from_folder((6,), folder=str(tmp_path), rngs=nnx.Rngs(0))


def test_what_a_folder_cannot_say_is_not_written(tmp_path):
  with pytest.raises(PretrainedError, match="activation 'silu', gated=False"):
    write_folder(tmp_path, small(activation='silu'), 't5')
  with pytest.raises(PretrainedError, match='scaled=False'):
    write_folder(tmp_path, small(), 'mt5')
  with pytest.raises(ValueError, match='give head'):
    small(head=None, heads=5)
  with pytest.raises(ValueError, match="'mean', 'sqrt' or 'cls'"):
    small(pool='max')
