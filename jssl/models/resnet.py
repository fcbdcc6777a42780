"""Residual networks (He et al. 2016), with strides as in ResNet v1.5."""

from collections.abc import Sequence
from functools import partial

import jax
from flax import nnx

from jssl.models.convnet import make_norm
from jssl.types import Array, Features, Keys


class Residual(nnx.Module):
  """Two 3x3 convolutions, or 1x1, 3x3, 1x1 with four times the width, added to the input."""

  def __init__(self, features: int, width: int, *, stride: int, bottleneck: bool, norm: str, rngs: nnx.Rngs):
    out = 4 * width if bottleneck else width
    plan = [(features, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
    plan = plan if bottleneck else [(features, width, 3, stride), (width, width, 3, 1)]
    self.convs = nnx.List([_conv(*layer, rngs) for layer in plan])
    self.norms = nnx.List([make_norm(norm, layer[1], rngs) for layer in plan])
    self.short = _conv(features, out, 1, stride, rngs) if stride > 1 or features != out else None
    self.short_norm = make_norm(norm, out, rngs) if self.short is not None else None
    self.dim = out

  def __call__(self, x: Array) -> Array:
    y = x
    for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
      y = norm(conv(y))
      y = jax.nn.relu(y) if i < len(self.convs) - 1 else y
    return jax.nn.relu(y + (x if self.short is None else self.short_norm(self.short(x))))


class ResNet(nnx.Module):
  """A stem, four stages that halve the map and double the width, and the mean over the map."""

  def __init__(
    self,
    on: jax.ShapeDtypeStruct,
    *,
    depths: Sequence[int],
    bottleneck: bool,
    width: int = 64,
    stem: str = 'imagenet',
    norm: str = 'batch',
    rngs: nnx.Rngs,
  ):
    """
    Args:
      on: shape [h w c] of one image.
      width: of the first stage.
      stem: 'imagenet' (7x7, stride 2, and a pool of stride 2) or 'cifar' (3x3, stride 1).
      norm: 'batch' or 'group'.
    """
    if stem not in ('imagenet', 'cifar'):
      raise ValueError(f"stem is 'imagenet' or 'cifar', not {stem!r}")
    self.pools = stem == 'imagenet'
    self.stem = _conv(on.shape[-1], width, *((7, 2) if self.pools else (3, 1)), rngs)
    self.norm = make_norm(norm, width, rngs)
    blocks, features = [], width
    for stage, depth in enumerate(depths):
      for i in range(depth):
        stride = 2 if stage and not i else 1
        blocks.append(
          Residual(features, width * 2**stage, stride=stride, bottleneck=bottleneck, norm=norm, rngs=rngs)
        )
        features = blocks[-1].dim
    self.blocks = nnx.List(blocks)
    self.dim = features

  def __call__(
    self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None
  ) -> Features:
    del keys
    if mask is not None or keep is not None:
      raise ValueError('a resnet has no tokens to hide; take a backbone such as vit')
    x = jax.nn.relu(self.norm(self.stem(x)))
    if self.pools:
      x = nnx.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
    for block in self.blocks:
      x = block(x)
    tokens = x.reshape(x.shape[0], -1, self.dim)
    return Features(tokens, tokens.mean(1))


def _conv(features: int, out: int, kernel: int, stride: int, rngs: nnx.Rngs) -> nnx.Conv:
  pad = (kernel - 1) // 2
  init = jax.nn.initializers.variance_scaling(2.0, 'fan_out', 'normal')
  return nnx.Conv(
    features, out, (kernel, kernel), stride, padding=((pad, pad), (pad, pad)), use_bias=False, kernel_init=init, rngs=rngs
  )


resnet18 = partial(ResNet, depths=(2, 2, 2, 2), bottleneck=False)
resnet34 = partial(ResNet, depths=(3, 4, 6, 3), bottleneck=False)
resnet50 = partial(ResNet, depths=(3, 4, 6, 3), bottleneck=True)
