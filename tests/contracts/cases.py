"""Contracts over systems: what each rests on, when it last passed, and which are run where not all can be.

A case is a contract of a system, or of one of its published scales. `records.json` holds the hash of what it rested on when it last passed:
the config, and the definitions that the contract reaches with it. A case whose hash is another now is stale. CI runs the stale ones, as far
as their seconds fit, and beside them a fortieth of all that follows from the tree; the stale ones that it does not run are owed.
"""

import functools
import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from ml_collections import ConfigDict

from jssl import configs
from jssl.ledger import reach
from tests.made import MADE, tiny

ROOT = Path(__file__).resolve().parents[2]
RECORDS = Path(__file__).with_name('records.json')
# contract -> the functions that check it; the test of that name is in test_systems.py
CONTRACTS = {
  'configs_copy_no_number_from_their_data': ('jssl.core.build.columns_of',),
  'data_of_a_claim_have_both_roles': ('jssl.data.core.roles.development', 'jssl.data.core.roles.final'),
  'traces_at_full_size': ('jssl.testing.check_traces',),
  'published_scale_is_built_and_traced': ('jssl.testing.check_traces', 'jssl.run.check'),
  'devices_and_micro_batches_change_nothing': ('jssl.testing.check_method',),
  'trains_resumes_and_compiles_each_step_once': ('jssl.testing.check_resumes',),
}
PART = 40  # one case in so many is run whatever has changed
GUESS = 10.0  # seconds of a case that was never run

CONFIGS = {name: configs.module(name).get_config() for name in sorted(configs.names())}
SYSTEMS = [name for name, c in CONFIGS.items() if c.get('losses')]  # others train nothing, or in a loop of their own
OPENED = [name for name, c in CONFIGS.items() if not c.get('experiment')]  # others have data of their own
CLAIMS = [name for name in OPENED if CONFIGS[name].get('claim')]
RECIPES = [f'{name}:{scale}' for name in CONFIGS for scale in getattr(configs.module(name), 'PUBLISHED', {})]

Case = tuple[str, str]  # contract, system
Records = Mapping[str, Mapping[str, tuple[str, float]]]  # contract -> system -> hash, seconds


class Selection(NamedTuple):
  """What becomes of cases: run, left out as they rest on what they passed with, or owed."""

  run: set[Case]
  current: set[Case]
  owed: set[Case]


def config(name: str, **changes) -> dict:
  """A tiny version of a system, or of what no paper's config has."""
  return {**MADE[name](), **changes} if name in MADE else tiny(name, **changes)


def systems(contract: str) -> list[str]:
  """What a contract is about."""
  own = dict(traces_at_full_size=SYSTEMS, published_scale_is_built_and_traced=RECIPES)
  own |= dict(configs_copy_no_number_from_their_data=OPENED, data_of_a_claim_have_both_roles=CLAIMS)
  return own.get(contract, [*SYSTEMS, *MADE])


def parts(name: str) -> set[tuple[str, str]]:
  """What a system is made of: ('pass', 'embed'), ('teacher', 'ema'), ..."""
  c = CONFIGS[name].to_dict() if name in CONFIGS else config(name)
  phases = [c, *c.get('phases', ())]
  teachers = [spec for of in phases for spec in (of.get('teacher'), *of.get('teachers', {}).values()) if spec]
  found = {'pass': c['passes'].values(), 'memory': c['memories'].values(), 'teacher': teachers}
  own = {(kind, spec['name']) for kind, specs in found.items() for spec in specs}
  return own | {(key, 'yes') for key in ('phases', 'cycle', 'refresh') if c.get(key)}


@functools.cache
def representatives() -> frozenset[str]:
  """Systems that between them have every pass, teacher and memory, and phases: the first ones to be run."""
  covered, chosen = set(), set()
  for name in ('simclr', 'moco_v2', 'dino', 'w_mse', *SYSTEMS, *MADE):
    if parts(name) - covered:
      covered |= parts(name)
      chosen.add(name)
  return frozenset(chosen)


@functools.cache
def hashes() -> dict[Case, str]:
  """Every case, and a hash of what it rests on."""
  return {(contract, name): hashed(contract, name) for contract in CONTRACTS for name in systems(contract)}


@functools.cache
def code() -> reach.Code:
  """All of jssl: a run that is resumed rests on checkpoints and logs too."""
  return reach.Code(left_out=())


def hashed(contract: str, name: str, of: reach.Code | None = None) -> str:
  """A hash of what a case rests on; no contract judges features or compares figures."""
  full = dict(
    traces_at_full_size=CONFIGS.get, published_scale_is_built_and_traced=configs.load_config,
    configs_copy_no_number_from_their_data=CONFIGS.get, data_of_a_claim_have_both_roles=_data,
  ).get(contract)  # fmt: skip
  c = full(name).to_dict() if full else config(name)
  return (of or code()).hash({**c, 'evaluators': {}, 'claim': None, 'parts': ()}, CONTRACTS[contract])


def _data(name: str) -> ConfigDict:
  return ConfigDict(dict(data=configs.load_config(f'{name}:tiny').data))


@functools.cache
def tree() -> str:
  """A hash of all sources: the same for everyone at the same commit."""
  digest = hashlib.sha256()
  for path in sorted(p for room in ('jssl', 'configs', 'experiments', 'tests') for p in (ROOT / room).rglob('*.py')):
    digest.update(f'{path.relative_to(ROOT).as_posix()}\n'.encode() + path.read_bytes())
  return digest.hexdigest()


def read() -> dict[str, dict[str, tuple[str, float]]]:
  """What is recorded of cases that there still are."""
  held = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
  return {contract: {n: tuple(held[contract][n]) for n in systems(contract) if n in held.get(contract, {})} for contract in CONTRACTS}


def write(passed: Mapping[Case, tuple[str, float]], failed: Collection[Case]) -> None:
  """Records cases that have passed; those that have failed are stale from now on."""
  held = {case: kept for case, kept in flat(read()).items() if case not in failed} | dict(passed)
  lines = {
    contract: [f'  {json.dumps(name)}: {json.dumps(held[contract, name])}' for name in systems(contract) if (contract, name) in held]
    for contract in CONTRACTS
  }
  text = ',\n'.join(f' "{contract}": {{\n' + ',\n'.join(found) + '\n }' for contract, found in lines.items())
  RECORDS.write_text(f'{{\n{text}\n}}\n')


def flat(records: Records) -> dict[Case, tuple[str, float]]:
  return {(contract, name): kept for contract, found in records.items() for name, kept in found.items()}


def stale(records: Records, now: Mapping[Case, str]) -> set[Case]:
  """The cases that have never passed with what they rest on now."""
  held = flat(records)
  return {case for case, own in now.items() if case not in held or held[case][0] != own}


def select(records: Records, now: Mapping[Case, str], budget: float, share: str, first: Collection[str] = ()) -> Selection:
  """Which cases to run.

  Args:
    records: of cases that have passed.
    now: case -> hash of what it rests on.
    budget: seconds for the stale ones; beyond it they are owed.
    share: a hash of the tree; one case in PART is run for it, by what it and the case hash to.
    first: systems that are run before others; else what takes fewer seconds.
  """
  held = flat(records)
  seconds = {case: held[case][1] if case in held else GUESS for case in now}
  drawn = {case for case in now if int(hashlib.sha256(f'{share} {case}'.encode()).hexdigest(), 16) % PART == 0}
  changed, run = stale(records, now), set(drawn)
  for case in sorted(changed - drawn, key=lambda case: (case[1] not in first, seconds[case], case)):
    if seconds[case] <= budget:
      run.add(case)
      budget -= seconds[case]
  return Selection(run, set(now) - changed - run, changed - run)
