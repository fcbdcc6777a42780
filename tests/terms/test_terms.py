"""Terms written out by hand: what goes through which network, and what is handed to the objective."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from jssl.objectives import softmax_cross_entropy, wcord_global
from jssl.terms import distil, labelled, multi_view
from jssl.types import Features


def tower(scale):
  return lambda x, keys=None: Features(x[:, None], scale * x)


X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)), jnp.float32)
BATCH = {'x': X, 'label': jnp.array([0, 2, 1, 1, 0, 2])}
KEYS = jax.random.split(jax.random.key(0), 6)
NETS = {'one': tower(1.0), 'two': tower(2.0), 'end': lambda z: z + 1, 'other': lambda z: -z, 'scale': lambda x=1.0: 7.0 * x}
TWICE = lambda keys, batch: (batch['x'], 3 * batch['x'])


def test_multi_view_has_a_tower_and_a_head_a_view():
  seen = {}

  def objective(z, scale):
    seen.update(z=z, scale=scale)
    return z[:, 0, 0]

  term = multi_view.multi_view(
    objective=objective, view=TWICE, towers=('one', 'two'), heads=('end', 'other'), scalars=dict(scale='scale')
  )
  loss, _ = term.judge(NETS, term.encode(NETS, None, BATCH, KEYS), {}, None, 0)
  np.testing.assert_allclose(seen['z'], np.stack([X + 1, -6 * X], 1), rtol=1e-6)
  np.testing.assert_allclose(loss, jnp.mean(X[:, 0] + 1), rtol=1e-6)
  assert seen['scale'] == 7
  shared = multi_view.multi_view(objective=objective, view=TWICE, towers='two', heads='end')
  np.testing.assert_allclose(shared.encode(NETS, None, BATCH, KEYS)['z'], np.stack([2 * X + 1, 6 * X + 1], 1), rtol=1e-6)


def test_every_view_is_classified_by_its_example_s_label():
  term = labelled.classified(objective=softmax_cross_entropy, view=TWICE, encoder='one', heads=('end',))
  loss, _ = term.judge(NETS, term.encode(NETS, None, BATCH, KEYS), {}, None, 0)
  apart = [softmax_cross_entropy(x + 1, labels=BATCH['label']) for x in (X, 3 * X)]
  np.testing.assert_allclose(loss, jnp.mean(jnp.stack(apart)), rtol=1e-6)


def test_prototypes_are_the_columns_of_a_kernel():
  kernel = jnp.arange(6.0).reshape(3, 2)
  given = {}
  term = labelled.classified(
    objective=lambda z, w, labels: given.update(w=w) or z[:, 0], view=TWICE, encoder='one', heads=(), prototypes='classes'
  )
  nets = {**NETS, 'classes': SimpleNamespace(kernel=kernel)}
  term.judge(nets, term.encode(nets, None, BATCH, KEYS), {}, None, 0)
  np.testing.assert_array_equal(given['w'], kernel.T)


def test_a_critic_scores_a_student_with_all_teachers():
  critic = lambda k, q: jnp.sum(k * q * jnp.array([1.0, 2.0, 3.0]), -1) + q[:, 0]
  nets, target = {**NETS, 'critic': critic}, {'two': tower(5.0)}
  term = distil.distilled(
    objective=wcord_global, view=lambda keys, batch: (batch['x'],), student=('one',), teacher=('two', 'end'), critic='critic'
  )
  loss, (_, metrics) = term.judge(nets, term.encode(nets, target, BATCH, KEYS), {}, None, 0)
  score = np.array([[critic(5 * k[None] + 1, q[None])[0] for k in X] for q in X])
  gap = [score[i, i] - np.mean([score[i, j] for j in range(6) if j != i]) for i in range(6)]
  np.testing.assert_allclose(loss, -np.mean(gap), rtol=1e-4)
  np.testing.assert_allclose(metrics['critic_gap'], np.mean(gap), rtol=1e-4)
