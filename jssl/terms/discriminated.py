"""Hidden patches are told apart in the space of a teacher that sees them alone."""

import jax.numpy as jnp

from jssl.objectives import patch_similarity
from jssl.parts.schedules import at, value_at
from jssl.terms.masked import stateless
from jssl.types import Objective, Term, View, fold


def discriminated(
  *,
  objective: Objective,
  view: View,
  mask: View,
  encoder: str = 'backbone',
  predictor: str = 'predictor',
  head: str = 'projector',
  alike: float = 0.75,
  similarity_weight: float = 0.1,
) -> Term:
  """From the visible patches, the teacher's latents of the hidden ones, which it alone sees, are told apart (Latent MIM).

  l = objective(P, T) + w (similarity(P) + similarity(V)), P predictions, T targets, V latents of the visible patches

  Args:
    objective: (prediction: [b k d], target: [b k d]) -> [b] or scalar.
    view: one view of each image.
    mask: (keys, grid=...) -> Masked.
    predictor: (visible tokens [b m d], their positions [b m], hidden positions [b k]) -> [b k d].
    head: applied to predictions, and its target copy to the teacher's tokens.
    alike: mean cosine at which the patches of an image are held.
    similarity_weight: w.
  """

  def encode(nets, target, batch, keys):
    (x,) = view(fold(keys, 0), batch)
    net = nets[encoder]
    hidden = mask(fold(keys, 1), grid=net.grid)
    visible = net(x, keep=hidden.keep, keys=fold(keys, 2)).tokens
    prediction = nets[head](nets[predictor](visible, hidden.keep, hidden.hidden, keys=fold(keys, 3)))
    told = target[head](target[encoder](x, keep=hidden.hidden).tokens)
    return {'prediction': prediction, 'target': told, 'visible': visible}

  def judge(nets, encoded, state, key, step):
    del nets, key
    loss = jnp.mean(at(objective, step)(encoded['prediction'], encoded['target']))
    held = [patch_similarity(encoded[name], target=value_at(alike, step)) for name in ('prediction', 'visible')]
    return loss + similarity_weight * sum(held), (state, {'told': loss, 'similarity': sum(held)})

  return Term(stateless, encode, judge)
