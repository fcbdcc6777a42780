"""Backbones: shapes, masks, randomness, statistics, parameters and their names."""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jssl import models
from jssl.models import attention
from jssl.models.control.dynamics import TimelineEncoder
from jssl.models.layers import blocks
from jssl.models.series.tst import TST
from jssl.models.vision import convnext, swin
from jssl.models.vision.grid import GridTransformer
from tests.operands import operands

SHAPE = (12, 12, 1)
VIT = partial(models.ViT, width=16, depth=2, heads=2, patch=4)
TABLE = {
  'convnet': partial(models.ConvNet, widths=(8, 16)),
  'convnet3': partial(models.ConvNet, widths=(8, 16), kernel=3, norm='group'),
  'mlp': partial(models.Mlp, widths=(16, 8), dropout=0.1),
  'convnext': partial(convnext.ConvNeXt, widths=(6, 10), depths=(2, 1), patch=2),
  'convnextv2': partial(convnext.ConvNeXt, widths=(6, 10), depths=(2, 1), patch=2, grn=True, layer_scale=None, drop_path=0.1, remat=True),
  'swin': partial(swin.Swin, width=6, depths=(2, 1), heads=(2, 3), patch=2, window=4, drop_path=0.1, remat=True),
  'resnet18': partial(models.resnet18, width=4, depths=(2, 1)),
  'resnet50': partial(models.resnet50, width=2, depths=(1, 1), stem='imagenet', norm='group'),
  'vit': VIT,
  'vit_hybrid': partial(VIT, patch=1, stem=(4, 8)),
  'vit_all': partial(
    VIT,
    pool='mean',
    positions='sincos',
    registers=2,
    dropout=0.1,
    drop_path=0.2,
    layer_scale=0.1,
    qk_norm=True,
    std=0.0,
    rescale=True,
    remat=True,
  ),
  'vit_published': partial(
    VIT,
    pool='attention',
    positions='rotary',
    registers=1,
    class_token=True,
    hidden=24,
    key_bias=False,
    activation='silu',
    gated=True,
    pre_norm=True,
    mask_token=False,
  ),
}
EACH = pytest.mark.parametrize('name', TABLE)


def images(b=4, shape=SHAPE, seed=0):
  return jax.random.normal(jax.random.key(seed), (b, *shape))


def keys(b=4):
  return jax.random.split(jax.random.key(7), b)


def split(net):
  graphdef, params, rest = nnx.split(net, nnx.Param, ...)
  return graphdef, nnx.to_pure_dict(params), nnx.to_pure_dict(rest)


@cache
def made(name, **options):
  return split(TABLE[name](SHAPE, rngs=nnx.Rngs(0), **options))


def make(name, **options):
  return nnx.merge(*made(name, **options), copy=True)


def run(net, *args, **options):
  """Call a module once it is compiled, leaving its statistics as they were."""
  graphdef, params, rest = split(net)
  call = jax.jit(lambda params, rest, args, options: nnx.merge(graphdef, params, rest, copy=True)(*args, **options))
  return call(params, rest, args, options)


def paths(net):
  return ['/'.join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(net, nnx.Param))]


def count(create, shape=(224, 224, 3)):
  params = jax.eval_shape(lambda: nnx.to_pure_dict(nnx.state(create(shape, rngs=nnx.Rngs(0)), nnx.Param)))
  return sum(math.prod(x.shape) for x in jax.tree.leaves(params))


# All of them.


@EACH
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_shapes_and_dtypes(name, dtype):
  net = nnx.eval_shape(lambda: TABLE[name](SHAPE, dtype=dtype, rngs=nnx.Rngs(0)))
  graphdef, params, rest = split(net)
  run = lambda params, rest, x: nnx.merge(graphdef, params, rest, copy=True)(x)
  tokens, pooled, layers, classes = jax.eval_shape(run, params, rest, images())
  n = net.grid[0] * net.grid[1] if hasattr(net, 'grid') else 1
  assert tokens.shape == (4, n, net.dim) and pooled.shape == (4, net.dim)
  assert tokens.dtype == pooled.dtype == jnp.dtype(dtype)
  assert layers is None or layers.shape == (3, 4, n, net.dim)
  assert classes is None or classes.shape == (3, 4, net.dim) and net.cls is not None
  assert all(p.dtype == jnp.float32 for p in jax.tree.leaves(params))


@EACH
def test_splits_merges_and_learns(name):
  """As a training step does it: pure dicts in, gradient through a merged copy, statistics out."""
  net = make(name)
  net.train()
  graphdef, params, rest = split(net)

  @jax.jit
  def step(params, rest):
    def loss(params):
      net = nnx.merge(graphdef, params, rest, copy=True)
      features = net(images(), keys=keys())
      return jnp.mean(jnp.sin(features.pooled)) + jnp.mean(features.tokens**2), nnx.to_pure_dict(nnx.state(net, nnx.Not(nnx.Param)))

    return jax.value_and_grad(loss, has_aux=True)(params)

  (_, new), grads = step(params, rest)
  assert jax.tree.structure(grads) == jax.tree.structure(params)
  assert jax.tree.structure(new) == jax.tree.structure(rest)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))
  assert all((a != b).any() for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(rest), strict=True))


@EACH
def test_evaluation_is_of_each_example_alone(name):
  net = make(name)
  net.eval()
  whole, part = run(net, images()), run(net, images()[:2])
  np.testing.assert_allclose(whole.pooled[:2], part.pooled, atol=1e-5)
  np.testing.assert_allclose(whole.tokens[:2], part.tokens, atol=1e-5)


@pytest.mark.parametrize('name', ['mlp', 'vit_all'])
def test_randomness_is_of_each_example_alone(name):
  net = make(name, dropout=0.5, **({'norm': 'none'} if name == 'mlp' else {}))
  whole = run(net, images(), keys=keys()).pooled
  parts = [run(net, images()[i:j], keys=keys()[i:j]).pooled for i, j in [(0, 1), (1, 4)]]
  np.testing.assert_allclose(whole, np.concatenate(parts), atol=1e-5)
  assert not np.allclose(whole, run(net, images()).pooled, atol=1e-3)


@EACH
def test_tree_mode(name):
  with nnx.set_graph_mode(False):
    net = jax.eval_shape(lambda: split(TABLE[name](SHAPE, rngs=nnx.Rngs(0)))[1:])
    graphdef = split(nnx.eval_shape(lambda: TABLE[name](SHAPE, rngs=nnx.Rngs(0))))[0]
    features = jax.eval_shape(lambda net, x: nnx.merge(graphdef, *net, copy=True)(x), net, images())
  assert features.pooled.shape[0] == 4


@pytest.mark.parametrize('name', ['convnet', 'vit'])
def test_eight_devices_are_one(name):
  if jax.device_count() < 8:
    pytest.skip('needs eight devices')
  net = make(name)
  net.train()
  graphdef, params, rest = split(net)
  x = images(8)
  loss = jax.jit(jax.value_and_grad(lambda params, x: jnp.mean(jnp.sin(3 * nnx.merge(graphdef, params, rest, copy=True)(x).pooled))))
  spread = jax.device_put(x, NamedSharding(Mesh(np.array(jax.devices()[:8]), ('data',)), PartitionSpec('data')))
  for a, b in zip(jax.tree.leaves(loss(params, x)), jax.tree.leaves(loss(params, spread)), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize('name', ['convnet', 'convnext', 'resnet18', 'swin', 'vit'])
def test_what_is_hidden_does_not_matter(name):
  """Pixels under the mask leave no trace, and a mask of nothing changes nothing."""
  net = make(name)
  net.eval()
  n = net.grid[0] * net.grid[1]
  x = images()
  np.testing.assert_array_equal(run(net, x, mask=jnp.zeros((4, n), bool)).pooled, run(net, x).pooled)
  np.testing.assert_allclose(run(net, x, mask=jnp.ones((4, n), bool)).pooled, run(net, x + 1, mask=jnp.ones((4, n), bool)).pooled, atol=1e-5)


@pytest.mark.parametrize('name', ['convnet', 'convnext', 'mlp', 'resnet18', 'swin'])
def test_only_transformers_leave_tokens_out(name):
  with pytest.raises(ValueError, match='ViT'):
    make(name)(images(), keep=jnp.zeros((4, 1), int))


@pytest.mark.parametrize('hiding', [dict(mask=jnp.zeros((4, 9), bool)), dict(keep=jnp.zeros((4, 1), int))])
def test_a_hybrid_hides_no_patches(hiding):
  with pytest.raises(ValueError, match='leave the stem out'):
    make('vit_hybrid')(images(), **hiding)


def test_an_mlp_has_nothing_to_hide():
  with pytest.raises(ValueError, match='view'):
    make('mlp')(images(), mask=jnp.zeros((4, 1), bool))


@pytest.mark.parametrize('create', [TABLE['convnet'], TABLE['resnet18'], VIT])
def test_images_have_three_axes(create):
  with pytest.raises(ValueError, match=r'\(h, w, c\)'):
    create((12, 12), rngs=nnx.Rngs(0))
  assert create(jax.ShapeDtypeStruct(SHAPE, jnp.float32), rngs=nnx.Rngs(0)).channels == 1


# Parameters.


@pytest.mark.parametrize(
  'create, expected',
  [
    (models.resnet18, 11_176_512),
    (models.resnet34, 21_284_672),
    (models.resnet50, 23_508_032),
    (models.vit_tiny, 5_524_416),
    (models.vit_small, 21_665_664),
    (models.vit_base, 85_798_656),
    (models.vit_large, 303_301_632),
    (models.vit_huge, 630_764_800),
    (models.vit_giant, 1_011_202_432),
  ],
)
def test_published_sizes(create, expected):
  """Those of torchvision and timm without the classifier; a mask token is here, a position of the class token there."""
  assert count(create) == expected


def test_names_of_parameters_stay():
  norm = ['bias', 'scale']
  assert paths(make('convnet')) == ['conv1/kernel', 'conv2/kernel', 'norm1/bias', 'norm1/scale', 'norm2/bias', 'norm2/scale']
  assert paths(make('mlp')) == [
    'linear1/bias',
    'linear1/kernel',
    'linear2/bias',
    'linear2/kernel',
    'norm1/bias',
    'norm1/scale',
    'norm2/bias',
    'norm2/scale',
  ]
  assert [p for p in paths(make('resnet18')) if p.startswith(('conv', 'norm', 'stage2_block1'))] == [
    'conv/kernel',
    'norm/bias',
    'norm/scale',
    *[
      f'stage2_block1/{p}'
      for p in [
        'conv1/kernel',
        'conv2/kernel',
        *[f'norm{i}/{p}' for i in (1, 2) for p in norm],
        'shortcut/conv/kernel',
        *[f'shortcut/norm/{p}' for p in norm],
      ]
    ],
  ]
  linear = ['bias', 'kernel']
  inner = [f'attention/{m}/{p}' for m in ('proj', 'qkv') for p in linear]
  inner += [f'mlp/{m}/{p}' for m in ('fc1', 'fc2') for p in linear]
  inner += [f'{m}/{p}' for m in ('norm1', 'norm2') for p in norm]
  assert paths(make('vit')) == [
    *[f'blocks/{p}' for p in inner],
    'cls',
    'embed/bias',
    'embed/kernel',
    'mask_token',
    'norm/bias',
    'norm/scale',
    'positions',
  ]


# ConvNet and ResNet.


def test_convolutional_facts():
  net = models.ConvNet((28, 28, 1), rngs=nnx.Rngs(0))
  assert (net.dim, net.grid, net.patch, net.channels) == (128, (2, 2), 14, 1)
  net = models.ConvNet((30, 28, 1), widths=(8, 8, 8), kernel=(5, 3), stride=(2, 2, 1), rngs=nnx.Rngs(0))
  assert net.grid == (8, 7) and net.patch is None
  for shape, grid in {(32, 32, 3): (4, 4), (96, 64, 3): (3, 2)}.items():
    assert nnx.eval_shape(lambda: models.resnet18(shape, rngs=nnx.Rngs(0))).grid == grid  # noqa: B023
  with pytest.raises(ValueError, match="'imagenet' or 'cifar'"):
    models.resnet18(SHAPE, stem='patch', rngs=nnx.Rngs(0))


def test_residual_branches_begin_at_zero():
  block = make('resnet18').stage1_block2
  x = jax.nn.relu(images(2, (6, 6, 4)))
  np.testing.assert_array_equal(block(x), x)


def test_stochastic_depth_leaves_out_the_last_block_of_a_resnet_at_its_rate():
  net = models.resnet18((8, 8, 3), width=4, depths=(1, 1), norm='group', zero=False, drop_path=0.5, rngs=nnx.Rngs(0))
  x, keys = images(400, (8, 8, 3)), jax.random.split(jax.random.key(1), 400)
  first, last = net.maps(x, keys=keys)
  whole, bare = net.stage2_block1(first), jax.nn.relu(net.stage2_block1.shortcut(first))
  np.testing.assert_allclose(first, net.maps(x)[0], atol=1e-6)  # the rate grows from 0 at the first block
  np.testing.assert_allclose(whole, net.maps(x)[1], atol=1e-6)
  dropped = np.array([np.allclose(a, b, atol=1e-6) for a, b in zip(last, bare, strict=True)])
  assert abs(dropped.mean() - 0.5) < 0.1 and not np.allclose(whole[~dropped], last[~dropped], atol=1e-3)  # what is left is scaled up


# ViT.


def erf(x):
  return np.vectorize(math.erf)(x)


def layer_norm(x, p):
  x = x - x.mean(-1, keepdims=True)
  return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * p['scale'] + p['bias']


def by_hand(params, image, patch, heads):
  """One image through a ViT with a class token, from the equations of the paper, one head and patch at a time."""
  h, w, _ = image.shape
  x = np.stack([image[i : i + patch, j : j + patch].reshape(-1) for i in range(0, h, patch) for j in range(0, w, patch)])
  x = x @ params['embed']['kernel'] + params['embed']['bias'] + params['positions']
  x = np.concatenate([params['cls'], x])
  layers = [x]
  for l in range(len(params['blocks']['norm1']['scale'])):
    p = jax.tree.map(lambda a, l=l: a[l], params['blocks'])
    y = layer_norm(x, p['norm1']) @ p['attention']['qkv']['kernel'] + p['attention']['qkv']['bias']
    outs = []
    for q, k, v in zip(*[np.split(t, heads, -1) for t in np.split(y, 3, -1)], strict=True):
      logits = np.exp(q @ k.T / np.sqrt(q.shape[-1]))
      outs.append(logits / logits.sum(-1, keepdims=True) @ v)
    x = x + np.concatenate(outs, -1) @ p['attention']['proj']['kernel'] + p['attention']['proj']['bias']
    y = layer_norm(x, p['norm2']) @ p['mlp']['fc1']['kernel'] + p['mlp']['fc1']['bias']
    y = y * (1 + erf(y / np.sqrt(2))) / 2
    x = x + y @ p['mlp']['fc2']['kernel'] + p['mlp']['fc2']['bias']
    layers.append(x)
  y = layer_norm(x, params['norm'])
  return y[1:], y[0], np.stack(layers)[:, 1:], layer_norm(np.stack(layers)[:, 0], params['norm'])


def pooled_by_hand(p, x, heads):
  """What each query finds among the tokens of one image [n d], normalised: [queries d]."""
  linear = lambda x, p: x @ p['kernel'] + p['bias']
  found = []
  for query in p['query']:
    whole = linear(query, p['attention']['q']), *np.split(linear(x, p['attention']['kv']), 2, -1)
    outs = []
    for q, k, v in zip(*(np.split(t, heads, -1) for t in whole), strict=True):
      logits = np.exp(k @ q / np.sqrt(len(q)))
      outs.append(logits / logits.sum() @ v)
    found.append(layer_norm(linear(np.concatenate(outs), p['attention']['proj']), p['norm']))
  return np.stack(found)


def test_queries_are_pooled_by_another_query():
  net = VIT(SHAPE, pool='query', queries=3, std=0.5, rngs=nnx.Rngs(0))
  x = images(2)
  features, params = run(net, x), jax.tree.map(np.asarray, split(net)[1])
  patches = layer_norm(np.asarray(features.layers[-1]), params['norm'])
  assert features.tokens.shape == (2, 3, 16) and features.pooled.shape == (2, 16)
  for i in range(2):
    tokens = pooled_by_hand(params['queries'], patches[i], 2)
    np.testing.assert_allclose(features.tokens[i], tokens, atol=1e-4)
    np.testing.assert_allclose(features.pooled[i], pooled_by_hand(params['head'], tokens, 2)[0], atol=1e-4)
  with pytest.raises(ValueError, match='no queries'):
    VIT(SHAPE, queries=3, rngs=nnx.Rngs(0))


def test_a_vit_is_the_paper_by_hand():
  net = make('vit', std=0.5)
  x = images(2)
  features = run(net, x)
  params = jax.tree.map(np.asarray, split(net)[1])
  for i in range(2):
    tokens, pooled, layers, classes = by_hand(params, np.asarray(x[i]), 4, 2)
    np.testing.assert_allclose(features.tokens[i], tokens, atol=1e-4)
    np.testing.assert_allclose(features.pooled[i], pooled, atol=1e-4)
    np.testing.assert_allclose(features.layers[:, i], layers, atol=1e-4)
    np.testing.assert_allclose(features.classes[:, i], classes, atol=1e-4)


@pytest.mark.parametrize('name', ['vit', 'vit_all'])
def test_keeping(name):
  net = make(name, std=0.3)
  net.eval()
  x, everything = images(), run(net, images())
  order = jnp.stack([jax.random.permutation(k, 9) for k in keys()])
  kept = run(net, x, keep=order)
  np.testing.assert_allclose(kept.pooled, everything.pooled, atol=1e-5)
  np.testing.assert_allclose(kept.tokens, jnp.take_along_axis(everything.tokens, order[..., None], 1), atol=1e-5)
  some = run(net, x, keep=order[:, :3])
  assert some.tokens.shape == (4, 3, 16) and some.layers.shape == (3, 4, 3, 16)
  np.testing.assert_allclose(some.layers[0], kept.layers[0][:, :3], atol=1e-5)
  rows = jnp.arange(4)[:, None]
  hidden = jnp.ones((4, 9), bool).at[rows, order[:, :3]].set(False)
  patched = run(net, x * jnp.kron(1 - hidden.reshape(4, 3, 3), jnp.ones((1, 4, 4)))[..., None], keep=order[:, :3])
  np.testing.assert_allclose(some.pooled, patched.pooled, atol=1e-5)


def test_masking_and_keeping_agree():
  net = make('vit')
  x, keep = images(), jnp.tile(jnp.array([5, 2, 7]), (4, 1))
  mask = jnp.zeros((4, 9), bool).at[:, 2].set(True)
  state = run(net, x, mask=mask, keep=keep).layers[0]
  np.testing.assert_allclose(state, run(net, x, mask=mask).layers[0][:, keep[0]], atol=1e-6)
  expected = net.mask_token[...] + net.positions[...][2]
  np.testing.assert_allclose(state[:, 1], jnp.tile(expected, (4, 1)), atol=1e-6)


@pytest.mark.parametrize('name', ['vit', 'vit_all'])
def test_smaller_crops(name):
  net = make(name)
  features = run(net, images(2, (8, 4, 1)))
  assert features.tokens.shape == (2, 2, 16) and np.isfinite(features.pooled).all()
  with pytest.raises(ValueError, match='patches of 4'):
    net(images(2, (10, 12, 1)))


def test_patches_for_the_image():
  sides = {224: 16, 96: 8, 32: 4, 28: 4, 5: 1}
  for side, patch in sides.items():
    options = dict(width=8, depth=1, heads=1)
    params = jax.eval_shape(lambda: split(models.ViT((side, side, 3), rngs=nnx.Rngs(0), **options))[1])  # noqa: B023
    assert params['embed']['kernel'].shape[0] == patch * patch * 3
  for wrong, match in [
    (dict(patch=5), 'do not divide'),
    (dict(pool='max'), 'pool'),
    (dict(positions='rope'), 'positions'),
    (dict(heads=3), 'heads'),
  ]:
    with pytest.raises(ValueError, match=match):
      make('vit', **wrong)


def trained(make, shape, b=16, **options):
  """The loss of the features, with the statistics after it, as a function of the parameters; and the parameters."""
  net = make(shape, rngs=nnx.Rngs(0), **options)
  net.train()
  graphdef, params, rest = split(net)

  def loss(params):
    net = nnx.merge(graphdef, params, rest, copy=True)
    pooled = net(images(b, shape), keys=keys(b)).pooled
    return jnp.sum(jnp.sin(3 * pooled)), nnx.to_pure_dict(nnx.state(net, nnx.Not(nnx.Param)))

  return loss, params


def test_recomputed_blocks_with_statistics_give_the_same_in_less_memory():
  def step(remat):
    loss, params = trained(models.resnet18, (12, 12, 3), 16, width=4, depths=(4,), remat=remat)
    compiled = jax.jit(jax.value_and_grad(loss, has_aux=True)).lower(params).compile()
    return compiled(params), compiled.memory_analysis().temp_size_in_bytes

  (plain, held), (again, less) = step(False), step(True)
  for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(again), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
  assert less < 0.9 * held


@pytest.mark.parametrize(
  'make, shape',
  [
    (partial(VIT, depth=6), SHAPE),
    (partial(GridTransformer, width=12, depth=6, heads=2, patch=2), (4, 8, 8, 1)),
    (partial(TST, width=8, depth=3, heads=2), (32, 3)),
    (partial(TimelineEncoder, depth=3), (3,)),
  ],
)
def test_blocks_store_little_if_recomputed_and_multiply_in_their_type(make, shape):
  def stored(remat):
    loss, params = trained(make, shape, remat=remat, dtype='bfloat16')
    assert {*operands(jax.make_jaxpr(jax.grad(loss, has_aux=True))(params).jaxpr)} == {('bfloat16', 'bfloat16')}
    backward = jax.eval_shape(lambda params: jax.vjp(loss, params, has_aux=True)[1], params)  # a tree of what it needs
    return sum(x.size for x in jax.tree.leaves(backward)) - sum(x.size for x in jax.tree.leaves(params))

  assert stored(True) < 0.5 * stored(False)


def test_blocks_at_scale_zero_are_nothing():
  features = run(make('vit', layer_scale=0.0), images())
  for layer in features.layers[1:]:
    np.testing.assert_array_equal(layer, features.layers[0])


def test_blocks_differ_and_rescale_by_depth():
  plain, scaled = (make('vit', rescale=r).blocks.mlp.fc2.kernel[...] for r in (False, True))
  assert not np.allclose(plain[0], plain[1])
  np.testing.assert_allclose(scaled, plain / np.sqrt([2, 4])[:, None, None], rtol=1e-6)


def test_the_path_of_the_first_block_never_drops():
  block = blocks.stacked(lambda rngs: blocks.Block(8, heads=2, rngs=rngs), 3, rngs=nnx.Rngs(0))
  x = images(64, (5, 8))
  _, plain = blocks.scan(block, x)
  _, dropped = blocks.scan(block, x, keys=keys(64), drop_path=0.9)
  np.testing.assert_allclose(plain[0], dropped[0], atol=1e-5)
  unmoved = np.isclose(dropped[1], dropped[2], atol=1e-7).all((1, 2)).mean()
  assert unmoved > 0.6  # both branches of the last block drop with 0.9 each


# Attention.


@pytest.mark.parametrize('causal', [False, True])
@pytest.mark.parametrize('masked', [False, True])
def test_dropout_of_attention(causal, masked):
  """Of the probabilities, which values of one at one place read off, some are 0 and the rest divided by 1 - rate."""
  b, n, h, d = 3, 5, 2, 6
  draw = lambda i, *shape: jax.random.normal(jax.random.key(i), shape)
  q, k, v, bias = draw(0, b, n, h, d), draw(1, b, n, h, d), draw(2, b, n, h, d), draw(3, b, h, n, n)
  mask = jnp.arange(n) < jnp.array([[5], [3], [1]])
  keys = jax.random.split(jax.random.key(4), b)

  def run(v, rows=slice(None), cast=lambda x: x, **given):
    options = dict(mask=mask[rows], bias=bias[rows]) if masked else {}
    return attention(cast(q[rows]), cast(k[rows]), cast(v[rows]), causal=causal, **options, **given)

  probabilities = lambda **given: np.stack([run(jnp.zeros_like(v).at[:, j].set(1), **given)[..., 0] for j in range(n)], -1)
  kept, dropped = probabilities(), probabilities(keys=keys, rate=0.4)
  there = dropped > 0
  np.testing.assert_allclose(dropped[there], kept[there] / 0.6, rtol=1e-5)
  assert 0.4 < there[kept > 0].mean() < 0.8
  np.testing.assert_allclose(probabilities(keys=keys, rate=1e-6), kept, atol=1e-5)
  y = run(v, keys=keys, rate=0.4)
  np.testing.assert_allclose(y[1:], run(v, slice(1, None), keys=keys[1:], rate=0.4), atol=1e-6)
  low = run(v, cast=lambda x: x.astype(jnp.bfloat16), keys=keys, rate=0.4)
  assert low.dtype == jnp.bfloat16
  np.testing.assert_allclose(low.astype(jnp.float32), y, atol=0.1)


def test_masks_of_attention():
  q, k, v = (jax.random.normal(key, (2, 3, 2, 4)) for key in keys(3))
  mask = jnp.array([[1, 1, 0], [1, 0, 0]], bool)
  y = attention(q, k, v, mask=mask)
  np.testing.assert_allclose(y[0], attention(q[:1], k[:1, :2], v[:1, :2])[0], atol=1e-6)
  np.testing.assert_allclose(y[1], np.broadcast_to(v[1, :1], (3, 2, 4)), atol=1e-6)
  square = jnp.broadcast_to(mask[:, None], (2, 3, 3))
  np.testing.assert_array_equal(attention(q, k, v, mask=square), y)
  np.testing.assert_array_equal(attention(q, k, v, mask=jnp.broadcast_to(square[:, None], (2, 2, 3, 3))), y)
  np.testing.assert_allclose(attention(q, k, v, causal=True)[:, 0], v[:, 0], atol=1e-6)
  assert np.isfinite(attention(q, k, v, mask=jnp.zeros((2, 3), bool))).all()


def test_cross_attention():
  net = models.Attention(8, heads=2, context=6, qk_norm=True, rngs=nnx.Rngs(0))
  x, context = images(2, (3, 8)), images(2, (5, 6))
  assert net(x, context).shape == (2, 3, 8)
  masked = net(x, context, mask=jnp.arange(5)[None] < jnp.array([[4], [4]]))
  np.testing.assert_allclose(masked, net(x, context[:, :4]), atol=1e-6)
  with pytest.raises(ValueError, match='heads'):
    models.Attention(8, heads=3, rngs=nnx.Rngs(0))
