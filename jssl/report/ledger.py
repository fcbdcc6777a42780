"""The report of the ledger: every system with its claim, its state and its paired differences."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from jssl.ledger import catalogue, claims, records
from jssl.report.html import Report, Section, number, page

STATES = (*reversed(claims.STATES), 'untried')
NOTE = (
  'A claim is registered before it is run, and compares a system with its rivals over seeds. A point is the mean of the paired differences, '
  'a bar its one-sided 95 % bounds; the line is a difference of 0, and the dashed line the margin. A claim is held where the lower bound is '
  'above the margin, contradicted where the upper bound is below 0, not held where it is between 0 and the margin, and undecided otherwise. '
  'Each row has its own scale.'
)


def report() -> Report:
  """The claims of all systems, by state."""
  rows = sorted(catalogue.systems(), key=lambda row: (STATES.index(row['claim']['state']), row['family'], row['name']))
  states, fidelity = Counter(row['claim']['state'] for row in rows), Counter(row['fidelity'] for row in rows)
  stale = sum(row['claim']['stale'] for row in rows)
  cards = [dict(name=state.replace('_', ' '), text=str(states[state]), note='') for state in STATES]
  told = [f'{n} {name}' for name, n in fidelity.most_common()]
  table = dict(states=[(state, states[state]) for state in STATES if states[state]], rows=[system(row) for row in rows])
  lead = f'{len(rows)} systems. Fidelity to the paper: {", ".join(told)}. {stale} of the tried claims are stale.'
  return page('Ledger of claims', 'jssl', [Section('claims', 'Claims', [('bars', table)], NOTE)], lead=lead, cards=cards)


def system(row: Mapping[str, Any]) -> dict[str, Any]:
  """A system of the catalogue, with a line for each comparison of its last look."""
  record, claim = records.read(row['name']), row['claim']
  looks = record['looks']
  counts = [f'{claim["looks"]} look{"s" * (claim["looks"] != 1)}', f'{claim["tries"]} tr{"y" if claim["tries"] == 1 else "ies"}']
  lines = [difference(c) for c in looks[-1]['comparisons']] if looks else []
  told = ', '.join(counts + ['stale'] * claim['stale']) if looks else ''
  text = claim['text'] or 'no claim'
  return dict(
    name=row['name'], family=row['family'], state=claim['state'], fidelity=row['fidelity'], counts=told, lines=lines, text=text
  )  # fmt: skip


def difference(c: Mapping[str, Any]) -> dict[str, Any]:
  """A comparison as a bar, with places in percent of its width."""
  ends = [0.0, c['margin'], c['low'], c['high'], c['mean']]
  low, high = min(ends), max(ends)
  room = 0.06 * (high - low) or 1.0
  share = lambda x: round(100 * (x - low + room) / (high - low + 2 * room), 2)
  return dict(
    text=f'{c["metric"]} against {c["other"].replace("_", " ")}' + (', lower is better' if c['lower'] else ''),
    bounds=f'{number(c["mean"])} [{number(c["low"])}, {number(c["high"])}], margin {c["margin"]:g}',
    state=c['state'], zero=share(0.0), margin=share(c['margin']), low=share(c['low']), high=share(c['high']), at=share(c['mean']),
  )  # fmt: skip
