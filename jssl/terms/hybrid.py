"""One masked forward a view feeds two objectives: its hidden patches are rebuilt, and views are told apart."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp

from jssl.parts.patches import patchify
from jssl.parts.schedules import at, value_at
from jssl.types import Memory, Objective, Term, View, fold


def hybrid(
  *,
  objectives: Mapping[str, Objective],
  weights: Mapping[str, float],
  view: View,
  masks: Mapping[str, View],
  decoders: Sequence[str] = ('decoder', 'decoder'),
  encoder: str = 'backbone',
  heads: Sequence[str] = ('projector',),
  pairs: Sequence = ((0, 1), (1, 0)),
  memory: Memory | None = None,
) -> Term:
  """The visible patches of two views are encoded once, for a decoder and for a contrast of their mean (ViC-MAE, MACRL).

  l = w_rebuild mean_v rebuild_v + w_contrast mean_(i, j) contrast(z_i, z_j)

  The first view is encoded by the trained networks, the second by the target networks where the method has a teacher;
  decoders are trained networks, so that of a teacher's view learns without the encoder.

  Args:
    objectives: 'rebuild', (prediction: [b n p], target: [b n p], mask: [b n]) -> [b] or scalar, and 'contrast',
      (q: [b d], k: [b d], **memory) -> [b] or scalar.
    weights: of both, numbers or schedules.
    view: two views of each example.
    masks: 'first' and 'second', one a view, (keys, grid=...) -> Masked.
    decoders: one a view, (visible tokens, restore) -> predictions, [b n p].
    heads: networks applied in turn to the mean of the visible tokens.
    pairs: which views are compared.
    memory: what is kept between steps for the contrast.
  """

  def encode(nets, target, batch, keys):
    views = view(fold(keys, 0), batch)
    found = {name: [] for name in ('prediction', 'target', 'mask', 'z')}
    sides = (nets, nets if target is None else target)
    for i, (x, side, mask) in enumerate(zip(views, sides, (masks['first'], masks['second']), strict=True)):
      own = fold(keys, i + 1)
      hidden = mask(fold(own, 0), grid=side[encoder].grid)
      tokens = side[encoder](x, keep=hidden.keep, keys=fold(own, 1)).tokens
      z = jnp.mean(tokens, 1)
      for head in heads:
        z = side[head](z)
      prediction = nets[decoders[i]](tokens, hidden.restore, keys=fold(own, 2))
      parts = dict(prediction=prediction, target=patchify(x, side[encoder].patch), mask=hidden.mask, z=z)
      for name, value in parts.items():
        found[name].append(value)
    return {**found, 'k': found['z'][1:]}

  def init(key, encoded):
    return memory.init(key, encoded) if memory else {}

  def judge(nets, encoded, state, key, step):
    del nets, key
    rebuild, contrast = (at(objectives[name], step) for name in ('rebuild', 'contrast'))
    sides = zip(encoded['prediction'], encoded['target'], encoded['mask'], strict=True)
    rebuilt = [jnp.mean(rebuild(prediction, told, mask=mask)) for prediction, told, mask in sides]
    z, given = encoded['z'], memory.read(state) if memory else {}
    told = [jnp.mean(contrast(z[i], z[j], **given)) for i, j in pairs]
    parts = {'rebuild': sum(rebuilt) / len(rebuilt), 'contrast': sum(told) / len(told)}
    loss = sum(value_at(weights[name], step) * part for name, part in parts.items())
    return loss, (memory.write(state, encoded) if memory else state, parts)

  return Term(init, encode, judge, lambda encoded, state, step: {'pairs': tuple(encoded['z'])})
