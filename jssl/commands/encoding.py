"""The model and the inputs of the commands that encode."""

import os
from pathlib import Path
from typing import Any

from jssl.errors import UsageError
from jssl.inputs import read_inputs
from jssl.model import Model, load
from jssl.storage import in_bucket


def encoded(arguments) -> tuple:
  """The model, the inputs of a command, their names and their features."""
  if arguments.batch_size < 1:
    raise UsageError(f'--batch_size={arguments.batch_size}: at least one input per call is needed')
  model = opened(arguments.workdir)
  inputs, names = read_inputs(arguments.input if in_bucket(arguments.input) else os.path.expanduser(arguments.input), model)
  return model, inputs, names, model.encode(inputs, batch_size=arguments.batch_size)


def opened(where: Path) -> Any:
  """The model of a run, or in a folder."""
  model = load(where)
  if not isinstance(model, Model):
    raise UsageError(f'{where} is from a system with its own training loop, which has no encoder; jssl.load gives its states by name')
  return model
