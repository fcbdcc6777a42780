"""Writes docs/systems.md: every system with its paper, its parts, its claim and what became of it, from the configs and the ledger.

python experiments/systems_page.py
"""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from jssl import run
from jssl.ledger import catalogue, claims, records
from jssl.ledger.fidelity import parts

ROOT = Path(__file__).resolve().parents[1]
INTRODUCTION = """\
A claim states what a paper's method should achieve in a small experiment, and what it is compared with. It is registered with its data, margin
and budget before it is run, tuned on development seeds and validation data alone, and tested on final seeds. [Claims](house.md#claims) in the
architecture has the rules. L and U are the one-sided 95 % bounds of the paired difference, m is the margin.

| state | meaning |
|---|---|
| held | L > m |
| contradicted | U < 0 |
| not held | 0 <= U < m |
| undecided | otherwise |
| untried | not run under these rules |
| no claim | a network that other systems start from |

"Not below by m" is bounded in the same way. Systems without randomness are tested by resampling test items.

| word | meaning |
|---|---|
| try | a setting that was scored while tuning |
| look | a run of the final seeds under a new hash of config and code |
| edit | a registration after the first |
| stale | code or config has changed since the last look |
| faithful | all parts of the paper are built, except its scale, data or hardware |
| partial | other parts are left out, too |"""


def page() -> str:
  rows = sorted(catalogue.systems(), key=lambda row: (row['family'], row['name']))
  held = {row['name']: records.read(row['name']) for row in rows}
  lines = ['# Claims', '', f'{len(rows)} systems. Written by `experiments/systems_page.py` from the configs and the ledger.', '']
  states = Counter(row['claim']['state'] if row['claim']['text'] else 'no_claim' for row in rows)
  lines += _counts('claims', states, ('held', 'undecided', 'not_held', 'contradicted', 'untried', 'no_claim'))
  before = Counter(b['state'] for row in rows if row['claim']['state'] == 'untried' for b in held[row['name']].get('before', ()))
  earlier = f'Of the untried, {before["held"]} were held and {before["not_held"]} not held under earlier rules.'
  lines += ['', f'{sum(row["claim"]["stale"] for row in rows)} of these are stale. {earlier}', '']
  lines += _counts('fidelity', Counter(row['fidelity'] for row in rows), ('faithful', 'partial', 'unstated'))
  lines += ['', *INTRODUCTION.split('\n')]
  changed = [line for row in rows for line in _changes(held[row['name']])]
  lines += ['', '## Claims whose state changed', '', *(changed or ['None.'])]
  for family, members in groupby(rows, key=lambda row: row['family']):
    lines += ['', f'## {family}', '', '| system | paper | fidelity | claim | state | figures |', '|---|---|---|---|---|---|']
    for row in members:
      record = held[row['name']]
      lines.append(
        f'| [{row["name"]}](../configs/{row["config"]}) | {row["paper"]} | {_fidelity(row)} | {row["claim"]["text"]} | {_state(row, record)} '
        f'| {records.summary(record)} |'
      )
  return '\n'.join(lines) + '\n'


def _counts(what: str, count: Mapping[str, int], names: tuple[str, ...]) -> list[str]:
  return [f'| {what} | {" | ".join(name.replace("_", " ") for name in names)} |', '|' + '---|' * (1 + len(names)),
          '| | ' + ' | '.join(str(count.get(name, 0)) for name in names) + ' |']  # fmt: skip


def _fidelity(row: Mapping[str, Any]) -> str:
  left = [f'{number} {part.text} ({part.out}: {part.why})' for number, part in enumerate(parts(run.load_config(row['name'])), 1) if part.out]
  return row['fidelity'] + (f'; left out: {"; ".join(left)}' if left else '')


def _state(row: Mapping[str, Any], record: Mapping[str, Any]) -> str:
  claim = row['claim']
  if not claim['text']:
    return 'no claim'
  state = claim['state'].replace('_', ' ')
  if not record['looks']:
    return state + ''.join(f' (under earlier rules: {before["state"].replace("_", " ")})' for before in record.get('before', ()))
  drawn = 'data drawn by seed' if record['looks'][-1].get('drawn') else 'data fixed'
  counts = f'{_many(len(record["looks"]), "look")}, {_many(claim["tries"], "try")}, {_many(len(record["registrations"]) - 1, "edit")}, {drawn}'
  return f'[{state}](../experiments/ledger/{row["name"]}.png){", stale" if claim["stale"] else ""} ({counts})'


def _many(n: int, one: str) -> str:
  return f'{n} {one}' if n == 1 else f'{n} {"tries" if one == "try" else one + "s"}'


def _changes(record: Mapping[str, Any]) -> list[str]:
  """How the state of a claim went, where it changed, and what had changed with it."""
  looks = [dict(state=b['state'], why='earlier rules: means over seeds') for b in record.get('before', ())]
  order, at = [r['hash'] for r in record['registrations']], 0
  for i, look in enumerate(record['looks']):
    now = order.index(look['registration'])
    edited = dict.fromkeys(key for r in record['registrations'][at + 1 : now + 1] for key in r['changed'])
    looks.append(dict(state=look['state'], why='first look under these rules' if i == 0 else f'{" and ".join(edited) or "code"} changed'))
    at = now
  if len({look['state'] for look in looks}) < 2 or not record['looks']:
    return []
  steps = ' -> '.join(f'{look["state"].replace("_", " ")} ({look["why"]})' for look in looks)
  worst = min(record['looks'][-1]['comparisons'], key=lambda c: claims.STATES.index(c['state']))
  bounds = f'difference in [{worst["low"]:+.3f}, {worst["high"]:+.3f}], margin {worst["margin"]:g}'
  return [f'- {record["name"]}: {steps}. {worst["metric"]} against {worst["other"].replace("_", " ")}: {bounds}.']


if __name__ == '__main__':
  (ROOT / 'docs' / 'systems.md').write_text(page())
