"""A small U-Net that predicts noise, modulated by the noise level and by a code."""

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.convolution import Conv
from jssl.models.layers.normalization import normalization
from jssl.models.layers.shapes import image_shape
from jssl.models.layers.time import TimeEmbedding
from jssl.ops.patches import patchify, unpatchify
from jssl.types import Array, Keys


class ModulatedBlock(nnx.Module):
  """Norm, SiLU, convolution; adaptive group norm, SiLU, zero-initialised convolution; added to the input.

  h <- z_s ( t_s GroupNorm(h) + t_b ) + z_b, with (t_s, t_b) and (z_s, z_b) linear in the time and in the code; both scales are parametrised as
  1 + s.

  Reference: Hudson et al., CVPR 2024, arXiv:2311.17901, section 3; Dhariwal, Nichol, arXiv:2105.05233, section 3.
  """

  def __init__(self, on: int, width: int, *, time: int, code: int, dtype: str = 'float32', rngs: nnx.Rngs):
    options = dict(dtype=dtype, rngs=rngs)
    self.norm1, self.norm2 = normalization('group', on, **options), normalization('group', width, affine=False, **options)
    self.conv1 = Conv(on, width, bias=True, **options)
    self.conv2 = zeroed(Conv(width, width, bias=True, **options))
    self.time, self.code = nnx.Linear(time, 2 * width, **options), nnx.Linear(code, 2 * width, **options)
    self.skip = None if on == width else Conv(on, width, kernel=1, **options)

  def __call__(self, x: Array, time: Array, z: Array) -> Array:
    """x [b h w c], time [b t], z [b d] -> [b h w width]."""
    h = self.norm2(self.conv1(jax.nn.silu(self.norm1(x))))
    for net, given in ((self.time, jax.nn.silu(time)), (self.code, z)):
      scale, shift = jnp.split(net(given)[:, None, None], 2, -1)
      h = h * (1 + scale) + shift
    return self.conv2(jax.nn.silu(h)) + (x if self.skip is None else self.skip(x))


class UNet(nnx.Module):
  """A U-Net: blocks down to the coarsest map and up again, with skip connections at each level.

  Args:
    on: (h, w, c) of one image, or its ShapeDtypeStruct.
    code: width d of the code.
    widths: channels of each level, from fine to coarse; each level halves the side.
    patch: pixels along each side that become channels of the finest map.
    sections: number of parts of the code; the first modulates the finest levels, the last the coarsest. 1: the whole code everywhere.
    drop: probability that a section is zeroed in training.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: if the levels do not halve the image evenly, or the sections do not divide the code.

  Reference: Ronneberger, Fischer, Brox, MICCAI 2015, arXiv:1505.04597; Ho, Jain, Abbeel, NeurIPS 2020,
    arXiv:2006.11239, appendix B; sections and their masking: Hudson et al. (SODA), arXiv:2311.17901, section 3. Pixels as
    channels: Hoogeboom, Heek, Salimans, ICML 2023, arXiv:2301.11093.
  """

  def __init__(
    self,
    on,
    *,
    code: int,
    widths: tuple[int, ...] = (32, 64),
    patch: int = 1,
    sections: int = 1,
    drop: float = 0.0,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    h, w, c = image_shape(on)
    step = patch * 2 ** (len(widths) - 1)
    if h % step or w % step:
      raise ValueError(f'{len(widths)} levels on patches of {patch} need sides that {step} divides, not {h}x{w}')
    if code % sections:
      raise ValueError(f'{sections} sections do not divide a code of {code}')
    made = dict(dtype=dtype, rngs=rngs)
    options = dict(time=4 * widths[0], code=code // sections, **made)
    self.levels, self.patch, self.sections, self.drop, self.dim = len(widths), patch, sections, drop, c
    self.time = TimeEmbedding(4 * widths[0], **made)
    self.enter = Conv(c * patch**2, widths[0], bias=True, **made)
    for i, width in enumerate(widths):
      setattr(self, f'down{i}', ModulatedBlock(width, width, **options))
      setattr(self, f'up{i}', ModulatedBlock(2 * width, width, **options))
      if i + 1 < len(widths):
        setattr(self, f'shrink{i}', Conv(width, widths[i + 1], kernel=2, stride=2, bias=True, **made))
        setattr(self, f'grow{i}', Conv(widths[i + 1], width, kernel=1, bias=True, **made))
    self.middle = ModulatedBlock(widths[-1], widths[-1], **options)
    self.norm = normalization('group', widths[0], **made)
    self.leave = zeroed(Conv(widths[0], c * patch**2, bias=True, **made))

  def __call__(self, x: Array, time: Array, z: Array, *, keys: Keys | None = None) -> Array:
    """Noised images [b h w c], their levels [b], codes [b d] -> [b h w c]."""
    b, h, w, _ = x.shape
    z, time = z.reshape(b, self.sections, -1), self.time(time)
    if keys is not None and self.drop:
      kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - self.drop, (self.sections, 1)))(keys)
      z = jnp.where(kept, z, 0)
    section = lambda i: z[:, i * self.sections // self.levels]
    grid = h // self.patch, w // self.patch
    x = self.enter(patchify(x, self.patch).reshape(b, *grid, -1))
    maps = []
    for i in range(self.levels):
      x = getattr(self, f'down{i}')(x, time, section(i))
      maps.append(x)
      x = getattr(self, f'shrink{i}')(x) if i + 1 < self.levels else x
    x = self.middle(x, time, section(self.levels - 1))
    for i in reversed(range(self.levels)):
      if i + 1 < self.levels:
        x = jnp.repeat(jnp.repeat(getattr(self, f'grow{i}')(x), 2, 1), 2, 2)
      x = getattr(self, f'up{i}')(jnp.concatenate([x, maps[i]], -1), time, section(i))
    x = self.leave(jax.nn.silu(self.norm(x)))
    return unpatchify(x.reshape(b, -1, x.shape[-1]), self.patch, grid)


def zeroed(conv: Conv) -> Conv:
  """A zero-initialised convolution, so that its branch is initially 0."""
  conv.kernel[...] = jnp.zeros_like(conv.kernel[...])
  return conv
