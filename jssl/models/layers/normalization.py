"""Normalisation layers, with a two-pass variance."""

import math
from functools import partial

import jax.numpy as jnp
from flax import nnx

from jssl.types import Array

# The two-pass variance: E[x^2] - E[x]^2 in float32 loses precision if the mean is large relative to the deviation.
LayerNorm = partial(nnx.LayerNorm, use_fast_variance=False)
GroupNorm = partial(nnx.GroupNorm, use_fast_variance=False)
BatchNorm = partial(nnx.BatchNorm, use_fast_variance=False)
# Zhang, Sennrich, NeurIPS 2019, arXiv:1910.07467, Eq. 4: normalises by the second moment about 0.
RMSNorm = partial(nnx.RMSNorm, use_fast_variance=False)


class Identity(nnx.Module):
  """Returns its input."""

  def __call__(self, x: Array) -> Array:
    return x


def normalization(
  kind: str, width: int, *, zero: bool = False, affine: bool = True, momentum: float = 0.9, dtype: str = 'float32', rngs: nnx.Rngs
) -> nnx.Module:
  """A normalisation by name.

  Args:
    kind: 'batch' (statistics of the global batch, and running ones for evaluation), 'group' (gcd(32, width) groups), 'layer', 'none'.
    width: number of channels.
    zero: initialise the scale with 0, so that a residual branch is initially 0.
    affine: learn a scale and a shift.
    momentum: m of the running statistics of 'batch', r <- m r + (1 - m) s, in [0, 1); PyTorch's `momentum` is 1 - m.
    dtype: output type; statistics are always float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: for an unknown kind, or a momentum that is not in [0, 1).

  Reference: Ioffe, Szegedy, arXiv:1502.03167; Wu, He, arXiv:1803.08494; Ba, Kiros, Hinton, arXiv:1607.06450; zero
    scale: Goyal et al., arXiv:1706.02677, section 5.1.
  """
  if not 0 <= momentum < 1:
    raise ValueError(f'the momentum of batch norm is {momentum}: give a number from 0 to below 1, such as 0.9 or 0.99')
  init = nnx.initializers.zeros if zero else nnx.initializers.ones
  options = dict(scale_init=init, use_scale=affine, use_bias=affine, dtype=jnp.dtype(dtype), rngs=rngs)
  match kind:
    case 'batch':
      return BatchNorm(width, momentum=momentum, epsilon=1e-5, **options)
    case 'group':
      return GroupNorm(width, num_groups=math.gcd(32, width), epsilon=1e-5, **options)
    case 'layer':
      return LayerNorm(width, epsilon=1e-6, **options)
    case 'none':
      return Identity()
  raise ValueError(f"unknown norm {kind!r}: choose 'batch', 'group', 'layer' or 'none'")
