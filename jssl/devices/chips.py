"""Properties of accelerators, from the vendors' data sheets."""

from typing import NamedTuple

import jax

GIB = 2**30


class Chip(NamedTuple):
  """One device, as JAX counts them."""

  flops: float  # peak dense bfloat16 operations per second
  memory: float  # bytes


# JAX's device_kind -> values of the data sheet. Each chip of a TPU v4 or v5p is one device.
CHIPS = {
  'TPU v4': Chip(275e12, 32 * GIB),
  'TPU v5 lite': Chip(197e12, 16 * GIB),
  'TPU v5': Chip(459e12, 95 * GIB),
  'TPU v5p': Chip(459e12, 95 * GIB),
  'TPU v6 lite': Chip(918e12, 32 * GIB),
  'NVIDIA A100-SXM4-40GB': Chip(312e12, 40 * GIB),
  'NVIDIA A100-SXM4-80GB': Chip(312e12, 80 * GIB),
  'NVIDIA H100 80GB HBM3': Chip(989e12, 80 * GIB),
  'NVIDIA H200': Chip(989e12, 141e9),
}


def chip(device: jax.Device) -> Chip | None:
  """The properties of a device; None for a CPU, and for unknown kinds."""
  return CHIPS.get(device.device_kind)


def memory(device: jax.Device) -> float | None:
  """Bytes available to a program on a device: as reported by the device if it is present, else from the data sheet."""
  try:
    limit = (device.memory_stats() or {}).get('bytes_limit')
  except Exception:  # a device that is not present
    limit = None
  known = chip(device)
  return limit or (known.memory if known else None)
