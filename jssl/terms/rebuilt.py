"""One pass of an encoder, whose vector a decoder rebuilds the sentence from, beside a contrast."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl.models.layers import dropout
from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.terms.two_view import through
from jssl.types import Objective, Term, View, fold


def rebuilt(
  *,
  objectives: Mapping[str, Objective],
  view: View,
  weight_denoise: float = 1.0,
  weight_contrast: float = 1.0,
  rate: float = 0.825,
  column: str = 'ids',
  encoder: str = 'backbone',
  heads: tuple[str, ...] = ('projector',),
  decoder: str = 'decoder',
  lm: str = 'lm',
) -> Term:
  """From one vector and a sentence most of whose embedding is dropped, a decoder tells every token (DenoSent).

  Args:
    objectives: denoise, (logits: [b n v], tokens: [b n], mask: [b n]) -> [b] or scalar, and contrast,
      (q: [b d], k: [b d]) -> the same.
    view: draws two noisy views of the ids; the decoder is told the first.
    weight_denoise, weight_contrast: of the two.
    rate: of dropout of the embedded original, which passes no gradient on.
    column: of ids, the original.
    encoder, heads: the network, with `embed` and `table`, whose pooled features, through heads, are the vector.
    decoder: (embedded [b n d], context [b 1 d], mask [b n]) -> [b n d].
    lm: (tokens, table) -> logits.

  Reference: Wang et al., AAAI 2024, arXiv:2401.13621, section 3; rate 0.825.
  """

  def encode(nets, target, batch, keys):
    del target
    ids = batch[column]
    z = through(nets, view(fold(keys, 0), batch), [0, 1], encoder, heads, fold(keys, 1))
    y = dropout(jax.lax.stop_gradient(nets[encoder].embed(ids)), fold(keys, 2), rate)
    tokens = nets[decoder](y, z[0][:, None], mask=ids != 0, keys=fold(keys, 3))
    return {'q': z[0], 'k': z[1], 'logits': nets[lm](tokens, nets[encoder].table), 'tokens': ids}

  def judge(nets, encoded, state, key, step):
    del nets, key
    denoise, contrast = (at(objectives[name], step) for name in ('denoise', 'contrast'))
    told = jnp.mean(denoise(encoded['logits'], encoded['tokens'], mask=encoded['tokens'] != 0))
    near = jnp.mean(contrast(encoded['q'], encoded['k']))
    return weight_denoise * told + weight_contrast * near, (state, {'denoise': told, 'contrast': near})

  return Term(stateless, encode, judge, lambda encoded, state, step: {'pairs': (encoded['q'], encoded['k'])})
