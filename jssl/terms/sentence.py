"""One pass of the encoder, judged by several objectives."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl.models.layers import dropout
from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.terms.two_view import through
from jssl.types import Objective, Term, View, fold


def difference(
  *,
  objectives: Mapping[str, Objective],
  view: View,
  mask: View,
  weight_detect: float = 0.005,
  column: str = 'ids',
  encoder: str = 'backbone',
  heads: tuple[str, ...] = ('projector',),
  generator: str = 'generator',
  lm: str = 'lm',
  discriminator: str = 'discriminator',
  head: str = 'replaced',
) -> Term:
  """Sentences drawn together across dropout, and told from an edit of themselves (DiffCSE).

  A generator fills hidden tokens in; a discriminator says of every token whether it was replaced, and reads the vector
  of the original in the place of its first token. No gradient reaches the generator: it has a term of its own.

  Args:
    objectives: contrast, (q: [b d], k: [b d]) -> [b] or scalar, and detect, (logits, replaced, mask: [b n]) -> the same.
    view: draws two views of the ids, the first of which the discriminator is told.
    mask: (keys, ids) -> Hidden.
    weight_detect: of the second objective against the first.
    column: of ids.
    encoder, heads: the network whose pooled features, through heads, are the vector.
    generator, lm: as encoder and head of `masked_lm`.
    discriminator: with `embed` and `encode`.
    head: tokens [b n d] -> [b n 1].

  Reference: Chuang et al., NAACL 2022, arXiv:2204.10298, section 3; lambda = 0.005. The generator's most likely token
    is taken, as in the official code, where it stands in for all tokens, the visible ones too, and both views are
    told to a discriminator; here only hidden tokens are filled in, of one view, as the paper writes it.
  """

  def encode(nets, target, batch, keys):
    del target
    ids = batch[column]
    z = through(nets, view(fold(keys, 0), batch), [0, 1], encoder, heads, fold(keys, 1))
    edited = _filled_in(nets[generator], nets[lm], mask(fold(keys, 2), ids), ids)
    net = nets[discriminator]
    x = net.embed(edited, keys=fold(keys, 3)).at[:, 0].set(z[0])
    logits = nets[head](net.encode(x, edited != 0, keys=fold(keys, 3)).tokens)[..., 0]
    return {'q': z[0], 'k': z[1], 'logits': logits, 'replaced': edited != ids, 'mask': ids != 0}

  def judge(nets, encoded, state, key, step):
    del nets, key
    contrast, detect = (at(objectives[name], step) for name in ('contrast', 'detect'))
    near = jnp.mean(contrast(encoded['q'], encoded['k']))
    found = jnp.mean(detect(encoded['logits'], encoded['replaced'], mask=encoded['mask']))
    share = jnp.sum(encoded['replaced'] & encoded['mask']) / jnp.sum(encoded['mask'])
    return near + weight_detect * found, (state, {'contrast': near, 'detect': found, 'replaced': share})

  return Term(stateless, encode, judge, _pairs)


def denoising(
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
    rebuilt = jnp.mean(denoise(encoded['logits'], encoded['tokens'], mask=encoded['tokens'] != 0))
    near = jnp.mean(contrast(encoded['q'], encoded['k']))
    return weight_denoise * rebuilt + weight_contrast * near, (state, {'denoise': rebuilt, 'contrast': near})

  return Term(stateless, encode, judge, _pairs)


def _filled_in(generator, lm, hidden, ids):
  """The ids with the generator's most likely tokens in the hidden places."""
  tokens = jnp.take_along_axis(generator(ids, mask=hidden.mask).tokens, hidden.places[..., None], 1)
  best = jnp.argmax(lm(tokens, generator.table), -1)
  fill = lambda ids, places, best, valid: ids.at[places].set(jnp.where(valid, best, ids[places]))
  return jax.lax.stop_gradient(jax.vmap(fill)(ids, hidden.places, best.astype(ids.dtype), hidden.valid))


def _pairs(encoded, state, step):
  del state, step
  return {'pairs': (encoded['q'], encoded['k'])}
