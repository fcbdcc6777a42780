"""Letters of less common scripts, rendered with the fonts of matplotlib."""

import functools
from pathlib import Path

import numpy as np

_FACES = [
  f'DejaVu{family}{style}'
  for family, styles in (
    ('Sans', ('', '-Bold', '-Oblique', '-BoldOblique')),
    ('SansMono', ('', '-Bold', '-Oblique', '-BoldOblique')),
    ('Serif', ('', '-Bold', '-Italic', '-BoldItalic')),
  )
  for style in styles
]
ARMENIAN = [chr(c) for c in (*range(0x531, 0x557), *range(0x561, 0x587))]
GEORGIAN = [chr(c) for c in range(0x10D0, 0x10F1)]


@functools.cache
def glyphs(side: int = 28) -> tuple[np.ndarray, np.ndarray]:
  """Armenian and Georgian letters in twelve typefaces, light on dark and centred like the digits of MNIST.

  Returns:
    Images [n side side 1] uint8, and the letter of each, [n] int32.

  Reference: Bulatov, notMNIST, 2011, for the idea; the typefaces are DejaVu (Bitstream Vera licence), from matplotlib.
  """
  import matplotlib
  from PIL import Image, ImageDraw, ImageFont

  folder = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'
  box = round(side * 20 / 28)
  images, labels = [], []
  for face in _FACES:
    font = ImageFont.truetype(str(folder / f'{face}.ttf'), 4 * box)
    missing = bytes(font.getmask('\uffff'))
    for label, letter in enumerate(ARMENIAN + GEORGIAN):
      if bytes(font.getmask(letter)) == missing:
        continue
      canvas = Image.new('L', (12 * box, 12 * box))
      ImageDraw.Draw(canvas).text((4 * box, 2 * box), letter, font=font, fill=255)
      letter = canvas.crop(canvas.getbbox())
      letter.thumbnail((box, box), Image.Resampling.BOX)
      image = Image.new('L', (side, side))
      image.paste(letter, ((side - letter.width) // 2, (side - letter.height) // 2))
      images.append(np.asarray(image))
      labels.append(label)
  return np.stack(images)[..., None], np.array(labels, np.int32)
