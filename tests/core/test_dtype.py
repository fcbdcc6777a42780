"""`c.dtype`: what networks compute in, by the operands of the matrix products and convolutions of a step."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.core.build import plan
from jssl.errors import ConfigError
from jssl.models.layers.products import product
from jssl.ops.graphs import Graph
from jssl.options import signed
from jssl.tables import MODELS
from tests.made import tiny
from tests.operands import operands

VIT = dict(name='vit', width=16, depth=1, heads=2, patch=7, drop_path=0.1)
RESNET = dict(name='resnet18', width=4, depths=(1, 1))


def products(p) -> set[tuple[str, ...]]:
  """The types of the operands of all products and convolutions of networks in the gradient of the loss; objectives are left out."""
  params, state = jax.eval_shape(p.method.init, jax.random.key(0))
  gradient = jax.grad(lambda *given: p.method.loss(*given)[0])
  made = jax.make_jaxpr(gradient)(params, state, dict(p.batch), jax.random.key(1), 0)
  return {*operands(made.jaxpr, [f'({name})' for name in p.config['losses']])}


@pytest.mark.parametrize('name, changes', [('mae', {}), ('dino', dict(backbone=VIT)), ('simclr', dict(backbone=RESNET))])
def test_every_network_and_head_computes_in_it(name, changes):
  p = plan(tiny(name, dtype='bfloat16', **changes))
  params, state = jax.eval_shape(p.method.init, jax.random.key(0))
  assert {x.dtype.name for x in jax.tree.leaves((params, state['stats']))} == {'float32'}
  assert products(p) == {('bfloat16', 'bfloat16')}


X = jnp.zeros((2, 8, 8, 1))
SMALL = {
  'unet': (dict(code=4, widths=(4, 8)), X, (X, jnp.zeros(2), jnp.zeros((2, 4)))),
  'dit': (dict(width=8, depth=1, heads=2, patch=4), X, (X,)),
  'coder': (dict(code=3, widths=(4, 8)), X, (X,)),
  'gcn': (dict(widths=(4, 4)), X[:, 0], (Graph(X[:, :, 0], X[..., 0]),)),
  'gat': (dict(widths=(4, 4), heads=2), X[:, 0], (Graph(X[:, :, 0], X[..., 0]),)),
  'graph_decoder': (dict(dim=3), 4, (jnp.zeros((2, 8, 4)), Graph(X[:, :, 0], X[..., 0]), jnp.zeros((2, 8), bool))),
  'prelu_mlp': (dict(widths=(4, 4)), 4, (jnp.zeros((2, 4)),)),
  'dan': (dict(vocabulary=9, width=4, widths=(4, 4)), X[..., 0, 0], (jnp.zeros((2, 5), int),)),
  'recurrent': (dict(vocabulary=9, width=4, hidden=3, pool='low_rank', pool_heads=2), X[..., 0, 0], (jnp.zeros((2, 5), int),)),
  'compared': ({}, 4, (jnp.zeros((2, 4)),) * 2),
  'critic': ({}, 4, (jnp.zeros((2, 4)),) * 2),
  'transition': (dict(actions=3), 4, (jnp.zeros((2, 4)), jnp.zeros((2, 3)))),
  'gumbel_quantizer': (dict(groups=1, entries=3, dim=4), 4, (jnp.zeros((2, 3, 4)),)),
  'coded_q': (dict(actions=3), 4, (jnp.zeros((2, 4)),)),
  'lm_head': (dict(vocabulary=9, tied=False), 4, (jnp.zeros((2, 4)),)),
}


@pytest.mark.parametrize('name', SMALL)
def test_small_networks_multiply_in_their_type(name):
  options, on, args = SMALL[name]
  on = on if isinstance(on, int) else on.shape[1:]
  net = nnx.eval_shape(lambda: MODELS[name](on, **options, dtype='bfloat16', rngs=nnx.Rngs(0)))
  graphdef, state = nnx.split(net)
  found = operands(jax.make_jaxpr(lambda state, *args: jax.tree.leaves(nnx.merge(graphdef, state)(*args)))(state, *args).jaxpr)
  found[('float32', 'float32')] -= 2 * (8 * 2 + 2) if name == 'critic' else 0  # singular values: two layers, eight rounds
  assert {types for types, count in found.items() if count} == {('bfloat16', 'bfloat16')}


def test_the_type_of_a_network_of_its_own_stays():
  heads = dict(projector=dict(name='mlp', widths=(8, 4), dtype='float32'))
  assert products(plan(tiny('simclr', dtype='bfloat16', heads=heads))) == {('bfloat16', 'bfloat16'), ('float32', 'float32')}
  assert products(plan(tiny('simclr', heads=heads))) == {('float32', 'float32')}


def test_networks_without_a_compute_type_have_no_products():
  without = {name for name, make in MODELS.items() if 'dtype' not in inspect.signature(signed(make)).parameters}
  tables = {'embedding', 'embedding_bag', 'table', 'transe', 'distmult', 'bilinear', 'complex', 'rotate', 'matrix'}
  assert without == {*tables, 'scale', 'flat'}


@pytest.mark.parametrize(
  'changes, match',
  [
    (dict(dtype='float16'), "^dtype is 'float16', which would need a scaled loss; choose 'float32' or 'bfloat16'"),
    (dict(dtype='half'), "^dtype is 'half'; choose"),
    (dict(heads=dict(projector=dict(name='mlp', dtype='float16'))), r"^heads\.projector\.dtype is 'float16'"),
  ],
)
def test_other_types_are_refused(changes, match):
  with pytest.raises(ConfigError, match=match):
    plan(tiny('simclr', **changes))


def test_logits_are_summed_in_float32_and_their_gradients_are_products_of_16_bits():
  x, w = (jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate([(3, 300), (300, 5)]))
  half = x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)
  exact = np.asarray(half[0], np.float64) @ np.asarray(half[1], np.float64)
  np.testing.assert_allclose(product(half[0], w), exact, rtol=1e-5, atol=1e-5)
  value = lambda x, w: jnp.sum(jnp.sin(product(x, w)))
  g = np.asarray(jnp.cos(product(half[0], w)).astype(jnp.bfloat16), np.float64)
  dx, dw = jax.grad(value, (0, 1))(half[0], w)
  assert dx.dtype == jnp.bfloat16 and dw.dtype == jnp.float32
  np.testing.assert_allclose(dx.astype(jnp.float32), g @ np.asarray(half[1], np.float64).T, rtol=0.01, atol=0.01)
  np.testing.assert_allclose(dw, np.asarray(half[0], np.float64).T @ g, rtol=0.01, atol=0.01)
  np.testing.assert_array_equal(product(x, w), x @ w)
