"""wav2vec 2.0 and its folders, without torch; against transformers see tests/pretrained."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from jssl.errors import PretrainedError
from jssl.models.audio.frontend import ConvPositions, WaveEncoder
from jssl.models.audio.wav2vec import Wav2Vec, wav2vec_base, wav2vec_large, wav2vec_micro
from jssl.models.pretrained.family import from_folder, head_from_folder, write_folder
from jssl.models.pretrained.wav2vec import weight_normalised
from jssl.ops.waveforms import frame_count, standardize
from jssl.run import load_config, train
from jssl.views.waveforms import standardized_waves

SMALL = dict(
  width=12, depth=2, heads=3, hidden=20, channels=(8, 6, 8), kernels=(10, 3, 2), strides=(5, 2, 2), position_kernel=4, position_groups=2
)
PRE_NORM = dict(norm='layer', bias=True, pre_norm=True)
DATA2VEC = dict(norm='layer', position_kernel=5, position_layers=2, position_norm=True)
KINDS = {'wav2vec2': {}, 'hubert': PRE_NORM, 'data2vec-audio': DATA2VEC}
LENGTHS = jnp.array([300, 173])


def keys(b, seed=0):
  return jax.random.split(jax.random.key(seed), b)


def waves(n=300, b=2, seed=0):
  return jax.random.normal(jax.random.key(seed), (b, n))


def small(n=300, **options):
  """A network with weights far from where they start, so that no term of it is nearly nothing."""
  net = Wav2Vec((n,), **SMALL | options, rngs=nnx.Rngs(0))
  moved = lambda x, key: x + 0.3 * jax.random.normal(key, x.shape)
  params = nnx.state(net, nnx.Param)
  leaves, tree = jax.tree.flatten(params)
  nnx.update(net, jax.tree.unflatten(tree, [moved(x, key) for x, key in zip(leaves, keys(len(leaves)), strict=True)]))
  return net


def params(net):
  return nnx.to_pure_dict(nnx.state(net, nnx.Param))


# Networks.


@pytest.mark.parametrize(('make', 'count'), [(wav2vec_base, 94_371_712 - 128), (wav2vec_large, 315_438_720 - 128)])
def test_sizes_are_the_published_ones(make, count):
  # Without the lengths of the 128 taps of the positions, which transformers holds apart.
  net = nnx.eval_shape(lambda: make((16000,), rngs=nnx.Rngs(0)))
  assert sum(x.size for x in jax.tree.leaves(nnx.state(net, nnx.Param))) == count
  assert net.frames(16000) == 49 and net.frames(400) == 1 and net.frames(399) == 0


@pytest.mark.parametrize('options', KINDS.values(), ids=KINDS)
def test_features_have_a_place_for_each_frame(options):
  net = small(**options)
  for n in (300, 173, 40):
    found, frames = jax.eval_shape(net, waves(n)), net.frames(n)
    assert found.tokens.shape == (2, frames, 12) and found.pooled.shape == (2, 12) and found.layers.shape == (3, 2, frames, 12)
  found = net(waves())
  np.testing.assert_allclose(found.pooled, found.tokens.mean(1), atol=1e-6)
  assert net.dim == 12


def test_frames_are_counted_as_the_convolutions_give_them():
  front = WaveEncoder(channels=(2, 3), kernels=(10, 3), strides=(5, 2), rngs=nnx.Rngs(0))
  lengths = np.arange(20, 60)
  assert [jax.eval_shape(front, jnp.ones((1, n))).shape[1] for n in lengths] == front.frames(lengths).tolist()
  assert frame_count(19, (10, 3), (5, 2)) == frame_count(3, (10, 3), (5, 2)) == 0


def test_the_front_is_the_loop():
  x = np.asarray(waves(23))
  front = WaveEncoder(channels=(3, 4), kernels=(5, 2), strides=(3, 2), norm='layer', bias=True, rngs=nnx.Rngs(0))
  y = x[..., None]
  for i, (k, s) in enumerate(((5, 3), (2, 2))):
    conv = getattr(front, f'conv{i}')
    steps = range(0, y.shape[1] - k + 1, s)
    y = np.stack([np.einsum('bkc,kcd->bd', y[:, t : t + k], conv.kernel[...]) for t in steps], 1) + conv.bias[...]
    y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-5)
    y = np.asarray(jax.nn.gelu(y, approximate=False))
  np.testing.assert_allclose(front(jnp.asarray(x)), y, atol=1e-5)


@pytest.mark.parametrize('kernel', [4, 5])
def test_positions_are_the_loop(kernel):
  x, net = np.asarray(jax.random.normal(jax.random.key(0), (2, 9, 6))), ConvPositions(6, kernel=kernel, groups=2, rngs=nnx.Rngs(0))
  w, y = np.asarray(net.conv0.kernel[...]), np.zeros((2, 9, 6))
  for t in range(9):
    for tap in range(kernel):
      if 0 <= (at := t + tap - kernel // 2) < 9:
        for group in (slice(0, 3), slice(3, 6)):
          y[:, t, group] += x[:, at, group] @ w[tap][:, group]
  np.testing.assert_allclose(net(jnp.asarray(x)), jax.nn.gelu(y, approximate=False), atol=1e-5)


@pytest.mark.parametrize('options', KINDS.values(), ids=KINDS)
def test_padding_is_neither_attended_to_nor_pooled(options):
  net, x, real = small(**options), waves(), np.arange(300) < LENGTHS[:, None]
  frames = net.frames(LENGTHS)
  found, filled, plain = net(x, lengths=LENGTHS), net(jnp.where(real, x, 7.0), lengths=LENGTHS), net(x)
  np.testing.assert_array_equal(found.tokens, filled.tokens)
  np.testing.assert_allclose(found.pooled[1], found.tokens[1, : frames[1]].mean(0), atol=1e-6)
  np.testing.assert_allclose(found.tokens[0], plain.tokens[0], atol=1e-5)
  assert np.abs(found.tokens[1] - plain.tokens[1]).max() > 1e-3
  cut = net(x[1:, :173])
  if net.pre_norm:
    np.testing.assert_allclose(found.tokens[1, : frames[1]], cut.tokens[0], atol=1e-5)
    np.testing.assert_allclose(found.pooled[1], cut.pooled[0], atol=1e-5)
  else:  # group norm sees the padding, and so does the second of two convolutions for the positions
    assert np.abs(found.pooled[1] - cut.pooled[0]).max() > 1e-3


def test_hidden_frames_take_the_learned_vector():
  net, x = small(), waves()
  mask = jnp.zeros((2, 14), bool).at[0, 2:5].set(True)
  found, plain = net(x, mask=mask), net(x)
  assert np.abs(found.tokens[0] - plain.tokens[0]).max() > 1e-2
  np.testing.assert_allclose(found.tokens[1], plain.tokens[1], atol=1e-5)
  # With all frames hidden, nothing of the wave is left.
  all_hidden = net(x, mask=jnp.ones((2, 14), bool)).tokens
  np.testing.assert_allclose(all_hidden[0], all_hidden[1], atol=1e-5)
  # To hide padding changes nothing.
  padding = jnp.arange(14) >= net.frames(LENGTHS)[:, None]
  np.testing.assert_array_equal(net(x, lengths=LENGTHS, mask=padding).tokens, net(x, lengths=LENGTHS).tokens)
  with pytest.raises(ValueError, match='mask_token=True'):
    small(mask_token=False)(x, mask=mask)


@pytest.mark.parametrize('options', KINDS.values(), ids=KINDS)
def test_gradients_reach_every_parameter(options):
  graphdef, state = nnx.split(small(**options, remat=True))
  mask = jnp.zeros((2, 14), bool).at[:, 2:5].set(True)

  def loss(state):
    found = nnx.merge(graphdef, state)(waves(), lengths=LENGTHS, mask=mask)
    return jnp.sum(jnp.sin(found.tokens) * jnp.arange(14)[:, None]) + jnp.sum(found.pooled**2)

  for path, g in jax.tree.leaves_with_path(jax.jit(jax.grad(loss))(state)):
    assert np.isfinite(g).all() and np.abs(g).max() > 0, path


def test_silence_has_finite_gradients():
  net = small()
  g = jax.grad(lambda x: net(x, lengths=jnp.array([300, 0])).pooled.sum())(jnp.zeros((2, 300)))
  assert np.isfinite(g).all()


@pytest.mark.parametrize('options', [{}, PRE_NORM])
@pytest.mark.rotating
def test_dropping_depends_on_the_example_alone(options):
  net = small(**options, dropout=0.2, drop_path=0.3)
  x, k = waves(b=4), keys(4)
  whole = net(x, keys=k).tokens
  np.testing.assert_allclose(whole[1:3], net(x[1:3], keys=k[1:3]).tokens, atol=1e-5)
  assert np.abs(whole - net(x).tokens).max() > 1e-2


def test_a_block_is_skipped_whole():
  net = small(depth=6, drop_path=0.5)
  layers = net(waves(b=8), keys=keys(8)).layers
  skipped = np.asarray((layers[1:] == layers[:-1]).all((2, 3)))
  assert 0.2 < skipped.mean() < 0.8
  assert not np.asarray((net(waves(b=8)).layers[1:] == layers[:-1]).all((2, 3))).all()


def test_options_that_leave_the_figures():
  x, net = waves(), small()
  np.testing.assert_allclose(small(remat=True)(x).tokens, net(x).tokens, atol=1e-6)
  half = small(dtype='bfloat16')
  assert half(x).tokens.dtype == jnp.bfloat16 and {w.dtype for w in jax.tree.leaves(params(half))} == {jnp.dtype('float32')}
  np.testing.assert_allclose(half(x).pooled.astype(jnp.float32), net(x).pooled, atol=0.2)


@pytest.mark.parametrize(
  ('on', 'options', 'says'),
  [
    ((300, 1), {}, r'waveforms of shape \(n,\)'),
    ((20,), {}, 'too short for one frame'),
    ((300,), dict(position_groups=5), 'do not divide a width of 12'),
    ((300,), dict(norm='batch'), "choose 'group' or 'layer'"),
    ((300,), dict(strides=(5, 2)), 'must be as many'),
  ],
)
def test_what_makes_no_network_is_refused(on, options, says):
  with pytest.raises(ValueError, match=says):
    Wav2Vec(on, **SMALL | options, rngs=nnx.Rngs(0))


# Inputs.


def test_standardizing_is_the_loop():
  x = np.asarray(3 * waves(20) + 2)
  expected = np.zeros_like(x)
  for i, n in enumerate((20, 13)):
    expected[i, :n] = (x[i, :n] - x[i, :n].mean()) / np.sqrt(x[i, :n].var() + 1e-7)
  lengths = jnp.array([20, 13])
  np.testing.assert_allclose(standardize(jnp.asarray(x), lengths), expected, atol=1e-5)
  np.testing.assert_array_equal(standardize(jnp.zeros((1, 5))), np.zeros((1, 5)))
  batch = dict(wave=jnp.asarray(x), samples=lengths)
  (one,) = standardized_waves(keys(2), batch, names=('wave',), lengths='samples')
  np.testing.assert_allclose(one, expected, atol=1e-5)
  assert len(standardized_waves(keys(2), batch, names=('wave', 'wave'))) == 2


# Folders.


@pytest.mark.parametrize('family', KINDS)
def test_what_is_written_is_read(family, tmp_path):
  net = small(**KINDS[family])
  write_folder(tmp_path, net, family)
  again = from_folder((300,), folder=str(tmp_path), rngs=nnx.Rngs(1))
  jax.tree.map(np.testing.assert_array_equal, params(net), params(again))
  np.testing.assert_array_equal(net(waves(), lengths=LENGTHS).layers, again(waves(), lengths=LENGTHS).layers)
  first = from_folder((300,), folder=str(tmp_path), depth=1, dropout=0.1, drop_path=0.2, remat=True, rngs=nnx.Rngs(1))
  np.testing.assert_allclose(first(waves()).layers, net(waves()).layers[:2], atol=1e-6)
  assert first.blocks.rate == 0.2 and first.dropout == 0.1


def test_old_names_are_understood(tmp_path):
  net = small()
  write_folder(tmp_path, net, 'hubert')
  before = {'parametrizations.weight.original0': 'weight_g', 'parametrizations.weight.original1': 'weight_v'}
  old = lambda x: 'hubert.' + re.sub('|'.join(before), lambda m: before[m[0]], x)
  found = {old(name): x for name, x in load_file(tmp_path / 'model.safetensors').items()}
  found |= {'lm_head.weight': np.eye(3, 12, dtype=np.float32), 'lm_head.bias': np.ones(3, np.float32)}
  save_file(found, tmp_path / 'model.safetensors')
  config = json.loads((tmp_path / 'config.json').read_text()) | dict(vocab_size=3)
  (tmp_path / 'config.json').write_text(json.dumps(config))
  jax.tree.map(np.testing.assert_array_equal, params(net), params(from_folder((300,), folder=str(tmp_path), rngs=nnx.Rngs(1))))
  head = head_from_folder(net, folder=str(tmp_path), head='ctc', rngs=nnx.Rngs(0))
  x = net(waves()).tokens
  np.testing.assert_allclose(head(x), x[..., :3] + 1, atol=1e-6)
  with pytest.raises(PretrainedError, match=r"heads are \['ctc'\], not 'quantizer'"):
    head_from_folder(net, folder=str(tmp_path), head='quantizer', rngs=nnx.Rngs(0))


def test_kernels_are_put_together_and_taken_apart():
  rng = np.random.default_rng(0)
  entry, g, v = weight_normalised('w'), rng.normal(size=(1, 1, 4)).astype(np.float32), rng.normal(size=(6, 3, 4)).astype(np.float32)
  kernel = entry.read(g, v)
  expected = g * v / np.sqrt((v**2).sum((0, 1)))
  np.testing.assert_allclose(kernel, expected.transpose(2, 1, 0), rtol=1e-5)
  kernel[2] = 0  # a tap without a direction
  for again in (kernel, 1e3 * kernel, np.float32(1e-12) * kernel):
    np.testing.assert_array_equal(entry.read(*entry.write(again)), again)
  assert np.isfinite(entry.write(kernel)[1]).all() and (entry.write(kernel)[1] != 0).any((0, 1)).all()


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    (dict(model_type='wavlm'), "model_type = 'wavlm': expected one of"),
    (dict(hidden_act='relu'), "hidden_act = 'relu'; only 'gelu'"),
    (dict(feat_extract_norm='batch'), "only 'group' or 'layer'"),
    (dict(add_adapter=True), 'add_adapter = True'),
    (dict(adapter_attn_dim=16), 'adapter_attn_dim = 16'),
    (dict(model_type='hubert', conv_pos_batch_norm=True), 'conv_pos_batch_norm = True'),
    (dict(model_type='hubert', feat_proj_layer_norm=False), 'feat_proj_layer_norm = False'),
    (dict(conv_dim=[8, 6]), 'one number above 0 per convolution'),
    (dict(conv_stride=[5, 2, 0]), 'one number above 0 per convolution'),
    (dict(conv_kernel=3), 'one number above 0 per convolution'),
    (dict(num_conv_pos_embedding_groups=5), '5 groups of positions'),
    (dict(num_attention_heads=5), '5 heads, which do not divide'),
    (dict(num_conv_pos_embeddings=8), 'config.json says'),
    (dict(mask_time_prob=0.0), "has tensors that the network in its config.json lacks, 'masked_spec_embed'"),
    (dict(conv_bias=True), "has no tensor 'feature_extractor.conv_layers.0.conv.bias'"),
  ],
)
def test_folders_that_cannot_be_read_are_refused_in_a_line(changes, says, tmp_path):
  write_folder(tmp_path, small(), 'wav2vec2')
  config = json.loads((tmp_path / 'config.json').read_text())
  (tmp_path / 'config.json').write_text(json.dumps(config | changes))
  with pytest.raises(PretrainedError) as error:
    from_folder((300,), folder=str(tmp_path), rngs=nnx.Rngs(0))
  assert says in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('family', 'options', 'says'),
  [
    ('wav2vec2', DATA2VEC, "position_layers = 2 cannot be written as 'wav2vec2'"),
    ('data2vec-audio', dict(norm='layer'), "position_norm = False cannot be written as 'data2vec-audio'"),
    ('data2vec-audio', dict(position_norm=True), "norm = 'group' cannot be written as 'data2vec-audio'"),
  ],
)
def test_networks_that_a_family_has_not_are_not_written(family, options, says, tmp_path):
  with pytest.raises(PretrainedError, match=says):
    write_folder(tmp_path, small(**options), family)


@pytest.mark.rotating
def test_a_folder_is_a_backbone_of_waveforms(tmp_path):
  write_folder(tmp_path / 'folder', wav2vec_micro((800,), rngs=nnx.Rngs(0)), 'wav2vec2')
  rng = np.random.default_rng(0)
  np.savez(tmp_path / 'waves.npz', wave=rng.normal(size=(80, 800)).astype(np.float32), label=np.arange(80) % 2)
  c = load_config('simclr:tiny', ['--config.steps=1'])
  c.data, c.batch_size = dict(name=str(tmp_path / 'waves.npz')), 16
  c.backbone = dict(name='from_folder', folder=str(tmp_path / 'folder'), dropout=0.1)
  c.view = dict(name='standardized_waves', names=('wave', 'wave'))
  c.inputs = dict(name='standardized_waves', names=('wave',))
  c.evaluators = {}
  results = train(c, tmp_path / 'run', baselines=False, quiet=True)
  assert np.isfinite(results['curve'][0][1]) and results['compiles'] == 1
