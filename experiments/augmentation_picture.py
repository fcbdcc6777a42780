"""Draws docs/augmentation.png: the operations of RandAugment at magnitude 9, random erasing, mixup and CutMix, on photos of scikit-learn.

python experiments/augmentation_picture.py
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image

from jssl.ops.mixing import cutmix, mixup
from jssl.views.erasing import Erase, erased
from jssl.views.randaugment import OPERATIONS, operation

PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'augmentation.png'
SIDE, COLUMNS, TITLE = 112, 7, 14


def photo(name: str, top: int, left: int, side: int) -> np.ndarray:
  """A square of a photo, [SIDE SIDE 3] levels."""
  return np.asarray(Image.fromarray(load_sample_image(name)[top : top + side, left : left + side]).resize((SIDE, SIDE)), np.float32)


def pictures() -> dict[str, np.ndarray]:
  """Title -> levels."""
  x, other = photo('china.jpg', 60, 170, 300), photo('flower.jpg', 40, 200, 340)
  number = len(OPERATIONS)
  many, share = np.broadcast_to(x, (number, *x.shape)), np.full(number, 0.9, np.float32)
  drawn = operation(many, np.arange(number), share, np.ones(number), True, jnp.full(3, 128.0))
  one = jnp.stack([x, other]) / 255
  noise = erased(jax.random.split(jax.random.key(3), 1), (one[:1] - 0.5) / 0.25, Erase(p=1.0))[0] * 0.25 + 0.5
  mixed = {f.__name__: 255 * f(jax.random.key(8), one, jnp.eye(2), alpha=4.0)[0][0] for f in (mixup, cutmix)}
  return dict(image=x, **dict(zip(OPERATIONS, drawn, strict=True)), erase=255 * noise, **mixed)


def draw() -> None:
  found = pictures()
  rows = -(-len(found) // COLUMNS)
  sheet = Image.new('RGB', (COLUMNS * (SIDE + 4), rows * (SIDE + TITLE + 4)), 'white')
  for i, (title, x) in enumerate(found.items()):
    left, top = i % COLUMNS * (SIDE + 4), i // COLUMNS * (SIDE + TITLE + 4)
    ImageDraw.Draw(sheet).text((left, top), title.replace('_', ' '), fill='black')
    sheet.paste(Image.fromarray(np.asarray(jnp.clip(x, 0, 255)).astype(np.uint8)), (left, top + TITLE))
  sheet.quantize(128).save(PAGE, optimize=True)


if __name__ == '__main__':
  draw()
