"""Memories: what a term keeps between steps and hands to its objective as keyword arguments."""

import jax
import jax.numpy as jnp

from jssl.parts.gradients import l2_normalize
from jssl.types import Memory


def queue(*, size: int, keyword: str = 'negatives', view: int = -1) -> Memory:
  """The last `size` keys, oldest replaced first; starts as random unit vectors (MoCo, NNCLR).

  Args:
    size: number of keys kept; a multiple of the batch size.
    keyword: the name under which the objective receives them, [size d].
    view: which view's keys are stored.

  Reference: He et al. 2020, arXiv:1911.05722, Algorithm 1.
  """

  def init(key, encoded):
    b, d = encoded['k'][view].shape
    if size % b:
      raise ValueError(f'a queue holds whole batches: size {size} is not a multiple of the batch size {b}')
    return {'keys': l2_normalize(jax.random.normal(key, (size, d))), 'next': jnp.zeros((), jnp.int32)}

  def write(state, encoded):
    k = l2_normalize(encoded['k'][view])
    keys = jax.lax.dynamic_update_slice_in_dim(state['keys'], k, state['next'], 0)
    return {'keys': keys, 'next': (state['next'] + len(k)) % size}

  return Memory(init, lambda state: {keyword: state['keys']}, write)


def centre(*, momentum: float = 0.9) -> Memory:
  """A running mean c <- m c + (1 - m) mean of the teacher's outputs over all views and examples (DINO).

  Reference: Caron et al. 2021, arXiv:2104.14294, Eq. 4.
  """

  def init(key, encoded):
    del key
    return {'centre': jnp.zeros(encoded['k'][0].shape[-1:])}

  def write(state, encoded):
    mean = jnp.mean(jnp.stack([k.mean(0) for k in encoded['k']]), 0)
    return {'centre': momentum * state['centre'] + (1 - momentum) * mean}

  return Memory(init, lambda state: dict(state), write)
