"""Memories against loops, and what passes read of them."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.configs import load_config
from jssl.core.build import plan
from jssl.parts.memories import centroids, moment
from jssl.passes.views import nearest
from jssl.testing import first_batch
from tests.made import tiny


def cos(x, y):
  return x @ y / np.sqrt(x @ x * (y @ y))


def begun(q, k, first, count):
  """Farthest first: each next example is the one of those left that is least like the one before."""
  chosen = [first]
  while len(chosen) < count:
    left = [j for j in range(len(q)) if j not in chosen]
    chosen.append(min(left, key=lambda j: cos(q[chosen[-1]], k[j])))
  return q[chosen]


def moved(c, q, rate):
  after = c.copy()
  nearest = [max(range(len(c)), key=lambda j: cos(h, c[j])) for h in q]
  for j in range(len(c)):
    if members := [h for h, own in zip(q, nearest, strict=True) if own == j]:
      after[j] = (1 - rate) * c[j] + rate * sum(members) / len(members)
  return after


def test_centroids_begin_far_apart_and_follow_their_members():
  rng = np.random.default_rng(0)
  memory = centroids(count=5, rate=0.3, threshold=0.3)
  draw = lambda shift: [(rng.normal(size=(12, 4)) + shift).astype(np.float32) for _ in range(2)]
  alike = draw(5.0)
  state = memory.init(jax.random.key(0), *alike)
  write = jax.jit(memory.write)
  state = write(state, *alike)
  assert not memory.read(state)['started'] and not memory.read(state)['centroids'].any(), 'the batch is not spread out yet'
  q, k = draw(0.0)
  state = write(state, q, k)
  expected = begun(q.astype(np.float64), k.astype(np.float64), int(state['first']), 5)
  assert memory.read(state)['started']
  np.testing.assert_array_equal(memory.read(state)['centroids'], expected.astype(np.float32))
  for shift in (0.0, 0.5, 5.0):  # once begun they follow, whatever the batch's cosine; some have no members
    q, k = draw(shift)
    state, expected = write(state, q, k), moved(expected, q.astype(np.float64), 0.3)
    np.testing.assert_allclose(memory.read(state)['centroids'], expected, rtol=1e-5, atol=1e-6)
  with pytest.raises(ValueError, match='12 or fewer'):
    centroids(count=13).init(jax.random.key(0), q, k)


@pytest.mark.parametrize(('system', 'memory'), [('moco_v2', 'queue'), ('nnclr', 'support')])
def test_few_examples_meet_an_earlier_key_of_their_own(system, memory):
  """A queue as long as the data would hold each image's own key of the epoch before, as a negative: the papers' hold 10 % of the data."""
  c = load_config(system)
  size, batch, n = c.memories[memory].size, c.batch_size, len(plan(c).data.splits['train'])
  order = np.concatenate([np.random.default_rng(epoch).permutation(n)[: n // batch * batch] for epoch in range(3)])
  begins = range(2 * (n // batch * batch), len(order), batch)
  met = [np.isin(order[i : i + batch], order[i - size : i]).mean() for i in begins]
  assert np.mean(met) < 0.05


def test_a_moment_is_the_running_mean_of_outer_products_of_directions():
  rng = np.random.default_rng(0)
  memory, expected = moment(beta=0.7), np.zeros((3, 3))
  state = memory.init(jax.random.key(0), jnp.zeros((5, 3)))
  for scale in (1.0, 40.0):
    q = scale * rng.normal(size=(5, 3)).astype(np.float32)
    expected = 0.7 * expected + 0.3 * sum(np.outer(row, row) / (row @ row) for row in q) / 5
    state = memory.write(state, q)
  np.testing.assert_allclose(memory.read(state), expected, rtol=1e-5)


@pytest.mark.parametrize('there', [True, False])
def test_nearest_rows_come_in_order_and_have_no_gradient(there):
  rng = np.random.default_rng(1)
  x, table = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(5, 4)).astype(np.float32)
  read = lambda x: {'x': x, 'table': jnp.asarray(table), 'valid': jnp.asarray(there)}.__getitem__
  run = lambda x: nearest(on='x', table='table', valid='valid', count=2).run(SimpleNamespace(read=read(x)))
  found = run(jnp.asarray(x))
  order = [sorted(range(5), key=lambda j: -cos(row, table[j]))[:2] for row in x.astype(np.float64)]
  np.testing.assert_array_equal(found['index'], order if there else np.full((6, 2), -1))
  np.testing.assert_array_equal(found['out'], table[order] if there else np.zeros((6, 2, 4)))
  assert found['valid'].tolist() == [there] * 6
  assert not jax.grad(lambda x: run(x)['out'].sum())(jnp.asarray(x)).any()


def test_a_memory_that_passes_read_takes_the_shapes_of_what_it_is_written_from():
  p = plan(tiny('clusterns'))
  _, state = jax.eval_shape(p.method.init, jax.random.key(0))
  assert state['memories']['clusters']['centroids'].shape == (16, 16)


def test_micro_batches_see_the_same_centroids():
  c = tiny('clusterns')
  c['memories']['clusters']['threshold'] = 1.0
  p = plan(c)
  params, state = p.method.init(jax.random.key(0))
  ask = lambda method, state: jax.jit(method.loss)(params, state, first_batch(p), jax.random.key(1), 0)
  before, (state, _) = ask(p.method, state)
  assert state['memories']['clusters']['started']
  one, (after, figures) = ask(p.method, state)
  two, (halves, _) = ask(plan({**c, 'micro_batches': 2}).method, state)
  assert one > before and figures['metrics/clustered'] == 1, 'hard negatives add to the loss once there are centroids'
  np.testing.assert_allclose(one, two, rtol=1e-5)
  np.testing.assert_allclose(*(x['memories']['clusters']['centroids'] for x in (after, halves)), rtol=1e-4, atol=1e-6)
