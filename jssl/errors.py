"""Errors that jssl raises for invalid inputs.

All of them are subclasses of `JsslError`, a subclass of `ValueError`. A message says what was given, what was expected and what to do.
Functions of arrays raise plain `ValueError` for inconsistent arguments.
"""

from pathlib import Path


class JsslError(ValueError):
  """Base class of the errors that jssl defines."""


class ConfigError(JsslError):
  """A config cannot be built, or a run does not fit its config."""


class DataError(JsslError):
  """Data are missing, or not of the required kind."""


class PretrainedError(JsslError):
  """Pretrained weights cannot be read."""


class UsageError(JsslError):
  """A command cannot be executed."""


class Stopped(JsslError, RuntimeError):
  """A run ended early, for the given reason; its state is saved.

  `capture` is the folder of a captured step that failed from the start, so that the cause is the method, not the training.
  """

  capture: Path | None = None
