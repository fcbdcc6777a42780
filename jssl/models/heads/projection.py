"""Projectors and predictors: linear maps and MLPs."""

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import width_of
from jssl.models.layers import activations
from jssl.models.layers.activations import prelu
from jssl.models.layers.normalization import Identity, normalization
from jssl.types import Array, Keys

ACTIVATIONS = {**activations.ACTIVATIONS, 'elu': jax.nn.elu, 'tanh': jnp.tanh}


class ProjectionMlp(nnx.Module):
  """The projector or predictor of joint-embedding methods: (linear, norm, activation) per hidden width, then linear.

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
    on: input width, or the module that computes the input.
    widths: widths of the layers; the last is `dim`.
    norm: normalisation of hidden layers: 'batch', 'layer' or 'none'.
    act: activation of hidden layers, one of `ACTIVATIONS`: 'relu', 'gelu', 'elu', 'tanh' and others.
    bias: whether hidden linear layers have a bias.
    final_bias: whether the last linear layer has a bias.
    final_norm: end with batch normalisation without scale and shift, or with another kind of `normalization`, with both.
    final_act: activation of the output, as `act`; None for none.
    momentum: momentum of the running statistics of batch norm, as in `normalization`.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Kernels are N(0, 1 / fan-in), truncated, as in the official code of SimCLR and BYOL.
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    widths: tuple[int, ...] = (2048, 128),
    norm: str = 'batch',
    act: str = 'relu',
    bias: bool = True,
    final_bias: bool = True,
    final_norm: bool | str = False,
    final_act: str | None = None,
    momentum: float = 0.9,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    if wrong := {act, final_act or act} - {*ACTIVATIONS}:
      raise ValueError(f'unknown activation {min(wrong)!r}: choose one of {", ".join(ACTIVATIONS)}')
    on, options = width_of(on), dict(dtype=dtype, rngs=rngs)
    for i, width in enumerate(widths[:-1], 1):
      setattr(self, f'linear{i}', nnx.Linear(on, width, use_bias=bias, **options))
      setattr(self, f'norm{i}', normalization(norm, width, momentum=momentum, **options))
      on = width
    self.dim, self.hidden, self.act, self.final_act = widths[-1], len(widths) - 1, act, final_act
    self.linear = nnx.Linear(on, self.dim, use_bias=final_bias, **options)
    kind = final_norm if isinstance(final_norm, str) else 'batch' if final_norm else 'none'
    self.norm = normalization(kind, self.dim, affine=isinstance(final_norm, str), momentum=momentum, **options)

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... dim]."""
    for i in range(1, self.hidden + 1):
      x = ACTIVATIONS[self.act](getattr(self, f'norm{i}')(getattr(self, f'linear{i}')(x)))
    x = self.norm(self.linear(x))
    return ACTIVATIONS[self.final_act](x) if self.final_act else x


class Linear(nnx.Module):
  """One linear map.

  Args:
    on: input width, or the module that computes the input.
    dim: output width; None for the input width.
    bias: whether to add a bias.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.
  """

  def __init__(self, on: int | nnx.Module, *, dim: int | None = None, bias: bool = True, dtype: str = 'float32', rngs: nnx.Rngs):
    self.dim = dim or width_of(on)
    self.linear = nnx.Linear(width_of(on), self.dim, use_bias=bias, dtype=dtype, rngs=rngs)

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... dim]."""
    return self.linear(x)


class PReluMlp(nnx.Module):
  """Linear maps with a PReLU of one learned slope between each two, as the predictor of BGRL.

  Args:
    on: input width, or the module that computes the input.
    widths: widths of the layers; the last is `dim`.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Thakoor et al., ICLR 2022, arXiv:2102.06514; `predictors.py` of the official code, with widths=(512, d).
  """

  def __init__(self, on: int | nnx.Module, *, widths: tuple[int, ...], dtype: str = 'float32', rngs: nnx.Rngs):
    on, self.dim, self.depth = width_of(on), widths[-1], len(widths)
    for i, width in enumerate(widths):
      setattr(self, f'linear{i}', nnx.Linear(on, width, dtype=dtype, rngs=rngs))
      setattr(self, f'act{i}', prelu() if i < len(widths) - 1 else Identity())
      on = width

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... dim]."""
    for i in range(self.depth):
      x = getattr(self, f'act{i}')(getattr(self, f'linear{i}')(x))
    return x
