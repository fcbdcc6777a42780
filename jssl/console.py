"""A process of the command line: its set-up, its output, its last traceback."""

import logging
import os
import sys
import tempfile
import traceback


def settle() -> None:
  """Common set-up of every process of the command line."""
  keep_memory()
  logging.getLogger('absl').setLevel(logging.CRITICAL)  # messages of Orbax's threads; the error itself reaches us as an exception
  logging.basicConfig(format='jssl: %(message)s', level=logging.WARNING)


def keep_memory() -> None:
  """Keeps freed memory in the process, which glibc would otherwise return after every step and page in again.

  On a CPU this saves a third of a step of a small network. The process keeps its peak size.
  """
  if sys.platform != 'linux':
    return
  import ctypes

  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (OSError, AttributeError):  # another C library
    return
  one_arena, no_mmap, no_trim, ahead = (-8, 1), (-4, 0), (-1, 2**31 - 1), (-2, 64 << 20)
  for option in (one_arena, no_mmap, no_trim, ahead):
    mallopt(*option)


def flush() -> None:
  """Flushes the output.

  Raises:
    OSError: if the output cannot be written; Python then does not try again at exit with a message of its own.
  """
  for stream in (sys.stderr, sys.stdout):
    try:
      stream.flush()
    except OSError:
      os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
      if stream is sys.stdout:  # unreadable progress output does not make a command fail
        raise


def keep_traceback() -> str:
  """Writes the traceback of the current error to a new file. Returns its path."""
  try:
    with tempfile.NamedTemporaryFile('w', prefix='jssl-traceback-', suffix='.txt', delete=False) as file:
      traceback.print_exc(file=file)
    return file.name
  except OSError:
    return 'the traceback that JSSL_TRACEBACK=1 shows'
