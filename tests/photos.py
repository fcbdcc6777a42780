"""Folders of pictures as people have them: the digits of scikit-learn in many sizes, formats and modes, some files broken."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

# Suffix, mode, and what is done when it is saved.
KINDS = (
  ('png', 'RGB', {}), ('jpg', 'RGB', dict(quality=90)), ('webp', 'RGB', {}), ('gif', 'P', {}), ('tiff', 'RGB', {}), ('bmp', 'RGB', {}),
  ('png', 'RGBA', {}), ('png', 'P', {}), ('tif', 'CMYK', {}), ('jpeg', 'L', dict(exif=6)), ('png', 'I;16', {}), ('png', '1', {}),
)  # fmt: skip


def digits(folder: Path, count: int, first: int = 0, broken: bool = True) -> Path:
  """Writes `count` pictures into `folder`, in a folder a class, the digits from number `first` on; with three broken files among them."""
  images, labels = load_digits(return_X_y=True)
  random = np.random.default_rng(first)
  for i in range(count):
    suffix, mode, options = KINDS[i % len(KINDS)]
    ink = np.uint8(images[first + i].reshape(8, 8) * (255 / 16))
    side = random.integers(24, 72)
    size = int(side), int(side * random.uniform(0.8, 1.25))
    grey = Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC)
    colour = Image.composite(*(Image.new('RGB', size, tuple(random.integers(*span, 3))) for span in ((170, 255), (0, 85))), grey)
    picture = Image.fromarray(np.uint16(np.asarray(grey)) * 257) if mode == 'I;16' else colour.convert(mode)
    options = dict(options)
    if orientation := options.get('exif'):  # stored on its side, as a camera does
      picture = picture.transpose(Image.Transpose.ROTATE_90)
      options['exif'] = Image.Exif()
      options['exif'][0x0112] = orientation
    place = folder / str(labels[first + i])
    place.mkdir(parents=True, exist_ok=True)
    picture.save(place / f'{first + i:04d}.{suffix}', **options)
  if broken:
    whole = sorted(folder.rglob('*.png'))[0]
    (folder / '0' / 'truncated.png').write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (folder / '1' / 'empty.jpg').write_bytes(b'')
    (folder / '2' / 'notes.png').write_text('no picture')
  return folder
