"""Random resized crops, which views draw, and data sets where pictures are decoded."""

from typing import NamedTuple


class Crop(NamedTuple):
  """Random resized crop: the share of the image's area, and width / height."""

  scale: tuple[float, float] = (0.08, 1.0)
  ratio: tuple[float, float] = (3 / 4, 4 / 3)
