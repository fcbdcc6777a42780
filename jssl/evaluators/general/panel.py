"""Evaluation on other data: forgetting, in training that continues an earlier run."""

from collections.abc import Iterator, Mapping
from typing import Any

from jssl import tables
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Data, Key


def same_columns(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """The other data have the same input column as the subject's, and everything that the other protocol needs."""
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
  """The `panel` protocol: another protocol on other, fixed data, such as the training data of the run that this one continues.

      c.start = dict(of='runs/digits')
      c.evaluators.before = dict(name='panel', data=dict(name='mnist5k'), protocol='logistic')

  A run that continues another one has a row `start`, and its results have the difference start - now of each of these metrics under
  `forgetting`.

  Args:
    subject: its representation and networks are evaluated.
    key: for the other protocol.
    data: replace the subject's data; have the same input column.
    protocol: name of the other protocol, which runs with its default options.

  Returns:
    The results of that protocol.
  """
  judged = tables.EVALUATORS[protocol](Subject(data, subject.represent, subject.networks, inputs=subject.inputs, place=subject.place), key)
  return {name: x for name, x in judged.items() if name not in ('version', 'options')}
