"""Arguments of several commands, as settings of a config and names of protocols."""

import time
from pathlib import Path

from jssl import processes
from jssl.arguments import SOURCES
from jssl.errors import UsageError
from jssl.tables import DATA


def of_data(source: str | None) -> list[str]:
  """The setting that replaces the data of a config by user data."""
  if source is not None and (not source or source.endswith(':')):
    raise UsageError(f'--data {source} is not a known data source; give one of {SOURCES}')
  return [] if source is None else [f'--config.data={dict(name=DATA.absolute(source))!r}']


def protocols(arguments) -> list[str] | None:
  """The names given by --protocol: None for those of the config, [] for none."""
  return None if arguments.protocol is None else [] if arguments.protocol == 'none' else arguments.protocol.split(',')


def new_workdir(of: str) -> Path:
  """A folder in `runs` for what begins now."""
  now = time.time()
  begun = time.strftime('%Y%m%d-%H%M%S', time.localtime(now)) + f'-{int(now % 1 * 1000):03}'  # two commands in the same second are two runs
  return Path('runs') / f'{of}-{begun}'


def jobs_of(arguments) -> int:
  """The number of runs at a time.

  Raises:
    UsageError: if it is below 1.
  """
  if arguments.jobs is not None and arguments.jobs < 1:
    raise UsageError(f'--jobs {arguments.jobs}: at least one run at a time is needed')
  return processes.at_once() if arguments.jobs is None else arguments.jobs
