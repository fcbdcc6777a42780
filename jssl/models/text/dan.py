"""Deep averaging networks."""

import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.projection import ProjectionMlp
from jssl.models.layers.shapes import whole
from jssl.types import Array, Features, Keys


class Dan(nnx.Module):
  """A feed-forward network on the mean of the vectors of words and of word bigrams.

  Bigrams have a separate table, indexed by a hash of their two ids.

  Args:
    on: (n,), the shape of one example's ids, or its ShapeDtypeStruct; other lengths are accepted too.
    vocabulary: number of ids.
    buckets: size of the bigram table; 0 for no bigrams.
    width: width of the vectors.
    widths: widths of the feed-forward layers; the last is `dim`.
    std: standard deviation of initial vectors.
    pad: the id of padding.
    dtype: compute type of the feed-forward layers; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Iyyer et al., ACL 2015, doi:10.3115/v1/P15-1162; pairs: Cer et al. 2018, arXiv:1803.11175, section 2.3.
  """

  def __init__(
    self,
    on,
    *,
    vocabulary: int,
    buckets: int = 20_000,
    width: int = 128,
    widths: tuple[int, ...] = (256, 512),
    std: float = 0.1,
    pad: int = 0,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    del on
    embed = lambda count: nnx.Embed(count, width, embedding_init=nnx.initializers.normal(std), rngs=rngs)
    self.word, self.pair = embed(vocabulary), embed(buckets) if buckets else None
    self.mlp = ProjectionMlp(width, widths=widths, norm='none', dtype=dtype, rngs=rngs)
    self.dim, self.vocabulary, self.buckets, self.pad = widths[-1], vocabulary, buckets, pad

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """[b n] ids -> tokens [b 1 d], pooled [b d]."""
    whole(keep, 'a Dan')
    there = self.attended(x)[..., None]
    total, count = jnp.sum(self.word(x) * there, 1), jnp.sum(there, 1)
    if self.pair is not None:
      both = there[:, 1:] & there[:, :-1]
      total += jnp.sum(self.pair(hashed(x[:, :-1], x[:, 1:], self.buckets)) * both, 1)
      count += jnp.sum(both, 1)
    pooled = self.mlp(total / jnp.maximum(count, 1))
    return Features(pooled[:, None], pooled)

  def attended(self, x: Array) -> Array:
    """[b n] ids -> [b n] bool, True where not padding."""
    return x != self.pad


def hashed(a: Array, b: Array, buckets: int) -> Array:
  """A number below `buckets` for each pair of integers, by 32-bit FNV-1a."""
  h = jnp.uint32(2166136261)
  for x in (a, b):
    h = (h ^ x.astype(jnp.uint32)) * jnp.uint32(16777619)
  return ((h ^ (h >> 15)) % jnp.uint32(buckets)).astype(jnp.int32)
