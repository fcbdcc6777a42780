"""Decoders and predictors of masked patches."""

import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import patches_of, temperature_of
from jssl.models.layers import positions
from jssl.models.layers.blocks import Block, scan, stacked
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.types import Array, Keys


class MaeDecoder(nnx.Module):
  """A lightweight transformer from visible tokens to the pixels of every patch.

  Tokens are projected to its width, completed with mask tokens, restored to their order, given sine-cosine position embeddings, passed through
  blocks, normalised and projected to pixels.

  Args:
    on: the backbone, which determines the number and the size of patches.
    width: width of the decoder.
    depth: number of blocks.
    heads: number of attention heads.
    dim: number of outputs per patch, if not its pixels.
    std: standard deviation of initial kernels, as in `layers.kernel_init`; 0 for Xavier's uniform.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: if the backbone has no patches.

  Reference: He et al., CVPR 2022, arXiv:2111.06377, section 3 and appendix A.1. The official decoder also reads the class token, which is not
    included in the tokens here.
  """

  def __init__(
    self,
    on: nnx.Module,
    *,
    width: int = 512,
    depth: int = 8,
    heads: int = 16,
    dim: int | None = None,
    std: float = 0.0,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.grid, pixels = patches_of(on, 'a MaeDecoder')
    self.dim = dim or pixels
    self.width, self.remat, self.temperature = width, remat, temperature_of(on)
    options = dict(kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.embed = nnx.Linear(on.dim, width, **options)
    self.mask_token = nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (width,)))
    self.blocks = stacked(lambda rngs: Block(width, heads=heads, std=std, dtype=dtype, rngs=rngs), depth, rngs=rngs)
    self.norm = LayerNorm(width, epsilon=1e-6, dtype=jnp.dtype(dtype), rngs=rngs)
    self.pixels = nnx.Linear(width, self.dim, **options)

  def __call__(self, x: Array, restore: Array, *, keys: Keys | None = None) -> Array:
    """Predicts every patch.

    Args:
      x: [b m d], the tokens of the visible patches.
      restore: [b n] int32: patch i is the restore[i]-th of the visible ones followed by the masked ones; the inverse (argsort) of the
        permutation whose first m entries are visible.
      keys: unused.

    Returns:
      [b n p*p*c], in raster order.
    """
    x = self.embed(x)
    (b, m, d), n = x.shape, restore.shape[1]
    x = jnp.concatenate([x, jnp.broadcast_to(self.mask_token[...].astype(x.dtype), (b, n - m, d))], 1)
    x = jnp.take_along_axis(x, restore[..., None], 1) + positions.sincos(self.grid, d, self.temperature).astype(x.dtype)
    x, _ = scan(self.blocks, x, remat=self.remat)
    return self.pixels(self.norm(x))


class IJepaPredictor(nnx.Module):
  """A narrow transformer from the tokens of a context block to the features of a target block.

  The context's tokens with their positions, then a mask token at each target position, run through blocks; the outputs at the targets are
  projected to the backbone's width. Target blocks are predicted separately, with one call each.

  Args:
    on: the backbone, which determines the grid of positions.
    width: width of the predictor, smaller than that of the backbone.
    depth: number of blocks.
    heads: number of attention heads.
    kinds: number of kinds of masks, each with a mask token of its own, that start at 0; None for one, drawn at random.
    dim: number of outputs per patch, if not the backbone's width.
    std: standard deviation of initial kernels and of the mask token.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: if the backbone has no patches.

  Reference: Assran et al., CVPR 2023, arXiv:2301.08243, section 3 and appendix A.1 (384 wide; 6 deep for ViT-B, 12 for
    ViT-L). Kernels that write into the residual stream are divided by sqrt(2 l), as in the official code. Bardes et al. (V-JEPA),
    arXiv:2404.08471, section 3.3, with a mask token for each kind of mask; its official code draws the kernels anew, and does not divide them.
  """

  def __init__(
    self,
    on: nnx.Module,
    *,
    width: int = 384,
    depth: int = 6,
    heads: int = 12,
    kinds: int | None = None,
    dim: int | None = None,
    std: float = 0.02,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.grid, _ = patches_of(on, 'an IJepaPredictor')
    self.dim, self.remat, self.temperature = dim or on.dim, remat, temperature_of(on)
    options = dict(kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.embed = nnx.Linear(on.dim, width, **options)
    drawn = nnx.initializers.normal(0.02)(rngs.params(), (width,))
    self.mask_token = nnx.Param(drawn if kinds is None else jnp.zeros((kinds, width)))
    self.blocks = stacked(lambda rngs: Block(width, heads=heads, std=std, dtype=dtype, rngs=rngs), depth, rescale=True, rngs=rngs)
    self.norm = LayerNorm(width, epsilon=1e-6, dtype=jnp.dtype(dtype), rngs=rngs)
    self.proj = nnx.Linear(width, self.dim, **options)

  def __call__(self, x: Array, context: Array, target: Array, *, kind: int | None = None, keys: Keys | None = None) -> Array:
    """Predicts target features.

    Args:
      x: [b m d], tokens of the context.
      context: [b m] int32, their positions.
      target: [b k] int32, the positions to predict.
      kind: which mask token stands for them, where there are several.
      keys: unused.

    Returns:
      [b k d].
    """
    x = self.embed(x)
    table = jnp.asarray(positions.sincos(self.grid, x.shape[-1], self.temperature).astype(x.dtype))
    mask_token = self.mask_token[...] if kind is None else self.mask_token[...][kind]
    x = jnp.concatenate([x + table[context], mask_token.astype(x.dtype) + table[target]], 1)
    x, _ = scan(self.blocks, x, remat=self.remat)
    return self.proj(self.norm(x[:, context.shape[1] :]))


class Pixels(nnx.Module):
  """One linear map from each token to the pixels of its patch.

  Args:
    on: the backbone, which determines the number of pixels of a patch.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: if the backbone has no patches.

  Reference: Xie et al. (SimMIM), CVPR 2022, arXiv:2111.09886, section 3.3.
  """

  def __init__(self, on: nnx.Module, *, dtype: str = 'float32', rngs: nnx.Rngs):
    _, self.dim = patches_of(on, 'a Pixels head')
    self.linear = nnx.Linear(on.dim, self.dim, kernel_init=nnx.initializers.normal(0.02), dtype=dtype, rngs=rngs)

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[b n d] -> [b n p*p*c]."""
    return self.linear(x)
