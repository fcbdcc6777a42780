"""Masked, hybrid and denoising systems: what is computed, how often, and what it adds up to."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl import configs, run
from jssl.core.build import plan
from jssl.core.method import example_keys
from jssl.masks.patches import drawn_block_mask, random_mask
from jssl.masks.video import tube_blocks
from jssl.noise.diffusion import cosine_noise, linear_noise
from jssl.ops.patches import patchify
from jssl.passes.masked import jepa, masked_encode, masked_views
from jssl.testing import first_batch
from jssl.types import Features, salted
from jssl.views.gaps import gapped_patches
from jssl.views.image import augment
from tests.made import tiny
from tests.passes.by_hand import given


def test_a_hybrid_encodes_each_view_once():
  """The compiled FLOPs of the loss are those of two encoder forwards, two decodings and two projections, by hand."""
  c = configs.module('vic_mae').get_config()
  c.batch_size = b = 16
  c.backbone.update(width=192, depth=1, heads=2)
  c.heads.decoder.update(width=64, depth=1, heads=2)
  p = plan(c)
  block = lambda n, d: 2 * n * d * 3 * d + 4 * n * n * d + 2 * n * d * d + 2 * 2 * n * d * 4 * d
  n, m, pixels, d, w = 16, 8, 16, 192, 64
  encoder = 2 * m * pixels * d + block(m, d)
  decoder = 2 * m * d * w + block(n, w) + 2 * n * w * pixels
  projector = 2 * (d * 128 + 128 * 128 + 128 * 64)
  by_hand = 2 * b * (encoder + decoder + projector) + 4 * b * b * 64
  loss = lambda params, state, batch, key: p.method.loss(params, state, batch, key, jnp.int32(0))[0]
  key = jax.eval_shape(lambda: jax.random.key(0))
  compiled = jax.jit(loss).lower(*jax.eval_shape(p.method.init, key), p.batch, key).compile()
  flops = compiled.cost_analysis()['flops']
  assert by_hand < flops < by_hand + b * encoder / 2  # what is elementwise makes up less than half an encoder forward


@pytest.mark.rotating
def test_ibot_is_the_official_loss_by_hand():
  """iBOTLoss.forward and update_center: pairs of views, means over masked patches, a centre for each kind of token."""
  c = tiny('ibot')
  c['heads']['projector']['norm'] = 'none'  # whose statistics would be those of both views
  p = plan(c)
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  moved = jax.tree.map(lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size).reshape(x.shape)), state['target']['teacher'])
  state['target']['teacher'] = moved  # so that it matters whose network is whose
  state['memories'] = {name: jnp.cos(jnp.arange(256.0)) / (i + 2) for i, name in enumerate(('centre', 'patches'))}
  batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  loss, (after, metrics) = jax.jit(p.method.loss)(params, state, batch, jax.random.key(1), jnp.int32(0))
  keys = salted(example_keys(jax.random.key(1), batch), 'views')
  views = partial(augment, **{k: x for k, x in tiny('ibot')['view'].items() if k != 'name'})(salted(keys, 'view'), batch)
  masks = [drawn_block_mask(salted(keys, 'mask', i), grid=(4, 4), ratio=(0.1, 0.5)).mask for i in (0, 1)]
  own = {**state, 'target': {'teacher': {name: params[name] for name in moved}}}
  nets, target = p.method.networks(params, own), p.method.networks(params, state)  # both are the teacher's, which evaluators read

  def outputs(nets, x, **hidden):
    seen = nets['backbone'](x, **hidden)
    return [np.asarray(nets['projector'](z), np.float64) for z in (seen.pooled, seen.tokens)]

  student = [outputs(nets, x, mask=m) for x, m in zip(views, masks, strict=True)]
  teacher = [outputs(target, x) for x in views]
  log_softmax = lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))
  cross = lambda k, q, c: -(np.exp(log_softmax((k - np.asarray(state['memories'][c])) / 0.02)) * log_softmax(q / 0.1)).sum(-1)
  classes = np.mean([cross(teacher[j][0], student[1 - j][0], 'centre') for j in (0, 1)])
  each = [cross(teacher[j][1], student[j][1], 'patches') * np.asarray(masks[j]) for j in (0, 1)]
  patches = np.mean([of.sum(1) / np.maximum(m.sum(1), 1) for of, m in zip(each, masks, strict=True)])
  assert all(0 < m.any(1).mean() < 1 for m in masks)
  np.testing.assert_allclose([metrics['classes/loss'], metrics['patches/loss'], loss], [classes, patches, classes + patches], rtol=1e-4)
  for i, name in enumerate(('centre', 'patches')):
    mean = np.mean([x[i].reshape(-1, 256).mean(0) for x in teacher], 0)
    np.testing.assert_allclose(after['memories'][name], 0.9 * state['memories'][name] + 0.1 * mean, rtol=1e-4, atol=1e-6)


def test_masked_views_encode_what_is_read_and_drop_what_is_hidden():
  calls = []

  def backbone(x, keys=None, **hidden):
    calls.append((len(x), keys is not None, {name: of.shape for name, of in hidden.items()}))
    return Features(x.reshape(len(x), -1, 1), x.mean((1, 2)))

  backbone.patch = 2
  view = lambda keys, batch: (batch['x'], batch['x'][:, :4, :4], 2 * batch['x'], batch['x'][:, :4, :4])
  batch, keys = dict(x=jnp.ones((6, 8, 8, 1))), jax.random.split(jax.random.key(0), 6)
  nets, target = dict(backbone=backbone, end=lambda z: z + 1), dict(backbone=backbone, end=lambda z: z + 3)
  options = dict(view=view, masked=(0,), targets=(2,), anchors=(0, 1, 3), heads=('end',))
  run = masked_views(mask=partial(random_mask, ratio=0.25), hide='drop', **options)
  out = given({'it': run}, 'it.q', 'it.k', nets=nets, target=target, batch=batch, keys=keys)
  assert calls == [(6, True, {'keep': (6, 12)}), (12, True, {}), (6, False, {})]
  assert {*out('it.q')} == {0, 1, 3} and {*out('it.k')} == {2}
  np.testing.assert_allclose(out('it.q')[1], 2) and np.testing.assert_allclose(out('it.k')[2], 5)
  with pytest.raises(ValueError, match="choose 'replace', or random_mask"):
    given({'it': masked_views(mask=drawn_block_mask, hide='drop', **options)}, 'it.q', nets=nets, target=target, batch=batch, keys=keys)
  with pytest.raises(ValueError, match="hide is 'leave'"):
    masked_views(mask=random_mask, hide='leave', **options)


def first_loss(name, **changes):
  p = plan(tiny(name, **changes))
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  return jax.jit(p.method.loss)(params, state, batch, jax.random.key(1), jnp.int32(0))


def total(name, metrics, losses=None):
  return sum(spec.get('weight', 1.0) * metrics[f'{loss}/loss'] for loss, spec in (losses or tiny(name)['losses']).items())


def test_macrl_keeps_the_teachers_keys():
  loss, (state, metrics) = first_loss('macrl')
  np.testing.assert_allclose(loss, total('macrl', metrics), rtol=1e-6)
  queue = state['memories']['queue']
  assert int(queue['next']) == 16
  np.testing.assert_allclose(jnp.linalg.norm(queue['keys'][:16], axis=1), 1, rtol=1e-5)


@pytest.mark.rotating
def test_latent_mim_is_the_official_forward_by_hand():
  """The head ends encoder and target, and the decoder reads it: forward, losses and weights as in LMIM.forward, example by example."""
  p = plan(tiny('latent_mim'))
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  (teacher,) = state['target']
  moved = jax.tree.map(lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size).reshape(x.shape)), state['target'][teacher])
  state['target'][teacher] = moved  # so that it matters whose head is whose
  batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  loss, (_, metrics) = jax.jit(p.method.loss)(params, state, batch, jax.random.key(1), jnp.int32(0))
  keys = example_keys(jax.random.key(1), batch)
  (x,) = gapped_patches(salted(keys, 'seen', 'view'), batch, patch=2, gap=1, mean=0.3, std=0.35)
  mask = random_mask(salted(keys, 'seen', 'mask'), grid=(4, 4), ratio=0.75)
  nets, target = p.method.networks(params, state), p.method.networks({**params, **moved}, state)

  def head(tokens, net):
    p = {name: jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(layer, nnx.Param))) for name, layer in vars(net).items()
         if isinstance(layer, nnx.Module)}  # fmt: skip
    h = np.asarray(tokens, np.float64)
    for i in ('1', '2', ''):
      h = h @ p[f'linear{i}']['kernel']
      h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-6)
      h = h * p[f'norm{i}']['scale'] + p[f'norm{i}']['bias']
      h = h * (1 + np.vectorize(math.erf)(h / np.sqrt(2))) / 2 if i else h
    return h

  shown = head(nets['backbone'](x, keep=mask.keep).tokens, nets['projector'])
  wanted = head(target['backbone'](x, keep=mask.hidden).tokens, target['projector'])
  found = np.asarray(nets['predictor'](jnp.asarray(shown, jnp.float32), mask.keep, mask.hidden), np.float64)
  unit = lambda v: v / np.linalg.norm(v, axis=-1, keepdims=True)
  entropy = []
  for q, t in zip(found, wanted, strict=True):
    scores = unit((q - q.mean(0)) / (q.std(0, ddof=1) + 1e-4)) @ unit(t).T / 0.2
    entropy += [np.log(np.exp(row).sum()) - row[i] for i, row in enumerate(scores)]
  alike = lambda z: (np.mean([unit(e) @ unit(e).T for e in z]) - 0.75) ** 2
  want = dict(tell=0.4 * np.mean(entropy), alike=alike(found), alike_seen=alike(shown))
  for name, value in want.items():
    np.testing.assert_allclose(metrics[f'{name}/loss'], value, rtol=1e-3, atol=1e-6)
  np.testing.assert_allclose(loss, want['tell'] + 0.1 * (want['alike'] + want['alike_seen']), rtol=1e-3)


@pytest.mark.rotating
def test_v_jepa_is_the_official_loss_by_hand():
  """loss_fn of app/vjepa/train.py: for each mask the mean of |z - h| over its targets, h of the whole clip, normalised; then their mean."""
  p = plan(tiny('v_jepa'))
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  (teacher,) = state['target']
  moved = jax.tree.map(lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size).reshape(x.shape)), state['target'][teacher])
  state['target'][teacher] = moved
  batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  loss, (_, metrics) = jax.jit(p.method.loss)(params, state, batch, jax.random.key(1), jnp.int32(0))
  keys = example_keys(jax.random.key(1), batch)
  nets, target = p.method.networks(params, state), p.method.networks({**params, **moved}, state)
  x = (batch['clip'].astype(jnp.float32) / 255 - 0.3) / 0.35
  h = np.asarray(jax.jit(lambda x: target['backbone'](x).tokens)(x), np.float64)
  h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-5)
  means = []
  for kind, (name, blocks, scale, keep) in enumerate((('short', 8, 0.15, 0.25), ('long', 2, 0.7, 0.125))):
    drawn = tube_blocks(salted(keys, name, 'mask'), grid=nets['backbone'].grid, blocks=blocks, scale=scale, keep=keep)
    context = nets['backbone'](x, keep=drawn.keep).tokens
    z = np.asarray(nets['predictor'](context, drawn.keep, drawn.targets[:, 0], kind=kind), np.float64)
    far = [
      np.abs(z[i, j] - h[i, place]).mean()
      for i in range(len(z))
      for j, (place, new) in enumerate(zip(np.asarray(drawn.targets[i, 0]), np.asarray(drawn.weight[i, 0]), strict=True))
      if new
    ]
    means.append(np.mean(far))
    np.testing.assert_allclose(metrics[f'{name}/loss'], means[-1], rtol=1e-4)
  np.testing.assert_allclose(loss, np.mean(means), rtol=1e-4)


def test_jepa_reads_either_the_input_or_what_is_predicted():
  of = dict(context='seen.tokens', keep='seen.keep', targets='seen.targets', weight='seen.weight')
  for given_too in ({}, dict(x='seen.x', whole='seen.patches')):
    with pytest.raises(ValueError, match='either x or whole'):
      jepa(**of, **given_too)


@pytest.mark.parametrize('variant', ['', 'with_kl'])
@pytest.mark.rotating
def test_infodiffusion_is_the_official_loss_by_hand(variant):
  """InfoDiff.forward and loss_fn: which code the denoiser is told, of which MMD is taken, and over what KL is summed."""
  settings = run.load_config('infodiffusion:tiny').claim.variants.get(variant, ())
  p = plan(run.load_config('infodiffusion:tiny', settings))
  params, state = jax.jit(p.method.init)(jax.random.key(0))
  params = jax.tree.map(lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size).reshape(x.shape)), params)
  batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
  loss, _ = jax.jit(p.method.loss)(params, state, batch, jax.random.key(1), jnp.int32(0))
  nets = p.method.networks(params, state)
  nets['backbone'].train()  # by the statistics of the batch
  at = lambda *path: salted(example_keys(jax.random.key(1), batch), *path)
  x = (np.asarray(batch['image'], np.float32) / (255 if batch['image'].dtype == jnp.uint8 else 1) - 0.5) / 0.5
  a = np.asarray(nets['backbone'](jnp.asarray(x)).pooled, np.float64)
  w = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  mean, spread = (np.stack([row @ w[name]['linear']['kernel'] + w[name]['linear']['bias'] for row in a]) for name in ('mean', 'posterior'))
  normals = lambda purpose: np.stack([jax.random.normal(key, (32,)) for key in at('drawn', purpose)])
  drawn, prior = mean + np.exp(0.5 * spread) * normals('draw'), normals('prior')
  told, aligned = (drawn, mean) if variant else (a, a)
  noised = linear_noise(at('noised', 'noise'), jnp.asarray(x), start=1e-5, end=1e-2)
  out = nets['denoiser'](noised.x, noised.time, jnp.asarray(told, jnp.float32))
  want = np.mean((np.asarray(out, np.float64) - np.asarray(noised.noise)) ** 2)
  kernel = lambda x, y: np.mean([[np.exp(-np.mean((u - v) ** 2) / 32) for v in y] for u in x])
  want += 0.1 * (kernel(prior, prior) + kernel(aligned, aligned) - 2 * kernel(prior, aligned))
  if variant:
    want += 1e-3 * sum(-0.5 * np.sum(1 + v - m**2 - np.exp(v)) for m, v in zip(mean, spread, strict=True))
  np.testing.assert_allclose(loss, want, rtol=1e-4)


@pytest.mark.rotating
def test_umd_is_the_official_loss_by_hand():
  """loss_fn of the official trainer: the two parts of a batch by themselves, each pixel of each image, then weighed by their sizes."""
  cases = {0.5: (0.75, 0.375), 0.25: (0.75, 0.375), 1.0: (0.75, 0.375), 0.0: (0.75, 0.0)}
  for share, (high, low) in cases.items():
    c = tiny('umd')
    c['passes']['seen'] |= dict(clean=share, mask=[dict(name='random_mask', ratio=r) for r in (high, low)])
    p = plan(c)
    params, state = jax.jit(p.method.init)(jax.random.key(0))
    params = jax.tree.map(lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size).reshape(x.shape)), params)
    batch = {k: jnp.asarray(x) for k, x in first_batch(p).items()}
    loss, _ = jax.jit(p.method.loss)(params, state, batch, jax.random.key(1), jnp.int32(0))
    nets = p.method.networks(params, state)
    encode = jax.jit(lambda x, keep, time, nets=nets: nets['backbone'](x, keep=keep, time=time).tokens)
    decode = jax.jit(lambda tokens, restore, time, nets=nets: nets['decoder'](tokens, restore, time))
    at = lambda *path, batch=batch: salted(example_keys(jax.random.key(1), batch), 'seen', *path)
    x = np.asarray(batch['image'], np.float64).reshape(16, 8, 8, 1)
    x = (x / (255 if batch['image'].dtype == jnp.uint8 else 1) - 0.5) / 0.5
    n = int(16 * share)
    drawn = cosine_noise(at('noise'), jnp.asarray(x, jnp.float32))
    squares = {kind: [] for kind in ('clean', 'noise', 'hidden', 'all')}
    for i in range(16):
      one = slice(i, i + 1)
      mask = random_mask(at('mask')[one], grid=(4, 4), ratio=high if i < n else low)
      see, time = (x[one], jnp.zeros(1)) if i < n else (drawn.x[one], drawn.time[one])
      tokens = encode(jnp.asarray(see, jnp.float32), mask.keep, time)
      out = np.asarray(decode(tokens, mask.restore, time))[0]
      assert tokens.shape[1] == (4 if i < n else 16 - int(16 * low))
      for r, c in np.ndindex(8, 8):
        patch, pixel = r // 2 * 4 + c // 2, r % 2 * 2 + c % 2
        of_x, of_noise = (out[patch, pixel] - x[i, r, c, 0]) ** 2, (out[patch, 4 + pixel] - drawn.noise[i, r, c, 0]) ** 2
        if i >= n:
          squares['all'].append(of_x)
          squares['hidden' if mask.mask[0, patch] else 'noise'].append(of_x if mask.mask[0, patch] else of_noise)
        elif mask.mask[0, patch]:
          squares['clean'].append(of_x)
    mae = np.mean(squares['clean']) if n else 0
    dit = (np.mean(squares['noise']) + np.mean(squares['hidden'] or squares['all'])) / 2 if n < 16 else 0
    np.testing.assert_allclose(loss, share * mae + (1 - share) * dit, rtol=1e-4)


def test_parts_of_a_batch_are_whole_examples():
  with pytest.raises(ValueError, match='0.3 of 16 examples'):
    first_loss('umd', passes={'seen': tiny('umd')['passes']['seen'] | dict(clean=0.3)})


@pytest.mark.rotating
def test_mrm_adds_up():
  loss, (_, metrics) = first_loss('mrm')
  np.testing.assert_allclose(loss, total('mrm', metrics), rtol=1e-6)


class Net:
  """Two by two patches of two by two pixels; tokens are what it was given."""

  grid, patch = (2, 2), (2, 2)

  def __init__(self, scale=1.0):
    self.scale = scale

  def __call__(self, x, *, keep=None, mask=None, keys=None):
    tokens = self.scale * patchify(x, self.patch)
    tokens = tokens if keep is None else jnp.take_along_axis(tokens, keep[..., None], 1)
    return Features(tokens if mask is None else jnp.where(mask[..., None], -1.0, tokens), None)


X = jnp.arange(3 * 16.0).reshape(3, 4, 4, 1)
KEYS = jax.random.split(jax.random.key(0), 3)
HALF = lambda keys, *, grid: random_mask(keys, grid=grid, ratio=0.5)
RUN = dict(nets={'backbone': Net()}, batch={'x': X}, keys=KEYS)


@pytest.mark.parametrize('hide', ['drop', 'replace'])
def test_hidden_patches_do_not_reach_the_encoder(hide):
  seen = given({'it': masked_encode(mask=HALF, view=lambda keys, batch: (batch['x'],), hide=hide)}, 'it.tokens', 'it.patches', 'it.mask', **RUN)
  tokens, mask, whole = seen('it.tokens'), np.asarray(seen('it.mask')), patchify(X, (2, 2))
  np.testing.assert_array_equal(seen('it.patches'), whole)
  assert (mask.sum(1) == 2).all()
  if hide == 'drop':
    np.testing.assert_array_equal(tokens, jnp.take_along_axis(whole, seen('it.keep')[..., None], 1))
    np.testing.assert_array_equal(np.take_along_axis(mask, np.asarray(seen('it.keep')), 1), False)
  else:
    np.testing.assert_array_equal(tokens, np.where(mask[..., None], -1, whole))
  np.testing.assert_allclose(seen('it.pooled'), tokens.mean(1), rtol=1e-6)


def test_views_have_masks_of_their_own_and_some_are_the_teachers():
  draw = lambda keys, batch: (batch['x'], batch['x'])
  quarter = lambda keys, *, grid: random_mask(keys, grid=grid, ratio=0.25)
  of = dict(view=draw, mask=(HALF, quarter), teacher_views=(1,))
  seen = given({'it': masked_encode(**of)}, 'it.tokens', target={'backbone': Net(10.0)}, **RUN)
  assert {i: x.shape[1] for i, x in seen('it.tokens').items()} == {0: 2, 1: 3}
  np.testing.assert_array_equal(seen('it.tokens[1]'), 10 * jnp.take_along_axis(patchify(X, (2, 2)), seen('it.keep[1]')[..., None], 1))
  alike = given({'it': masked_encode(**of | dict(mask=HALF))}, 'it.mask', **RUN)
  assert not np.array_equal(alike('it.mask[0]'), alike('it.mask[1]'))


def test_a_view_that_is_not_encoded_is_the_target():
  high = jnp.repeat(jnp.repeat(X, 2, 1), 2, 2)
  seen = given({'it': masked_encode(mask=HALF, view=lambda keys, batch: (batch['x'], high), target_view=1)}, 'it.patches', **RUN)
  np.testing.assert_array_equal(seen('it.patches'), patchify(high, (4, 4)))


def test_masked_encode_refuses_what_it_cannot_do():
  with pytest.raises(ValueError, match="'drop' or 'replace'"):
    masked_encode(mask=HALF, view=lambda keys, batch: (), hide='blur')
  with pytest.raises(ValueError, match='give one of them'):
    masked_encode(mask=HALF)
