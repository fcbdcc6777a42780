"""The ledger: for each system, the claims registered before runs, its edits, trials and evaluations, and the outcomes.

A record is one JSON file:

    registrations   claim, data, budget and method with their hashes, in order of registration; the last one is current
    tries           configurations that were scored on development seeds during tuning
    looks           runs of final seeds, each with the hash of its config and code; the last one is current
    before          outcomes under earlier rules
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl import configs
from jssl.errors import ConfigError
from jssl.keys import DEFAULTS, OF_A_PHASE
from jssl.ledger import claims, reach
from jssl.storage import replace

_package = Path(__file__).parents[1]
_checkout = _package.parent / 'experiments' / 'ledger'
_shipped = _checkout if _checkout.is_dir() else _package / 'records'  # in an installed package, which is not written to


def prepared(name: str) -> tuple[dict[str, Any], list[str]]:
  """The config of a system whose claim can be evaluated, and the evaluators that the claim needs.

  Raises:
    ConfigError: if it has no claim, or the claim refers to something that does not exist.
  """
  config = configs.load_config(name).to_dict()
  if not (claim := config.get('claim')):
    raise ConfigError(f'{name} has no claim; give its config c.claim = dict(metric, beats, margin)')
  claims.validate(config['name'], claim, loop=bool(config.get('experiment')))
  said = [*claims.checks(claim), *claims.manipulation(claim)]
  known = evaluators_of(config)
  labels = sorted({label for check in said for label in known if check.metric.startswith(f'{label}_')})
  for check in () if config.get('experiment') else said:
    if not any(check.metric.startswith(f'{label}_') for label in labels):
      raise ConfigError(f'the claim of {name} names {check.metric}, which none of its evaluators computes; expected one of {sorted(known)}')
  return config, labels


def _own() -> Path:
  """The folder for records of users without a checkout."""
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
  'evaluate_every',
  'curves',
  'keep',
  'source',
)


def folder() -> Path:
  """The folder where records are written."""
  return _records


def read(name: str) -> dict[str, Any]:
  """The record of a system; an empty one if there is none."""
  path = next((f / f'{name}.json' for f in (_records, _shipped) if (f / f'{name}.json').exists()), None)
  return {'name': name, **EMPTY, **(json.loads(path.read_text()) if path else {})}


def write(record: Mapping[str, Any]) -> None:
  """Writes a record atomically: readers find the old one or the new one, even after a crash."""
  _records.mkdir(parents=True, exist_ok=True)
  text = json.dumps(record, indent=1, default=str)
  flat = re.sub(r'\[\s+((?:-?[\d.eE+-]+|NaN|null|true|false)(?:,\s+(?:-?[\d.eE+-]+|NaN|null|true|false))*)\s+\]', _in_a_line, text)
  replace(_records / f'{record["name"]}.json', flat + '\n')


def _in_a_line(found: re.Match) -> str:
  return '[' + re.sub(r'\s+', ' ', found[1]) + ']'


def registration(config: Mapping[str, Any]) -> dict[str, Any]:
  """The entry that is registered before a claim is run: the claim, the data and the budget, and a hash of these and of the method."""
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
  """Registers the current claim of a system; an edit since the last registration is recorded and reported.

  Returns:
    The record.
  """
  record, new = read(name), registration(config)
  last = record['registrations'][-1] if record['registrations'] else None
  if last is None or last['hash'] != new['hash']:
    changed = [key for key, x in new['hashes'].items() if last and last['hashes'][key] != x]
    record['registrations'] = [*record['registrations'], dict(new, changed=changed)]
    write(record)
  return record


def look(record: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
  """Adds the results of the final seeds to the record. A look with the same hash as an earlier one replaces it."""
  looks = list(record['looks'])
  same = next((i for i, earlier in enumerate(looks) if earlier['code'] == found['code']), None)
  if same is None:
    looks.append(dict(found, runs=1))
  else:
    looks.append(dict(found, runs=looks.pop(same)['runs'] + 1))
  return dict(record, looks=looks)


def digest(value: Any) -> str:
  """A hash of a JSON-compatible value."""
  return hashlib.sha256(json.dumps(_plain(value), sort_keys=True, default=str).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
  """The value after a JSON round trip."""
  value = value.to_dict() if hasattr(value, 'to_dict') else value
  return json.loads(json.dumps(value, default=str))


def state(record: Mapping[str, Any]) -> str:
  """held, undecided, not_held, contradicted, or untried."""
  return record['looks'][-1]['state'] if record['looks'] else 'untried'


def stale(record: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
  """Whether the config, or code that the results depend on, has changed since the last look."""
  return bool(record['looks']) and record['looks'][-1]['code'] != code_hash(config)


def code_hash(config: Mapping[str, Any]) -> str:
  """A hash of a config, as far as results depend on it, and of the code that they depend on."""
  return reach.code_hash({key: x for key, x in config.items() if key == 'claim' or key not in NO_FIGURE})


def tries(record: Mapping[str, Any]) -> dict[str, int]:
  """Row -> number of configurations that were scored during tuning."""
  found: dict[str, int] = {}
  for each in record['tries']:
    found[each['row']] = found.get(each['row'], 0) + 1
  return found


def evaluators_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
  return config.get('evaluators') or DEFAULTS['evaluators']


def summary(record: Mapping[str, Any]) -> str:
  """The results of the last look in one line."""
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
