"""Vision transformers."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl.models.attention import SelfAttention
from jssl.models.layers import drop_path, dropout
from jssl.parts.patches import patchify, take
from jssl.types import Array, Features, Keys, fold


class Block(nnx.Module):
  """Attention and a two-layer MLP, each after a layer norm and added to its input."""

  def __init__(self, dim: int, heads: int, *, mlp: float = 4.0, rngs: nnx.Rngs):
    hidden, init = int(dim * mlp), jax.nn.initializers.xavier_uniform()
    self.norm1, self.norm2 = nnx.LayerNorm(dim, epsilon=1e-6, rngs=rngs), nnx.LayerNorm(dim, epsilon=1e-6, rngs=rngs)
    self.attention = SelfAttention(dim, heads, rngs=rngs)
    self.fc1 = nnx.Linear(dim, hidden, kernel_init=init, rngs=rngs)
    self.fc2 = nnx.Linear(hidden, dim, kernel_init=init, rngs=rngs)

  def __call__(
    self,
    x: Array,
    *,
    mask: Array | None = None,
    causal: bool = False,
    rate: float = 0.0,
    path: Array | float = 0.0,
    keys: Keys | None = None,
  ) -> Array:
    drop = lambda y, i: y if keys is None else drop_path(dropout(y, rate, fold(keys, i)), path, fold(keys, i + 2))
    x = x + drop(self.attention(self.norm1(x), mask, causal), 0)
    return x + drop(self.fc2(jax.nn.gelu(self.fc1(self.norm2(x)), approximate=False)), 1)


class Blocks(nnx.Module):
  """A stack of blocks, their parameters along a leading axis, run by a scan: one block is compiled, whatever the depth."""

  def __init__(
    self,
    dim: int,
    depth: int,
    heads: int,
    *,
    mlp: float = 4.0,
    rate: float = 0.0,
    path: float = 0.0,
    remat: bool = False,
    rngs: nnx.Rngs,
  ):
    if dim % heads:
      raise ValueError(f'width {dim} does not divide over {heads} heads')
    create = nnx.vmap(lambda key: Block(dim, heads, mlp=mlp, rngs=nnx.Rngs(key)))
    self.block = create(jax.random.split(rngs.params(), depth))
    self.depth, self.rate, self.path, self.remat = depth, rate, path, remat

  def __call__(
    self, x: Array, *, mask: Array | None = None, causal: bool = False, keys: Keys | None = None
  ) -> tuple[Array, Array]:
    """x [b n d] -> the last block's output, and every block's, [depth b n d]."""
    graph, params = nnx.split(self.block)
    paths = jnp.linspace(0, self.path, self.depth)

    def run(x, layer):
      i, params, path = layer
      drop = dict(rate=self.rate, keys=fold(keys, i)) if keys is not None and (self.rate or self.path) else {}
      x = nnx.merge(graph, params)(x, mask=mask, causal=causal, **drop, **(dict(path=path) if drop and self.path else {}))
      return x, x

    return jax.lax.scan(jax.checkpoint(run) if self.remat else run, x, (jnp.arange(self.depth), params, paths))


class ViT(nnx.Module):
  """Vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929), pre-norm, with fixed sine-cosine positions as in MAE."""

  def __init__(
    self,
    on: jax.ShapeDtypeStruct,
    *,
    width: int = 192,
    depth: int = 12,
    heads: int = 3,
    patch: int = 16,
    mlp: float = 4.0,
    pool: str = 'mean',
    dropout: float = 0.0,
    drop_path: float = 0.0,
    remat: bool = False,
    rngs: nnx.Rngs,
  ):
    """
    Args:
      on: shape [h w c] of one image.
      patch: side of a patch in pixels, a divisor of h and w.
      mlp: hidden width of a block over its width.
      pool: 'mean' over patch tokens, or 'cls', a class token that comes first.
      dropout, drop_path: rates; drop_path rises linearly from 0 to this over the blocks.
      remat: recompute blocks in the backward pass.
    """
    h, w, c = on.shape
    if h % patch or w % patch:
      raise ValueError(f'patch {patch} does not divide the image {h} x {w}; take a divisor such as {math.gcd(h, w)}')
    if pool not in ('mean', 'cls'):
      raise ValueError(f"pool is 'mean' or 'cls', not {pool!r}")
    if width % 4:
      raise ValueError(f'width {width} is not a multiple of 4, which sine-cosine positions in two dimensions need')
    self.dim, self.patch, self.grid, self.channels = width, patch, (h // patch, w // patch), c
    self.pool = pool
    normal = jax.nn.initializers.truncated_normal(0.02)
    self.embed = nnx.Linear(patch * patch * c, width, kernel_init=jax.nn.initializers.xavier_uniform(), rngs=rngs)
    self.mask_token = nnx.Param(normal(rngs.params(), (width,)))
    if pool == 'cls':
      self.class_token = nnx.Param(normal(rngs.params(), (width,)))
    self.blocks = Blocks(width, depth, heads, mlp=mlp, rate=dropout, path=drop_path, remat=remat, rngs=rngs)
    self.norm = nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs)

  def __call__(
    self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None
  ) -> Features:
    """
    Args:
      x: [b h w c]; other sizes than the one it was made for will do, if `patch` divides them.
      mask: [b n] true where a patch is replaced by the mask token.
      keep: [b m] positions of the patches that are encoded; the others are left out.
      keys: one an example, for dropout; None for none.
    """
    b, h, w, _ = x.shape
    grid = (h // self.patch, w // self.patch)
    x = self.embed(patchify(x, self.patch))
    if mask is not None:
      x = jnp.where(mask[..., None], self.mask_token[...].astype(x.dtype), x)
    # Positions of another size are those of this grid, stretched.
    x = x + sincos(self.dim, grid, self.grid).astype(x.dtype)
    if keep is not None:
      x = take(x, keep)
    if self.pool == 'cls':
      token = jnp.broadcast_to(self.class_token[...].astype(x.dtype), (b, 1, self.dim))
      x = jnp.concatenate([token, x], 1)
    y, layers = self.blocks(x, keys=keys)
    y = self.norm(y)
    pooled, tokens = (y[:, 0], y[:, 1:]) if self.pool == 'cls' else (y.mean(1), y)
    return Features(tokens, pooled, jnp.concatenate([x[None], layers]))


def sincos(dim: int, grid: tuple[int, int], of: tuple[int, int] | None = None) -> np.ndarray:
  """Sine-cosine positions in two dimensions, [n dim], a quarter each for sin and cos of column and row.

  With `of` the positions of `grid` are spread over a grid of that size.

  Reference: He et al. 2022, arXiv:2111.06377, appendix A; frequencies 10000^(-4i/dim) of Vaswani et al. 2017.
  """
  of = of or grid
  omega = 1 / 10000 ** (np.arange(dim // 4) / (dim / 4))
  # Pixel centres: (i + 1/2) scaled, less 1/2.
  axes = [(np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(grid, of, strict=True)]
  row, column = np.meshgrid(*axes, indexing='ij')
  angle = lambda position: position.reshape(-1, 1) * omega
  parts = [f(angle(p)) for p in (column, row) for f in (np.sin, np.cos)]
  return np.concatenate(parts, 1).astype(np.float32)


vit_tiny = partial(ViT, width=192, depth=12, heads=3)
vit_small = partial(ViT, width=384, depth=12, heads=6)
vit_base = partial(ViT, width=768, depth=12, heads=12)
vit_large = partial(ViT, width=1024, depth=24, heads=16)
