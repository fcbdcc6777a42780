"""Networks are built on the pictures that views draw, not on those of the data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jssl
from jssl import sizes
from jssl.artefact import of_run, read, write
from jssl.core.build import columns_of, open_data, plan
from jssl.core.step import init_state
from jssl.data.core.arrays import arrays
from jssl.data.core.memory import hold
from jssl.errors import ConfigError
from jssl.testing import first_batch
from tests.core.tiny import B
from tests.made import tiny

VIT = dict(name='vit', width=16, depth=1, heads=2, patch=4, positions='learned')
CROP = dict(scale=(0.5, 1.0))


def pictures(side: int = 40) -> dict:
  x = np.random.default_rng(0).integers(0, 256, (24, side, side, 1), np.uint8)
  return hold(arrays(image=x, label=np.arange(24) % 2, held_out=0.25))


def system(name: str, size: int = 28, data: int = 40, **backbone) -> dict:
  """A tiny system on views of another size than the pictures."""
  c = tiny(name, data=pictures(data), batch_size=B, evaluators={})
  c['backbone'] = {**VIT, **({} if name == 'dino' else dict(pool='mean')), **backbone}
  c['view'] = dict(name='augment', views=2 if name == 'dino' else 1, size=size, crop=CROP)
  c['inputs'] = dict(name='plain', size=size)
  return c


def grid_of(p) -> tuple:
  params, _ = jax.eval_shape(lambda: p.method.init(jax.random.key(0)))
  return params['backbone']['positions'].shape


@pytest.mark.parametrize('name', ['mae', 'ijepa', 'dino'])
@pytest.mark.parametrize(('size', 'data'), [(28, 40), (32, 40), (32, 30)])
@pytest.mark.rotating
def test_a_step_on_views_of_another_size_is_finite_and_positions_are_the_views(name, size, data):
  p = plan(system(name, size, data))
  assert grid_of(p) == ((size // 4) ** 2, 16)
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  assert batch['image'].shape == (B, data, data, 1)
  loss = lambda params: p.method.loss(params, state, batch, jax.random.key(1), jnp.int32(0))[0]
  value, gradient = jax.jit(jax.value_and_grad(loss))(params)
  assert np.isfinite(value) and all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))


def test_the_largest_view_counts_and_others_have_their_positions_interpolated():
  c = system('dino')
  c['view'] |= dict(views=(dict(size=16), {}, dict(size=16)))
  p = plan(c)
  assert grid_of(p) == (49, 16)
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  assert np.isfinite(jax.jit(p.method.loss)(params, state, batch, jax.random.key(1), jnp.int32(0))[0])


@pytest.mark.rotating
def test_inputs_of_another_size_are_interpolated_or_refused():
  c = system('dino') | dict(inputs=dict(name='plain', size=36))
  p = plan(c)
  assert grid_of(p) == (49, 16)
  state = jax.jit(p.method.init)(jax.random.key(0))
  assert p.method.represent(*state, {'image': jnp.zeros((2, 40, 40, 1), jnp.uint8)}).tokens.shape == (2, 81, 16)
  with pytest.raises(ConfigError, match=r'inputs gives pictures of 38x38, but backbone is built for training views of 28x28') as error:
    plan(c | dict(inputs=dict(name='plain', size=38)))
  assert '\n' not in str(error.value)
  perceptron = dict(backbone=dict(name='mlp_backbone', widths=(6,), norm='none'))
  with pytest.raises(ConfigError, match='takes no others .* set the size of inputs to 28'):
    plan(c | perceptron)
  assert plan(c | perceptron | dict(inputs=dict(name='plain', size=28)))


def test_a_patch_must_divide_the_view_and_not_the_picture():
  assert grid_of(plan(system('mae', patch=14))) == (4, 16)  # which does not divide 40
  with pytest.raises(ConfigError, match=r'^backbone: patches of 5 do not divide an image of 28x28: choose a patch that does$'):
    plan(system('mae', patch=5))  # which divides 40


def test_masks_are_on_views_of_one_size():
  c = system('mae')
  c['passes']['seen'] |= dict(view=dict(name='augment', views=(dict(size=28), dict(size=20))))
  c['passes']['rebuilt'] |= dict(by_view=True, network=('decoder', 'decoder'))
  c['losses']['rebuild'] |= dict(over='views')
  p = plan(c)
  with pytest.raises(ConfigError, match=r'a view of 20 x 20 is masked, .* patches of 4 x 4 in a grid of 7 x 7: give views of 28 x 28'):
    jax.eval_shape(lambda key, batch: p.method.loss(*p.method.init(key), batch, key, jnp.int32(0)), jax.random.key(0), p.batch)


def test_a_view_that_no_network_encodes_does_not_count():
  c = plan(tiny('mrm')).config
  data = open_data(c['data'])
  assert sizes.seen(c, data, columns_of(data))['image'].shape == data.spec['image'].shape


def test_networks_without_training_stand_on_inputs():
  c = system('mae') | dict(passes={}, losses={}, heads={}, steps=0, epochs=None)
  assert plan(c).steps == 0


def test_a_saved_model_has_the_sizes_of_its_training(tmp_path):
  p = plan(system('dino') | dict(inputs=dict(name='plain', size=36)))
  train = jax.jit(lambda: init_state(p.phases[0], jax.random.key(0)))()
  made = of_run(p, train)
  write(tmp_path / 'model', made)
  found, x = read(tmp_path / 'model'), np.full((2, 40, 40, 1), 7, np.uint8)
  assert found.config['sizes'] == {'image': [28, 28, 1]}
  state = lambda of: (of.params, {'stats': of.stats})
  same = [np.asarray(of.represent(*state(of), {'image': x}).pooled) for of in (made, found)]
  np.testing.assert_array_equal(*same)
  assert jssl.load(tmp_path / 'model').encode(x).shape == (2, 16)
