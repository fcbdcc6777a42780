"""Masks of a drawn rate, what tables show, and overlap of words."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl.models.bert import Bert
from jssl.parts.facts import table_states
from jssl.parts.late import late_interaction
from jssl.parts.rouge import rouge_f1
from jssl.views.rates import mask_uniformly


def test_masks_of_a_uniform_rate_hide_any_number_alike():
  ids = jnp.ones((4000, 14), int).at[:, 13].set(0)
  hidden = mask_uniformly(jax.random.split(jax.random.key(0), 4000), ids, start=4)
  count = np.asarray(hidden.mask.sum(1))
  assert not hidden.mask[:, :4].any() and not hidden.mask[:, 13].any()
  # Beta-binomial of a uniform rate: 0 to 9 of 9 are equally likely.
  np.testing.assert_allclose(np.bincount(count, minlength=10) / 4000, 0.1, atol=0.02)
  np.testing.assert_array_equal(jnp.take_along_axis(hidden.mask, hidden.places, 1), hidden.valid)


def test_a_cell_sees_its_row_and_column_alone():
  where = np.array([(0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)])
  net = Bert((8,), vocabulary=20, width=8, depth=1, heads=2, mask_id=1, types=3, pool='cls', std=0.5, rngs=nnx.Rngs(0))
  ids = jnp.arange(2, 10)[None]
  batch = dict(ids=ids, row=jnp.array(where[None, :, 0]), column=jnp.array(where[None, :, 1]))
  tokens = lambda batch, structured: table_states(net, batch, jnp.zeros((1, 8), bool), structured).tokens[0]
  for structured in (True, False):
    before = tokens(batch, structured)
    for changed in range(8):
      moved = np.abs(tokens(batch | dict(ids=ids.at[0, changed].set(15)), structured) - before).max(1) > 1e-6
      sees = (where == where[changed]).any(1) if structured else np.ones(8, bool)
      np.testing.assert_array_equal(moved, sees)


def test_rouge_by_hand():
  assert rouge_f1('a a b'.split(), 'a c b d'.split()) == 2 * 2 / 7
  assert rouge_f1('a b c'.split(), 'b c a'.split(), n=2) == 0.5
  assert rouge_f1([], ['a']) == 0.0


def test_late_interaction_takes_the_best_real_token_for_each_of_the_query():
  random = np.random.RandomState(0)
  q, p, mask = random.randn(3, 2, 4), random.randn(5, 6, 4), random.rand(5, 6) < 0.6
  mask[:, 0] = True
  want = [[sum(max(x @ y for y in p[b][mask[b]]) for x in q[a]) for b in range(5)] for a in range(3)]
  np.testing.assert_allclose(late_interaction(*map(jnp.asarray, (q, p, mask))), want, rtol=1e-5)
