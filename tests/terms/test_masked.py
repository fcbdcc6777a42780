"""Terms of masked, hybrid and denoising systems: what is computed, and how often."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl import configs
from jssl.core.build import plan
from jssl.testing import first_batch
from tests.small import small


def test_hybrid_encodes_each_view_once():
  """The compiled FLOPs of the loss are those of two encoder forwards, two decodings and two projections, by hand."""
  c = configs.module('vic_mae').get_config()
  c.batch_size = b = 16
  c.backbone.update(width=192, depth=1, heads=2)
  c.heads.decoder.update(width=64, depth=1, heads=2)
  p = plan(c)
  block = lambda n, d: 2 * n * d * 3 * d + 4 * n * n * d + 2 * n * d * d + 2 * 2 * n * d * 4 * d
  n, m, pixels, d, w = 16, 8, 16, 192, 64
  encoder = 2 * m * pixels * d + block(m, d)
  decoder = 2 * m * d * w + block(n, w) + 2 * n * w * pixels
  projector = 2 * (d * 128 + 128 * 128 + 128 * 64)
  by_hand = 2 * b * (encoder + decoder + projector) + 4 * b * b * 64
  loss = lambda params, state, batch, key: p.method.loss(params, state, batch, key, jnp.int32(0))[0]
  key = jax.eval_shape(lambda: jax.random.key(0))
  compiled = jax.jit(loss).lower(*jax.eval_shape(p.method.init, key), p.batch, key).compile()
  flops = compiled.cost_analysis()['flops']
  assert by_hand < flops < by_hand + b * encoder / 2  # what is elementwise makes up less than half an encoder forward


def encoded_loss(name, **changes):
  p = plan(small(name, **changes))
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  return jax.jit(p.method.loss)(params, state, batch, jax.random.key(1), jnp.int32(0))


def test_macrl_keeps_the_teachers_keys():
  loss, (state, metrics) = encoded_loss('macrl')
  weights = small('macrl')['terms']['both']['weights']
  np.testing.assert_allclose(loss, sum(w * metrics[f'both/{part}'] for part, w in weights.items()), rtol=1e-6)
  memory = state['terms']['both']
  assert int(memory['next']) == 16
  np.testing.assert_allclose(jnp.linalg.norm(memory['keys'][:16], axis=1), 1, rtol=1e-5)


def test_infodiffusion_adds_up():
  c = small('infodiffusion')
  c['terms']['denoise'] |= dict(mmd_weight=0.3, kl_weight=0.2)
  loss, (_, metrics) = encoded_loss('infodiffusion', terms=c['terms'])
  parts = [metrics[f'denoise/{part}'] for part in ('denoising', 'mmd', 'kl')]
  np.testing.assert_allclose(loss, parts[0] + 0.3 * parts[1] + 0.2 * parts[2], rtol=1e-6)
  # The denoiser starts silent, so its error is the noise's mean square.
  assert abs(parts[0] - 1) < 0.2


def test_umd_weighs_its_two_halves():
  c = small('umd')
  losses = []
  for weight in (0.0, 1.0, 0.5):
    c['terms']['both']['objective']['clean_weight'] = weight
    losses.append(float(encoded_loss('umd', terms=c['terms'])[0]))
  np.testing.assert_allclose(losses[2], (losses[0] + losses[1]) / 2, rtol=1e-5)


def test_mrm_adds_up():
  loss, (_, metrics) = encoded_loss('mrm')
  weights = small('mrm')['terms']['record']['weights']
  np.testing.assert_allclose(loss, sum(w * metrics[f'record/{part}'] for part, w in weights.items()), rtol=1e-6)
