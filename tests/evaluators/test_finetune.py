"""Fine-tuning: each option by its effect."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec
from sklearn.datasets import load_digits

from jssl.configs import module as config_of
from jssl.core.build import judges
from jssl.core.mesh import BATCH, make_mesh
from jssl.data.core.arrays import Columns
from jssl.evaluators import Subject
from jssl.evaluators.general import finetune as module
from jssl.evaluators.general.finetune import finetune
from jssl.evaluators.general.tuning import Part, Tuning, ahead, orders
from jssl.models import ViT
from jssl.options import option
from jssl.parts.optimizers import adamw
from jssl.types import Column, Data
from jssl.views.image import augment, plain

KEY = jax.random.key(0)
ONE = dict(shots=4, seeds=(0,), updates=3, batch_size=16, learning_rates=(1e-3,))


class Small(nnx.Module):
  """Two linear maps."""

  def __init__(self):
    self.a, self.b = (nnx.Linear(64, 8, rngs=nnx.Rngs(i), kernel_init=nnx.initializers.lecun_normal()) for i in (0, 1))

  def __call__(self, x):
    x = x.reshape(len(x), -1)
    return jnp.tanh(self.a(x)) + self.b(x) ** 2


def vit(**options):
  return ViT((8, 8, 1), width=16, depth=2, heads=2, patch=4, std=0.0, **options, rngs=nnx.Rngs(0))


def made(net=None, place=None):
  """Pictures of digits, and a network that has not been trained."""
  x, y = load_digits(return_X_y=True)
  columns = dict(image=(x.reshape(-1, 8, 8, 1) / 16).astype(np.float32), label=y.astype(np.int32))
  splits = dict(train=Columns({k: v[:600] for k, v in columns.items()}), test=Columns({k: v[600:700] for k, v in columns.items()}))
  spec = dict(image=Column((8, 8, 1), np.float32), label=Column((), np.int32, 10))
  return Subject(Data(splits, spec, 'image', {}), None, {'backbone': net or Small()}, inputs=plain, place=place)


def tuning(subject, **options):
  options = dict(steps=3, epoch=3, batch_size=16) | options
  return Tuning(subject, 'backbone', 10, optimizer=options.pop('optimizer', adamw), **options)


def loss(tune, state, scaler, key=KEY, rows=16):
  batch = jax.device_put(Columns(made().data.splits['train'].columns).take(np.arange(rows)))
  return jax.jit(tune.loss)(state.params, state.stats, scaler, batch, key)[0]


FEW = Part(made().data.splits['train'], np.arange(40))


def test_it_is_a_plain_loop():
  """Written anew from the docstring: standardised features, a head of zeros, AdamW, warm-up and cosine, for three updates."""
  net, x, y = Small(), *(FEW.take(np.arange(40))[name] for name in ('image', 'label'))
  state, _ = tuning(made(), warmup=1).fit(FEW, np.arange(40), 1e-2, seed=3)
  graphdef, params = nnx.split(net)
  z = net(x)
  scaled = lambda params, x: (nnx.merge(graphdef, params)(x) - z.mean(0)) / z.std(0)
  ce = lambda p, x, y: optax.softmax_cross_entropy_with_integer_labels(scaled(p[0], x) @ p[1] + p[2], y).mean()
  p, order = (params, jnp.zeros((8, 10)), jnp.zeros(10)), np.random.RandomState(3).permutation(40)
  decayed = jax.tree_util.tree_map_with_path(lambda path, _: 'kernel' in jax.tree_util.keystr(path) or path[0].idx == 1, p)
  adam = optax.adamw(lambda at: 1e-2 * jnp.array([1.0, 1.0, 0.5])[at], weight_decay=0.05, mask=decayed)
  opt = adam.init(p)
  for rows in (order[:16], order[16:32], np.concatenate([order[32:], seconds(3)])[:16]):
    updates, opt = adam.update(jax.jit(jax.grad(ce))(p, x[rows], y[rows]), opt, p)
    p = optax.apply_updates(p, updates)
  close = partial(jax.tree.map, partial(np.testing.assert_allclose, rtol=1e-3, atol=5e-5))
  close(state.params['network'], nnx.to_pure_dict(p[0]))
  close(state.params['head'], dict(kernel=p[1], bias=p[2]))


def seconds(seed):
  """The second permutation of a generator."""
  random = np.random.RandomState(seed)
  return [random.permutation(40) for _ in range(2)][1]


def test_batches_are_spread_and_figures_are_those_of_one_device():
  spread, alone = (made(place=NamedSharding(make_mesh(devices=jax.devices()[:n]), BATCH)) for n in (8, 1))
  tune, shares = tuning(spread), []
  step = tune.step
  tune.step = lambda state, scaler, batch, *rest: shares.append(batch['image'].addressable_shards) or step(state, scaler, batch, *rest)
  tune.fit(FEW, np.arange(20), 1e-3, 1)
  shares.clear()
  state, scaler = tune.fit(FEW, np.arange(40), 1e-2, 0)
  assert [{shard.data.shape for shard in each} for each in shares] == [{(2, 8, 8, 1)}] * 3 and {len(each) for each in shares} == {8}
  assert step._cache_size() == 1 and all(x.sharding.is_fully_replicated for x in jax.tree.leaves(state))
  text = step.lower(*tune.begin(FEW), jax.device_put(FEW.take(np.arange(16)), spread.place), 1e-2, 0, KEY).compile().as_text()
  assert 'all-reduce' in text and 'f32[16,8,8,1]' not in text and 'f32[2,8,8,1]' in text
  other = tuning(alone)
  of_one, test = other.fit(FEW, np.arange(40), 1e-2, 0), spread.data.splits['test']
  np.testing.assert_array_equal(tune.classify(state, scaler)(test), other.classify(*of_one)(test))
  jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), state.params, of_one[0].params)


def test_parameters_stay_in_shares():
  mesh = make_mesh(dict(data=2, fsdp=4))
  net = Small()
  net.a.kernel[...] = jax.device_put(net.a.kernel[...], NamedSharding(mesh, PartitionSpec('fsdp')))
  tune = tuning(made(net, NamedSharding(mesh, BATCH)))
  state, scaler = tune.fit(FEW, np.arange(40), 1e-2, 0)
  moments = [x for path, x in jax.tree_util.tree_leaves_with_path(state.opt) if "['a']['kernel']" in jax.tree_util.keystr(path)]
  for x in (state.params['network']['a']['kernel'], *moments):
    assert {shard.data.shape for shard in x.addressable_shards} == {(16, 8)}
  assert len(moments) == 2 and state.params['network']['b']['kernel'].sharding.is_fully_replicated and tune.step._cache_size() == 1
  whole = tuning(made()).fit(FEW, np.arange(40), 1e-2, 0)[0]
  jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), state.params, whole.params)


def test_the_moving_average_is_judged():
  kept, plain_ = tuning(made(), ema=0.9), tuning(made())
  state, scaler = kept.fit(FEW, np.arange(40), 1e-2, 0)
  states, step = [plain_.begin(FEW)[0].params], plain_.step
  plain_.step = lambda *given: (now := step(*given), states.append(jax.tree.map(jnp.copy, now.params)))[0]
  plain_.fit(FEW, np.arange(40), 1e-2, 0)
  weights = [0.9**3, 0.1 * 0.9**2, 0.1 * 0.9, 0.1]
  expected = jax.tree.map(lambda *xs: sum(w * x for w, x in zip(weights, xs, strict=True)), *states)
  jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), state.average[0], expected)
  right = kept.classify(state._replace(params=None), scaler)(FEW)  # what is judged is not read from the last weights
  logits = kept.logits(expected, state.stats, scaler, FEW.take(np.arange(40))).pooled
  np.testing.assert_array_equal(right, np.argmax(logits, 1) == FEW.take(np.arange(40))['label'])


def test_stochastic_depth_is_random_in_training_alone():
  tune = tuning(made(vit()), drop_path=0.9, norm=None, std=1.0)
  state, scaler = tune.begin(FEW)
  assert loss(tune, state, scaler) == loss(tune, state, scaler) != loss(tune, state, scaler, jax.random.key(1))
  still = tuning(made(vit()), norm=None, std=1.0)
  same = lambda of: of.logits(state.params, state.stats, scaler, FEW.take(np.arange(40))).pooled
  np.testing.assert_array_equal(same(tune), same(still))
  assert loss(still, state, scaler) == loss(still, state, scaler, jax.random.key(1)) != loss(tune, state, scaler)


def test_views_are_drawn_anew_at_each_step():
  seen = []

  def view(keys, batch):
    jax.debug.callback(lambda data: seen.append(np.array(data)), jax.random.key_data(keys))
    return augment(keys, batch, views=1, flip=0.5)

  tune = tuning(made(), view=view)
  for seed in (0, 0, 1):
    tune.fit(FEW, np.arange(40), 1e-2, seed)
    jax.effects_barrier()
  once, again, other = (np.concatenate(seen[i : i + 3]) for i in (0, 3, 6))
  assert len(np.unique(once, axis=0)) == 48  # each example, at each step
  np.testing.assert_array_equal(once, again)
  assert not set(map(tuple, once)) & set(map(tuple, other))


def test_labels_are_soft():
  """The loss of a head of zeros and a bias, whose logits do not depend on the images."""
  bias = jnp.arange(10.0)
  logp, labels = jax.nn.log_softmax(bias), FEW.take(np.arange(16))['label']

  def of(**options):
    tune = tuning(made(), norm=None, **options)
    state, scaler = tune.begin(FEW)
    state.params['head']['bias'] = bias
    return float(loss(tune, state, scaler))

  own = -float(logp[labels].mean())
  assert of() == pytest.approx(own, rel=1e-5)
  assert of(smoothing=0.1) == pytest.approx(0.9 * own - 0.1 * float(logp.mean()), rel=1e-5)
  assert of(mixup=0.8) == pytest.approx(own, rel=1e-5)  # the mean over all is what it was, as each example is a partner once


def test_mixed_images_are_read():
  tunes = [tuning(made(), norm=None, std=1.0, **options) for options in ({}, dict(mixup=0.8), dict(cutmix=1.0))]
  found = [loss(tune, *tune.begin(FEW)) for tune in tunes]
  assert len(set(map(float, found))) == 3


def test_pooling_and_normalisation_of_mae():
  """As models_vit.py: the mean over patches of what the last block gives, then a new layer normalisation."""
  subject = made(vit(class_token=True, pool='cls'))
  net = subject.networks['backbone']
  net.norm.scale[...] *= 3.0  # which is replaced
  tune = tuning(subject, pool='mean', norm='layer')
  x = FEW.take(np.arange(40))
  states = np.asarray(net(x['image']).layers[-1]).mean(1)
  expected = (states - states.mean(1, keepdims=True)) / np.sqrt(states.var(1, keepdims=True) + 1e-6)
  np.testing.assert_allclose(tune.features(*tune.start, x).pooled, expected, rtol=1e-4, atol=1e-5)
  assert tune.begin(FEW)[1] == () and net.pool == 'cls' and not net.pooled_norm
  head = tuning(subject, pool='mean', norm='layer', std=2e-5).begin(FEW)[0].params['head']
  assert 1e-5 < np.std(head['kernel']) < 2e-5 and np.abs(head['kernel']).max() <= 4e-5 and not np.any(head['bias'])
  np.testing.assert_allclose(tuning(subject, pool='cls').features(*tune.start, x).pooled.shape, (40, 16))


def test_shares_of_labels_are_of_each_class():
  labels = np.repeat([0, 1, 2], [100, 50, 4])
  rows = module._draw(labels, 10, 0, 0.1)
  np.testing.assert_array_equal(np.bincount(labels[rows]), [10, 5, 1])
  assert set(rows) <= set(module._draw(labels, 10, 0, 0.5))
  found = finetune(made(), KEY, **ONE | dict(fraction=0.1, epochs=2))
  assert found['train_examples'] == sum(max(1, round(0.1 * n)) for n in np.bincount(made().data.splits['train'].columns['label']))


def test_lengths_in_epochs_and_warm_up(monkeypatch):
  made_with = {}

  class Told(Tuning):
    def __init__(self, *given, **options):
      made_with.update(options)
      super().__init__(*given, **options)

  monkeypatch.setattr(module, 'Tuning', Told)
  found = finetune(made(), KEY, **ONE | dict(epochs=2, warmup='1 epoch'))
  assert (made_with['steps'], made_with['epoch']) == (5, 2.5)  # 40 examples
  assert 'top1_validation' not in found and found['chosen'] == {'learning_rate': 1e-3}


def test_options_of_the_optimiser_are_those_of_configs():
  bound = option('evaluators.x', dict(name='finetune', optimizer=dict(name='sgd', momentum=0.0, weight_decay=0.0)), 'evaluators')
  tune = tuning(made(), optimizer=bound.keywords['optimizer'], steps=1, epoch=1, warmup=0)
  (state, _), begun = tune.fit(FEW, np.arange(16), 0.5, 0), tune.begin(FEW)
  batch = FEW.take(np.random.RandomState(0).permutation(16))
  grads = jax.grad(lambda p: tune.loss(p, begun[0].stats, begun[1], batch, KEY)[0])(begun[0].params)
  np.testing.assert_allclose(state.params['head']['kernel'], -0.5 * grads['head']['kernel'], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
  ('options', 'told'),
  [
    (dict(fraction=0.0), 'fraction is 0.0; expected a number above 0 and at most 1'),
    (dict(smoothing=1.0), 'smoothing is 1.0'),
    (dict(warmup='a while'), 'warmup: a duration is'),
    (dict(pool='cls'), 'has no class token'),
    (dict(norm='batch'), "norm is 'batch'"),
    (dict(view=partial(augment, views=2)), 'view gives 2 views; expected one'),
    (dict(view=partial(augment, views=1, flip=2.0)), 'flip is 2.0'),
    (dict(optimizer=partial(adamw, learning_rate=1.0)), "optimizer has 'learning_rate', which .*; give learning_rates in its place"),
    (dict(optimizer=partial(adamw, parts=())), "optimizer has 'parts', which .*; leave it out"),
  ],
)
def test_options_that_do_not_fit_are_refused(options, told):
  with pytest.raises(ValueError, match=told):
    finetune.protocol.check(made(vit(pool='mean')), **options)


def test_what_a_network_lacks_is_told():
  for options, told in (
    (dict(drop_path=0.1), 'no stochastic depth .*; leave'),
    (dict(pool='mean'), 'pool is .mean. for'),
    (dict(norm='layer'), 'norm is'),
  ):
    with pytest.raises(ValueError, match=told):
      finetune.protocol.check(made(), **options)


def test_batches_are_read_ahead_in_order():
  assert list(ahead(lambda x: -x, range(9), most=2)) == [-x for x in range(9)]
  with pytest.raises(ZeroDivisionError):
    list(ahead(lambda x: 1 / x, range(2)))
  batches = list(orders(np.arange(5, 10), 2, 0, 5))
  assert sorted(np.concatenate(batches[:2])) != sorted(np.concatenate(batches[2:4])) and len(batches) == 5


def test_the_rate_of_a_layer_decays():
  """The first update of SGD without momentum is the gradient, times the factor of the layer."""
  optimizer = dict(name='sgd', momentum=0.0, weight_decay=0.0, layer_decay=0.5)
  sgd = option('evaluators.x', dict(name='finetune', optimizer=optimizer), 'evaluators').keywords['optimizer']
  tune = tuning(made(vit()), optimizer=sgd, steps=1, epoch=1, warmup=0, norm=None, std=0.1)
  before, batch = tune.begin(FEW)[0], FEW.take(np.random.RandomState(0).permutation(16))
  after = tune.fit(FEW, np.arange(16), 0.5, 0)[0].params
  grads = jax.jit(jax.grad(lambda p: tune.loss(p, before.stats, (), batch, KEY)[0]))(before.params)
  moved, grads = jax.tree.map(lambda a, b: np.asarray(b - a), after, before.params), jax.tree.map(lambda g: 0.5 * np.asarray(g), grads)
  close = partial(jax.tree.map, partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-7))
  close(moved['head'], grads['head'])
  moved, grads = moved['network'], grads['network']
  close((moved['norm'], moved['embed']), (grads['norm'], jax.tree.map(lambda g: g / 8, grads['embed'])))
  close(moved['blocks'], jax.tree.map(lambda g: g / np.array([4, 2]).reshape(2, *(1,) * (g.ndim - 1)), grads['blocks']))


@pytest.mark.long
def test_a_recipe_with_all_options_runs():
  """That of MAE, for smaller images."""
  recipe = config_of('mae').finetune(size=8, batch_size=16, epochs=1)
  judge = judges(
    dict(
      finetune=recipe | dict(fraction=0.1, warmup='10%', ema=0.5, view=recipe['view'] | dict(randaugment=None, erase=None, mean=0.5, std=0.5))
    )
  )['finetune']
  found = judge(made(vit(class_token=True, pool='cls')), KEY)
  assert found['train_examples'] == 60 and found['options']['optimizer']['layer_decay'] == 0.65
