"""Image files of any size and format, decoded on access."""

import functools
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jssl.data.core.arrays import Columns
from jssl.data.core.crops import Crops, boxes
from jssl.data.core.pictures import MODES, cropped, decode, first_line, pool
from jssl.data.own.files import content
from jssl.errors import DataError
from jssl.storage import in_bucket

MOST = 224  # pixels per side, unless more are requested
_GREY = ('1', 'L', 'LA', 'La', 'I', 'F')


class Header(NamedTuple):
  """The header of an image file; `wrong` is the reason why it cannot be read."""

  width: int = 0
  height: int = 0
  grey: bool = False
  wrong: str = ''


def headers(places: Sequence[Any]) -> list[Header]:
  """Reads the headers of image files without decoding them."""
  from PIL import Image

  def look(place: Any) -> Header:
    try:
      file = open(place, 'rb') if isinstance(place, str) and not in_bucket(place) else io.BytesIO(content(place))
      with file:
        if not file.read(1):
          return Header(wrong='empty')
        file.seek(0)
        with Image.open(file) as image:
          return Header(*image.size, image.mode in _GREY or image.mode.startswith('I;16'))
    except Exception as error:  # decoders raise errors of many types
      return Header(wrong=_why(error))

  return list(pool().map(look, places))


def shape_of(source: str, found: Sequence[Header], resize: int | Sequence[int] | None, channels: int | None) -> tuple[int, int, int]:
  """[h w c] of the images of a data set: the requested shape, or a common shape, which is logged.

  Images with equal size of at most 224 pixels keep it. Others are scaled to cover a square whose side is the median of their shorter sides, at
  most 224, and cropped. The shape is grey if all images are grey, and RGB otherwise.

  Raises:
    DataError: for invalid sizes or channels.
  """
  log, sizes = logging.getLogger('jssl'), {(x.height, x.width) for x in found}
  if resize is not None:
    size = (resize, resize) if isinstance(resize, int) else tuple(resize)
    if len(size) != 2 or not all(isinstance(x, int) and x >= 1 for x in size):
      raise DataError(f'resize={resize!r}: expected a side, or (height, width), of 1 pixel or more')
  elif len(sizes) == 1 and max(*sizes) and max(next(iter(sizes))) <= MOST:
    size = next(iter(sizes))
  else:
    side = round(float(np.median([min(x.width, x.height) for x in found])))
    size = (min(MOST, max(8, round(side / 8) * 8)),) * 2
    log.warning('%s: images of %d sizes are scaled to cover %d x %d and cropped; resize=SIDE sets another size', source, len(sizes), *size)
  grey = sum(x.grey for x in found)
  if channels is None:
    channels = 1 if grey == len(found) else 3
    if 0 < grey < len(found):
      log.warning('%s: %d of %d images are grey; all are read as RGB; channels=1 reads all as grey', source, grey, len(found))
  elif channels not in MODES:
    raise DataError(f'channels={channels}: expected 1 (grey), 3 (RGB) or 4 (RGB and alpha)')
  return (*size, channels)


class Pictures:
  """A split of image files, with the other columns in memory.

  A file with an intact header and damaged pixels is only detected when it is read. It is replaced by the next readable example of the split,
  and its name and the reason are recorded in `unread`.

  Args:
    places: locations of the images: a path, a part of a file, bytes, or a function that returns bytes.
    names: names of the images, for messages.
    columns: other columns, name -> [n ...].
    shape: h w c.
    unread: name -> why it cannot be read; is updated.
    crop: the crops that `drawn` makes of each image; None for no crops.
  """

  def __init__(
    self,
    places: Sequence[Any],
    names: Sequence[str],
    columns: Mapping[str, np.ndarray],
    shape: tuple,
    unread: dict[str, str],
    crop: Crops | None = None,
  ):
    self.places, self.names, self.columns, self.shape, self.unread, self.crop = places, names, dict(columns), shape, unread, crop
    self._held: Columns | None = None

  def __len__(self) -> int:
    return len(self.places)

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {name: column[0] for name, column in self.take(np.array([index])).items()}

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The examples `rows` [b], decoded and stacked: column -> [b ...]."""
    if self._held is not None:
      return self._held.take(rows)
    return self._read(rows, lambda row, data: decode(data, self.shape))

  def drawn(self, rows: np.ndarray, epoch: int, seed: int) -> dict[str, np.ndarray]:
    """The examples `rows` [b] with random crops of the stored images: image [b v h w c], other columns as in `take`."""
    shape = (*self.crop.size, self.shape[-1])
    return self._read(rows, lambda row, data: cropped(data, shape, functools.partial(boxes, self.crop, seed, epoch, row)))

  def _read(self, rows: np.ndarray, read: Callable[[int, bytes], np.ndarray]) -> dict[str, np.ndarray]:
    rows, picture = np.array(rows), functools.partial(self._picture, read=read)
    images = list(pool().map(picture, rows.tolist()))
    for i in (i for i, image in enumerate(images) if image is None):
      others = ((row % len(self), picture(row % len(self))) for row in range(rows[i] + 1, rows[i] + len(self)))
      rows[i], images[i] = next(((row, image) for row, image in others if image is not None), (0, None))
      if images[i] is None:
        raise DataError(f'none of {len(self)} images can be read; {self.names[0]}: {self.unread[self.names[0]]}')
    return {'image': np.stack(images), **{name: column[rows] for name, column in self.columns.items()}}

  def decoded(self, limit: int) -> Columns | None:
    """Loads the whole split into memory; None if it takes more than `limit` bytes."""
    if self._held is None and len(self) * int(np.prod(self.shape)) + sum(x.nbytes for x in self.columns.values()) <= limit:
      pieces = [self.take(rows) for rows in np.array_split(np.arange(len(self)), -(-len(self) // 4096))]
      self._held = Columns({name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]})
    return self._held

  def _picture(self, row: int, read: Callable[[int, bytes], np.ndarray]) -> np.ndarray | None:
    if (name := self.names[row]) in self.unread:
      return None
    try:
      return read(row, content(self.places[row]))
    except Exception as error:  # decoders raise errors of many types
      self.unread[name] = _why(error)
      return None


def tell(unread: Mapping[str, str]) -> None:
  """Lists the files and rows that could not be read in one warning."""
  if unread:
    few, more = list(unread.items())[:50], len(unread) - 50
    listed = ', '.join(f'{name} ({why})' for name, why in few) + (f' and {more} more' if more > 0 else '')
    logging.getLogger('jssl').warning('%d files or rows could not be read and are skipped: %s', len(unread), listed)


def _why(error: Exception) -> str:
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  return 'no picture' if type(error).__name__ == 'UnidentifiedImageError' else first_line(error)
