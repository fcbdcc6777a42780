"""An image and the report on it, each masked and predicted."""

from collections.abc import Mapping

import jax.numpy as jnp

from jssl.parts.patches import patch_sides, patchify
from jssl.parts.schedules import at, value_at
from jssl.terms.masked import stateless
from jssl.types import Objective, Term, View, fold


def record(
  *,
  objectives: Mapping[str, Objective],
  weights: Mapping[str, float],
  view: View,
  masks: Mapping[str, View],
  text: str = 'text',
  encoder: str = 'backbone',
  decoder: str = 'decoder',
  reporter: str = 'reporter',
) -> Term:
  """The visible patches rebuild the image at another resolution, and fill the gaps of its report (MRM).

  l = w_image image(x) + w_text text(w)

  Args:
    objectives: 'image', (prediction: [b n p], target: [b n p], mask: [b n]), and 'text', (logits: [b k v], tokens: [b k],
      mask: [b k]) -> [b] or scalar.
    weights: of both, numbers or schedules.
    view: the image to encode, and the same image at the resolution that is predicted.
    masks: 'image', (keys, grid=...) -> Masked, and 'text', (keys, n=...) -> Masked.
    text: the column of tokens, [b k].
    decoder: (visible tokens, restore) -> [b n p].
    reporter: (tokens, mask, feature [b d]) -> logits; it sees the mean of the visible tokens alone.
  """

  def encode(nets, target, batch, keys):
    del target
    x, told = view(fold(keys, 0), batch)
    net, words = nets[encoder], batch[text]
    hidden, blanks = masks['image'](fold(keys, 1), grid=net.grid), masks['text'](fold(keys, 2), n=words.shape[1]).mask
    tokens = net(x, keep=hidden.keep, keys=fold(keys, 3)).tokens
    sides = patch_sides(net.patch, len(net.grid))
    sides = tuple(p * high // low for p, high, low in zip(sides, told.shape[1:], x.shape[1:], strict=False))
    return {
      'image': (nets[decoder](tokens, hidden.restore, keys=fold(keys, 4)), patchify(told, sides), hidden.mask),
      'text': (nets[reporter](words, blanks, jnp.mean(tokens, 1), keys=fold(keys, 5)), words, blanks),
    }

  def judge(nets, encoded, state, key, step):
    del nets, key
    parts = {
      name: jnp.mean(at(objectives[name], step)(prediction, told, mask=mask))
      for name, (prediction, told, mask) in encoded.items()
    }
    return sum(value_at(weights[name], step) * part for name, part in parts.items()), (state, parts)

  return Term(stateless, encode, judge)
