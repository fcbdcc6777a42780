"""Views of examples with parts, and of chunks."""

from functools import partial

import jax
import numpy as np
import pytest

from jssl.views import image, items

KEYS = jax.random.split(jax.random.key(0), 16)


def test_items_are_drawn_without_replacement():
  things = np.arange(16 * 5 * 4, dtype=np.float32).reshape(16, 5, 4, 1)
  views = items.sample_items(KEYS, {'x': things}, column='x', views=5)
  np.testing.assert_array_equal(np.sort(np.stack(views, 1).reshape(16, -1)), things.reshape(16, -1))
  assert len({tuple(np.asarray(v[:, 0, 0])) for v in views}) == 5


def test_pieces_are_pieces_of_an_item_of_the_example():
  things = np.arange(16 * 5 * 8, dtype=np.float32).reshape(16, 5, 8)
  for view in items.sample_items(KEYS, {'x': things}, column='x', frames=3):
    assert view.shape == (16, 3) and (np.diff(view) == 1).all()
    assert (view[:, 0] // 40 == np.arange(16)).all() and (view[:, 0] // 8 == view[:, -1] // 8).all()
  with pytest.raises(ValueError, match='5 items of 8 frames'):
    items.sample_items(KEYS, {'x': things}, column='x', views=6)


def test_a_chunk_is_changed_alike_wherever_its_examples_stand():
  photo = np.random.default_rng(0).random((1, 8, 8, 1), np.float32)
  batch = {'image': np.repeat(photo, 16, 0), 'example': np.arange(16) * 7, 'epoch': np.full(16, 3)}
  view = partial(items.grouped, view=partial(image.augment, affine=dict(degrees=90)), chunks=4)
  one, two = view(KEYS, batch)
  same = (batch['example'] % 4)[:, None] == batch['example'] % 4
  np.testing.assert_array_equal((one[:, None] == one).all((2, 3, 4)), same)
  assert not (one == two).all((1, 2, 3)).any()
  part = {name: x[5:9] for name, x in batch.items()}
  np.testing.assert_array_equal(view(KEYS[5:9], part)[0], one[5:9])
  later = {**batch, 'epoch': batch['epoch'] + 1}
  assert not (view(KEYS, later)[0] == one).all((1, 2, 3)).any()
