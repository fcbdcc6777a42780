"""Passes over waveforms, with what they call: spans, the quantiser, and the memory of its temperature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.masks.series import span_mask
from jssl.models.audio.wav2vec import Wav2Vec
from jssl.models.heads.quantizer import GumbelQuantizer
from jssl.parts.memories import decaying
from jssl.passes.speech import distractors, frame_targets, masked_frames, quantize
from tests.passes.by_hand import given

LENGTHS = jnp.array([300, 173])
SMALL = dict(width=8, depth=1, heads=2, channels=(6, 4), kernels=(10, 3), strides=(5, 2), position_kernel=4, position_groups=2)
HIDDEN = jnp.arange(29) % 3 == 0


def keys(b, seed=0):
  return jax.random.split(jax.random.key(seed), b)


@pytest.fixture(scope='module')
def net():
  return Wav2Vec((300,), **SMALL, dropout=0.1, rngs=nnx.Rngs(0))


def run(net, x, *outputs, **options):
  hide = lambda keys, frames: jnp.any(frames != 0, -1) & HIDDEN
  passes = {'seen': (masked_frames(on='batch.wave', lengths='batch.samples', mask=hide, **options), 'batch.wave', 'batch.samples')}
  found = given(passes, *(f'seen.{name}' for name in outputs), nets=dict(backbone=net), batch=dict(wave=x, samples=LENGTHS), keys=keys(2))
  return [found(f'seen.{name}') for name in outputs]


@pytest.mark.rotating
def test_masked_frames_are_those_of_the_network(net):
  x = jax.random.normal(jax.random.key(1), (2, 300))
  tokens, frames, raw, mask, real = run(net, x, 'tokens', 'frames', 'raw', 'mask', 'real')
  assert frames.shape == raw.shape == (2, 29, 4) and real.sum(1).tolist() == net.frames(LENGTHS).tolist() == [29, 16]
  np.testing.assert_array_equal(mask, real & HIDDEN)
  np.testing.assert_array_equal(frames, net.norm_frames(net.convolved(x, LENGTHS)[0]))
  np.testing.assert_array_equal(raw, net.convolved(x, LENGTHS)[0])
  shapes = jax.eval_shape(lambda x: net(x, lengths=LENGTHS, mask=mask, keys=keys(2)).tokens, x)
  assert tokens.shape == shapes.shape == (2, 29, 8)
  still = Wav2Vec((300,), **SMALL, rngs=nnx.Rngs(0))  # the same without dropout
  np.testing.assert_array_equal(run(still, x, 'tokens')[0], still(x, lengths=LENGTHS, mask=mask).tokens)


@pytest.mark.rotating
def test_the_gradient_of_the_convolutions_is_scaled_and_no_value(net):
  x = jax.random.normal(jax.random.key(1), (2, 300))

  def gradient(scale):
    total = lambda x: sum(jnp.sum(jnp.sin(y)) for y in run(net, x, 'tokens', 'raw', front_gradient=scale))
    return jax.value_and_grad(total)(x)

  (whole, full), (same, tenth) = gradient(1.0), gradient(0.1)
  np.testing.assert_allclose(whole, same, rtol=1e-6)
  np.testing.assert_allclose(0.1 * full, tenth, rtol=1e-4, atol=1e-7)


def test_targets_are_the_last_layers_normalised_over_real_frames(net):
  x = jax.random.normal(jax.random.key(1), (2, 300))
  passes = {'told': (frame_targets(on='batch.wave', lengths='batch.samples', last_layers=2), 'batch.wave', 'batch.samples')}
  found = given(passes, 'told.averaged', nets={}, target=dict(backbone=net), batch=dict(wave=x, samples=LENGTHS), keys=keys(2))
  layers, expected = np.asarray(net(x, lengths=LENGTHS).layers, np.float64), 0.0
  assert len(layers) == 2
  for states in layers:
    real = [states[0], states[1, :16]]
    expected += 0.5 * np.stack([(s - r.mean(0)) / np.sqrt(r.var(0) + 1e-5) for s, r in zip(states, real, strict=True)])
  np.testing.assert_allclose(found('told.averaged'), expected, atol=1e-4)
  without = given({'told': (frame_targets(on='batch.wave'), 'batch.wave')}, 'told.averaged', nets={}, target=dict(backbone=net),
                  batch=dict(wave=x), keys=keys(2))('told.averaged')  # fmt: skip
  np.testing.assert_allclose(np.asarray(without).mean(1), 0, atol=1e-5)


def test_spans_begin_at_frames_that_are_drawn():
  x = jnp.where(jnp.arange(200)[:, None] < jnp.array([200, 120, 7] * 40)[:, None, None], 1.0, 0.0)
  hidden = np.asarray(jax.jit(lambda keys: span_mask(keys, x, ratio=0.065, length=10))(keys(120)))
  assert not hidden[1::3, 120:].any() and not hidden[2::3, 7:].any()
  assert hidden[2::3, :7].any(1).all(), 'a short series has spans all the same'
  for row, real in ((hidden[0::3], 200), (hidden[1::3], 120)):
    assert 0.42 < row[:, :real].mean() < 0.54, 'about 49 % are masked'
    runs = [len(x) for one in row for x in ''.join('#' if m else ' ' for m in one[:real]).split()]
    assert min(runs) == 10, 'no span is cut'
  # without overlap: as many frames as spans are long, of int(0.065 t + u) spans
  alone = np.asarray(span_mask(keys(200, 1), x[:1].repeat(200, 0), ratio=0.0125, length=1))
  counts = alone.sum(1)
  assert {*counts.tolist()} <= {2, 3} and 0.3 < (counts == 3).mean() < 0.7
  np.testing.assert_array_equal(span_mask(keys(3), x[:3]), span_mask(keys(120), x)[:3])


def test_distractors_are_other_masked_frames():
  mask = jnp.array([[0, 1, 1, 0, 1, 0, 1], [0, 0, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0]], bool)
  passes = {'others': (distractors(mask='batch.mask', count=600), 'batch.mask')}
  places = np.asarray(given(passes, 'others.places', nets={}, batch=dict(mask=mask), keys=keys(3))('others.places'))
  assert places.shape == (3, 7, 600)
  for t in (1, 2, 4, 6):
    found, counts = np.unique(places[0, t], return_counts=True)
    assert found.tolist() == [s for s in (1, 2, 4, 6) if s != t] and counts.min() > 150, 'all others are as likely'
  assert {*places[0, 0].tolist()} <= {1, 2, 4, 6}
  np.testing.assert_array_equal(places[1], np.arange(7)[:, None].repeat(600, 1))
  assert (places[2, 0] == 1).all() and (places[2, 1] == 0).all()


def test_the_quantiser_takes_an_entry_of_each_codebook(net):
  quantizer = GumbelQuantizer(net, groups=2, entries=5, dim=6, rngs=nnx.Rngs(0))
  x, book = jax.random.normal(jax.random.key(2), (3, 4, 4)), np.asarray(quantizer.embedding[...])
  assert quantizer.logits.kernel.shape == (4, 10) and quantizer.dim == 6
  run = {'coded': (quantize(on='batch.x', temperature='batch.tau'), 'batch.x', 'batch.tau')}
  outputs = ('vectors', 'logits', 'codes')
  found = given(run, *(f'coded.{o}' for o in outputs), nets=dict(quantizer=quantizer), batch=dict(x=x, tau=jnp.float32(2)), keys=keys(3))
  vectors, logits, codes = (np.asarray(found(f'coded.{o}')) for o in outputs)
  for b, n, g in np.ndindex(3, 4, 2):
    np.testing.assert_array_equal(vectors[b, n, 3 * g : 3 * g + 3], book[g, codes[b, n, g]])
  plain = quantizer(x)
  np.testing.assert_array_equal(plain[2], np.argmax(logits, -1))
  assert (codes != plain[2]).any() and quantizer(x, keys=keys(3))[2].shape == (3, 4, 2)
  with pytest.raises(ValueError, match='3 codebooks do not divide a width of 16'):
    GumbelQuantizer(4, groups=3, dim=16, rngs=nnx.Rngs(0))


def test_the_gradient_is_that_of_the_mean_entry():
  quantizer, tau = GumbelQuantizer(3, groups=1, entries=4, dim=2, rngs=nnx.Rngs(0)), 0.7
  x, along = jax.random.normal(jax.random.key(3), (1, 1, 3)), jnp.array([1.0, -2.0])
  found = jax.grad(lambda x: quantizer(x, tau)[0][0, 0] @ along)(x)
  soft = lambda x: jax.nn.softmax(quantizer.logits(x)[0, 0] / tau) @ quantizer.embedding[...][0] @ along
  np.testing.assert_allclose(found, jax.grad(soft)(x), rtol=1e-4)
  dropped = GumbelQuantizer(3, groups=1, entries=4, dim=2, dropout=0.5, rngs=nnx.Rngs(0))
  many = jnp.ones((200, 1, 3))
  assert len(np.unique(dropped(many, keys=keys(200))[1], axis=0)) == 8 and len(np.unique(dropped(many)[1], axis=0)) == 1


def test_the_temperature_decays_to_its_end():
  memory = decaying(start=2.0, end=0.5, rate=0.999995)
  state = memory.init(jax.random.key(0))
  assert memory.read(state) == 2 and memory.read(memory.write(state)) < 2
  for updates in (1000, 100_000, 277_000, 400_000):
    np.testing.assert_allclose(memory.read(jnp.int32(updates)), max(2 * 0.999995**updates, 0.5), rtol=1e-5)
  with pytest.raises(ValueError, match='0 < rate < 1'):
    decaying(start=2.0, end=0.5, rate=1.5)
