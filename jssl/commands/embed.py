"""jssl embed: representations of new data."""

import json

from jssl.commands.encoding import encoded
from jssl.model import check_output, write_features


def run(arguments, overrides) -> None:
  check_output(arguments.output)
  _, _, names, features = encoded(arguments)
  write_features(features, arguments.output, names)
  summary = dict(output=str(arguments.output), examples=len(features), dim=int(features.shape[-1]))
  print(json.dumps(summary) if arguments.json else f'{len(features)} vectors of {features.shape[-1]} in {arguments.output}')
