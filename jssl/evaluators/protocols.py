"""The protocols by name: what a figure in a record means, down to the version."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple

from jssl.evaluators.clustering import clustering
from jssl.evaluators.knn import neighbour_vote
from jssl.evaluators.probe import fewshot, linear
from jssl.evaluators.subject import Subject
from jssl.types import Key


class Protocol(NamedTuple):
  """A way to judge a Subject. The version changes when the figures would.

  judge: (subject, key, *, options) -> figures as floats; counts as ints and choices in a dict stand beside them.
  raw: whether the input as it is can be judged too, as what has to be beaten.
  """

  version: str
  judge: Callable[..., dict[str, Any]]
  raw: bool = True

  def __call__(self, subject: Subject, key: Key, **options: Any) -> dict[str, Any]:
    """The figures, and with them what they rest on: the version, and options that are not the protocol's own."""
    given = {'options': options} if options else {}
    return {'version': self.version, **given, **self.judge(subject, key, **options)}


def on_features(judge: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
  """A judge of frozen features, as a judge of a Subject with the same options."""

  @wraps(judge)
  def judged(subject: Subject, key: Key, **options: Any) -> dict[str, Any]:
    features = subject.frozen
    sizes = {'train_examples': len(features.train_y), 'test_examples': len(features.test_y)}
    return {**sizes, **judge(features, key, **options)}

  return judged


PROTOCOLS: Mapping[str, Protocol] = {
  'knn': Protocol('1', on_features(neighbour_vote)),
  'linear': Protocol('1', on_features(linear)),
  'fewshot': Protocol('1', on_features(fewshot)),
  'clustering': Protocol('1', on_features(clustering)),
}
