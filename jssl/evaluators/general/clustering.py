"""Clustering: agreement of clusters with the labels."""

import jax
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import Frozen
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.types import Key


@protocol('1', needs=(*TRAIN, *TEST), on_features=True, fits=needs.classes)
def clustering(data: Frozen, key: Key, *, clusters: int | None = None, restarts: int = 3) -> dict[str, float]:
  """The `clustering` protocol: k-means on the l2-normalised train features, evaluated on the assignments of the test split.

  Args:
    data: features and labels.
    key: seeds the restarts.
    clusters: number of clusters; by default the number of classes.
    restarts: runs of k-means; the one with the lowest inertia is used.

  Returns:
    nmi, normalised mutual information (arithmetic mean) in [0, 1]; ari, the adjusted Rand index, 0 for chance, 1 at best; top1 under the best
    one-to-one assignment of clusters to classes.

  Reference: Vinh, Epps, Bailey, Information Theoretic Measures for Clusterings Comparison, JMLR 2010; Hubert,
    Arabie, Comparing Partitions, 1985.
  """
  from scipy.optimize import linear_sum_assignment
  from sklearn.cluster import KMeans
  from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
  from threadpoolctl import threadpool_limits

  clusters = clusters or data.classes
  if clusters > len(data.train_x):
    raise ValueError(f'clustering was asked for {clusters} clusters of {len(data.train_x)} examples; ask for fewer.')
  seed = int(jax.random.bits(key, (), 'uint32'))
  with threadpool_limits(1):  # its threads spin at barriers: ten times slower if other processes share the cores
    means = KMeans(clusters, n_init=restarts, random_state=seed).fit(_unit(data.train_x))
    found = means.predict(_unit(data.test_x))
  table = np.zeros((clusters, data.classes), int)
  np.add.at(table, (found, data.test_y), 1)
  return {
    'nmi': float(normalized_mutual_info_score(data.test_y, found)),
    'ari': float(adjusted_rand_score(data.test_y, found)),
    'top1': float(table[linear_sum_assignment(-table)].sum() / len(found)),
  }


def _unit(x: np.ndarray) -> np.ndarray:
  return x / np.sqrt(np.sum(x * x, 1, keepdims=True) + 1e-12)
