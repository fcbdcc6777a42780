"""Arguments of several commands, as settings of a config and names of protocols."""

from jssl.arguments import SOURCES
from jssl.errors import UsageError
from jssl.tables import DATA


def of_data(source: str | None) -> list[str]:
  """The setting that replaces the data of a config by user data."""
  if source is not None and (not source or source.endswith(':')):
    raise UsageError(f'--data {source} does not say where the data are; give one of {SOURCES}')
  return [] if source is None else [f'--config.data={dict(name=DATA.absolute(source))!r}']


def protocols(arguments) -> list[str] | None:
  """The names given by --protocol: None for those of the config, [] for none."""
  return None if arguments.protocol is None else [] if arguments.protocol == 'none' else arguments.protocol.split(',')
