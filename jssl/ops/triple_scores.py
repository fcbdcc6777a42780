"""Scores of the triples (head, relation, tail) of a knowledge graph.

A score takes vectors [... d] that broadcast against each other, so that tails [b k d] score k candidates for heads
[b 1 d]. High is plausible. `SCORES` names them.
"""

import jax.numpy as jnp
from jaxtyping import Float

from jssl.types import Array


def transe(h: Float[Array, '*s d'], r: Float[Array, '*s d'], t: Float[Array, '*s d'], *, norm: int = 1) -> Float[Array, ' *s']:
  """A relation is a translation: -|h + r - t|_norm.

  Args:
    h: [... d] heads.
    r: [... d] relations.
    t: [... d] tails.
    norm: 1 or 2.

  Returns:
    [...].

  Raises:
    ValueError: for another norm.

  Reference: Bordes, Usunier, Garcia-Duran, Weston, Yakhnenko 2013, doi:10.5555/2999792.2999923, section 2.
  """
  if norm not in (1, 2):
    raise ValueError(f'transe has norm 1 or 2, not {norm}')
  e = _float(h) + _float(r) - _float(t)
  return -jnp.sum(jnp.abs(e) if norm == 1 else _length(jnp.sum(e * e, -1, keepdims=True)), -1)


def distmult(h: Float[Array, '*s d'], r: Float[Array, '*s d'], t: Float[Array, '*s d']) -> Float[Array, ' *s']:
  """A relation is a diagonal matrix: sum_d h_d r_d t_d.

  Args:
    h: [... d] heads.
    r: [... d] relations.
    t: [... d] tails.

  Returns:
    [...].

  Reference: Yang, Yih, He, Gao, Deng 2015, arXiv:1412.6575, section 3.
  """
  return jnp.sum(_float(h) * _float(r) * _float(t), -1)


def complex_(h: Float[Array, '*s d'], r: Float[Array, '*s d'], t: Float[Array, '*s d']) -> Float[Array, ' *s']:
  """DistMult in complex space, which tells head from tail: Re sum_d h_d r_d conj(t_d).

  Args:
    h: [... d] heads, d even: the first half is the real part.
    r: [... d] relations.
    t: [... d] tails.

  Returns:
    [...].

  Reference: Trouillon, Welbl, Riedel, Gaussier, Bouchard 2016, arXiv:1606.06357, section 3.
  """
  (a, b), (c, d), (e, f) = map(_halves, (h, r, t))
  return jnp.sum((a * c - b * d) * e + (a * d + b * c) * f, -1)


def rotate(h: Float[Array, '*s d'], r: Float[Array, '*s half'], t: Float[Array, '*s d']) -> Float[Array, ' *s']:
  """A relation is a rotation in complex space: -sum_d |h_d e^{i r_d} - t_d|.

  Args:
    h: [... d] heads, d even: the first half is the real part.
    r: [... d/2] phases in radians.
    t: [... d] tails.

  Returns:
    [...].

  Reference: Sun, Deng, Nie, Tang 2019, arXiv:1902.10197, section 3; the sum of moduli as in the official code.
  """
  (a, b), (e, f), r = _halves(h), _halves(t), _float(r)
  real, imaginary = a * jnp.cos(r) - b * jnp.sin(r) - e, a * jnp.sin(r) + b * jnp.cos(r) - f
  return -jnp.sum(_length(real * real + imaginary * imaginary), -1)


def bilinear(h: Float[Array, '*s d'], r: Float[Array, '*s d d'], t: Float[Array, '*s d']) -> Float[Array, ' *s']:
  """A relation is a matrix: h^T R t.

  Args:
    h: [... d] heads.
    r: [... d d] relations.
    t: [... d] tails.

  Returns:
    [...].

  Reference: Nickel, Tresp, Kriegel 2011 (RESCAL); Yang, Yih, He, Gao, Deng 2015, arXiv:1412.6575, section 3.
  """
  return jnp.einsum('...i,...ij,...j->...', _float(h), _float(r), _float(t), precision='highest')


SCORES = {'transe': transe, 'distmult': distmult, 'complex': complex_, 'rotate': rotate, 'bilinear': bilinear}


def _float(x: Array) -> Array:
  return x.astype(jnp.float32)


def _halves(x: Array) -> list[Array]:
  return jnp.split(_float(x), 2, -1)


def _length(square: Array) -> Array:
  """The root, with gradient 0 at 0."""
  return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
