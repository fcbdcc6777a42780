"""The systems that jssl has, read from their configs and their records in the ledger."""

import ast
from importlib import util
from pathlib import Path
from typing import Any

from jssl import configs
from jssl.ledger import claims, records
from jssl.ledger.fidelity import fidelity, parts


def systems() -> list[dict[str, Any]]:
  """A row a system: name, paper, number in the list of papers, family, kind, config, scales, fidelity, claim."""
  rows = []
  for name, module in configs.names().items():
    path = Path(util.find_spec(module).origin)
    found = configs.module(name)
    c = configs.load_config(name)
    record = records.read(name)
    rows.append(
      dict(
        name=name,
        paper=ast.get_docstring(ast.parse(path.read_text())).splitlines()[0],
        number=c.get('number'),
        family=path.parent.name,
        kind=c.get('kind', 'method'),
        config=f'{path.parent.name}/{path.name}',
        scales=configs.scales(found),
        fidelity=fidelity(parts(c)),
        claim=dict(
          text=claims.text(c.get('claim')),
          state=records.state(record),
          stale=records.stale(record, c.to_dict()),
          tries=sum(records.tries(record).values()),
          looks=len(record['looks']),
        ),
      )
    )
  return rows
