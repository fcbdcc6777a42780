"""Predictions of a head as they are."""

import jax.numpy as jnp

from jssl.evaluators.features import extract, finite
from jssl.evaluators.needs import TEST
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits
from jssl.types import Key


@protocol('2', needs=(*TEST, 'nets.{head}'), raw=False)
def prediction(subject: Subject, key: Key, *, head: str = 'classifier') -> dict[str, float]:
  """Accuracy on 'test' of a head that was trained along with the representation.

  Args:
    subject: with that head among its networks.
    key: unused.
    head: its name.

  Returns:
    'top1'.
  """
  del key
  x, y = extract(subject.represent, subject.data.splits['test'])
  return dict(top1=float(hits(finite(subject.networks[head](jnp.asarray(x)), f'the outputs of {head!r}'), y).mean()))
