"""The keys of a config and their defaults."""

from collections.abc import Mapping
from typing import Any

from jssl import modules, storage
from jssl.data.core.arrays import RESIDENT
from jssl.errors import ConfigError
from jssl.options import closest, mapping, natural, shown

FORMAT = 2  # of saved configs; those of format 1 have no key `format`, and call the evaluator `logistic` 'linear'
DEFAULTS = dict(
  epochs=None, steps=None, seed=0, dtype=None, name='', number=None, heads={}, view=None, inputs=None, passes={}, memories={}, metrics={},
  watch=None, teacher=None, teachers={}, lora=None, masks=None, freeze=(), train=None, start={}, cycle=(), refresh={}, phases=(),
  represent={}, micro_batches=1, mesh={}, rules='replicated', log_every=10, log_gradients=False, checkpoint_every='20%', health_every='10%',
  evaluate_every=None, curves=dict(protocols=None, rows=5000, best=None),
  keep=2, guard=dict(name='stop'), claim=None, parts=(), kind='method', evaluators=dict(knn=dict(name='knn'), linear=dict(name='logistic')),
  transform=None, experiment=None, modules=None, resumed=(), raw_limit=2 * 2**30, format=FORMAT,
  source=dict(threads=2, workers=0, prefetch=4, memory=RESIDENT, decoders=0),
)  # fmt: skip
REQUIRED = ('backbone', 'data', 'batch_size', 'losses', 'optimizer')
# Keys that a phase may override, in addition to its steps and loss names; the default is the value in the config.
OF_A_PHASE = ('data', 'optimizer', 'teacher', 'teachers', 'freeze', 'train', 'start', 'cycle', 'refresh')
OF_A_TURN = ('updates', 'losses', 'train', 'optimizer')

# Keys that describe a system: those of systems.toml, and those of its training data.
KINDS = ('method', 'architecture', 'data', 'evaluation', 'analysis', 'theory', 'survey', 'supervised', 'preference', 'multimodal')
TYPES = ('float32', 'bfloat16')  # what networks compute in; parameters, statistics, softmax, losses and the optimiser are float32
# Keys that do not affect results and may change when a run is resumed.
MEANS = ('modules', 'source', 'raw_limit', 'evaluate_every', 'format')


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
  """A config as plain dicts, with all keys present and no unknown ones."""
  c = config.to_dict() if hasattr(config, 'to_dict') else dict(config)
  if c.get('experiment'):
    raise ConfigError('this system has a training loop of its own, and no plan: `jssl train` and `jssl reproduce` run it')
  if 'terms' in c:
    raise ConfigError('terms have become passes and losses: write c.passes.NAME and c.losses.NAME, as docs/passes.md describes')
  known = [*REQUIRED, *DEFAULTS]
  for key in c:
    if key not in known:
      raise ConfigError(f'unknown config key {key!r}{closest(key, known)}')
  if missing := [key for key in REQUIRED if c.get(key) is None]:
    raise ConfigError(f'the config lacks {missing}; every config has {list(REQUIRED)} and epochs or steps')
  c = {**DEFAULTS, **c, 'modules': modules.use(c)}
  for key in ('backbone', 'data', 'losses', 'passes', 'optimizer', 'heads', 'represent', 'mesh', 'evaluators'):
    if not isinstance(c[key], Mapping):
      raise ConfigError(f'{key} must be a dict, not {shown(c[key])}')
  for key in ('source', 'curves'):
    c[key] = {**DEFAULTS[key], **mapping(key, c[key])}
    if unknown := [option for option in c[key] if option not in DEFAULTS[key]]:
      raise ConfigError(f'{key} has no option {unknown[0]!r}{closest(unknown[0], DEFAULTS[key])}')
  for key in c['source']:
    natural({f'source.{key}': c['source'][key]}, f'source.{key}', least=int(key == 'threads'))
  natural({'curves.rows': c['curves']['rows']}, 'curves.rows', least=2)
  known_type('dtype', c['dtype'])
  c['start'] = _whole(mapping('start', c['start']))
  if isinstance(c['phases'], tuple | list):
    c['phases'] = tuple(
      {**x, 'start': _whole(x['start'])} if isinstance(x, Mapping) and isinstance(x.get('start'), Mapping) else x for x in c['phases']
    )
  natural(c, 'raw_limit', least=0)
  if c['format'] != FORMAT:
    raise ConfigError(f'the config has format {c["format"]!r}, and this jssl reads {FORMAT}; leave the key out, or take the jssl that wrote it')
  if c['kind'] not in KINDS:
    raise ConfigError(f'kind is {c["kind"]!r}{closest(c["kind"], KINDS)}')
  if c['watch'] is not None and not (isinstance(c['watch'], tuple | list) and len(c['watch']) == 2):
    raise ConfigError(f"watch must be two references, ('views.q[0]', 'views.k[1]'), not {shown(c['watch'])}")
  if not c['losses'] and c['steps'] != 0:
    raise ConfigError('losses is empty: a method needs at least one; to judge a network as it is set steps=0')
  if c['losses'] and not c['epochs'] and not c['steps']:
    raise ConfigError('the config needs epochs or steps')
  return c


def known_type(place: str, dtype: Any) -> None:
  """Raises ConfigError for a compute type that is not one of `TYPES`, nor None for each network's default."""
  if dtype not in (None, *TYPES):
    why = ', which would need a scaled loss' if dtype == 'float16' else ''
    raise ConfigError(f'{place} is {dtype!r}{why}; choose {" or ".join(map(repr, TYPES))}')


def _whole(start: Mapping[str, Any]) -> dict[str, Any]:
  """`start` with an absolute path of its folder."""
  return {**start, **({'of': storage.absolute(start['of'])} if isinstance(start.get('of'), str) and start['of'] else {})}


def current(held: Mapping[str, Any]) -> dict[str, Any]:
  """A saved config in the present format: the evaluator 'linear' of format 1 is 'logistic' now, and 'linear' is another one."""
  if 'format' in held or not isinstance(held.get('evaluators'), Mapping):
    return dict(held)
  now = lambda name: 'logistic' if name == 'linear' else name
  of = lambda spec: {key: now(x) if key in ('name', 'protocol') else x for key, x in spec.items()} if isinstance(spec, Mapping) else now(spec)
  return {**held, 'evaluators': {label: of(spec) for label, spec in held['evaluators'].items()}}


def differing(held: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
  """The keys in which two configs in JSON form would train differently; a missing key has its default."""
  before, now = list(held.get('resumed') or ()), list(given.get('resumed') or ())
  means = {*MEANS}
  if now[: len(before)] == before:  # the changes from here on
    new = {setting.partition('=')[0].partition('.')[0] for change in now[len(before) :] for setting in change['settings']}
    means |= new | ({'resumed'} if new else set()) | ({'epochs', 'steps'} if new & {'epochs', 'steps'} else set())
  plain = {key: list(value) if isinstance(value, tuple) else value for key, value in DEFAULTS.items()}
  held, given = {**plain, **current(held)}, {**plain, **given}
  return sorted(key for key in {*held, *given} - means if held.get(key) != given.get(key))
