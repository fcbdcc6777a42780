"""Arrays on disk: detection of damage, and Orbax's error messages."""

import functools
import inspect
import logging
import sys
import threading
import traceback
import warnings
import zlib
from typing import Any

import jax
import jax.numpy as jnp

from jssl.types import Array


def fingerprint(tree: Any, text: str = '') -> str:
  """A checksum of a pytree of arrays and a text. It changes if a single word changes, and does not depend on the devices."""
  return f'{zlib.crc32(text.encode()):08x}{int(jax.device_get(_of_arrays(jax.tree.leaves(tree)))):08x}'


@jax.jit
def _of_arrays(arrays: list[Array]) -> Array:
  return sum((_of_array(x) * (2 * i + 1) for i, x in enumerate(arrays)), jnp.uint32(0))


def _of_array(x: Array) -> Array:
  """Sum of the words, each multiplied by an odd factor of its own, modulo 2**32: exact in any order, and changed by any single word.

  The factor of a word comes from its index along each axis, so a sharded array is read in place.
  """
  words = x if x.dtype == bool else jax.lax.bitcast_convert_type(x, {1: 'uint8', 2: 'uint16'}.get(x.dtype.itemsize, 'uint32'))
  place = jnp.zeros(words.shape, 'uint32')
  for axis in range(words.ndim):
    place = place * words.shape[axis] + jax.lax.broadcasted_iota('uint32', words.shape, axis)
  return jnp.sum(words.astype('uint32') * (2 * place + 1), dtype='uint32')


@functools.cache
def quiet() -> None:
  """Silences follow-up messages of Orbax's tasks after another task has failed to read: the failure itself is reported."""
  warnings.filterwarnings('ignore', 'coroutine .* was never awaited')
  logging.getLogger('asyncio').setLevel(logging.CRITICAL)
  logging.getLogger('absl').addFilter(lambda record: 'Skipping merge of OCDBT' not in str(record.msg))  # logged for every checkpoint
  unraisable, thread = sys.unraisablehook, threading.excepthook
  sys.unraisablehook = lambda given: None if _of_a_task(given, given.object) else unraisable(given)
  threading.excepthook = lambda given: None if _of_a_task(given) else thread(given)


def _of_a_task(given: Any, object: Any = None) -> bool:
  """Whether an uncatchable error comes from an abandoned task."""
  frames = traceback.extract_tb(given.exc_traceback)
  left = any(part in frame.filename for frame in frames for part in ('/orbax/', '/asyncio/', '/tensorstore/'))
  return left or inspect.iscoroutine(object) or any(x in str(given.exc_value) for x in ('Event loop is closed', '_ssock'))


def short(error: Exception) -> str:
  """A short form of an Orbax error."""
  text = ' '.join(str(error).split())
  known = ('No space left on device', 'Read-only file system', 'Permission denied', 'File too large', 'Too many open files')
  return next((name for name in known if name in text), text[:200]) or type(error).__name__
