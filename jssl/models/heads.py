"""Heads: what stands on a backbone, or on another head.

Each takes `on`, the width of its input or a module with a `.dim`. Those that decode patches stand on the backbone
itself, and read its `.dim`, `.grid`, `.patch` and `.channels`.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models import positions
from jssl.models.blocks import Block, scan, stacked
from jssl.models.layers import LayerNorm, kernel_init, normalization
from jssl.parts.gradients import l2_normalize
from jssl.parts.patches import patch_sides
from jssl.types import Array, Keys

ACTIVATIONS = {'relu': jax.nn.relu, 'gelu': partial(jax.nn.gelu, approximate=False), 'elu': jax.nn.elu, 'tanh': jnp.tanh}


class Mlp(nnx.Module):
  """The projector or predictor of joint-embedding methods: (linear, norm, activation) a hidden width, then linear.

  | method | options |
  |---|---|
  | SimCLR, arXiv:2002.05709 | widths=(2048, 128), norm='none' |
  | MoCo v2, arXiv:2003.04297 | widths=(2048, 128), norm='none' |
  | BYOL, arXiv:2006.07733 | widths=(4096, 256), both heads |
  | SimSiam, arXiv:2011.10566 | widths=(2048, 2048, 2048), bias=False, final_bias=False, final_norm=True |
  | its predictor | widths=(512, 2048), bias=False |
  | Barlow Twins, arXiv:2103.03230 | widths=(8192, 8192, 8192), bias=False, final_bias=False |
  | VICReg, arXiv:2105.04906 | widths=(8192, 8192, 8192), final_bias=False |
  | MoCo v3, arXiv:2104.02057 | widths=(4096, 4096, 256), bias=False, final_bias=False, final_norm=True |
  | its predictor | the same with widths=(4096, 256) |
  | Latent MIM, arXiv:2407.15837 | widths=(4096, 4096, d), norm='layer', act='gelu', bias=False, final_bias=False, final_norm='layer' |
  | GRACE, arXiv:2006.04131 | widths=(d, d), norm='none', act='elu' |

  Args:
    on: width of the input, or the module stood on.
    widths: of the layers; the last is `dim`.
    norm: of hidden layers: 'batch', 'layer' or 'none'.
    act: of hidden layers: 'relu', 'gelu', 'elu' or 'tanh'.
    bias: of hidden linear layers.
    final_bias: of the last linear layer.
    final_norm: end in batch normalisation without scale and shift, or in what else `normalization` names, with both.
    final_act: activation of the output, as `act`; None for none.
    dtype: to compute in; parameters are float32.
    rngs: as nnx asks for.

  Kernels are N(0, 1 / fan-in), truncated, as in the official code of SimCLR and BYOL.
  """

  def __init__(self, on: int | nnx.Module, *, widths: tuple[int, ...] = (2048, 128), norm: str = 'batch',
               act: str = 'relu', bias: bool = True, final_bias: bool = True,
               final_norm: bool | str = False, final_act: str | None = None, dtype: str = 'float32', rngs: nnx.Rngs):
    if wrong := {act, final_act or act} - {*ACTIVATIONS}:
      raise ValueError(f'unknown activation {min(wrong)!r}: choose one of {", ".join(ACTIVATIONS)}')
    on, options = width_of(on), dict(dtype=dtype, rngs=rngs)
    for i, width in enumerate(widths[:-1], 1):
      setattr(self, f'linear{i}', nnx.Linear(on, width, use_bias=bias, **options))
      setattr(self, f'norm{i}', normalization(norm, width, **options))
      on = width
    self.dim, self.hidden, self.act, self.final_act = widths[-1], len(widths) - 1, act, final_act
    self.linear = nnx.Linear(on, self.dim, use_bias=final_bias, **options)
    kind = final_norm if isinstance(final_norm, str) else 'batch' if final_norm else 'none'
    self.norm = normalization(kind, self.dim, affine=isinstance(final_norm, str), **options)

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... dim]."""
    for i in range(1, self.hidden + 1):
      x = ACTIVATIONS[self.act](getattr(self, f'norm{i}')(getattr(self, f'linear{i}')(x)))
    x = self.norm(self.linear(x))
    return ACTIVATIONS[self.final_act](x) if self.final_act else x


class Linear(nnx.Module):
  """One linear map.

  Args:
    on: width of the input, or the module stood on.
    dim: width of the output; None for that of the input.
    bias: add one.
    dtype: to compute in; parameters are float32.
    rngs: as nnx asks for.
  """

  def __init__(self, on: int | nnx.Module, *, dim: int | None = None, bias: bool = True, dtype: str = 'float32',
               rngs: nnx.Rngs):
    self.dim = dim or width_of(on)
    self.linear = nnx.Linear(width_of(on), self.dim, use_bias=bias, dtype=dtype, rngs=rngs)

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... dim]."""
    return self.linear(x)


class Prototypes(nnx.Module):
  """Cosine of each input with k learned prototypes: both are l2-normalised, inside the forward pass and in float32.

  SwAV's official code normalises the weights in place before each step instead; the gradient here is that one's
  projection onto the sphere's tangent. DINO's is this parametrisation (weight normalisation with its gain fixed at 1).

  Args:
    on: width of the input, or the module stood on.
    k: number of prototypes.
    rngs: as nnx asks for.

  Reference: Caron et al. (SwAV), NeurIPS 2020, arXiv:2006.09882, section 3.1; Salimans, Kingma,
    arXiv:1602.07868, Eq. 2.
  """

  def __init__(self, on: int | nnx.Module, *, k: int = 3000, rngs: nnx.Rngs):
    self.kernel = nnx.Param(nnx.initializers.lecun_normal()(rngs.params(), (width_of(on), k)))
    self.dim = k

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... k], in [-1, 1]."""
    return l2_normalize(x) @ l2_normalize(self.kernel[...], axis=0)

  @property
  def vectors(self) -> Array:
    """[k d], one a prototype, as they are."""
    return self.kernel[...].T


class Dino(nnx.Module):
  """DINO's head: an MLP with GELU to a bottleneck, l2-normalised, against k weight-normalised prototypes of gain 1.

  Args:
    on: width of the input, or the module stood on.
    k: number of prototypes.
    hidden: width of the MLP's hidden layers.
    bottleneck: width before the prototypes.
    layers: of the MLP.
    norm: of hidden layers: 'none' or 'batch'.
    dtype: to compute the MLP in; the prototypes are float32.
    rngs: as nnx asks for.

  Reference: Caron et al., ICCV 2021, arXiv:2104.14294, section 3.1 and appendix C. Kernels of the MLP N(0, 0.02^2).
  """

  def __init__(self, on: int | nnx.Module, *, k: int = 65536, hidden: int = 2048, bottleneck: int = 256,
               layers: int = 3, norm: str = 'none', dtype: str = 'float32', rngs: nnx.Rngs):
    on, options = width_of(on), dict(kernel_init=nnx.initializers.normal(0.02), dtype=dtype, rngs=rngs)
    for i in range(1, layers):
      setattr(self, f'linear{i}', nnx.Linear(on, hidden, **options))
      setattr(self, f'norm{i}', normalization(norm, hidden, dtype=dtype, rngs=rngs))
      on = hidden
    self.linear = nnx.Linear(on, bottleneck, **options)
    self.prototypes = Prototypes(bottleneck, k=k, rngs=rngs)
    self.dim, self.hidden = k, layers - 1

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... k] logits, in [-1, 1]; the temperature is the objective's."""
    for i in range(1, self.hidden + 1):
      x = jax.nn.gelu(getattr(self, f'norm{i}')(getattr(self, f'linear{i}')(x)), approximate=False)
    return self.prototypes(self.linear(x))


class MaeDecoder(nnx.Module):
  """A light transformer from visible tokens to the pixels of every patch.

  The tokens are mapped to its width, joined by mask tokens, put back in order, given sine-cosine positions, run through
  blocks, normalised and mapped to pixels.

  Args:
    on: the backbone, which says how many patches there are and of how many pixels.
    width: of the decoder.
    depth: number of blocks.
    heads: of their attention.
    dim: numbers predicted for each patch, where they are other than its pixels.
    std: of kernels, as in `layers.kernel_init`; 0 for Xavier's uniform.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: as nnx asks for.

  Raises:
    ValueError: the backbone has no patches.

  Reference: He et al., CVPR 2022, arXiv:2111.06377, section 3 and appendix A.1. The official decoder also reads the
    class token, which is not among the tokens here.
  """

  def __init__(self, on: nnx.Module, *, width: int = 512, depth: int = 8, heads: int = 16, dim: int | None = None,
               std: float = 0., remat: bool = False, dtype: str = 'float32', rngs: nnx.Rngs):
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
    """Predict every patch.

    Args:
      x: [b m d], the tokens of the patches that were kept.
      restore: [b n] int32: patch i is the restore[i]-th of the kept ones followed by the hidden ones; the inverse of
        the permutation whose first m entries were kept (its argsort).
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

  The context's tokens with their positions, then a mask token at each target position, run through blocks; what comes
  out at the targets is mapped back to the backbone's width. Blocks of targets are predicted apart: one call each.

  Args:
    on: the backbone, whose grid the positions lie on.
    width: of the predictor, narrower than the backbone.
    depth: number of blocks.
    heads: of their attention.
    std: of kernels and the mask token.
    remat: recompute each block in the backward pass.
    dtype: to compute in; parameters are float32.
    rngs: as nnx asks for.

  Raises:
    ValueError: the backbone has no patches.

  Reference: Assran et al., CVPR 2023, arXiv:2301.08243, section 3 and appendix A.1 (384 wide; 6 deep for ViT-B, 12 for
    ViT-L). Kernels that write into the residual stream are divided by sqrt(2 l), as in the official code.
  """

  def __init__(self, on: nnx.Module, *, width: int = 384, depth: int = 6, heads: int = 12, std: float = 0.02,
               remat: bool = False, dtype: str = 'float32', rngs: nnx.Rngs):
    self.grid, _ = patches_of(on, 'an IJepaPredictor')
    self.dim, self.remat, self.temperature = on.dim, remat, temperature_of(on)
    options = dict(kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.embed = nnx.Linear(on.dim, width, **options)
    self.mask_token = nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (width,)))
    self.blocks = stacked(lambda rngs: Block(width, heads=heads, std=std, dtype=dtype, rngs=rngs), depth, rescale=True,
                          rngs=rngs)
    self.norm = LayerNorm(width, epsilon=1e-6, dtype=jnp.dtype(dtype), rngs=rngs)
    self.proj = nnx.Linear(width, self.dim, **options)

  def __call__(self, x: Array, context: Array, target: Array, *, keys: Keys | None = None) -> Array:
    """Predict target features.

    Args:
      x: [b m d], tokens of the context.
      context: [b m] int32, their positions.
      target: [b k] int32, the positions to predict.
      keys: unused.

    Returns:
      [b k d].
    """
    x = self.embed(x)
    table = jnp.asarray(positions.sincos(self.grid, x.shape[-1], self.temperature).astype(x.dtype))
    x = jnp.concatenate([x + table[context], self.mask_token[...].astype(x.dtype) + table[target]], 1)
    x, _ = scan(self.blocks, x, remat=self.remat)
    return self.proj(self.norm(x[:, context.shape[1]:]))


class Pixels(nnx.Module):
  """One linear map from each token to the pixels of its patch.

  Args:
    on: the backbone, which says of how many pixels a patch is.
    dtype: to compute in; parameters are float32.
    rngs: as nnx asks for.

  Raises:
    ValueError: the backbone has no patches.

  Reference: Xie et al. (SimMIM), CVPR 2022, arXiv:2111.09886, section 3.3.
  """

  def __init__(self, on: nnx.Module, *, dtype: str = 'float32', rngs: nnx.Rngs):
    _, self.dim = patches_of(on, 'a Pixels head')
    self.linear = nnx.Linear(on.dim, self.dim, kernel_init=nnx.initializers.normal(0.02), dtype=dtype, rngs=rngs)

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[b n d] -> [b n p*p*c]."""
    return self.linear(x)


class Scale(nnx.Module):
  """x exp(s) + bias for learned scalars: the inverse temperature of a similarity.

  exp(s) is capped at `max`; at the cap, only gradients that lead back down reach s, so it neither escapes nor sticks.
  CLIP: init 1/0.07, max 100. SigLIP: init 10, bias -10.

  Args:
    on: width of the input, or the module stood on; it is handed on as `dim`.
    init: exp(s) at the start.
    max: its cap.
    bias: where the bias starts; None for none.
    rngs: not needed.

  Reference: Radford et al. (CLIP), ICML 2021, arXiv:2103.00020, section 2.5; Zhai et al. (SigLIP), ICCV 2023,
    arXiv:2303.15343, Algorithm 1.
  """

  def __init__(self, on: int | nnx.Module, *, init: float = 1 / 0.07, max: float = 100., bias: float | None = None,
               rngs: nnx.Rngs | None = None):
    if not 0 < init <= max:
      raise ValueError(f'a scale must start above 0 and at most at its cap {max}, and starts at {init}')
    self.log_scale = nnx.Param(jnp.array(math.log(init)))
    self.bias = None if bias is None else nnx.Param(jnp.array(float(bias)))
    self.dim, self.max = width_of(on), max

  def __call__(self, x: Array | float = 1., *, keys: Keys | None = None) -> Array:
    """[...] -> [...], float32; without input the scale itself."""
    x = jnp.asarray(x, jnp.float32) * jnp.exp(_capped(self.log_scale[...], math.log(self.max)))
    return x if self.bias is None else x + self.bias[...]


@jax.custom_vjp
def _capped(x: Array, cap: float) -> Array:
  return jnp.minimum(x, cap)


_capped.defvjp(
  lambda x, cap: (jnp.minimum(x, cap), (x, cap)),
  lambda saved, g: (jnp.where((saved[0] < saved[1]) | (g > 0), g, 0), None))


def width_of(on: int | nnx.Module) -> int:
  """The width of what a head stands on.

  Raises:
    ValueError: neither a width nor a module with one.
  """
  width = getattr(on, 'dim', on)
  if not isinstance(width, int):
    raise ValueError(f'a head stands on a width or on a module with a `.dim`, and was given {type(on).__name__}')
  return width


def patches_of(on: nnx.Module, name: str) -> tuple[tuple[int, ...], int]:
  """The grid of a backbone's patches, and the numbers in a patch.

  Raises:
    ValueError: it has none.
  """
  if not getattr(on, 'patch', None):
    raise ValueError(f'{name} stands on a backbone with patches (a ViT), and was given {type(on).__name__}')
  return on.grid, math.prod(patch_sides(on.patch, len(on.grid))) * on.channels


def temperature_of(on: nnx.Module) -> float:
  """That of a backbone's sine-cosine positions, so that those of its heads agree with them."""
  return getattr(on, 'temperature', 10_000.)
