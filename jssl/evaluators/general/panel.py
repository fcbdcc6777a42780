"""What a representation still knows of other data: forgetting, in training that goes on from an earlier run."""

from collections.abc import Iterator, Mapping
from typing import Any

from jssl import tables
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Data, Key


def same_columns(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """The other data are read as the subject's own are, and have all that the other protocol needs."""
  data, own, name = options['data'], subject.data, options['protocol']
  if name not in tables.EVALUATORS or name == 'panel':
    yield f'protocol is {name!r}; name another one of the table of evaluators'
  elif data.spec.get(own.inputs) != own.spec[own.inputs]:
    told = lambda x: 'not there' if x is None else f'{x.dtype} {list(x.shape)}' + (f' of {x.size} numbers' if x.size else '')
    yield f'{own.inputs!r} of {data.info.get("name")} is {told(data.spec.get(own.inputs))}, and the network reads {told(own.spec[own.inputs])}'
  elif data.info.get('tokenizer') != own.info.get('tokenizer'):
    yield f'{data.info.get("name")} has ids of another tokenizer than the data of the run; give both the same one'
  else:
    try:
      tables.EVALUATORS[name].check(Subject(data, subject.represent, subject.networks))
    except ValueError as error:
      yield str(error)


@protocol('1', raw=False, fits=same_columns)
def panel(subject: Subject, key: Key, *, data: Data, protocol: str = 'knn') -> dict[str, float]:
  """Protocol panel: another protocol on other, fixed data, such as those that the run which was begun from was trained on.

      c.start = dict(of='runs/digits')
      c.evaluators.before = dict(name='panel', data=dict(name='mnist5k'), protocol='linear')

  A run that begins as another has ended has the row `start`, and its results the difference start - now of each of these figures, under
  `forgetting`: what of the earlier data is known no more.

  Args:
    subject: whose representation and networks are judged.
    key: of the other protocol.
    data: in place of the subject's own, with the same input column.
    protocol: by which they are judged, with the options it has by itself.

  Returns:
    The figures of that protocol.
  """
  judged = tables.EVALUATORS[protocol](Subject(data, subject.represent, subject.networks, inputs=subject.inputs), key)
  return {name: x for name, x in judged.items() if name not in ('version', 'options')}
