"""Images from files and arrays: one reader for training and inference, so that a model sees the same pixels."""

import io
import logging
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

READER = 2  # increased when the same file decodes to other pixels, so that cached columns are decoded again
MODES = {1: 'L', 3: 'RGB', 4: 'RGBA'}
# Formats that Pillow recognises, but reads with an external program or not at all.
_UNREADABLE = ('BUFR', 'EPS', 'GRIB', 'HDF5', 'MPEG', 'WMF')


_pool: tuple[int, ThreadPoolExecutor] | None = None  # of this process


def decoders(threads: int) -> None:
  """Sets the number of threads of this process that decode images; 0 for the number of available cores."""
  global _pool
  threads = threads or cores()
  if _pool is None or _pool[0] != threads:
    _pool = threads, ThreadPoolExecutor(threads)


def cores() -> int:
  """The number of cores available to this process."""
  return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def pool() -> ThreadPoolExecutor:
  """The threads that decode images."""
  if _pool is None:
    decoders(0)
  return _pool[1]


def decode(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
  """Decodes an image to uint8 [h w c]: upright, scaled to cover h by w, centre-cropped; the first of several frames.

  Grey levels of more than 8 bits are scaled by their depth. An image of h by w is not resampled.

  Args:
    data: file contents in any format that Pillow reads.
    shape: h w c, c one of 1 (grey), 3 (RGB), 4 (RGBA).
  Returns:
    [h w c] uint8.
  Raises:
    ValueError: for another c, floats outside [0, 1], or integers of unknown depth; also errors raised by Pillow.
  """
  from PIL import Image

  h, w, c = shape
  with Image.open(io.BytesIO(data)) as image:
    width, height = _upright(image)
    image = _loaded(image, c, max(w / width, h / height))
    if image.size != (w, h):
      scale = max(w / image.width, h / image.height)
      left, top = max(0, (image.width - w / scale) / 2), max(0, (image.height - h / scale) / 2)  # -1e-14 would be rejected
      image = image.resize((w, h), Image.Resampling.BICUBIC, box=(left, top, image.width - left, image.height - top))
    return np.asarray(image).reshape(shape)


def cropped(data: bytes, shape: tuple[int, ...], draw: Callable[[int, int], Sequence[tuple[int, int, int, int]]]) -> np.ndarray:
  """Decodes an image once, as `decode` does, and returns boxes of it, each resized to h by w.

  Args:
    data: as in `decode`.
    shape: h w c.
    draw: (height, width) of the upright image -> v boxes (top, left, height, width).
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
  """Width and height of an image after rotation by its EXIF orientation."""
  return image.size[::-1] if _orientation(image) >= 5 else image.size  # 5 to 8 are a quarter turn


def _loaded(image: Any, channels: int, scale: float) -> Any:
  """The upright image in 8 bits with the given channels; decoded at a smaller scale if that leaves at least `scale` times its sides."""
  from PIL import ImageOps

  if channels not in MODES:
    raise ValueError(f'a picture has 1, 3 or 4 channels (grey, RGB, RGBA), not {channels}: change the shape')
  if scale < 1:  # a JPEG can be decoded at a half, a quarter or an eighth; other formats ignore this
    image.draft(None, (round(image.width * scale), round(image.height * scale)))
  if _orientation(image) > 1:
    image = ImageOps.exif_transpose(image)
  image = _eight_bits(image)
  return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def read_folder(folder: str | os.PathLike, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
  """Reads all images in a folder and its subfolders with `decode`, in the order of their names.

  Hidden files, and files with a suffix that Pillow does not read, are skipped and listed in a warning.

  Args:
    folder: the folder of the files.
    shape: h w c.
  Returns:
    [n h w c] uint8, and the file names relative to the folder.
  Raises:
    ValueError: if there is no image, or one cannot be read; names the file.
  """
  from PIL import Image

  Image.init()
  known = {suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN and form not in _UNREADABLE}
  folder = Path(folder)
  every = sorted(f.relative_to(folder) for f in folder.rglob('*') if f.is_file())
  files = [f for f in every if f.suffix.lower() in known and not f.name.startswith('.')]
  if skipped := sorted({*every} - {*files}):
    few, more = ', '.join(map(str, skipped[:20])), f' and {len(skipped) - 20} more' if len(skipped) > 20 else ''
    logging.getLogger('jssl').warning('%d of %d files in %s are not images and are skipped: %s%s', len(skipped), len(every), folder, few, more)
  if not files:
    raise ValueError(f'{folder} contains no images among its {len(every)} files; expected files such as .png, .jpg or .webp')

  def read(file: Path) -> np.ndarray:
    try:
      return decode((folder / file).read_bytes(), shape)
    except Exception as error:  # decoders raise errors of many types
      raise ValueError(f'{folder / file} cannot be read as a picture ({first_line(error)}); repair it or remove it from the folder') from error

  return np.stack(list(pool().map(read, files))), [f.as_posix() for f in files]


def is_picture(name: str, shape: tuple[int, ...], dtype: Any) -> bool:
  """Whether a column has images: [h w c] of bytes, or named image."""
  return len(shape) == 3 and shape[-1] in MODES and (dtype == np.uint8 or name == 'image')


def pixels(name: str, x: np.ndarray) -> np.ndarray:
  """Converts a column of images [n h w c] to uint8, or to float in [0, 1]; 16 bits are scaled to 8.

  Raises:
    ValueError: for floats outside [0, 1], or integers that are not bytes.
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
  """Columns of examples, with the column image converted by `pixels` if it has images."""
  return {name: pixels(name, x) if name == 'image' and is_picture(name, x.shape[1:], x.dtype) else x for name, x in columns.items()}


def like(name: str, x: np.ndarray, spec: Any) -> np.ndarray:
  """Converts new images [n h w c] to the input of a model, with the shape and dtype of `spec` for one image.

  Floats are rounded to bytes if the model was trained on bytes.

  Raises:
    ValueError: for another shape, or values that are not pixels.
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
  """The EXIF orientation, 1 to 8; 1, upright, by default."""
  try:
    turned = image.getexif().get(0x0112, 1)
  except (KeyError, SyntaxError, ValueError, struct.error):  # a damaged header; the image may be intact
    return 1
  return turned if turned in range(1, 9) else 1


def _eight_bits(image: Any) -> Any:
  """Converts 16-bit grey, or float grey in [0, 1], to 8 bits; Pillow itself would clip at 255."""
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
  """One line for an error of another library: its type, and the first line of its message."""
  first = next(iter(str(error).strip().splitlines()), '').rstrip('.: ')
  return f'{type(error).__name__}: {first}' if first else type(error).__name__
