"""Every option of a config, with its value, its default and what it means, read from signatures and docstrings."""

import inspect
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from jssl import configs
from jssl.keys import DEFAULTS
from jssl.options import kind_of, lookup, mentions, signed
from jssl.tables import TABLES

# Keys of a config, in the order in which they are shown.
MEANING = dict(
  name='name of the system',
  data='the data set',
  batch_size='examples per step, over all devices and micro-batches',
  epochs='length of training in passes over the data',
  steps='length of training in updates; None if epochs are given',
  seed='seed of initialisation, example order and augmentation',
  backbone='the encoder, whose features are evaluated',
  heads='further networks by name, on top of the encoder or on columns of the data',
  view='augmentation of training examples, on the device',
  inputs='preprocessing of examples in evaluation',
  passes='how each example runs through the networks; each pass has named outputs',
  losses='objectives of outputs of passes; their weighted sum is minimised',
  memories='state that is kept between steps: queues, centres, dual variables',
  metrics='figures in the log that have no influence on the gradient, written like losses',
  teacher='how the target networks follow the trained ones',
  teachers='several teachers by name',
  optimizer='the optimiser and its schedules',
  guard='what happens after a step whose loss or gradient is not finite',
  represent='what is evaluated: the encoder, features of the teacher, a layer',
  transform='a transform of the features, fitted after training',
  evaluators='protocols by name that evaluate the features',
  start='networks of another run or model to start from',
  freeze='networks, or parts of them, that are not trained',
  train='parts of networks that are trained; None for all',
  lora='low-rank adapters',
  masks='sparse weights',
  phases='parts of training with losses, optimiser, data or frozen networks of their own',
  cycle='groups of updates that alternate, with losses and trained networks of their own',
  refresh='columns or an order of the examples, computed from the networks every so many steps',
  dtype='type of matrix products and convolutions; None for the default of each network',
  micro_batches='pieces in which the networks process a batch; losses see all of it',
  mesh='sizes of the mesh axes: data, fsdp, sequence, tensor',
  rules='sharding of parameters and optimiser state: replicated, fsdp, fsdp_tp or patterns',
  source='how data are read: threads, workers, prefetch, memory, decoders',
  log_every='steps between two rows of the log',
  log_gradients='whether the log has gradient norms of losses and cosines between them',
  checkpoint_every='distance of checkpoints, in steps or as a share of training',
  keep='checkpoints that are kept',
  health_every='distance of health panels, which detect collapse',
  evaluate_every='distance of evaluations on validation data during training; None for none',
  curves='those evaluations: protocols, number of examples, and the figure whose best step is kept',
  watch='two outputs whose spread the health panel compares; None for views of the encoder',
  raw_limit='bytes of features up to which raw input is a baseline',
  claim='what the system is expected to show, and against which baselines',
  parts='parts of the method in its paper, built or left out',
  number='number in the list of papers',
  kind='kind of the system',
  experiment='a training loop of its own, in experiments/loops',
  modules='folder of user modules that the config names',
  resumed='changes of settings when the run was resumed',
  format='format of saved configs',
)
HIDDEN = ('claim', 'parts', 'number', 'kind', 'experiment', 'modules', 'resumed', 'format', 'name')  # not settings of training
# Keys whose value is `dict(name=..., **options)`, and keys with such values by label.
ONE = dict(
  data='data', backbone='models', view='views', inputs='views', teacher='teachers', optimizer='optimizers', guard='guards',
  transform='transforms',
)  # fmt: skip
BY_LABEL = dict(
  heads='models', passes='passes', losses='objectives', memories='memories', metrics='metrics', teachers='teachers',
  evaluators='evaluators', refresh='refreshes',
)  # fmt: skip
OF_LOSS = dict(
  of='the arrays that it takes, by position or by name',
  pairs="'all', or pairs of views: the mean over pairs, of the first reference at one view and the second at the other",
  over="'views': the mean over the views",
  weight='a number or a schedule; a loss of weight 0 is not computed',
)
# Options that entries of these kinds have in addition to those of their signatures.
SHARED = dict(
  objectives=OF_LOSS,
  metrics=OF_LOSS,
  models=dict(on='the network or the column that it is built on; the encoder unless given'),
  passes=dict(frozen='networks that gradients flow through without changing them', of_teacher='which of several teachers it uses'),
  memories=dict(of='the output that it keeps', rows='the column whose entries are its rows'),
  teachers=dict(networks='the networks that it follows'),
  optimizers=dict(per='batch size for which the learning rate is given; it is scaled with the batch'),
)


class Option(NamedTuple):
  """One line: a key of a config, or an option of what it names."""

  place: str  # 'losses.nce.temperature'
  value: Any
  default: Any  # of the function that it names; the value itself where there is none
  given: bool  # by the config
  means: str


def options(c: Mapping[str, Any]) -> Iterator[Option]:
  """All keys of a config and all options of the entries that it names, those with default values included.

  Args:
    c: a config as plain dicts.

  Raises:
    ConfigError: for an unknown name.
  """
  for key, means in MEANING.items():
    if key in HIDDEN:
      continue
    value = c.get(key, DEFAULTS.get(key))
    if key in ONE and isinstance(value, Mapping):
      yield from _entry(key, value, ONE[key], means)
    elif key in BY_LABEL:
      for label, spec in (value or {}).items():
        yield from _entry(f'{key}.{label}', spec if isinstance(spec, Mapping) else dict(name=spec), BY_LABEL[key], '')
    else:
      yield Option(key, value, DEFAULTS.get(key), key in c, means)


def _entry(place: str, spec: Mapping[str, Any], table: str, means: str) -> Iterator[Option]:
  """A named entry and its options."""
  name = spec.get('name')
  entry = lookup(table, 'tfds' if table == 'data' and name not in TABLES['data'] else name, place)  # other names are those of TFDS
  inner, base, preset = signed(entry), getattr(entry, 'judge', entry), {}
  while isinstance(base, partial):  # a network of a size
    base, preset = base.func, {**base.keywords, **preset}
  hints = typing.get_type_hints(inner)
  made = inspect.getdoc(hints['return']) if inspect.isclass(hints.get('return')) else None  # of a function that makes a network of a size
  told = {**SHARED.get(table, {}), **described(made or ''), **described(inspect.getdoc(base) or '')}
  arrays = spec['of'] if table in ('objectives', 'metrics') and isinstance(spec.get('of'), Mapping) else ()  # by name
  yield Option(place, spec['name'], None, True, means or summary(inspect.getdoc(base) or ''))
  known = {
    name: preset.get(name, p.default)
    for name, p in inspect.signature(inner).parameters.items()
    if p.kind is p.KEYWORD_ONLY and name not in ('rngs', 'steps', 'epoch', 'key', *arrays)
  }
  for name in [*spec, *(name for name in known if name not in spec)]:
    if name == 'name':
      continue
    default = known.get(name, inspect.Parameter.empty)
    value = spec.get(name, default)
    hint = hints.get(name, Any)
    if isinstance(value, Mapping) and 'name' in value and not mentions(hint):
      kind = kind_of(hint)
      yield from _entry(f'{place}.{name}', value, kind[0] if kind else 'schedules', told.get(name, ''))
    elif value is not inspect.Parameter.empty:  # one without a default is filled in from what the entry stands on
      yield Option(f'{place}.{name}', value, None if default is inspect.Parameter.empty else default, name in spec, told.get(name, ''))


def summary(doc: str) -> str:
  """The first sentence of a docstring."""
  return ' '.join(doc.partition('\n\n')[0].split())


def described(doc: str) -> dict[str, str]:
  """Parameter -> its description in the section Args of a docstring."""
  _, _, args = doc.partition('Args:\n')
  args = re.split(r'\n(?=\S)', args)[0]
  found = re.split(r'^  (\w+(?:, \w+)*): ', args, flags=re.M)[1:]
  return {name: ' '.join(text.split()) for names, text in zip(found[::2], found[1::2], strict=True) for name in names.split(', ')}


def show(name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
  """A system with every option of its config, as `jssl show` tells it.

  Args:
    name: 'simclr', 'simclr:tiny', or a file.
    overrides: settings 'x.y=value'.

  Returns:
    name, scale, scales, paper, and options: a list of `Option`.

  Raises:
    ConfigError: for an unknown system, scale or option.
  """
  c = configs.load_config(name, overrides).to_dict()
  system, scale = configs.split(name)
  of = configs.module(system)
  return dict(name=c['name'], scale=scale, scales=configs.scales(of), paper=summary(of.__doc__ or ''), options=list(options(c)))


def text(found: Mapping[str, Any], width: int = 100) -> str:
  """What `show` gives, as lines of text."""
  others = [x for x in found['scales'] if x != found['scale']]
  lines = [f'{found["name"]}:{found["scale"]}' + (f'  (other scales: {", ".join(others)})' if others else ''), '']
  lines += textwrap.wrap(found['paper'], width) + ['', '* marks the options that the config sets.', '']
  for option in found['options']:
    depth = option.place.count('.')
    changed = f'  (default {short(option.default)})' if option.given and option.default not in (None, option.value) else ''
    place = option.place.rpartition('.')[2] if depth > 1 else option.place
    line = f'{"*" if option.given else " "} {"  " * depth}{place} = {short(option.value)}{changed}'
    lines += textwrap.wrap(line, width, subsequent_indent='    ' + '  ' * depth)
    lines += textwrap.wrap(option.means, width, initial_indent='      ' + '  ' * depth, subsequent_indent='      ' + '  ' * depth)
  return '\n'.join(lines)


def short(value: Any) -> str:
  """A value on one line; of a function, its name."""
  return getattr(value, '__name__', repr(value))
