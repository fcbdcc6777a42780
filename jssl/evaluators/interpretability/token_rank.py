"""What the states of single tokens are like."""

from typing import Any

import numpy as np

from jssl.evaluators.features import extract
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Key


@protocol('1', needs=('{split}.{inputs}',), raw=False)
def token_rank(subject: Subject, key: Key, *, split: str = 'test', texts: int = 512, tau: float = 0.9) -> dict[str, Any]:
  """How many directions hold a share tau of the variance of real tokens' last states, on texts in which none is hidden.

  rank = min { k : sum_{i <= k} s_i^2 >= tau sum_i s_i^2 },   s the singular values of the states [tokens d]

  A mean that all states share counts as one of the directions, and where it is large as the only one: so the same is
  also reported for the states less their mean.

  Args:
    subject: of a network on ids, 0 being padding.
    key: not used.
    split: whose first texts are encoded.
    texts: how many, at most.
    tau: the share.

  Returns:
    rank; share, the rank over d; centred_rank and centred_share, of the states less their mean; the number of tokens.

  Reference: Meng et al., ICLR 2024, arXiv:2302.02060, section 3.
  """
  del key
  examples = [subject.data.splits[split][i] for i in range(min(texts, len(subject.data.splits[split])))]
  ids = np.stack([example[subject.data.inputs] for example in examples])
  states, _ = extract(subject.represent, examples, min(len(examples), 128), 'tokens', label=None)
  states = states.reshape(*ids.shape, -1)[subject.data.spec[subject.data.inputs].real(ids)].astype(np.float64)
  rank, centred = _rank(states, tau), _rank(states - states.mean(0), tau)
  figures = {'rank': rank, 'share': rank / states.shape[1], 'centred_rank': centred, 'centred_share': centred / states.shape[1]}
  return {**{name: float(x) for name, x in figures.items()}, 'tokens': len(states)}


def _rank(states: np.ndarray, tau: float) -> int:
  # The squares of singular values. The product is in float64, so that what it loses is under 1e-15 of the energy, of which tau is a share.
  energy = np.linalg.eigvalsh(states.T @ states)[::-1].clip(0)
  return int(np.searchsorted(np.cumsum(energy), tau * energy.sum()) + 1)
