"""Matrix products with float32 results."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from jssl.types import Array


def product(x: Array, y: Array, multiply: Callable = jnp.matmul) -> Array:
  """multiply(x, y) with a float32 result, for logits, which need more digits than bfloat16 has.

  The terms are summed in float32, and gradients are products in the type of x. With `preferred_element_type` alone, the backward pass would
  multiply the float32 gradient in float32.

  Args:
    x: [... i].
    y: [i o]; it is cast to the type of x.
    multiply: `jnp.matmul`, or `jnp.einsum` with its subscripts bound, for other shapes.

  Returns:
    [... o] float32.
  """
  y = y.astype(x.dtype)
  return multiply(x, y) if x.dtype.itemsize >= 4 else _summed(multiply, x, y)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _summed(multiply: Callable, x: Array, y: Array) -> Array:
  return multiply(x, y, preferred_element_type=jnp.float32)


def _forward(multiply: Callable, x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
  return _summed(multiply, x, y), (x, y)


def _backward(multiply: Callable, operands: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
  return jax.vjp(multiply, *operands)[1](gradient.astype(operands[0].dtype))


_summed.defvjp(_forward, _backward)
