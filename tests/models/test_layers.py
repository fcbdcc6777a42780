"""Layers against loops, PyTorch and the accelerator's own convolution."""

import ast
import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jssl import models
from jssl.models.layers import convolution, dropout, normalization, positions
from jssl.models.text import transformer
from jssl.models.text.modernbert import ModernBert
from jssl.models.text.tower import TextTower

ROOT = Path(__file__).resolve().parents[2]


def keys(b, seed=0):
  return jax.random.split(jax.random.key(seed), b)


def normal(*shape, seed=0):
  return jax.random.normal(jax.random.key(seed), shape)


# Dropout.


@pytest.mark.parametrize('drop', [dropout.dropout, dropout.drop_path])
def test_dropping_depends_on_the_example_alone(drop):
  x, k = normal(8, 5, 3), keys(8)
  whole = drop(x, k, 0.5)
  halves = jnp.concatenate([drop(x[:3], k[:3], 0.5), drop(x[3:], k[3:], 0.5)])
  np.testing.assert_array_equal(whole, halves)


@pytest.mark.parametrize('drop', [dropout.dropout, dropout.drop_path])
def test_dropping_keeps_the_mean_and_rests_without_keys(drop):
  x = jnp.ones((4000, 2))
  y = drop(x, keys(4000), 0.3)
  assert set(np.unique(y).round(4)) == {0, np.float32(1 / 0.7).round(4)}
  assert abs(float(y.mean()) - 1) < 0.05
  np.testing.assert_array_equal(drop(x, None, 0.3), x)
  np.testing.assert_array_equal(drop(x, keys(4000), 0.0), x)
  assert drop(x.astype(jnp.bfloat16), keys(4000), 0.3).dtype == jnp.bfloat16


def test_a_path_drops_whole():
  y = np.asarray(dropout.drop_path(jnp.ones((64, 3, 2)), keys(64), jnp.float32(0.5)))
  assert all(len(np.unique(example)) == 1 for example in y) and 0 < y.mean() < 2


# Convolution.


def loop(x, kernel, stride, pads):
  """The definition, one output at a time."""
  x, k = np.pad(x, ((0, 0), *pads, (0, 0))), len(kernel)
  rows, columns = (x.shape[1] - k) // stride + 1, (x.shape[2] - k) // stride + 1
  y = np.zeros((len(x), rows, columns, kernel.shape[-1]))
  for i in range(rows):
    for j in range(columns):
      window = x[:, i * stride : i * stride + k, j * stride : j * stride + k]
      y[:, i, j] = np.einsum('bijc,ijcd->bd', window, kernel)
  return y


def same(size, k, stride):
  total = max((math.ceil(size / stride) - 1) * stride + k - size, 0)
  return total // 2, total - total // 2


@pytest.mark.parametrize('size', [(6, 6), (7, 5)])
@pytest.mark.parametrize('k, stride', [(1, 1), (3, 1), (3, 2), (4, 2), (2, 2), (2, 1), (5, 3), (3, 3)])
def test_convolution_is_the_loop(size, k, stride):
  x, kernel = normal(2, *size, 3), normal(k, k, 3, 4, seed=1)
  for padding in ('SAME', k // 2):
    pads = [same(s, k, stride) if padding == 'SAME' else (padding, padding) for s in size]
    expected = loop(np.asarray(x), np.asarray(kernel), stride, pads)
    y = convolution.convolve(x, kernel, stride=stride, padding=padding)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    if padding == 'SAME':
      assert y.shape[1:3] == tuple(math.ceil(s / stride) for s in size)


@pytest.mark.parametrize('k, stride', [(3, 2), (4, 2), (2, 2)])
def test_gradients_are_the_accelerators(k, stride):
  x, kernel = normal(2, 7, 6, 3), normal(k, k, 3, 4, seed=1)

  def own(x, kernel):
    return jnp.sum(jnp.sin(convolution.convolve(x, kernel, stride=stride)))

  def theirs(x, kernel):
    return jnp.sum(jnp.sin(lax.conv_general_dilated(x, kernel, (stride, stride), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))))

  for g, h in zip(jax.grad(own, (0, 1))(x, kernel), jax.grad(theirs, (0, 1))(x, kernel), strict=True):
    np.testing.assert_allclose(g, h, atol=1e-4)


@pytest.mark.parametrize('k, size', [(7, (6, 5)), (3, (4, 4))])
def test_depthwise_convolution_is_the_accelerators(k, size):
  x, kernel = normal(2, *size, 3), normal(k, k, 1, 3, seed=1)

  def theirs(x, kernel):
    numbers = ('NHWC', 'HWIO', 'NHWC')
    return lax.conv_general_dilated(x, kernel, (1, 1), [(k // 2,) * 2] * 2, dimension_numbers=numbers, feature_group_count=3)

  np.testing.assert_allclose(convolution.convolve_depthwise(x, kernel), theirs(x, kernel), atol=1e-4)
  gradients = (jax.grad(lambda *given, f=f: jnp.sum(jnp.sin(f(*given))), (0, 1))(x, kernel) for f in (convolution.convolve_depthwise, theirs))
  for g, h in zip(*gradients, strict=True):
    np.testing.assert_allclose(g, h, atol=1e-4)
  lowered = lambda platform: jax.jit(convolution.convolve_depthwise).trace(x, kernel).lower(lowering_platforms=(platform,)).as_text()
  assert 'stablehlo.convolution' in lowered('cuda') and 'stablehlo.convolution' not in lowered('cpu')


def test_the_form_follows_the_platform():
  def lowered(k, stride, platform):
    f = jax.jit(jax.grad(lambda x, kernel: jnp.sum(convolution.convolve(x, kernel, stride=stride) ** 2), (0, 1)))
    return f.trace(normal(2, 8, 8, 3), normal(k, k, 3, 4)).lower(lowering_platforms=(platform,)).as_text()

  assert 'stablehlo.convolution' not in lowered(3, 2, 'cpu')
  for platform in ('cuda', 'tpu'):
    assert 'stablehlo.convolution' in lowered(3, 2, platform)
    assert 'stablehlo.convolution' not in lowered(2, 2, platform)


def test_hiding_blanks_cells():
  x = jnp.ones((2, 6, 4, 3))
  mask = jnp.zeros((2, 6), bool).at[0, 3].set(True)  # row 1, column 1 of 3x2 cells
  y = np.asarray(dropout.hide(x, mask, (3, 2)))
  expected = np.ones((2, 6, 4, 3))
  expected[0, 2:4, 2:4] = 0
  np.testing.assert_array_equal(y, expected)
  np.testing.assert_array_equal(dropout.hide(x, None, (3, 2)), x)


# Normalisation.


def test_batch_norm_learns_in_training_and_rests_in_evaluation():
  net = normalization.normalization('batch', 3, rngs=nnx.Rngs(0))
  x = 2 + 3 * normal(64, 4, 3)
  net.train()
  y = net(x)
  np.testing.assert_allclose(y.mean((0, 1)), 0, atol=1e-5)
  np.testing.assert_allclose(y.std((0, 1)), 1, atol=1e-3)
  np.testing.assert_allclose(net.mean[...], 0.1 * x.mean((0, 1)), rtol=1e-4)
  net.eval()
  before = np.asarray(net.mean[...])
  np.testing.assert_allclose(net(x)[:2], net(x[:2]), rtol=1e-5)
  np.testing.assert_array_equal(net.mean[...], before)


@pytest.mark.parametrize('width', [6, 32, 48])
def test_group_norm_takes_any_width(width):
  y = normalization.normalization('group', width, rngs=nnx.Rngs(0))(normal(2, 3, 3, width))
  assert y.shape == (2, 3, 3, width) and np.isfinite(y).all()


def test_norms_by_name():
  x = normal(2, 4)
  np.testing.assert_array_equal(normalization.normalization('none', 4, rngs=nnx.Rngs(0))(x), x)
  np.testing.assert_array_equal(normalization.normalization('layer', 4, zero=True, rngs=nnx.Rngs(0))(x), 0 * x)
  with pytest.raises(ValueError, match="'batch', 'group'"):
    normalization.normalization('instance', 4, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
  'make',
  [
    lambda: normalization.normalization('layer', 4, rngs=nnx.Rngs(0)),
    lambda: normalization.normalization('group', 1, rngs=nnx.Rngs(0)),
    lambda: normalization.normalization('batch', 1, rngs=nnx.Rngs(0)),
    lambda: models.Attention(4, heads=1, qk_norm=True, rngs=nnx.Rngs(0)).norm_q,
    lambda: models.Block(4, heads=1, rngs=nnx.Rngs(0)).norm1,
    lambda: models.Bert((2,), vocabulary=3, width=4, depth=1, heads=1, rngs=nnx.Rngs(0)).norm,
    lambda: transformer.LmHead(4, vocabulary=3, rngs=nnx.Rngs(0)).norm,
    lambda: transformer.CausalLm((2,), vocabulary=3, width=4, depth=1, heads=1, rngs=nnx.Rngs(0)).norm,
    lambda: ModernBert((2,), vocabulary=3, width=4, depth=1, heads=1, rngs=nnx.Rngs(0)).norm,
    lambda: TextTower((2,), vocabulary=3, width=4, depth=1, heads=1, rngs=nnx.Rngs(0)).norm,
  ],
)
@pytest.mark.parametrize('mean', [0.0, 300.0, 3000.0, -1e5])
def test_normalising_about_a_large_mean(make, mean):
  net = make()
  shape = {'BatchNorm': (4, 1), 'GroupNorm': (1, 4, 1)}.get(type(net).__name__, (1, 4))
  y = net(mean + jnp.arange(4.0).reshape(shape))
  np.testing.assert_allclose(np.ravel(y), (np.arange(4) - 1.5) / 1.25**0.5, rtol=1e-4)


def test_no_normalisation_takes_the_fast_variance():
  """Every mention of a normalisation of nnx is a call, or a partial, that turns it off."""
  wrong = []
  for path in sorted(p for room in ('jssl', 'configs', 'experiments') for p in (ROOT / room).rglob('*.py')):
    tree = list(ast.walk(ast.parse(path.read_text())))
    off = lambda call: any(k.arg == 'use_fast_variance' and not ast.literal_eval(k.value) for k in call.keywords)
    precise = {id(part) for x in tree if isinstance(x, ast.Call) and off(x) for part in (x.func, *x.args)}
    named = [x for x in tree if isinstance(x, ast.Attribute) and re.fullmatch('(Layer|Batch|Group|RMS|Instance)Norm', x.attr)]
    wrong += [f'{path.relative_to(ROOT)}:{x.lineno}' for x in named if id(x) not in precise]
  assert not wrong


# Positions.


def test_sincos_is_the_loop():
  table = positions.sincos((2, 3), 8)
  for row in range(2):
    for column in range(3):
      expected = [f(p * 10000 ** (-i / 2)) for p in (column, row) for f in (math.sin, math.cos) for i in range(2)]
      np.testing.assert_allclose(table[3 * row + column], expected, atol=1e-6)
  with pytest.raises(ValueError, match='multiple of 4'):
    positions.sincos((2, 2), 6)


def test_resizing_to_the_same_grid_is_nothing():
  table = normal(6, 4)
  assert positions.resize(table, (2, 3), (2, 3)) is table
