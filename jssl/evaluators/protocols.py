"""The protocols by name: what a figure in a record means, down to the version."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from jssl.evaluators.clustering import clustering
from jssl.evaluators.features import Frozen, frozen
from jssl.evaluators.knn import neighbour_vote
from jssl.evaluators.probe import fewshot, linear
from jssl.types import Data, Key


class Protocol(NamedTuple):
  """A way to judge frozen features, an Evaluator when called. The version changes when the figures would."""

  name: str
  version: str
  judge: Callable[..., dict[str, float]]  # (Frozen, key, **options) -> figures

  def __call__(self, represent: Callable, data: Data, key: Key, **options: Any) -> dict[str, Any]:
    return self.read(frozen(represent, data), key, **options)

  def read(self, features: Frozen, key: Key, **options: Any) -> dict[str, Any]:
    """The figures, and with them what they rest on: protocol, version, split sizes, options that are not its own."""
    sizes = {'train_examples': len(features.train_y), 'test_examples': len(features.test_y)}
    given = {'options': options} if options else {}
    return {'protocol': self.name, 'version': self.version, **sizes, **given, **self.judge(features, key, **options)}


PROTOCOLS: Mapping[str, Protocol] = {
  'knn': Protocol('knn', '1', neighbour_vote),
  'linear': Protocol('linear', '1', linear),
  'fewshot': Protocol('fewshot', '1', fewshot),
  'clustering': Protocol('clustering', '1', clustering),
}


def evaluate(
  represent: Callable,
  data: Data,
  key: Key,
  *,
  protocols: Sequence[str] = ('knn', 'linear'),
  options: Mapping[str, Mapping[str, Any]] | None = None,
  **extraction: Any,
) -> dict[str, dict[str, Any]]:
  """Several protocols on one extraction of features.

  Args:
    represent: jitted, dict of [b ...] -> Features.
    data: with splits 'train' and 'test'.
    key: for the protocols that draw.
    protocols: names in PROTOCOLS.
    options: protocol -> options that depart from its own.
    **extraction: batch_size, column, label, as in `frozen`.

  Returns:
    protocol -> its result, ready for one JSON each.

  Raises:
    ValueError: a protocol is not known.
  """
  for name in protocols:
    if name not in PROTOCOLS:
      close = get_close_matches(name, PROTOCOLS, 3, 0) or sorted(PROTOCOLS)
      raise ValueError(f'There is no protocol {name!r}; the closest are {", ".join(close)}.')
  features = frozen(represent, data, **extraction)
  return {name: PROTOCOLS[name].read(features, key, **(options or {}).get(name, {})) for name in protocols}
