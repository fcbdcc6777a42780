"""`c.dtype`: what networks compute in, by the operands of the matrix products and convolutions of a step."""

import inspect
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jssl.core.build import plan
from jssl.errors import ConfigError
from jssl.models.layers.products import product
from jssl.options import signed
from jssl.tables import MODELS
from tests.made import tiny

VIT = dict(name='vit', width=16, depth=1, heads=2, patch=7, drop_path=0.1)
RESNET = dict(name='resnet18', width=4, depths=(1, 1))


def products(p) -> dict[tuple[str, ...], int]:
  """The types of the operands of all products and convolutions of networks in the gradient of the loss; objectives are left out."""
  params, state = jax.eval_shape(p.method.init, jax.random.key(0))
  scopes = [f'({name})' for name in p.config['losses']]
  gradient = jax.grad(lambda *given: p.method.loss(*given)[0])
  found = Counter()

  def walk(jaxpr, inside):
    for e in jaxpr.eqns:
      inner = inside or any(scope in str(e.source_info.name_stack) for scope in scopes)
      if e.primitive.name in ('dot_general', 'conv_general_dilated') and not inner:
        half = e.params.get('precision') == lax.DotAlgorithmPreset.BF16_BF16_F32  # attention: a float32 gradient is rounded before it
        found[('bfloat16',) * 2 if half else tuple(x.aval.dtype.name for x in e.invars)] += 1
      for value in e.params.values():
        for x in value if isinstance(value, tuple | list) else (value,):
          if hasattr(x := getattr(x, 'jaxpr', x), 'eqns'):
            walk(x, inner)

  walk(jax.make_jaxpr(gradient)(params, state, dict(p.batch), jax.random.key(1), 0).jaxpr, False)
  return found


@pytest.mark.parametrize('name, changes', [('mae', {}), ('dino', dict(backbone=VIT)), ('simclr', dict(backbone=RESNET))])
def test_every_network_and_head_computes_in_it(name, changes):
  p = plan(tiny(name, dtype='bfloat16', **changes))
  params, state = jax.eval_shape(p.method.init, jax.random.key(0))
  assert {x.dtype.name for x in jax.tree.leaves((params, state['stats']))} == {'float32'}
  assert {*products(p)} == {('bfloat16', 'bfloat16')}


def test_the_type_of_a_network_of_its_own_stays():
  heads = dict(projector=dict(name='mlp', widths=(8, 4), dtype='float32'))
  assert {*products(plan(tiny('simclr', dtype='bfloat16', heads=heads)))} == {('bfloat16', 'bfloat16'), ('float32', 'float32')}
  assert {*products(plan(tiny('simclr', heads=heads)))} == {('float32', 'float32')}


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
