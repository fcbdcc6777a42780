"""Graph attention over small graphs, and the decoder of masked graph autoencoders."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.shapes import width_of
from jssl.models.layers.activations import prelu
from jssl.models.layers.dropout import dropout
from jssl.models.layers.normalization import Identity, normalization
from jssl.models.layers.shapes import shape_of
from jssl.ops.graphs import Graph, edge_softmax
from jssl.types import Array, Features, Keys, fold


class GatLayer(nnx.Module):
  """Graph attention: each node takes in the nodes that it has edges to, and itself.

  e_ij = LeakyReLU(a_h . W_h x_i + b_h . W_h x_j),   x_i <- act(norm(concat_h sum_j softmax_j(e_ij) W_h x_j + c))

  Args:
    on: input width.
    width: output width, that of all heads together.
    heads: number of heads.
    norm: normalisation of each node by itself, 'layer' or 'none'.
    final: no norm and no activation, for outputs.
    dropout: of the inputs. attention_dropout: of the weights of edges.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Velickovic, Cucurull, Casanova, Romero, Lio, Bengio, ICLR 2018, arXiv:1710.10903, Eq. 1 to 5; initial values, PReLU, and no
    residual connections, as in the official code of GraphMAE.
  """

  def __init__(
    self,
    on: int,
    width: int,
    *,
    heads: int,
    norm: str = 'none',
    final: bool = False,
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    glorot = nnx.initializers.variance_scaling(2.0, 'fan_avg', 'normal')
    self.linear = nnx.Linear(on, width, use_bias=False, kernel_init=glorot, dtype=dtype, rngs=rngs)
    each = width // heads
    std = 2 / math.sqrt(width + each)
    self.source, self.target = (nnx.Param(std * jax.random.normal(rngs.params(), (heads, each))) for _ in range(2))
    self.bias = nnx.Param(jnp.zeros(width))
    self.norm = Identity() if final else normalization(norm, width, dtype=dtype, rngs=rngs)
    self.act = Identity() if final else prelu()
    self.dropout, self.attention_dropout = dropout, attention_dropout

  def __call__(self, x: Array, adjacency: Array, *, keys: Keys | None = None) -> Array:
    """[b n f], [b n n] -> [b n width]."""
    of = lambda i: None if keys is None else fold(keys, i)
    x = self.linear(dropout(x, of(0), self.dropout))
    x = x.reshape(*x.shape[:2], *self.source.shape)
    score = lambda weight: jnp.einsum('bnhd,hd->bhn', x, weight[...].astype(x.dtype))
    attention = edge_softmax(score(self.source)[..., :, None] + score(self.target)[..., None, :], adjacency).astype(x.dtype)
    out = jnp.einsum('bhij,bjhd->bihd', dropout(attention, of(1), self.attention_dropout), x)
    out = out.reshape(*out.shape[:2], -1) + self.bias[...].astype(x.dtype)
    return self.act(self.norm(out))


class Gat(nnx.Module):
  """Graph attention network, which replaces the features of hidden nodes by a learned vector. The first node is the pooled vector.

  Args:
    on: shape (n, f) of the nodes of one graph, or its ShapeDtypeStruct.
    widths: widths of the layers, each a multiple of the heads; the last is `dim`.
    heads: number of heads in each layer.
    norm, dropout, attention_dropout: as in `GatLayer`.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Raises:
    ValueError: for a width that heads do not divide, or a norm other than 'layer' and 'none', whose statistics would include padding.

  Reference: Hou et al., KDD 2022, arXiv:2205.10803, section 3; heads are concatenated and activated after the last layer too, as in the
    official code.
  """

  def __init__(
    self,
    on,
    *,
    widths: tuple[int, ...] = (512, 512),
    heads: int = 4,
    norm: str = 'none',
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    if norm not in ('layer', 'none'):
      raise ValueError(f"norm is {norm!r}, and a Gat normalises each node by itself; choose 'layer' or 'none'")
    if uneven := [width for width in widths if width % heads]:
      raise ValueError(f'a layer is {uneven[0]} wide, which {heads} heads do not divide; give a multiple')
    on = shape_of(on)[-1]
    self.mask_token = nnx.Param(jnp.zeros(on))
    options = dict(heads=heads, norm=norm, dropout=dropout, attention_dropout=attention_dropout, dtype=dtype, rngs=rngs)
    for i, width in enumerate(widths, 1):
      setattr(self, f'layer{i}', GatLayer(on, width, **options))
      on = width
    self.dim, self.depth, self.dtype = on, len(widths), dtype

  def __call__(self, x: Graph, *, mask: Array | None = None, keys: Keys | None = None) -> Features:
    """Graphs of n nodes, and [b n] bool, True = hidden -> tokens [b n d], pooled [b d]."""
    nodes, adjacency = x.nodes.astype(self.dtype), x.adjacency
    if mask is not None:
      nodes = jnp.where(mask[..., None], self.mask_token[...].astype(self.dtype), nodes)
    for i in range(1, self.depth + 1):
      nodes = getattr(self, f'layer{i}')(nodes, adjacency, keys=None if keys is None else fold(keys, i))
    return Features(nodes, nodes[:, 0])


class GraphDecoder(nnx.Module):
  """A linear map, zeros at the nodes that were hidden from the encoder (re-mask), and one layer of graph attention to the features.

  Args:
    on: the encoder, or its width.
    dim: number of features.
    heads: number of heads.
    remask: zeros at the hidden nodes.
    dropout, attention_dropout: as in `GatLayer`.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Hou et al., KDD 2022, arXiv:2205.10803, section 3, Eq. 1, and 'GNN with re-mask decoding'.
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    dim: int,
    heads: int = 1,
    remask: bool = True,
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.dim, self.remask, on = dim, remask, width_of(on)
    self.linear = nnx.Linear(on, on, use_bias=False, dtype=dtype, rngs=rngs)
    options = dict(dropout=dropout, attention_dropout=attention_dropout, dtype=dtype, rngs=rngs)
    self.layer = GatLayer(on, dim, heads=heads, final=True, **options)

  def __call__(self, tokens: Array, graph: Graph, mask: Array, *, keys: Keys | None = None) -> Array:
    """Tokens [b n d], their graph, and [b n] bool, True = hidden -> [b n dim]."""
    x = self.linear(tokens)
    return self.layer(jnp.where(mask[..., None] & self.remask, 0, x), graph.adjacency, keys=keys)
