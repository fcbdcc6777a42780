"""Residual networks."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl.models.layers.blocks import called
from jssl.models.layers.convolution import Conv
from jssl.models.layers.dropout import drop_path, hide
from jssl.models.layers.normalization import normalization
from jssl.models.layers.shapes import image_shape, whole
from jssl.models.vision.convnet import patch_of
from jssl.types import Array, Features, Keys, fold


class Basic(nnx.Module):
  """Two 3x3 convolutions around a shortcut."""

  expansion = 1

  def __init__(self, on: int, width: int, *, stride: int, norm: Callable, zero: bool, dtype: str, rngs: nnx.Rngs):
    options = dict(dtype=dtype, rngs=rngs)
    self.conv1 = Conv(on, width, kernel=3, stride=stride, padding=1, **options)
    self.norm1 = norm(width, rngs=rngs)
    self.conv2 = Conv(width, width, kernel=3, padding=1, **options)
    self.norm2 = norm(width, zero=zero, rngs=rngs)
    self.shortcut = Shortcut(on, width, stride=stride, norm=norm, **options) if stride > 1 or on != width else None

  def __call__(self, x: Array, *, keys: Keys | None = None, rate: float | Array = 0.0) -> Array:
    y = jax.nn.relu(self.norm1(self.conv1(x)))
    y = self.norm2(self.conv2(y))
    y = drop_path(y, keys, rate)
    return jax.nn.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Bottleneck(nnx.Module):
  """1x1 down, 3x3 (which carries the stride), 1x1 up, around a shortcut."""

  expansion = 4

  def __init__(self, on: int, width: int, *, stride: int, norm: Callable, zero: bool, dtype: str, rngs: nnx.Rngs):
    options, out = dict(dtype=dtype, rngs=rngs), width * self.expansion
    self.conv1 = Conv(on, width, kernel=1, **options)
    self.norm1 = norm(width, rngs=rngs)
    self.conv2 = Conv(width, width, kernel=3, stride=stride, padding=1, **options)
    self.norm2 = norm(width, rngs=rngs)
    self.conv3 = Conv(width, out, kernel=1, **options)
    self.norm3 = norm(out, zero=zero, rngs=rngs)
    self.shortcut = Shortcut(on, out, stride=stride, norm=norm, **options) if stride > 1 or on != out else None

  def __call__(self, x: Array, *, keys: Keys | None = None, rate: float | Array = 0.0) -> Array:
    y = jax.nn.relu(self.norm1(self.conv1(x)))
    y = jax.nn.relu(self.norm2(self.conv2(y)))
    y = self.norm3(self.conv3(y))
    y = drop_path(y, keys, rate)
    return jax.nn.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Shortcut(nnx.Module):
  """A 1x1 projection of every stride-th cell."""

  def __init__(self, on: int, width: int, *, stride: int, norm: Callable, dtype: str, rngs: nnx.Rngs):
    self.conv = Conv(on, width, kernel=1, dtype=dtype, rngs=rngs)
    self.norm = norm(width, rngs=rngs)
    self.stride = stride

  def __call__(self, x: Array) -> Array:
    return self.norm(self.conv(x[:, :: self.stride, :: self.stride]))


BLOCKS = {'basic': Basic, 'bottleneck': Bottleneck}


class ResNet(nnx.Module):
  """A residual network without its classifier; tokens are the cells of the last map, pooled is their mean.

  Args:
    on: (h, w, c) of one image, or its ShapeDtypeStruct.
    block: 'basic' or 'bottleneck'.
    depths: blocks in each stage; every stage but the first halves the map.
    width: channels of the first stage, doubled from stage to stage.
    factor: multiplies every width.
    stem: 'imagenet' (7x7 at stride 2, then 3x3 max-pooling at stride 2) or 'cifar' (3x3 at stride 1); None for the
      latter on images below 64 pixels.
    norm: 'batch' or 'group'.
    zero: begin every residual branch at zero, by the scale of its last normalisation.
    momentum: of the running statistics of batch norm, as in `normalization`.
    drop_path: rate of stochastic depth of the last block, growing linearly from 0 at the first.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim`, `grid`, `channels`, `patch`, as in `ConvNet`.

  Raises:
    ValueError: an unknown block, stem or norm.

  Reference: He, Zhang, Ren, Sun, CVPR 2016, arXiv:1512.03385, Table 1 and section 4.2. The stride of a bottleneck sits
    in its 3x3 convolution ("v1.5", as torchvision has it). The stem for small images: Chen et al. (SimCLR),
    arXiv:2002.05709, appendix B.9. Zero start: Goyal et al., arXiv:1706.02677, section 5.1. GroupNorm: Wu, He,
    arXiv:1803.08494.
  """

  def __init__(
    self,
    on,
    *,
    block: str,
    depths: tuple[int, ...],
    width: int = 64,
    factor: int = 1,
    stem: str | None = None,
    norm: str = 'batch',
    zero: bool = True,
    momentum: float = 0.9,
    drop_path: float = 0.0,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    h, w, c = image_shape(on)
    stem = stem or ('cifar' if min(h, w) < 64 else 'imagenet')
    if stem not in ('cifar', 'imagenet'):
      raise ValueError(f"unknown stem {stem!r}: choose 'imagenet' or 'cifar'")
    if block not in BLOCKS:
      raise ValueError(f"unknown block {block!r}: choose 'basic' or 'bottleneck'")
    options, width, make = dict(dtype=dtype, rngs=rngs), width * factor, BLOCKS[block]
    self.block, self.stem, self.depths, self.channels, self.width, self.norms = block, stem, tuple(depths), c, width, norm
    self.drop_path, self.remat = drop_path, remat
    norm = partial(normalization, norm, momentum=momentum, dtype=dtype)
    kernel, stride = (7, 2) if stem == 'imagenet' else (3, 1)
    self.conv = Conv(c, width, kernel=kernel, stride=stride, padding=kernel // 2, **options)
    self.norm = norm(width, rngs=rngs)
    on = width
    for i, depth in enumerate(depths, 1):
      for j in range(1, depth + 1):
        made = make(on, width, stride=2 if i > 1 and j == 1 else 1, norm=norm, zero=zero, **options)
        setattr(self, f'stage{i}_block{j}', made)
        on = width * make.expansion
      width *= 2
    self.dim = on
    halvings = len(depths) - 1 + (2 if stem == 'imagenet' else 0)
    self.grid = tuple(-(-side // 2**halvings) for side in (h, w))
    self.patch = patch_of((h, w), self.grid)

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """[b h w c] -> tokens [b n d], pooled [b d]; cells of `mask` [b n] are blanked in the image."""
    whole(keep, 'a ResNet')
    x = self.maps(x, mask=mask, keys=keys)[-1]
    return Features(x.reshape(x.shape[0], -1, self.dim), jnp.mean(x, (1, 2)))

  def maps(self, x: Array, *, mask: Array | None = None, keys: Keys | None = None) -> list[Array]:
    """What every stage gives, [b h w d] each; as in a call."""
    x = jax.nn.relu(self.norm(self.conv(hide(x, mask, self.grid))))
    if self.stem == 'imagenet':
      x = nnx.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
    found, keys = [], keys if self.drop_path else None
    rates = iter(np.linspace(0, self.drop_path, sum(self.depths)))
    for i, depth in enumerate(self.depths, 1):
      for j in range(1, depth + 1):
        keyed = None if keys is None else fold(fold(keys, i), j)
        x = called(getattr(self, f'stage{i}_block{j}'), x, remat=self.remat, keys=keyed, rate=next(rates))
      found.append(x)
    return found


resnet18 = partial(ResNet, block='basic', depths=(2, 2, 2, 2))  # 11.2M parameters, d = 512
resnet34 = partial(ResNet, block='basic', depths=(3, 4, 6, 3))  # 21.3M, d = 512
resnet50 = partial(ResNet, block='bottleneck', depths=(3, 4, 6, 3))  # 23.5M, d = 2048
resnet101 = partial(ResNet, block='bottleneck', depths=(3, 4, 23, 3))  # 42.5M
resnet152 = partial(ResNet, block='bottleneck', depths=(3, 8, 36, 3))  # 58.1M
