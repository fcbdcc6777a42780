"""The catalogue of systems, read from their configs and their records in the ledger."""

import ast
from importlib import util
from pathlib import Path
from typing import Any

from jssl import configs
from jssl.ledger import claims, records
from jssl.ledger.fidelity import fidelity, parts


def systems() -> list[dict[str, Any]]:
  """Lists the systems of jssl, as printed by `jssl list`.

      [row['name'] for row in jssl.systems() if row['family'] == 'text']
      pandas.DataFrame(jssl.systems())

  Returns:
    One dict per system, with the keys:
      name: 'simclr'.
      paper: title, authors, venue and arXiv number.
      number: number in the list of papers, or None.
      family: the folder of its config: 'image', 'text', 'graph', ...
      kind: 'method', 'supervised', 'analysis', ...
      config: the file, relative to `configs/`.
      scales: such as ('tiny', 'small', 'imagenet'); `jssl.train('simclr:tiny')`.
      fidelity: 'faithful', 'partial' or 'unstated': how much of the paper is implemented.
      claim: dict(text, state, stale, tries, looks): the claim about the system, and its outcome.
  """
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
