"""Networks over states, actions and time: transitions, codes of actions, transformers over a window, chunks of what follows."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.models.heads.projection import ProjectionMlp
from jssl.models.heads.shapes import width_of
from jssl.models.layers.attention import Attention
from jssl.models.layers.blocks import Block
from jssl.models.layers.normalization import LayerNorm
from jssl.models.layers.shapes import shape_of
from jssl.ops.look_up import one_hot
from jssl.types import Array, Features, Keys


class ActionEmbedding(nnx.Module):
  """u = psi(a): actions as vectors, numbers one-hot first; an MLP of one hidden layer, or as they are where dim is 0.

  Args:
    on: the column of actions, whose type tells numbers from vectors.
    actions: how many there are, or the width of the vectors.
    dim: width of the code; 0 for none.
    hidden: width of the hidden layer.
    rngs: as nnx asks for.

  Reference: Zheng et al., NeurIPS 2023, arXiv:2306.13229, section 3; tanh and 64 are those of the official code.
  """

  def __init__(self, on: jax.ShapeDtypeStruct, *, actions: int, dim: int = 0, hidden: int = 64, rngs: nnx.Rngs):
    self.numbers, self.actions = jnp.issubdtype(on.dtype, jnp.integer), actions
    self.dim, self.coded = dim or actions, bool(dim)
    if dim:
      self.linear1 = nnx.Linear(actions, hidden, rngs=rngs)
      self.linear2 = nnx.Linear(hidden, dim, rngs=rngs)

  def __call__(self, a: Array, *, keys: Keys | None = None) -> Array:
    """[...] whole numbers or [... a] -> [... dim]."""
    u = one_hot(a, self.actions) if self.numbers else a
    return self.linear2(jnp.tanh(self.linear1(u))) if self.coded else u


class StateActionMlp(nnx.Module):
  """An MLP of a state joined with something else: an action, a code, several of them.

  Args:
    on: the encoder, or the width of its states.
    extra: width of what is joined.
    widths: of the layers; the last is `dim`.
    rngs: as nnx asks for.
  """

  def __init__(self, on: int | nnx.Module, *, extra: int, widths: tuple[int, ...] = (128, 64), rngs: nnx.Rngs):
    self.mlp = ProjectionMlp(width_of(on) + extra, widths=widths, norm='none', rngs=rngs)
    self.dim = widths[-1]

  def __call__(self, z: Array, u: Array) -> Array:
    """[... d], [... e] -> [... dim]."""
    return self.mlp(jnp.concatenate([z, u], -1))


class CodedQ(nnx.Module):
  """Q of every numbered action, by a critic that is given the action's code: Q(tanh(LN(W z)), psi(a)).

  Args:
    on: the encoder, or the width of its states.
    actions: how many there are.
    code: width of psi(a). The network that codes actions is the attribute `code`.
    width: of the trunk.
    hidden: width of the two hidden layers.
    rngs: as nnx asks for.

  Reference: Zheng et al., NeurIPS 2023, arXiv:2306.13229, section 3, and the official code, whose critic is given one continuous
    action, and of which there are two.
  """

  def __init__(self, on: int | nnx.Module, *, actions: int, code: int = 8, width: int = 64, hidden: int = 64, rngs: nnx.Rngs):
    self.trunk = ProjectionMlp(on, widths=(width,), final_norm='layer', final_act='tanh', rngs=rngs)
    self.code = ActionEmbedding(jax.ShapeDtypeStruct((), jnp.int32), actions=actions, dim=code, rngs=rngs)
    self.q = ProjectionMlp(width + code, widths=(hidden, hidden, 1), norm='none', rngs=rngs)
    self.dim = actions

  def __call__(self, z: Array, *, keys: Keys | None = None) -> Array:
    """[... d] -> [... actions]."""
    h, u = self.trunk(z)[..., None, :], self.code(jnp.arange(self.dim))
    wide = lambda x: jnp.broadcast_to(x, (*h.shape[:-2], self.dim, x.shape[-1]))
    return self.q(jnp.concatenate([wide(h), wide(u)], -1))[..., 0]


class ActionSequence(nnx.Module):
  """One code of several actions: tanh(LN(W [psi(a_1), .., psi(a_k)])).

  Args:
    on: the network whose `code` codes single actions.
    length: k.
    rngs: as nnx asks for.

  Reference: Zheng et al., NeurIPS 2023, arXiv:2306.13229, section 3, and the official code.
  """

  def __init__(self, on: nnx.Module, *, length: int, rngs: nnx.Rngs):
    self.dim = on.code.dim * length
    self.mlp = ProjectionMlp(self.dim, widths=(self.dim,), final_norm='layer', final_act='tanh', rngs=rngs)

  def __call__(self, u: Array, *, keys: Keys | None = None) -> Array:
    """[... dim], codes side by side -> [... dim]."""
    return self.mlp(u)


class Transition(nnx.Module):
  """The next latent state from a latent state and an action: z + MLP([z, u]).

  Args:
    on: the encoder, whose width the states have.
    actions: width of u.
    hidden: width of the hidden layer.
    rngs: as nnx asks for.
  """

  def __init__(self, on: int | nnx.Module, *, actions: int, hidden: int = 128, rngs: nnx.Rngs):
    self.dim = width_of(on)
    self.change = StateActionMlp(on, extra=actions, widths=(hidden, self.dim), rngs=rngs)

  def __call__(self, z: Array, u: Array) -> Array:
    """[... d], [... e] -> [... d]."""
    return z + self.change(z, u)


class WindowTransformer(nnx.Module):
  """A transformer over the steps of a window, with learned positions.

  Args:
    on: width of the states, or the encoder that makes them.
    extra: width of what is joined to each state, such as a code of an action.
    dim: width of the output; None for that of the states.
    length: steps at most.
    width: of the tokens.
    depth: number of blocks.
    heads: of their attention.
    causal: whether a step sees only those up to it.
    rngs: as nnx asks for.
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
    rngs: nnx.Rngs,
  ):
    self.dim, self.depth = dim or width_of(on), depth
    self.embed = nnx.Linear(width_of(on) + extra, width, rngs=rngs)
    self.positions = nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (length, width)))
    for i in range(1, depth + 1):
      setattr(self, f'block{i}', Block(width, heads=heads, causal=causal, rngs=rngs))
    self.norm = LayerNorm(width, epsilon=1e-6, rngs=rngs)
    self.linear = nnx.Linear(width, self.dim, rngs=rngs)

  def __call__(self, *x: Array, keys: Keys | None = None) -> Array:
    """[b t d + extra], in one array or in several to be joined -> [b t dim]."""
    x = self.embed(jnp.concatenate(x, -1)) + self.positions[...][: x[0].shape[1]]
    for i in range(1, self.depth + 1):
      x = getattr(self, f'block{i}')(x)
    return self.linear(self.norm(x))


class TimelineEncoder(nnx.Module):
  """A transformer over the steps of a window as a backbone: one token a step, one for a single observation.

  Args:
    on: [o], the shape of one observation.
    length: steps at most.
    width: of the tokens.
    depth: number of blocks.
    heads: of their attention.
    rngs: as nnx asks for.
  """

  def __init__(self, on, *, length: int = 16, width: int = 64, depth: int = 2, heads: int = 4, rngs: nnx.Rngs):
    (observation,) = shape_of(on)
    self.timeline = WindowTransformer(observation, dim=width, length=length, width=width, depth=depth, heads=heads, rngs=rngs)
    self.dim = width

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Features:
    """[b o] or [b t o] -> tokens [b t d], pooled [b d]."""
    tokens = self.timeline(x if x.ndim == 3 else x[:, None])
    return Features(tokens, tokens.mean(1))


class ActionDecoder(nnx.Module):
  """What follows, a step a query: learned queries attend to each other and to the tokens of the present.

  Args:
    on: the encoder.
    length: steps told.
    dim: width of the prediction for each; None for that of the encoder.
    width: of the queries.
    depth: number of blocks.
    heads: of their attention.
    rngs: as nnx asks for.

  Reference: Zhao, Kumar, Levine, Finn (ACT), RSS 2023, arXiv:2304.13705, section 4 and appendix C.
  """

  def __init__(
    self, on: int | nnx.Module, *, length: int, dim: int | None = None, width: int = 64, depth: int = 1, heads: int = 4, rngs: nnx.Rngs
  ):
    self.dim, self.depth = dim or width_of(on), depth
    self.queries = nnx.Param(nnx.initializers.normal(1.0)(rngs.params(), (length, width)))
    for i in range(1, depth + 1):
      setattr(self, f'norm{i}', LayerNorm(width, epsilon=1e-6, rngs=rngs))
      setattr(self, f'cross{i}', Attention(width, heads=heads, context=width_of(on), rngs=rngs))
      setattr(self, f'block{i}', Block(width, heads=heads, rngs=rngs))
    self.norm = LayerNorm(width, epsilon=1e-6, rngs=rngs)
    self.linear = nnx.Linear(width, self.dim, rngs=rngs)

  def __call__(self, tokens: Array, *, keys: Keys | None = None) -> Array:
    """[b n d] -> [b length dim]."""
    x = jnp.broadcast_to(self.queries[...], (len(tokens), *self.queries[...].shape))
    for i in range(1, self.depth + 1):
      x = x + getattr(self, f'cross{i}')(getattr(self, f'norm{i}')(x), tokens)
      x = getattr(self, f'block{i}')(x)
    return self.linear(self.norm(x))


class Matrix(nnx.Module):
  """A learned matrix, called without input: the W of a bilinear similarity.

  Args:
    on: width of its columns, or the module that they are compared with.
    rows: width on the other side; None for the same.
    rngs: as nnx asks for.
  """

  def __init__(self, on: int | nnx.Module, *, rows: int | None = None, rngs: nnx.Rngs):
    self.dim = width_of(on)
    self.kernel = nnx.Param(nnx.initializers.lecun_normal()(rngs.params(), (rows or self.dim, self.dim)))

  def __call__(self) -> Array:
    """[rows dim]."""
    return self.kernel[...]


class Flat(nnx.Module):
  """The observation as it is, flattened: a backbone without parameters.

  Args:
    on: shape of one observation.
    rngs: not needed.
  """

  def __init__(self, on, *, rngs: nnx.Rngs | None = None):
    self.dim = math.prod(shape_of(on))

  def __call__(self, x: Array, *, keys: Keys | None = None) -> Features:
    """[b ...] -> tokens [b 1 d], pooled [b d]."""
    x = x.reshape(len(x), -1)
    return Features(x[:, None], x)
