"""A teacher draws nothing: its outputs are the same under other keys, with dropout and drop path of a half in its networks."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.masks.patches import Blocks, Masked
from jssl.models.audio.wav2vec import Wav2Vec
from jssl.models.text.transformer import CausalLm
from jssl.models.vision.vit import ViT
from jssl.passes.control import latent_rollout, q_values, trajectory
from jssl.passes.masked import jepa, masked_encode, masked_views
from jssl.passes.sentences import drift
from jssl.passes.speech import frame_targets
from jssl.passes.text import causal_lm
from jssl.passes.views import apply, embed, encode
from jssl.tables import PASSES
from jssl.types import Column
from tests.passes.by_hand import given

B = 4
IMAGES = jax.random.uniform(jax.random.key(7), (B, 8, 8, 1))
BATCH = dict(
  image=IMAGES,
  wave=IMAGES.reshape(B, -1)[:, :40],
  observation=jnp.stack([IMAGES] * 3, 1),
  action=jnp.ones((B, 3, 1)),
  reward=jnp.ones((B, 3)),
  done=jnp.zeros((B, 3), bool),
  ids=jnp.arange(5, 5 + B * 6).reshape(B, 6) % 20,
  example=jnp.arange(B),
  epoch=jnp.zeros(B, jnp.int32),
)


def twice(keys, batch):
  return batch['image'], batch['image'][:, ::-1]


def half(keys, *, grid):
  order = jnp.broadcast_to(jnp.arange(4), (B, 4))
  return Masked(mask=order >= 2, keep=order[:, :2], hidden=order[:, 2:], restore=order)


def nothing(keys, *, grid):
  order = jnp.broadcast_to(jnp.arange(4), (B, 4))
  return Blocks(order, order[:, None, :2], jnp.ones((B, 1, 2)))


SEEN = (masked_encode(mask=nothing, on='batch.image'), 'batch.image')
TOLD = dict(context='seen.tokens', keep='seen.keep', targets='seen.targets', weight='seen.weight', x='seen.x')
# pass of the table -> passes by name, an output of the teacher's, and one of the trained networks' that draws where there is one
CASES = {
  'embed': (dict(it=embed(view=twice)), 'it.k', 'it.q'),
  'encode': (
    dict(it=(encode(on='batch.image', teacher=True), 'batch.image'), own=(encode(on='batch.image'), 'batch.image')),
    'it.tokens',
    'own.tokens',
  ),
  'apply': (
    dict(
      it=(apply(network='pooled', on='batch.image', teacher=True), 'batch.image'),
      own=(apply(network='pooled', on='batch.image'), 'batch.image'),
    ),
    'it.out',
    'own.out',
  ),
  'masked_encode': (dict(it=masked_encode(mask=half, view=twice, teacher_views=(1,))), 'it.tokens[1]', 'it.tokens[0]'),
  'masked_views': (dict(it=masked_views(mask=half, view=twice, masked=(0,), targets=(1,), anchors=(0,), heads=('action',))), 'it.k', 'it.q'),
  'jepa': (dict(seen=SEEN, told=(jepa(**TOLD), *TOLD.values())), 'told.target', 'seen.tokens'),
  'frame_targets': (
    dict(
      it=(frame_targets(on='batch.wave', encoder='heard'), 'batch.wave'), own=(apply(network='heard_tokens', on='batch.wave'), 'batch.wave')
    ),
    'it.averaged',
    'own.out',
  ),
  'causal_lm': (dict(it=causal_lm(encoder='language')), 'it.reference', 'it.log_prob'),
  'drift': (dict(it=drift()), 'it.out', None),
  'trajectory': (dict(it=(trajectory(), 'batch.observation')), 'it.target', None),
  'latent_rollout': (dict(it=latent_rollout(horizon=2)), 'it.target', None),
  'q_values': (dict(it=(q_values(), 'batch.observation')), 'it.next_target', None),
}


def networks() -> dict:
  vit = ViT((8, 8, 1), width=16, depth=2, heads=2, patch=4, dropout=0.5, drop_path=0.5, rngs=nnx.Rngs(0))
  language = CausalLm(Column((6,), jnp.int32, size=30, pad=0), width=16, depth=2, heads=2, dropout=0.5, vocabulary=30, rngs=nnx.Rngs(1))
  wave = dict(width=8, depth=2, heads=2, channels=(4,), kernels=(8,), strides=(4,), position_kernel=4, position_groups=2)
  heard = Wav2Vec((40,), **wave, dropout=0.5, drop_path=0.5, rngs=nnx.Rngs(2))
  return {
    'backbone': vit,
    'heard': heard,
    'heard_tokens': lambda x, keys=None: heard(x, keys=keys).tokens,
    'pooled': lambda x, keys=None: vit(x, keys=keys).pooled,
    'predictor': lambda x, context, target, keys: jnp.zeros((len(x), target.shape[1], 16)),
    'language': language,
    'action': lambda u: u,
    'transition': lambda z, u: z,
    'q': lambda z: z,
  }


@pytest.mark.parametrize('name', CASES)
@pytest.mark.rotating
def test_a_teacher_draws_nothing(name):
  passes, taught, trained = CASES[name]
  wanted = [text for text in (taught, trained) if text]
  nets, found = networks(), []
  for seed in (0, 1):
    keys = jax.random.split(jax.random.key(seed), B)
    seen = given(passes, *wanted, nets=nets, target=networks(), batch=BATCH, keys=keys)
    found.append([np.asarray(seen.array(text)) for text in wanted])
  np.testing.assert_array_equal(found[0][0], found[1][0])
  if trained:
    assert not np.allclose(found[0][1], found[1][1]), 'the trained networks drop out in the same call'


def test_every_pass_that_calls_a_teacher_is_tried():
  assert {name for name in PASSES if 'call.target' in inspect.getsource(PASSES[name])} == {*CASES}
