"""Embeddings that may be read off any layer, and cut to any of several widths."""

import jax
import jax.numpy as jnp

from jssl.models.bert import masked_mean
from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Objective, Term, View, fold


def elastic(
  *,
  objective: Objective,
  align: Objective,
  view: View,
  dims: tuple[int, ...] = (8, 16, 32, 64),
  weight_cut: float = 1.0,
  weight_layer: float = 1.0,
  weight_align: float = 1.0,
  encoder: str = 'backbone',
) -> Term:
  """One objective on the last layer and on one drawn at random, whole and cut to its first features (2DMSE).

  l = l(E_N^D) + c l(E_N^d) + s ( l(E_n^D) + c l(E_n^d) ) + a ( align(E_n^D, E_N^D) + align(E_n^d, E_N^d) )

  Args:
    objective: l, (q: [b d], k: [b d]) -> [b] or scalar.
    align: (shallow: [b d], last: [b d]) -> [b], averaged over both views.
    view: draws two views of the ids.
    dims: what d is drawn from.
    weight_cut: c, of what is cut; 0 with s = a = 0 leaves the objective alone.
    weight_layer: s, of the layer n drawn from 1 to N - 1.
    weight_align: a.
    encoder: on ids; its `layers` begin with the embedding, and the mean of a layer's tokens is the sentence's.

  Reference: Li, Li, Li, Xie, Li, ICML 2024, arXiv:2402.14776, section 3.
  """

  def encode(nets, target, batch, keys):
    del target
    x = view(fold(keys, 0), batch)
    both = jnp.stack(x, 1).reshape(-1, *x[0].shape[1:])
    found = nets[encoder](both, keys=jnp.stack([fold(keys, 1), fold(keys, 2)], 1).reshape(-1))
    layers = jnp.swapaxes(masked_mean(found.layers[1:], both != 0), 0, 1)
    return layers.reshape(-1, 2, *layers.shape[1:])

  def judge(nets, encoded, state, key, step):
    del nets
    judged, aligned = at(objective, step), at(align, step)
    loss = lambda z: jnp.mean(judged(z[:, 0], z[:, 1]))
    near = lambda shallow, last: jnp.mean(aligned(shallow.reshape(-1, shallow.shape[-1]), last.reshape(-1, last.shape[-1])))
    layer = jax.random.randint(fold(key, 0), (), 0, encoded.shape[2] - 1)
    last, shallow = encoded[:, :, -1], jnp.take(encoded, layer, 2)

    def cut(d, last, shallow):
      last, shallow = last[..., :d], shallow[..., :d]
      return weight_cut * (loss(last) + weight_layer * loss(shallow)) + weight_align * near(shallow, last)

    whole = loss(last) + weight_layer * loss(shallow) + weight_align * near(shallow, last)
    drawn = jax.random.randint(fold(key, 1), (), 0, len(dims))
    return whole + jax.lax.switch(drawn, [lambda *z, d=d: cut(d, *z) for d in dims], last, shallow), (state, {})

  def watch(encoded, state, step):
    del state, step
    return {'pairs': (encoded[:, 0, -1], encoded[:, 1, -1])}

  return Term(stateless, encode, judge, watch)
