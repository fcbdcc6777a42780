"""What a representation has to beat."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jssl.evaluators.features import extract
from jssl.evaluators.probe import standardizer
from jssl.evaluators.protocols import evaluate
from jssl.types import Data, Features, Key


def raw_input(data: Data, *, standardize: bool = True) -> Callable:
  """The input itself as a representation: flattened, and standardised dimension by dimension on train.

  The linear probe standardises by itself. Cosine neighbours of images with dead borders do better without:
  `standardize=False`.

  Args:
    data: its `inputs` column, an array of one shape, is what is flattened.
    standardize: by the mean and deviation of train; dimensions that hardly vary become 0.

  Returns:
    represent, jitted.
  """
  if data.inputs not in data.spec:
    raise ValueError(f'raw_input found no column {data.inputs!r} in the spec {sorted(data.spec)}; set data.inputs.')

  @jax.jit
  def flat(inputs):
    x = inputs[data.inputs].astype(jnp.float32)
    x = x.reshape(len(x), -1)
    return Features(x[:, None], x)

  if not standardize:
    return flat
  mean, scale = standardizer(extract(flat, data.splits['train'], label=None)[0])

  @jax.jit
  def standardized(inputs):
    x = (flat(inputs).pooled - mean) * scale
    return Features(x[:, None], x)

  return standardized


def compare(
  representations: Mapping[str, Callable], data: Data, key: Key, **options: Any
) -> dict[str, dict[str, dict[str, Any]]]:
  """The same protocols, splits and seeds for several representations.

  Usually {'raw_input': raw_input(data), 'random_init': the untrained backbone, 'trained': the trained one}.

  Args:
    representations: name -> represent.
    data: with splits 'train' and 'test'.
    key: the same for all.
    **options: of `evaluate`: protocols, options, batch_size, column, label.

  Returns:
    name -> protocol -> result; `figures.flatten` makes one row of numbers of a name.
  """
  return {name: evaluate(represent, data, key, **options) for name, represent in representations.items()}
