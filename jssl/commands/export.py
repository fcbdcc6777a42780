"""jssl export: an encoder in a folder that another library can open."""

import json

from jssl.commands.encoding import opened
from jssl.storage import children


def run(arguments, overrides) -> None:
  of, out = arguments.format, arguments.output
  given = {name: getattr(arguments, name) for name in ('network', 'normalize', 'family', 'outputs', 'platforms')}
  opened(arguments.workdir).export(out, of, **given)
  files = [path.name for path in children(out)]
  print(json.dumps(dict(output=str(out), format=of, files=files)) if arguments.json else f'{of} in {out}: {", ".join(files)}')
