"""Recurrent encoders of texts, in both directions."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.layers.attention_pooling import POOLS
from jssl.models.layers.shapes import whole
from jssl.ops.pooling import masked_mean
from jssl.types import Array, Features, Keys

Carry = tuple[Array, Array]  # hidden state and memory [2 b h], of both directions


class BiRecurrent(nnx.Module):
  """One recurrent layer that reads a sequence from both ends. Padding changes no state.

  LSTM: i, f, g, o = W x_t + U h,  c' = sigmoid(f) c + sigmoid(i) tanh(g),  h' = sigmoid(o) tanh(c')
  GRU: r, z, n = W x_t and U h,  h' = sigmoid(z) h + (1 - sigmoid(z)) tanh(n_x + sigmoid(r) n_h)

  Args:
    on: width of the inputs.
    hidden: h, of each direction.
    cell: 'lstm' or 'gru'.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Parameters are uniform in +-1/sqrt(h), as in PyTorch. Inputs and states have a bias each.

  Reference: Hochreiter, Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, with forget gates; Cho et al., EMNLP 2014, arXiv:1406.1078, with
  the reset gate after the product, as in PyTorch.
  """

  def __init__(self, on: int, *, hidden: int, cell: str = 'lstm', dtype: str = 'float32', rngs: nnx.Rngs):
    draw = lambda *shape: nnx.Param(jax.random.uniform(rngs.params(), shape, minval=-1, maxval=1) / math.sqrt(hidden))
    gates = hidden * GATES[cell]
    self.enter, self.enter_bias = draw(2, on, gates), draw(2, gates)
    self.recur, self.recur_bias = draw(2, hidden, gates), draw(2, gates)
    self.hidden, self.cell, self.dtype = hidden, cell, jnp.dtype(dtype)

  def __call__(self, x: Array, mask: Array, carry: Carry | None = None) -> tuple[Array, Carry]:
    """[b n d], of which the tokens in mask [b n] are real, from a state -> states of both directions [b n 2h], and the last state."""
    enter, enter_bias, recur, recur_bias = (p[...].astype(self.dtype) for p in (self.enter, self.enter_bias, self.recur, self.recur_bias))
    x, real = x.astype(self.dtype), jnp.stack([mask, mask[:, ::-1]])
    inputs = jnp.einsum('sbnd,sdk->nsbk', jnp.stack([x, x[:, ::-1]]), enter) + enter_bias[:, None]
    nothing = jnp.zeros((2, len(x), self.hidden), self.dtype)

    def step(carry, given):
      x, real = given
      moved = CELLS[self.cell](carry, x, jnp.einsum('sbh,shk->sbk', carry[0], recur) + recur_bias[:, None])
      carry = jax.tree.map(lambda new, old: jnp.where(real[..., None], new, old), moved, carry)
      return carry, carry[0]

    carry, states = jax.lax.scan(step, (nothing, nothing) if carry is None else carry, (inputs, jnp.moveaxis(real, 2, 0)))
    forth, back = jnp.moveaxis(states, 0, 2)
    return jnp.concatenate([forth, back[:, ::-1]], -1), carry


def lstm(carry: Carry, x: Array, u: Array) -> Carry:
  i, f, g, o = jnp.split(x + u, 4, -1)
  memory = jax.nn.sigmoid(f) * carry[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
  return jax.nn.sigmoid(o) * jnp.tanh(memory), memory


def gru(carry: Carry, x: Array, u: Array) -> Carry:
  (r, z, n), (r_h, z_h, n_h) = jnp.split(x, 3, -1), jnp.split(u, 3, -1)
  z = jax.nn.sigmoid(z + z_h)
  return z * carry[0] + (1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + r_h) * n_h), carry[1]


CELLS: dict[str, Callable[[Carry, Array, Array], Carry]] = dict(lstm=lstm, gru=gru)
GATES = dict(lstm=4, gru=3)


class Recurrent(nnx.Module):
  """Word vectors through recurrent layers in both directions, pooled to one vector.

  Args:
    on: (n,), the shape of one example's ids, or its ShapeDtypeStruct; other lengths are accepted too.
    vocabulary: number of ids.
    width: width of the word vectors.
    hidden: h, states of a layer and direction.
    depth: number of layers.
    cell: 'lstm' or 'gru', as in `BiRecurrent`.
    refine: every layer reads the word vectors and begins from the last states of the layer before, and the vectors of all layers are joined;
      otherwise a layer reads the states of the one before, and the vector is that of the last.
    pool: 'max' over the tokens, 'mean', 'last', the last states of both directions, or one of `attention_pooling.POOLS`.
    pool_heads: m, of these.
    std: standard deviation of initial word vectors.
    pad: the id of padding.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Attributes: `dim`, the width of the vector.

  Raises:
    ValueError: for an unknown cell or pool.

  Reference: Conneau et al. (InferSent), EMNLP 2017, arXiv:1705.02364, section 3.2; refine: Talman, Yli-Jyra, Tiedemann (HBMP), NLE 2019,
  arXiv:1808.08762, section 3.
  """

  def __init__(
    self,
    on,
    *,
    vocabulary: int,
    width: int = 64,
    hidden: int = 64,
    depth: int = 1,
    cell: str = 'lstm',
    refine: bool = False,
    pool: str = 'max',
    pool_heads: int = 8,
    std: float = 0.1,
    pad: int = 0,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    del on
    if cell not in CELLS or pool not in ('max', 'mean', 'last', *POOLS):
      raise ValueError(f"cell={cell!r}, pool={pool!r}: expected one of {', '.join(CELLS)}, and 'max', 'mean', 'last' or {', '.join(POOLS)}")
    self.word = nnx.Embed(vocabulary, width, embedding_init=nnx.initializers.normal(std), rngs=rngs)
    self.depth, self.refine, self.pool, self.pad, self.vocabulary = depth, refine, pool, pad, vocabulary
    for i in range(depth):
      on = width if refine or not i else 2 * hidden
      setattr(self, f'layer{i}', BiRecurrent(on, hidden=hidden, cell=cell, dtype=dtype, rngs=rngs))
    self.attend = POOLS[pool](2 * hidden, heads=pool_heads, dtype=dtype, rngs=rngs) if pool in POOLS else None
    self.dim = (depth if refine else 1) * (self.attend.dim if self.attend else 2 * hidden)

  def __call__(self, x: Array, *, mask: Array | None = None, keep: Array | None = None, keys: Keys | None = None) -> Features:
    """[b n] ids -> tokens [b n 2h], the states of the last layer, and pooled [b d]."""
    whole(keep, 'a Recurrent')
    real, words = self.attended(x), self.word(x)
    tokens, carry, pooled = words, None, []
    for i in range(self.depth):
      tokens, carry = getattr(self, f'layer{i}')(words if self.refine else tokens, real, carry if self.refine else None)
      if self.refine or i == self.depth - 1:
        pooled.append(self.pooled(tokens, carry, real))
    return Features(tokens, jnp.concatenate(pooled, -1))

  def pooled(self, tokens: Array, carry: Carry, real: Array) -> Array:
    """One vector of the states [b n 2h] of the tokens in real [b n]."""
    if self.attend is not None:
      return self.attend(tokens, real)
    if self.pool == 'last':
      return jnp.concatenate([*carry[0]], -1)
    if self.pool == 'mean':
      return masked_mean(tokens, real)
    return jnp.where(jnp.any(real, 1, keepdims=True), jnp.max(jnp.where(real[..., None], tokens, -jnp.inf), 1), 0)

  def attended(self, x: Array) -> Array:
    """[b n] ids -> [b n] bool, True where not padding."""
    return x != self.pad
