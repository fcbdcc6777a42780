import jax
import numpy as np
from flax import nnx

from jssl.models.heads.critic import Critic, spectral_norm


def test_spectral_norm_is_the_largest_singular_value():
  for seed in range(3):
    kernel = np.random.default_rng(seed).normal(size=(6, 4)).astype(np.float32)
    np.testing.assert_allclose(spectral_norm(kernel, 100), np.linalg.norm(kernel, 2), rtol=1e-4)


def test_scores_change_no_faster_than_unit_vectors():
  critic = Critic(5, widths=(16, 16), rngs=nnx.Rngs(0))
  for layer in (critic.linear1, critic.linear2, critic.linear3):
    layer.kernel[...] = 3 * layer.kernel[...] + 0.1 * jax.random.normal(jax.random.key(1), layer.kernel.shape)
  unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
  x, y = unit(np.random.default_rng(0).normal(size=(2, 2, 200, 5)))
  score = np.asarray(jax.vmap(critic)(x, y))
  far = np.linalg.norm(np.concatenate([x[0] - x[1], y[0] - y[1]], -1), axis=-1)
  assert (np.abs(score[0] - score[1]) <= 1.02 * far).all()
