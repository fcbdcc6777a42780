"""A strided convnet: small, quick on a CPU, enough for digits."""

from collections.abc import Sequence

import jax
from flax import nnx

from jssl.models.layers import Conv
from jssl.types import Array, Features, Keys


class ConvNet(nnx.Module):
  """Convolutions of stride 2, each with a norm and a ReLU, then the mean over the map."""

  def __init__(
    self,
    on: jax.ShapeDtypeStruct,
    *,
    widths: Sequence[int] = (32, 64, 128, 128),
    kernels: Sequence[int] | int = 3,
    norm: str = 'batch',
    rngs: nnx.Rngs,
  ):
    """
    Args:
      on: shape [h w c] of one image.
      widths: channels of each layer.
      kernels: side of each layer's kernel; 2 cuts the map into patches that do not overlap.
      norm: 'batch' or 'group' (of 8 channels).
    """
    kernels = (kernels,) * len(widths) if isinstance(kernels, int) else kernels
    if len(kernels) != len(widths):
      raise ValueError(f'convnet has {len(widths)} widths and {len(kernels)} kernels; give one kernel a layer')
    channels = (on.shape[-1], *widths)
    self.convs = nnx.List(
      [Conv(i, o, kernel=k, stride=2, rngs=rngs) for i, o, k in zip(channels, widths, kernels, strict=False)]
    )
    self.norms = nnx.List([make_norm(norm, width, rngs) for width in widths])
    self.dim = widths[-1]

  def __call__(
    self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None
  ) -> Features:
    del keys
    if mask is not None or keep is not None:
      raise ValueError('a convnet has no tokens to hide; take a backbone such as vit')
    for conv, norm in zip(self.convs, self.norms, strict=True):
      x = jax.nn.relu(norm(conv(x)))
    tokens = x.reshape(x.shape[0], -1, self.dim)
    return Features(tokens, tokens.mean(1))


def make_norm(kind: str, width: int, rngs: nnx.Rngs) -> nnx.Module:
  """Batch norm or group norm over channels.

  Raises:
    ValueError: for another kind.
  """
  if kind == 'batch':
    return nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
  if kind == 'group':
    return nnx.GroupNorm(width, num_groups=None, group_size=min(8, width), rngs=rngs)
  raise ValueError(f"norm is 'batch' or 'group', not {kind!r}")
