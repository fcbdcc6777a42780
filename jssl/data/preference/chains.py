"""Worked sums as text, correct and incorrect step by step: answers of known quality, for preference learning."""

from functools import partial

import numpy as np

from jssl.data.core.arrays import arrays
from jssl.types import Data

PAD, ZERO, EQUALS, START = 0, 1, 11, 12  # ids; the digit d is ZERO + d
VOCABULARY = 13


def chains(*, terms: int = 5, train: int = 2048, test: int = 512, slips: float = 0.3, human: int = 100, seed: int = 0) -> Data:
  """Sums of digits modulo 10 with their running totals: `^ 3 9 4 = 3 2 6`. A slip is a total that does not follow from the previous one.

  A pair of answers to the same question has different numbers of slips; the one with fewer is preferred. There are `human` pairs of that kind,
  and one automatic pair per example, which is ordered by the number of slips in the first half of the answer only: cheap, and often wrong.

  Args:
    terms: k, digits per question.
    train: number of training examples.
    test: number of test examples.
    slips: probability of a slip at each step.
    human: number of distinct pairs in the columns chosen and rejected of train, which repeats them.
    seed: seed of all randomness.

  Returns:
    Data with columns chosen, rejected, cheap_chosen, cheap_rejected [2k + 2] int32, and answer [2k + 2], of unknown quality. Their `start` is
    the answer's first token. info: mark, ids [n 2k + 2] -> which steps are slips, [n k].

  Raises:
    ValueError: for fewer than two terms, whose halves cannot differ; fewer than one example or pair; or slips so rare or so common that two
      answers almost never differ in their number.
  """
  if terms < 2 or min(train, test, human) < 1 or not 0.01 <= slips <= 0.99:
    raise ValueError(
      f'chains(terms={terms}, train={train}, test={test}, human={human}, slips={slips}): expected at least 2 terms, slips in [0.01, 0.99], '
      'and at least one example and one pair'
    )
  random = np.random.RandomState(seed)
  splits = [_columns(random, n, terms, slips, pairs) for n, pairs in ((train, human), (test, test))]
  info = dict(
    name='chains', mark=partial(slips_of, terms=terms),
    description='Sums with running totals, some of them wrong.', licence='none needed: generated', citation='',
  )  # fmt: skip
  facts = dict.fromkeys(splits[0], dict(size=VOCABULARY, pad=PAD, first=ZERO, start=terms + 2))
  return arrays(**splits[0], test=splits[1], inputs='chosen', facts=facts, info=info)


def slips_of(ids: np.ndarray, terms: int) -> np.ndarray:
  """Which totals do not follow from the previous one, [n k] bool; a token that is not a digit counts as a slip."""
  digits, totals = ids[:, 1 : terms + 1] - ZERO, ids[:, terms + 2 :] - ZERO
  before = np.concatenate([np.zeros((len(ids), 1), totals.dtype), totals[:, :-1]], 1)
  return (totals != (before + digits) % 10) | (totals < 0) | (totals > 9)


def _columns(random: np.random.RandomState, n: int, terms: int, slips: float, pairs: int) -> dict[str, np.ndarray]:
  draw = lambda: random.randint(0, 10, (n, terms))
  chosen, rejected = _pairs(random, draw(), slips, slice(None))
  cheap_chosen, cheap_rejected = _pairs(random, draw(), slips, slice(0, terms // 2))
  rows = np.arange(n) % pairs
  return dict(
    chosen=chosen[rows], rejected=rejected[rows], cheap_chosen=cheap_chosen, cheap_rejected=cheap_rejected,
    answer=_answers(random, draw(), slips),
  )  # fmt: skip


def _answers(random: np.random.RandomState, digits: np.ndarray, slips: float) -> np.ndarray:
  n, terms = digits.shape
  totals, total = np.zeros_like(digits), np.zeros(n, int)
  for i in range(terms):
    wrong = random.rand(n) < slips
    total = (total + digits[:, i] + wrong * random.randint(1, 10, n)) % 10
    totals[:, i] = total
  fixed = np.full((n, 1), START), digits + ZERO, np.full((n, 1), EQUALS), totals + ZERO
  return np.concatenate(fixed, 1).astype(np.int32)


def _pairs(random: np.random.RandomState, digits: np.ndarray, slips: float, steps: slice) -> tuple[np.ndarray, np.ndarray]:
  """Two answers to each question, first the one with fewer slips among `steps`; the second is redrawn until their numbers differ."""
  terms = digits.shape[1]
  count = lambda ids: slips_of(ids, terms)[:, steps].sum(1)
  one, other = (_answers(random, digits, slips) for _ in range(2))
  while (tied := count(one) == count(other)).any():
    other[tied] = _answers(random, digits[tied], slips)
  better = (count(one) < count(other))[:, None]
  return np.where(better, one, other), np.where(better, other, one)
