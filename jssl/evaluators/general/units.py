"""Clusters of frames against the phones that are said."""

import jax
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.ops.rows import over_rows, take
from jssl.types import Key


@protocol('1', needs=('train.{inputs}', 'test.{inputs}', 'test.{phones}', 'layers'), raw=False, fits=needs.within)
def units(subject: Subject, key: Key, *, layer: int = 1, clusters: int = 50, phones: str = 'phones') -> dict[str, float]:
  """k-means of the states of frames in 'train', judged by what they tell of the phones in 'test'.

  With joint counts of phones y and clusters z of the frames:
    pnmi = I(y; z) / H(y),   phone_purity = sum_z max_y p(y, z),   cluster_purity = sum_y max_z p(y, z)

  Args:
    subject: has a network that returns its layers.
    key: seeds k-means.
    layer: whose states are clustered, 0 for what goes into the first block.
    clusters: number of clusters.
    phones: column [n] of the phone of each frame.

  Returns:
    pnmi, the share of the uncertainty about a phone that its cluster removes; phone_purity and cluster_purity; all in [0, 1].

  Reference: Hsu et al. (HuBERT), TASLP 2021, arXiv:2106.07447, section V.B.
  """
  from sklearn.cluster import MiniBatchKMeans
  from threadpoolctl import threadpool_limits

  def states(split):
    rows, name = subject.data.splits[split], subject.data.inputs
    of = lambda x: subject.represent(x).layers[layer]
    return finite(over_rows(of, lambda i: take(rows, i, [name]), len(rows), 64), f'the states of {split!r}')

  train, test = states('train'), states('test')
  said = take(subject.data.splits['test'], np.arange(len(test)), [phones])[phones]
  seed = int(jax.random.bits(key, (), 'uint32'))
  with threadpool_limits(1):  # its threads spin at barriers: ten times slower if other processes share the cores
    means = MiniBatchKMeans(clusters, batch_size=10_000, n_init=3, random_state=seed).fit(train.reshape(-1, train.shape[-1]))
    found = means.predict(test.reshape(-1, test.shape[-1]))
  joint = np.zeros((int(said.max()) + 1, clusters))
  np.add.at(joint, (said.reshape(-1), found), 1 / found.size)
  return {
    'pnmi': _information(joint) / max(_entropy(joint.sum(1)), 1e-12),
    'phone_purity': float(joint.max(0).sum()),
    'cluster_purity': float(joint.max(1).sum()),
  }


def _entropy(p: np.ndarray) -> float:
  p = p[p > 0]
  return float(-np.sum(p * np.log(p)))


def _information(joint: np.ndarray) -> float:
  return _entropy(joint.sum(0)) + _entropy(joint.sum(1)) - _entropy(joint.ravel())
