"""The protocols by name: what a figure in a record means, down to the version."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial, wraps
from typing import Any, NamedTuple

from jssl.evaluators import needs
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
  needs: what of the data and the networks it reads, as `needs.py` names it.
  raw: whether the input as it is can be judged too, as what has to be beaten.
  fits: (subject, options) -> what does not fit, as clauses; asked where all needs are there.
  """

  version: str
  judge: Callable[..., dict[str, Any]]
  needs: tuple[str, ...]
  raw: bool = True
  fits: Callable[[Subject, Mapping[str, Any]], Iterable[str]] = lambda subject, options: ()

  def __call__(self, subject: Subject, key: Key, **options: Any) -> dict[str, Any]:
    """The figures, and with them what they rest on: the version, and options that are not the protocol's own."""
    self.check(subject, **options)
    given = {'options': {option: _told(x) for option, x in options.items()}} if options else {}
    figures = self.judge(subject, key, **options)
    if wrong := [name for name, x in figures.items() if isinstance(x, float) and not math.isfinite(x)]:
      raise ValueError(f'{self.judge.__name__} gave figures that are not finite, {wrong}; expected data with examples of all that is compared')
    return {'version': self.version, **given, **figures}

  def check(self, subject: Subject, **options: Any) -> None:
    """Computes nothing.

    Raises:
      ValueError: an option cannot be used, the subject lacks what is needed, or that does not fit.
    """
    missing = [p.name for p in inspect.signature(self.judge).parameters.values() if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if missing := [name for name in missing if name not in options]:
      raise ValueError(f'{self.judge.__name__} needs the option {missing[0]!r}; give it, as in evaluators.LABEL.{missing[0]}=...')
    options = needs.of_options(self.judge, options)
    clauses = list(needs.wrong(options))
    if not clauses:
      asked = needs.named(self.needs, options, subject.data.inputs)
      bare = self.raw and not subject.networks  # raw input stands before all networks
      clauses = list(needs.lacks([need for need in asked if not (bare and need.startswith('nets.'))], subject))
    if clauses := clauses or list(self.fits(subject, options)):
      raise ValueError(f'{self.judge.__name__} cannot judge this: {"; ".join(clauses)}')


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


TRAIN, TEST = ('train.{inputs}', 'train.label'), ('test.{inputs}', 'test.label')
STIMULI = ('stimuli.{inputs}', 'stimuli.label', *TRAIN, *TEST, 'layers')
PAIRS = ('test.chosen', 'test.rejected')

PROTOCOLS: Mapping[str, Protocol] = {
  'knn': Protocol('2', on_features(neighbour_vote), (*TRAIN, *TEST), fits=needs.held_out),
  'linear': Protocol('2', on_features(linear), (*TRAIN, *TEST), fits=needs.held_out),
  'fewshot': Protocol('2', on_features(fewshot), (*TRAIN, *TEST), fits=needs.classes),
  'clustering': Protocol('1', on_features(clustering), (*TRAIN, *TEST), fits=needs.classes),
  'links': Protocol(
    '1', links, ('{split}.head', '{split}.relation', '{split}.tail', 'nets.{entities}', 'nets.{relations}'),
    raw=False, fits=needs.entities,
  ),
  'retrieval': Protocol(
    '2', retrieval,
    ('{queries}.{inputs}', '{documents}.{inputs}', '{relevance}.query', '{relevance}.document', '{relevance}.relevance'),
  ),
  'words': Protocol('2', words, ('{split}.{inputs}', 'info.similarity', 'info.analogies'), raw=False, fits=needs.pieces),
  'sts': Protocol('2', sts, ('{texts}.{inputs}', '{pairs}.a', '{pairs}.b', '{pairs}.score')),
  'retrofitted': Protocol('2', retrofitted, ('train.{inputs}', 'info.similarity', 'info.edges if transform'), raw=False),
  'guarded': Protocol('2', guarded, (*TRAIN, 'train.{attribute}', *TEST, 'test.{attribute}'), raw=False),
  'sts_layer': Protocol(
    '2', sts_layer, ('{texts}.{inputs}', '{pairs}.a', '{pairs}.b', '{pairs}.score', 'layers'), raw=False, fits=needs.within,
  ),
  'token_rank': Protocol('1', token_rank, ('{split}.{inputs}',), raw=False),
  'filled': Protocol('2', filled, ('{split}.ids', 'nets.{encoder}.table', 'nets.{head}'), raw=False, fits=needs.starts),
  'continued': Protocol('2', continued, ('{split}.ids', 'nets.{encoder}.logits'), raw=False, fits=needs.starts),
  'summaries': Protocol(
    '2', summaries,
    ('{split}.{source}', '{split}.{text}', 'nets.{encoder}.embed', 'nets.{encoder}.table', 'nets.{decoder}', 'nets.{head}'),
    raw=False,
  ),
  'cell_filling': Protocol(
    '2', cell_filling,
    (
      '{split}.ids', '{split}.row', '{split}.column', '{split}.place', '{split}.answer', '{split}.others',
      'nets.{encoder}.table', 'nets.{head}',
    ),
    raw=False,
  ),
  'late_retrieval': Protocol(
    '2', late_retrieval, ('{split}.{query}', '{split}.{passage}', 'nets.{encoder}', 'nets.{head}'), raw=False,
  ),
  'prediction': Protocol('2', prediction, (*TEST, 'nets.{head}'), raw=False),
  'sparse': Protocol('2', sparse, (*TRAIN, *TEST, 'nets.{network}.neurons'), raw=False),
  'random_neurons': Protocol('2', random_neurons, (*TRAIN, *TEST, 'nets.{network}.neurons'), raw=False),
  'description_length': Protocol('1', description_length, (*TRAIN, 'layers'), raw=False, fits=needs.within),
  'mixing_weights': Protocol('2', mixing_weights, (*TRAIN, 'layers'), raw=False, fits=needs.within),
  'reading': Protocol('3', reading, STIMULI, raw=False),
  'steering': Protocol('3', steering, (*STIMULI, 'nets.{network}.pushed'), raw=False, fits=partial(needs.within, above=1)),
  'verification': Protocol('2', verification, (*TRAIN, *TEST, 'nets.{heads}'), fits=needs.classes),
  'classify': Protocol('2', classify, (*TRAIN, *TEST, 'nets.{heads}'), raw=False, fits=needs.classes),
  'outside': Protocol('2', outside, (*TRAIN, *TEST, '{split}.{inputs}', 'nets.{heads}'), raw=False, fits=needs.classes),
  'dimensions': Protocol('2', dimensions, (*TRAIN, *TEST, 'nets.{heads}'), raw=False, fits=needs.classes),
  'rotation': Protocol('2', rotation, ('test.{inputs}', 'nets.{heads}')),
  'completion': Protocol('2', completion, ('test.{columns}', 'nets.{towers}', 'nets.{heads}'), raw=False, fits=needs.modalities),
  'disentanglement': Protocol(
    '2', disentanglement, ('train.{inputs}', 'train.{column}', 'train.{label}', 'test.{inputs}', 'test.{column}', 'test.{label}'), raw=False,
  ),
  # preference
  'pair_rewards': Protocol('2', pair_rewards, (*PAIRS, 'nets.{encoder}', 'nets.{head}'), raw=False),
  'pair_likelihoods': Protocol('2', pair_likelihoods, (*PAIRS, 'nets.{encoder}.logits'), raw=False, fits=needs.starts),
  'answers': Protocol('1', answers, ('test.chosen', 'info.mark', 'nets.{encoder}.logits'), raw=False, fits=needs.starts),
  'half_way': Protocol('2', half_way, ('train.chosen', *PAIRS, 'nets.{encoder}', 'nets.{head}'), raw=False, fits=needs.starts),
  # control
  'regression': Protocol('1', regression, ('train.{inputs}', 'train.{column}', 'test.{inputs}', 'test.{column}')),
  'labelled_regression': Protocol(
    '1', labelled_regression, ('{fit}.{inputs}', '{fit}.{column}', 'test.{inputs}', 'test.{column}'),
  ),
  'cloning': Protocol('2', cloning, ('train.{inputs}', 'train.action', 'info.play'), fits=needs.actions),
  'control': Protocol('2', control, ('info.play', 'nets.{encoder}', 'nets.{head}'), raw=False),
  'chunk_control': Protocol('1', chunk_control, ('info.play', 'nets.{encoder}', 'nets.{decoder}'), raw=False),
  'laplacian': Protocol('1', laplacian, ('info.environment', 'nets.{encoder}', 'nets.{head}'), raw=False),
}  # fmt: skip
