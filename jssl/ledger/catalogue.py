"""The systems that jssl has, read from their configs and their records in the ledger."""

import ast
from importlib import util
from pathlib import Path
from typing import Any

from jssl import configs
from jssl.ledger import records as ledger


def systems() -> list[dict[str, Any]]:
  """A row a system: name, paper, number in the list of papers, family, kind, config, scales, claim."""
  rows = []
  for name, module in configs.names().items():
    path = Path(util.find_spec(module).origin)
    found = configs.module(name)
    c = found.get_config()
    rows.append(
      dict(
        name=name,
        paper=ast.get_docstring(ast.parse(path.read_text())).splitlines()[0],
        number=c.get('number'),
        family=path.parent.name,
        kind=c.get('kind', 'method'),
        config=f'{path.parent.name}/{path.name}',
        scales=configs.scales(found),
        claim=dict(text=claim_text(c.get('claim')), state=ledger.state(name)),
      )
    )
  return rows


def claim_text(claim: Any) -> str:
  """A claim in words."""
  if not claim:
    return ''
  return '; '.join(check_text(check) for check in ledger.checks(claim)) + f' over {claim["seeds"]} seeds'


def check_text(check: ledger.Check) -> str:
  """One thing that must hold, in words."""
  others = ' and '.join(name.replace('_', ' ') for name in check.beats)
  return f'{check.metric} {"below" if check.lower else "above"} {others} by {check.margin:g}'
