"""ConvNeXt and Swin: sizes, blocks by hand, and what runs over all stages."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.heads.projection import Linear
from jssl.models.layers import blocks
from jssl.models.vision import convnext, swin

CONVNEXT = dict(depths=(2, 3), widths=(6, 10), patch=2)
SWIN = dict(width=6, depths=(2, 3), heads=(2, 3), patch=2, window=4)
EACH = pytest.mark.parametrize('make, options', [(convnext.ConvNeXt, CONVNEXT), (swin.Swin, SWIN)])


def normal(*shape, seed=0):
  return jax.random.normal(jax.random.key(seed), shape)


def randomised(net, spread=0.3):
  """With weights far from where they start."""
  for i, (_, x) in enumerate(nnx.iter_graph(net)):
    if isinstance(x, nnx.Param):
      x.set_value(x[...] + spread * normal(*x.shape, seed=i))
  return net


def split(net):
  graphdef, params = nnx.split(net)
  return graphdef, nnx.to_pure_dict(params)


@pytest.mark.parametrize(
  'make, expected',
  [
    (convnext.convnext_tiny, 28_589_128),
    (convnext.convnext_small, 50_223_688),
    (convnext.convnext_base, 88_591_464),
    (convnext.convnextv2_tiny, 28_635_496),
    (convnext.convnextv2_base, 88_717_800),
    (swin.swin_tiny, 28_288_354),
    (swin.swin_small, 49_606_258),
    (swin.swin_base, 87_768_224),
  ],
)
def test_published_sizes_with_a_classifier(make, expected):
  def both():
    net = make((224, 224, 3), rngs=nnx.Rngs(0))
    return net, Linear(net, dim=1000, rngs=nnx.Rngs(0))

  params = jax.tree.leaves(nnx.state(nnx.eval_shape(both), nnx.Param))
  assert sum(math.prod(x.shape) for x in params) == expected


@EACH
@pytest.mark.rotating
def test_rematerialising_changes_nothing(make, options):
  def gradient(remat):
    graphdef, params = split(randomised(make((12, 12, 3), **options, remat=remat, rngs=nnx.Rngs(0)), 0.1))
    loss = lambda params: jnp.sum(nnx.merge(graphdef, params, copy=True)(normal(2, 12, 12, 3)).pooled ** 3)
    return jax.jit(jax.grad(loss))(params)

  for a, b in zip(jax.tree.leaves(gradient(False)), jax.tree.leaves(gradient(True)), strict=True):
    assert np.isfinite(a).all()
    np.testing.assert_allclose(a, b, atol=1e-4)


@EACH
def test_programs_do_not_grow_with_depth(make, options):
  def equations(deeper):
    depths = tuple(depth + deeper for depth in options['depths'])
    graphdef, params = split(nnx.eval_shape(lambda: make((12, 12, 3), **options | dict(depths=depths), rngs=nnx.Rngs(0))))
    text = str(jax.make_jaxpr(lambda params, x: nnx.merge(graphdef, params, copy=True)(x).pooled)(params, normal(1, 12, 12, 3)))
    return len(text.splitlines())

  assert equations(0) == equations(4)


@EACH
def test_stochastic_depth_grows_over_all_stages(make, options):
  net = randomised(make((12, 12, 3), **options, drop_path=0.9, rngs=nnx.Rngs(0)), 0.1)
  x, keys = normal(2, 12, 12, 3), jax.random.split(jax.random.key(1), 2)
  graphdef, params = split(net)
  run = jax.jit(lambda params, x, keys: nnx.merge(graphdef, params, copy=True)(x, keys=keys).pooled)
  assert not np.allclose(run(params, x, keys), run(params, x, None), atol=1e-3)
  np.testing.assert_allclose(run(params, x, keys)[:1], run(params, x[:1], keys[:1]), atol=1e-5)
  for found, expected in zip(blocks.rates_of_stages(0.8, (2, 3)), [(0, 0.2), (0.4, 0.8)], strict=True):
    np.testing.assert_allclose(found, expected)


@EACH
def test_maps_halve_and_other_sizes_run(make, options):
  net = make((24, 16, 3), **options, rngs=nnx.Rngs(0))
  assert (net.grid, net.patch, net.channels) == ((6, 4), 4, 3)
  assert [x.shape[1:3] for x in net.maps(normal(1, 24, 16, 3))] == [(12, 8), (6, 4)]
  features = net(normal(1, 20, 12, 3))
  assert features.tokens.shape == (1, 15, net.dim) and np.isfinite(features.pooled).all()


def test_what_cannot_be_made_is_refused():
  for make, options, match in [
    (convnext.ConvNeXt, CONVNEXT | dict(widths=(6,)), '2 depths and 1 widths'),
    (convnext.ConvNeXt, CONVNEXT | dict(patch=8), 'at least 16x16'),
    (swin.Swin, SWIN | dict(heads=(2,)), '2 depths and heads of 1 stages'),
    (swin.Swin, SWIN | dict(heads=(4, 4)), 'heads'),
  ]:
    with pytest.raises(ValueError, match=match):
      make((12, 12, 3), **options, rngs=nnx.Rngs(0))


# By hand.


def layer_norm(x, of, epsilon):
  x = x - x.mean(-1, keepdims=True)
  return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * of.scale[...] + of.bias[...]


def linear(x, of):
  return x @ np.asarray(of.kernel[...]) + of.bias[...]


def gelu(x):
  return x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2


@pytest.mark.parametrize('grn', [False, True])
def test_a_convnext_block_is_the_paper_by_hand(grn):
  options = dict(grn=grn, layer_scale=None if grn else 0.5, epsilon=1e-6, dtype='float32')
  block, x = randomised(convnext.ConvNeXtBlock(3, **options, rngs=nnx.Rngs(0))), normal(1, 5, 4, 3)
  padded, kernel, y = np.pad(x[0], ((3, 3), (3, 3), (0, 0))), np.asarray(block.conv.kernel[...]), np.zeros((5, 4, 3))
  for i in range(5):
    for j in range(4):
      for c in range(3):
        y[i, j, c] = (padded[i : i + 7, j : j + 7, c] * kernel[:, :, 0, c]).sum() + block.conv.bias[c]
  y = gelu(linear(layer_norm(y, block.norm, 1e-6), block.fc1))
  if grn:
    norms = np.sqrt((y * y).sum((0, 1)))
    y = y + block.grn.scale[...] * y * norms / norms.mean() + block.grn.bias[...]
  y = linear(y, block.fc2) * (1 if grn else block.gamma[...])
  np.testing.assert_allclose(block(x)[0], x[0] + y, atol=1e-4)


@pytest.mark.parametrize('shifted', [False, True])
def test_a_swin_block_is_the_paper_by_hand(shifted):
  """Cells attend to each other where they lie in one window of a grid of windows that begins `shift` cells further down and right."""
  side, window, heads, width = 6, 3, 2, 4
  options = dict(heads=heads, window=(window, window), ratio=2.0, bias=True, timm=False, dtype='float32')
  block, x = randomised(swin.SwinBlock(width, **options, rngs=nnx.Rngs(0))), normal(1, side, side, width)
  q, k, v = np.split(linear(layer_norm(np.asarray(x[0]), block.norm1, 1e-5), block.attention.qkv), 3, -1)
  shift, y = window // 2 if shifted else 0, np.zeros((side, side, width))
  cells = [(i, j) for i in range(side) for j in range(side)]
  place = lambda cell: tuple((c - shift) // window for c in cell)
  for cell in cells:
    others = [other for other in cells if place(other) == place(cell)]
    rows = [(cell[0] - i + window - 1) * (2 * window - 1) + cell[1] - j + window - 1 for i, j in others]
    for h in range(heads):
      part = slice(h * width // heads, (h + 1) * width // heads)
      logits = [q[cell][part] @ k[other][part] / np.sqrt(width / heads) for other in others]
      weights = np.exp(np.array(logits) + np.asarray(block.table[...])[rows, h])
      y[cell][part] = sum(weight * v[other][part] for weight, other in zip(weights / weights.sum(), others, strict=True))
  y = x[0] + linear(y, block.attention.proj)
  y = y + linear(gelu(linear(layer_norm(y, block.norm2, 1e-5), block.mlp.fc1)), block.mlp.fc2)
  np.testing.assert_allclose(block(x, shifted=jnp.bool_(shifted))[0], y, atol=1e-4)


def test_merging_takes_two_by_two_cells():
  merge, x = randomised(swin.Merge(2, dtype='float32', rngs=nnx.Rngs(0))), normal(1, 3, 2, 2)
  padded = np.pad(x[0], ((0, 1), (0, 0), (0, 0)))
  for i in range(2):
    joined = np.concatenate([padded[2 * i + row, column] for column in (0, 1) for row in (0, 1)])
    np.testing.assert_allclose(merge(x)[0, i, 0], layer_norm(joined, merge.norm, 1e-5) @ merge.linear.kernel[...], atol=1e-5)


@pytest.mark.parametrize('fit, timm, window', [(True, False, (2, 2)), (True, True, (2, 4)), (False, False, (4, 4))])
def test_windows_of_small_maps(fit, timm, window):
  net = swin.Swin((4, 16, 1), **SWIN | dict(depths=(2,), heads=(2,)), fit=fit, timm=timm, rngs=nnx.Rngs(0))
  assert net.stage1.window == window
  assert swin.shift_of(net.grid, window, timm) == ((0, 2) if timm else (0, 0))
  assert np.isfinite(net(normal(1, 4, 16, 1)).pooled).all()
