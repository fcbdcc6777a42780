"""Frames or values of a sequence are hidden, and predicted from the rest."""

from jssl.terms.masked import rebuild, stateless
from jssl.types import Objective, Term, View, fold


def coded(
  *, objective: Objective, view: View, mask: View, codes: str = 'codes', encoder: str = 'backbone', decoder: str = 'decoder'
) -> Term:
  """Only the visible frames are encoded; a decoder predicts the codes of all (EnCodecMAE).

  Args:
    objective: (logits: [b n q v], codes: [b n q], mask: [b n]) -> [b] or scalar.
    view: one view of each input.
    mask: (keys, grid=...) -> Masked.
    codes: the column of the batch that holds them, [b n q].
    decoder: (visible tokens, restore) -> [b n q*v].
  """

  def encode(nets, target, batch, keys):
    del target
    (x,) = view(fold(keys, 0), batch)
    net, told = nets[encoder], batch[codes]
    hidden = mask(fold(keys, 1), grid=net.grid)
    tokens = net(x, keep=hidden.keep, keys=fold(keys, 2)).tokens
    logits = nets[decoder](tokens, hidden.restore, keys=fold(keys, 3))
    return {'prediction': logits.reshape(*told.shape, -1), 'target': told, 'mask': hidden.mask}

  return Term(stateless, encode, rebuild(objective))


def imputed(
  *, objective: Objective, view: View, mask: View, encoder: str = 'backbone', decoder: str = 'decoder'
) -> Term:
  """Single values of a series are hidden, and predicted from the others (TST).

  Args:
    objective: (prediction: [b t c], target: [b t c], mask: [b t c]) -> [b] or scalar.
    view: one view of each series.
    mask: (keys, x) -> [b t c], true where hidden.
    decoder: tokens -> predictions, [b t c].
  """

  def encode(nets, target, batch, keys):
    del target
    (x,) = view(fold(keys, 0), batch)
    hidden = mask(fold(keys, 1), x)
    tokens = nets[encoder](x, mask=hidden, keys=fold(keys, 2)).tokens
    return {'prediction': nets[decoder](tokens), 'target': x, 'mask': hidden}

  return Term(stateless, encode, rebuild(objective))
