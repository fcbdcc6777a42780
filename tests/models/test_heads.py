"""Heads: shapes, what they are made of, and what they must not depend on."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl import models
from jssl.models.control.dynamics import ActionDecoder
from jssl.models.heads import masked, projection, prototypes, scale
from jssl.models.text.masked_text_decoder import MaskedTextDecoder
from jssl.models.text.transformer import TokenDecoder
from jssl.models.vision.cross_decoder import CrossDecoder
from jssl.models.vision.dit import DiTDecoder
from tests.operands import operands

BACKBONE = models.ViT((12, 12, 3), width=16, depth=1, heads=2, patch=4, rngs=nnx.Rngs(0))
TABLE = {
  'mlp': lambda on, rngs: projection.ProjectionMlp(on, widths=(8, 8, 4), rngs=rngs),
  'simsiam': lambda on, rngs: projection.ProjectionMlp(on, widths=(8, 4), bias=False, final_bias=False, final_norm=True, rngs=rngs),
  'bf16': lambda on, rngs: projection.ProjectionMlp(on, widths=(8, 4), norm='layer', act='gelu', dtype='bfloat16', rngs=rngs),
  'ended': lambda on, rngs: projection.ProjectionMlp(on, widths=(8, 4), norm='layer', act='gelu', final_norm='layer', rngs=rngs),
  'linear': lambda on, rngs: projection.Linear(on, dim=4, rngs=rngs),
  'prototypes': lambda on, rngs: prototypes.Prototypes(on, k=5, rngs=rngs),
  'dino': lambda on, rngs: prototypes.DinoHead(on, k=5, hidden=8, bottleneck=4, rngs=rngs),
  'scale': lambda on, rngs: scale.Scale(on, rngs=rngs),
}


def normal(*shape, seed=0):
  return jax.random.normal(jax.random.key(seed), shape)


def params(net):
  return nnx.to_pure_dict(nnx.split(net, nnx.Param, ...)[1])


def gradient(net, *args):
  graphdef, p, rest = nnx.split(net, nnx.Param, ...)
  rest = nnx.to_pure_dict(rest)

  @jax.jit
  def loss(p, args):
    return jnp.mean(jnp.sin(nnx.merge(graphdef, p, rest, copy=True)(*args).astype(jnp.float32)))

  return jax.grad(loss)(nnx.to_pure_dict(p), args)


def paths(net):
  return ['/'.join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(net, nnx.Param))]


@pytest.mark.parametrize('name', TABLE)
def test_every_head(name):
  for on in (16, BACKBONE):
    net = TABLE[name](on, nnx.Rngs(0))
  x = normal(6, 16)
  assert net(x).shape == (6, net.dim)
  assert net(x[:, None]).shape == (6, 1, net.dim)
  for inputs in (x, jnp.zeros((6, 16)), jnp.ones((6, 16))):
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient(net, inputs)))
  with nnx.set_graph_mode(False):
    assert np.isfinite(TABLE[name](16, nnx.Rngs(0))(x)).all()


def test_on_what():
  with pytest.raises(ValueError, match='was given str'):
    projection.Linear('vit', rngs=nnx.Rngs(0))
  assert projection.Linear(BACKBONE, rngs=nnx.Rngs(0)).dim == 16
  mlp = models.Mlp((12, 12, 3), rngs=nnx.Rngs(0))
  for decoder in (masked.MaeDecoder, masked.IJepaPredictor, masked.Pixels):
    with pytest.raises(ValueError, match='patches .* given Mlp'):
      decoder(mlp, rngs=nnx.Rngs(0))
  with pytest.raises(ValueError, match='choose one of gelu, gelu_tanh'):
    projection.ProjectionMlp(4, act='swish', rngs=nnx.Rngs(0))


def test_names_of_parameters_stay():
  assert paths(TABLE['mlp'](16, nnx.Rngs(0))) == [
    'linear/bias',
    'linear/kernel',
    *[f'linear{i}/{p}' for i in (1, 2) for p in ('bias', 'kernel')],
    *[f'norm{i}/{p}' for i in (1, 2) for p in ('bias', 'scale')],
  ]
  assert paths(TABLE['simsiam'](16, nnx.Rngs(0))) == ['linear/kernel', 'linear1/kernel', 'norm1/bias', 'norm1/scale']
  assert paths(TABLE['dino'](16, nnx.Rngs(0))) == [
    'linear/bias',
    'linear/kernel',
    'linear1/bias',
    'linear1/kernel',
    'linear2/bias',
    'linear2/kernel',
    'prototypes/kernel',
  ]
  block = [f'blocks/{m}/{p}' for m in ('attention/proj', 'attention/qkv', 'mlp/fc1', 'mlp/fc2') for p in ('bias', 'kernel')] + [
    f'blocks/norm{i}/{p}' for i in (1, 2) for p in ('bias', 'scale')
  ]
  outer = ['embed/bias', 'embed/kernel', 'mask_token', 'norm/bias', 'norm/scale']
  assert paths(mae()) == [*block, *outer, 'pixels/bias', 'pixels/kernel']
  assert paths(ijepa()) == [*block, *outer, 'proj/bias', 'proj/kernel']
  assert paths(scale.Scale(4, bias=-10.0, rngs=nnx.Rngs(0))) == ['bias', 'log_scale']


def test_the_final_norm_has_nothing_to_learn():
  net = TABLE['simsiam'](16, nnx.Rngs(0))
  y = net(normal(64, 16))
  np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
  np.testing.assert_allclose(y.std(0), 1, atol=1e-2)


def test_prototypes_are_cosines():
  net, x = prototypes.Prototypes(16, k=5, rngs=nnx.Rngs(0)), np.asarray(normal(6, 16))
  w = np.asarray(net.kernel[...])
  expected = [[x[i] @ w[:, j] / np.linalg.norm(x[i]) / np.linalg.norm(w[:, j]) for j in range(5)] for i in range(6)]
  np.testing.assert_allclose(net(jnp.asarray(x)), expected, atol=1e-5)
  net.kernel[...] = 3 * net.kernel[...]
  np.testing.assert_allclose(net(jnp.asarray(x)), expected, atol=1e-5)
  assert net(jnp.asarray(x, jnp.bfloat16)).dtype == jnp.float32


def test_dino_looks_at_directions():
  net = TABLE['dino'](16, nnx.Rngs(0))
  y = net(normal(6, 16))
  assert np.abs(y).max() <= 1 + 1e-5
  assert params(net)['prototypes']['kernel'].shape == (4, 5)


def mae():
  return masked.MaeDecoder(BACKBONE, width=8, depth=2, heads=2, rngs=nnx.Rngs(0))


def test_mae_restores_the_order():
  net, tokens = mae(), normal(2, 9, 16)
  order = jnp.stack([jax.random.permutation(jax.random.key(i), 9) for i in range(2)])
  restore = jnp.argsort(order, 1)
  y = net(tokens[:, :4], restore)
  assert y.shape == (2, 9, 4 * 4 * 3) and net.dim == 48
  swap = jnp.array([2, 0, 3, 1])  # the same visible patches, told in another order
  other = jnp.concatenate([order[:, :4][:, swap], order[:, 4:]], 1)
  np.testing.assert_allclose(net(tokens[:, :4][:, swap], jnp.argsort(other, 1)), y, atol=1e-5)
  everything = jnp.take_along_axis(tokens, restore[..., None], 1)  # nothing hidden
  identity = jnp.tile(jnp.arange(9), (2, 1))
  np.testing.assert_allclose(net(tokens, restore), net(everything, identity), atol=1e-5)
  assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(gradient(net, tokens[:, :4], restore)))


def ijepa():
  return masked.IJepaPredictor(BACKBONE, width=8, depth=2, heads=2, std=0.3, rngs=nnx.Rngs(0))


def test_ijepa_predicts_positions():
  net, tokens = ijepa(), normal(2, 4, 16)
  context, target = jnp.array([[0, 3, 4, 8], [1, 2, 5, 7]]), jnp.array([[1, 6, 2], [0, 3, 4]])
  y = net(tokens, context, target)
  assert y.shape == (2, 3, 16) and net.dim == 16
  swap = jnp.array([2, 0, 3, 1])
  np.testing.assert_allclose(net(tokens[:, swap], context[:, swap], target), y, atol=1e-5)
  np.testing.assert_allclose(net(tokens, context, target[:, ::-1]), y[:, ::-1], atol=1e-5)
  assert not np.allclose(net(tokens, context, target + 1), y, atol=1e-3)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient(net, tokens, context, target)))


def test_each_kind_of_mask_has_a_token():
  """The mask tokens of V-JEPA start at 0, and each stands for hidden patches of its kind alone; outputs are of any width."""
  net = masked.IJepaPredictor(BACKBONE, width=8, depth=1, heads=2, kinds=2, dim=5, rngs=nnx.Rngs(0))
  tokens, context, target = normal(2, 2, 16), jnp.array([[0, 3], [1, 2]]), jnp.array([[1, 6, 2], [0, 3, 4]])
  assert not np.any(net.mask_token[...]) and net(tokens, context, target, kind=0).shape == (2, 3, 5) and net.dim == 5
  net.mask_token[...] = normal(2, 8)
  first, second = (net(tokens, context, target, kind=kind) for kind in (0, 1))
  net.mask_token[...] = net.mask_token[...][::-1]
  np.testing.assert_allclose(net(tokens, context, target, kind=1), first, atol=1e-6)
  assert not np.allclose(first, second, atol=1e-3)


def test_pixels():
  net = masked.Pixels(BACKBONE, rngs=nnx.Rngs(0))
  assert net(normal(2, 9, 16)).shape == (2, 9, 48)
  convnet = models.ConvNet((28, 28, 1), widths=(4, 4, 4, 4), rngs=nnx.Rngs(0))
  assert masked.Pixels(convnet, rngs=nnx.Rngs(0))(normal(2, 4, 4)).shape == (2, 4, 14 * 14)


def test_a_scale_rests_at_its_cap_and_comes_back():
  net = scale.Scale(1, init=10.0, max=10.0, rngs=nnx.Rngs(0))
  graphdef, p = nnx.split(net)
  p = nnx.to_pure_dict(p)

  def output(p, sign):
    return sign * nnx.merge(graphdef, p, copy=True)(jnp.ones(()))

  for over in (0.0, 1.0):
    q = {'log_scale': p['log_scale'] + over}
    np.testing.assert_allclose(output(q, 1.0), 10.0, rtol=1e-5)
    np.testing.assert_allclose(nnx.merge(graphdef, q, copy=True).temperature, 0.1, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(output)(q, -1.0)['log_scale'], 0)  # wants to grow
    np.testing.assert_allclose(jax.grad(output)(q, 1.0)['log_scale'], 10, rtol=1e-5)  # wants to shrink
  np.testing.assert_allclose(scale.Scale(1, rngs=nnx.Rngs(0))(jnp.ones(2)), 1 / 0.07, rtol=1e-5)
  np.testing.assert_allclose(scale.Scale(1, init=10.0, bias=-10.0, rngs=nnx.Rngs(0))(jnp.ones(2)), 0, atol=1e-5)
  with pytest.raises(ValueError, match='cap 100'):
    scale.Scale(1, init=1000.0, rngs=nnx.Rngs(0))


TOKENS, SEVERAL = jnp.zeros((8, 4, 16)), dict(width=8, depth=6, heads=2)
FIRST, LAST, ORDER = (jnp.tile(jnp.arange(*ends), (8, 1)) for ends in ((4,), (4, 9), (9,)))
DEEP = {
  'mae': (partial(masked.MaeDecoder, BACKBONE, **SEVERAL), (TOKENS, ORDER)),
  'ijepa': (partial(masked.IJepaPredictor, BACKBONE, **SEVERAL), (TOKENS, FIRST, LAST)),
  'cross': (partial(CrossDecoder, BACKBONE, **SEVERAL), (TOKENS, FIRST, LAST)),
  'tokens': (partial(TokenDecoder, 16, depth=6, heads=2), (TOKENS,)),
  'text': (partial(MaskedTextDecoder, 16, vocabulary=9, length=4, **SEVERAL), (FIRST, FIRST > 2, TOKENS[:, 0])),
  'dit': (partial(DiTDecoder, BACKBONE, **SEVERAL), (TOKENS, ORDER, jnp.zeros(8))),
  'actions': (partial(ActionDecoder, 16, length=3, **SEVERAL | dict(depth=3)), (TOKENS,)),
}


@pytest.mark.parametrize('name', DEEP)
def test_deep_heads_store_less_if_recomputed_and_multiply_in_their_type(name):
  make, args = DEEP[name]

  def stored(remat):
    graphdef, p = nnx.split(nnx.eval_shape(lambda: make(remat=remat, dtype='bfloat16', rngs=nnx.Rngs(0))))
    p = nnx.to_pure_dict(p)
    loss = lambda p: jnp.sum(nnx.merge(graphdef, p, copy=True)(*args).astype(jnp.float32))
    assert {*operands(jax.make_jaxpr(jax.grad(loss))(p).jaxpr)} == {('bfloat16', 'bfloat16')}
    backward = jax.eval_shape(lambda p: jax.vjp(loss, p)[1], p)  # a tree of what it needs
    return sum(x.size for x in jax.tree.leaves(backward)) - sum(x.size for x in jax.tree.leaves(p))

  assert stored(True) < 0.8 * stored(False)


@pytest.mark.parametrize('momentum', [0.9, 0.99])
def test_the_momentum_of_batch_norm(momentum):
  net, x = projection.ProjectionMlp(16, widths=(8, 4), final_norm=True, momentum=momentum, rngs=nnx.Rngs(0)), normal(32, 16)
  net.train()
  expected = (1 - momentum) * net.linear1(x).mean(0)  # of a mean that starts at 0
  net(x)
  np.testing.assert_allclose(net.norm1.mean[...], expected, rtol=1e-4, atol=1e-6)
  dino = prototypes.DinoHead(16, k=5, hidden=8, bottleneck=4, norm='batch', momentum=momentum, rngs=nnx.Rngs(0))
  resnet = nnx.eval_shape(lambda: models.resnet50((8, 8, 3), width=2, depths=(1, 1), momentum=momentum, rngs=nnx.Rngs(0)))
  found = [of.momentum for net in (net, dino, resnet) for _, of in nnx.iter_graph(net) if isinstance(of, nnx.BatchNorm)]
  assert set(found) == {momentum} and len(found) == 2 + 2 + 1 + 2 * 4
  with pytest.raises(ValueError, match='momentum of batch norm is 1.5'):
    projection.ProjectionMlp(16, momentum=1.5, rngs=nnx.Rngs(0))
