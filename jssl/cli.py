"""The command line: `jssl COMMAND`, each in a module of `jssl.commands`."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from jssl.arguments import make_parser
from jssl.console import flush, keep_traceback, settle

BUG = 70  # the exit status of an unexpected error, EX_SOFTWARE of sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
  """Runs one command. User errors give a one-line message and a non-zero exit status."""
  for name in ('stdout', 'stderr'):
    if getattr(sys, name) is None:  # closed before Python started, which libraries do not expect
      setattr(sys, name, open(os.devnull, 'w'))  # noqa: SIM115 - as long as the process lives
  parser = make_parser()
  try:
    arguments, rest = parser.parse_known_args(argv)
  except SystemExit as asked:  # for --help
    try:
      flush()
    except OSError as error:
      return _fail(f'the output cannot be written ({error.strerror})', 2)
    raise asked
  overrides = [x for x in rest if x.startswith('--config.')]
  if unknown := [x for x in rest if x not in overrides]:
    parser.error(f'unknown argument {unknown[0]}; settings of a config are given as --config.key=value')
  if overrides and (arguments.command not in ('train', 'plan', 'show', 'compare', 'sweep', 'bench') or getattr(arguments, 'tune', False)):
    parser.error(f'{arguments.command} takes no --config settings')
  # Reuses compiled programs; JAX reads these variables when it is imported, which happens later.
  os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(home() / '.cache' / 'jssl' / 'xla'))
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')
  settle()
  try:
    import_module(f'jssl.commands.{arguments.command}').run(arguments, overrides)
    flush()
  except KeyboardInterrupt:
    ahead = '; the same command with --workdir continues from the last checkpoint' if hasattr(arguments, 'workdir') else ''
    return _fail(f'interrupted{ahead}', 130)
  except MemoryError as error:
    return _fail(f'out of memory ({error or "on this machine"}); use a smaller batch, or fewer runs at a time', 2)
  except (ValueError, OSError, RuntimeError) as error:
    if os.environ.get('JSSL_TRACEBACK'):
      raise
    return _fail(' '.join(str(error).split()), 2)
  except Exception as error:
    if os.environ.get('JSSL_TRACEBACK'):
      raise
    kept = keep_traceback()
    return _fail(f'this is a bug in jssl, {type(error).__name__}: {" ".join(str(error).split())[:400]}; please report it with {kept}', BUG)
  return 0


def home() -> Path:
  """The home directory; if there is none, a per-user folder among the temporary files."""
  try:
    return Path.home()
  except RuntimeError:
    return Path(tempfile.gettempdir()) / f'jssl-{os.getuid()}'


def _fail(message: str, code: int) -> int:
  with contextlib.suppress(OSError, ValueError):
    flush()
  try:
    print(f'jssl: {message}', file=sys.stderr, flush=True)
  except OSError:  # nothing can be printed, so the exit status reports it; Python would retry at exit and change the status
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
  except ValueError:
    pass
  return code


if __name__ == '__main__':
  sys.exit(main())
