"""Errors that jssl raises for what it was given.

All of them are a `JsslError`, and that is a `ValueError`. A message says what was given, what was expected and what to do. Functions of
arrays raise plain `ValueError` where their arguments do not fit together.
"""

from pathlib import Path


class JsslError(ValueError):
  """Base class of the errors that jssl defines."""


class ConfigError(JsslError):
  """A config that cannot be built, or a run that does not fit its config."""


class DataError(JsslError):
  """Data that are not there, or not of the kind asked for."""


class PretrainedError(JsslError):
  """Pretrained weights that cannot be read."""


class UsageError(JsslError):
  """A command that cannot be carried out."""


class Stopped(JsslError, RuntimeError):
  """A run that ended early, and why; what it had is saved.

  `capture` is the folder of a captured step that was wrong from the start, whose cause lies in the method and not in training.
  """

  capture: Path | None = None
