"""Objectives that predict one representation from another. The gradient of the target k is stopped.

Representations are [b d], or [b n d] for tokens. Without a mask l_i is the mean over the tokens of example i. With
`mask` [b n] only the tokens where it is true count, and l_i is example i's share: b times its sum over the number of
masked tokens in the whole batch. So the mean over b is the mean over all masked tokens of the batch, and for masks of equal size l_i is the
mean over the masked tokens of example i.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def negative_cosine(q: Float[Array, 'b *n d'], k: Float[Array, 'b *n d'], *, mask: Bool[Array, ' b *n'] | None = None) -> Float[Array, ' b']:
  """Negative cosine similarity of a prediction and its target.

  l = -(q/|q|).(k/|k|)

  Args:
    q: [b d] or [b n d] predictions.
    k: the same shape, targets.
    mask: [b n] true for the tokens that count; None for all.

  Returns:
    [b], from -1 to 1.

  Reference: Chen, He 2021, arXiv:2011.10566, Eq. 1 to 3. Stop-gradient on k.
  """
  return token_mean(-_cosine(q, k), mask)


def byol(q: Float[Array, 'b *n d'], k: Float[Array, 'b *n d'], *, mask: Bool[Array, ' b *n'] | None = None) -> Float[Array, ' b']:
  """Squared distance between a prediction and its target, both at unit length.

  l = |q/|q| - k/|k||^2 = 2 - 2 cos(q, k)

  Args:
    q: [b d] or [b n d] predictions of the online network.
    k: the same shape, projections of the target network.
    mask: [b n] true for the tokens that count; None for all.

  Returns:
    [b], from 0 to 4.

  Reference: Grill et al. 2020, arXiv:2006.07733, Eq. 2. Stop-gradient on k. The paper adds the two directions of a
  pair of views: weight 2 on their mean.
  """
  return token_mean(2 - 2 * _cosine(q, k), mask)


def smooth_l1(
  q: Float[Array, 'b *n d'], k: Float[Array, 'b *n d'], *, beta: float = 1.0, normalize: bool = False, mask: Bool[Array, ' b *n'] | None = None
) -> Float[Array, ' b']:
  """Smooth L1 distance: squared near 0, absolute beyond beta.

  l = mean_d ( e^2/(2 beta) where |e| <= beta, |e| - beta/2 elsewhere ),   e = q - k

  Args:
    q: [b d] or [b n d] predictions.
    k: the same shape, targets.
    beta: threshold between the quadratic and the linear part, above 0.
    normalize: standardise every target to mean 0 and variance 1 over its features first.
    mask: [b n] true for the tokens that count; None for all.

  Returns:
    [b].

  Reference: Baevski et al. 2022, arXiv:2202.03555, section 3.4 (data2vec; beta = 2 for images, targets averaged over
  layers), Assran et al. 2023, arXiv:2301.08243, section 3 (I-JEPA; the paper has the squared L2 distance, the official
  code this with beta = 1 and normalised targets). Stop-gradient on k. The official code of data2vec takes this mean for
  images; for audio and text it sums over the features and divides by sqrt(d): sqrt(d) times this.
  """
  e = _error(q, k, normalize)
  near = jnp.abs(e) <= beta
  return token_mean(jnp.mean(jnp.where(near, e * e / (2 * beta), jnp.abs(e) - beta / 2), -1), mask)


def latent_l2(
  q: Float[Array, 'b *n d'], k: Float[Array, 'b *n d'], *, normalize: bool = False, mask: Bool[Array, ' b *n'] | None = None
) -> Float[Array, ' b']:
  """Squared distance of a prediction and its target in latent space.

  l = mean_d (q - k)^2

  Args:
    q: [b d] or [b n d] predictions.
    k: the same shape, targets.
    normalize: standardise every target to mean 0 and variance 1 over its features first.
    mask: [b n] true for the tokens that count; None for all.

  Returns:
    [b].

  Reference: Assran et al. 2023, arXiv:2301.08243, section 3 (I-JEPA), which sums over features: d times this.
  Stop-gradient on k.
  """
  return token_mean(jnp.mean(_error(q, k, normalize) ** 2, -1), mask)


def latent_l1(
  q: Float[Array, 'b *n d'], k: Float[Array, 'b *n d'], *, normalize: bool = False, mask: Bool[Array, ' b *n'] | None = None
) -> Float[Array, ' b']:
  """Absolute distance of a prediction and its target in latent space.

  l = mean_d |q - k|

  Args:
    q: [b d] or [b n d] predictions.
    k: the same shape, targets.
    normalize: standardise every target to mean 0 and variance 1 over its features first.
    mask: [b n] true for the tokens that count; None for all.

  Returns:
    [b].

  Reference: Bardes et al. 2024, arXiv:2404.08471, Eq. 1 (V-JEPA; the official code normalises the targets).
  Stop-gradient on k.
  """
  return token_mean(jnp.mean(jnp.abs(_error(q, k, normalize)), -1), mask)


def token_mean(loss: Float[Array, ' b *n'], mask: Bool[Array, ' b *n'] | None = None) -> Float[Array, ' b']:
  """[b ...] to [b]: the mean over tokens, or with a mask [b ...] the example's share of the mean over masked tokens."""
  b = len(loss)
  if mask is None:
    return jnp.mean(loss.reshape(b, -1), 1)
  if mask.shape != loss.shape:
    raise ValueError(f'the mask {mask.shape} must have one value a token, {loss.shape}')
  mask = mask.astype(bool)
  return jnp.sum(jnp.where(mask, loss, 0).reshape(b, -1), 1) * b / jnp.maximum(jnp.sum(mask), 1)


def feature_norm(x: Float[Array, '*s d'], eps: float = 1e-5, correction: int = 0) -> Float[Array, '*s d']:
  """x with mean 0 and variance 1 over the last axis, in float32; the variance divides by d - correction."""
  x = x.astype(jnp.float32)
  x = x - jax.lax.stop_gradient(x[..., :1])  # makes constant rows exactly 0, where rounding errors would be amplified
  x = x - jnp.mean(x, -1, keepdims=True)
  return x * jax.lax.rsqrt(jnp.sum(x * x, -1, keepdims=True) / max(x.shape[-1] - correction, 1) + eps)


def _cosine(q: Array, k: Array) -> Array:
  return jnp.sum(l2_normalize(q) * l2_normalize(jax.lax.stop_gradient(k)), -1)


def _error(q: Array, k: Array, normalize: bool) -> Array:
  k = jax.lax.stop_gradient(k.astype(jnp.float32))
  return q.astype(jnp.float32) - (feature_norm(k) if normalize else k)
