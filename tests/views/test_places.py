"""Where views lie: an image whose brightness is its own coordinate is looked at through `augment`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.ops.patches import cell_places
from jssl.views.columns import columns
from jssl.views.image import augment
from jssl.views.places import places

SIDE = 48
FLIPS = dict(flip=0.5, vflip=0.5)
MOVES = dict(degrees=25, translate=(0.1, 0.2), scale=(0.7, 1.4), shear=15)


@pytest.mark.parametrize(
  'options',
  [
    dict(crop=dict(scale=(0.3, 0.8)), size=(12, 20), **FLIPS),
    dict(affine=MOVES, **FLIPS),
    dict(crop=dict(scale=(0.3, 0.8)), affine=MOVES, size=(40, 30), **FLIPS),
    dict(views=({}, dict(crop={}, flip=1.0)), size=16),
  ],
)
def test_a_view_of_coordinates_shows_where_it_lies(options):
  b, at = 6, (np.arange(SIDE) + 0.5) / SIDE
  image = np.stack(np.meshgrid(at, at, indexing='ij'), -1)
  batch, keys = dict(image=jnp.asarray(np.repeat(image[None], b, 0), jnp.float32)), jax.random.split(jax.random.key(0), b)
  view = partial(augment, **options)
  for x, place in zip(view(keys, batch), places(view, keys, batch), strict=True):
    h, w = x.shape[1:3]
    expected = np.asarray(cell_places(place, (h, w))).reshape(b, h, w, 2)
    inside = ((expected > 1) & (expected < SIDE - 1)).all(-1)
    inside[:, [0, -1]] = inside[:, :, [0, -1]] = False  # where a crop ends, the filter of its pixels is cut
    assert inside.sum() > b * h * w / 3
    # Bilinear look-up is exact on a ramp; the antialiasing filter, of whole pixels, is not.
    atol = 1e-3 if 'affine' in options else 0.15
    np.testing.assert_allclose(SIDE * np.asarray(x)[inside], expected[inside], atol=atol)


def test_other_views_do_not_say_where_they_lie():
  batch = dict(image=jnp.zeros((2, 3, 8, 8, 1)))
  with pytest.raises(ValueError, match='known of views by augment, not by columns'):
    places(partial(columns, names=('image',)), jax.random.split(jax.random.key(0), 2), batch)
  with pytest.raises(ValueError, match='cropped where it is decoded'):
    places(partial(augment, views=3), jax.random.split(jax.random.key(0), 2), batch)
