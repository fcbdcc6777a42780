"""jssl replay: reruns a failed step one operation at a time."""

from jssl.core.log import as_json
from jssl.replay import describe
from jssl.replay import replay as run_again


def run(arguments, overrides) -> None:
  found = run_again(arguments.folder)
  print(as_json(found) if arguments.json else describe(found))
