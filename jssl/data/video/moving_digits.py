"""Synthetic clips of small real images: digits that move in front of a changing background."""

import functools

import numpy as np

from jssl.data.core.arrays import arrays, resident
from jssl.data.vision.images import mnist5k
from jssl.types import Data


def moving_digits(
  *, frames: int = 4, side: int = 20, speed: float = 2.0, background: float = 1 / 3, train: int | None = None, seed: int = 0
) -> Data:
  """Clips of one MNIST digit, 14x14, that moves in a straight line and bounces off the walls; the background drifts.

  The background is a smooth pattern drawn for each clip.

  Args:
    frames: t, frames per clip.
    side: side of a frame in pixels, at least 14.
    speed: maximal speed, in pixels per frame and direction.
    background: its maximal brightness, out of 1.
    train: number of training clips, which are in random order; None for all.
    seed: seed of positions, speeds and backgrounds.

  Returns:
    Data of up to 4,000 training and 1,000 test clips with columns image [side side 1] uint8, a clip's first frame, the default input of a
    backbone, clip [t side side 1] uint8 and label [] int32.

  Reference: Srivastava, Mansimov, Salakhutdinov, ICML 2015, arXiv:1502.04681, section 4 (moving digits).
  """
  splits = [_clips(split, frames, side, speed, background, seed) for split in ('train', 'test')]
  info = mnist5k().info
  kept = {name: x[:train] for name, x in splits[0].items()}
  return arrays(**kept, test=splits[1], inputs='image', info={**info, 'name': 'moving_digits'})


@functools.cache
def _clips(split: str, frames: int, side: int, speed: float, background: float, seed: int) -> dict[str, np.ndarray]:
  source = mnist5k().splits[split]
  columns = resident(source).columns
  n, rng = len(columns['label']), np.random.default_rng([seed, split == 'test'])
  digits = columns['image'].reshape(n, 14, 2, 14, 2).mean((2, 4)) / 255
  room = side - 14
  start, step = rng.uniform(0, room, (n, 1, 2)), rng.uniform(-speed, speed, (n, 1, 2))
  t = np.arange(frames)[:, None]
  place = np.abs((start + step * t) % (2 * room) - room) if room else np.zeros((n, frames, 2))
  place = np.rint(place).astype(int)
  wave, phase, drift = rng.uniform(-0.6, 0.6, (n, 1, 1, 1, 2)), rng.uniform(0, 2 * np.pi, (n, 1, 1, 1)), rng.uniform(-1, 1, (n, 1, 1, 1))
  y, x = np.mgrid[:side, :side]
  clip = (1 + np.sin(wave[..., 0] * y + wave[..., 1] * x + phase + drift * t[..., None])) * background / 2
  for i in range(n):
    for j in range(frames):
      a, b = place[i, j]
      window = clip[i, j, a : a + 14, b : b + 14]
      np.maximum(window, digits[i], out=window)
  clip = np.rint(255 * clip[..., None]).astype(np.uint8)
  return dict(image=clip[:, 0], clip=clip, label=columns['label'])
