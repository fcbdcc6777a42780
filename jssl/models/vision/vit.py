"""Vision transformers."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.layers import positions
from jssl.models.layers.blocks import AttentionPool, Block, scan, stacked
from jssl.models.layers.convolution import Conv
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm, normalization
from jssl.models.layers.shapes import image_shape
from jssl.ops.patches import patchify, take
from jssl.types import Array, Features, Keys


class ViT(nnx.Module):
  """Patches of an image through a pre-norm transformer; tokens are the patches', pooled is the class token, a mean or what attends to them.

  Parameters of the blocks are stacked on a leading layer axis and scanned over, so one block is compiled, however many
  there are. The class token has no position of its own (it would add to the token itself), so `cls` here is the sum of
  the two in published weights.

  Args:
    on: (h, w, c) of one image, or its ShapeDtypeStruct; other sizes that the patch divides are taken too (smaller
      crops), by interpolating the positions.
    width: d.
    depth: number of blocks.
    heads: of the attention.
    patch: side of a patch in pixels; None for the largest of 16, 14, 8, 7, 4, 2, 1 that divides the image into at least
      7x7 patches.
    stem: widths of 3x3 convolutions of stride 2, each with batch norm and ReLU, whose map is cut into patches in place of
      the image: the hybrid form, which learns from few images. Patches of the map overlap in the image, so none can be hidden.
    image: (h, w) that the learned positions are of; None for those of `on`.
    pool: 'cls' (a class token), 'mean' (over the tokens encoded), 'attention' or 'query' (as in `AttentionPool`, with and without layers).
    queries: number of learned queries that attend to the patches, as in `AttentionPool` without layers; what they find are the tokens,
      which are pooled (CoCa, where `pool` is 'query'). None for none.
    class_token: prepend one; None for where it is pooled.
    positions: 'learned', 'sincos' (fixed) or 'rotary' (of the patches alone, in each block).
    temperature: of positions that are not learned, here and in the heads that stand on this.
    antialias: smooth where positions are interpolated, as in `positions.resize`.
    mask_token: learn what stands for hidden patches; without it they are zeros.
    ratio: width of a block's hidden layer over d.
    hidden: width of a block's hidden layer; None for what `ratio` says.
    registers: number of learned tokens without a position that are dropped at the end.
    dropout: rate in the blocks.
    drop_path: rate of stochastic depth of the last block, growing linearly from 0 at the first.
    layer_scale: start of the blocks' layer scale, or None for none.
    qk_norm: layer-normalise queries and keys.
    bias, key_bias, activation, gated: as in `Block`.
    epsilon: of the normalisations.
    pre_norm: normalise what enters the blocks, and add no bias to the patches (CLIP).
    pooled_norm: normalise what is pooled alone, and not the tokens (CLIP; in timm, means).
    std: of kernels, as in `layers.kernel_init`: 0.02 (BEiT, DINO, I-JEPA) or 0 for Xavier (MAE, MoCo v3).
    rescale: shrink what blocks write into the residual stream by depth (BEiT, I-JEPA).
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim` = d, `patch`, `grid` (rows, columns) of patches, `table` (rows, columns) of positions, `channels` of the image.

  Raises:
    ValueError: the patch does not divide the image, the heads do not divide d, an unknown pool or positions, no class token to pool.

  Reference: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, Eq. 1-4, Table 1, and section 3.1 for the hybrid; its stem of strided
    convolutions: Xiao et al., NeurIPS 2021, arXiv:2106.14881, section 4; ViT-Ti and ViT-S: Touvron et al. (DeiT), arXiv:2012.12877,
    Table 1; ViT-g: Zhai et al., CVPR 2022, arXiv:2106.04560, Table 2. Registers: Darcet et al., arXiv:2309.16588. Interpolated
    positions: Caron et al. (DINO), arXiv:2104.14294. Rotary positions: Simeoni et al. (DINOv3), arXiv:2508.10104, section 3.2. Norm
    before the blocks: Radford et al. (CLIP), arXiv:2103.00020, section 2.4. Mask token before the positions: Bao et al. (BEiT),
    arXiv:2106.08254, section 2.3. Encoding only what is kept: He et al. (MAE), arXiv:2111.06377, section 3. Queries: Yu et
    al. (CoCa), TMLR 2022, arXiv:2205.01917, section 3.2.
  """

  def __init__(
    self,
    on,
    *,
    width: int,
    depth: int,
    heads: int,
    patch: int | None = None,
    stem: tuple[int, ...] = (),
    image: tuple[int, int] | None = None,
    pool: str = 'cls',
    queries: int | None = None,
    class_token: bool | None = None,
    positions: str = 'learned',
    temperature: float = 10_000.0,
    antialias: bool = False,
    mask_token: bool = True,
    ratio: float = 4.0,
    hidden: int | None = None,
    registers: int = 0,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    layer_scale: float | None = None,
    qk_norm: bool = False,
    bias: bool = True,
    key_bias: bool = True,
    activation: str = 'gelu',
    gated: bool = False,
    epsilon: float = 1e-6,
    pre_norm: bool = False,
    pooled_norm: bool = False,
    std: float = 0.02,
    rescale: bool = False,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    h, w, c = image_shape(on)
    self.channels, self.stem = c, len(stem)
    for i, d in enumerate(stem):
      setattr(self, f'conv{i}', Conv(c, d, stride=2, dtype=dtype, rngs=rngs))
      setattr(self, f'norm{i}', normalization('batch', d, dtype=dtype, rngs=rngs))
      h, w, c = -(-h // 2), -(-w // 2), d
    patch = patch or (1 if stem else _patch_for(h, w))
    if h % patch or w % patch:
      raise ValueError(f'patches of {patch} do not divide an image of {h}x{w}: choose a patch that does')
    class_token = pool == 'cls' if class_token is None else class_token
    if pool not in ('cls', 'mean', 'attention', 'query') or pool == 'cls' and (queries or not class_token):
      raise ValueError(f"cannot pool by {pool!r}: choose 'cls', where there is a class token and no queries, 'mean', 'attention' or 'query'")
    if positions not in ('learned', 'sincos', 'rotary'):
      raise ValueError(f"unknown positions {positions!r}: choose 'learned', 'sincos' or 'rotary'")
    self.dim, self.patch, self.grid = width, patch, (h // patch, w // patch)
    self.table = self.grid if image is None else tuple(-(-side // 2 ** len(stem)) // patch for side in image)
    self.temperature, self.antialias, self.rotary = temperature, antialias, positions == 'rotary'
    self.pool, self.registers, self.drop_path, self.remat, self.dtype = pool, registers, drop_path, remat, dtype
    self.pooled_norm = pooled_norm

    def tokens(*shape):
      return nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (*shape, width)))

    norm = dict(epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    made = dict(activation=activation, std=std, dtype=dtype)
    linear = dict(use_bias=not pre_norm, kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.embed = nnx.Linear(patch * patch * c, width, **linear)
    self.positions = tokens(self.table[0] * self.table[1]) if positions == 'learned' else None
    self.mask_token = tokens() if mask_token else None
    self.cls = tokens(1) if class_token else None
    self.register = tokens(registers) if registers else None
    self.pre_norm = LayerNorm(width, **norm) if pre_norm else None
    hidden = hidden or int(width * ratio)
    options = dict(heads=heads, hidden=hidden, dropout=dropout, layer_scale=layer_scale, qk_norm=qk_norm, epsilon=epsilon, **made)
    options |= dict(bias=bias, key_bias=key_bias, gated=gated)
    self.blocks = stacked(lambda rngs: Block(width, rngs=rngs, **options), depth, rescale=rescale, rngs=rngs)
    self.norm = LayerNorm(width, **norm)
    pooler = partial(AttentionPool, width, heads=heads, epsilon=epsilon, rngs=rngs, **made)
    self.head = pooler(hidden=hidden if pool == 'attention' else None) if pool in ('attention', 'query') else None
    self.queries = pooler(hidden=None, queries=queries) if queries else None

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """Encode images.

    Args:
      x: [b h w c].
      mask: [b n] bool, True = the patch is replaced by the mask token, or by zeros (its position stays).
      keep: [b m] int32, the patches that are encoded, in this order, each at its own position; None for all.
      keys: [b], or None for evaluation.

    Returns:
      tokens [b n d] (or [b m d], or [b queries d]) and pooled [b d], normalised (tokens not where `pooled_norm`); layers [l+1 b n d], the
      states of the patches from what enters the first block to what the last one gives, before the normalisation; classes [l+1 b d], the
      states of the class token, normalised.
    """
    if self.stem and not (mask is None and keep is None):
      raise ValueError('a ViT with a stem of convolutions cannot hide patches, which overlap in the image: leave the stem out')
    for i in range(self.stem):
      x = jax.nn.relu(getattr(self, f'norm{i}')(getattr(self, f'conv{i}')(x)))
    grid = x.shape[1] // self.patch, x.shape[2] // self.patch
    x, places = patchify(x.astype(self.dtype), self.patch), self._places(grid)
    if keep is not None:
      x, places = take(x, keep), places[keep]
    x = self.embed(x)
    if mask is not None:
      mask = mask if keep is None else jnp.take_along_axis(mask, keep, 1)
      x = jnp.where(mask[..., None], 0 if self.mask_token is None else self.mask_token[...].astype(x.dtype), x)
    x = x if self.rotary else x + places
    prefix = [p[...].astype(x.dtype) for p in (self.cls, self.register) if p is not None]
    n = sum(len(p) for p in prefix)
    x = jnp.concatenate([jnp.broadcast_to(p, (len(x), *p.shape)) for p in prefix] + [x], 1)
    x = x if self.pre_norm is None else self.pre_norm(x)
    # What stands before the patches is turned by 0.
    angles = jnp.pad(places, [(0, 0)] * (places.ndim - 2) + [(n, 0), (0, 0)]) if self.rotary else None
    y, layers = scan(self.blocks, x, rotary=angles, keys=keys, drop_path=self.drop_path, remat=self.remat)
    y, layers = y if self.pooled_norm else self.norm(y), jnp.concatenate([x[None], layers])
    tokens, classes = y[:, n:], None if self.cls is None else self.norm(layers[:, :, 0])
    tokens = tokens if self.queries is None else self.queries(tokens)
    pooled = y[:, 0] if self.pool == 'cls' else jnp.mean(tokens, 1) if self.head is None else self.head(tokens)
    return Features(tokens, self.norm(pooled) if self.pooled_norm else pooled, layers[:, :, n:], classes)

  def _places(self, grid: tuple[int, int]) -> Array:
    """Positions [n d] of a grid of patches, or the angles [n e] that stand for them."""
    if self.rotary:
      return jnp.asarray(positions.rotary(grid, self.blocks.attention.head, self.temperature))
    if self.positions is None:
      table, old = positions.sincos(self.grid, self.dim, self.temperature), self.grid
    else:
      table, old = self.positions[...], self.table
    return positions.resize(jnp.asarray(table), old, grid, antialias=self.antialias).astype(self.dtype)


def _patch_for(h: int, w: int) -> int:
  sizes = [p for p in (16, 14, 8, 7, 4, 2, 1) if h % p == 0 and w % p == 0]
  return next((p for p in sizes if min(h, w) // p >= 7), 1)


# For digits on a CPU, no published size; at such a width kernels of deviation 0.02 would drown patches in positions, and
# on such a grid waves of 10,000 patches would hardly tell its places apart.
vit_micro = partial(ViT, width=96, depth=4, heads=4, std=0.0, temperature=10.0)
vit_hybrid_micro = partial(ViT, width=96, depth=2, heads=4, stem=(32, 64, 128), std=0.0, temperature=10.0, pool='mean')
vit_tiny = partial(ViT, width=192, depth=12, heads=3)
vit_small = partial(ViT, width=384, depth=12, heads=6)
vit_base = partial(ViT, width=768, depth=12, heads=12)
vit_large = partial(ViT, width=1024, depth=24, heads=16)
vit_huge = partial(ViT, width=1280, depth=32, heads=16, patch=14)  # ViT-H/14, 631M parameters
vit_giant = partial(ViT, width=1408, depth=40, heads=16, hidden=6144, patch=14)  # ViT-g/14, 1,011M
