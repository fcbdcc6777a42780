"""An encoder as one function of arrays, and how what a program gives is compared with it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jssl.errors import ConfigError
from jssl.types import Column

EXAMPLES = 3  # on which a program is checked
SEED = 0


class Encoder(NamedTuple):
  """A network with what stands before and after it."""

  column: str  # what it reads
  spec: Column
  weights: dict[str, Any]  # name -> array
  view: Callable  # x -> what the network is given, where it stands on a column
  one: Callable  # (weights, one example) -> {'pooled': [d], 'tokens': [n d]}, of which there is what is asked for
  expected: Callable  # examples [b ...] -> the same of each, as `Model.encode` computes it

  def call(self, weights: dict[str, Any], x: jax.Array) -> dict[str, jax.Array]:
    """The same of a batch: mapped over it, so that any network takes one whose size is not known."""
    return jax.vmap(self.one, (None, 0))(weights, x)


def examples(encoder: Encoder) -> np.ndarray:
  """A small batch of the column that an encoder reads, with padding in it where there is any."""
  rng, (shape, dtype) = np.random.default_rng(SEED), (encoder.spec.shape, np.dtype(encoder.spec.dtype))
  if dtype.kind not in 'biu':
    return rng.uniform(0, 1, (EXAMPLES, *shape)).astype(dtype)
  x = rng.integers(0, encoder.spec.size or (256 if dtype.itemsize == 1 else 2), (EXAMPLES, *shape)).astype(dtype)
  if encoder.spec.pad is not None and len(shape) == 1:
    x[0, shape[0] // 2 :] = encoder.spec.pad
  return x


def compare(found: dict[str, Any], expected: dict[str, np.ndarray], bound: float) -> None:
  """Refuses a program that gives something else than the model.

  Raises:
    ConfigError: an output is not finite, or differs by more than `bound` times the largest value, where that is above 1.
  """
  for output, want in expected.items():
    given = np.asarray(found[output], np.float32)
    most = bound * max(1.0, float(np.abs(want).max()))
    if given.shape != want.shape or not np.isfinite(given).all() or (far := float(np.abs(given - want).max())) > most:
      what = f'by {far:.1e}' if given.shape == want.shape and np.isfinite(given).all() else 'in shape, or are not finite'
      raise ConfigError(f'the {output} outputs of the exported program and of the model differ {what}: nothing is written')
