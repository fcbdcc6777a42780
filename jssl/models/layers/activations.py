"""Activations by their names in configs."""

from functools import partial

import jax
from flax import nnx

from jssl.types import Array


def quick_gelu(x: Array) -> Array:
  """x sigmoid(1.702 x), an approximation of the GELU: Hendrycks, Gimpel, arXiv:1606.08415, section 2; CLIP's official code."""
  return x * jax.nn.sigmoid(1.702 * x)


ACTIVATIONS = {
  'gelu': partial(jax.nn.gelu, approximate=False),
  'gelu_tanh': partial(jax.nn.gelu, approximate=True),
  'quick_gelu': quick_gelu,
  'relu': jax.nn.relu,
  'silu': jax.nn.silu,
}


def activation(name: str):
  """One of `ACTIVATIONS`.

  Raises:
    ValueError: for an unknown name.
  """
  if name not in ACTIVATIONS:
    raise ValueError(f'unknown activation {name!r}: choose one of {list(ACTIVATIONS)}')
  return ACTIVATIONS[name]


def prelu() -> nnx.PReLU:
  """max(x, 0) + a min(x, 0) with one learned slope a, from 1/4: He, Zhang, Ren, Sun, arXiv:1502.01852, section 2.1; PyTorch's `PReLU`."""
  return nnx.PReLU(0.25)
