"""Views of images, drawn on the device inside the jitted step, and masks over their patches.

All randomness of example i comes from keys[i], so splitting the batch or sharding it over devices does not change results. Operations draw
independently: enabling one does not change the draws of the others.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jssl.ops.draws import between, inside, place, sides, uniform, wide
from jssl.ops.resample import bilinear
from jssl.types import Array, Batch, Keys, fold
from jssl.views.crop import Crop
from jssl.views.erasing import Erase, erased
from jssl.views.randaugment import RandAugment, drawn_operations

Range = float | tuple[float, float]
_ATTEMPTS = 10  # boxes that a random resized crop tries before it falls back to the centre
_DRAWS = dict(crop=2 * _ATTEMPTS + 2, affine=5, flip=1, vflip=1, jitter=9, grey=1, blur=2, solarize=1, cutout=3)
_HIGHEST = jax.lax.Precision.HIGHEST  # resampling in bfloat16 would cost one bit of every pixel


class Affine(NamedTuple):
  """Random affine map about the centre. A number r stands for the range (-r, r)."""

  degrees: Range = 0.0  # clockwise on the screen
  translate: Range | tuple[Range, Range] = 0.0  # share of the view's width and height; one number for both
  scale: tuple[float, float] = (1.0, 1.0)
  shear: Range = 0.0  # degrees, along x


class Jitter(NamedTuple):
  """Colour jitter. A number r stands for factors in (max(0, 1 - r), 1 + r), and for hue shifts in (-r, r)."""

  brightness: Range = 0.0
  contrast: Range = 0.0
  saturation: Range = 0.0
  hue: Range = 0.0
  p: float = 0.8
  shuffle: bool = True  # random order for each example; otherwise the order of these fields


class Blur(NamedTuple):
  """Gaussian blur, sigma in pixels of the view, truncated at `radius` (None: a twentieth of the view, at least 1)."""

  sigma: tuple[float, float] = (0.1, 2.0)
  p: float = 0.5
  radius: int | None = None


class Cutout(NamedTuple):
  """A square set to zero; its side is a share of the view's shorter side."""

  size: float = 0.5
  p: float = 1.0


def augment(
  keys: Keys,
  batch: Batch,
  *,
  column: str = 'image',
  views: int | Sequence[Mapping[str, Any]] = 2,
  size: int | tuple[int, int] | None = None,
  crop: Mapping[str, Any] | None = None,
  flip: float = 0.0,
  vflip: float = 0.0,
  affine: Mapping[str, Any] | None = None,
  randaugment: Mapping[str, Any] | None = None,
  jitter: Mapping[str, Any] | None = None,
  grey: float = 0.0,
  blur: Mapping[str, Any] | None = None,
  solarize: float = 0.0,
  cutout: Mapping[str, Any] | None = None,
  erase: Mapping[str, Any] | None = None,
  mean: float | Sequence[float] | None = None,
  std: float | Sequence[float] | None = None,
) -> tuple[Array, ...]:
  """Random views of each image: geometry in one resampling, then colour, then standardisation.

  The operations run in the order crop, affine, flip, randaugment, jitter, grey, blur, solarize, standardise, cutout, erase, each drawn
  independently for every example and view. The conventions are those of torchvision and SimCLR:

  * `crop`: area ~ U(scale) h w, log ratio ~ U(log ratio), sides rounded to whole pixels; the first of ten such boxes that fits is placed
    uniformly, and if none fits, the largest centred box with a permitted ratio is used. The box is resized to `size` by the antialiased
    triangle filter, as two small matrix products per image.
  * `affine`: x -> R(degrees) scale Shear(degrees) x + translate, about the centre of the view. The box and the map are then inverted
    together into one bilinear look-up, which is zero outside the image, reads the image outside the box, and does not antialias: keep `size`
    near the size of the crop. The translation is not rounded to whole pixels.
  * `randaugment`: timm's fifteen operations on whole levels from 0 to 255; what comes from outside of the image is `mean`, or 128 / 255.
  * `jitter`, applied with probability p: brightness f x; contrast f x + (1 - f) m, with m the mean of the image's luma (of each channel, if
    there are not three); saturation f x + (1 - f) luma; hue shifted by a share of the circle in HSV; each clipped to [0, 1].
  * `grey`: with this probability, all channels become 0.2989 r + 0.587 g + 0.114 b.
  * `blur`: sigma ~ U(sigma), separable, with reflected borders; also two small matrix products.
  * `solarize`: with this probability, x -> 1 - x where x >= 0.5.
  * `cutout`: a square centred on a uniform pixel, clipped at the borders, becomes 0, the mean after standardisation.
  * `erase`: a random box becomes normal noise, or 0, after standardisation.

  Grey, saturation, hue and the colour of `randaugment` do not change images with one channel, and are not defined for other numbers of channels
  than one and three; brightness, contrast, blur and geometry take any number.

  Args:
    keys: [b] one key per example.
    batch: columns; `column` is [b h w c], uint8 (divided by 255) or float in [0, 1]; or [b v h w c], crops drawn by the data set; view i is
      made from the i-th crop.
    views: number of views with these options, or one mapping per view whose entries replace the options below for that view:
      `({}, dict(blur=None, solarize=0.2))`.
    size: side of the view in pixels, or (height, width); None keeps the size of the image. Without `crop` the whole image is resized.
    crop, affine, randaugment, jitter, blur, cutout, erase: fields of `Crop`, `Affine`, `RandAugment`, `Jitter`, `Blur`, `Cutout`, `Erase`;
      None disables the operation, {} takes the defaults.
    flip, vflip, grey, solarize: probabilities.
    mean, std: a number, or one per channel, in units of [0, 1].

  Returns:
    One [b height width c] float32 per view.

  Raises:
    ValueError: for an unknown option, a value out of range, or a colour operation that the number of channels does not allow.

  Reference: Chen, Kornblith, Norouzi, Hinton, 2020, arXiv:2002.05709, Appendix A (crop, jitter, blur; strength s is brightness = contrast =
    saturation = 0.8 s, hue = 0.2 s, p = 0.8, grey 0.2, blur 0.5). Grill et al., 2020, arXiv:2006.07733, appendix on image augmentations
    (asymmetric views). Caron et al., 2020, arXiv:2006.09882, Section 3.3 (multi-crop). DeVries and Taylor, 2017, arXiv:1708.04552 (cutout).
    `views.randaugment` and `views.erasing` have the references of RandAugment and random erasing. The official codes resize bicubically;
    SimCLR's pads the blur with zeros and computes the contrast around each channel's mean.
  """
  x = _pixels(batch, column)
  shared = dict(
    size=size,
    crop=crop,
    flip=flip,
    vflip=vflip,
    affine=affine,
    randaugment=randaugment,
    jitter=jitter,
    grey=grey,
    blur=blur,
    solarize=solarize,
    cutout=cutout,
    erase=erase,
    mean=mean,
    std=std,
  )
  if isinstance(views, int):
    views = ({},) * views
  if not views:
    raise ValueError('views is empty: give a number of views of at least 1, or a mapping for each view')
  for own in views:
    if unknown := set(own) - set(shared):
      raise ValueError(f'views: unknown options {sorted(unknown)}; a view may replace {sorted(shared)}')
  if x.ndim == 4:
    return tuple(_view(fold(keys, v), x, **{**shared, **own}) for v, own in enumerate(views))
  if len(views) != x.shape[1]:
    raise ValueError(f'{column!r} has {x.shape[1]} crops an example, of which {len(views)} views are asked for: give data.crop as many views')
  if any({**shared, **own}['crop'] is not None for own in views):
    raise ValueError(f'{column!r} is cropped where it is decoded, and a view crops it again: leave crop out of the view, or out of the data')
  return tuple(_view(fold(keys, v), x[:, v], **{**shared, **own}) for v, own in enumerate(views))


def plain(
  keys: Keys | None,
  batch: Batch,
  *,
  column: str = 'image',
  size: int | tuple[int, int] | None = None,
  mean: float | Sequence[float] | None = None,
  std: float | Sequence[float] | None = None,
) -> tuple[Array, ...]:
  """The image itself, for evaluation and reconstruction: scaled, resized without cropping, standardised. Deterministic.

  Args:
    keys: unused.
    batch, column, size, mean, std: as for `augment`.

  Returns:
    One view, [b height width c] float32; for crops drawn by the data set, one per crop.

  Raises:
    ValueError: as for `augment`.
  """
  x = _pixels(batch, column)
  whole = (x,) if x.ndim == 4 else jnp.unstack(x, axis=1)
  return tuple(_standardise(_resize(x, _shape(size, x)), mean, std) for x in whole)


def _view(keys: Keys, x: Array, *, size, crop, flip, vflip, affine, randaugment, jitter, grey, blur, solarize, cutout, erase, mean, std):
  for name, p in dict(flip=flip, vflip=vflip, grey=grey, solarize=solarize).items():
    _probability(name, p)
  ends = np.cumsum([*_DRAWS.values()])
  u = dict(zip(_DRAWS, jnp.split(uniform(keys, ends[-1]), ends[:-1], 1), strict=True))
  shape = _shape(size, x)
  crop, affine, randaugment, jitter, blur, cutout, erase = (
    _options(name, kind, given)
    for name, kind, given in (
      ('crop', Crop, crop),
      ('affine', Affine, affine),
      ('randaugment', RandAugment, randaugment),
      ('jitter', Jitter, jitter),
      ('blur', Blur, blur),
      ('cutout', Cutout, cutout),
      ('erase', Erase, erase),
    )
  )
  box = _whole(x) if crop is None else _crop_box(u['crop'], crop, x.shape[1:3])
  if affine is not None:
    x = _affine(u['affine'], x, box, shape, affine)
  elif crop is not None:
    x = _resample(x, box, shape)
  else:
    x = _resize(x, shape)
  if flip:
    x = jnp.where(wide(u['flip'] < flip, 4), x[:, :, ::-1], x)
  if vflip:
    x = jnp.where(wide(u['vflip'] < vflip, 4), x[:, ::-1], x)
  if randaugment is not None:
    _has_colour(x, 'randaugment')  # an error for other numbers of channels than one and three
    x = drawn_operations(keys, x, randaugment, 128 / 255 if mean is None else mean)
  if jitter is not None:
    x = _jitter(u['jitter'], x, jitter)
  if grey and _has_colour(x, 'grey'):
    x = jnp.where(wide(u['grey'] < grey, 4), _luma(x), x)
  if blur is not None:
    x = _blur(u['blur'], x, blur)
  if solarize:
    x = jnp.where(wide(u['solarize'] < solarize, 4) & (x >= 0.5), 1 - x, x)
  x = _standardise(x, mean, std)
  if cutout is not None:
    x = _cutout(u['cutout'], x, cutout)
  return x if erase is None else erased(keys, x, erase)


def _whole(x: Array) -> tuple[Array, Array, Array, Array]:
  zero = jnp.zeros(x.shape[0])
  return zero, zero, zero + x.shape[1], zero + x.shape[2]


def _crop_box(u: Array, crop: Crop, shape: tuple[int, int]) -> tuple[Array, Array, Array, Array]:
  height, width = shape
  low, high = crop.ratio
  area = height * width * between(u[:, :_ATTEMPTS], crop.scale)
  ratio = jnp.exp(between(u[:, _ATTEMPTS : 2 * _ATTEMPTS], (math.log(low), math.log(high))))
  w, h = sides(area, ratio)
  fits = (0 < w) & (w <= width) & (0 < h) & (h <= height)
  first = jnp.argmax(fits, 1, keepdims=True)
  h, w = (jnp.take_along_axis(side, first, 1)[:, 0] for side in (h, w))
  top, left = place(u[:, -2], height - h), place(u[:, -1], width - w)
  ratio = min(max(width / height, low), high)
  centre_h, centre_w = min(height, round(width / ratio)), min(width, round(height * ratio))
  centre = ((height - centre_h) // 2, (width - centre_w) // 2, centre_h, centre_w)
  found = jnp.any(fits, 1)
  return tuple(jnp.where(found, a, b) for a, b in zip((top, left, h, w), centre, strict=True))


def _resize(x: Array, shape: tuple[int, int]) -> Array:
  if x.shape[1:3] == shape:
    return x
  return jax.image.resize(x, (x.shape[0], *shape, x.shape[3]), 'linear', precision=_HIGHEST)


def _resample(x: Array, box: tuple[Array, ...], shape: tuple[int, int]) -> Array:
  """Resizes each image's box to `shape`."""
  top, left, h, w = box
  return _separable(x, _taps(top, h, x.shape[1], shape[0]), _taps(left, w, x.shape[2], shape[1]))


def _separable(x: Array, rows: Array, columns: Array) -> Array:
  """[b y h] @ [b h w c] @ [b w x]: two small matrix products per image."""
  x = jnp.einsum('byh,bhwc->bywc', rows, x, precision=_HIGHEST)
  return jnp.einsum('bxw,bywc->byxc', columns, x, precision=_HIGHEST)


def _taps(start: Array, extent: Array, n: int, size: int) -> Array:
  """Weights [b size n] of the antialiased triangle filter over the pixels in [start, start + extent)."""
  start, extent = start[:, None, None], extent[:, None, None]
  centre = start + (jnp.arange(size)[:, None] + 0.5) * (extent / size)
  pixel = jnp.arange(n) + 0.5
  weight = jnp.maximum(0, 1 - jnp.abs(centre - pixel) / jnp.maximum(extent / size, 1))
  weight = jnp.where((start < pixel) & (pixel < start + extent), weight, 0)
  return weight / jnp.sum(weight, -1, keepdims=True)


def _affine(u: Array, x: Array, box: tuple[Array, ...], shape: tuple[int, int], affine: Affine) -> Array:
  """Bilinear look-up of each pixel of the view at its position in the image, by the inverse of the map and then the box."""
  top, left, h, w = (wide(side, 3) for side in box)
  across, down = affine.translate if isinstance(affine.translate, Sequence) else (affine.translate,) * 2
  angle = jnp.radians(between(u[:, 0], _about(0, affine.degrees)))
  dx = between(u[:, 1], _about(0, across)) * shape[1]
  dy = between(u[:, 2], _about(0, down)) * shape[0]
  scale = between(u[:, 3], affine.scale)
  shear = jnp.tan(jnp.radians(between(u[:, 4], _about(0, affine.shear))))
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  # The map is scale [[cos, -cos shear - sin], [sin, -sin shear + cos]], whose determinant is scale^2.
  a, b = (cos - sin * shear) / scale, (cos * shear + sin) / scale
  c, d = -sin / scale, cos / scale
  to_y = jnp.arange(shape[0])[:, None] + 0.5 - shape[0] / 2 - wide(dy, 3)
  to_x = jnp.arange(shape[1]) + 0.5 - shape[1] / 2 - wide(dx, 3)
  from_x = wide(a, 3) * to_x + wide(b, 3) * to_y
  from_y = wide(c, 3) * to_x + wide(d, 3) * to_y
  return bilinear(x, top + (from_y / shape[0] + 0.5) * h, left + (from_x / shape[1] + 0.5) * w)


def _jitter(u: Array, x: Array, jitter: Jitter) -> Array:
  bounds = {name: _about(0 if name == 'hue' else 1, getattr(jitter, name)) for name in Jitter._fields[:4]}
  if not -0.5 <= bounds['hue'][0] <= bounds['hue'][1] <= 0.5:
    raise ValueError(f'jitter: hue is {jitter.hue}, expected turns within (-0.5, 0.5)')
  if min(low for low, _ in bounds.values()) < -0.5 or any(bounds[name][0] < 0 for name in Jitter._fields[:3]):
    raise ValueError(f'jitter: factors must not be negative, but {jitter} allows that')
  neutral = dict(brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0)
  names = [name for name in neutral if bounds[name] != (neutral[name], neutral[name])]
  if {'saturation', 'hue'} & set(names) and not _has_colour(x, 'jitter of saturation or hue'):
    names = [name for name in names if name in ('brightness', 'contrast')]
  if not names:
    return x
  columns = np.array([list(neutral).index(name) for name in names])
  idle = jnp.array([neutral[name] for name in names])
  drawn = between(u[:, 1 + columns], tuple(jnp.array([bounds[name] for name in names]).T))
  drawn = jnp.where(u[:, :1] < jitter.p, drawn, idle)  # [b k]
  lots = u[:, 5 + columns]
  rank = jnp.sum(lots[:, None] < lots[:, :, None], -1) if jitter.shuffle else jnp.arange(len(names))

  def step(turn: Array, x: Array) -> Array:
    """Applies the operation that is due; the others are disabled, which leaves x exactly unchanged."""
    f = jnp.where(rank == turn, drawn, idle)
    f = {name: wide(f[:, k], 4) for k, name in enumerate(names)}
    mean = jnp.mean(jnp.mean(x, 1, keepdims=True), 2, keepdims=True)
    pole = dict(brightness=0, contrast=mean, saturation=x)
    if x.shape[3] == 3:
      pole |= dict(contrast=_luma(mean), saturation=_luma(x))
    y = x + sum((f[name] - 1) * (x - pole[name]) for name in pole if name in f)
    y = jnp.clip(y, 0, 1)
    return jnp.where(f['hue'] != 0, _turn_hue(x, f['hue']), y) if 'hue' in f else y

  # A loop, not unrolled: if fused into one pass, every step would be recomputed for every channel of a luma.
  return jax.lax.fori_loop(0, len(names), step, x)


def _turn_hue(x: Array, turns: Array) -> Array:
  """Shifts the hue in HSV by `turns`, with value and saturation unchanged."""
  r, g, b = (x[..., i : i + 1] for i in range(3))
  v = jnp.maximum(jnp.maximum(r, g), b)
  chroma = v - jnp.minimum(jnp.minimum(r, g), b)
  over = 1 / jnp.where(chroma > 0, chroma, 1)
  sixth = jnp.where(v == r, (g - b) * over, jnp.where(v == g, (b - r) * over + 2, (r - g) * over + 4)) + 6 * turns
  k = sixth + jnp.array([5.0, 3.0, 1.0])
  k = k - 6 * jnp.floor(k / 6)
  return v - chroma * jnp.clip(jnp.minimum(k, 4 - k), 0, 1)


def _luma(x: Array) -> Array:
  return 0.2989 * x[..., :1] + 0.587 * x[..., 1:2] + 0.114 * x[..., 2:]


def _has_colour(x: Array, what: str) -> bool:
  if x.shape[3] not in (1, 3):
    raise ValueError(f'{what} needs 3 channels (or 1, which it leaves alone), but the images have {x.shape[3]}; leave it out')
  return x.shape[3] == 3


def _blur(u: Array, x: Array, blur: Blur) -> Array:
  h, w = x.shape[1:3]
  radius = min(max(1, min(h, w) // 20) if blur.radius is None else blur.radius, min(h, w) - 1)
  sigma = wide(between(u[:, 1], blur.sigma), 3)

  def gaussian(distance: Array) -> Array:
    return jnp.where(distance <= radius, jnp.exp(-0.5 * (distance / sigma) ** 2), 0)

  def weights(n: int) -> Array:
    i, j = jnp.arange(n)[:, None], jnp.arange(n)
    before, after = gaussian(i + j), gaussian(2 * (n - 1) - i - j)  # pixel j mirrored at the first, at the last
    weight = gaussian(jnp.abs(i - j)) + jnp.where(j > 0, before, 0) + jnp.where(j < n - 1, after, 0)
    return jnp.where(wide(u[:, 0] < blur.p, 3), weight / jnp.sum(weight, -1, keepdims=True), jnp.eye(n))

  rows = weights(h)
  return _separable(x, rows, rows if h == w else weights(w))


def _cutout(u: Array, x: Array, cutout: Cutout) -> Array:
  h, w = x.shape[1:3]
  side = round(cutout.size * min(h, w))
  top, left = jnp.floor(u[:, 1] * h) - side // 2, jnp.floor(u[:, 2] * w) - side // 2
  hole = inside(jnp.arange(h)[:, None], top, side) & inside(jnp.arange(w), left, side)
  return jnp.where((hole & wide(u[:, 0] < cutout.p, 3))[..., None], 0, x)


def _standardise(x: Array, mean: float | Sequence[float] | None, std: float | Sequence[float] | None) -> Array:
  for name, value in dict(mean=mean, std=std).items():
    if value is not None and np.shape(value) not in ((), (1,), (x.shape[3],)):
      raise ValueError(f'{name} is {value}, expected a number, or one for each of {x.shape[3]} channels')
  if std is not None and np.min(std) <= 0:
    raise ValueError(f'std is {std}, expected it positive')
  x = x if mean is None else x - jnp.asarray(mean, jnp.float32)
  return x if std is None else x / jnp.asarray(std, jnp.float32)


def _about(neutral: int, given: Range) -> tuple[float, float]:
  """A number r stands for the range around the neutral value; factors are clipped at zero."""
  if isinstance(given, Sequence):
    return tuple(given)
  return (max(0, 1 - given), 1 + given) if neutral else (-given, given)


def _pixels(batch: Batch, column: str) -> Array:
  if column not in batch:
    raise ValueError(f'the batch has no column {column!r}; it has {sorted(batch)}')
  x = batch[column]
  if x.ndim not in (4, 5):
    raise ValueError(f'{column!r} has shape {x.shape}, expected images [b h w c], or crops of them [b v h w c]')
  if x.dtype == jnp.uint8:
    return x.astype(jnp.float32) / 255
  if not jnp.issubdtype(x.dtype, jnp.floating):
    raise ValueError(f'{column!r} is {x.dtype}, expected uint8, or float in [0, 1]; scale it in the data')
  return x.astype(jnp.float32)


def _shape(size: int | tuple[int, int] | None, x: Array) -> tuple[int, int]:
  if size is None:
    return x.shape[1:3]
  shape = (size, size) if isinstance(size, int) else tuple(size)
  if len(shape) != 2 or min(shape) < 1:
    raise ValueError(f'size is {size}, expected a side in pixels or (height, width)')
  return shape


def _options(name: str, kind: type, given: Any) -> Any:
  """Converts the mapping to its NamedTuple and checks it."""
  if given is None:
    return None
  given = given._asdict() if isinstance(given, kind) else dict(given)
  if unknown := set(given) - set(kind._fields):
    raise ValueError(f'{name}: unknown options {sorted(unknown)}; it takes {list(kind._fields)}')
  options = kind(**given)
  if 'p' in kind._fields:
    _probability(f'{name}: p', options.p)
  for field in {'scale', 'ratio', 'sigma'} & set(kind._fields):
    low, high = getattr(options, field)
    if not 0 < low <= high:
      raise ValueError(f'{name}: {field} is {(low, high)}, expected (low, high) with 0 < low <= high')
  return options


def _probability(name: str, p: float) -> None:
  if not 0 <= p <= 1:
    raise ValueError(f'{name} is {p}, expected a probability in [0, 1]')
