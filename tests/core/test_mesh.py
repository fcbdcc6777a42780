"""Meshes and rules: what they place where, and what they refuse."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P

from jssl import testing
from jssl.core.build import plan
from jssl.core.mesh import arrange, make_mesh, shardings, share
from jssl.core.step import init_state
from jssl.models.layers.blocks import Block, scan, stacked
from tests.made import tiny

MESH = dict(data=2, fsdp=2, tensor=2)


def fake(n, slices):
  return [SimpleNamespace(id=i, slice_index=i * slices // n, platform='cpu', process_index=0, device_kind='cpu') for i in range(n)]


def test_one_size_takes_what_is_left():
  assert dict(make_mesh(dict(tensor=4)).shape) == dict(data=2, fsdp=1, sequence=1, tensor=4)
  assert dict(make_mesh(dict(data=1, fsdp=-1)).shape) == dict(data=1, fsdp=8, sequence=1, tensor=1)


@pytest.mark.parametrize('sizes', [dict(data=3), dict(data=0), dict(data=-1, fsdp=-1), dict(tensor=2.0), dict(data=4)])
def test_sizes_that_do_not_fit(sizes):
  with pytest.raises(ValueError, match='does not fit 8 devices|must be a whole number above 0'):
    make_mesh(sizes)


def test_unknown_axis():
  with pytest.raises(ValueError, match="no axis .'model'"):
    make_mesh(dict(model=2))


@pytest.mark.parametrize(('shape', 'outer'), [((8, 1, 1, 1), 0), ((2, 4, 1, 1), 0), ((1, 8, 1, 1), 1), ((1, 4, 1, 2), 1)], ids=str)
def test_slices_are_outermost(shape, outer):
  """Along the first axis that the slices divide, the halves are the two slices; along all others one stays within."""
  of_slice = np.vectorize(lambda d: d.slice_index)(arrange(shape, fake(8, 2)))
  first, second = np.split(of_slice, 2, outer)
  assert (first == 0).all() and (second == 1).all()


def test_slices_over_two_axes():
  of_slice = np.vectorize(lambda d: d.slice_index)(arrange((2, 6, 1, 1), fake(12, 6)))[..., 0, 0]
  np.testing.assert_array_equal(of_slice, [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]])


def test_slices_must_be_alike():
  with pytest.raises(ValueError, match=r'slices have \[4, 3\] devices'):
    arrange((7,), fake(8, 2)[:7])


def test_one_process_holds_every_row():
  np.testing.assert_array_equal(share(16, make_mesh(MESH)), np.arange(16))


@pytest.mark.parametrize(
  ('rules', 'message'),
  [
    ('zero', 'no preset'),
    ([('kernel', ('fsdp', 'model'))], 'must name axes'),
    ([('kernel', ('fsdp', 'fsdp'))], 'at most once'),
    ([('(kernel', 'fsdp')], 'no .pattern, axes.'),
    (['kernel'], 'no .pattern, axes.'),
    ([('kernle', 'fsdp')], 'name no array'),
    ([('bias', ('tensor',))], 'does not fit .*bias'),
    ([('bias', ('fsdp', 'tensor'))], 'does not fit .*bias'),
  ],
)
def test_rules_that_do_not_fit(rules, message):
  shapes = {'kernel': jnp.zeros((4, 8)), 'bias': jnp.zeros(3)}
  with pytest.raises(ValueError, match=message):
    shardings(shapes, make_mesh(MESH), rules)


def test_rules_of_ones_own():
  shapes = {'blocks': {'kernel': jnp.zeros((3, 4, 8)), 'bias': jnp.zeros((3, 8))}, 'scale': jnp.zeros(5)}
  found = shardings(shapes, make_mesh(MESH), [('kernel', ('fsdp', 'tensor')), ('bias', ('tensor',))])
  assert jax.tree.map(lambda s: s.spec, found) == {'blocks': {'kernel': P(None, 'fsdp', 'tensor'), 'bias': P(None, 'tensor')}, 'scale': P(None)}


def test_moments_and_teacher_lie_where_the_parameters_do():
  """Stacked layers, a teacher's copy and Adam's moments by one list of rules."""
  p = plan(tiny('moco_v3') | dict(backbone=dict(name='vit_micro', width=16, depth=2, heads=2)))
  places = shardings(jax.eval_shape(lambda: init_state(p.phases[0], jax.random.key(0))), make_mesh(MESH), 'fsdp_tp')
  block = lambda tree: jax.tree.map(lambda s: s.spec, tree['backbone']['blocks'])
  moments = next(x for x in jax.tree.leaves(places.opt, is_leaf=lambda x: hasattr(x, 'mu')) if hasattr(x, 'mu'))
  assert block(places.params) == block(moments.mu) == block(moments.nu) == block(places.state['target']['teacher'])
  assert block(places.params)['attention']['qkv']['kernel'] == P(None, 'fsdp', 'tensor')
  assert block(places.params)['mlp']['fc2']['kernel'] == P(None, 'tensor', 'fsdp')
  assert block(places.params)['norm1']['scale'] == P(None, 'fsdp')


def test_queue_is_spread():
  p = plan(tiny('moco_v2'))
  places = shardings(jax.eval_shape(lambda: init_state(p.phases[0], jax.random.key(0))), make_mesh(MESH), 'fsdp')
  assert places.state['memories']['queue']['keys'].spec == P('fsdp', None)


@pytest.mark.rotating
def test_every_layout_gives_what_one_device_gives():
  """With queue, teacher and batch norm, and a transformer with its tokens spread, 50 of them on 2 devices."""
  layouts = {
    'fsdp_tp': testing.Layout(MESH, 'fsdp_tp'),
    'own': testing.Layout(MESH, [('kernel', 'tensor'), ('queue/keys', ('fsdp', None)), ('.*', ())]),
  }
  testing.check_method(tiny('moco_v2'), layouts=layouts, micro_batches=())
  c = tiny('moco_v3') | dict(backbone=dict(name='vit_micro', width=16, depth=2, heads=2))
  layout = testing.Layout(dict(data=2, sequence=2, tensor=2), 'fsdp_tp')
  testing.check_method(c, layouts=dict(sequence=layout), micro_batches=())


@pytest.mark.long
def test_tokens_that_two_devices_do_not_divide():
  """21 of them; once the gradient of the positions read what filled up the smaller share."""
  c = tiny('mlm_u', data=dict(name='mazes', side=3))
  c['passes']['path']['mask']['start'] = 11
  assert plan(c).batch['ids'].shape[1] % 2
  testing.check_method(c, layouts=dict(sequence=testing.Layout(dict(data=2, sequence=2, tensor=2))), micro_batches=())


def test_sequence_axis_shares_the_tokens():
  """Each of two devices does half of a transformer's work, also for a number of tokens that two does not divide."""
  graphdef, params = nnx.split(stacked(lambda rngs: Block(16, heads=2, rngs=rngs), 2, rngs=nnx.Rngs(0)))
  work = {}
  for size in (1, 2):
    mesh = make_mesh(dict(data=1, sequence=size), jax.devices()[:size])
    with jax.set_mesh(mesh):
      run = jax.jit(lambda params, x: scan(nnx.merge(graphdef, params), x)[0])
      work[size] = run.lower(params, jnp.ones((4, 49, 16))).compile().cost_analysis()['flops']
  assert work[2] < 0.55 * work[1]
