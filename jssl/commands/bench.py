"""jssl bench: how fast a system trains, and next to other libraries."""

import json

from jssl.bench.bench import bench, lines


def run(arguments, overrides) -> None:
  found = bench(arguments.name, overrides, against=arguments.against, rounds=arguments.rounds)
  print(json.dumps(found) if arguments.json else '\n'.join(lines(found)))
