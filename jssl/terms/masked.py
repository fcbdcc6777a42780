"""Part of the input is hidden, and predicted from the rest in input space."""

import jax.numpy as jnp

from jssl.parts.patches import patchify
from jssl.parts.schedules import at
from jssl.types import Objective, Term, View, fold


def masked(
  *, objective: Objective, view: View, mask: View, encoder: str = 'backbone', decoder: str = 'decoder'
) -> Term:
  """Only the visible patches are encoded; a decoder predicts all of them (MAE).

  Args:
    objective: (prediction: [b n p], target: [b n p], mask: [b n]) -> [b] or scalar.
    view: one view of each image.
    mask: (keys, grid=...) -> Masked.
    decoder: (visible tokens, restore) -> predictions, [b n p].
  """

  def encode(nets, target, batch, keys):
    del target
    (x,) = view(fold(keys, 0), batch)
    net = nets[encoder]
    hidden = mask(fold(keys, 1), grid=net.grid)
    tokens = net(x, keep=hidden.keep, keys=fold(keys, 2)).tokens
    prediction = nets[decoder](tokens, hidden.restore, keys=fold(keys, 3))
    return {'prediction': prediction, 'target': patchify(x, net.patch), 'mask': hidden.mask}

  return Term(stateless, encode, rebuild(objective))


def inpainted(
  *, objective: Objective, view: View, mask: View, encoder: str = 'backbone', decoder: str = 'decoder'
) -> Term:
  """Hidden patches are replaced by a learned token, and the whole sequence is encoded (SimMIM).

  Args:
    objective: (prediction: [b n p], target: [b n p], mask: [b n]) -> [b] or scalar.
    view: one view of each image.
    mask: (keys, grid=...) -> Masked.
    decoder: tokens -> predictions, [b n p].
  """

  def encode(nets, target, batch, keys):
    del target
    (x,) = view(fold(keys, 0), batch)
    net = nets[encoder]
    hidden = mask(fold(keys, 1), grid=net.grid)
    tokens = net(x, mask=hidden.mask, keys=fold(keys, 2)).tokens
    return {'prediction': nets[decoder](tokens), 'target': patchify(x, net.patch), 'mask': hidden.mask}

  return Term(stateless, encode, rebuild(objective))


def stateless(key, encoded):
  """A term that keeps nothing between steps."""
  del key, encoded
  return {}


def rebuild(objective: Objective):
  """Judges predictions against targets where the mask is set; the objective counts over the whole batch."""

  def judge(nets, encoded, state, key, step):
    del nets, key
    return jnp.mean(at(objective, step)(encoded['prediction'], encoded['target'], mask=encoded['mask'])), (state, {})

  return judge
