"""Objectives that reconstruct masked patches, or nodes.

As in `prediction`, l_i is example i's share of a mean over all masked patches of the batch: b times its sum over their
number. The mean over b equals the scalar of the official code also where examples have different numbers of masked patches, and
micro-batches are weighted correctly, since the number is that of the whole global batch. An empty mask gives 0.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from jssl.objectives.prediction import feature_norm, token_mean
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def masked_mse(
  prediction: Float[Array, 'b n p'], target: Float[Array, 'b n p'], mask: Bool[Array, 'b n'], *, normalize: bool = True, channels: int = 1
) -> Float[Array, ' b']:
  """Mean squared error on the masked patches.

  l_i = b / sum_in m_in sum_n m_in mean_p (prediction - target)^2

  Args:
    prediction: [b n p] the decoder's output.
    target: [b n p] the values of every patch.
    mask: [b n] true for masked patches.
    normalize: standardise every target patch to mean 0 and variance 1 (divided by p - 1, plus 1e-6) first.
    channels: the channels of a pixel, which are adjacent in p, if they are standardised separately; 1 to standardise them together.

  Returns:
    [b].

  Reference: He, Chen, Xie, Li, Dollar, Girshick 2022, arXiv:2111.06377, section 3, 'Reconstruction target'. No
  gradient to the target.
  """
  target = jax.lax.stop_gradient(target.astype(jnp.float32))
  if normalize:
    apart = jnp.swapaxes(target.reshape(*target.shape[:2], -1, channels), -1, -2)
    target = jnp.swapaxes(feature_norm(apart, eps=1e-6, correction=1), -1, -2).reshape(target.shape)
  return token_mean(jnp.mean((prediction.astype(jnp.float32) - target) ** 2, -1), mask)


def masked_l1(prediction: Float[Array, 'b n p'], target: Float[Array, 'b n p'], mask: Bool[Array, 'b n']) -> Float[Array, ' b']:
  """Mean absolute error on the masked patches.

  l_i = b / sum_in m_in sum_n m_in mean_p |prediction - target|

  Args:
    prediction: [b n p] the decoder's output.
    target: [b n p] the values of every patch, pixels and channels alike.
    mask: [b n] true for masked patches.

  Returns:
    [b].

  Reference: Xie et al. 2022, arXiv:2111.09886, section 3, 'Prediction Targets'. No gradient to the target. The official
  code divides by the number of masked pixels plus 1e-5 and by the number of channels: the same except for the 1e-5.
  """
  target = jax.lax.stop_gradient(target.astype(jnp.float32))
  return token_mean(jnp.mean(jnp.abs(prediction.astype(jnp.float32) - target), -1), mask)


def scaled_cosine(
  prediction: Float[Array, 'b n p'], target: Float[Array, 'b n p'], mask: Bool[Array, 'b n'], *, gamma: float = 3.0
) -> Float[Array, ' b']:
  """Scaled cosine error on the masked nodes: the larger gamma, the less nodes count that are nearly rebuilt.

  l_i = b / sum_in m_in sum_n m_in (1 - cos(prediction, target))^gamma

  Args:
    prediction: [b n p] the decoder's output.
    target: [b n p] the features of every node.
    mask: [b n] true for masked nodes.
    gamma: at least 1.

  Returns:
    [b].

  Reference: Hou, Liu, Cen, Dong, Yang, Wang, Tang 2022, arXiv:2205.10803, Eq. 2 (gamma 1 to 3). No gradient to the target. The official code
  calls gamma alpha.
  """
  cosine = jnp.sum(l2_normalize(prediction) * l2_normalize(jax.lax.stop_gradient(target)), -1)
  return token_mean(jnp.maximum(1 - cosine, 0) ** gamma, mask)
