"""Data for tuning and for final results. The two share no evaluated example.

In a config, both wrap another data set: `dict(name='development', of=dict(name='mnist5k'), seed=3)`. Tuning uses only `development`, whose test
split is a share of the training split. Final results use `final`, whose splits are drawn again with its seed if the data set declares that its
own were random.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jssl.data.core.arrays import Columns, resident
from jssl.data.core.operators import ALL, Rows
from jssl.data.core.order import permutation, stratified
from jssl.types import Data, Examples, Judged

HALVES = 20  # the seed of halves, equal for every run


def development(*, of: Data, seed: int = 0, share: float = 0.2) -> Data:
  """The data for tuning a system; no example of the final evaluation is included.

  'test' is a share of 'train', which keeps the rest. Other evaluated splits of the data set (`Data.judged`) are replaced by a separate
  validation split, or by one half.

  Args:
    of: the data set.
    seed: seed of the held-out share.
    share: share of 'train', 0 to 1; per class if the data set has a column `label`.

  Raises:
    ValueError: if the data set has splits other than 'train' and 'test' and does not declare which of them are evaluated.
  """
  judged = of.judged or Judged()
  if of.judged is None and (others := {*of.splits} - {'train', 'test'}):
    raise ValueError(
      f'{of.info.get("name", "these data")}: the splits {sorted(others)} may hold the data of final figures; declare in Data.judged '
      'what replaces them while a system is tuned'
    )
  if judged.carved:
    whole = of.splits[judged.carved]
    kept, held = _drawn(of, whole, max(1, round(share * len(whole))), seed)
    of = _with(of, {judged.carved: (whole, kept), 'test': (whole, held)}, {judged.carved: judged.carved, 'test': judged.carved})
  others = {name: other and of.splits[other] for name, other in judged.instead.items()}
  of = of._replace(splits={name: split for name, split in {**of.splits, **others}.items() if split is not None})
  return _half(of, judged.halved, 0)


def final(*, of: Data, seed: int = 1000) -> Data:
  """The data for final results: if 'train' and 'test' were random, they are drawn again with the same sizes.

  Args:
    of: the data set.
    seed: seed of the draw.
  """
  if of.info.get('split') == 'random':
    train, test = (of.splits[name] for name in ('train', 'test'))
    pool = Joined(train, test)
    kept, held = _drawn(of, pool, len(test), seed)
    of = _with(of, dict(train=(pool, kept), test=(pool, held)), dict(train=('train', 'test'), test=('train', 'test')))
  return _half(of, of.judged.halved if of.judged else (), 1)


class Joined:
  """The concatenation of two splits."""

  def __init__(self, one: Examples, other: Examples):
    self.one, self.other = one, other

  def __len__(self) -> int:
    return len(self.one) + len(self.other)

  def __getitem__(self, index: int) -> Mapping[str, np.ndarray]:
    return self.one[index] if index < len(self.one) else self.other[index - len(self.one)]

  def decoded(self, limit: int) -> Columns | None:
    held = [resident(part, ALL) for part in (self.one, self.other)]
    return Columns({name: np.concatenate([part.columns[name] for part in held]) for name in held[0].columns})


def _drawn(data: Data, examples: Examples, held_out: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """Rows to keep and `held_out` rows, by class if there are classes, each in order."""
  label = data.spec.get('label')
  if label is not None and label.shape == () and label.dtype.kind in 'iu' and (label.size or 0) <= len(examples) // 10:
    rows = np.concatenate(stratified(resident(examples, ALL).columns['label'], held_out / len(examples), seed)[::-1])
  else:
    rows = permutation(len(examples), seed)
  return np.sort(rows[held_out:]), np.sort(rows[:held_out])


def _with(data: Data, parts: Mapping[str, tuple[Examples, np.ndarray]], named: Mapping[str, Any]) -> Data:
  """The data with splits that are rows of other splits, together with their texts, if any."""
  splits, texts = dict(data.splits), dict(data.info.get('texts', {}))
  for split, (examples, rows) in parts.items():
    if getattr(examples, 'crop', None) is None and isinstance(held := resident(examples), Columns):
      splits[split] = Columns(held.take(rows))
    else:
      splits[split] = Rows(examples, rows)
    of = (named[split],) if isinstance(named[split], str) else named[split]
    if texts and all(name in data.info['texts'] for name in of):
      all_of = [text for name in of for text in data.info['texts'][name]]
      texts[split] = [all_of[i] for i in rows]
  return data._replace(splits=splits, info={**data.info, **({'texts': texts} if texts else {})})


def _half(data: Data, names: tuple[str, ...], which: int) -> Data:
  """One half of splits, by `query` if they have that column, and of the judgements in `info`."""
  splits, info = dict(data.splits), dict(data.info)
  for name in names:
    if name in splits:
      columns = resident(splits[name], ALL).columns
      of = columns.get('query', np.arange(len(splits[name])))
      splits[name] = Columns({key: x[np.isin(of, _side(np.unique(of), which))] for key, x in columns.items()})
    else:
      info[name] = {
        kind: tuple(x[_side(np.arange(len(x)), which)] for x in of) if isinstance(of, tuple) else of[_side(np.arange(len(of)), which)]
        for kind, of in info[name].items()
      }
  return data._replace(splits=splits, info=info)


def _side(rows: np.ndarray, which: int) -> np.ndarray:
  return np.sort(rows[permutation(len(rows), HALVES)[which::2]])
