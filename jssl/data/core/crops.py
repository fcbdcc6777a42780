"""Random resized crops of stored images, drawn before decoding.

A view on the device can only crop what the host has already scaled and centre-cropped. A box that is drawn before decoding can cover any part
of the original, at its own aspect ratio and resolution. It is a function of (seed, epoch, example), like all randomness.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jssl.errors import DataError
from jssl.views.crop import Crop

ATTEMPTS = 10  # boxes to try, as in `views.image`
Box = tuple[int, int, int, int]  # top, left, height, width in pixels of the original


class Crops(NamedTuple):
  """The crops of an example: one recipe for each, and the (height, width) that all are resized to."""

  recipes: tuple[Crop, ...]
  size: tuple[int, int]


def crops_of(given: Mapping[str, Any] | None, size: Sequence[int]) -> Crops | None:
  """The option `crop` of a data set: dict(views=2, scale=(0.08, 1), ratio=(3/4, 4/3), size=None).

  Parses the crop option.

  Args:
    given: None for no crops. `views` is the number of crops per example, or a mapping for each whose entries replace `scale` and `ratio`;
      `scale` is the share of the image's area, `ratio` is width / height, `size` is the side of a crop, or (height, width).
    size: (height, width) of the images of the data set, the default size of crops.

  Raises:
    DataError: for an unknown option or a value out of range.
  """
  if given is None:
    return None
  given = dict(given)
  views, side = given.pop('views', 2), given.pop('size', None)
  each = [{}] * views if isinstance(views, int) else list(views)
  side = (side, side) if isinstance(side, int) else tuple(size if side is None else side)
  if wrong := [key for of in (given, *each) for key in of if key not in Crop._fields]:
    raise DataError(f'crop has no option {wrong[0]!r}; it takes views, size, {", ".join(Crop._fields)}')
  if not each or len(side) != 2 or not all(isinstance(x, int) and x >= 1 for x in side):
    raise DataError(f'crop has views={views!r} and size={side}: expected at least 1 crop of at least 1 pixel per side')
  recipes = tuple(Crop(**{**given, **own}) for own in each)
  for (low, high), (thin, wide) in recipes:
    if not 0 < low <= high <= 1 or not 0 < thin <= wide:
      raise DataError(
        f'crop has scale={(low, high)} and ratio={(thin, wide)}: expected scale=(low, high) with 0 < low <= high <= 1, shares of the '
        'area, and ratio=(low, high) with 0 < low <= high'
      )
  return Crops(recipes, side)


def boxes(crops: Crops, seed: int, epoch: int, example: int, height: int, width: int) -> list[Box]:
  """One box per crop of an example with an image of `height` x `width` pixels, drawn like torchvision's RandomResizedCrop.

  The area is uniform in `scale` and the logarithm of the ratio is uniform, with integer sides. The first of ten such boxes that fits is placed
  uniformly; if none fits, the largest centred box with a permitted ratio is used.

  Reference: Szegedy et al., CVPR 2015, arXiv:1409.4842, section 6; Salmon et al., SC 2011, doi:10.1145/2063384.2063405 (Philox).
  """
  found = []
  for view, crop in enumerate(crops.recipes):
    # A separate counter from those of `order.permutation`, which has the same key.
    raw = np.random.Philox(key=np.array([seed, epoch], np.uint64), counter=np.array([0, view, example, 1], np.uint64))
    found.append(_box(crop, [(x >> 11) * 2.0**-53 for x in raw.random_raw(2 * ATTEMPTS + 2).tolist()], height, width))
  return found


def _box(crop: Crop, u: Sequence[float], height: int, width: int) -> Box:
  (low, high), (thin, wide) = crop
  for i in range(ATTEMPTS):
    area = height * width * (low + u[i] * (high - low))
    ratio = math.exp(math.log(thin) + u[ATTEMPTS + i] * (math.log(wide) - math.log(thin)))
    w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
    if 0 < w <= width and 0 < h <= height:
      return int(u[-2] * (height - h + 1)), int(u[-1] * (width - w + 1)), h, w
  ratio = min(max(width / height, thin), wide)
  h, w = max(1, min(height, round(width / ratio))), max(1, min(width, round(height * ratio)))
  return (height - h) // 2, (width - w) // 2, h, w
