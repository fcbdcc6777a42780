"""Objectives of representations learnt by denoising; noise and its schedules are in `jssl.ops.noise` and `jssl.noise`."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jssl.objectives import discrepancy
from jssl.objectives.prediction import token_mean
from jssl.types import Array


def denoising_mse(prediction: Float[Array, ' b *n'], noise: Float[Array, ' b *n']) -> Float[Array, ' b']:
  """Squared error of the noise predicted from a noised example and, in SODA, from the code of another view.

  l_i = mean (prediction_i - noise_i)^2

  Args:
    prediction: [b ...] the denoiser's output.
    noise: [b ...] the noise that was added.

  Returns:
    [b], the mean over all other axes.

  Reference: Ho, Jain, Abbeel 2020, arXiv:2006.11239, Eq. 14; Hudson et al. 2024, arXiv:2311.17901, section 3. The
  papers write the sum over pixels.
  """
  error = prediction.astype(jnp.float32) - noise.astype(jnp.float32)
  return jnp.mean(error.reshape(len(error), -1) ** 2, 1)


def gaussian_kl(mean: Float[Array, 'b d'], log_variance: Float[Array, 'b d'], *, summed: bool = False) -> Float[Array, ' b']:
  """KL divergence of a diagonal Gaussian from the standard Gaussian.

  l_i = 1/2 sum_d ( exp(v_id) + mean_id^2 - 1 - v_id )

  Args:
    mean: [b d].
    log_variance: [b d] v.
    summed: multiply by b, so that the loss is the sum over the batch.

  Returns:
    [b] nats.

  Reference: Kingma, Welling 2014, arXiv:1312.6114, appendix B; Wang, Schiff, Gokaslan, Pan, Wang,
  De Sa, Kuleshov 2023, arXiv:2306.08757, section 3 (InfoDiffusion, whose official code sums over the batch, and takes
  the mean in its VAE alone).
  """
  mean, v = mean.astype(jnp.float32), log_variance.astype(jnp.float32)
  divergence = jnp.sum(jnp.expm1(v) - v + mean * mean, -1) / 2
  return divergence * len(divergence) if summed else divergence


def categorical_kl(logits: Float[Array, ' b *n v']) -> Float[Array, ' b']:
  """KL divergence of categorical variables from the uniform distribution.

  l_i = mean_n sum_v p_inv log (v p_inv),   p = softmax(logits)

  Args:
    logits: [b ... v] of v values.

  Returns:
    [b] nats, from 0 to log v.

  Reference: Ramesh et al. (DALL-E) 2021, arXiv:2102.12092, section 2.1, the prior of its discrete VAE; there the sum over n, of weight 6.6.
    Bao, Dong, Piao, Wei (BEiT) 2022, arXiv:2106.08254, Eq. 3, the second term.
  """
  log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
  divergence = math.log(logits.shape[-1]) + jnp.sum(jnp.exp(log_p) * log_p, -1)
  return jnp.mean(divergence.reshape(len(logits), -1), 1)


def mmd(z: Float[Array, 'b d'], prior: Float[Array, 'm d']) -> Float[Array, '']:
  """Maximum mean discrepancy between the codes of the batch and samples of a prior.

  l = mean_ij k(p_i, p_j) + mean_ij k(z_i, z_j) - 2 mean_ij k(p_i, z_j),   k(x, y) = exp(-|x - y|^2/d^2)

  Args:
    z: [b d] codes.
    prior: [m d] samples of the prior.

  Returns:
    A scalar: the means are over pairs.

  Reference: Wang, Schiff, Gokaslan, Pan, Wang, De Sa, Kuleshov 2023, arXiv:2306.08757, section 3 (InfoDiffusion, weight
  0.1 in the official code, whose kernel this is: the mean square over d, divided by d). Pairs of a row with itself are included. No
  gradient to the prior.
  """
  both = jnp.concatenate([z.astype(jnp.float32), jax.lax.stop_gradient(prior.astype(jnp.float32))])
  of_prior = (jnp.arange(len(both)) >= len(z)).astype(jnp.float32)
  return discrepancy.mmd(both, 1 - of_prior, of_prior, scales=(1.0,), distance=z.shape[-1] ** 2 / 2)


def umd(
  prediction: Float[Array, 'b n two_p'],
  x: Float[Array, 'b n p'],
  noise: Float[Array, 'b n p'],
  *,
  mask: Bool[Array, 'b n'],
  clean: Bool[Array, ' b'] | Int[Array, ' b'],
) -> Float[Array, ' b']:
  """Masked autoencoding of the clean examples of a batch and masked diffusion of the noised ones, by one network.

  l = r L_clean + (1 - r) (L_noise + L_x)/2,   r the share of clean examples
  L_clean = the mean of (x^ - x)^2 over masked patches of clean examples
  L_x = the same over masked patches of noised ones, or over all of theirs where none of them is masked
  L_noise = the mean of (noise^ - noise)^2 over visible patches of noised ones

  l_i is example i's share: the means are over all such patches of the batch. With clean examples alone this is a masked
  autoencoder, with noised ones alone masked diffusion.

  Args:
    prediction: [b n 2p] outputs of the network: x^, then noise^, which is ignored for clean examples.
    x: [b n p] the patches without noise.
    noise: [b n p] the noise added; ignored for clean examples.
    mask: [b n] true for hidden patches.
    clean: [b] true for examples without noise.

  Returns:
    [b].

  Reference: Hansen-Estruch, Vishwanath, Zhang, Tomar 2024, arXiv:2406.17688, section 3; the halves, and L_x without a
  mask, are those of the official code.
  """
  of_x, of_noise = (_patch_error(*pair) for pair in zip(jnp.split(prediction, 2, -1), (x, noise), strict=True))
  mask, clean = mask.astype(bool), clean.astype(bool)[:, None]
  hidden = mask & ~clean
  hidden = jnp.where(jnp.any(hidden), hidden, ~clean & jnp.ones_like(mask))
  r = jnp.mean(clean.astype(jnp.float32))
  diffusion = token_mean(of_noise, ~mask & ~clean) + token_mean(of_x, hidden)
  return r * token_mean(of_x, mask & clean) + (1 - r) * diffusion / 2


def _patch_error(prediction: Array, target: Array) -> Array:
  return jnp.mean((prediction.astype(jnp.float32) - target.astype(jnp.float32)) ** 2, -1)
