"""Embedding tables, and relation parameters."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.ops import triple_scores as scores
from jssl.ops.look_up import look_up
from jssl.ops.normalize import l2_normalize
from jssl.types import Array, Features, Keys


class Embedding(nnx.Module):
  """An embedding table.

  Args:
    on: a network, or ids of any shape.
    count: number of vectors.
    dim: their width; None for that of the input network.
    std: standard deviation of initial vectors; 1/sqrt(dim) by default.
    unit: scale outputs to unit length. Rescaling the table after each update instead, as in papers on knowledge graphs, is equivalent up to the
      radial part of the gradient, which is zero here.
    rngs: random key streams, as in Flax NNX.
  """

  def __init__(self, on, *, count: int, dim: int | None = None, std: float | None = None, unit: bool = False, rngs: nnx.Rngs):
    dim = dim or on.dim
    std = 1 / math.sqrt(dim) if std is None else std
    self.embedding = nnx.Param(std * nnx.initializers.normal(1.0)(rngs.params(), (count, dim)))
    self.count, self.dim, self.unit = count, dim, unit

  def __call__(self, ids: Array, *, keys: Keys | None = None) -> Features:
    """[...] ids -> tokens [... 1 d], pooled [... d]."""
    x = self.look_up(ids)
    x = l2_normalize(x) if self.unit else x
    return Features(x[..., None, :], x)

  def look_up(self, ids: Array) -> Array:
    return look_up(self.embedding[...], ids)


class EmbeddingBag(Embedding):
  """The mean of several vectors of a table, such as the pieces of a word, or the words of a context.

  Args:
    on, count, rngs: as in `Embedding`, as are further options.
    pad: the id of padding, which is excluded from the mean.
  """

  def __init__(self, on, *, count: int, dim: int | None = None, std: float | None = None, unit: bool = False, pad: int = 0, rngs: nnx.Rngs):
    super().__init__(on, count=count, dim=dim, std=std, unit=unit, rngs=rngs)
    self.pad = pad

  def look_up(self, ids: Array) -> Array:
    """[... m] ids -> [... d]; zeros if all are padding."""
    given = ids != self.pad
    x = jnp.where(given[..., None], look_up(self.embedding[...], ids), 0).sum(-2)
    return x / jnp.maximum(given.sum(-1), 1)[..., None]


class Table(nnx.Module):
  """A few learned vectors, returned together, such as weights of the positions of a window.

  Args:
    on: the network that determines their width.
    count: number of vectors.
    rngs: unused, since all values are initialised to 1.
  """

  def __init__(self, on: nnx.Module, *, count: int, rngs: nnx.Rngs):
    del rngs
    self.vectors = nnx.Param(jnp.ones((count, on.dim)))
    self.dim = on.dim

  def __call__(self) -> Array:
    """[count d]."""
    return self.vectors[...]


class Relations(nnx.Module):
  """The relations of a knowledge graph: one parameter per relation, and a score function of triples.

  Args:
    score: (h: [... d], parameter, t: [... d]) -> [...], higher is more plausible.
    shape: shape of the parameter of one relation.
    count: number of relations.
    std: standard deviation of initial parameters.
    rngs: random key streams, as in Flax NNX.
  """

  def __init__(self, score: Callable, shape: tuple[int, ...], *, count: int, std: float, rngs: nnx.Rngs):
    self.embedding = nnx.Param(std * nnx.initializers.normal(1.0)(rngs.params(), (count, *shape)))
    self.score = score

  def __call__(self, h: Array, relation: Array, t: Array) -> Array:
    """Heads and tails [... d] and relation ids [...], which broadcast -> [...]."""
    return self.score(h, look_up(self.embedding[...], relation), t)

  @property
  def vectors(self) -> Array:
    """[r ...], the parameter of each relation."""
    return self.embedding[...]


def transe(on: nnx.Module, *, count: int, std: float = 0.1, rngs: nnx.Rngs) -> Relations:
  """Relations as translations, for the embedding table `on` of entities, like the others below."""
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


def rotate(on: nnx.Module, *, count: int, rngs: nnx.Rngs) -> Relations:
  """Relations as rotations, with one phase for each two dimensions of a table of even width; initial phases are uniform over the circle."""
  relations = Relations(scores.rotate, (on.dim // 2,), count=count, std=0.0, rngs=rngs)
  relations.embedding[...] = jax.random.uniform(rngs.params(), (count, on.dim // 2), minval=-math.pi, maxval=math.pi)
  return relations
