"""Optimisers against NumPy loops over single arrays, torch and timm, and what a config says of parts of networks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import PartitionSpec

from jssl.core import checkpoint
from jssl.core.build import plan
from jssl.core.mesh import make_mesh, shardings
from jssl.core.step import TrainState
from jssl.errors import ConfigError
from jssl.models.text.bert import Bert
from jssl.models.vision.convnext import ConvNeXt
from jssl.models.vision.resnet import ResNet
from jssl.models.vision.swin import Swin
from jssl.models.vision.vit import ViT
from jssl.optimizer import optimizer
from jssl.parts import optimizers, schedules
from jssl.parts.groups import STACKED, layer_factors
from jssl.resume import check
from tests.made import tiny
from tests.oracles import optimizers as oracles
from tests.pretrained.case import absent

STEPS, DEPTH = 7, 3
LENGTH = dict(steps=STEPS, epoch=2)
SHAPES = dict(
  backbone=dict(
    embed=dict(kernel=(4, 5), bias=(5,)),
    blocks=dict(norm=dict(scale=(DEPTH, 5)), fc1=dict(kernel=(DEPTH, 5, 5), bias=(DEPTH, 5))),
    norm=dict(scale=(5,)),
  ),
  head=dict(last=dict(kernel=(5, 3), bias=(3,))),
)
# The first names more than one part, of which the last one that has an option counts.
PARTS = (
  dict(of=('*.bias', 'backbone.norm'), rate=0.2, decay=0.0),
  dict(of=('backbone.blocks.fc1.bias',), decay=0.5),
  dict(of=('backbone.embed',), rate=0.0),
  dict(of=('head.last',), until=3),
  dict(of=('head.last.bias',), rate=0.7),
)


def drawn(seed: int):
  rng, leaf = np.random.default_rng(seed), lambda x: isinstance(x, tuple)
  return jax.tree.map(lambda shape: rng.normal(0, 1, shape).astype(np.float32), SHAPES, is_leaf=leaf)


PARAMS, GRADS = drawn(0), [drawn(1 + t) for t in range(STEPS)]


def course(transformation, params=PARAMS, grads=GRADS):
  """Parameters after all steps, name -> layers."""

  def step(carry, g):
    params, state = carry
    updates, state = transformation.update(g, state, params)
    return (optax.apply_updates(params, updates), state), None

  stacked = jax.tree.map(lambda *x: jnp.stack(x), *grads)
  (params, _), _ = jax.jit(lambda: jax.lax.scan(step, (params, transformation.init(params)), stacked))()
  return {(name, i): x for name, of in oracles.arrays(params) for i, x in enumerate(of)}


def alike(found, told):
  assert found.keys() == told.keys()
  for at, x in told.items():
    np.testing.assert_allclose(found[at], x, rtol=1e-3, atol=1e-5, err_msg=str(at))


def factor(name, layer):
  return 0.0 if 'embed' in name else 0.7 if name == 'head.last.bias' else 0.2 if name.endswith('bias') or 'backbone.norm' in name else 1.0


def decayed(name):
  return 0.5 if name == 'backbone.blocks.fc1.bias' else float(name.endswith('kernel'))


def start(name):
  return 3 if 'head.last' in name else 0


PLAIN = dict(factor=lambda name, layer: 1.0, decayed=lambda name: float(name.endswith('kernel')), start=lambda name: 0)
IN_PARTS = dict(factor=factor, decayed=decayed, start=start)
RATE = schedules.cosine(peak=0.1, end=0.01, warmup=2, start=0.03, **LENGTH)
DECAY = schedules.linear(start=0.04, end=0.4, **LENGTH)
MOMENTUM = schedules.linear(start=0.5, end=0.9, **LENGTH)


@pytest.mark.parametrize('name, options', [
  ('adamw', dict(b2=0.95, eps=1e-3)),
  ('adamw', dict(clip=1.5, clip_each=0.7)),
  ('sgd', dict(momentum=MOMENTUM, nesterov=True, clip_each=2.0)),
  ('adagrad', {}),
  ('lars', dict(momentum=MOMENTUM, nesterov=True)),
  ('lars', dict(form='byol', trust=0.02, eps=1e-3, always_adapt=True)),
  ('lars', dict(form='larc', trust=0.02, eps=1e-3, trust_clip=True, nesterov=True)),
  ('lamb', dict(bias_correction=False)),
  ('lamb', dict(always_adapt=False, trust_clip=True, eps=1e-3)),
], ids=lambda x: x if isinstance(x, str) else '-'.join(x))  # fmt: skip
def test_parts_and_schedules_against_loops(name, options):
  """Layers of stacked blocks are arrays of their own, the frozen part stays, the late one starts as a new optimiser does."""
  decays = {} if name == 'adagrad' else dict(weight_decay=DECAY)
  found = course(getattr(optimizers, name)(learning_rate=RATE, parts=PARTS, **decays, **options))
  given = {key: options[key] for key in ('clip', 'clip_each') if key in options}
  given['momentum'] = options.get('momentum', lambda t: 0.9)
  rule = getattr(oracles, name)(**{key: x for key, x in options.items() if key not in ('clip', 'clip_each', 'momentum')})
  told = oracles.train(rule, PARAMS, GRADS, rate=lambda t: float(RATE(t)), decay=lambda t: float(DECAY(t)), **IN_PARTS, **given)
  alike(found, told)


@pytest.mark.parametrize('name', ['lars', 'lamb', 'adamw', 'sgd', 'adagrad'])
def test_defaults_against_loops(name):
  decays = {} if name == 'adagrad' else dict(weight_decay=0.1)
  found = course(getattr(optimizers, name)(learning_rate=0.1, clip=1.0, **decays))
  rule = getattr(oracles, name)()
  told = oracles.train(rule, PARAMS, GRADS, rate=lambda t: 0.1, decay=lambda t: 0.1, clip=1.0, **PLAIN)
  alike(found, told)


def test_layer_decay_is_on_the_rate_alone():
  decay = 0.5
  layers = {'backbone.embed': decay ** (DEPTH + 1), 'backbone.norm': 1.0, 'head': 1.0}
  of = lambda name, i: next((x for path, x in layers.items() if name.startswith(path)), decay ** (DEPTH - i))
  found = course(optimizers.adamw(learning_rate=0.1, weight_decay=0.3, layer_decay=decay))
  told = oracles.train(oracles.adamw(), PARAMS, GRADS, rate=lambda t: 0.1, decay=lambda t: 0.3, **{**PLAIN, 'factor': of})
  alike(found, told)


def torch_groups(torch, options):
  """Parameters of torch by name and layer, and a group for each."""
  held = {(name, i): torch.nn.Parameter(torch.tensor(x.astype(np.float32))) for name, of in oracles.arrays(PARAMS) for i, x in enumerate(of)}
  return held, [dict(params=[p], **options(*at)) for at, p in held.items()]


def torch_course(make, options=lambda name, i: {}, begins=lambda name: 0, rate=None):
  import torch

  held, groups = torch_groups(torch, options)
  theirs = make(groups)
  first = [group['lr'] for group in theirs.param_groups]
  for t, tree in enumerate(GRADS):
    for name, of in oracles.arrays(tree):
      for i, x in enumerate(of):
        held[name, i].grad = torch.tensor(x.astype(np.float32)) if t >= begins(name) else None
    for group, lr in zip(theirs.param_groups, first, strict=True):
      group['lr'] = lr * (rate(t) if rate else 1.0)
    theirs.step()
  return {at: p.detach().numpy() for at, p in held.items()}


def optimizers_of_torch():
  import torch
  from timm.optim import Lamb, Lars

  both = dict(momentum=0.9, nesterov=True)
  own = lambda name, i: dict(lr=0.1 * factor(name, i), weight_decay=0.2 * decayed(name))
  plain = lambda name, i: dict(weight_decay=0.2 * name.endswith('kernel'))
  schedule = schedules.linear_decay(peak=1.0, warmup=2, **LENGTH)
  yield 'adamw', dict(b2=0.95, parts=PARTS), partial(torch.optim.AdamW, betas=(0.9, 0.95)), own, start, None
  yield 'sgd', dict(both, parts=PARTS), partial(torch.optim.SGD, lr=1.0, **both), own, start, None
  rated = dict(learning_rate=schedules.linear_decay(peak=0.1, warmup=2, **LENGTH))
  yield 'lars', dict(form='larc', eps=1e-8, trust=0.02, **both, **rated), partial(Lars, lr=0.1, trust_coeff=0.02, **both), plain, None, schedule
  larc = dict(form='larc', eps=1e-8, trust=0.02, trust_clip=True, **rated)
  yield 'lars', larc, partial(Lars, lr=0.1, momentum=0.9, trust_coeff=0.02, trust_clip=True), plain, None, schedule
  yield 'lamb', dict(always_adapt=False), partial(Lamb, lr=0.1, max_grad_norm=None), plain, None, None
  lamb = dict(bias_correction=False, trust_clip=True, eps=1e-3)
  yield 'lamb', lamb, partial(Lamb, lr=0.1, max_grad_norm=None, always_adapt=True, **{**lamb}), plain, None, None


@pytest.mark.skipif(bool(absent('timm')), reason='needs torch and timm')
def test_optimizers_against_torch_and_timm():
  """`until` is p.grad = None there, as in `cancel_gradients_last_layer` of DINO."""
  for name, options, make, groups, begins, rate in optimizers_of_torch():
    found = course(getattr(optimizers, name)(**{'learning_rate': 0.1, 'weight_decay': 0.2, **options}))
    told = torch_course(make, groups, begins or (lambda name: 0), rate and (lambda t, rate=rate: float(rate(t))))
    alike(found, told)


def shapes_of(make):
  """A network's parameters by path, and which of them are stacked."""
  net = nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0)))
  stacked = {'.'.join(map(str, path)): bool(x.get_metadata().get('stacked')) for path, x in nnx.iter_graph(net) if isinstance(x, nnx.Param)}
  return nnx.to_pure_dict(nnx.state(net, nnx.Param)), stacked


IMAGE = (32, 32, 3)
NETWORKS = dict(
  vit=partial(ViT, IMAGE, width=16, depth=DEPTH, heads=2, patch=8, stem=(4,), registers=1, pool='cls'),
  swin=partial(Swin, IMAGE, width=8, depths=(2, 1), heads=(1, 2), window=4, patch=2),
  convnext=partial(ConvNeXt, IMAGE, widths=(8, 16), depths=(2, 1)),
  resnet=partial(ResNet, IMAGE, block='basic', depths=(1, 1), width=8),
  bert=partial(Bert, (9,), vocabulary=11, width=8, depth=2, heads=2),
)


@pytest.mark.parametrize('name', NETWORKS)
def test_stacked_arrays_are_known_by_name(name):
  shapes, stacked = shapes_of(NETWORKS[name])
  assert {path: bool(STACKED.fullmatch(path)) for path in stacked} == stacked
  if name in ('vit', 'bert'):
    factors = layer_factors({'backbone': shapes}, 0.5)['backbone']
    depth = jax.tree.leaves(shapes['blocks'])[0].shape[0]
    for key, of in factors.items():  # BERT has a normalisation of embeddings, and none at its end
      told = 0.5 ** np.arange(depth, 0, -1) if key == 'blocks' else 1.0 if (name, key) == ('vit', 'norm') else 0.5 ** (depth + 1)
      for factor in jax.tree.leaves(of):
        np.testing.assert_allclose(np.ravel(factor), told)
  else:
    with pytest.raises(ConfigError, match='networks of stacked blocks'):
      layer_factors({'backbone': shapes}, 0.5)


@pytest.mark.skipif(bool(absent('timm')), reason='needs torch and timm')
def test_layer_decay_is_that_of_timm():
  from timm.models.vision_transformer import VisionTransformer
  from timm.optim import param_groups_layer_decay

  net = VisionTransformer(img_size=32, patch_size=8, embed_dim=16, depth=DEPTH, num_heads=2, num_classes=5, global_pool='avg')
  scales = {id(p): group['lr_scale'] for group in param_groups_layer_decay(net, layer_decay=0.7) for p in group['params']}
  theirs = {name: scales[id(p)] for name, p in net.named_parameters()}
  shapes, _ = shapes_of(partial(ViT, IMAGE, width=16, depth=DEPTH, heads=2, patch=8, pool='mean', class_token=True))
  ours = layer_factors({'backbone': shapes, 'head': dict(linear=dict(kernel=np.zeros((16, 5))))}, 0.7)
  own = ours['backbone']
  alike = {'cls_token': own['cls'], 'pos_embed': own['positions'], 'patch_embed.proj.weight': own['embed']['kernel']}
  alike |= {'fc_norm.weight': own['norm']['scale'], 'head.weight': ours['head']['linear']['kernel']}
  for name, factor in alike.items():
    assert factor == pytest.approx(theirs[name]), name
  for i in range(DEPTH):
    (factor,) = {float(x.ravel()[i]) for x in jax.tree.leaves(own['blocks'])}
    assert factor == pytest.approx(theirs[f'blocks.{i}.mlp.fc1.weight'])


def made(**options):
  """The optimiser of a config for the networks of `SHAPES`, at a batch of 32, and its rate."""
  base = dict(name='adamw', learning_rate=dict(name='cosine', peak=1e-3, warmup='10%'))
  return optimizer({**base, **options}, dict(steps=8, epoch=4), 32, lambda: PARAMS, lambda params: params)


def test_state_lies_where_the_parameters_do():
  """Moments of parts that start late too; frozen parts have none, and options without a state change nothing."""
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct((*x.shape[:-1], 8), x.dtype), PARAMS)
  begin = lambda **options: jax.eval_shape(made(**options)[0].init, shapes)
  parts = (dict(of='head', until='1 epoch'), dict(of=('backbone.embed', 'backbone.blocks.norm'), rate=0.0))
  state = begin(parts=parts, mu_dtype='bfloat16', layer_decay=0.5)
  places = shardings(dict(opt=state, params=shapes), make_mesh(dict(data=2, fsdp=2, tensor=2)), 'fsdp_tp')
  specs = lambda tree: jax.tree.map(lambda s: s.spec, tree)
  first, late = (x for x in jax.tree.leaves(places['opt'], is_leaf=lambda x: hasattr(x, 'mu')) if hasattr(x, 'mu'))
  fc1 = specs(places['params']['backbone']['blocks']['fc1'])
  assert fc1['kernel'] == PartitionSpec(None, None, 'tensor')
  assert specs(first.mu['backbone']['blocks']['fc1']) == specs(first.nu['backbone']['blocks']['fc1']) == fc1
  assert specs(late.mu['head']) == specs(places['params']['head']) and places['params']['head']['last']['kernel'].spec == PartitionSpec(
    None, 'fsdp'
  )
  none = [first.mu['backbone']['embed'], first.mu['backbone']['blocks']['norm'], first.mu['head'], late.mu['backbone']]
  assert not jax.tree.leaves(none)
  assert {x.dtype for x in jax.tree.leaves(state) if x.dtype == jnp.bfloat16 or x.shape} == {jnp.dtype('bfloat16'), jnp.dtype('float32')}
  plain = optax.adamw(lambda step: step, mask=optimizers.matrices)
  assert jax.tree.structure(begin()) == jax.tree.structure(jax.eval_shape(plain.init, shapes))
  assert jax.tree.structure(begin()) == jax.tree.structure(begin(parts=(dict(of='*.bias', rate=0.5),), clip_each=1.0, per=8, layer_decay=0.5))


def test_rate_is_scaled_with_the_batch():
  for at in (0, 3, 7):
    assert float(made(per=64)[1](at)) == pytest.approx(float(made()[1](at)) / 2)
  assert float(made(per=64, learning_rate=0.1)[1](0)) == pytest.approx(0.05)
  assert plan(tiny('simclr', optimizer=dict(name='sgd', learning_rate=0.1, per=8))).phases[0].turns[0].learning_rate(0) == pytest.approx(0.2)


@pytest.mark.parametrize('options, said', [
  (dict(learning_rate=dict(name='cosine', peak=dict(name='constant', value=1.0))), 'learning_rate.peak is a schedule'),
  (dict(learning_rate={'x': 'y' * 400}), r'^.{1,300}$'),
  (dict(per=0), 'optimizer.per must be the batch size'),
  (dict(layer_decay=2.0), 'factor above 0 and at most 1'),
  (dict(parts=dict(of='*.bias')), r"must be \(dict\(of='backbone.embed', rate=0.1\)"),
  (dict(parts=(dict(of='*.bias'),)), 'with at least one of'),
  (dict(parts=(dict(of='*.bias', rat=0.1),)), 'did you mean rate'),
  (dict(parts=(dict(of=('backbone.embd',), rate=0.1),)), "'backbone.embd' names no parameter; did you mean backbone.embed"),
  (dict(parts=(dict(of=3, rate=0.1),)), 'of must name parameters'),
  (dict(parts=(dict(of='*.bias', decay=-1),)), 'a factor of at least 0, not -1'),
  (dict(parts=(dict(of='*.bias', until='soon'),)), "'5 epochs' or '10%'"),
  (dict(mu_dtype='int8'), "choose 'bfloat16'"),
  (dict(b2=1.0), 'at least 0 and below 1'),
  (dict(b1=dict(name='linear', start=0.1, end=0.2)), 'optimizer.b1 cannot change with the step'),
  (dict(weight_decay=dict(name='linear', start=0.1, end=-0.2)), 'optimizer.weight_decay is -.* at step'),
  (dict(name='lars', form='tf'), "choose 'simclr', 'byol' or 'larc'"),
], ids=str)  # fmt: skip
def test_options_that_are_refused(options, said):
  with pytest.raises(ConfigError, match=said):
    made(**options)


def test_options_that_may_change_when_a_run_is_resumed():
  """Those that leave the state its structure, which a checkpoint of the run is restored into."""
  late = dict(of='projector', until=2)
  planned = lambda **options: plan(tiny('simclr', optimizer=dict(name='adamw', learning_rate=0.1, **options)))
  old = planned(parts=(late,))
  check(old, planned(parts=(dict(of='*.bias', rate=0.3, decay=2.0), dict(late, until=4)), clip_each=1.0, weight_decay=0.2, eps=1e-6, per=8), 1)
  for options in (
    dict(parts=(late, dict(of='backbone.norm1', rate=0.0))),
    dict(),
    dict(parts=(late,), weight_decay=dict(name='rise', start=0.1)),
  ):
    with pytest.raises(ConfigError, match='the state of the run would have another structure'):
      check(old, planned(**options), 1)


def test_state_of_parts_is_restored(tmp_path):
  parts = (dict(of='head', until=2), dict(of='backbone.embed', rate=0.0))
  opt, _ = made(parts=parts, weight_decay=dict(name='rise', start=0.1))
  state = TrainState(jnp.int32(0), PARAMS, {}, (opt.init(PARAMS),), jax.random.key(0), {})
  state = jax.device_put(state, jax.NamedSharding(make_mesh(devices=jax.devices()[:1]), PartitionSpec()))
  checkpoints = checkpoint.open_checkpoints(tmp_path, 1)
  checkpoint.save(checkpoints, state, {})
  checkpoint.finish(checkpoints, 0)
  restored, _, _ = checkpoint.restore(checkpoint.open_checkpoints(tmp_path), lambda step: state)
  assert jax.tree.structure(restored.opt) == jax.tree.structure(state.opt)
  for x, y in zip(jax.tree.leaves(restored.opt), jax.tree.leaves(state.opt), strict=True):
    np.testing.assert_array_equal(x, y)
