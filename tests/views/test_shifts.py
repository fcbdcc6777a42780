"""Random shifts: where pixels go."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.views.shifts import random_shift


def test_a_shift_is_a_crop_of_the_padded_image():
  """As RandomShiftsAug of DrQ-v2: one of the (2 pad + 1)^2 crops of the image whose border is repeated, each equally likely."""
  x = jnp.asarray(np.random.default_rng(0).normal(size=(200, 3, 5, 4, 2)), jnp.float32)
  views = random_shift(jax.random.split(jax.random.key(0), 200), {'observation': x}, pad=1, views=2)
  found = np.zeros((3, 3))
  for view in views:
    for i, t in np.ndindex(200, 3):
      image = np.asarray(x[i, t])
      crops = {}
      for dy, dx in np.ndindex(3, 3):
        crop = np.zeros_like(image)
        for r, c in np.ndindex(5, 4):
          crop[r, c] = image[min(max(r + dy - 1, 0), 4), min(max(c + dx - 1, 0), 3)]
        crops[dy, dx] = crop
      (which,) = [at for at, crop in crops.items() if np.array_equal(crop, view[i, t])]
      found[which] += 1
  np.testing.assert_allclose(found / found.sum(), np.full((3, 3), 1 / 9), atol=0.03)
  assert not np.array_equal(*views)
