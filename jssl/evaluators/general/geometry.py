"""Geometry of embeddings: the meaning of single dimensions, the effect of augmentations, and distances."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import extract, finite
from jssl.evaluators.general.verification import embedded
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits, products
from jssl.metrics.retrieval import mean_average_precision
from jssl.metrics.spectrum import rankme
from jssl.objectives.redundancy import sigreg
from jssl.ops.normalize import l2_normalize
from jssl.types import Key, View


@protocol('2', needs=(*TRAIN, *TEST, 'nets.{heads}'), raw=False, fits=needs.classes)
def class_consistency(subject: Subject, key: Key, *, heads: tuple[str, ...] = ('projector',), keep: int = 64) -> dict[str, float]:
  """The `class_consistency` protocol: whether single non-negative dimensions represent classes.

  Args:
    subject: its heads' outputs are read after a ReLU, even if they were trained without one.
    key: unused; the protocol is deterministic.
    heads: applied to the features, in order.
    keep: number of dimensions, those with the largest mean, that retrieval uses.

  Returns:
    consistency: among the examples for which a dimension is active, the share of the most frequent class, averaged over dimensions; without any
    active dimension, the share among all examples. sparsity: the share of zeros. map: mean average precision of the retrieval of test examples
    of the same class, by the cosine of the kept dimensions.

  Reference: Wang, Zhang, Guo, Wang, ICLR 2024, arXiv:2403.12459, sections 4.1 and 5.1.
  """
  z = np.maximum(embedded(subject, subject.frozen.test_x, heads), 0)
  labels = subject.frozen.test_y
  active = z > 1e-5
  count = np.eye(subject.frozen.classes)[labels].T @ active  # [c d]
  alive = count.sum(0) > 0
  mean = z.mean(0)
  strongest = mean >= np.sort(mean)[-min(keep, len(mean))]  # all dimensions that tie for the last place
  shares = count.max(0)[alive] / count.sum(0)[alive]
  return {
    'consistency': float(shares.mean() if alive.any() else np.bincount(labels).max() / len(labels)),
    'sparsity': float(1 - active.mean()),
    'map': mean_average_precision(np.asarray(l2_normalize(z[:, strongest])), labels),
  }


@protocol('2', needs=('test.{inputs}', 'nets.{heads}'))
def equivariance(subject: Subject, key: Key, *, view: View, heads: tuple[str, ...] = ('projector',), draws: int = 8) -> dict[str, float]:
  """The `equivariance` protocol: whether one rotation of the embeddings undoes the difference of two augmentations, for all images.

  min_R |Z_2 - Z_1 R| / |Z_2 - mean Z_2|,  R orthogonal, Z_a [n d] the embeddings of the test images under augmentation a

  Args:
    subject: its data are images.
    key: for the augmentations, which are the same for all images.
    view: the augmentation; its first view is used.
    heads: applied to the features, in order; embeddings are then scaled to unit length.
    draws: pairs of augmentations to average over.

  Returns:
    residual, as above; unrotated, the same with R the identity. Lower is more equivariant, or more invariant. gram, the mean squared change of
    the inner products of two images, as in the loss of CARE.

  Raises:
    ValueError: if all embeddings are equal.

  Reference: Gupta, Robinson, Lim, Villar, Jegelka 2023, arXiv:2306.13924, section 5.1 (Wahba's problem); the solution is Schonemann 1966,
    doi:10.1007/BF02289451. Divided by the spread, since collapsed embeddings would otherwise fit best.
  """
  column = subject.data.inputs

  @jax.jit
  def moved(key, images):
    return view(jnp.broadcast_to(key, len(images)), {column: images})[0]

  def under(key):
    represent = lambda batch: subject.represent({**batch, column: moved(key, batch[column])})
    z = extract(represent, subject.data.splits['test'], label=None)[0]
    return np.asarray(l2_normalize(embedded(subject, z, heads)), np.float64)

  found = []
  for one, two in jax.random.split(key, (draws, 2)):
    first, second = under(one), under(two)
    u, _, v = np.linalg.svd(first.T @ second)
    spread = np.linalg.norm(second - second.mean(0))
    if spread <= 1e-6 * np.linalg.norm(second):
      raise ValueError('the embeddings of all test images are the same, so there is no residual; expected a network that has not collapsed')
    change = first @ first.T - second @ second.T
    change = np.sum(change**2) - np.sum(np.diag(change) ** 2)
    found.append([*(np.linalg.norm(second - z) / spread for z in (first @ (u @ v), first)), change / (len(first) * (len(first) - 1))])
  return dict(zip(('residual', 'unrotated', 'gram'), map(float, np.mean(found, 0)), strict=True))


@protocol('1', needs=('test.{inputs}',))
def spread(subject: Subject, key: Key | None = None) -> dict[str, float]:
  """The `spread` protocol: the distance of each test example to its nearest neighbour on the sphere, which KoLeo increases.

  Args:
    subject: its pooled features are scaled to unit length.
    key: unused; the protocol is deterministic.

  Returns:
    nearest, the mean distance, from 0 to 2.

  Reference: Sablayrolles, Douze, Schmid, Jegou, ICLR 2019, arXiv:1806.03198, section 3.1.
  """
  z = np.asarray(l2_normalize(extract(subject.represent, subject.data.splits['test'], label=None)[0]), np.float64)
  square = 2 - 2 * z @ z.T
  np.fill_diagonal(square, np.inf)
  return {'nearest': float(np.mean(np.sqrt(np.maximum(square.min(1), 0))))}


@protocol('1', needs=('test.{inputs}', 'nets.{heads}'))
def isotropy(subject: Subject, key: Key, *, heads: tuple[str, ...] = ('projector',), directions: int = 256) -> dict[str, float]:
  """The `isotropy` protocol: how evenly the embeddings of test examples fill their space, and how far they are from a standard Gaussian.

  Args:
    subject: its test split is embedded.
    key: for the directions.
    heads: applied to the features, in order.
    directions: random directions to average over.

  Returns:
    rank: the effective rank (RankMe) of the embeddings at unit length, at most their number of features; higher is more even. distance: the
    statistic of Epps and Pulley along a direction, over the number of examples, from 0, for N(0, I), to about 2.5.

  Reference: Garrido, Balestriero, Najman, LeCun 2023, arXiv:2210.02885, Eq. 1; Balestriero, LeCun 2025, arXiv:2511.08544, section 4.2.3.
  """
  z = embedded(subject, extract(subject.represent, subject.data.splits['test'], label=None)[0], heads)
  distance = sigreg(jnp.asarray(z), key=key, directions=directions) / len(z)
  return {'rank': float(rankme(np.asarray(l2_normalize(z)))), 'distance': float(distance)}


@protocol('2', needs=('test.{columns}', 'nets.{towers}', 'nets.{heads}'), raw=False, fits=needs.modalities)
def modality_completion(
  subject: Subject,
  key: Key,
  *,
  columns: tuple[str, ...],
  towers: tuple[str, ...],
  heads: tuple[str, ...],
  pairwise: bool = False,
) -> dict[str, float]:
  """The `modality_completion` protocol: retrieval of the last modality of every test example, among its distinct values, from all others.

  Args:
    subject: has one network per modality; 'backbone' is its representation.
    key: unused; the protocol is deterministic.
    columns: the modalities; the last one is retrieved.
    towers: the network of each.
    heads: the head of each tower.
    pairwise: score a candidate by the sum of its cosines with the others, as CLIP does, instead of by the multilinear
      product of all.

  Returns:
    top1, and the number of candidates.

  Reference: Saporta, Puli, Goldstein, Ranganath 2024, arXiv:2411.01053, section 5.1, the retrieval of a missing modality.
  """
  split = subject.data.splits['test']
  held = {name: np.stack([split[i][name] for i in range(len(split))]) for name in columns}

  def embed(name, x):
    at = columns.index(name)
    z = extract(subject.represent, split, label=None)[0] if towers[at] == 'backbone' else subject.networks[towers[at]](x).pooled
    return finite(l2_normalize(subject.networks[heads[at]](z)), f'the outputs of {heads[at]!r}')

  *known, missing = columns
  values, own = np.unique(held[missing], axis=0, return_inverse=True)
  given = [embed(name, held[name]) for name in known]
  score = products(np.sum(given, 0) if pairwise else np.prod(given, 0), embed(missing, values))
  return {'top1': float(hits(score, own.ravel()).mean()), 'values': len(values)}
