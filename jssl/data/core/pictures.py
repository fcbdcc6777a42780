"""Pictures from files and arrays: one reader for training and for new data, so that a model sees both alike."""

import io
import logging
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

READER = 2  # goes up when the same file is read as other pixels: decoded columns that are kept are then made anew
MODES = {1: 'L', 3: 'RGB', 4: 'RGBA'}
# Formats that Pillow knows by name, and reads by a program of the system or not at all.
_UNREADABLE = ('BUFR', 'EPS', 'GRIB', 'HDF5', 'MPEG', 'WMF')


_pool: tuple[int, ThreadPoolExecutor] | None = None  # of this process


def decoders(threads: int) -> None:
  """Sets how many threads of this process decode pictures; 0 for as many as it may use cores."""
  global _pool
  threads = threads or cores()
  if _pool is None or _pool[0] != threads:
    _pool = threads, ThreadPoolExecutor(threads)


def cores() -> int:
  """How many cores this process may use."""
  return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def pool() -> ThreadPoolExecutor:
  """The threads that decode pictures."""
  if _pool is None:
    decoders(0)
  return _pool[1]


def decode(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
  """One encoded picture as uint8 [h w c]: upright, scaled to cover h by w, cut at the centre; the first of several frames.

  Grey levels of more than 8 bits are scaled by their depth. A picture of h by w is left as it is.

  Args:
    data: of any format that Pillow reads.
    shape: h w c, c one of 1 (grey), 3 (RGB), 4 (RGBA).
  Returns:
    [h w c] uint8.
  Raises:
    ValueError: another c, floats outside [0, 1], or whole numbers of unknown depth; errors of Pillow's besides.
  """
  from PIL import Image

  h, w, c = shape
  with Image.open(io.BytesIO(data)) as image:
    width, height = _upright(image)
    image = _loaded(image, c, max(w / width, h / height))
    if image.size != (w, h):
      scale = max(w / image.width, h / image.height)
      left, top = max(0, (image.width - w / scale) / 2), max(0, (image.height - h / scale) / 2)  # -1e-14 is refused
      image = image.resize((w, h), Image.Resampling.BICUBIC, box=(left, top, image.width - left, image.height - top))
    return np.asarray(image).reshape(shape)


def cropped(data: bytes, shape: tuple[int, ...], draw: Callable[[int, int], Sequence[tuple[int, int, int, int]]]) -> np.ndarray:
  """Boxes of one encoded picture, each scaled to h by w; read once, as `decode` reads it.

  Args:
    data: as in `decode`.
    shape: h w c.
    draw: (height, width) of the picture, upright -> boxes (top, left, height, width) in it, v of them.
  Returns:
    [v h w c] uint8.
  Raises:
    ValueError: as in `decode`.
  """
  from PIL import Image

  h, w, c = shape
  with Image.open(io.BytesIO(data)) as image:
    width, height = _upright(image)
    boxes = draw(height, width)
    image = _loaded(image, c, max(max(h / high, w / wide) for _, _, high, wide in boxes))
    y, x = image.height / height, image.width / width
    views = []
    for top, left, high, wide in boxes:
      edges = left * x, top * y, min((left + wide) * x, image.width), min((top + high) * y, image.height)
      views.append(np.asarray(image.resize((w, h), Image.Resampling.BICUBIC, box=edges)).reshape(shape))
    return np.stack(views)


def _upright(image: Any) -> tuple[int, int]:
  """Width and height of a picture as its EXIF turns it."""
  return image.size[::-1] if _orientation(image) >= 5 else image.size  # 5 to 8 are a quarter turn


def _loaded(image: Any, channels: int, scale: float) -> Any:
  """A picture upright, in 8 bits and so many channels; decoded smaller where that leaves at least `scale` times its sides."""
  from PIL import ImageOps

  if channels not in MODES:
    raise ValueError(f'a picture has 1, 3 or 4 channels (grey, RGB, RGBA), not {channels}; give such a shape')
  if scale < 1:  # a JPEG can be decoded at a half, a quarter or an eighth; others ignore this
    image.draft(None, (round(image.width * scale), round(image.height * scale)))
  if _orientation(image) > 1:
    image = ImageOps.exif_transpose(image)
  image = _eight_bits(image)
  return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def read_folder(folder: str | os.PathLike, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
  """All pictures in a folder and its subfolders, as `decode` reads them, in the order of their names.

  Files whose suffix is of no format that Pillow reads, and hidden ones, are left out, and named in a warning.

  Args:
    folder: of the files.
    shape: h w c.
  Returns:
    [n h w c] uint8, and the files' names, relative to the folder.
  Raises:
    ValueError: no picture is there, or one cannot be read, by its name.
  """
  from PIL import Image

  Image.init()
  known = {suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN and form not in _UNREADABLE}
  folder = Path(folder)
  every = sorted(f.relative_to(folder) for f in folder.rglob('*') if f.is_file())
  files = [f for f in every if f.suffix.lower() in known and not f.name.startswith('.')]
  if skipped := sorted({*every} - {*files}):
    few, more = ', '.join(map(str, skipped[:20])), f' and {len(skipped) - 20} more' if len(skipped) > 20 else ''
    logging.getLogger('jssl').warning('%d of %d files in %s are no pictures and are skipped: %s%s', len(skipped), len(every), folder, few, more)
  if not files:
    raise ValueError(f'{folder} holds no pictures among its {len(every)} files; expected files such as .png, .jpg or .webp')

  def read(file: Path) -> np.ndarray:
    try:
      return decode((folder / file).read_bytes(), shape)
    except Exception as error:  # decoders' errors are of many types
      raise ValueError(f'{folder / file} cannot be read as a picture ({first_line(error)}); mend it or take it out of the folder') from error

  return np.stack(list(pool().map(read, files))), [f.as_posix() for f in files]


def is_picture(name: str, shape: tuple[int, ...], dtype: Any) -> bool:
  """Whether examples of a column are pictures: [h w c] of bytes, or called image."""
  return len(shape) == 3 and shape[-1] in MODES and (dtype == np.uint8 or name == 'image')


def pixels(name: str, x: np.ndarray) -> np.ndarray:
  """A column of pictures [n h w c] as uint8, or as float in [0, 1]; 16 bits are scaled to 8.

  Raises:
    ValueError: floats outside [0, 1], or whole numbers that are no bytes.
  """
  if x.dtype == np.uint8:
    return x
  if x.dtype == np.uint16:
    return _scaled(x, 16)
  if np.issubdtype(x.dtype, np.floating) or x.dtype.name == 'bfloat16':
    _in_unit_range(repr(name), x)
    return x
  low, high = (x.min(), x.max()) if x.size else (0, 0)
  if x.dtype.kind not in 'iu' or low < 0 or high > 255:
    raise ValueError(f'{name!r} holds {x.dtype} from {low} to {high}; expected pictures of uint8, uint16, or float in [0, 1]: convert them')
  return x.astype(np.uint8)


def checked(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Columns of examples, that called image as `pixels` gives it where it holds pictures."""
  return {name: pixels(name, x) if name == 'image' and is_picture(name, x.shape[1:], x.dtype) else x for name, x in columns.items()}


def like(name: str, x: np.ndarray, spec: Any) -> np.ndarray:
  """New pictures [n h w c] as a model takes them, in the type of `spec`, whose shape and dtype are those of one picture.

  Floats are rounded to bytes where the model was trained on bytes.

  Raises:
    ValueError: another shape, or no pixels.
  """
  h, w, c = spec.shape
  if x.shape[1:] != (h, w, c):
    if x.shape[1:] == (c, h, w):
      todo = 'move the channels to the end, x.transpose(0, 2, 3, 1)'
    elif x.shape[1:] == (h, w) and c == 1:
      todo = 'add the axis of channels, x[..., None]'
    elif x.shape == (h, w, c):
      todo = 'add the axis of examples, x[None]'
    else:
      todo = f'scale and cut them to {h} x {w} with {c} channels, or give a folder of files to `jssl embed`, which does so'
    raise ValueError(f'{name!r} has shape {list(x.shape)}; expected pictures [n, {h}, {w}, {c}], as the model was trained on: {todo}')
  x = pixels(name, x)
  if x.dtype == spec.dtype:
    return x
  if spec.dtype == np.uint8:
    return np.rint(255 * x.astype(np.float32)).astype(np.uint8)
  return (x.astype(np.float32) / (255 if x.dtype == np.uint8 else 1)).astype(spec.dtype)


def _orientation(image: Any) -> int:
  """As EXIF tells it, 1 to 8; 1, upright, where it tells nothing."""
  try:
    turned = image.getexif().get(0x0112, 1)
  except (KeyError, SyntaxError, ValueError, struct.error):  # a damaged header; the picture may be whole
    return 1
  return turned if turned in range(1, 9) else 1


def _eight_bits(image: Any) -> Any:
  """Grey of 16 bits, or float in [0, 1], as grey of 8 bits; Pillow itself would cut at 255."""
  from PIL import Image

  if image.mode.startswith('I;16') or image.mode == 'I' and image.format in ('PNG', 'PPM', None):
    bits = getattr(image, 'tag_v2', {}).get(258, 16)  # BitsPerSample of a TIFF
    return Image.fromarray(_scaled(np.asarray(image), bits[0] if isinstance(bits, tuple) else bits))
  if image.mode == 'F':
    x = np.asarray(image)
    _in_unit_range('the picture', x)
    return Image.fromarray(np.rint(255 * x).astype(np.uint8))
  if image.mode == 'I':
    raise ValueError('it holds 32-bit integers, whose range is unknown; expected 8 or 16 bits, or floats in [0, 1]: convert it')
  return image


def _scaled(x: np.ndarray, bits: int) -> np.ndarray:
  return np.rint(np.clip(x, 0, 2**bits - 1) * (255 / (2**bits - 1))).astype(np.uint8)


def _in_unit_range(what: str, x: np.ndarray) -> None:
  low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
  if not 0 <= low <= high <= 1:
    raise ValueError(f'{what} holds floats from {low:g} to {high:g}; expected floats in [0, 1], or uint8: divide by 255, or convert')


def first_line(error: Exception) -> str:
  """An error of another library's in a line: its type, and what it says first."""
  first = next(iter(str(error).strip().splitlines()), '').rstrip('.: ')
  return f'{type(error).__name__}: {first}' if first else type(error).__name__
