"""The protocols by name: what a figure in a record means, down to the version."""

import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple

from jssl.evaluators.clustering import clustering
from jssl.evaluators.control import chunk_control, cloning, control
from jssl.evaluators.directions import reading, steering
from jssl.evaluators.evidence import classify, outside
from jssl.evaluators.factors import disentanglement
from jssl.evaluators.geometry import completion, dimensions, rotation
from jssl.evaluators.inside import description_length, mixing_weights, random_neurons, sparse
from jssl.evaluators.knn import neighbour_vote
from jssl.evaluators.late import late_retrieval
from jssl.evaluators.links import links
from jssl.evaluators.meaning import guarded, prediction, retrofitted
from jssl.evaluators.preference import answers, half_way, pair_likelihoods, pair_rewards
from jssl.evaluators.probe import fewshot, linear
from jssl.evaluators.property import labelled_regression
from jssl.evaluators.regression import laplacian, regression
from jssl.evaluators.retrieval import retrieval
from jssl.evaluators.sts import sts, sts_layer
from jssl.evaluators.subject import Subject
from jssl.evaluators.summaries import summaries
from jssl.evaluators.tables import cell_filling
from jssl.evaluators.tokens import token_rank
from jssl.evaluators.told import continued, filled
from jssl.evaluators.verification import verification
from jssl.evaluators.words import words
from jssl.types import Key, Transform


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
    given = {'options': {option: _told(x) for option, x in options.items()}} if options else {}
    figures = self.judge(subject, key, **options)
    if wrong := [name for name, x in figures.items() if isinstance(x, float) and not math.isfinite(x)]:
      raise ValueError(f'{self.judge.__name__} gave figures that are not finite, {wrong}; expected data with examples of all that is compared')
    return {'version': self.version, **given, **figures}


def _told(option: Any) -> Any:
  """An option as a record tells it: functions and transforms by name."""
  if isinstance(option, Transform):
    return option.fit.__qualname__.split('.')[0]
  return getattr(option, 'func', option).__name__ if callable(option) else option


def on_features(judge: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
  """A judge of frozen features, as a judge of a Subject with the same options."""

  @wraps(judge)
  def judged(subject: Subject, key: Key, **options: Any) -> dict[str, Any]:
    features = subject.frozen
    sizes = {'train_examples': len(features.train_y), 'test_examples': len(features.test_y)}
    return {**sizes, **judge(features, key, **options)}

  return judged


PROTOCOLS: Mapping[str, Protocol] = {
  'knn': Protocol('2', on_features(neighbour_vote)),
  'linear': Protocol('2', on_features(linear)),
  'fewshot': Protocol('2', on_features(fewshot)),
  'clustering': Protocol('1', on_features(clustering)),
  'links': Protocol('1', links, raw=False),
  'retrieval': Protocol('2', retrieval),
  'words': Protocol('2', words, raw=False),
  'sts': Protocol('2', sts),
  'retrofitted': Protocol('2', retrofitted, raw=False),
  'guarded': Protocol('2', guarded, raw=False),
  'sts_layer': Protocol('2', sts_layer, raw=False),
  'token_rank': Protocol('1', token_rank, raw=False),
  'filled': Protocol('2', filled, raw=False),
  'continued': Protocol('2', continued, raw=False),
  'summaries': Protocol('2', summaries, raw=False),
  'cell_filling': Protocol('2', cell_filling, raw=False),
  'late_retrieval': Protocol('2', late_retrieval, raw=False),
  'prediction': Protocol('2', prediction, raw=False),
  'sparse': Protocol('2', sparse, raw=False),
  'random_neurons': Protocol('2', random_neurons, raw=False),
  'description_length': Protocol('1', description_length, raw=False),
  'mixing_weights': Protocol('2', mixing_weights, raw=False),
  'reading': Protocol('3', reading, raw=False),
  'steering': Protocol('3', steering, raw=False),
  'verification': Protocol('2', verification),
  'classify': Protocol('2', classify, raw=False),
  'outside': Protocol('2', outside, raw=False),
  'dimensions': Protocol('2', dimensions, raw=False),
  'rotation': Protocol('2', rotation),
  'completion': Protocol('2', completion, raw=False),
  'disentanglement': Protocol('2', disentanglement, raw=False),
  # preference
  'pair_rewards': Protocol('2', pair_rewards, raw=False),
  'pair_likelihoods': Protocol('2', pair_likelihoods, raw=False),
  'answers': Protocol('1', answers, raw=False),
  'half_way': Protocol('2', half_way, raw=False),
  # control
  'regression': Protocol('1', regression),
  'labelled_regression': Protocol('1', labelled_regression),
  'cloning': Protocol('2', cloning),
  'control': Protocol('2', control, raw=False),
  'chunk_control': Protocol('1', chunk_control, raw=False),
  'laplacian': Protocol('1', laplacian, raw=False),
}
