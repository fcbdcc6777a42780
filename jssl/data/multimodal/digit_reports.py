"""Images with reports: two digits on a canvas, and a sentence that describes them."""

import functools

import numpy as np
from PIL import Image

from jssl.data.core.arrays import arrays, resident
from jssl.data.vision.images import digits
from jssl.types import Data

_NUMBERS = ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
WORDS = ('left', 'right', 'shows', 'a', 'large', 'small', *_NUMBERS, 'lesion', 'on', 'no', 'side', '.')


def digit_reports(*, train: int = 1500, test: int = 500, seed: int = 0) -> Data:
  """Canvases with two handwritten digits and optionally a bright dot, each with a report from a template; no network needed.

  'left shows a large three . right shows a small seven . lesion on left side .' Training canvases have digits of the training split, test
  canvases digits of the test split.

  Args:
    train, test: numbers of canvases.
    seed: seed of all randomness.

  Returns:
    Data with columns image [8 16 1] uint8, high [16 32 1] uint8, the same at twice the resolution, text [17] int32,
    indices of `info['words']`, and label [] int32, the left digit.
  """
  splits = [_canvases(split, n, seed) for split, n in (('train', train), ('test', test))]
  info = digits().info
  info = {**info, 'name': 'digit_reports', 'words': WORDS}
  return arrays(**splits[0], test=splits[1], inputs='image', facts=dict(text=dict(classes=WORDS)), info=info)


@functools.cache
def _canvases(split: str, n: int, seed: int) -> dict[str, np.ndarray]:
  source = digits().splits[split]
  columns = resident(source).columns
  rng = np.random.default_rng([seed, split == 'test'])
  high, text, label = np.zeros((n, 16, 32, 1), np.uint8), [], []
  for canvas in high[..., 0]:
    words = []
    for side in range(2):
      i, size = rng.integers(len(columns['label'])), rng.choice((12, 16))
      picture = np.asarray(Image.fromarray(columns['image'][i, ..., 0]).resize((size, size), Image.Resampling.BILINEAR))
      row, column = rng.integers(16 - size + 1), 16 * side + rng.integers(16 - size + 1)
      canvas[row : row + size, column : column + size] = picture
      number = int(columns['label'][i])
      words += [('left', 'right')[side], 'shows', 'a', 'large' if size == 16 else 'small', _NUMBERS[number], '.']
      if side == 0:
        label.append(number)
    where = rng.choice(('left', 'right', 'no'))
    if where != 'no':
      row, column = rng.integers(14), 16 * (where == 'right') + rng.integers(14)
      canvas[row : row + 3, column : column + 3] = 255
    text.append([WORDS.index(word) for word in [*words, 'lesion', 'on', where, 'side', '.']])
  image = np.rint(high.reshape(n, 8, 2, 16, 2, 1).mean((2, 4))).astype(np.uint8)
  return dict(image=image, high=high, text=np.array(text, np.int32), label=np.array(label, np.int32))
