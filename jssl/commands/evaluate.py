"""jssl evaluate: evaluates a trained run with named protocols."""

from jssl.commands.results import print_results
from jssl.commands.settings import protocols
from jssl.run import evaluate


def run(arguments, overrides) -> None:
  print_results(evaluate(arguments.workdir, protocols(arguments), arguments.best), arguments.workdir, arguments.json)
