"""Passes for sentence vectors: the layers and the attention of an encoder, compositions of phrases, and the drift of parameters."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.ops.pooling import masked_mean
from jssl.types import Call, Pass, Ref


def mean_layers(*, on: Ref, column: str = 'ids') -> Pass:
  """The mean over the tokens of each layer, without padding.

  Args:
    on: [b l n d].
    column: column of ids, [b n].

  Outputs:
    out: [b l d].
  """

  def run(call: Call):
    layers = jnp.moveaxis(call.read(on), 1, 0)
    return {'out': jnp.moveaxis(masked_mean(layers, call.columns[column].real(call.batch[column])), 0, 1)}

  return Pass(run, ('out',))


def log_attention(*, on: Ref, column: str = 'ids', network: str = 'backbone', last: int | None = None) -> Pass:
  """Logarithms of the attention probabilities of the blocks of a `Bert`, computed from the states that enter them, without their dropout.

  Args:
    on: states from the embedding to the last block, [b l+1 n d] for each view.
    column: column of ids, [b n].
    network: the network of the states.
    last: number of last blocks; None for all.

  Outputs:
    out: [b l h n n] for each view, by head, query and key; -1e30 for padded keys.
    real: [b n] bool, the tokens that are not padding.
  """

  def run(call: Call):
    net, real, found = call.nets[network], call.columns[column].real(call.batch[column]), call.read(on)
    graphdef, params = nnx.split(net.blocks)
    params, first = nnx.to_pure_dict(params), net.depth - (last or net.depth)

    def block(layer):
      params, x = layer
      attention = nnx.merge(graphdef, params, copy=True).attention
      q, k, _ = attention.heads_of(x, x, None)
      logits = jnp.einsum('bnhd,bmhd->bhnm', q, k).astype(jnp.float32) / math.sqrt(attention.head)
      return jax.nn.log_softmax(jnp.where(real[:, None, None, :], logits, -1e30))

    of = lambda states: jax.lax.map(block, (jax.tree.map(lambda x: x[first:], params), jnp.moveaxis(states, 1, 0)[first:-1]))
    return {'out': {i: jnp.moveaxis(of(x), 0, 1) for i, x in found.items()}, 'real': real}

  return Pass(run, ('out', 'real'))


def compose(*, on: Sequence[Ref], how: str = 'mean') -> Pass:
  """Composes the vectors of the phrases of a text.

  Args:
    on: the vectors of the phrases, [b d] each.
    how: 'mean', 'max', or 'parts': equal parts of the features, each of another phrase.

  Outputs:
    out: [b d].

  Reference: Chanchani, Huang (CompCSE) 2023, arXiv:2307.07380, and `Composer` of the official code.
  """
  ways = dict(
    mean=lambda x: jnp.mean(x, 0),
    max=lambda x: jnp.max(x, 0),
    parts=lambda x: jnp.concatenate([jnp.array_split(phrase, len(x), -1)[i] for i, phrase in enumerate(x)], -1),
  )
  if how not in ways:
    raise ValueError(f'compose has no way {how!r}: choose among {", ".join(ways)}')
  return Pass(lambda call: {'out': ways[how](jnp.stack([call.read(ref) for ref in on]))}, ('out',))


def drift(*, network: str = 'backbone') -> Pass:
  """The squared distance of the parameters of a network from those of the teacher's copy, the same for every example.

  Args:
    network: a network with a teacher.

  Outputs:
    out: [b].
  """

  def run(call: Call):
    arrays = lambda nets: jax.tree.leaves(nnx.to_pure_dict(nnx.state(nets[network], nnx.Param)))
    pairs = zip(arrays(call.nets), arrays(call.target), strict=True)
    square = sum(jnp.sum(jnp.square(x - jax.lax.stop_gradient(x0)).astype(jnp.float32)) for x, x0 in pairs)
    return {'out': jnp.full(len(call.batch['example']), square)}

  return Pass(run, ('out',))
