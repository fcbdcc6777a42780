"""Part of the input is hidden, and predicted from the rest in the space of a teacher's features."""

import jax.numpy as jnp

from jssl.objectives.prediction import feature_norm
from jssl.parts.patches import take
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
