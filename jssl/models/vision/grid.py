"""A vision transformer for grids of any number of axes: frames of a sequence, tubelets of a clip."""

import math
from functools import partial

import jax.numpy as jnp
from flax import nnx

from jssl.models.layers import positions
from jssl.models.layers.blocks import Block, scan, stacked
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.shapes import shape_of
from jssl.ops.patches import patch_sides, patchify, take
from jssl.types import Array, Features, Keys


class GridTransformer(nnx.Module):
  """A pre-norm transformer over the patches of a grid with fixed sine-cosine positions; pooled is the mean of the tokens.

  Args:
    on: (*sides, c) of one example, or its ShapeDtypeStruct: (t, c) for a sequence, (t, h, w, c) for a clip.
    width: d; positions of the next multiple of twice the number of axes are cut to it.
    depth: number of blocks.
    heads: number of attention heads.
    patch: side of a patch, one for all axes or one per axis.
    dropout, drop_path: dropout and stochastic depth rates in the blocks.
    temperature: temperature of the positions, here and in heads for this backbone.
    mask_token: learn what stands for hidden patches; without it they are zeros.
    std: standard deviation of initial kernels, as in `layers.kernel_init`; 0 for Xavier's uniform.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Attributes: `dim` = d, `patch` (one side per axis), `grid` (patches along each axis), `channels`.

  Raises:
    ValueError: if the patch does not divide the example.

  Reference: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929; tubelets: Arnab et al. (ViViT), ICCV 2021, arXiv:2103.15691,
    section 3.2; Tong, Song, Wang, Wang (VideoMAE), NeurIPS 2022, arXiv:2203.12602, section 3. Positions that are cut: `uniform_power` in the
    official code of V-JEPA, arXiv:2404.08471, which has the axes in the other order.
  """

  def __init__(
    self,
    on,
    *,
    width: int,
    depth: int,
    heads: int,
    patch: int | tuple[int, ...],
    dropout: float = 0.0,
    drop_path: float = 0.0,
    temperature: float = 10_000.0,
    mask_token: bool = True,
    std: float = 0.0,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    *sides, c = shape_of(on)
    self.patch = patch_sides(patch, len(sides))
    if len(self.patch) != len(sides) or any(side % p for side, p in zip(sides, self.patch, strict=True)):
      raise ValueError(f'patches of {self.patch} do not divide {tuple(sides)}: give one side an axis that divides it')
    self.grid = tuple(side // p for side, p in zip(sides, self.patch, strict=True))
    self.dim, self.channels, self.drop_path, self.temperature = width, c, drop_path, temperature
    self.remat, self.dtype, options = remat, dtype, dict(dtype=jnp.dtype(dtype), rngs=rngs)
    self.embed = nnx.Linear(math.prod(self.patch) * c, width, kernel_init=kernel_init(std), **options)
    self.mask_token = nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (width,))) if mask_token else None
    self.blocks = stacked(lambda rngs: Block(width, heads=heads, dropout=dropout, std=std, dtype=dtype, rngs=rngs), depth, rngs=rngs)
    self.norm = LayerNorm(width, epsilon=1e-6, **options)

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """x [b *sides c] -> tokens [b n d] (or [b m d]), pooled [b d], layers; `mask`, `keep` and `keys` as in `ViT`."""
    step = 2 * len(self.grid)
    places = positions.sincos(self.grid, step * math.ceil(self.dim / step), self.temperature)[:, : self.dim]
    places = jnp.asarray(places).astype(self.dtype)[None]
    x = patchify(x.astype(self.dtype), self.patch)
    if keep is not None:
      x, places = take(x, keep), places[0][keep]
    x = self.embed(x)
    if mask is not None:
      mask = mask if keep is None else jnp.take_along_axis(mask, keep, 1)
      x = jnp.where(mask[..., None], 0 if self.mask_token is None else self.mask_token[...].astype(x.dtype), x)
    x = x + places
    y, layers = scan(self.blocks, x, keys=keys, drop_path=self.drop_path, remat=self.remat)
    y = self.norm(y)
    return Features(y, jnp.mean(y, 1), jnp.concatenate([x[None], layers]))


frame_transformer = partial(GridTransformer, patch=1)
tubelet_vit = partial(GridTransformer, patch=(2, 4, 4))
