"""Tables of vectors, looked up by number, and what relations do to them."""

import math
from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx

from jssl.ops import triple_scores as scores
from jssl.ops.look_up import look_up
from jssl.ops.normalize import l2_normalize
from jssl.types import Array, Features, Keys


class Embedding(nnx.Module):
  """A table of vectors.

  Args:
    on: a network, or numbers of any shape.
    count: vectors in the table.
    dim: their width; None for that of the network that feeds it.
    std: of the normal distribution they start from; 1/sqrt(dim) unless given.
    unit: scale what is looked up to unit length. Rescaling the table after each update instead, as papers on knowledge
      graphs do, is this with the radial part of the gradient left out, which is zero here.
    rngs: as nnx asks for.
  """

  def __init__(self, on, *, count: int, dim: int | None = None, std: float | None = None, unit: bool = False, rngs: nnx.Rngs):
    dim = dim or on.dim
    std = 1 / math.sqrt(dim) if std is None else std
    self.embedding = nnx.Param(std * nnx.initializers.normal(1.0)(rngs.params(), (count, dim)))
    self.count, self.dim, self.unit = count, dim, unit

  def __call__(self, ids: Array, *, keys: Keys | None = None) -> Features:
    """[...] numbers -> tokens [... 1 d], pooled [... d]."""
    x = self.look_up(ids)
    x = l2_normalize(x) if self.unit else x
    return Features(x[..., None, :], x)

  def look_up(self, ids: Array) -> Array:
    return look_up(self.embedding[...], ids)


class EmbeddingBag(Embedding):
  """The mean of several vectors of a table: a word by its pieces, a context by its words.

  Args:
    on, count, rngs: as in `Embedding`, as are further options.
    pad: the number of padding, which has no part in the mean.
  """

  def __init__(self, on, *, count: int, dim: int | None = None, std: float | None = None, unit: bool = False, pad: int = 0, rngs: nnx.Rngs):
    super().__init__(on, count=count, dim=dim, std=std, unit=unit, rngs=rngs)
    self.pad = pad

  def look_up(self, ids: Array) -> Array:
    """[... m] numbers -> [... d]; zeros where all is padding."""
    given = ids != self.pad
    x = jnp.where(given[..., None], look_up(self.embedding[...], ids), 0).sum(-2)
    return x / jnp.maximum(given.sum(-1), 1)[..., None]


class Table(nnx.Module):
  """A few learned vectors, all given at once: weights of the places of a window.

  Args:
    on: the network that has their width.
    count: vectors.
    rngs: not used: all start at 1.
  """

  def __init__(self, on: nnx.Module, *, count: int, rngs: nnx.Rngs):
    del rngs
    self.vectors = nnx.Param(jnp.ones((count, on.dim)))
    self.dim = on.dim

  def __call__(self) -> Array:
    """[count d]."""
    return self.vectors[...]


class Relations(nnx.Module):
  """The relations of a knowledge graph: a parameter each, and a score of triples by it.

  Args:
    score: (h: [... d], parameter, t: [... d]) -> [...], high is plausible.
    shape: of the parameter of one relation.
    count: relations.
    std: of the normal distribution that parameters start from.
    rngs: as nnx asks for.
  """

  def __init__(self, score: Callable, shape: tuple[int, ...], *, count: int, std: float, rngs: nnx.Rngs):
    self.embedding = nnx.Param(std * nnx.initializers.normal(1.0)(rngs.params(), (count, *shape)))
    self.score = score

  def __call__(self, h: Array, relation: Array, t: Array) -> Array:
    """Heads and tails [... d] and numbers of relations [...], which broadcast -> [...]."""
    return self.score(h, look_up(self.embedding[...], relation), t)

  @property
  def vectors(self) -> Array:
    """[r ...], the parameter of each relation."""
    return self.embedding[...]


def transe(on: nnx.Module, *, count: int, std: float = 0.1, rngs: nnx.Rngs) -> Relations:
  """Relations as translations; on the entities' table, as are the others."""
  return Relations(scores.transe, (on.dim,), count=count, std=std, rngs=rngs)


def distmult(on: nnx.Module, *, count: int, std: float = 1.0, rngs: nnx.Rngs) -> Relations:
  """Relations as diagonal matrices."""
  return Relations(scores.distmult, (on.dim,), count=count, std=std, rngs=rngs)


def bilinear(on: nnx.Module, *, count: int, std: float = 1.0, rngs: nnx.Rngs) -> Relations:
  """Relations as full matrices."""
  return Relations(scores.bilinear, (on.dim, on.dim), count=count, std=std, rngs=rngs)


def complex_(on: nnx.Module, *, count: int, std: float = 1.0, rngs: nnx.Rngs) -> Relations:
  """Relations as complex diagonal matrices; the table's first half is the real part."""
  return Relations(scores.complex_, (on.dim,), count=count, std=std, rngs=rngs)


def rotate(on: nnx.Module, *, count: int, std: float = 1.0, rngs: nnx.Rngs) -> Relations:
  """Relations as rotations, a phase for each two dimensions of an even table."""
  return Relations(scores.rotate, (on.dim // 2,), count=count, std=std, rngs=rngs)
