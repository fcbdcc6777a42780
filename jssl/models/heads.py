"""Heads: small networks on a backbone's features, thrown away after training."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.layers import width_of
from jssl.models.vit import Blocks, sincos
from jssl.parts.gradients import l2_normalize
from jssl.parts.patches import take
from jssl.types import Array, Keys


class MlpHead(nnx.Module):
  """Linear layers with a norm and a ReLU between them: projector and predictor of SimCLR, BYOL, Barlow Twins, ...

  The last layer is linear, and with `final_norm` batch-normalised without scale or shift (SimSiam, MoCo v3).
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    widths: Sequence[int] = (256, 64),
    norm: bool = True,
    final_norm: bool = False,
    rngs: nnx.Rngs,
  ):
    sizes = (width_of(on), *widths)
    last = len(widths) - 1
    bias = lambda i: not (final_norm if i == last else norm)  # a norm takes its input's mean away
    self.layers = nnx.List([nnx.Linear(sizes[i], w, use_bias=bias(i), rngs=rngs) for i, w in enumerate(widths)])
    self.norms = nnx.List([nnx.BatchNorm(w, momentum=0.9, rngs=rngs) for w in widths[:-1]] if norm else [])
    self.final = (
      nnx.BatchNorm(widths[-1], momentum=0.9, use_scale=False, use_bias=False, rngs=rngs) if final_norm else None
    )
    self.dim = widths[-1]

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    del keys
    for i, layer in enumerate(self.layers):
      x = layer(x)
      if i < len(self.layers) - 1:
        x = jax.nn.relu(self.norms[i](x) if self.norms else x)
    return x if self.final is None else self.final(x)


class Linear(nnx.Module):
  """One linear layer on features or on every token; `width` is the input's unless said."""

  def __init__(self, on: int | nnx.Module, *, width: int | None = None, bias: bool = True, rngs: nnx.Rngs):
    self.dim = width or width_of(on)
    self.linear = nnx.Linear(width_of(on), self.dim, use_bias=bias, rngs=rngs)

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    del keys
    return self.linear(x)


class Prototypes(nnx.Module):
  """Cosines of the input with learned prototypes (SwAV)."""

  def __init__(self, on: int | nnx.Module, *, number: int = 300, rngs: nnx.Rngs):
    self.kernel = nnx.Param(jax.random.normal(rngs.params(), (width_of(on), number)))
    self.dim = number

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    del keys
    return l2_normalize(x) @ l2_normalize(self.kernel[...], 0)


class DinoHead(nnx.Module):
  """Three GELU layers, a bottleneck of unit length, and weight-normalised prototypes of norm 1 (DINO)."""

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    prototypes: int = 65536,
    hidden: int = 2048,
    bottleneck: int = 256,
    rngs: nnx.Rngs,
  ):
    init = jax.nn.initializers.truncated_normal(0.02)
    sizes = (width_of(on), hidden, hidden, bottleneck)
    self.layers = nnx.List([nnx.Linear(i, o, kernel_init=init, rngs=rngs) for i, o in zip(sizes, sizes[1:], strict=False)])
    self.prototypes = Prototypes(bottleneck, number=prototypes, rngs=rngs)
    self.dim = prototypes

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    del keys
    for layer in self.layers[:-1]:
      x = jax.nn.gelu(layer(x), approximate=False)
    return self.prototypes(self.layers[-1](x))


class MaeDecoder(nnx.Module):
  """A light transformer from the visible patches to the pixels of all (MAE)."""

  def __init__(self, on: nnx.Module, *, width: int = 512, depth: int = 8, heads: int = 16, rngs: nnx.Rngs):
    """
    Args:
      on: the vision transformer whose tokens it takes.
    """
    _needs_patches('mae_decoder', on)
    init = jax.nn.initializers.xavier_uniform()
    self.grid, self.width, self.dim = on.grid, width, on.patch * on.patch * on.channels
    self.embed = nnx.Linear(on.dim, width, kernel_init=init, rngs=rngs)
    self.mask_token = nnx.Param(jax.nn.initializers.truncated_normal(0.02)(rngs.params(), (width,)))
    self.blocks = Blocks(width, depth, heads, rngs=rngs)
    self.norm = nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs)
    self.pixels = nnx.Linear(width, self.dim, kernel_init=init, rngs=rngs)

  def __call__(self, tokens: Array, restore: Array, *, keys: Keys | None = None) -> Array:
    """tokens [b m d] of the visible patches; restore [b n] puts visible and hidden ones in order -> [b n pixels]."""
    x = self.embed(tokens)
    b, n = restore.shape
    hidden = jnp.broadcast_to(self.mask_token[...].astype(x.dtype), (b, n - x.shape[1], self.width))
    x = take(jnp.concatenate([x, hidden], 1), restore) + sincos(self.width, self.grid)
    return self.pixels(self.norm(self.blocks(x, keys=keys)[0]))


class JepaPredictor(nnx.Module):
  """A narrow transformer that tells the features at given positions from those of a context (I-JEPA)."""

  def __init__(self, on: nnx.Module, *, width: int = 384, depth: int = 12, heads: int = 12, rngs: nnx.Rngs):
    """
    Args:
      on: the vision transformer whose tokens it takes and predicts.
    """
    _needs_patches('ijepa_predictor', on)
    init = jax.nn.initializers.truncated_normal(0.02)
    self.grid, self.width, self.dim = on.grid, width, on.dim
    self.embed = nnx.Linear(on.dim, width, kernel_init=init, rngs=rngs)
    self.mask_token = nnx.Param(init(rngs.params(), (width,)))
    self.blocks = Blocks(width, depth, heads, rngs=rngs)
    self.norm = nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs)
    self.out = nnx.Linear(width, on.dim, kernel_init=init, rngs=rngs)

  def __call__(self, tokens: Array, context: Array, targets: Array, *, keys: Keys | None = None) -> Array:
    """tokens [b m d] at positions context [b m] -> predictions [b t d] at positions targets [b t]."""
    places = jnp.asarray(sincos(self.width, self.grid))
    x = self.embed(tokens) + places[context]
    asked = self.mask_token[...] + places[targets]
    y = self.blocks(jnp.concatenate([x, asked.astype(x.dtype)], 1), keys=keys)[0]
    return self.out(self.norm(y[:, x.shape[1] :]))


class PixelHead(nnx.Module):
  """The pixels of each patch by one linear layer on its token (SimMIM)."""

  def __init__(self, on: nnx.Module, *, rngs: nnx.Rngs):
    _needs_patches('pixel_head', on)
    self.dim = on.patch * on.patch * on.channels
    self.linear = nnx.Linear(on.dim, self.dim, rngs=rngs)

  def __call__(self, tokens: Array, *, keys: Keys | None = None) -> Array:
    del keys
    return self.linear(tokens)


class Scale(nnx.Module):
  """A learned positive number exp(t), at most `most`: CLIP's inverse temperature."""

  def __init__(self, on: int | nnx.Module = 0, *, start: float = 1 / 0.07, most: float = 100.0, rngs: nnx.Rngs):
    del on, rngs
    self.log = nnx.Param(jnp.log(jnp.float32(start)))
    self.most, self.dim = most, 0

  def __call__(self) -> Array:
    return jnp.minimum(jnp.exp(self.log[...]), self.most)


def _needs_patches(name: str, on: nnx.Module) -> None:
  if not hasattr(on, 'patch'):
    raise ValueError(f'{name} needs a backbone that cuts its input into patches, such as vit, not {type(on).__name__}')
