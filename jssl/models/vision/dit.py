"""A vision transformer conditioned on the noise level, and its decoder to pixels and noise."""

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import patches_of, temperature_of
from jssl.models.layers import positions
from jssl.models.layers.attention import Attention
from jssl.models.layers.blocks import FeedForward, scan, stacked
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.shapes import image_shape
from jssl.models.layers.time import TimeEmbedding
from jssl.ops.patches import patchify, take
from jssl.types import Array, Features, Keys


class ModulatedBlock(nnx.Module):
  """x + g1 attention(s1 norm(x) + b1), then x + g2 mlp(s2 norm(x) + b2), with g, s and b linear in the time embedding, initialised to zero.

  Reference: Peebles, Xie, ICCV 2023, arXiv:2212.09748, section 3.2, adaLN-Zero.
  """

  def __init__(self, on: int, *, heads: int, dtype: str = 'float32', rngs: nnx.Rngs):
    norm = dict(epsilon=1e-6, use_scale=False, use_bias=False, dtype=jnp.dtype(dtype), rngs=rngs)
    self.norm1, self.norm2 = LayerNorm(on, **norm), LayerNorm(on, **norm)
    self.attention = Attention(on, heads=heads, std=0.0, dtype=dtype, rngs=rngs)
    self.mlp = FeedForward(on, width=4 * on, std=0.0, dtype=dtype, rngs=rngs)
    self.modulation = nnx.Linear(on, 6 * on, kernel_init=nnx.initializers.zeros, dtype=jnp.dtype(dtype), rngs=rngs)

  def __call__(self, x: Array, *, time: Array, mask: Array | None = None, keys: Keys | None = None, rate: float | Array | None = None) -> Array:
    """x [b n d], time [b d] -> [b n d]; there is no dropout and no stochastic depth, so `keys` and `rate` are ignored."""
    s1, b1, g1, s2, b2, g2 = jnp.split(self.modulation(jax.nn.silu(time))[:, None], 6, -1)
    x = x + g1 * self.attention((1 + s1) * self.norm1(x) + b1, mask=mask)
    return x + g2 * self.mlp((1 + s2) * self.norm2(x) + b2)


class DiT(nnx.Module):
  """A transformer over patches with blocks modulated by the time; pooled is the mean of the tokens.

  Args:
    on: (h, w, c) of one image, or its ShapeDtypeStruct.
    width: d.
    depth: number of blocks.
    heads: number of attention heads.
    patch: side of a patch in pixels.
    temperature: temperature of the positions, here and in heads for this backbone.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: if the patch does not divide the image.

  Reference: Peebles, Xie, ICCV 2023, arXiv:2212.09748, section 3.2; Hansen-Estruch, Vishwanath, Zhang, Tomar (UMD),
    arXiv:2406.17688, section 3.
  """

  def __init__(
    self,
    on,
    *,
    width: int,
    depth: int,
    heads: int,
    patch: int,
    temperature: float = 10_000.0,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    h, w, c = image_shape(on)
    if h % patch or w % patch:
      raise ValueError(f'patches of {patch} do not divide an image of {h}x{w}: choose a patch that does')
    self.dim, self.patch, self.grid, self.channels = width, patch, (h // patch, w // patch), c
    self.temperature, self.remat, options = temperature, remat, dict(dtype=jnp.dtype(dtype), rngs=rngs)
    self.embed = nnx.Linear(patch * patch * c, width, kernel_init=nnx.initializers.xavier_uniform(), **options)
    self.time = TimeEmbedding(width, dtype=dtype, rngs=rngs)
    self.blocks = stacked(lambda rngs: ModulatedBlock(width, heads=heads, dtype=dtype, rngs=rngs), depth, rngs=rngs)
    self.norm = LayerNorm(width, epsilon=1e-6, **options)

  def __call__(self, x: Array, *, keep: Array | None = None, time: Array | None = None, keys: Keys | None = None) -> Features:
    """x [b h w c], keep [b m] as in `ViT`, time [b] (None for no noise) -> tokens [b m d], pooled [b d]."""
    places = jnp.asarray(positions.sincos(self.grid, self.dim, self.temperature)).astype(self.embed.dtype)
    x = patchify(x, self.patch)
    x = self.embed(x) + places if keep is None else self.embed(take(x, keep)) + places[keep]
    time = jnp.zeros(len(x)) if time is None else time
    x = self.norm(scan(self.blocks, x, remat=self.remat, time=self.time(time))[0])
    return Features(x, jnp.mean(x, 1))


class DiTDecoder(nnx.Module):
  """`MaeDecoder` with blocks modulated by the time, and two outputs per patch: its pixels and their noise.

  Args:
    on: the backbone, which determines the number and the size of patches.
    width: width of the decoder.
    depth: number of blocks.
    heads: number of attention heads.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: if the backbone has no patches.

  Reference: Hansen-Estruch, Vishwanath, Zhang, Tomar, arXiv:2406.17688, section 3.
  """

  def __init__(self, on: nnx.Module, *, width: int, depth: int, heads: int, remat: bool = False, dtype: str = 'float32', rngs: nnx.Rngs):
    self.grid, pixels = patches_of(on, 'a DiTDecoder')
    self.dim, self.temperature, self.remat = 2 * pixels, temperature_of(on), remat
    options = dict(dtype=jnp.dtype(dtype), rngs=rngs)
    self.embed = nnx.Linear(on.dim, width, kernel_init=nnx.initializers.xavier_uniform(), **options)
    self.mask_token = nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (width,)))
    self.time = TimeEmbedding(width, dtype=dtype, rngs=rngs)
    self.blocks = stacked(lambda rngs: ModulatedBlock(width, heads=heads, dtype=dtype, rngs=rngs), depth, rngs=rngs)
    self.norm = LayerNorm(width, epsilon=1e-6, **options)
    self.pixels = nnx.Linear(width, self.dim, kernel_init=nnx.initializers.xavier_uniform(), **options)

  def __call__(self, x: Array, restore: Array, time: Array, *, keys: Keys | None = None) -> Array:
    """x [b m d] and restore [b n] as in `MaeDecoder`, time [b] -> [b n 2p]."""
    x = self.embed(x)
    (b, m, d), n = x.shape, restore.shape[1]
    x = jnp.concatenate([x, jnp.broadcast_to(self.mask_token[...].astype(x.dtype), (b, n - m, d))], 1)
    x = jnp.take_along_axis(x, restore[..., None], 1) + positions.sincos(self.grid, d, self.temperature).astype(x.dtype)
    x, _ = scan(self.blocks, x, remat=self.remat, time=self.time(time))
    return self.pixels(self.norm(x))
