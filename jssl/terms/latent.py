"""Part of the input is hidden, and predicted from the rest in the space of a teacher's features."""

import jax.numpy as jnp

from jssl.objectives import patch_similarity
from jssl.objectives.prediction import feature_norm
from jssl.parts.patches import take
from jssl.parts.schedules import at, value_at
from jssl.terms.masked import rebuild, stateless
from jssl.types import Objective, Term, View, fold


def latent(
  *, objective: Objective, view: View, mask: View, encoder: str = 'backbone', predictor: str = 'predictor'
) -> Term:
  """From the tokens of a context block, a predictor tells the teacher's tokens in several other blocks (I-JEPA).

  Args:
    objective: (prediction: [b m d], target: [b m d], mask: [b m]) -> [b] or scalar.
    view: one view of each image.
    mask: (keys, grid=...) -> Blocks: a context and k target blocks.
    predictor: (context tokens [b m d], context positions [b m], target positions [b t]) -> [b t d].
  """

  def encode(nets, target, batch, keys):
    (x,) = view(fold(keys, 0), batch)
    net = nets[encoder]
    blocks = mask(fold(keys, 1), grid=net.grid)
    b, k, t = blocks.targets.shape
    context = net(x, keep=blocks.keep, keys=fold(keys, 2)).tokens
    # Each block is predicted by itself: mask tokens of different blocks do not see each other.
    repeat = lambda x: jnp.repeat(x, k, 0)
    prediction = nets[predictor](
      repeat(context), repeat(blocks.keep), blocks.targets.reshape(b * k, t), keys=repeat(fold(keys, 3))
    )
    told = take(feature_norm(target[encoder](x).tokens), blocks.targets.reshape(b, k * t))
    return {
      'prediction': prediction.reshape(b, k * t, -1),
      'target': told,
      'mask': blocks.weight.reshape(b, k * t) > 0,
    }

  return Term(stateless, encode, rebuild(objective))


def regressed(
  *,
  objective: Objective,
  view: View,
  mask: View,
  encoder: str = 'backbone',
  predictor: str = 'predictor',
  layers: int = 8,
) -> Term:
  """Hidden tokens, replaced by a learned one, regress the mean of the teacher's last layers on the whole input (data2vec).

  Args:
    objective: (prediction: [b n d], target: [b n d], mask: [b n]) -> [b] or scalar.
    view: one view of each input.
    mask: (keys, grid=...) -> Masked.
    predictor: tokens -> [b n d].
    layers: how many of the teacher's last layers are averaged, each normalised over its features first.
  """

  def encode(nets, target, batch, keys):
    (x,) = view(fold(keys, 0), batch)
    net = nets[encoder]
    hidden = mask(fold(keys, 1), grid=net.grid)
    prediction = nets[predictor](net(x, mask=hidden.mask, keys=fold(keys, 2)).tokens)
    told = feature_norm(target[encoder](x).layers[-layers:]).mean(0)
    told = told[:, told.shape[1] - prediction.shape[1] :]  # without the class token, which comes first
    return {'prediction': prediction, 'target': told, 'mask': hidden.mask}

  return Term(stateless, encode, rebuild(objective))


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
