"""Where in the image the views of `augment` lie. Its draws are made again from the same keys, so that views themselves need not tell."""

from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
import numpy as np

from jssl.ops.draws import between, uniform
from jssl.types import Array, Batch, Keys, View, fold
from jssl.views import image
from jssl.views.image import Affine, Crop, augment


def places(view: View, keys: Keys, batch: Batch) -> tuple[Array, ...]:
  """The map from each view to the image, [b 2 3].

  (y, x) in pixels of the image is map @ (v, u, 1), with (v, u) from 0 to 1 down and across the view.

  Args:
    view: `augment` with its options bound, as configs give it.
    keys: [b], those with which the view is drawn.
    batch: with the column of the view.

  Raises:
    ValueError: for another view, or for images that are cropped where they are decoded, which do not say where.
  """
  if not isinstance(view, partial) or view.func is not augment:
    raise ValueError(f'positions in the image are known of views by augment, not by {getattr(view, "func", view).__name__}; choose augment')
  options = {'views': 2, 'column': 'image', **view.keywords}
  shape = batch[options['column']].shape
  if len(shape) != 4:
    raise ValueError(f'{options["column"]!r} is cropped where it is decoded, which does not say where; crop in the view instead of in the data')
  each = ({},) * options['views'] if isinstance(options['views'], int) else options['views']
  return tuple(_place(fold(keys, v), shape[1:3], **{**options, **own}) for v, own in enumerate(each))


def _place(keys: Keys, image_shape: tuple[int, int], *, size=None, crop=None, affine=None, flip=0.0, vflip=0.0, **others) -> Array:
  ends = np.cumsum([*image._DRAWS.values()])
  u = dict(zip(image._DRAWS, jnp.split(uniform(keys, ends[-1]), ends[:-1], 1), strict=True))
  height, width = image_shape
  box = (0.0, 0.0, height, width) if crop is None else image._crop_box(u['crop'], Crop(**crop), image_shape)
  shape = image_shape if size is None else (size, size) if isinstance(size, int) else tuple(size)

  def corner(v: float, h: float) -> Array:
    """Where (v, h) of the view lies in the image, [b 2]."""
    y = jnp.where(u['vflip'][:, 0] < vflip, 1 - v, v)
    x = jnp.where(u['flip'][:, 0] < flip, 1 - h, h)
    y, x = (y, x) if affine is None else _before(u['affine'], Affine(**affine), shape, y, x)
    top, left, tall, wide = box
    return jnp.stack([top + y * tall, left + x * wide], -1)

  first = corner(0.0, 0.0)
  return jnp.stack([corner(1.0, 0.0) - first, corner(0.0, 1.0) - first, first], -1)


def _before(u: Array, affine: Affine, shape: tuple[int, int], y: Array, x: Array) -> tuple[Array, Array]:
  """The position in the box of (y, x) in the view, each from 0 to 1 and [b]: the inverse of the affine map of `augment`."""
  across, down = affine.translate if isinstance(affine.translate, Sequence) else (affine.translate,) * 2
  drawn = lambda i, given: between(u[:, i], image._about(0, given))
  angle, shear = jnp.radians(drawn(0, affine.degrees)), jnp.tan(jnp.radians(drawn(4, affine.shear)))
  scale, cos, sin = between(u[:, 3], affine.scale), jnp.cos(angle), jnp.sin(angle)
  to_x, to_y = (x - 0.5 - drawn(1, across)) * shape[1], (y - 0.5 - drawn(2, down)) * shape[0]
  from_x = ((cos - sin * shear) * to_x + (cos * shear + sin) * to_y) / scale
  from_y = (cos * to_y - sin * to_x) / scale
  return from_y / shape[0] + 0.5, from_x / shape[1] + 0.5
