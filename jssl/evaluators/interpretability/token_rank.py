"""The rank of token states."""

from typing import Any

import numpy as np

from jssl.evaluators.features import extract
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.types import Key


@protocol('1', needs=('{split}.{inputs}',), raw=False)
def token_rank(subject: Subject, key: Key, *, split: str = 'test', texts: int = 512, tau: float = 0.9) -> dict[str, Any]:
  """The number of directions that explain a share tau of the variance of the last states of tokens without padding, on unmasked texts.

  rank = min { k : sum_{i <= k} s_i^2 >= tau sum_i s_i^2 },   s the singular values of the states [tokens d]

  The mean of all states counts as one of the directions; a large mean can be the only one. The same is therefore also reported for centred
  states.

  Args:
    subject: has a network on ids, with padding 0.
    key: unused.
    split: its first texts are encoded.
    texts: maximal number of texts.
    tau: the share.

  Returns:
    rank; share, the rank divided by d; centred_rank and centred_share, for centred states; the number of tokens.

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
  # Squares of the singular values. The product is computed in float64, so its error is below 1e-15 of the energy, of which tau is a share.
  energy = np.linalg.eigvalsh(states.T @ states)[::-1].clip(0)
  return int(np.searchsorted(np.cumsum(energy), tau * energy.sum()) + 1)
