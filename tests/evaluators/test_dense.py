"""Judges of tokens: what knows the class or the place of each cell is told from what does not."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.data.core.arrays import arrays
from jssl.evaluators.general.dense import cells, correspondence
from jssl.evaluators.subject import Subject
from jssl.types import Features
from jssl.views.image import augment

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


def of_cells(n):
  classes = RNG.integers(-1, 4, (n, 2, 2)).astype(np.int32)
  image = (classes.repeat(2, 1).repeat(2, 2)[..., None] + 1).astype(np.float32) / 5
  return dict(image=image, cells=classes)


DATA = arrays(**of_cells(60), test=of_cells(30), facts=dict(cells=dict(size=4, pad=-1)))


def seen(columns, pool):
  level = jnp.asarray(columns['image'])[:, ::pool, ::pool, 0].reshape(len(columns['image']), -1)
  return Features(jax.nn.one_hot(jnp.rint(5 * level).astype(int), 5), level)


def test_cells_are_read_from_their_own_tokens():
  told = cells.protocol(Subject(DATA, jax.jit(partial(seen, pool=2))), KEY)
  assert told['top1'] == 1 and told['top1_low'] > 0.9
  blind = cells.protocol(Subject(DATA, jax.jit(lambda x: seen(x, 2)._replace(tokens=jnp.zeros((len(x['image']), 4, 3))))), KEY)
  labels = DATA.splits['test'].columns['cells']
  assert blind['top1'] < 0.5 and labels.min() == -1
  with pytest.raises(ValueError, match='4 cells an image, and the network 16 tokens'):
    cells.protocol.check(Subject(DATA, jax.jit(partial(seen, pool=1))))


def test_tokens_that_know_their_place_correspond():
  at = np.stack(np.meshgrid(*(np.linspace(0, 1, 16),) * 2, indexing='ij'), -1).astype(np.float32)
  data = arrays(image=np.repeat(at[None], 20, 0), test=dict(image=np.repeat(at[None], 20, 0)))
  token = lambda x: x.reshape(len(x), 4, 4, 4, 4, 2).mean((2, 4)).reshape(len(x), 16, 2)

  def waves(x):  # the cosine of such features falls with the distance in the image
    z = token(x)[..., None] * jnp.asarray([3.0, 6.0, 9.0])
    z = jnp.concatenate([jnp.cos(z), jnp.sin(z)], -1).reshape(len(x), 16, -1)
    return Features(z, z.mean(1))

  none = lambda x: Features(jnp.ones((len(x), 16, 3)), jnp.ones((len(x), 3)))
  judged = lambda net: correspondence.protocol(Subject(data, None, dict(backbone=net)), KEY, view=partial(augment, crop=dict(scale=(0.5, 1.0))))
  found = judged(waves)
  assert found['top1'] > 0.8 and found['tokens'] > 500 and judged(none)['top1'] == pytest.approx(1 / 16)
