"""The pass that mixes examples: with whom, with which draw, and that micro-batches do not change it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.objectives import cross_entropy
from jssl.ops.mixing import mixing
from jssl.passes.mixed import mixed
from jssl.types import Call, salted

X = jnp.asarray(np.random.default_rng(0).random((6, 4, 5, 1)), jnp.float32)
KEYS = jax.random.split(jax.random.key(0), 6)
BATCH = {'label': jnp.array([0, 2, 1, 1, 0, 2]), 'example': jnp.array([3, 1, 4, 0, 5, 9]), 'epoch': jnp.array([0, 0, 0, 1, 1, 1])}
WHOLE = {'whole.batch.keys': KEYS, 'whole.views.x[0]': X, **{f'whole.batch.{name}': x for name, x in BATCH.items()}}


def run(rows, **options):
  """The pass on some rows of the batch."""
  own = {name: x[rows] for name, x in BATCH.items()}
  known = {**WHOLE, 'views.x[0]': X[rows]}
  call = Call({}, None, own, KEYS[rows], 'it', {}, {}, known.__getitem__)
  return mixed(on='whole.views.x[0]', classes=3, **options).run(call)


@pytest.mark.parametrize('options', [dict(mixup=0.8, cutmix=0.0), dict(mixup=0.0, cutmix=1.0)])
def test_each_view_is_mixed_with_the_next_of_the_whole_batch(options):
  found = run(slice(None), smoothing=0.3, **options)
  own, share = mixing(salted(KEYS[0], 'it', 'mix'), (4, 5), **options)
  assert 0 < share < 1
  soft = 0.7 * np.eye(3)[BATCH['label']] + 0.1
  for i in range(6):
    j = (i + 1) % 6
    np.testing.assert_allclose(found['x'][i], own * X[i] + (1 - own) * X[j], atol=1e-6)
    np.testing.assert_allclose(found['y'][i], share * soft[i] + (1 - share) * soft[j], atol=1e-6)
  for rows in (slice(0, None, 2), slice(1, None, 2)):
    jax.tree.map(np.testing.assert_array_equal, run(rows, smoothing=0.3, **options), jax.tree.map(lambda x, rows=rows: x[rows], found))


def test_what_is_not_mixed_stays_as_it_is():
  found = run(slice(None), p=0.0, smoothing=0.0)
  np.testing.assert_array_equal(found['x'], X)
  np.testing.assert_array_equal(found['y'], np.eye(3)[BATCH['label']])


def test_views_of_a_part_of_the_batch_are_refused():
  with pytest.raises(ValueError, match="give 'whole.views.x'"):
    mixed(on='views.x', classes=3)


def test_labels_of_another_shape_than_logits_are_refused():
  with pytest.raises(ValueError, match='expected labels'):
    cross_entropy(jnp.zeros((3, 4)), labels=jnp.zeros((3, 1), jnp.int32))
