"""Passes over places and codes."""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from jssl.passes.noise import gumbel
from jssl.passes.places import mean_token, place
from jssl.types import salted
from jssl.views.image import augment
from tests.passes.by_hand import given

B = 5
KEYS = jax.random.split(jax.random.key(0), B)
BATCH = dict(image=jnp.asarray(np.random.default_rng(0).random((B, 12, 8, 1)), jnp.float32), example=jnp.arange(B))
run = partial(given, nets=dict(backbone=SimpleNamespace(grid=(3, 2))), batch=BATCH, keys=KEYS)


def test_places_are_those_of_the_views_that_are_drawn():
  found = run({'it': place(view=partial(augment, crop=dict(scale=(1.0, 1.0), ratio=(2 / 3, 2 / 3))))}, 'it.x', 'it.places')
  np.testing.assert_allclose(found('it.x')[1], BATCH['image'], atol=1e-6)  # the whole image
  expected = [[y, x] for y in (2, 6, 10) for x in (2, 6)]
  np.testing.assert_allclose(found('it.places')[1], np.repeat([expected], B, 0), atol=1e-5)
  view = partial(augment, crop={}, jitter=dict(brightness=0.4))
  np.testing.assert_array_equal(run({'it': place(view=view)}, 'it.x')('it.x')[0], view(salted(KEYS, 'it', 'view'), BATCH)[0])


def test_the_mean_token_and_the_likeliest_code():
  logits = jnp.asarray(np.random.default_rng(1).normal(size=(B, 4, 6)), jnp.float32)
  of = {'it': mean_token(on='batch.z'), 'code': gumbel(logits='batch.z', temperature=0.5)}
  found = run(of, 'it.out', 'code.out', 'code.codes', batch={**BATCH, 'z': logits})
  np.testing.assert_allclose(found('it.out'), np.mean(logits, 1), rtol=1e-5)
  np.testing.assert_array_equal(found('code.codes'), np.argmax(logits, -1))
  noise = np.stack([jax.random.gumbel(key, (4, 6)) for key in salted(KEYS, 'code', 'draw')])
  np.testing.assert_allclose(found('code.out'), jax.nn.softmax((logits + noise) / 0.5), rtol=1e-5)
