"""A fingerprint changes with every bit, and with nothing else."""

import jax.numpy as jnp
import numpy as np

from jssl.core.stored import fingerprint


def test_every_bit_counts():
  rng = np.random.default_rng(0)
  arrays = [rng.normal(size=(3, 4)).astype(np.float32), rng.integers(0, 99, 5, np.int32), rng.integers(0, 99, 5, np.uint8), rng.random(6) < 0.5,
            np.float32(2.0), np.asarray(jnp.arange(4, dtype=jnp.bfloat16))]  # fmt: skip
  whole = fingerprint(arrays)
  assert whole == fingerprint([jnp.asarray(x) for x in arrays]) and whole != fingerprint(arrays, 'text')
  for i, x in enumerate(arrays):
    for bit in range(1 if x.dtype == bool else 8 * x.itemsize):
      raw = bytearray(np.asarray(x).tobytes())
      raw[bit // 8] ^= 1 << bit % 8
      changed = np.frombuffer(bytes(raw), x.dtype).reshape(x.shape)
      assert fingerprint([*arrays[:i], changed, *arrays[i + 1 :]]) != whole, (i, bit)
