"""Networks over states, actions and time give the shapes they say, and see what they may."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.control import dynamics


def rngs():
  return nnx.Rngs(0)


@pytest.mark.rotating
def test_shapes():
  numbers, vectors = jax.ShapeDtypeStruct((5,), jnp.int32), jax.ShapeDtypeStruct((5, 2), jnp.float32)
  assert dynamics.ActionEmbedding(numbers, actions=4, rngs=rngs())(jnp.zeros((3, 5), jnp.int32)).shape == (3, 5, 4)
  assert dynamics.ActionEmbedding(vectors, actions=2, dim=7, rngs=rngs())(jnp.zeros((3, 5, 2))).shape == (3, 5, 7)
  assert dynamics.Transition(6, actions=4, rngs=rngs())(jnp.zeros((3, 6)), jnp.zeros((3, 4))).shape == (3, 6)
  assert dynamics.StateActionMlp(6, extra=4, widths=(8, 2), rngs=rngs())(jnp.zeros((3, 6)), jnp.zeros((3, 4))).shape == (3, 2)
  assert dynamics.Matrix(5, rows=3, rngs=rngs())().shape == (3, 5)
  encoder = dynamics.TimelineEncoder((6,), width=16, depth=1, rngs=rngs())
  assert encoder(jnp.zeros((3, 6))).tokens.shape == (3, 1, 16)
  assert encoder(jnp.zeros((3, 4, 6))).tokens.shape == (3, 4, 16)
  assert dynamics.ActionDecoder(encoder, length=4, dim=2, rngs=rngs())(jnp.zeros((3, 1, 16))).shape == (3, 4, 2)
  assert dynamics.Flat((4, 4, 3))(jnp.zeros((2, 4, 4, 3))).pooled.shape == (2, 48)


def test_a_causal_timeline_does_not_look_ahead():
  x = jax.random.normal(jax.random.key(0), (1, 6, 8))
  later = x.at[:, 4:].add(1.0)
  for causal in (True, False):
    net = dynamics.WindowTransformer(8, width=16, depth=2, causal=causal, rngs=rngs())
    moved = np.abs(net(x) - net(later)).max((0, 2))
    assert (moved[:4].max() < 1e-5) == causal and moved[4:].min() > 1e-3


def test_a_chunk_reads_the_tokens_of_the_present():
  net = dynamics.ActionDecoder(8, length=3, rngs=rngs())
  x = jax.random.normal(jax.random.key(0), (2, 5, 8))
  assert np.abs(net(x) - net(x + 1)).max() > 1e-4
