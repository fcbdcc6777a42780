"""Adapters and masks: what is trained is what they say, by the formula of Hu et al., and all else keeps every bit."""

import shutil

import jax
import numpy as np
import pytest

import jssl
from jssl import testing, weights
from jssl.core import loop
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.errors import ConfigError
from tests.made import tiny

ONE = jax.devices()[:1]
LORA = dict(rank=3, alpha=6, of=('backbone.blocks.attention.qkv', 'backbone.blocks.*fc1'))


def mae(**changes):
  return tiny('mae', **{'steps': 4, 'log_every': 1, 'optimizer': dict(name='adamw', learning_rate=1e-2, weight_decay=0.5), **changes})


def start_of(c, steps=40):
  """Text by contrast, from the weights of `masked_lm_start`."""
  return {
    **tiny('simcse'), 'data': dict(name='lee', tokenizer='starts', length=16), 'backbone': dict(name='masked_lm_start', dropout=0.1),
    'steps': steps, 'epochs': None, 'batch_size': 16, 'log_every': 1, 'optimizer': dict(name='adamw', learning_rate=3e-3), **c,
  }  # fmt: skip


def trained(c, **options):
  p = plan(c)
  return loop.run(p, loop.open_source(p), quiet=True, devices=ONE, **options)


def begun(p):
  return jax.jit(p.method.init)(jax.random.key(0))


def leaves(tree):
  return {jax.tree_util.keystr(path, simple=True, separator='.'): np.asarray(x) for path, x in jax.tree_util.tree_leaves_with_path(tree)}


def moved(a, b):
  a, b = leaves(a), leaves(b)
  assert a.keys() == b.keys()
  return {name for name in a if not np.array_equal(a[name], b[name])}


@pytest.mark.rotating
def test_adapters_alone_are_trained_and_counted_by_the_formula():
  done = trained(start_of(dict(lora=LORA), 30))
  names = moved(done.start.params, done.train.params)
  at = 'backbone.lora.blocks'
  layers = [f'{at}.attention.qkv', f'{at}.mlp.fc1']
  assert {name for name in names if name.startswith('backbone')} == {f'{layer}.lora_{x}' for layer in layers for x in 'ab'}
  own = leaves(done.train.params['backbone'])
  r, depth, width = LORA['rank'], 2, 96
  expected = r * (width + 3 * width) * depth + r * (width + 4 * width) * depth
  assert sum(x.size for name, x in own.items() if name.startswith('lora')) == expected
  held = leaves(done.train.opt)
  assert sum(x.size for name, x in held.items() if 'backbone' in name) == 2 * expected, 'two moments of Adam'
  losses = [row['loss'] for row in done.log.rows]
  assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5]), losses


@pytest.mark.rotating
def test_a_network_with_fresh_adapters_is_the_network():
  c = mae()
  plain, adapted = begun(plan(c)), begun(plan(mae(lora=LORA)))
  assert not moved(plain[0], {name: weights.bare(of) for name, of in adapted[0].items()})
  batch = testing.first_batch(plan(c), 0, plain)
  found, expected = (plan(of).method.represent(*state, batch).pooled for of, state in ((mae(lora=LORA), adapted), (c, plain)))
  np.testing.assert_array_equal(found, expected)


def test_adapters_are_what_the_equation_says():
  rng = np.random.default_rng(0)
  x = lambda *shape: rng.normal(size=shape).astype(np.float32)
  own = dict(conv=dict(kernel=x(3, 3, 4, 5), bias=x(5)), blocks=dict(fc=dict(kernel=x(2, 6, 7))), norm=dict(scale=x(3)))
  adapters = dict(
    conv=dict(lora_a=x(36, 2), lora_b=x(2, 5)),
    blocks=dict(fc=dict(lora_a=x(2, 6, 2), lora_b=x(2, 2, 7))),
  )
  change = weights.Changes({('conv',): 2, ('blocks', 'fc'): 2}, alpha=3.0, stacked=frozenset({('blocks', 'fc')}))
  found = weights.merged(change, {**own, 'lora': adapters})
  for layer in range(2):
    a, b = (adapters['blocks']['fc'][name][layer].astype(np.float64) for name in ('lora_a', 'lora_b'))
    np.testing.assert_allclose(found['blocks']['fc']['kernel'][layer], own['blocks']['fc']['kernel'][layer] + 1.5 * a @ b, atol=1e-5)
  a, b = adapters['conv']['lora_a'].reshape(3, 3, 4, 2), adapters['conv']['lora_b']
  np.testing.assert_allclose(found['conv']['kernel'], own['conv']['kernel'] + 1.5 * np.einsum('hwir,ro->hwio', a, b), atol=1e-5)
  assert found['norm'] is own['norm'] and 'lora' not in found and weights.merged(change, found) == found


@pytest.mark.rotating
def test_what_train_names_is_trained_besides():
  c = mae(lora=LORA, train=('backbone', 'backbone.norm', 'decoder'))
  done = trained(c)
  names = {name for name in moved(done.start.params, done.train.params) if not name.startswith(('backbone.lora', 'decoder'))}
  assert names == {'backbone.norm.scale', 'backbone.norm.bias'}
  done = trained(mae(train=('backbone.blocks.mlp',)))
  names = moved(done.start.params, done.train.params)
  assert names and all(name.startswith('backbone.blocks.mlp.') for name in names)
  assert {name.split('.')[-2] for name in leaves(done.train.opt) if 'backbone' in name} == {'fc1', 'fc2'}


@pytest.mark.rotating
def test_a_killed_run_ends_in_the_same_bits(tmp_path):
  c = mae(lora=LORA, masks=dict(keep=0.5, of=('backbone.blocks.mlp.fc2',)), steps=4, checkpoint_every=1, keep=9)
  whole = trained(c, workdir=tmp_path)
  for step in (3, 4):
    shutil.rmtree(tmp_path / 'checkpoints' / str(step))
  assert not moved(whole.train.params, trained(c, workdir=tmp_path).train.params)


FSDP = dict(rules='fsdp', mesh=dict(data=2, fsdp=4))
BOTH = dict(rules='fsdp_tp', mesh=dict(data=2, fsdp=2, tensor=2))


@pytest.mark.parametrize('changes, micro_batches', [
  ({}, 1), (FSDP, 2), (BOTH, 1), *(pytest.param(*x, marks=pytest.mark.long) for x in (({}, 2), (FSDP, 1), (BOTH, 2))),
])  # fmt: skip
@pytest.mark.rotating
def test_a_step_is_the_same_in_pieces_and_on_many_devices(changes, micro_batches):
  c = mae(lora={**LORA, 'rank': 4}, masks=dict(keep=0.5, of=('backbone.blocks.mlp.fc2',)))
  p = plan(c)
  start = jax.device_get(begun(p))
  rng = np.random.default_rng(0)
  draw = lambda x: rng.normal(size=x.shape).astype(x.dtype) / 4
  start[0]['backbone']['lora'] = jax.tree.map(draw, start[0]['backbone']['lora'])
  batch = testing.first_batch(p, 0, start)
  expected = testing.loss_and_grad(p, start, batch, make_mesh(devices=ONE))
  mesh = make_mesh(changes['mesh']) if 'mesh' in changes else make_mesh(devices=ONE)
  found = testing.loss_and_grad(plan({**p.config, **dict(micro_batches=micro_batches), **changes}), start, batch, mesh)
  assert max(testing._errors(expected, found).values()) < testing.TOLERANCE


@pytest.mark.parametrize('rules', ['replicated', 'fsdp', [['lora_a$', 'fsdp'], ['lora_b$', [None, None]], ['.*', []]]])
@pytest.mark.rotating
def test_adapters_are_placed_by_rules(rules):
  c = mae(lora={**LORA, 'rank': 4}, rules=rules, mesh=dict(data=2, fsdp=4), steps=2)
  p = plan(c)
  done = loop.run(p, loop.open_source(p), quiet=True)
  assert np.isfinite([row['loss'] for row in done.log.rows]).all()
  a = done.train.params['backbone']['lora']['blocks']['mlp']['fc1']['lora_a']
  assert ('fsdp' in jax.tree.leaves(tuple(a.sharding.spec))) == (rules != 'replicated')


@pytest.mark.rotating
def test_a_saved_model_has_merged_weights_and_encodes_as_in_training(tmp_path):
  run = jssl.train(start_of(dict(lora=LORA), 8), workdir=tmp_path / 'w', protocols=(), quiet=True)
  texts = ['A film.', 'And he said unto them, Go ye.']
  z = run.model.encode(texts)
  assert np.abs(z - jssl.load(tmp_path / 'w' / 'model').encode(texts)).max() == 0
  assert 'lora' not in run.model.params()['backbone']
  run.model.export(tmp_path / 'hf', 'hf')
  read = jssl.train(
    start_of(dict(backbone=dict(name='bert_from', folder=str(tmp_path / 'hf')), losses={}), 0), protocols=(), quiet=True
  ).model  # fmt: skip
  np.testing.assert_allclose(read.encode(texts), z, atol=1e-6)
  untouched = jssl.train(start_of(dict(losses={}), 0), protocols=(), quiet=True).model
  assert np.abs(untouched.encode(texts) - z).max() > 1e-2


@pytest.mark.long
def test_a_run_with_adapters_begins_as_one_without(tmp_path):
  first = jssl.train(mae(), workdir=tmp_path / 'w', protocols=(), quiet=True)
  second = jssl.train(mae(lora=LORA, seed=3), start=first, protocols=(), quiet=True, workdir=tmp_path / 'v')
  own, was = second.model.params()['backbone'], first.model.params()['backbone']
  assert moved(own, was) == {'blocks.attention.qkv.kernel', 'blocks.mlp.fc1.kernel'}
  third = jssl.train(mae(lora=LORA, seed=4), start=tmp_path / 'v', protocols=(), quiet=True)
  assert moved(third.model.params()['backbone'], own) == {'blocks.attention.qkv.kernel', 'blocks.mlp.fc1.kernel'}


@pytest.mark.rotating
def test_convolutions_have_adapters_and_a_teacher_has_its_own():
  c = tiny('byol', steps=3, log_every=1, lora=dict(rank=2, of=('backbone.*conv*',)))
  done = trained(c)
  names = {name for name in moved(done.start.params, done.train.params) if name.startswith('backbone')}
  assert names and all('.lora.' in name for name in names)
  own, teacher = leaves(done.train.params['backbone']['lora']), leaves(done.train.state['target']['teacher']['backbone']['lora'])
  assert own.keys() == teacher.keys() and all(x.any() for name, x in teacher.items() if name.endswith('lora_b'))


@pytest.mark.rotating
def test_what_a_mask_leaves_at_0_stays_there():
  c = mae(masks=dict(keep=0.25, of=('backbone.blocks.mlp.*', 'decoder.*qkv')), optimizer=dict(name='sgd', learning_rate=0.1))
  free, done = trained({**c, 'masks': None}), trained(c)
  for at in (('backbone', 'blocks', 'mlp', 'fc1'), ('backbone', 'blocks', 'mlp', 'fc2')):
    take = lambda params, at=at: np.asarray(weights._at(params, at)['kernel'])
    whole, start, end = take(free.start.params), take(done.start.params), take(done.train.params)
    for w, a, b in zip(whole, start, end, strict=True):
      assert np.count_nonzero(a) == round(0.25 * w.size)
      np.testing.assert_array_equal(a == 0, b == 0)
      assert np.abs(w[a == 0]).max() <= np.abs(w[a != 0]).min() and not np.array_equal(a, b)
  assert np.count_nonzero(weights._at(done.train.params, ('backbone', 'blocks', 'attention', 'qkv'))['kernel'] == 0) == 0


@pytest.mark.long
def test_phases_and_turns_train_adapters():
  c = mae(lora=LORA, phases=(dict(steps=2, train=('decoder',)), dict(freeze=('decoder',))))
  done, half = trained(c), trained({**c, 'steps': 2, 'phases': (dict(train=('decoder',)),)})
  assert {name.partition('.')[0] for name in moved(half.start.params, half.train.params)} == {'decoder'}
  assert all(name.startswith('backbone.lora') for name in moved(half.train.params, done.train.params))
  done = trained(mae(lora=LORA, freeze=('backbone.lora.blocks.attention',)))
  names = {name for name in moved(done.start.params, done.train.params) if name.startswith('backbone')}
  assert names == {f'backbone.lora.blocks.mlp.fc1.lora_{x}' for x in 'ab'}


@pytest.mark.parametrize('changes, said', [
  (dict(lora=dict(rank=3, of=('backbone.blocks.atention.qkv',))), 'did you mean backbone.blocks.attention.qkv'),
  (dict(lora=dict(rank=3, of=('bakbone.*fc3',))), 'matches no layer with a kernel'),
  (dict(lora=dict(rank=3, of='backbone.*')), 'must name layers'),
  (dict(lora=dict(rank=0, of=('backbone.*',))), 'lora.rank must be a whole number'),
  (dict(lora=dict(rank=999, of=('backbone.*',))), 'give at most'),
  (dict(lora=dict(rank=3, alpha=0, of=('backbone.*',))), 'lora.alpha must be'),
  (dict(lora=dict(rnk=3, of=('backbone.*',))), 'did you mean rank'),
  (dict(lora=dict(rank=3)), "lora lacks 'of'"),
  (dict(masks=dict(keep=0, of=('backbone.*',))), 'masks.keep must be'),
  (dict(masks=dict(keep=0.5, of=('backbone.norm',))), 'matches no layer with a kernel'),
  (dict(train=('backbone.blocks.atention',)), 'did you mean attention'),
  (dict(train=('bakbone',)), 'did you mean backbone'),
  (dict(train='backbone'), 'must name networks'),
  (dict(lora=LORA, freeze=('backbone', 'decoder')), 'nothing is left to train'),
])  # fmt: skip
def test_what_is_wrong_is_refused_in_a_line(changes, said):
  with pytest.raises(ConfigError, match=said) as error:
    plan(mae(**changes))
  assert '\n' not in str(error.value)


def test_a_network_cannot_begin_as_one_without_its_adapters():
  c = mae(lora=LORA)
  c['heads'] = {**c['heads'], 'twin': dict(c['backbone'], on='data.image')}
  with pytest.raises(ConfigError, match='has adapters'):
    plan({**c, 'start': dict(twin='backbone')})
