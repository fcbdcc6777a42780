"""jssl show: every option of a system."""

import json

from jssl.show import short, show, text


def run(arguments, overrides) -> None:
  found = show(arguments.name, overrides)
  if arguments.json:
    print(json.dumps({**found, 'options': [option._asdict() for option in found['options']]}, default=short))
  else:
    print(text(found))
