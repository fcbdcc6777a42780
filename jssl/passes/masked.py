"""Passes that mask part of the input of a network over patches, frames or tubelets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jssl.noise.diffusion import Noised
from jssl.objectives.prediction import feature_norm
from jssl.ops.patches import patch_sides, patchify, take
from jssl.types import Array, Call, Mask, Noise, Pass, Ref, View


def masked_encode(
  *,
  mask: Mask | Sequence[Mask],
  view: View | None = None,
  on: Ref | None = None,
  time: Ref | None = None,
  encoder: str = 'backbone',
  hide: str = 'drop',
  target_view: int | None = None,
  teacher_views: Sequence[int] = (),
) -> Pass:
  """Encodes masked views with a backbone that reads the visible patches only.

  Args:
    mask: (keys, grid=...) -> `Masked` or `Blocks`; one for all views or one per view.
    view: draws the views, or
    on: an output with views that are drawn already.
    time: noise level [b], for a backbone that takes it.
    encoder: the backbone, with a `grid` and a `patch`.
    hide: 'drop' encodes visible patches only; 'replace' encodes all, with masked ones replaced by a learned token.
    target_view: a view that is not encoded and gives `patches`, such as the same image at another resolution.
    teacher_views: views that the teacher encodes, if there is one, without dropout or drop path.

  Outputs, plain for one view and per view for several:
    tokens: [b m d], or [b n d] if masked patches are replaced.
    pooled: [b d], the mean of the tokens.
    x: the view. patches: [b n p], its patches, or those of the target view.
    time: [b], 0 unless given.
    mask: [b n] bool, True = masked; keep, hidden, restore, targets, weight: the other fields of the mask.
  """
  if hide not in ('drop', 'replace'):
    raise ValueError(f"hide is {hide!r}; choose 'drop' or 'replace'")
  if (view is None) == (on is None):
    raise ValueError('masked_encode takes either a view or on: give one of them')

  def run(call: Call):
    views = (call.read(on),) if view is None else view(call.key('view'), call.batch)
    seen = [x for i, x in enumerate(views) if i != target_view]
    masks = tuple(mask) if isinstance(mask, Sequence) else (mask,) * len(seen)
    noise = {} if time is None else {'time': call.read(time)}

    def one(i, x, own_mask):
      taught = call.target if i in teacher_views else None
      net = (taught or call.nets)[encoder]
      at = (i,) if len(seen) > 1 else ()
      sides = sides_of(net, x)
      drawn = own_mask(call.key('mask', *at), grid=net.grid)
      given = {'keep': drawn.keep} if hide == 'drop' else {'mask': drawn.mask}
      tokens = net(x, keys=None if taught else call.key('encoder', *at), **given, **noise).tokens
      whole = x if target_view is None else views[target_view]
      sides = tuple(p * high // low for p, high, low in zip(sides, whole.shape[1:], x.shape[1:], strict=False))
      found = {'tokens': tokens, 'pooled': jnp.mean(tokens, 1), 'x': x, 'time': noise.get('time', jnp.zeros(len(x)))}
      return found | drawn._asdict() | ({'patches': patchify(whole, sides)} if 'patches' in call.asked else {})

    each = [one(i, x, own) for i, (x, own) in enumerate(zip(seen, masks, strict=True))]
    return each[0] if len(each) == 1 else {name: {i: found[name] for i, found in enumerate(each)} for name in each[0]}

  return Pass(run, ('tokens', 'pooled', 'x', 'patches', 'time', 'mask', 'keep', 'hidden', 'restore', 'targets', 'weight'))


def masked_views(
  *,
  view: View,
  mask: Mask,
  masked: Sequence[int],
  targets: Sequence[int],
  anchors: Sequence[int] | None = None,
  heads: Sequence[str] = (),
  patch_heads: Sequence[str] = (),
  encoder: str = 'backbone',
  hide: str = 'replace',
) -> Pass:
  """Encodes views of which some are masked with the trained networks, and the same views without masks with the teacher's.

  Views of the same shape of which both or neither are masked are passed in one call.

  Args:
    view: draws the views.
    mask: (keys, grid=...) -> `Masked` or `Hidden`, drawn for each masked view.
    masked: the views that the trained backbone reads masked; it reads others whole.
    targets: the views that the teacher reads, without dropout and drop path; all of them whole.
    anchors: the views that the trained backbone reads; None for all.
    heads: networks applied in order to what is pooled.
    patch_heads: networks applied in order to the tokens of the patches; the same names as `heads` for shared ones.
    encoder: the backbone, with patches.
    hide: 'drop' encodes visible patches only; 'replace' encodes all, with masked ones replaced by a learned token.

  Outputs, for each view:
    q: [b d], heads of the trained backbone's pooled features; pooled: [b e], without heads; both for the anchors.
    k: [b d], the teacher's heads, for the targets.
    q_patches, k_patches: [b n d], by `patch_heads`, for anchors that are masked and for targets.
    mask: [b n] bool, True = masked.

  Reference: Zhou et al. (iBOT), ICLR 2022, arXiv:2111.07832, section 3.1 (masks replace, two views); Assran et al. (MSN), ECCV 2022,
    arXiv:2204.07141, section 3 (masks drop, one target view).
  """
  if hide not in ('drop', 'replace'):
    raise ValueError(f"hide is {hide!r}; choose 'drop' or 'replace'")

  def run(call: Call):
    views = view(call.key('view'), call.batch)
    read = lambda *names: call.views(*names, of=len(views))
    grid = lambda x: tuple(side // call.nets[encoder].patch for side in x.shape[1:3])
    drawn = {i: mask(call.key('mask', i), grid=grid(views[i])) for i in masked}
    if hide == 'drop' and not all(hasattr(of, 'keep') for of in drawn.values()):
      raise ValueError("hide is 'drop', and the mask hides another number of patches in each example; choose 'replace', or random_mask")

    def encode(nets, which, hidden, patches, side=None):
      """{view: pooled features}, {view: pooled features under the heads}, {view: tokens of the patches under theirs}."""
      groups: dict[tuple, list[int]] = {}
      for i in which:
        groups.setdefault((views[i].shape, i in hidden), []).append(i)
      found: tuple[dict, dict, dict] = ({}, {}, {})
      for members in groups.values():
        # Interleaved, as in `views.through`: each device keeps its own examples.
        merge = lambda of, members=members: jnp.stack([of(i) for i in members], 1).reshape(-1, *of(members[0]).shape[1:])
        given = {} if members[0] not in hidden else {'keep' if hide == 'drop' else 'mask': merge(hidden.get)}
        seen = nets[encoder](merge(views.__getitem__), keys=merge(lambda i: call.key(side, i)) if side else None, **given)
        outputs = [seen.pooled, headed(nets, heads, seen.pooled)]
        outputs += [headed(nets, patch_heads, seen.tokens)] if {*members} & {*patches} else []
        for own, x in zip(found, outputs, strict=False):
          own |= zip(members, jnp.unstack(x.reshape(-1, len(members), *x.shape[1:]), axis=1), strict=True)
      return found

    hidden = {i: of.keep if hide == 'drop' else of.mask for i, of in drawn.items()}
    among = lambda which, of: [i for i in which if of is None or i in of]
    own = among(read('q', 'pooled', 'q_patches'), anchors)
    pooled, q, q_patches = encode(call.nets, own, hidden, among(read('q_patches'), masked), 'student')
    _, k, k_patches = encode(call.target, among(read('k', 'k_patches'), targets), {}, read('k_patches'))
    found = dict(q=q, pooled=pooled, k=k, q_patches=q_patches, k_patches=k_patches)
    return found | {'mask': {i: of.mask for i, of in drawn.items()}}

  return Pass(run, ('q', 'k', 'pooled', 'q_patches', 'k_patches', 'mask'))


def headed(nets: Mapping[str, Callable], names: Sequence[str], x: Array) -> Array:
  """Applies heads in order."""
  for name in names:
    x = nets[name](x)
  return x


def sides_of(net: Any, x: Array) -> tuple[int, ...]:
  """The side lengths of a patch of `x` [b *grid c].

  Raises:
    ValueError: if the patch grid of x is not that of the network, which defines the positions of masks and decoders.
  """
  sides = patch_sides(net.patch, len(net.grid))
  grid = tuple(side / p for side, p in zip(x.shape[1:], sides, strict=False))
  if grid != tuple(net.grid) and not getattr(net, 'stem', 0):  # a ViT with a stem raises its own error, that it cannot mask patches
    shape = lambda of: ' x '.join(map(str, of))
    whole = tuple(n * p for n, p in zip(net.grid, sides, strict=True))
    raise ValueError(
      f'a view of {shape(x.shape[1:-1])} is masked, and the network has patches of {shape(sides)} in a grid of {shape(net.grid)}: '
      f'give views of {shape(whole)}'
    )
  return sides


def masked_and_noised(
  *,
  view: View,
  noise: Noise,
  mask: Sequence[Mask],
  clean: float = 0.5,
  encoder: str = 'backbone',
  decoder: str = 'decoder',
) -> Pass:
  """Masks the first examples of a batch, adds noise to the others and masks them, and passes each through an encoder and a decoder once.

  Args:
    view: draws one view.
    noise: (keys, x) -> `Noised`.
    mask: (keys, grid=...) -> `Masked`, one for each of the two parts.
    clean: the share of the first part, which must be a whole number of examples in each micro-batch.
    encoder: (x, keep=places, time=levels) -> Features, with a `grid` and a `patch`.
    decoder: (tokens, restore, time) -> the prediction for each patch.

  Outputs:
    out: [b n e]. patches: [b n p], the patches of the view. noise: [b n p], 0 for the first part.
    mask: [b n] bool, True = masked. clean: [b] bool, True = in the first part.

  Reference: Hansen-Estruch et al. 2024, arXiv:2406.17688, section 3; the official code splits the batch in the same way.
  """

  def run(call: Call):
    (x,) = view(call.key('view'), call.batch)
    net, told = call.nets[encoder], call.nets[decoder]
    sides_of(net, x)
    count = round(clean * len(x))
    if abs(count - clean * len(x)) > 1e-6:
      raise ValueError(f'a share of {clean} of {len(x)} examples is not an integer; choose another batch size')

    def half(of: slice, mask: Mask, noised: bool):
      keys, own = (lambda *purpose: call.key(*purpose)[of]), x[of]
      added = noise(keys('noise'), own) if noised else Noised(own, jnp.zeros_like(own), jnp.zeros(len(own)))
      drawn = mask(keys('mask'), grid=net.grid)
      tokens = net(added.x, keep=drawn.keep, time=added.time, keys=keys('encoder')).tokens
      out = told(tokens, drawn.restore, added.time, keys=keys('decoder'))
      return {'out': out, 'patches': patchify(own, net.patch), 'noise': patchify(added.noise, net.patch), 'mask': drawn.mask}

    parts = [half(slice(count), mask[0], False)] if count else []
    parts += [half(slice(count, None), mask[1], True)] if count < len(x) else []
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *parts) | {'clean': jnp.arange(len(x)) < count}

  return Pass(run, ('out', 'patches', 'noise', 'mask', 'clean'))


def jepa(
  *,
  context: Ref,
  keep: Ref,
  targets: Ref,
  weight: Ref,
  x: Ref | None = None,
  whole: Ref | None = None,
  kind: int | None = None,
  encoder: str = 'backbone',
  predictor: str = 'predictor',
) -> Pass:
  """Predicts the teacher's tokens in each of several target blocks from the tokens of a context block.

  Blocks are predicted separately: mask tokens of different blocks do not attend to each other.

  Args:
    context: tokens [b m d] of the context.
    keep: positions of these tokens [b m].
    targets: positions [b k t] of k blocks.
    weight: [b k t], 0 for patches that are repeated as padding.
    x: the whole input, which the teacher encodes, or
    whole: [b n d], what is predicted: the teacher's tokens of the whole input, where another pass has them, or patches.
    kind: the kind of the mask, for a predictor that has a mask token for each.
    encoder: the teacher's network that encodes x.
    predictor: (context tokens, context positions, target positions [b t]) -> [b t d].

  Outputs:
    prediction, target: [b k*t d], targets normalised over their features. mask: [b k*t] bool.
  """
  if (x is None) == (whole is None):
    raise ValueError('jepa takes either x or whole: give one of them')

  told = {} if kind is None else {'kind': kind}

  def run(call: Call):
    places = call.read(targets)
    b, k, t = places.shape
    repeat = lambda x: jnp.repeat(x, k, 0)
    prediction = call.nets[predictor](
      repeat(call.read(context)), repeat(call.read(keep)), places.reshape(b * k, t), keys=repeat(call.key('predictor')), **told
    )
    wanted = call.target[encoder](call.read(x)).tokens if whole is None else call.read(whole)
    return {
      'prediction': prediction.reshape(b, k * t, -1),
      'target': jax.lax.stop_gradient(take(feature_norm(wanted), places.reshape(b, k * t))),
      'mask': call.read(weight).reshape(b, k * t) > 0,
    }

  return Pass(run, ('prediction', 'target', 'mask'))
