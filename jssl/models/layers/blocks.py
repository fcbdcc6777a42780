"""The transformer's block, and many of them as one: parameters stacked on a leading layer axis, run by a scan."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.devices.sharding import gathered, over_examples
from jssl.models.layers import activations
from jssl.models.layers.attention import Attention
from jssl.models.layers.cache import Cache
from jssl.models.layers.dropout import drop_path, dropout
from jssl.models.layers.initializers import kernel_init
from jssl.models.layers.normalization import LayerNorm
from jssl.types import Array, Keys, fold


class FeedForward(nnx.Module):
  """fc2(f(fc1(x))), or gated, fc2(f(gate(x)) fc1(x)).

  Args:
    on: width of the tokens.
    width: of the hidden layer.
    dropout: rate, in the hidden layer.
    activation: f, one of `activations.ACTIVATIONS`.
    gated: by a third linear map: Shazeer, arXiv:2002.05202, Eq. 6 (SwiGLU where f is 'silu').
    bias: of the linear maps.
    std: of the kernels, as in `kernel_init`.
    dtype: to compute in.
  """

  def __init__(
    self,
    on: int,
    *,
    width: int,
    dropout: float = 0.0,
    activation: str = 'gelu',
    gated: bool = False,
    bias: bool = True,
    std: float = 0.02,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    options = dict(use_bias=bias, kernel_init=kernel_init(std), dtype=jnp.dtype(dtype), rngs=rngs)
    self.fc1 = nnx.Linear(on, width, **options)
    self.fc2 = nnx.Linear(width, on, **options)
    self.gate = nnx.Linear(on, width, **options) if gated else None
    self.dropout, self.activation = dropout, activations.activation(activation)

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Array:
    hidden = self.activation(self.fc1(x)) if self.gate is None else self.activation(self.gate(x)) * self.fc1(x)
    return self.fc2(dropout(hidden, keys, self.dropout))


class Block(nnx.Module):
  """x + gamma1 attention(norm(x)), then x + gamma2 mlp(norm(x)): pre-norm, with stochastic depth and dropout.

  Args:
    on: width of the tokens.
    heads: of the attention.
    ratio: width of the hidden layer over that of the tokens.
    hidden: width of the hidden layer; None for what `ratio` says.
    dropout: rate, after the attention, in the hidden layer and after it.
    attention_dropout: rate, of attention probabilities.
    layer_scale: where gamma starts (Touvron et al., arXiv:2103.17239, Eq. 4), or None for none.
    qk_norm, causal: as in `Attention`.
    bias, key_bias: as in `Attention`; that of its output stays.
    activation, gated: as in `FeedForward`.
    epsilon: of the normalisations.
    std: of the kernels, as in `kernel_init`.
    dtype: to compute in.

  Reference: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, Eq. 2 and 3.
  """

  def __init__(
    self,
    on: int,
    *,
    heads: int,
    ratio: float = 4.0,
    hidden: int | None = None,
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    layer_scale: float | None = None,
    qk_norm: bool | str = False,
    causal: bool = False,
    bias: bool = True,
    key_bias: bool = True,
    activation: str = 'gelu',
    gated: bool = False,
    epsilon: float = 1e-6,
    std: float = 0.02,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    options = dict(epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    self.norm1 = LayerNorm(on, **options)
    made = dict(std=std, dtype=dtype, rngs=rngs)
    biases = dict(bias=bias, key_bias=key_bias, proj_bias=True)
    self.attention = Attention(on, heads=heads, qk_norm=qk_norm, causal=causal, dropout=attention_dropout, **biases, **made)
    self.norm2 = LayerNorm(on, **options)
    self.mlp = FeedForward(on, width=hidden or int(on * ratio), activation=activation, gated=gated, dropout=dropout, **made)
    self.gamma1 = None if layer_scale is None else nnx.Param(jnp.full(on, layer_scale))
    self.gamma2 = None if layer_scale is None else nnx.Param(jnp.full(on, layer_scale))
    self.dropout = dropout

  def __call__(
    self,
    x: Array,
    *,
    mask: Array | None = None,
    rotary: Array | None = None,
    keys: Keys | None = None,
    rate: float | Array | None = None,
  ) -> Array:
    """[b n d] -> [b n d]; mask and rotary as in `Attention`, `rate` of stochastic depth, None for none."""
    key = (lambda i: None) if keys is None else partial(fold, keys)

    def add(x, y, gamma, i):
      if gamma is not None:
        y = y * gamma[...].astype(y.dtype)
      y = dropout(y, key(i), self.dropout)
      return x + (y if rate is None else drop_path(y, key(i + 1), rate))

    x = add(x, self.attention(self.norm1(x), mask=mask, rotary=rotary, keys=key(5)), self.gamma1, 0)
    return add(x, self.mlp(self.norm2(x), keys=key(2)), self.gamma2, 3)

  def decode(self, x: Array, cache: Cache, **given: Array | None) -> tuple[Array, Cache]:
    """Further tokens [b t d] -> [b t d], and the cache with them; as in `Attention.decode`."""
    scaled = lambda y, gamma: y if gamma is None else y * gamma[...].astype(y.dtype)
    y, cache = self.attention.decode(self.norm1(x), cache, **given)
    x = x + scaled(y, self.gamma1)
    return x + scaled(self.mlp(self.norm2(x)), self.gamma2), cache


class AttentionPool(nnx.Module):
  """One vector of a sequence, or several: learned queries attend to its tokens, and y + mlp(norm(y)) or norm(y) of what they find.

  Args:
    on: width of the tokens.
    heads: of the attention.
    hidden: width of the hidden layer; None for norm(y), without the layers (CoCa).
    queries: their number; None for one, and a vector.
    activation: as in `FeedForward`.
    epsilon: of the normalisation.
    std: of the kernels, as in `kernel_init`.
    dtype: to compute in.

  Reference: Lee et al. (Set Transformer), ICML 2019, arXiv:1810.00825, section 3.2; at the end of a vision transformer: Zhai et al.,
    CVPR 2022, arXiv:2106.04560, section 3.2, with the residual connection of the official code; without layers, and several queries: Yu et
    al. (CoCa), TMLR 2022, arXiv:2205.01917, section 3.2 (in the official code attention is four times as wide as the tokens).
  """

  def __init__(
    self,
    on: int,
    *,
    heads: int,
    hidden: int | None,
    queries: int | None = None,
    activation: str = 'gelu',
    epsilon: float = 1e-6,
    std: float = 0.02,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.several = queries is not None
    self.query = nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (queries or 1, on)))
    self.attention = Attention(on, heads=heads, context=on, std=std, dtype=dtype, rngs=rngs)
    self.norm = LayerNorm(on, epsilon=epsilon, dtype=jnp.dtype(dtype), rngs=rngs)
    self.mlp = FeedForward(on, width=hidden, activation=activation, std=std, dtype=dtype, rngs=rngs) if hidden else None

  def __call__(self, x: Array) -> Array:
    """[b n d] -> [b d], or [b queries d] for several."""
    query = jnp.broadcast_to(self.query[...].astype(x.dtype), (len(x), *self.query.shape))
    y = self.attention(query, x)
    y = self.norm(y) if self.mlp is None else y + self.mlp(self.norm(y))
    return y if self.several else y[:, 0]


def stacked(make: Callable[[nnx.Rngs], nnx.Module], depth: int, *, rescale: bool | str = False, rngs: nnx.Rngs) -> nnx.Module:
  """`depth` blocks as one: every parameter has a leading layer axis, so that one block is compiled for all.

  Args:
    make: rngs -> a block without state of its own.
    depth: l.
    rescale: divide the kernels that write into the residual stream by sqrt(2 l), for True by the number l = 1, 2, ... of
      their block (BEiT, I-JEPA), for 'depth' by that of all blocks (GPT-2).
    rngs: seeds every block differently.

  Returns:
    A block whose parameters are [l ...]; run it by `scan`.
  """
  graphdef = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))))[0]
  keys = jax.random.split(rngs.params(), depth)
  params = jax.vmap(lambda key: nnx.to_pure_dict(nnx.state(make(nnx.Rngs(key)))))(keys)
  if rescale:
    layers = jnp.full(depth, depth) if rescale == 'depth' else jnp.arange(1, depth + 1)
    scale = 1 / jnp.sqrt(2.0 * layers)[:, None, None]
    for layer in (params['attention']['proj'], params['mlp']['fc2']):
      layer['kernel'] *= scale
  blocks = nnx.merge(graphdef, params)
  for _, x in nnx.iter_graph(blocks):
    if isinstance(x, nnx.Param):
      x.set_metadata(stacked=True)
  return blocks


def scan(
  blocks: nnx.Module,
  x: Array,
  *,
  mask: Array | None = None,
  keys: Keys | None = None,
  drop_path: float | tuple[float, float] = 0.0,
  remat: bool = False,
  each: Mapping[str, Array] | None = None,
  **given: Array | None,
) -> tuple[Array, Array]:
  """Run stacked blocks one after another.

  Args:
    blocks: from `stacked`.
    x: [b n d].
    mask: what may be attended, as in `attention`; the same in every block.
    keys: [b], or None for evaluation.
    drop_path: rate of stochastic depth of the last block; it grows linearly from 0 at the first. Two rates are those of both.
    remat: hold only the states between blocks for the backward pass, and recompute the blocks.
    each: what each block is given of its own, [l ...] by name.
    **given: what every block is given besides, such as a context to attend to.

  Returns:
    What the last block gives, [b n d], and what every block gives, [l b n d].
  """
  graphdef, params = nnx.split(blocks)
  params = nnx.to_pure_dict(params)
  depth = jax.tree.leaves(params)[0].shape[0]
  ends = drop_path if isinstance(drop_path, tuple) else (0, drop_path)
  rates = jnp.linspace(*ends, depth)

  def block(x, layer):
    params, rate, i, own = layer
    x = over_examples(x, 'sequence')
    y = gathered(nnx.merge(graphdef, params, copy=True), blocks=True)(
      x, mask=mask, keys=None if keys is None else fold(keys, i), rate=rate if any(ends) else None, **own, **given
    )
    y = over_examples(y, 'sequence')
    return y, y

  # Left to itself a scan stores every intermediate of a block; to store the products of its linear maps alone and redo
  # the rest takes less than half the memory, and less time where memory is what is slow.
  saved = None if remat else jax.checkpoint_policies.dots_with_no_batch_dims_saveable
  block = jax.checkpoint(block, policy=saved, prevent_cse=False)
  return jax.lax.scan(block, x, (params, rates, jnp.arange(depth), dict(each or {})))


def called(block: nnx.Module, x: Array, *, remat: bool, **given: Array | None) -> Array:
  """Calls a block that is not stacked, because its shapes differ from those of others or it has statistics, as batch norm has.

  Args:
    block: the block.
    x: its input.
    remat: store only the input for the backward pass, and recompute the block.
    **given: further arguments of the block.

  Returns:
    What the block returns; its statistics are updated once.
  """
  run = lambda block, x, given: block(x, **given)
  return nnx.remat(run)(block, x, given) if remat else run(block, x, given)


def scan_cached(blocks: nnx.Module, x: Array, cache: Cache, **given: Array | None) -> tuple[Array, Array, Cache]:
  """Run stacked blocks on further tokens; as `scan`, for evaluation.

  The cache is carried from block to block, so that a compiled loop writes into it in place.

  Args:
    blocks: from `stacked`, with a method `decode(x, cache, layer=, **given) -> (x, cache)`.
    x: [b t d].
    cache: of the tokens before.
    **given: what every block is given besides.

  Returns:
    What the last block gives, [b t d], what every block gives, [l b t d], and the cache with these tokens.
  """
  graphdef, params = nnx.split(blocks)
  params = nnx.to_pure_dict(params)

  def block(carried, layer):
    params, i = layer
    x, cache = carried
    x, cache = gathered(nnx.merge(graphdef, params, copy=True), blocks=True).decode(over_examples(x), cache, layer=i, **given)
    return (x, cache), x

  (x, cache), layers = jax.lax.scan(block, (x, cache), (params, jnp.arange(len(cache.k))))
  return x, layers, cache


def rates_of_stages(drop_path: float, depths: Sequence[int]) -> list[tuple[float, float]]:
  """Rates of stochastic depth of the first and the last block of each stage, which grow linearly over all blocks."""
  ends, last = list(itertools.accumulate(depths)), max(sum(depths) - 1, 1)
  return [(drop_path * (end - depth) / last, drop_path * (end - 1) / last) for end, depth in zip(ends, depths, strict=True)]
