"""jssl data: packs a data set into shards."""

import json

from ml_collections import ConfigDict

from jssl.configs import set_option
from jssl.core.build import open_data
from jssl.data.own.packed import pack
from jssl.data.own.pictures import tell


def run(arguments, overrides) -> None:
  spec = ConfigDict(dict(name=arguments.source))
  for setting in arguments.options:
    set_option(spec, setting)
  opened = open_data(spec.to_dict())
  splits = pack(opened, arguments.output)
  tell(opened.info.get('unread', {}))
  told = ', '.join(f'{n} of {split}' for split, n in splits.items())
  print(json.dumps(dict(output=str(arguments.output), splits=splits)) if arguments.json else f'{told} in packed:{arguments.output}')
