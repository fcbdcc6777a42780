"""Product quantisation with a Gumbel softmax."""

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import width_of
from jssl.models.layers.dropout import dropout
from jssl.types import Array, Keys, fold


class GumbelQuantizer(nnx.Module):
  """Replaces each frame by one entry of each of several codebooks, side by side.

  p_gv = softmax_v((l_gv + n_gv) / tau), l the logits of a linear map and n Gumbel noise. The entry is that of the largest p; its gradient is
  that of the mean of the entries under p (straight through).

  Args:
    on: width of the frames; or a module that has a `front`, whose frames are quantised before they are projected, or a `dim`.
    groups: G, codebooks.
    entries: V, entries a codebook.
    dim: width of the result; each entry has dim / G numbers.
    dropout: rate, of the frames.
    dtype: to compute in; the softmax and parameters are float32.
    rngs: random number generators, for the initialisation.

  Attributes: `dim`.

  Raises:
    ValueError: the codebooks do not divide `dim`.

  Reference: Baevski, Zhou, Mohamed, Auli (wav2vec 2.0), NeurIPS 2020, arXiv:2006.11477, section 2, Eq. 1: G = 2, V = 320, entries of 128
    numbers in BASE; Jang, Gu, Poole, ICLR 2017, arXiv:1611.01144. Logits and entries begin as in the official code, gumbel_vector_quantizer.py.
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    groups: int = 2,
    entries: int = 320,
    dim: int = 256,
    dropout: float = 0.0,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    if dim % groups:
      raise ValueError(f'{groups} codebooks do not divide a width of {dim}')
    self.dim, self.groups, self.entries, self.dropout, self.dtype = dim, groups, entries, dropout, dtype
    width, init = width_of(getattr(on, 'front', on)), nnx.initializers.normal(1.0)
    self.logits = nnx.Linear(width, groups * entries, kernel_init=init, dtype=dtype, rngs=rngs)
    self.embedding = nnx.Param(jax.random.uniform(rngs.params(), (groups, entries, dim // groups)))

  def __call__(self, x: Array, temperature: Array | float = 1.0, *, keys: Keys | None = None) -> tuple[Array, Array, Array]:
    """Quantise frames.

    Args:
      x: [b n c].
      temperature: tau.
      keys: [b], for the noise; None for the most likely entries.

    Returns:
      vectors [b n dim]; logits [b n G V], float32; codes [b n G] int32, which entries the vectors are made of.
    """
    x = dropout(x, None if keys is None else fold(keys, 1), self.dropout)
    logits = self.logits(x).astype(jnp.float32).reshape(*x.shape[:-1], self.groups, self.entries)
    noise = 0.0 if keys is None else jax.vmap(lambda key: jax.random.gumbel(key, logits.shape[1:]))(keys)
    codes = jnp.argmax(logits + noise, -1)
    p = jax.nn.softmax((logits + noise) / temperature)
    chosen = jax.nn.one_hot(codes, self.entries) + (p - jax.lax.stop_gradient(p))
    vectors = jnp.einsum('bngv,gvd->bngd', chosen.astype(self.dtype), self.embedding[...].astype(self.dtype), precision='highest')
    return vectors.reshape(*x.shape[:-1], self.dim), logits, codes.astype(jnp.int32)
