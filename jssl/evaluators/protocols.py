"""Protocols: what a figure in a record means, down to the version. Each is declared above the function that judges."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, NamedTuple

from jssl.evaluators import needs
from jssl.evaluators.subject import Subject
from jssl.types import Data, Key, Transform


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
  """An option as a record tells it: functions, transforms and data by name."""
  if isinstance(option, Data):
    return option.info.get('name', 'data')
  if isinstance(option, Transform):
    return option.fit.__qualname__.split('.')[0]
  return getattr(option, 'func', option).__name__ if callable(option) else option


def of_features(judge: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
  """A judge of frozen features, as a judge of a Subject with the same options."""

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
  """Declares that a function judges by a protocol; the function stays as it is.

  Args:
    version, needs, raw, fits: as in `Protocol`.
    on_features: it judges frozen features, `Frozen`, in place of a Subject.
  """

  def declare(judge: Callable) -> Callable:
    judge.protocol = Protocol(version, of_features(judge) if on_features else judge, needs, raw, fits)
    return judge

  return declare


def as_protocol(entry: Any) -> Protocol:
  """The protocol of a function; a function that declares none judges a Subject, needs nothing that is known, and has version '0'."""
  return entry if isinstance(entry, Protocol) else getattr(entry, 'protocol', None) or Protocol('0', entry, (), raw=False)
