"""Evaluation protocols: versioned definitions of results. A protocol is declared above the function that implements it."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial, wraps
from typing import Any, NamedTuple

from jssl.evaluators import needs
from jssl.evaluators.subject import Subject
from jssl.types import Data, Key, Transform


class Protocol(NamedTuple):
  """A versioned evaluation of a Subject. The version changes whenever the results would.

  judge: (subject, key, *, options) -> results as floats, together with counts as ints and choices in a dict. needs: the parts of the data and
  the networks that it reads, as named in `needs.py`. raw: whether raw input can be evaluated too, as a baseline. fits: (subject, options) ->
  clauses for further unmet requirements; called if all needs are met.
  """

  version: str
  judge: Callable[..., dict[str, Any]]
  needs: tuple[str, ...]
  raw: bool = True
  fits: Callable[[Subject, Mapping[str, Any]], Iterable[str]] = lambda subject, options: ()

  def __call__(self, subject: Subject, key: Key, **options: Any) -> dict[str, Any]:
    """The results, with their provenance: the version, and options other than the protocol's defaults."""
    self.check(subject, **options)
    given = {'options': {option: _told(x) for option, x in options.items()}} if options else {}
    figures = self.judge(subject, key, **options)
    if wrong := [name for name, x in figures.items() if isinstance(x, float) and not math.isfinite(x)]:
      raise ValueError(f'{self.judge.__name__} gave figures that are not finite, {wrong}; expected data with examples of all that is compared')
    return {'version': self.version, **given, **figures}

  def check(self, subject: Subject, **options: Any) -> None:
    """Checks the options and the subject without computing results.

    Raises:
      ValueError: if an option is invalid, or the subject does not meet a requirement.
    """
    missing = [p.name for p in inspect.signature(self.judge).parameters.values() if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if missing := [name for name in missing if name not in options]:
      raise ValueError(f'{self.judge.__name__} needs the option {missing[0]!r}; give it, as in evaluators.LABEL.{missing[0]}=...')
    options = needs.of_options(self.judge, options)
    clauses = list(needs.wrong(options))
    if not clauses:
      asked = needs.named(self.needs, options, subject.data.inputs)
      bare = self.raw and not subject.networks  # raw input has no networks
      clauses = list(needs.lacks([need for need in asked if not (bare and need.startswith('nets.'))], subject))
    if clauses := clauses or list(self.fits(subject, options)):
      raise ValueError(f'{self.judge.__name__} cannot judge this: {"; ".join(clauses)}')


def _told(option: Any) -> Any:
  """An option in the form of a record: functions, with their options, transforms and data by name."""
  if isinstance(option, Data):
    return option.info.get('name', 'data')
  if isinstance(option, Transform):
    return option.fit.__qualname__.split('.')[0]
  if isinstance(option, partial) and option.keywords:
    return {'name': option.func.__name__, **{name: _told(x) for name, x in option.keywords.items()}}
  return getattr(option, 'func', option).__name__ if callable(option) else option


def of_features(judge: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
  """Turns a judge of frozen features into a judge of a Subject with the same options."""

  @wraps(judge)
  def judged(subject: Subject, key: Key, **options: Any) -> dict[str, Any]:
    features = subject.frozen
    sizes = {'train_examples': len(features.train_y), 'test_examples': len(features.test_y)}
    return {**sizes, **judge(features, key, **options)}

  return judged


def protocol(
  version: str,
  *,
  needs: tuple[str, ...] = (),
  raw: bool = True,
  on_features: bool = False,
  fits: Callable[[Subject, Mapping[str, Any]], Iterable[str]] = lambda subject, options: (),
) -> Callable:
  """Declares a protocol for a function, which is not changed.

  Args:
    version, needs, raw, fits: as in `Protocol`.
    on_features: the function takes frozen features, `Frozen`, instead of a Subject.
  """

  def declare(judge: Callable) -> Callable:
    judge.protocol = Protocol(version, of_features(judge) if on_features else judge, needs, raw, fits)
    return judge

  return declare


def as_protocol(entry: Any) -> Protocol:
  """The protocol of a function. A function without one takes a Subject, has no known needs, and has version '0'."""
  return entry if isinstance(entry, Protocol) else getattr(entry, 'protocol', None) or Protocol('0', entry, (), raw=False)
