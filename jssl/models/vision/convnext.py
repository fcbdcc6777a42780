"""ConvNeXt, and its second version."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.blocks import rates_of_stages, scan, stacked
from jssl.models.layers.convolution import Conv, Depthwise
from jssl.models.layers.dropout import drop_path as dropped
from jssl.models.layers.dropout import hide
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.shapes import image_shape, whole
from jssl.models.vision.convnet import patch_of
from jssl.types import Array, Features, Keys, fold


class ResponseNorm(nnx.Module):
  """Global response normalisation: x + gamma x n + beta, n being a channel's norm over the map, over the mean of all channels' norms.

  Reference: Woo et al., CVPR 2023, arXiv:2301.00808, section 3, Algorithm 1.
  """

  def __init__(self, on: int, *, rngs: nnx.Rngs):
    self.scale, self.bias = nnx.Param(jnp.zeros(on)), nnx.Param(jnp.zeros(on))

  def __call__(self, x: Array) -> Array:
    # The floor keeps the gradient finite where a channel is 0 all over the map.
    norms = jnp.sqrt(jnp.maximum(jnp.sum(x.astype(jnp.float32) ** 2, (1, 2), keepdims=True), 1e-30))
    response = (norms / (jnp.mean(norms, -1, keepdims=True) + 1e-6)).astype(x.dtype)
    return x + self.scale[...].astype(x.dtype) * (x * response) + self.bias[...].astype(x.dtype)


class ConvNeXtBlock(nnx.Module):
  """x + gamma fc2(grn(gelu(fc1(norm(depthwise 7x7 of x))))), with stochastic depth; gamma or grn may be left out."""

  def __init__(self, on: int, *, grn: bool, layer_scale: float | None, epsilon: float, dtype: str, rngs: nnx.Rngs):
    options = dict(kernel_init=kernel_init(0.02), dtype=jnp.dtype(dtype), rngs=rngs)
    self.conv = Depthwise(on, dtype=dtype, rngs=rngs)
    self.norm = LayerNorm(on, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    self.fc1 = nnx.Linear(on, 4 * on, **options)
    self.grn = ResponseNorm(4 * on, rngs=rngs) if grn else None
    self.fc2 = nnx.Linear(4 * on, on, **options)
    self.gamma = None if layer_scale is None else nnx.Param(jnp.full(on, layer_scale))

  def __call__(self, x: Array, *, mask: None = None, keys: Keys | None = None, rate: Array | None = None) -> Array:
    y = jax.nn.gelu(self.fc1(self.norm(self.conv(x))), approximate=False)
    y = self.fc2(y if self.grn is None else self.grn(y))
    y = y if self.gamma is None else y * self.gamma[...].astype(y.dtype)
    return x + (y if rate is None else dropped(y, keys, rate))


class Downsample(nnx.Module):
  """Layer norm, then a convolution of 2x2 cells at stride 2; an odd last row or column is left out."""

  def __init__(self, on: int, width: int, *, epsilon: float, dtype: str, rngs: nnx.Rngs):
    self.norm = LayerNorm(on, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    self.conv = Conv(on, width, kernel=2, stride=2, padding=0, bias=True, std=0.02, dtype=dtype, rngs=rngs)

  def __call__(self, x: Array) -> Array:
    return self.conv(self.norm(x))


class ConvNeXt(nnx.Module):
  """A ConvNeXt without its classifier; tokens are the cells of the last map, pooled is their mean, layer-normalised.

  Parameters of a stage's blocks are stacked on a leading layer axis and scanned over. As in published weights, the tokens are not
  normalised.

  Args:
    on: (h, w, c) of one image, or its ShapeDtypeStruct; other sizes are taken too.
    depths: blocks in each stage; every stage but the first halves the map.
    widths: channels of each stage.
    patch: side of the cells that the stem cuts.
    grn: global response normalisation in the blocks, as in the second version.
    layer_scale: where the blocks' layer scale starts; None for none, as in the second version.
    epsilon: of the normalisations.
    final_epsilon: of the last one; None for the same.
    drop_path: rate of stochastic depth of the last block, growing linearly from 0 at the first.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim`, `grid`, `channels`, `patch`, as in `ConvNet`.

  Raises:
    ValueError: depths and widths are not as many, or the image is too small for so many stages.

  Reference: Liu et al., CVPR 2022, arXiv:2201.03545, section 2 and Appendix A.4; second version: Woo et al., CVPR 2023,
    arXiv:2301.00808, section 3 and Appendix A.1.
  """

  def __init__(
    self,
    on,
    *,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    patch: int = 4,
    grn: bool = False,
    layer_scale: float | None = 1e-6,
    epsilon: float = 1e-6,
    final_epsilon: float | None = None,
    drop_path: float = 0.0,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    h, w, c = image_shape(on)
    if len(depths) != len(widths):
      raise ValueError(f'a ConvNeXt was given {len(depths)} depths and {len(widths)} widths: give one of each a stage')
    grid = tuple(side // patch // 2 ** (len(depths) - 1) for side in (h, w))
    if not all(grid):
      least = patch * 2 ** (len(depths) - 1)
      raise ValueError(f'a ConvNeXt of {len(depths)} stages was given images of {h}x{w}: give at least {least}x{least}, or a smaller patch')
    options = dict(epsilon=epsilon, dtype=dtype, rngs=rngs)
    self.depths, self.widths, self.stride, self.channels, self.dim = tuple(depths), tuple(widths), patch, c, widths[-1]
    self.grn, self.layer_scale, self.epsilon, self.final_epsilon = grn, layer_scale, epsilon, final_epsilon or epsilon
    self.drop_path, self.remat, self.grid, self.patch = drop_path, remat, grid, patch_of((h, w), grid)
    self.stem = Conv(c, widths[0], kernel=patch, stride=patch, padding=0, bias=True, std=0.02, dtype=dtype, rngs=rngs)
    self.stem_norm = LayerNorm(widths[0], epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    for i, (depth, width) in enumerate(zip(depths, widths, strict=True), 1):
      if i > 1:
        setattr(self, f'down{i}', Downsample(widths[i - 2], width, **options))
      make = partial(ConvNeXtBlock, width, grn=grn, layer_scale=layer_scale, epsilon=epsilon, dtype=dtype)
      setattr(self, f'stage{i}', stacked(lambda rngs, make=make: make(rngs=rngs), depth, rngs=rngs))
    self.norm = LayerNorm(self.dim, epsilon=self.final_epsilon, dtype=jnp.dtype(dtype), rngs=rngs)

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """[b h w c] -> tokens [b n d], pooled [b d]; cells of `mask` [b n] are blanked in the image."""
    whole(keep, 'a ConvNeXt')
    x = self.maps(x, mask=mask, keys=keys)[-1]
    return Features(x.reshape(x.shape[0], -1, self.dim), self.norm(jnp.mean(x, (1, 2))))

  def maps(self, x: Array, *, mask: Array | None = None, keys: Keys | None = None) -> list[Array]:
    """What every stage gives, [b h w d] each; as in a call."""
    x, found = self.stem_norm(self.stem(hide(x, mask, self.grid))), []
    for i, rates in enumerate(rates_of_stages(self.drop_path, self.depths), 1):
      x = getattr(self, f'down{i}')(x) if i > 1 else x
      keyed = None if keys is None else fold(keys, i)
      x, _ = scan(getattr(self, f'stage{i}'), x, keys=keyed, drop_path=rates, remat=self.remat)
      found.append(x)
    return found


convnext_tiny = partial(ConvNeXt, depths=(3, 3, 9, 3), widths=(96, 192, 384, 768))  # 27.8M parameters, d = 768
convnext_small = partial(ConvNeXt, depths=(3, 3, 27, 3), widths=(96, 192, 384, 768))  # 49.5M, d = 768
convnext_base = partial(ConvNeXt, depths=(3, 3, 27, 3), widths=(128, 256, 512, 1024))  # 87.6M, d = 1024
convnextv2_tiny = partial(convnext_tiny, grn=True, layer_scale=None)  # 27.9M, d = 768
convnextv2_base = partial(convnext_base, grn=True, layer_scale=None)  # 87.7M, d = 1024
