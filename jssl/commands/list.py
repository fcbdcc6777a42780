"""jssl list: every system, its paper and its claim."""

import json

from jssl.errors import UsageError
from jssl.ledger import catalogue
from jssl.options import closest


def run(arguments, overrides) -> None:
  rows = [row for row in catalogue.systems() if arguments.family in (None, row['family'])]
  if not rows:
    known = {row['family'] for row in catalogue.systems()}
    raise UsageError(f'no family is called {arguments.family!r}{closest(arguments.family, known)}')
  if arguments.json:
    print(json.dumps({'systems': rows}))
    return
  shown = [(row, ' '.join(row['scales'])) for row in rows]
  state = lambda claim: claim['state'].replace('_', ' ') + (' (stale)' if claim['stale'] else '')
  wide, wider = max(len(row['name']) for row in rows), max(len(scales) for _, scales in shown)
  for row, scales in shown:
    what = f'{row["name"]:{wide}}  {row["family"]:8}  {row["kind"]:10}  {scales:{wider}}'
    print(f'{what}  {row["fidelity"]:8}  {state(row["claim"]):20}  {row["paper"]}')
