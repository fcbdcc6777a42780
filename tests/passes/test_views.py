"""Passes written out by hand: what goes through which network, and what is handed to the objective."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.models.heads.prototypes import Prototypes
from jssl.noise.diffusion import cosine_noise
from jssl.objectives import cross_entropy
from jssl.passes.lookup import lookup
from jssl.passes.noise import gaussian, noise
from jssl.passes.views import apply, cross, draw, embed, encode, gather, hide, recall, sample
from jssl.types import Features, Loss, salted
from tests.passes.by_hand import given, value


def tower(scale):
  return lambda x, keys=None: Features(x[:, None], scale * x)


X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)), jnp.float32)
BATCH = {'x': X, 'label': jnp.array([0, 2, 1, 1, 0, 2]), 'example': jnp.array([3, 1, 4, 0, 5, 9])}
KEYS = jax.random.split(jax.random.key(0), 6)
NETS = {'one': tower(1.0), 'two': tower(2.0), 'end': lambda z: z + 1, 'other': lambda z: -z, 'scale': lambda x=1.0: 7.0 * x}
TWICE = lambda keys, batch: (batch['x'], 3 * batch['x'])
ONCE = lambda keys, batch: (batch['x'],)


def run(passes, *wanted, **options):
  return given(passes if isinstance(passes, dict) else {'it': passes}, *wanted, **dict(nets=NETS, batch=BATCH, keys=KEYS) | options)


def test_several_views_have_a_tower_and_a_head_each():
  seen = {}

  def objective(z, scale):
    seen.update(z=z, scale=scale)
    return z[:, 0, 0]

  of = dict(z='it.q', scale='nets.scale')
  heads = {'one': ('end',), 'two': ('other',)}
  apart = run(embed(view=TWICE, towers=('one', 'two'), heads=heads), *of.values())
  loss = value(apart, Loss(objective, (), of))
  np.testing.assert_allclose(seen['z'], np.stack([X + 1, -6 * X], 1), rtol=1e-6)
  np.testing.assert_allclose(loss, jnp.mean(X[:, 0] + 1), rtol=1e-6)
  assert seen['scale'] == 7
  shared = run(embed(view=TWICE, towers='two', heads=('end',)), 'it.q')
  np.testing.assert_allclose(shared.array('it.q'), np.stack([2 * X + 1, 6 * X + 1], 1), rtol=1e-6)


def test_the_predictor_is_the_trained_sides_alone_and_keys_are_the_teachers():
  options = dict(view=TWICE, towers='one', heads=('end',), predictor='other')
  alone = run(embed(**options), 'it.q', 'it.k')
  np.testing.assert_allclose(alone.array('it.q'), -np.stack([X + 1, 3 * X + 1], 1), rtol=1e-6)
  np.testing.assert_allclose(alone.array('it.k'), np.stack([X + 1, 3 * X + 1], 1), rtol=1e-6)
  taught = run(embed(**options), 'it.q', 'it.k', target={'one': tower(5.0), 'end': lambda z: z + 2})
  np.testing.assert_array_equal(taught.array('it.q'), alone.array('it.q'))
  np.testing.assert_allclose(taught.array('it.k'), np.stack([5 * X + 2, 15 * X + 2], 1), rtol=1e-6)


def test_only_views_that_are_read_are_encoded():
  count = {'student': 0, 'teacher': 0}

  def counting(side):
    def net(x, keys=None):
      count[side] += len(x)
      return Features(x[:, None], x)

    return {'backbone': net}

  options = dict(nets=counting('student'), target=counting('teacher'))
  run(embed(view=TWICE), 'it.q[0]', 'it.k[1]', **options)
  assert count == {'student': 6, 'teacher': 6}
  run(embed(view=TWICE), 'it.x', **options)
  assert count == {'student': 6, 'teacher': 6}
  run(embed(view=TWICE, teacher_views=1), 'it.q', 'it.k', **options)
  assert count == {'student': 18, 'teacher': 12}
  seen = run(embed(view=TWICE), 'it.pooled[1]', **options)
  assert count == {'student': 24, 'teacher': 12}
  assert [*seen('it.pooled')] == [1] and not seen('it.q')


def test_unit_length_features_and_first_features():
  seen = run(embed(view=TWICE, towers='two', unit=True), 'it.q', 'it.k')
  for name in ('it.q', 'it.k'):
    np.testing.assert_allclose(jnp.linalg.norm(seen.array(name), axis=-1), 1, rtol=1e-5)
  np.testing.assert_allclose(run(embed(view=TWICE, towers='two'), 'it.score')('it.score[1]'), 6 * X[:, 0], rtol=1e-6)
  np.testing.assert_allclose(run(embed(view=ONCE, towers='two', features='tokens'), 'it.q')('it.q[0]'), X[:, None], rtol=1e-6)
  with pytest.raises(ValueError, match="'pooled' or 'tokens'"):
    embed(view=ONCE, features='layers')
  with pytest.raises(ValueError, match='which this one does not return'):
    run(embed(view=ONCE, towers='one'), 'it.layers')


def test_every_view_is_classified_by_its_example_s_label():
  seen = run(embed(view=TWICE, towers='one', heads=('end',)), 'it.q')
  loss = value(seen, dict(name='cross_entropy', of=dict(logits='it.q', labels='batch.label'), over='views'))
  apart = [cross_entropy(x + 1, labels=BATCH['label']) for x in (X, 3 * X)]
  np.testing.assert_allclose(loss, jnp.mean(jnp.stack(apart)), rtol=1e-6)


def test_prototypes_are_the_columns_of_a_kernel():
  kernel = jnp.arange(6.0).reshape(3, 2)
  seen = {}
  of = dict(z='it.q', w='nets.classes.vectors', labels='batch.label')
  nets = {**NETS, 'classes': SimpleNamespace(vectors=Prototypes.vectors.fget(SimpleNamespace(kernel=kernel)))}
  outputs = run(embed(view=ONCE, towers='one'), *of.values(), nets=nets)
  value(outputs, Loss(lambda z, w, labels: seen.update(w=w, labels=labels) or z[:, 0, 0], (), of))
  np.testing.assert_array_equal(seen['w'], kernel.T)
  np.testing.assert_array_equal(seen['labels'], BATCH['label'])


def test_a_critic_scores_a_student_with_all_teachers():
  critic = lambda k, q: jnp.sum(k * q * jnp.array([1.0, 2.0, 3.0]), -1) + q[:, 0]
  passes = {
    'student': embed(view=ONCE, towers='one'),
    'told': embed(view=ONCE, towers='two', heads=('end',)),
    'pairs': (cross(each='student.q[0]', all='whole.told.k[0]', network='critic'), 'student.q[0]', 'whole.told.k[0]'),
  }
  seen = run(passes, 'pairs.scores', nets={**NETS, 'critic': critic}, target={'two': tower(5.0), 'end': NETS['end']})
  loss = value(seen, dict(name='wcord_scores', of=('pairs.scores',)))
  score = np.array([[critic(5 * k[None] + 1, q[None])[0] for k in X] for q in X])
  gap = [score[i, i] - np.mean([score[i, j] for j in range(6) if j != i]) for i in range(6)]
  np.testing.assert_allclose(seen('pairs.scores'), score, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(loss, -np.mean(gap), rtol=1e-4)
  top1 = value(seen, dict(name='diagonal_top1', of=('pairs.scores',)), 'metrics')
  np.testing.assert_allclose(top1, np.mean(score.argmax(1) == np.arange(6)))


def test_networks_are_applied_in_turn_or_one_a_view():
  nets = {**NETS, 'add': lambda x, y: x + 10 * y}
  views = {'views': embed(view=TWICE, towers='one')}
  read = lambda pass_, *refs, **options: run({**views, 'it': (pass_, *refs)}, 'it.out', nets=nets, **options)('it.out')
  np.testing.assert_allclose(read(apply(network=('end', 'other'), on='batch.x'), 'batch.x'), -(X + 1), rtol=1e-6)
  np.testing.assert_allclose(read(apply(network='add', on=('batch.x', 'batch.x')), 'batch.x'), 11 * X, rtol=1e-6)
  found = read(apply(network=('end', 'other'), on='views.q', by_view=True), 'views.q')
  np.testing.assert_allclose(found[0], X + 1, rtol=1e-6)
  np.testing.assert_allclose(found[1], -3 * X, rtol=1e-6)
  # What has no views goes with each view.
  found = read(apply(network='add', on=('views.q', 'batch.x')), 'views.q', 'batch.x')
  np.testing.assert_allclose(found[1], 13 * X, rtol=1e-6)
  taught = dict(target={'end': lambda z: z + 5})
  assert set(taught['target']) < set(nets)
  found = read(apply(network='end', on='views.q', teacher_views=(1,)), 'views.q', **taught)
  np.testing.assert_allclose(found[0], X + 1, rtol=1e-6)
  np.testing.assert_allclose(found[1], 3 * X + 5, rtol=1e-6)
  through = lambda x, **options: jnp.sum(run({'it': (apply(network='end', on='batch.x', **options), 'batch.x')}, 'it.out', nets=nets,
                                             batch={**BATCH, 'x': x}, **taught)('it.out'))  # fmt: skip
  np.testing.assert_array_equal(jax.grad(through)(X), 1)
  assert not jax.grad(lambda x: through(x, teacher=True))(X).any()


def test_encode_gives_what_a_backbone_does():
  layers = jnp.stack([X[:, None] * i for i in (1.0, 2.0, 4.0)])  # [l b n d]
  net = lambda x, keys=None: Features(x[:, None], 2 * x, layers)
  seen = run(
    {'it': (encode(on='batch.x', last_layers=2), 'batch.x')}, *(f'it.{n}' for n in ('pooled', 'first', 'layers', 'averaged', 'normalized')),
    nets={'backbone': net},
  )  # fmt: skip
  np.testing.assert_array_equal(seen('it.pooled'), 2 * X)
  np.testing.assert_array_equal(seen('it.first'), X)
  assert seen('it.layers').shape == (6, 3, 1, 3)
  np.testing.assert_array_equal(seen('it.layers')[:, 2], layers[2])
  standard = lambda x: (x - np.mean(x, 1, keepdims=True)) / np.std(x, 1, keepdims=True)
  np.testing.assert_allclose(seen('it.normalized')[:, 0], standard(np.asarray(X)), rtol=1e-2)
  np.testing.assert_allclose(seen('it.averaged')[:, 0], standard(np.asarray(X)), rtol=1e-2)
  teacher = lambda x, keys=None: Features(5 * x[:, None], 5 * x) if keys is None else None
  of = {'it': (encode(on='batch.x', teacher=True), 'batch.x')}
  pooled = lambda x: run(of, 'it.pooled', nets={'backbone': net}, target={'backbone': teacher}, batch={**BATCH, 'x': x})('it.pooled')
  np.testing.assert_array_equal(pooled(X), 5 * X)
  assert not jax.grad(lambda x: jnp.sum(pooled(x)))(X).any()


def test_rows_of_a_memory_and_tokens_at_places():
  memory = jnp.arange(20.0).reshape(10, 2)
  of = {'it': (recall(memory='memory.held'), 'memory.held', 'batch.example')}
  np.testing.assert_array_equal(run(of, 'it.out', memories={'held': memory})('it.out'), memory[BATCH['example']])
  tokens, places = X[:, :, None], jnp.array([[2, 0]] * 6)
  of = {'it': (gather(on={'z': 'batch.tokens'}, at={'z': 'batch.places'}), 'batch.tokens', 'batch.places')}
  found = run(of, 'it.z', batch={'tokens': tokens, 'places': places})('it.z')
  np.testing.assert_array_equal(found[..., 0], X[:, jnp.array([2, 0])])


def test_what_is_drawn_and_what_is_hidden():
  noted = {}
  view = lambda keys, batch: noted.update(keys=keys) or {'a': batch['x'], 'b': 2 * batch['x']}
  np.testing.assert_array_equal(run(sample(sampler=view), 'it.b')('it.b'), 2 * X)
  np.testing.assert_array_equal(jax.random.key_data(noted['keys']), jax.random.key_data(salted(KEYS, 'it', 'view')))
  np.testing.assert_array_equal(run(draw(view=TWICE), 'it.x')('it.x[1]'), 3 * X)
  of = lambda mask: {'it': (hide(mask=mask, on='batch.x'), 'batch.x')}
  np.testing.assert_array_equal(run(of(lambda keys, x: x > 0), 'it.mask')('it.mask'), X > 0)


def test_numbers_are_looked_up_in_their_tables():
  table = lambda ids: Features(ids[..., None], jnp.take(jnp.arange(10.0) * 2, ids))
  view = lambda keys, batch: {'a': batch['label'], 'b': batch['label']}
  seen = run(lookup(sampler=view, networks={'a': 'table'}), 'it.a', 'it.b', nets={'table': table})
  np.testing.assert_array_equal(seen('it.a'), 2.0 * BATCH['label'])
  np.testing.assert_array_equal(seen('it.b'), BATCH['label'])


def test_noise_is_added_and_gaussians_are_drawn_by_each_example_s_key():
  of = {'it': (noise(on='batch.x', noise=cosine_noise), 'batch.x')}
  seen = run(of, 'it.x', 'it.noise', 'it.time')
  drawn = cosine_noise(salted(KEYS, 'it', 'noise'), X)
  for name in ('x', 'noise', 'time'):
    np.testing.assert_array_equal(seen(f'it.{name}'), getattr(drawn, name))
  n = 4000
  keys, zero = jax.random.split(jax.random.key(1), n), jnp.zeros((n, 2))
  of = {'it': (gaussian(mean='batch.m', log_variance='batch.v'), 'batch.m', 'batch.v')}
  seen = run(of, 'it.z', 'it.prior', batch={'m': zero + 3, 'v': zero + np.log(4.0)}, keys=keys)
  z, prior = np.asarray(seen('it.z')), np.asarray(seen('it.prior'))
  np.testing.assert_allclose((z.mean(), z.std(), prior.mean(), prior.std()), (3, 2, 0, 1), atol=0.1)
  assert abs(np.corrcoef(z[:, 0], prior[:, 0])[0, 1]) < 0.05
  gradient = jax.grad(lambda m: jnp.sum(run(of, 'it.z', batch={'m': m, 'v': zero}, keys=keys)('it.z')))(zero)
  np.testing.assert_array_equal(gradient, 1)
