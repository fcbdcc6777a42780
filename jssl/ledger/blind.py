"""Seeds and data of a run by role; tuning and final results share neither."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from jssl import tables
from jssl.errors import ConfigError
from jssl.options import signed

FIRST_FINAL = 1000  # first final seed; smaller ones are for development
ROLES = ('development', 'final')


def final_seeds(count: int) -> range:
  """The seeds of a claim."""
  return range(FIRST_FINAL, FIRST_FINAL + count)


def development_seeds(count: int) -> range:
  """The seeds of a tuning trial."""
  return range(count)


def settled(config: Any, seed: int, role: str) -> dict[str, Any]:
  """A config for one run: the seed also determines the data, which depend on the role.

  Args:
    config: config of a system.
    seed: below 1000 for 'development', from 1000 on for 'final'.
    role: 'development' or 'final'.

  Raises:
    ConfigError: for a seed of the other role, or a loop without development data.
  """
  if role not in ROLES or (seed >= FIRST_FINAL) != (role == 'final'):
    raise ConfigError(f'seed {seed} is not for {role} runs: development seeds are below {FIRST_FINAL}, final seeds are not')
  c = config.to_dict() if hasattr(config, 'to_dict') else dict(config)
  c['seed'] = seed
  if c.get('experiment'):
    from jssl import experiments

    if role == 'development':
      taken = inspect.signature(experiments.module(c['experiment']['name']).loop).parameters
      if 'development' not in taken:
        raise ConfigError(f"{c['name']} has its own training loop without an option 'development', so it would use the data of final figures")
      c['experiment'] = {**c['experiment'], 'development': True}
    return c
  c['data'] = data_for(c['data'], seed, role)
  c['phases'] = tuple({**phase, 'data': data_for(phase['data'], seed, role)} if phase.get('data') else phase for phase in c.get('phases', ()))
  if c.get('evaluators'):  # a panel reads its own data
    c['evaluators'] = {
      label: {**spec, 'data': data_for(spec['data'], seed, role)} if isinstance(spec.get('data'), Mapping) else spec
      for label, spec in c['evaluators'].items()
    }
  return c


def data_for(spec: Mapping[str, Any], seed: int, role: str) -> dict[str, Any]:
  """The data of a config in one role: drawn with the seed, with the innermost data set wrapped in `development` or `final`."""
  drawn = {'seed': seed} if spec['name'] in tables.DATA and 'seed' in inspect.signature(signed(tables.DATA[spec['name']])).parameters else {}
  if isinstance(spec.get('of'), Mapping):
    return {**spec, **drawn, 'of': data_for(spec['of'], seed, role)}
  return dict(name=role, of={**spec, **drawn}, seed=seed)


def is_drawn(specs: Sequence[Mapping[str, Any]]) -> bool:
  """Whether a data set depends on the seed: its examples, or its split, are random."""
  from jssl.core.build import open_data

  for spec in specs:
    for inner in (spec, *([spec['of']] if isinstance(spec.get('of'), Mapping) else [])):
      if 'seed' in inspect.signature(signed(tables.DATA[inner['name']])).parameters if inner['name'] in tables.DATA else False:
        return True
    if open_data(spec).info.get('split') == 'random':
      return True
  return False
