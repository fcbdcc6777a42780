"""Writes docs/systems.md: every system with its paper, its claim and what became of it, from the configs and the ledger.

python experiments/systems_page.py
"""

import ast
from itertools import groupby
from pathlib import Path

from jssl.ledger import catalogue, records

ROOT = Path(__file__).resolve().parents[1]


def page() -> str:
  rows = sorted(catalogue.systems(), key=lambda row: (row['family'], row['name']))
  states = [row['claim']['state'] for row in rows]
  count = {state: states.count(state) for state in ('held', 'not_held', 'stale', 'untried')}
  lines = [
    '# Systems',
    '',
    f'{len(rows)} systems. Of their claims {count["held"]} held, {count["not_held"]} did not, {count["stale"]} did or did not with code '
    f'that has changed since, and {count["untried"]} have not been put to the test. Made by '
    '`experiments/systems_page.py` from the configs and the ledger; a figure is the mean over seeds, with its 95 % interval.',
  ]
  for family, members in groupby(rows, key=lambda row: row['family']):
    lines += ['', f'## {family}', '', '| system | paper | claim | state | figures |', '|---|---|---|---|---|']
    for row in members:
      record = records.read(row['name'])
      state = row['claim']['state'].replace('_', ' ')
      state += f' ({record["state"].replace("_", " ")})' if state == 'stale' else ''
      picture = f'[{state}](../experiments/ledger/{row["name"]}.png)' if record else state
      figures = records.summary(record) if record else ''
      told = ' '.join(ast.get_docstring(ast.parse((ROOT / 'configs' / row['config']).read_text())).split('\n\n', 1)[1:])
      figures += f'. {" ".join(told.split())}' if record and record['state'] == 'not_held' and told else ''
      lines.append(f'| [{row["name"]}](../configs/{row["config"]}) | {row["paper"]} | {row["claim"]["text"]} | {picture} | {figures} |')
  return '\n'.join(lines) + '\n'


if __name__ == '__main__':
  (ROOT / 'docs' / 'systems.md').write_text(page())
