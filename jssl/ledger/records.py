"""The ledger: for each system what was claimed before it was run, how often it was edited, tried and looked at, and what came out.

A record is one JSON file:

    registrations   claim, data, budget and method with their hashes, in the order in which they were registered; the last one is current
    tries           configurations that were scored on development seeds while the system was tuned
    looks           runs of final seeds, each under the hash of config and code that it rests on; the last one is current
    before          what earlier rules made of the system
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.keys import DEFAULTS, OF_A_PHASE
from jssl.ledger import claims, reach
from jssl.storage import replace

_package = Path(__file__).parents[1]
_checkout = _package.parent / 'experiments' / 'ledger'
_shipped = _checkout if _checkout.is_dir() else _package / 'records'  # in a wheel, which nobody writes into


def _own() -> Path:
  """Where a user who has no checkout keeps records."""
  return Path(os.environ.get('XDG_DATA_HOME') or os.path.expanduser('~/.local/share')) / 'jssl' / 'ledger'


_records = _checkout if _checkout.is_dir() else _own()
EMPTY = dict(registrations=[], tries=[], looks=[])
BUDGET = ('epochs', 'steps', 'batch_size')
NO_FIGURE = (
  'claim',
  'parts',
  'number',
  'name',
  'kind',
  'seed',
  'log_every',
  'log_gradients',
  'checkpoint_every',
  'health_every',
  'keep',
  'source',
)


def folder() -> Path:
  """Where records are written."""
  return _records


def read(name: str) -> dict[str, Any]:
  """The record of a system; one without registrations, tries and looks where it was never tried."""
  path = next((f / f'{name}.json' for f in (_records, _shipped) if (f / f'{name}.json').exists()), None)
  return {'name': name, **EMPTY, **(json.loads(path.read_text()) if path else {})}


def write(record: Mapping[str, Any]) -> None:
  """Writes a record; whoever reads it, even after a crash, finds the old one or the new one."""
  _records.mkdir(parents=True, exist_ok=True)
  text = json.dumps(record, indent=1, default=str)
  flat = re.sub(r'\[\s+((?:-?[\d.eE+-]+|NaN|null|true|false)(?:,\s+(?:-?[\d.eE+-]+|NaN|null|true|false))*)\s+\]', _in_a_line, text)
  replace(_records / f'{record["name"]}.json', flat + '\n')


def _in_a_line(found: re.Match) -> str:
  return '[' + re.sub(r'\s+', ' ', found[1]) + ']'


def registration(config: Mapping[str, Any]) -> dict[str, Any]:
  """What has to stand before a claim is run: the claim, the data and the budget, and a hash of these and of the method."""
  config = _plain(config)
  phases = config.get('phases') or []
  parts = dict(
    claim=config['claim'],
    data=[config.get('data'), *(phase['data'] for phase in phases if phase.get('data'))],
    budget={key: config[key] for key in BUDGET if config.get(key) is not None}
    | dict(seeds=config['claim'].get('seeds', claims.SEEDS))
    | ({'phases': [phase.get('steps') for phase in phases]} if phases else {}),
  )
  method = {key: x for key, x in config.items() if key not in (*NO_FIGURE, *BUDGET, 'data', 'phases')}
  method['phases'] = [{key: x for key, x in phase.items() if key in (*OF_A_PHASE, 'losses') and key != 'data'} for phase in phases]
  hashes = {key: digest(x) for key, x in {**parts, 'method': method}.items()}
  return dict(hash=digest(hashes), hashes=hashes, **parts)


def register(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
  """The record of a system with its claim registered as it stands now; an edit since the last registration is kept, and said.

  Returns:
    The record, as written.
  """
  record, new = read(name), registration(config)
  last = record['registrations'][-1] if record['registrations'] else None
  if last is None or last['hash'] != new['hash']:
    changed = [key for key, x in new['hashes'].items() if last and last['hashes'][key] != x]
    record['registrations'] = [*record['registrations'], dict(new, changed=changed)]
    write(record)
  return record


def look(record: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
  """The record with what a run of the final seeds found. Under the hash of an earlier look it is that look, run again."""
  looks = list(record['looks'])
  same = next((i for i, earlier in enumerate(looks) if earlier['code'] == found['code']), None)
  if same is None:
    looks.append(dict(found, runs=1))
  else:
    looks.append(dict(found, runs=looks.pop(same)['runs'] + 1))
  return dict(record, looks=looks)


def digest(value: Any) -> str:
  """A hash of what JSON can hold."""
  return hashlib.sha256(json.dumps(_plain(value), sort_keys=True, default=str).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
  """As it comes back from JSON."""
  value = value.to_dict() if hasattr(value, 'to_dict') else value
  return json.loads(json.dumps(value, default=str))


def state(record: Mapping[str, Any]) -> str:
  """held, undecided, not_held, contradicted, or untried."""
  return record['looks'][-1]['state'] if record['looks'] else 'untried'


def stale(record: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
  """Whether the config, or code that the figures rest on, has changed since the last look."""
  return bool(record['looks']) and record['looks'][-1]['code'] != code_hash(config)


def code_hash(config: Mapping[str, Any]) -> str:
  """A hash of a config, as far as figures rest on it, and of the code that they rest on."""
  return reach.code_hash({key: x for key, x in config.items() if key == 'claim' or key not in NO_FIGURE})


def tries(record: Mapping[str, Any]) -> dict[str, int]:
  """Row -> how many configurations were scored while it was tuned."""
  found: dict[str, int] = {}
  for each in record['tries']:
    found[each['row']] = found.get(each['row'], 0) + 1
  return found


def evaluators_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
  return config.get('evaluators') or DEFAULTS['evaluators']


def summary(record: Mapping[str, Any]) -> str:
  """The figures of the last look in a line."""
  if not record['looks']:
    return ''
  last = record['looks'][-1]
  texts = []
  for c in last['comparisons']:
    sign = '-' if c['lower'] else ''
    mine, other = (_mean(last['rows'][row][c['metric']]) for row in (record['name'], c['other']))
    bounds = f'{sign}difference in [{c["low"]:+.3f}, {c["high"]:+.3f}], margin {c["margin"]:g}: {c["state"].replace("_", " ")}'
    texts.append(f'{c["metric"]} {mine:.3f}, {c["other"].replace("_", " ")} {other:.3f}, {bounds}')
  return '; '.join([*texts, *(f'flag: {flag}' for flag in last['flags'])])


def _mean(values: list[float]) -> float:
  return sum(values) / len(values)
