"""Networks over states, actions and time: transitions, action embeddings, transformers over windows, predictors of action chunks."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.projection import ProjectionMlp
from jssl.models.heads.shapes import width_of
from jssl.models.layers.attention import Attention
from jssl.models.layers.blocks import Block, called
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.shapes import shape_of
from jssl.ops.look_up import one_hot
from jssl.types import Array, Features, Keys


class ActionEmbedding(nnx.Module):
  """u = psi(a): embeds actions, with discrete ones one-hot, by an MLP with one hidden layer; the identity if dim is 0.

  Args:
    on: the column of actions, whose type distinguishes discrete actions from vectors.
    actions: number of actions, or the width of the vectors.
    dim: width of the embedding; 0 for no embedding.
    hidden: width of the hidden layer.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Zheng et al., NeurIPS 2023, arXiv:2306.13229, section 3; tanh and 64 are those of the official code.
  """

  def __init__(self, on: jax.ShapeDtypeStruct, *, actions: int, dim: int = 0, hidden: int = 64, dtype: str = 'float32', rngs: nnx.Rngs):
    self.numbers, self.actions = jnp.issubdtype(on.dtype, jnp.integer), actions
    self.dim, self.coded = dim or actions, bool(dim)
    if dim:
      self.linear1 = nnx.Linear(actions, hidden, dtype=dtype, rngs=rngs)
      self.linear2 = nnx.Linear(hidden, dim, dtype=dtype, rngs=rngs)

  def __call__(self, a: Array, *, keys: Keys | None = None) -> Array:
    """[...] integers or [... a] -> [... dim]."""
    u = one_hot(a, self.actions) if self.numbers else a
    return self.linear2(jnp.tanh(self.linear1(u))) if self.coded else u


class StateActionMlp(nnx.Module):
  """An MLP of a state concatenated with other inputs, such as actions or their embeddings.

  Args:
    on: the encoder, or the width of its states.
    extra: total width of the other inputs.
    widths: widths of the layers; the last is `dim`.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.
  """

  def __init__(self, on: int | nnx.Module, *, extra: int, widths: tuple[int, ...] = (128, 64), dtype: str = 'float32', rngs: nnx.Rngs):
    self.mlp = ProjectionMlp(width_of(on) + extra, widths=widths, norm='none', dtype=dtype, rngs=rngs)
    self.dim = widths[-1]

  def __call__(self, z: Array, u: Array) -> Array:
    """[... d], [... e] -> [... dim]."""
    return self.mlp(jnp.concatenate([z, u], -1))


class CodedQ(nnx.Module):
  """Q of every discrete action, by a critic whose input is the action's embedding: Q(tanh(LN(W z)), psi(a)).

  Args:
    on: the encoder, or the width of its states.
    actions: number of actions.
    code: width of psi(a). The embedding network is the attribute `code`.
    width: width of the trunk.
    hidden: width of the two hidden layers.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Zheng et al., NeurIPS 2023, arXiv:2306.13229, section 3, and the official code, which has two critics of one continuous action.
  """

  def __init__(
    self, on: int | nnx.Module, *, actions: int, code: int = 8, width: int = 64, hidden: int = 64, dtype: str = 'float32', rngs: nnx.Rngs
  ):
    self.trunk = ProjectionMlp(on, widths=(width,), final_norm='layer', final_act='tanh', dtype=dtype, rngs=rngs)
    self.code = ActionEmbedding(jax.ShapeDtypeStruct((), jnp.int32), actions=actions, dim=code, dtype=dtype, rngs=rngs)
    self.q = ProjectionMlp(width + code, widths=(hidden, hidden, 1), norm='none', dtype=dtype, rngs=rngs)
    self.dim = actions

  def __call__(self, z: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... actions]."""
    h, u = self.trunk(z)[..., None, :], self.code(jnp.arange(self.dim))
    wide = lambda x: jnp.broadcast_to(x, (*h.shape[:-2], self.dim, x.shape[-1]))
    return self.q(jnp.concatenate([wide(h), wide(u)], -1))[..., 0]


class ActionSequence(nnx.Module):
  """One embedding of several actions: tanh(LN(W [psi(a_1), .., psi(a_k)])).

  Args:
    on: the network whose `code` embeds single actions.
    length: k, number of actions.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Zheng et al., NeurIPS 2023, arXiv:2306.13229, section 3, and the official code.
  """

  def __init__(self, on: nnx.Module, *, length: int, dtype: str = 'float32', rngs: nnx.Rngs):
    self.dim = on.code.dim * length
    self.mlp = ProjectionMlp(self.dim, widths=(self.dim,), final_norm='layer', final_act='tanh', dtype=dtype, rngs=rngs)

  def __call__(self, u: Array, *, keys: Keys | None = None) -> Array:
    """[... dim], concatenated embeddings -> [... dim]."""
    return self.mlp(u)


class Transition(nnx.Module):
  """The next latent state from a latent state and an action: z + MLP([z, u]).

  Args:
    on: the encoder, which determines the width of states.
    actions: width of u.
    hidden: width of the hidden layer.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.
  """

  def __init__(self, on: int | nnx.Module, *, actions: int, hidden: int = 128, dtype: str = 'float32', rngs: nnx.Rngs):
    self.dim = width_of(on)
    self.change = StateActionMlp(on, extra=actions, widths=(hidden, self.dim), dtype=dtype, rngs=rngs)

  def __call__(self, z: Array, u: Array) -> Array:
    """[... d], [... e] -> [... d]."""
    return z + self.change(z, u)


class WindowTransformer(nnx.Module):
  """A transformer over the steps of a window, with learned positions.

  Args:
    on: width of the states, or the encoder that computes them.
    extra: width of further inputs for each state, such as an action embedding.
    dim: output width; None for that of the states.
    length: maximal number of steps.
    width: width of the tokens.
    depth: number of blocks.
    heads: number of attention heads.
    causal: whether a step attends only to the steps up to it.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    extra: int = 0,
    dim: int | None = None,
    length: int = 16,
    width: int = 64,
    depth: int = 2,
    heads: int = 4,
    causal: bool = False,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.dim, self.depth, self.remat, self.dtype = dim or width_of(on), depth, remat, dtype
    self.embed = nnx.Linear(width_of(on) + extra, width, dtype=dtype, rngs=rngs)
    self.positions = nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (length, width)))
    for i in range(1, depth + 1):
      setattr(self, f'block{i}', Block(width, heads=heads, causal=causal, dtype=dtype, rngs=rngs))
    self.norm = LayerNorm(width, epsilon=1e-6, dtype=dtype, rngs=rngs)
    self.linear = nnx.Linear(width, self.dim, dtype=dtype, rngs=rngs)

  def __call__(self, *x: Array, keys: Keys | None = None) -> Array:
    """[b t d + extra], in one array or in several to be concatenated -> [b t dim]."""
    x = self.embed(jnp.concatenate(x, -1)) + self.positions[...][: x[0].shape[1]].astype(self.dtype)
    for i in range(1, self.depth + 1):
      x = called(getattr(self, f'block{i}'), x, remat=self.remat)
    return self.linear(self.norm(x))


class TimelineEncoder(nnx.Module):
  """A transformer over the steps of a window as a backbone, with one token per step; one token for a single observation.

  Args:
    on: [o], the shape of one observation.
    length: maximal number of steps.
    width: width of the tokens.
    depth: number of blocks.
    heads: number of attention heads.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.
  """

  def __init__(
    self, on, *, length: int = 16, width: int = 64, depth: int = 2, heads: int = 4, remat: bool = False, dtype: str = 'float32', rngs: nnx.Rngs
  ):
    (observation,) = shape_of(on)
    self.timeline = WindowTransformer(
      observation, dim=width, length=length, width=width, depth=depth, heads=heads, remat=remat, dtype=dtype, rngs=rngs
    )
    self.dim = width

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Features:
    """[b o] or [b t o] -> tokens [b t d], pooled [b d]."""
    tokens = self.timeline(x if x.ndim == 3 else x[:, None])
    return Features(tokens, tokens.mean(1))


class ActionDecoder(nnx.Module):
  """Predicts future steps with one learned query per step; queries attend to each other and to the present tokens.

  Args:
    on: the encoder.
    length: number of predicted steps.
    dim: width of each prediction; None for that of the encoder.
    width: width of the queries.
    depth: number of blocks.
    heads: number of attention heads.
    remat: recompute each block in the backward pass.
    dtype: compute type; parameters are float32.
    rngs: random key streams, as in Flax NNX.

  Reference: Zhao, Kumar, Levine, Finn (ACT), RSS 2023, arXiv:2304.13705, section 4 and appendix C.
  """

  def __init__(
    self,
    on: int | nnx.Module,
    *,
    length: int,
    dim: int | None = None,
    width: int = 64,
    depth: int = 1,
    heads: int = 4,
    remat: bool = False,
    dtype: str = 'float32',
    rngs: nnx.Rngs,
  ):
    self.dim, self.depth, self.remat, self.dtype = dim or width_of(on), depth, remat, dtype
    self.queries = nnx.Param(nnx.initializers.normal(1.0)(rngs.params(), (length, width)))
    for i in range(1, depth + 1):
      setattr(self, f'norm{i}', LayerNorm(width, epsilon=1e-6, dtype=dtype, rngs=rngs))
      setattr(self, f'cross{i}', Attention(width, heads=heads, context=width_of(on), dtype=dtype, rngs=rngs))
      setattr(self, f'block{i}', Block(width, heads=heads, dtype=dtype, rngs=rngs))
    self.norm = LayerNorm(width, epsilon=1e-6, dtype=dtype, rngs=rngs)
    self.linear = nnx.Linear(width, self.dim, dtype=dtype, rngs=rngs)

  def __call__(self, tokens: Array, *, keys: Keys | None = None) -> Array:
    """[b n d] -> [b length dim]."""
    x = jnp.broadcast_to(self.queries[...].astype(self.dtype), (len(tokens), *self.queries[...].shape))
    for i in range(1, self.depth + 1):
      x = x + getattr(self, f'cross{i}')(getattr(self, f'norm{i}')(x), tokens)
      x = called(getattr(self, f'block{i}'), x, remat=self.remat)
    return self.linear(self.norm(x))


class Matrix(nnx.Module):
  """A learned matrix, called without input: the W of a bilinear similarity.

  Args:
    on: number of columns, or the module whose output is compared.
    rows: number of rows; None for the same number.
    rngs: random key streams, as in Flax NNX.
  """

  def __init__(self, on: int | nnx.Module, *, rows: int | None = None, rngs: nnx.Rngs):
    self.dim = width_of(on)
    self.kernel = nnx.Param(nnx.initializers.lecun_normal()(rngs.params(), (rows or self.dim, self.dim)))

  def __call__(self) -> Array:
    """[rows dim]."""
    return self.kernel[...]


class Flat(nnx.Module):
  """The flattened observation: a backbone without parameters.

  Args:
    on: shape of one observation.
    rngs: unused.
  """

  def __init__(self, on, *, rngs: nnx.Rngs | None = None):
    self.dim = math.prod(shape_of(on))

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Features:
    """[b ...] -> tokens [b 1 d], pooled [b d]."""
    x = x.reshape(len(x), -1)
    return Features(x[:, None], x)
