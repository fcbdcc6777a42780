"""Probes that are trained by gradient descent: against loops in NumPy, the closed form, and each other."""

import re
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.data.core.arrays import arrays
from jssl.evaluators import Subject, interval, linear, logistic
from jssl.evaluators.general import probes
from jssl.evaluators.general.linear import _apply, _init, _taken
from jssl.evaluators.general.probe import standardizer
from jssl.evaluators.general.probes import Probe, Recipe, Rows, Training, among
from jssl.metrics.ranking import hits, ranks
from jssl.parts.optimizers import lars, sgd
from jssl.tables import EVALUATORS
from jssl.types import Features
from jssl.views.image import augment

KEY = jax.random.key(0)
LINEAR = Probe(_init, _apply, {})


@pytest.fixture(scope='module')
def subject(digits):
  image = lambda x: x.reshape(-1, 8, 8, 1) / 16
  data = arrays(image=image(digits.train_x), label=digits.train_y, test=dict(image=image(digits.test_x), label=digits.test_y))
  return Subject(data, pixels, {'backbone': pixels})


@jax.jit
def pixels(batch):
  x = jnp.asarray(batch['image'], jnp.float32)
  return Features(x.reshape(len(x), 8, -1), x.reshape(len(x), -1))


def given(x, y):
  """Features in memory, as `Rows` gives them."""
  return lambda rows, epoch=0: ({'x': x[rows]}, y[rows])


def loop(x, y, rate, decay, *, norm, trust, epochs, batch, warm):
  """SGD or LARS with momentum as in torch and in MAE's util/lars.py, in float64."""
  kernel, bias = np.asarray(_init(jax.random.fold_in(KEY, 0), x.shape[1:], 3)['kernel'], float), np.zeros(3)
  speed, random, at = [0.0, 0.0], np.random.RandomState(0), 0
  mean, variance, steps = np.zeros(x.shape[1]), np.ones(x.shape[1]), len(x) // batch
  for _ in range(epochs):
    order = random.permutation(len(x))
    for i in range(steps):
      rows = order[i * batch : (i + 1) * batch]
      a = x[rows].astype(float)
      if norm == 'batch':
        mean, variance = 0.9 * mean + 0.1 * a.mean(0), 0.9 * variance + 0.1 * a.var(0, ddof=1)
        a = (a - a.mean(0)) / np.sqrt(a.var(0) + 1e-6)
      p = np.exp(a @ kernel + bias)
      residual = (p / p.sum(1, keepdims=True) - np.eye(3)[y[rows]]) / batch
      grad = a.T @ residual + decay * kernel
      grad *= trust * np.linalg.norm(kernel) / np.linalg.norm(grad) if trust else 1.0
      speed = [0.9 * v + g for v, g in zip(speed, (grad, residual.sum(0)), strict=True)]
      t = (at - warm) / (epochs * steps - warm)
      now = rate * batch / 256 * ((at + 1) / warm if at < warm else (1 + np.cos(np.pi * t)) / 2)
      kernel, bias, at = kernel - now * speed[0], bias - now * speed[1], at + 1
  return kernel, bias, mean, variance


@pytest.mark.parametrize(('rule', 'norm', 'warm'), [(sgd, 'batch', 0), (sgd, 'none', 2), (lars, 'none', 0)])
def test_every_candidate_is_trained_as_by_a_loop(rule, norm, warm):
  random = np.random.RandomState(1)
  x, y = random.randn(50, 4).astype(np.float32) + 1, random.randint(0, 3, 50)
  recipe = Recipe(partial(rule, learning_rate=1.0), (30.0, 3.0), (0.0, 0.1), epochs=3, batch_size=8, warmup=warm, norm=norm)
  state = Training({'x': LINEAR}, {'x': (4,)}, 3, recipe)(given(x, y), np.arange(50))['x']
  assert recipe.candidates == [(3.0, 0.0), (3.0, 0.1), (30.0, 0.0), (30.0, 0.1)]
  for i, (rate, decay) in enumerate(recipe.candidates):
    found = loop(x, y, rate, decay, norm=norm, trust=0.001 if rule is lars else 0.0, epochs=3, batch=8, warm=warm)
    mine = [state['params']['kernel'][i], state['params']['bias'][i], *(state['norm'] if norm == 'batch' else found[2:])]
    for a, b in zip(mine, found, strict=True):
      np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_it_is_as_good_as_the_closed_form(subject):
  """With the same penalty, paired over test examples; a rate that diverges is not chosen."""
  best = logistic(subject.frozen, l2=(1e-2,))
  figures = linear(subject, KEY, norm='standardize', learning_rates=(0.3, 1e38), weight_decays=(1e-2,), epochs=100)
  difference = figures['items']['top1'].columns[0] - best['items']['top1'].columns[0]
  low, high = interval(difference)
  assert low <= 0 <= high and np.mean(difference != 0) < 0.01
  assert figures['top1_low'] < figures['top1'] < figures['top5'] and figures['train_examples'] == 1200


def test_a_stream_gives_what_memory_gives_and_holds_little(subject, monkeypatch):
  options = dict(epochs=4, batch_size=64, learning_rates=(0.3,))
  kept = linear(subject, KEY, **options)
  asked = []
  monkeypatch.setattr(probes, 'CHUNK', 3 * 64 * 64 * 4)
  read = probes.over_rows
  monkeypatch.setattr(probes, 'over_rows', lambda run, take, n, size: (asked.append(n), read(run, take, n, size))[1])
  streamed = linear(Subject(subject.data, pixels, subject.networks), KEY, cache_limit=0, **options)
  for name, figure in kept.items():
    assert name == 'items' or streamed[name] == (pytest.approx(figure, abs=0.004) if isinstance(figure, float) else figure)
  assert max(asked) <= 3 * 64 and sum(asked) > 4 * 1088 + 4 * 1152


def test_standardised_in_blocks_as_at_once(digits):
  blocks = [(50, {'x': digits.train_x[:64]}), (70, {'x': digits.train_x[50:120]}), (1080, {'x': digits.train_x[120:]})]
  for a, b in zip(probes._standardizers(iter(blocks))['x'], standardizer(digits.train_x), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_views_are_drawn_anew_in_each_epoch_and_train_what_they_are_of():
  """Training examples have their light on the left alone, test examples on the right: a flip tells what it means there."""
  random, y = np.random.RandomState(0), np.arange(64, dtype=np.int32) % 2
  x = 0.1 * random.rand(2, 64, 4, 8, 1).astype(np.float32)
  for side, images in enumerate(x):
    images[np.arange(64), 3 * y, 7 * side] = 1
  data = arrays(image=x[0], label=y, test=dict(image=x[1], label=y))
  subject, view = Subject(data, pixels, {'backbone': pixels}), partial(augment, views=1, flip=0.5)
  options = dict(epochs=8, batch_size=16, learning_rates=(1.0,), norm='none')
  assert linear(subject, KEY, view=view, **options)['top1'] == 1.0 > linear(subject, KEY, **options)['top1']
  rows = Rows(subject, 'train', lambda features: {'x': features.pooled}, view, 16)
  first, again, other = (rows(np.arange(20), epoch)[0]['x'].reshape(20, 4, 8) for epoch in (0, 0, 1))
  np.testing.assert_array_equal(first, again)
  np.testing.assert_array_equal(first[7:9], rows(np.arange(7, 9))[0]['x'].reshape(2, 4, 8))  # by example, not by place
  flipped = lambda found: np.isclose(found, x[0, :20, :, ::-1, 0]).all((1, 2))
  assert 0 < flipped(first).sum() < 20 and (flipped(first) != flipped(other)).any()


def test_the_pool_and_the_layers_that_know_are_chosen(subject):
  """Of a network whose class token knows the label two blocks before its end, which nothing else does."""
  draw = lambda key, *shape: jax.random.normal(jax.random.fold_in(KEY, key), shape)

  def network(batch):
    x = pixels(batch).pooled
    b, noise = len(x), lambda key, *shape: draw(key, *shape) + 0 * x.sum()
    classes = jnp.stack([noise(1, b, 64), x, noise(2, b, 64), noise(3, b, 64)])
    return Features(noise(4, b, 5, 64), classes[-1], noise(5, 4, b, 5, 64), classes)

  known = Subject(subject.data, jax.jit(network), {'backbone': network})
  options = dict(pools=('pooled', 'cls'), layers=(1, 3), epochs=10, learning_rates=(0.3,), refit=False)
  figures = linear(known, KEY, **options)
  assert figures['chosen'] | dict(learning_rate=0.3, weight_decay=0.0, pool='cls', layers=3) == figures['chosen'] and figures['top1'] > 0.85
  found = network({'image': subject.data.splits['test'].columns['image'][:3]})
  for pool, n, expected in (
    ('pooled', 1, found.pooled), ('cls', 3, np.concatenate(found.classes[1:], 1)), ('mean', 1, found.tokens.mean(1)),
    ('mean', 2, np.concatenate([found.layers[2].mean(1), found.tokens.mean(1)], 1)),
    ('cls+mean', 2, np.concatenate([*found.classes[2:], found.tokens.mean(1)], 1)),
  ):  # fmt: skip
    np.testing.assert_allclose(_taken(found, pool, n), expected, rtol=1e-6)


def test_what_was_chosen_is_trained_on_all_of_train(subject):
  figures = [linear(subject, KEY, epochs=2, learning_rates=(0.1,), refit=refit) for refit in (True, False)]
  assert figures[0]['top1_validation'] == figures[1]['top1_validation'] and figures[0]['top1'] != figures[1]['top1']
  recipe = Recipe(partial(sgd, learning_rate=1.0), (0.1,), (0.0,), 2, 256, 0, 'batch')
  one, x = Training({'x': LINEAR}, {'x': (64,)}, 10, recipe), subject.frozen
  state = one(given(x.train_x, x.train_y), np.arange(1200))
  right = np.asarray(one.among(state, {'x': x.test_x}, x.test_y, (1,)))[:, 0, 0]
  np.testing.assert_array_equal(right, figures[0]['items']['top1'].columns[0])


def test_each_device_trains_on_its_share_and_gradients_are_summed():
  recipe = Recipe(partial(sgd, learning_rate=1.0), (0.1, 1.0), (0.0,), 1, 64, 0, 'none')
  training = Training({'x': LINEAR}, {'x': (6,)}, 3, recipe)
  batch = {'x': np.zeros((2, 64, 6), np.float32)}, np.zeros((2, 64), np.int32)
  placed = jax.device_put(batch, probes.spread(batch, 1))
  assert {shard.data.shape for shard in placed[0]['x'].addressable_shards} == {(2, 8, 6)}
  state = jax.device_put(training.start(None, None), probes.everywhere())
  text = jax.jit(partial(training.steps, lambda at: 1.0)).lower(state, jnp.arange(2), *placed).compile().as_text()
  sent = [dims for shape in re.findall(r' = ([^=]*?) all-reduce(?:-start)?\(', text) for dims in re.findall(r'\[([\d,]*)\]', shape)]
  assert {'2,6,3', '2,3,6'} & {*sent}  # the gradients of both
  assert not any({'8', '64'} & {*dims.split(',')} for dims in sent)  # and no examples
  assert not re.search('all-gather|all-to-all|collective-permute', text)


def test_ties_are_shared_as_elsewhere():
  scores = np.random.RandomState(0).randint(0, 4, (200, 9)).astype(np.float32)
  labels = np.random.RandomState(1).randint(0, 9, 200)
  np.testing.assert_allclose(among(scores, labels, 1), hits(scores, labels), atol=1e-6)
  distinct = scores + np.arange(9) / 100
  np.testing.assert_array_equal(among(distinct, labels, 5), ranks(distinct, labels) <= 5)
  assert float(among(jnp.full((1, 4), jnp.nan), jnp.zeros(1, int), 1)[0]) == 0


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    (dict(norm='layer'), "norm has 'layer'; expected one of none, batch, standardize"),
    (dict(optimizer='adam'), "optimizer has 'adam'; expected one of sgd, lars"),
    (dict(pools=('max',)), "pools has 'max'; expected one of pooled, cls"),
    (dict(pools=('cls',)), "does not give the states that the pool 'cls' of 1 layers takes"),
    (dict(pools=('mean',), layers=(2,)), "does not give the states that the pool 'mean' of 2 layers takes"),
    (dict(learning_rates=()), 'learning_rates is empty'),
    (dict(weight_decays=(-1.0,)), 'weight_decays must be numbers of at least 0, not -1.0'),
    (dict(epochs=0), 'epochs must be a whole number of at least 1'),
    (dict(view=augment), 'view gives 2 views; expected one: set view.views=1'),
  ],
)
def test_options_that_cannot_be_are_refused_before(subject, options, message):
  with pytest.raises(ValueError, match=message):
    EVALUATORS['linear'].check(subject, **options)


def test_more_layers_than_blocks_are_refused(subject):
  deep = lambda batch: pixels(batch)._replace(classes=jnp.zeros((4, len(batch['image']), 6)))
  with pytest.raises(ValueError, match='layers has 4, and the network has 3 blocks'):
    EVALUATORS['linear'].check(Subject(subject.data, deep, {'backbone': SimpleNamespace()}), pools=('cls',), layers=(1, 4))


def test_raw_input_is_evaluated_as_it_is(subject):
  raw = Subject(subject.data, pixels)
  options = dict(epochs=1, batch_size=1080, learning_rates=(1.0,), refit=False)
  found = [linear(raw, KEY, **options, **more) for more in ({}, dict(pools=('cls',), view=partial(augment, views=1, flip=1.0)))]
  assert found[0]['top1'] == found[1]['top1'] and found[1]['chosen']['pool'] == 'pooled'
