"""Learned prototypes, and heads based on them."""

import jax
from flax import nnx

from jssl.models.heads.shapes import width_of
from jssl.models.layers.normalization import normalization
from jssl.models.layers.products import product
from jssl.ops.normalize import l2_normalize
from jssl.types import Array, Keys


class Prototypes(nnx.Module):
  """Cosine of each input with k learned prototypes; both are l2-normalised in the forward pass, in float32.

  SwAV's official code normalises the weights in place before each step instead; the gradient here is the projection of that gradient onto the
  tangent space of the sphere. DINO uses this parametrisation (weight normalisation with the gain fixed at 1).

  Args:
    on: input width, or the module that computes the input.
    k: number of prototypes.
    dtype: compute type of the product, whose results are float32; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Caron et al. (SwAV), NeurIPS 2020, arXiv:2006.09882, section 3.1; Salimans, Kingma,
    arXiv:1602.07868, Eq. 2.
  """

  def __init__(self, on: int | nnx.Module, *, k: int = 3000, dtype: str = 'float32', rngs: nnx.Rngs):
    self.kernel = nnx.Param(nnx.initializers.lecun_normal()(rngs.params(), (width_of(on), k)))
    self.dim, self.dtype = k, dtype

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... k], in [-1, 1]."""
    return product(l2_normalize(x).astype(self.dtype), l2_normalize(self.kernel[...], axis=0))

  @property
  def vectors(self) -> Array:
    """[k d], the unnormalised prototypes."""
    return self.kernel[...].T


class DinoHead(nnx.Module):
  """DINO's head: an MLP with GELU to an l2-normalised bottleneck, followed by k weight-normalised prototypes with gain 1.

  Args:
    on: input width, or the module that computes the input.
    k: number of prototypes.
    hidden: width of the MLP's hidden layers.
    bottleneck: width before the prototypes.
    layers: number of layers of the MLP.
    norm: normalisation of hidden layers: 'none' or 'batch'.
    momentum: momentum of the running statistics of batch norm, as in `normalization`.
    dtype: compute type; logits and parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Caron et al., ICCV 2021, arXiv:2104.14294, section 3.1 and appendix C. Kernels of the MLP N(0, 0.02^2).
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    k: int = 65536,
    hidden: int = 2048,
    bottleneck: int = 256,
    layers: int = 3,
    norm: str = 'none',
    momentum: float = 0.9,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    on, options = width_of(on), dict(kernel_init=nnx.initializers.normal(0.02), dtype=dtype, rngs=rngs)
    for i in range(1, layers):
      setattr(self, f'linear{i}', nnx.Linear(on, hidden, **options))
      setattr(self, f'norm{i}', normalization(norm, hidden, momentum=momentum, dtype=dtype, rngs=rngs))
      on = hidden
    self.linear = nnx.Linear(on, bottleneck, **options)
    self.prototypes = Prototypes(bottleneck, k=k, dtype=dtype, rngs=rngs)
    self.dim, self.hidden = k, layers - 1

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... k] logits, in [-1, 1]; the temperature is applied by the objective."""
    for i in range(1, self.hidden + 1):
      x = jax.nn.gelu(getattr(self, f'norm{i}')(getattr(self, f'linear{i}')(x)), approximate=False)
    return self.prototypes(self.linear(x))
