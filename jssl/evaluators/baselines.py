"""Baselines that a representation should beat."""

import math
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp

from jssl.evaluators.features import extract
from jssl.evaluators.general.probe import standardizer
from jssl.evaluators.needs import encoded
from jssl.types import Data, Features


def raw_bytes(data: Data, splits: Iterable[str]) -> int:
  """Size of raw input as features: 4 bytes for each dimension of each example of these splits. Reads no data."""
  column = data.spec[data.inputs]
  return 4 * (column.size or math.prod(column.shape)) * sum(len(data.splits[name]) for name in splits)


def too_large(data: Data, evaluators: Iterable[Callable], limit: int) -> str:
  """Why raw input is not evaluated: as features it would take more than `limit` bytes. '' if it fits."""
  of_raw = [judge for judge in evaluators if judge.func.raw]
  size = raw_bytes(data, encoded(of_raw, data)) if of_raw else 0
  gib = lambda x: f'{x / 2**30:.3g} GiB'
  return f'its features would take {gib(size)}, and raw_limit is {gib(limit)}; give a larger one in bytes to have it' if size > limit else ''


def raw_input(data: Data, *, standardize: bool = True) -> Callable:
  """The input itself as a representation: flattened, with each dimension standardised on the train split.

  Token ids are counted instead: a bag of words without padding.

  The linear probe standardises by itself. For cosine neighbours of images with constant borders, use `standardize=False`.

  Args:
    data: its `inputs` column, of one fixed shape, is flattened.
    standardize: use the mean and standard deviation of train; dimensions that hardly vary become 0.

  Returns:
    represent, jitted.
  """
  if data.inputs not in data.spec:
    raise ValueError(f'raw_input found no column {data.inputs!r} in the spec {sorted(data.spec)}; set data.inputs.')

  words, pad = data.spec[data.inputs].size, data.spec[data.inputs].pad

  @jax.jit
  def flat(inputs):
    x = inputs[data.inputs]
    if words:
      x = jax.vmap(lambda ids: jnp.zeros(words).at[ids.ravel()].add(1.0))(x)
      x = x if pad is None else x.at[:, pad].set(0.0)
    x = x.astype(jnp.float32).reshape(len(x), -1)
    return Features(x[:, None], x)

  if not standardize:
    return flat
  mean, scale = standardizer(extract(flat, data.splits['train'], label=None)[0])

  @jax.jit
  def standardized(inputs):
    x = (flat(inputs).pooled - mean) * scale
    return Features(x[:, None], x)

  return standardized
