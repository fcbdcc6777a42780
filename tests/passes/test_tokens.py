"""Masks of a drawn rate, what tables show, and overlap of words."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.masks.tokens import mask_uniformly
from jssl.metrics.rouge import rouge_f1
from jssl.models.text.bert import Bert
from jssl.ops.late_interaction import late_interaction
from jssl.ops.table_structure import table_states
from jssl.passes.views import cross, encode, sample
from jssl.views.text import table_cells
from tests.passes.by_hand import given


def test_masks_of_a_uniform_rate_hide_any_number_alike():
  ids = jnp.ones((4000, 14), int).at[:, 13].set(0)
  hidden = mask_uniformly(jax.random.split(jax.random.key(0), 4000), ids != 0, start=4)
  count = np.asarray(hidden.mask.sum(1))
  assert not hidden.mask[:, :4].any() and not hidden.mask[:, 13].any()
  # Beta-binomial of a uniform rate: 0 to 9 of 9 are equally likely.
  np.testing.assert_allclose(np.bincount(count, minlength=10) / 4000, 0.1, atol=0.02)
  np.testing.assert_array_equal(jnp.take_along_axis(hidden.mask, hidden.places, 1), hidden.valid)


WHERE = np.array([(0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)])
IDS = jnp.arange(2, 10)[None]
BATCH = dict(ids=IDS, row=jnp.array(WHERE[None, :, 0]), column=jnp.array(WHERE[None, :, 1]))


def bert(**options):
  return Bert((8,), vocabulary=20, width=8, depth=1, heads=2, mask_id=1, types=3, pool='cls', std=0.5, rngs=nnx.Rngs(0), **options)


def evaluated(net, batch, structured):
  return table_states(net, batch, jnp.zeros((1, 8), bool), structured).tokens[0]


def trained(net, batch, structured):
  view = lambda keys, batch: table_cells(keys, batch, mask=1, first=4, size=20, rate=0.0, header_rate=0.0, structured=structured)
  refs = dict(on='table.ids', mask='table.hidden', types='table.types', visible='table.visible')
  passes = {'table': sample(sampler=view), 'it': (encode(**refs), *refs.values())}
  return given(passes, 'it.tokens', nets={'backbone': net}, batch=batch, keys=jax.random.split(jax.random.key(0), 1))('it.tokens')[0]


@pytest.mark.parametrize('tokens', [evaluated, trained])
def test_a_cell_sees_its_row_and_column_alone(tokens):
  net = bert()
  for structured in (True, False):
    before = tokens(net, BATCH, structured)
    for changed in range(8):
      moved = np.abs(tokens(net, BATCH | dict(ids=IDS.at[0, changed].set(15)), structured) - before).max(1) > 1e-6
      sees = (WHERE == WHERE[changed]).any(1) if structured else np.ones(8, bool)
      np.testing.assert_array_equal(moved, sees)


def test_without_positions_rows_and_columns_have_no_order():
  """Exchanging the two rows, or the two columns with their headers, exchanges the states, and changes none of them."""
  net, keyed = bert(positions=False), {tuple(x): i for i, x in enumerate(WHERE)}
  before = evaluated(net, BATCH, True)
  for swap in (lambda i, j: (3 - i if i else 0, j), lambda i, j: (i, 3 - j if j else 0)):
    order = jnp.array([keyed[swap(*x)] for x in WHERE])
    np.testing.assert_allclose(evaluated(net, BATCH | dict(ids=IDS[:, order]), True), before[order], atol=1e-5)
    assert np.abs(evaluated(bert(), BATCH | dict(ids=IDS[:, order]), True) - evaluated(bert(), BATCH, True)[order]).max() > 1e-2


def test_entities_and_headers_are_selected_and_replaced_at_their_rates():
  many = {name: jnp.repeat(x, 8000, 0) for name, x in BATCH.items()}
  drawn = table_cells(jax.random.split(jax.random.key(0), 8000), many, mask=1, first=4, size=20)
  header = WHERE[:, 0] == 0
  for name, rate, of in (('cells', 0.6, ~header), ('headers', 0.2, header)):
    np.testing.assert_allclose(drawn[name].mean(0), rate * of, atol=0.03)
  selected, changed = np.asarray(drawn['cells'] | drawn['headers']), np.asarray(drawn['ids'] != IDS)
  assert not (np.asarray(drawn['hidden']) & ~selected).any() and not (changed & ~selected).any() and not (changed & drawn['hidden']).any()
  for of, masked, replaced, ids in ((header, 0.8, 0.1 / 2, range(2, 4)), (~header, 0.873, 0.027 * 15 / 16, range(4, 20))):  # some by themselves
    chosen = selected[:, of].sum()
    np.testing.assert_allclose(np.asarray(drawn['hidden'])[:, of].sum() / chosen, masked, atol=0.02)
    np.testing.assert_allclose(changed[:, of].sum() / chosen, replaced, atol=0.01)
    assert set(np.asarray(drawn['ids'])[:, of][changed[:, of]]) == {*ids}


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
  for real, refs in ((mask, ('batch.mask',)), (np.ones_like(mask), ())):
    want = [[sum(max(x @ y for y in p[b][real[b]]) for x in q[a]) for b in range(5)] for a in range(3)]
    of = dict(each='batch.q', all='batch.p', mask=refs[0] if refs else None)
    batch = dict(q=jnp.asarray(q), p=jnp.asarray(p), mask=jnp.asarray(mask))
    found = given({'it': (cross(**of), 'batch.q', 'batch.p', *refs)}, 'it.scores', nets={}, batch=batch, keys=None)('it.scores')
    np.testing.assert_allclose(found, want, rtol=1e-5)
