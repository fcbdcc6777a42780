"""Losses, weights, metrics, memories and teachers, as a config wires them up."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import tables
from jssl.core.build import make_loss, plan
from jssl.core.method import Outputs, example_keys, judge, mean
from jssl.core.step import init_state, make_step
from jssl.errors import ConfigError
from jssl.objectives import alignment, info_nce_queue, swav
from jssl.ops.normalize import l2_normalize
from jssl.testing import check_traces
from jssl.types import Loss, Objective, salted
from tests.core.tiny import B, Started, shaken, size, tiny

HEADS = ('projector',)
PROJECTED = dict(networks=('backbone', 'projector'))


@pytest.fixture(autouse=True)
def _views(monkeypatch):
  monkeypatch.setitem(tables.VIEWS, 'shaken', shaken)


@pytest.fixture
def objective(monkeypatch):
  """Adds an objective to the table for a test."""
  return lambda name, function: monkeypatch.setitem(tables.TABLES['objectives'], name, function)


# What a loss compares.

Q = {i: jnp.asarray(np.random.default_rng(i).normal(size=(5, 3)), jnp.float32) for i in range(3)}
K = {i: 2 * x[::-1] for i, x in Q.items()}
OUTPUTS = Outputs({'it': {'q': Q, 'k': K, 'one': Q[0]}}, {'label': jnp.arange(5)}, {}, {})


def distance(q, k):
  return jnp.sum((q - k) ** 2, -1)


def judged(*positional, **options):
  return judge(Loss(distance, positional, {}, **options), OUTPUTS, jax.random.key(0), jnp.int32(0))


def test_pairs():
  compared = lambda pairs: [distance(Q[i], K[j]) for i, j in pairs]
  every = [(i, j) for i in range(3) for j in range(3) if i != j]
  for pairs, found in (('all', every), (((0, 1),), [(0, 1)]), (((2, 0), (1, 1)), [(2, 0), (1, 1)])):
    values = judged('it.q', 'it.k', pairs=pairs)
    np.testing.assert_allclose(values, compared(found), rtol=1e-6)
    np.testing.assert_allclose(mean(values), np.mean(compared(found)), rtol=1e-6)


def test_over_views():
  """What has no views goes with each view."""
  np.testing.assert_allclose(judged('it.q', 'it.k', over='views'), [distance(Q[i], K[i]) for i in range(3)], rtol=1e-6)
  np.testing.assert_allclose(judged('it.q', 'it.one', over='views'), [distance(Q[i], Q[0]) for i in range(3)], rtol=1e-6)
  with pytest.raises(ConfigError, match=r"needs an output that has views, and none of \['batch.label', 'it.one'\] has"):
    judged('it.one', 'batch.label', over='views')


def test_all_views_at_once():
  """Without either, an output that has views is one array [b v d], and one view of it is [b d]."""
  (value,) = judged('it.q', 'it.k')
  np.testing.assert_allclose(value, jnp.stack([distance(Q[i], K[i]) for i in range(3)], 1), rtol=1e-6)
  (value,) = judged('it.q[1]', 'it.k[-1]')
  np.testing.assert_allclose(value, distance(Q[1], K[2]), rtol=1e-6)


def test_keywords_may_stand_in_any_order():
  of = dict(q='it.q', k='it.k', negatives='it.one')
  orders = [of, dict(reversed(of.items())), dict(negatives='it.one', k='it.k', q='it.q')]
  found = []
  for order in orders:
    loss = make_loss('losses.it', dict(name='info_nce_queue', of=order, pairs=((0, 1),)), 'objectives', None)
    assert [*loss.keywords][:2] == ['q', 'k']
    found.append(mean(judge(loss, OUTPUTS, jax.random.key(0), jnp.int32(0))))
  np.testing.assert_array_equal(found, float(jnp.mean(info_nce_queue(Q[0], K[1], negatives=Q[0]))))


def test_positional_and_named_arrays_are_the_same():
  named = tiny(losses=dict(near=dict(name='alignment', of=dict(k='views.k', q='views.q'), pairs=((0, 1),))))
  assert Started(named).figures() == Started(tiny()).figures()


# Keys, weights and schedules.


def noisy(q, *, key, scale=1.0):
  """An objective that draws."""
  return scale * jax.random.normal(key) + 0 * q[:, 0]


def test_an_objective_draws_by_step_and_name(objective):
  objective('noisy', noisy)
  make = lambda *names: Started(tiny(losses={name: dict(name='noisy', of='views.q[0]') for name in names}))
  one, two = make('a'), make('b', 'a')
  a = [one.figures(step=step)['a/loss'] for step in (0, 0, 1)]
  assert a[0] == a[1] != a[2]
  found = two.figures()
  assert found['b/loss'] != found['a/loss'] == a[0], 'other losses do not matter'
  assert one.figures(key=2)['a/loss'] != a[0]
  by_hand = jax.random.normal(salted(jax.random.fold_in(jax.random.key(1), 0), 'a'))
  np.testing.assert_allclose(a[0], by_hand, rtol=1e-6)


def test_a_loss_of_weight_zero_is_not_computed(objective):
  called = []
  objective('nan', lambda q: called.append(1) or jnp.nan * q[:, 0])
  made = Started(tiny(losses=dict(bad=dict(name='nan', of='views.q[0]', weight=0.0))))
  assert np.isfinite(made.figures()['total']) and 'bad/loss' not in made.figures()
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(made.gradient())) and not called
  bad = Started(tiny(losses=dict(bad=dict(name='nan', of='views.q[0]', weight=1e-3))))
  assert np.isnan(bad.figures()['total']) and called


def test_losses_that_all_weigh_nothing_are_refused():
  with pytest.raises(ConfigError, match='every loss has weight 0'):
    plan(tiny(losses=dict(near=dict(name='uniformity', of='views.q[0]', weight=0))))


def test_a_network_that_is_not_there_is_named():
  with pytest.raises(ConfigError, match="passes.views: no network is called 'projectr'; did you mean projector"):
    check_traces(tiny(passes=dict(views=dict(name='embed', heads=('projectr',)))))


def test_weights_and_options_may_be_schedules():
  line = lambda start, end: dict(name='linear', start=start, end=end)
  c = tiny(losses=dict(
    near=dict(name='alignment', of=('views.q', 'views.k'), pairs=((0, 1),), weight=line(0.0, 2.0)),
    far=dict(name='uniformity', of='views.q[0]', t=line(1.0, 3.0), weight=0.5),
  ))  # fmt: skip
  made = Started(c)
  for step in (0, 4, 8):
    found = made.figures(step=step)
    np.testing.assert_allclose(found['total'], step / 4 * found['near/loss'] + 0.5 * found['far/loss'], rtol=1e-5)
  fixed = lambda t: Started(tiny(losses=dict(far=dict(name='uniformity', of='views.q[0]', t=t)))).figures(step=4)['far/loss']
  np.testing.assert_allclose(made.figures(step=4)['far/loss'], fixed(2.0), rtol=1e-5)


def test_options_of_an_objective_within_another_may_be_schedules(objective):
  def outer(q, *, objective: Objective):
    return objective(q)

  objective('outer', outer)
  objective('inner', lambda q, *, scale: scale + 0 * q[:, 0])
  scale = dict(name='linear', start=0.0, end=8.0)
  made = Started(tiny(losses=dict(it=dict(name='outer', of='views.q[0]', objective=dict(name='inner', scale=scale)))))
  assert [made.figures(step=step)['it/loss'] for step in (0, 3, 8)] == [0, 3, 8]


# Metrics.


def test_metrics_have_no_part_in_the_gradient():
  metric = dict(mean=dict(name='mean_value', of='views.q[0]'), over=dict(name='mean_value', of='views.q', over='views'))
  plain, watched = Started(tiny()), Started(tiny(metrics=metric))
  found = watched.figures()
  assert {name: x for name, x in found.items() if not name.startswith('metrics/')} == plain.figures()
  assert found['metrics/mean'] != found['metrics/over']
  jax.tree.map(np.testing.assert_array_equal, watched.gradient(), plain.gradient())


def test_a_metric_that_is_no_number_leaves_the_gradient_alone(monkeypatch):
  monkeypatch.setitem(tables.METRICS, 'nan', lambda x: jnp.sqrt(jnp.sum(0 * x) - 1))
  watched = Started(tiny(metrics=dict(bad=dict(name='nan', of='views.q[0]'))))
  assert np.isnan(watched.figures()['metrics/bad'])
  jax.tree.map(np.testing.assert_array_equal, watched.gradient(), Started(tiny()).gradient())


# Networks that are held still.


def test_gradients_flow_through_a_frozen_network_and_not_into_it():
  wide = lambda **more: Started(tiny(passes=dict(views=dict(name='embed', heads=HEADS, **more))))
  free, held = wide().gradient(), wide(frozen=('projector',)).gradient()
  assert size(held['projector']) == 0 < size(free['projector'])
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), held['backbone'], free['backbone'])
  through = wide(frozen=('backbone',)).gradient()
  assert size(through['backbone']) == 0 < size(through['projector'])
  assert wide(frozen=('projector',)).figures() == wide().figures()


def test_a_network_is_frozen_in_one_pass_alone():
  passes = dict(held=dict(name='embed', heads=HEADS, frozen=('backbone', 'projector')))
  both = dict(near=dict(name='alignment', of=('views.q[0]', 'held.k[1]')))
  one_sided = Started(tiny(passes=passes, losses=both)).gradient()
  stopped = Started(tiny(passes=passes, losses=dict(near=dict(name='alignment', of=('held.q[0]', 'held.k[1]'))))).gradient()
  assert size(stopped) == 0 < size(one_sided['backbone'])


# Memories.


def after(made, steps: int):
  """State and what was written into it after some steps with the first batch, without an update."""
  state = made.state
  for step in range(steps):
    _, (state, _) = made.loss(step=step, state=state)
  return state


def seen_by(config, *refs):
  """What references stand for in the first step of a method: the means of the metrics of their entries."""
  metrics = {f'm{i}': dict(name='mean_value', of=ref) for i, ref in enumerate(refs)}
  found = Started({**config, 'metrics': metrics}).figures()
  return [found[f'metrics/m{i}'] for i in range(len(refs))]


def test_temperatures_and_biases_are_learned():
  """SigLIP, arXiv:2303.15343, Algorithm 1, and CLIP, arXiv:2103.00020, section 2.5, from where their papers start."""
  heads = dict(t=dict(name='scale', init=10.0, bias=-10.0), clip=dict(name='scale', init=1 / 0.07, max=100.0))
  learned = dict(t_prime='nets.t.log_scale', bias='nets.t.bias')
  losses = dict(
    near=dict(name='siglip', of=dict(q='views.q', k='views.k', **learned), pairs=((0, 1),)),
    clip=dict(name='info_nce', of=dict(q='views.q', k='views.k', temperature='nets.clip.temperature'), pairs=((0, 1),)),
  )
  memories = {name: dict(name='queue', of=f'views.q[{i}]', size=B) for i, name in enumerate('ab')}
  made = Started(tiny(heads=heads, losses=losses, memories=memories))
  of = jax.jit(jax.value_and_grad(made.method.loss, has_aux=True))
  (_, (state, figures)), grads = of(made.params, made.state, made.batch, jax.random.key(1), 0)
  a, b = (np.asarray(state['memories'][name]['keys'], np.float64) for name in 'ab')  # of unit length
  logits, matches = a @ b.T * math.exp(math.log(10)) - 10, 2 * np.eye(B) - 1
  np.testing.assert_allclose(figures['near/loss'], np.sum(np.log1p(np.exp(-matches * logits))) / B, rtol=1e-4)
  logits = a @ b.T / 0.07
  np.testing.assert_allclose(figures['clip/loss'], np.mean(np.log(np.exp(logits).sum(1)) - np.diag(logits)), rtol=1e-4)
  assert grads['t']['log_scale'] and grads['t']['bias'] and grads['clip']['log_scale']


def test_a_queue_is_read_before_it_is_written():
  queue = dict(keys=dict(name='queue', of='views.k[1]', size=2 * B))
  nce = dict(near=dict(name='info_nce_queue', of=dict(q='views.q', k='views.k', negatives='memory.keys'), pairs=((0, 1),)))
  made = Started(tiny(memories=queue, losses=nce))
  start = made.state['memories']['keys']['keys']
  np.testing.assert_allclose(jnp.linalg.norm(start, axis=1), 1, rtol=1e-5)
  once, twice, thrice = (after(made, n)['memories']['keys'] for n in (1, 2, 3))
  np.testing.assert_array_equal(once['keys'][B:], start[B:])
  assert [int(x['next']) for x in (once, twice, thrice)] == [B, 0, B]
  np.testing.assert_array_equal(once['keys'][:B], twice['keys'][:B])
  losses = [made.figures(state=s)['near/loss'] for s in (made.state, after(made, 2))]
  assert losses[0] != losses[1], 'its own keys are harder to tell from than random ones'
  with pytest.raises(ValueError, match='not a multiple of the batch size'):
    Started(tiny(memories=dict(keys=dict(name='queue', of='views.k[1]', size=B + 1)), losses=nce))


def test_a_queue_of_embeddings_is_scored_by_the_prototypes_of_now_once_it_is_full():
  """As in main_swav.py of the official code: filled from an epoch on, read before it is written, and not until its last row is filled."""
  of = dict(q='scores.out', k='scores.out', queue='memory.queue.keys', queue_valid='memory.queue.valid', prototypes='nets.prototypes.vectors')
  queue = dict(name='queue', of='views.q[0]', size=2 * B, start='3 steps')
  made = Started(
    tiny(
      heads=dict(prototypes=dict(name='prototypes', on='projector', k=5)),
      passes=dict(scores=dict(name='apply', network='prototypes', on='views.q')),
      memories=dict(queue=queue, other=dict(name='queue', of='views.q[1]', size=B)),
      losses=dict(near=dict(name='swav', of=of, pairs=((1, 0),))),
    )
  )
  update = jax.jit(lambda state, key: made.method.loss(made.params, state, made.batch, jax.random.key(key), 0))
  state, values = made.state, []
  for i, key in enumerate((1, 1, 1, 2, 3, 1)):  # 3 updates before the start, 2 that fill the queue, and one that reads it
    assert int(state['memories']['queue']['left']) == 5 - i
    earlier = np.asarray(state['memories']['queue']['keys'], np.float64)
    loss, (state, _) = update(state, key)
    values.append(float(loss))
  now, other = (np.asarray(state['memories'][name]['keys'][:B], np.float64) for name in ('queue', 'other'))
  vectors = np.asarray(made.params['prototypes']['kernel'], np.float64).T
  vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
  q, k, earlier = (jnp.asarray(x @ vectors.T, jnp.float32) for x in (other, now, earlier))
  np.testing.assert_allclose(values[:3], [swav(q, k).mean()] * 3, rtol=1e-4)
  np.testing.assert_allclose(values[5], swav(q, k, queue=earlier).mean(), rtol=1e-4)
  assert abs(values[5] - values[0]) > 1e-3
  watched = jax.eval_shape(made.method.watch, made.params, state, made.batch, jax.random.key(1), 0)
  assert watched['teacher'].shape == (B, 5)


def test_a_centre_is_the_running_mean_over_all_views():
  centre = dict(centre=dict(name='centre', of='views.k', momentum=0.75))
  dino = dict(near=dict(name='dino', of=dict(q='views.q', k='views.k', centre='memory.centre'), pairs='all'))
  made = Started(tiny(memories=centre, losses=dino))
  np.testing.assert_array_equal(made.state['memories']['centre'], 0)
  once, twice = (after(made, n)['memories']['centre'] for n in (1, 2))
  (want,) = seen_by(tiny(memories=centre, losses=dino), 'views.k')
  np.testing.assert_allclose(jnp.mean(once), 0.25 * want, rtol=1e-4)
  np.testing.assert_allclose(twice, once * 1.75, rtol=1e-5)


def test_duals_rise_from_what_a_pass_gives():
  duals = dict(duals=dict(name='duals', of='views.q[0]', rate=0.5, limit=1e9))
  allo = dict(slow=dict(name='allo', of=dict(start='views.q[0]', end='views.q[1]', duals='memory.duals.duals', barrier='memory.duals.barrier')))
  made = Started(tiny(memories=duals, losses=allo))
  np.testing.assert_array_equal(made.state['memories']['duals']['duals'], np.zeros((4, 4)))
  assert made.state['memories']['duals']['barrier'] == 2
  once, twice = (after(made, n)['memories']['duals']['duals'] for n in (1, 2))
  assert np.abs(once).max() > 0
  np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)


def test_multipliers_rise_with_the_losses_of_their_examples(objective):
  """Written from 'loss.NAME', [b], and read by the pass `recall`, for the examples of the batch."""
  objective('by_label', lambda q, y: y.astype(jnp.float32) + 0 * q[:, 0])
  multipliers = dict(weights=dict(name='multipliers', of=('loss.task', 'batch.example'), count=100, rate=0.5, level=2.0))
  c = tiny(
    memories=multipliers, passes=dict(own=dict(name='recall', memory='memory.weights')),
    losses=dict(task=dict(name='by_label', of=('views.q[0]', 'batch.label')), read=dict(name='by_label', of=('views.q[0]', 'own.out'))),
  )  # fmt: skip
  made = Started(c)
  made.batch['example'] = jnp.array([90, 3, 4, 7, 50, 61, 12, 99])
  label = np.asarray(made.batch['label'], float)
  once, twice = (np.asarray(after(made, n)['memories']['weights']) for n in (1, 2))
  rise, at = np.maximum(0.5 * (label - 2), 0), np.asarray(made.batch['example'])
  np.testing.assert_allclose(once[at], rise, rtol=1e-6)
  np.testing.assert_allclose(twice[at], np.maximum(rise + 0.5 * (label - 2), 0), rtol=1e-6)
  assert not np.delete(twice, at).any()
  np.testing.assert_allclose(made.figures(state=after(made, 1))['read/loss'], rise.mean(), rtol=1e-6)


def test_losses_over_views_are_written_as_their_mean(objective):
  objective('first', lambda q, k: q[:, 0])
  of = dict(name='multipliers', of=('loss.near', 'batch.example'), count=B, rate=1.0, level=-100.0)
  made = Started(tiny(memories=dict(weights=of), losses=dict(near=dict(name='first', of=('views.q', 'views.k'), pairs='all'))))
  written = np.asarray(after(made, 1)['memories']['weights'])
  assert np.ptp(written) > 0
  np.testing.assert_allclose(written.mean(), made.figures()['near/loss'] + 100, rtol=1e-5)


def test_rows_of_the_examples_move_to_their_embeddings():
  rows = dict(rows=dict(name='rows', of=('views.q[0]', 'batch.example'), count=30, dim=4))
  c = tiny(
    memories=rows, passes=dict(own=dict(name='recall', memory='memory.rows')),
    losses=dict(near=dict(name='alignment', of=('views.q[1]', 'own.out'))),
  )  # fmt: skip
  made = Started(c)
  made.batch['example'] = jnp.arange(B) * 3
  start, once = made.state['memories']['rows'], after(made, 1)['memories']['rows']
  np.testing.assert_allclose(jnp.linalg.norm(once, axis=1), 1, rtol=1e-5)
  moved = np.abs(once - start).max(1) > 1e-6
  np.testing.assert_array_equal(moved, np.isin(np.arange(30), made.batch['example']))
  # What was written is what `views.q[0]` is: it lies at no distance from itself.
  again = Started({**c, 'losses': dict(near=dict(name='alignment', of=('views.q[0]', 'own.out')))})
  again.batch['example'] = made.batch['example']
  keys = lambda state: again.figures(state={**again.state, 'memories': state['memories']})['near/loss']
  assert keys(after(again, 1)) < 1e-6 < keys(again.state)


def test_a_memory_of_a_loss_that_is_not_computed():
  of = dict(weights=dict(name='multipliers', of=('loss.near', 'batch.example'), count=B, rate=1.0, level=0.0))
  losses = dict(near=dict(name='alignment', of=('views.q', 'views.k'), pairs='all', weight=0.0), far=dict(name='uniformity', of='views.q[0]'))
  assert not Started(tiny(memories=of, losses=losses)).state['memories'], 'nobody reads it'
  losses['far'] = dict(name='cosine_regression', of=dict(q='views.q[0]', k='views.q[1]', labels='own.out'))
  with pytest.raises(ConfigError, match='memories.weights.of: loss.near: that loss is not computed'):
    plan(tiny(memories=of, losses=losses, passes=dict(own=dict(name='recall', memory='memory.weights'))))
  of['weights']['of'] = ('loss.nera', 'batch.example')
  with pytest.raises(ConfigError, match="no loss is called 'nera'; did you mean near"):
    plan(tiny(memories=of))


def test_turns_keep_each_others_memories():
  keys = lambda i: dict(name='queue', of=f'{i}.k[1]', size=2 * B)
  nce = lambda i: dict(name='info_nce_queue', of=dict(q=f'{i}.q', k=f'{i}.k', negatives=f'memory.{i}'), pairs=((0, 1),))
  c = tiny(
    passes=dict(a=dict(name='embed', heads=HEADS), b=dict(name='embed', heads=HEADS)), memories=dict(a=keys('a'), b=keys('b')),
    losses=dict(a=nce('a'), b=nce('b')), cycle=(dict(losses=('a',)), dict(losses=('b',))),
  )  # fmt: skip
  check_traces(c)
  phase = plan(c).phases[0]
  made = Started(c)
  state = jax.jit(lambda: init_state(phase, jax.random.key(0)))()
  assert set(state.state['memories']) == {'a', 'b'}
  written = lambda old, new: {n for n in 'ab' if not np.array_equal(old.state['memories'][n]['keys'], new.state['memories'][n]['keys'])}
  first, _ = jax.jit(make_step(phase, 0))(state, made.batch)
  second, _ = jax.jit(make_step(phase, 1))(first, made.batch)
  assert (written(state, first), written(first, second)) == ({'a'}, {'b'})


# Teachers.


def moved(params, factor):
  return jax.tree.map(lambda x: factor * x, params)


def test_two_teachers_follow_by_rules_of_their_own():
  teachers = dict(slow=dict(name='ema', decay=0.75, **PROJECTED), still=dict(name='frozen', networks=('backbone',)))
  made = Started(tiny(teachers=teachers))
  state, new = made.state, moved(made.params, 3.0)
  assert set(state['target']) == {'slow', 'still'} and set(state['target']['still']) == {'backbone'}
  follow = jax.jit(made.method.after_update)(new, state, jnp.int32(0))['target']
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, 1.5 * b, rtol=1e-5), follow['slow'], made.params)
  jax.tree.map(np.testing.assert_array_equal, follow['still'], {'backbone': made.params['backbone']})


def test_teachers_that_copy_now_and_then_or_always():
  teachers = dict(then=dict(name='periodic', every=2, **PROJECTED), always=dict(name='copy', **PROJECTED))
  made = Started(tiny(teachers=teachers))
  state = made.state
  for step, copied in enumerate((False, True, False, True)):
    new = moved(made.params, 2.0 + step)
    before, state = state, jax.jit(made.method.after_update)(new, state, jnp.int32(step))
    jax.tree.map(np.testing.assert_array_equal, state['target']['always'], new)
    jax.tree.map(np.testing.assert_array_equal, state['target']['then'], new if copied else before['target']['then'])


def test_a_pass_picks_its_teacher_by_name():
  teachers = dict(slow=dict(name='frozen', **PROJECTED), late=dict(name='frozen', **PROJECTED))
  near = lambda name: dict(name='alignment', of=('views.q[0]', f'{name}.k[0]'))
  c = tiny(
    teachers=teachers, view=dict(name='plain'),
    losses=dict(near=near('views'), first=near('plain'), slow=near('by_slow'), late=near('by_late'), none=near('alone')),
    passes=dict(
      plain=dict(name='embed', heads=HEADS), by_slow=dict(name='embed', heads=HEADS, of_teacher='slow'),
      by_late=dict(name='embed', heads=HEADS, of_teacher='late'), alone=dict(name='embed', heads=HEADS, of_teacher=None),
    ),
  )  # fmt: skip
  made = Started(c)
  same = made.figures()
  assert all(same[f'{name}/loss'] < 1e-9 for name in c['losses']), 'all begin as the student'
  changed = {**made.state, 'target': {**made.state['target'], 'late': moved(made.state['target']['late'], -1.0)}}
  found = made.figures(state=changed)
  assert found['late/loss'] > 1e-3
  assert all(found[f'{name}/loss'] < 1e-9 for name in ('near', 'first', 'slow', 'none')), 'the first teacher is that of who names none'
  first = made.figures(state={**made.state, 'target': {**made.state['target'], 'slow': moved(made.state['target']['slow'], -1.0)}})
  assert {name for name in c['losses'] if first[f'{name}/loss'] > 1e-3} == {'near', 'first', 'slow'}


def test_what_a_teacher_encodes_has_no_gradient_of_its_own():
  """The student's parameters are no part of a teacher's outputs; nothing flows back through the state."""
  teacher = dict(name='ema', decay=0.9, **PROJECTED)
  made = Started(tiny(teacher=teacher, losses=dict(near=dict(name='alignment', of=('views.k[0]', 'views.k[1]')))))
  assert size(made.gradient()) == 0
  both = dict(near=dict(name='alignment', of=('views.q', 'views.k'), pairs='all'))
  loss = Started(tiny(teacher=teacher, losses=both)).figures()['near/loss']
  np.testing.assert_allclose(loss, Started(tiny(losses=both)).figures()['near/loss'], rtol=1e-5)


def test_the_objective_is_that_of_the_embeddings(objective):
  """From views to a loss, written out: what `align` gives for the two projections."""
  noted = {}
  objective('noted', lambda q, k: jax.debug.callback(lambda q, k: noted.update(q=q, k=k), q, k) or alignment(q, k))
  made = Started(tiny(losses=dict(near=dict(name='noted', of=('views.q', 'views.k'), pairs=((0, 1),)))))
  value = made.figures()['near/loss']
  jax.effects_barrier()
  x = [v.reshape(B, -1) for v in shaken(salted(example_keys(jax.random.key(1), made.batch), 'views', 'view'), made.batch)]
  net, head = made.params['backbone'], made.params['projector']
  linear = lambda x, layer: x @ layer['kernel'] + layer['bias']
  embed = lambda x: linear(jax.nn.relu(linear(x, net['linear1'])), head['linear'])
  np.testing.assert_allclose(noted['q'], embed(x[0]), rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(noted['k'], embed(x[1]), rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(value, np.mean(np.sum((l2_normalize(embed(x[0])) - l2_normalize(embed(x[1]))) ** 2, 1)), rtol=1e-4)
