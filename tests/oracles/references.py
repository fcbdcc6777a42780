"""The same quantity by another library, on the same arrays: ours takes jax arrays, theirs torch tensors in float64.

Where a library departs from the paper, both sides are brought to one formula here, and a comment says how they differ.
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import MagicMock
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np

from jssl import objectives as o
from jssl.ops.normalize import l2_normalize
from tests.oracles.clustering import cosines
from tests.oracles.contrastive import pair, table
from tests.oracles.dense import maps
from tests.oracles.prediction import MASK, tokens
from tests.oracles.redundancy import moment


class Parity(NamedTuple):
  ours: Callable  # (q, k) -> scalar
  theirs: Callable  # (q, k) -> scalar tensor
  arrays: tuple  # q and k, float32
  moving: tuple[int, ...] = (0, 1)  # by which of them both are differentiated


def both(objective, **options):
  """The mean of the two directions."""
  return lambda q, k: (jnp.mean(objective(q, k, **options)) + jnp.mean(objective(k, q, **options))) / 2


def mean(objective, **options):
  return lambda q, k: jnp.mean(objective(q, k, **options))


# torchvision's operators. Builds for CUDA cannot load them beside a torch for CPUs, and torchvision then fails to be imported.
OPERATORS = ('nms', 'qnms', *(f'{prefix}{name}{suffix}' for name in ('roi_align', 'roi_pool', 'ps_roi_align', 'ps_roi_pool', 'deform_conv2d')
                              for prefix, suffix in (('', ''), ('_', '_backward'))))  # fmt: skip


def absent(library: str) -> str | None:
  """Why a library cannot be imported; None where it can."""
  try:
    importlib.import_module(library)
  except Exception as error:  # binaries of torch that do not fit each other raise more than ImportError
    return f'{library} cannot be imported: {error}'


def imported(module: str) -> ModuleType | MagicMock:
  """A module; where it cannot be imported, a mock, with which our side of a comparison can still be made."""
  return MagicMock(name=module) if absent(module) else sys.modules[module]


def declare_operators(torch: Any) -> None:
  """Declares the operators that torchvision could not load. lightly's losses call none of them."""
  if not absent('torchvision'):
    return
  for name in [n for n in sys.modules if n.partition('.')[0] in ('torchvision', 'lightly')]:
    del sys.modules[name]
  declared = declare_operators.library = torch.library.Library('torchvision', 'FRAGMENT')
  for name in OPERATORS:
    declared.define(f'{name}(Tensor x) -> Tensor')


def lightly() -> dict[str, Parity]:
  torch = imported('torch')
  if not absent('torch'):
    declare_operators(torch)
  loss = imported('lightly.loss')
  HypersphereLoss = imported('lightly.loss.hypersphere_loss').HypersphereLoss
  NNMemoryBankModule = imported('lightly.models.modules').NNMemoryBankModule
  rng = np.random.default_rng(0)
  f = torch.nn.functional
  wide, assigned = pair(rng, 16, 6), cosines(rng, 12, 7)
  negatives, support, covariance = table(rng, 11, 6), table(rng, 11, 6), moment(rng, 6)
  centre, queue = cosines(rng, 1, 7)[0][0], cosines(rng, 10, 7)[0]
  grids, places = maps(rng, 8, 4, 4, 6), maps(rng, 8, 4, 4, 5)
  ramp = 0.01 * np.arange(1, 5, dtype=np.float32)[None, :, None]  # so far is a place from its match: the later, the farther
  near, at = (grids[0], grids[0] + ramp), maps(rng, 8, 4, 4, 2)[0]

  def with_queue(q, k):
    n = loss.NTXentLoss(0.07, memory_bank_size=(11, 6))
    n.memory_bank.bank = f.normalize(torch.tensor(negatives, dtype=torch.float64), dim=1)
    return n(q, k)

  def neighbours(q, k):
    # lightly's example contrasts the neighbour with NTXentLoss, which has neighbours among the negatives and both
    # directions; the search is the same.
    n = NNMemoryBankModule(size=(11, 6))
    n.bank = f.normalize(torch.tensor(support, dtype=torch.float64), dim=1)
    logits = n(k.detach()) @ f.normalize(q, dim=1).T / 0.1
    return f.cross_entropy(logits, torch.arange(len(q)))

  def dense(q, k):
    utils = imported('lightly.models.utils')
    positive = utils.select_most_similar(*(torch.tensor(x, dtype=torch.float64) for x in places), k.detach())
    n = loss.NTXentLoss(0.2, memory_bank_size=(11, 6))
    n.memory_bank.bank = f.normalize(torch.tensor(negatives, dtype=torch.float64), dim=1)
    return n(q.flatten(end_dim=1), positive.flatten(end_dim=1))

  def local(q, k):
    # lightly sorts matches by their distance, the official code and ours by their place: here both are the same. Its global part is 0.
    n = imported('lightly.loss').VICRegLLoss(alpha=0.0, num_matches=(3, 2))
    grids = [torch.tensor(x, dtype=torch.float64).reshape(8, 2, 2, 2) for x in (at, at + ramp)]
    none = torch.zeros(2, 8, 3, dtype=torch.float64)
    views = [(none[i], x.reshape(8, 2, 2, 6)) for i, x in enumerate((q, k))]
    return n(views, grids)[0]

  def whitened(q, k):
    n = loss.WMSELoss(embedding_dim=6, w_size=16, num_samples=2, track_running_stats=False)
    return n(torch.cat([q, k]))

  def tico(q, k):
    n = loss.TiCoLoss()
    n.C = torch.tensor(covariance, dtype=torch.float64)
    return n(q, k)

  def dino(q, k):
    # One teacher view and two student views, of which the first is the teacher's own and left out. lightly leaves the
    # gradient on the teacher: its examples run the teacher without one.
    n = loss.DINOLoss(7)
    n.center = torch.tensor(centre, dtype=torch.float64)[None, None]
    return n([k.detach()], [torch.zeros_like(q), q], teacher_temp=0.04)

  def swav(queue_scores):
    # Codes of k predict q. The second summand, codes of q predicting k, is ours with the arguments exchanged.
    extra = None if queue_scores is None else [torch.tensor(queue_scores, dtype=torch.float64)] * 2
    return lambda q, k: loss.SwaVLoss()([q, k], [], extra).sum()

  def msn(q, k):
    # lightly takes embeddings and prototypes; the identity as prototypes makes scores of unit-length embeddings.
    n = loss.MSNLoss(sinkhorn_iterations=3)
    return n(q, k.detach(), torch.eye(q.shape[1], dtype=torch.float64))

  return {
    'nt_xent / NTXentLoss': Parity(both(o.nt_xent, temperature=0.2), loss.NTXentLoss(0.2), wide),
    'info_nce_queue / NTXentLoss': Parity(mean(o.info_nce_queue, negatives=negatives), with_queue, wide),
    'nnclr / NNMemoryBankModule': Parity(mean(o.nnclr, support=support), neighbours, wide, (0,)),
    'dcl / DCLLoss': Parity(both(o.dcl), loss.DCLLoss(), wide),
    'dcl / DCLWLoss': Parity(both(o.dcl, sigma=0.5), loss.DCLWLoss(), wide),
    'align_uniform / HypersphereLoss': Parity(mean(o.align_uniform, t=1.0), HypersphereLoss(), wide),
    'barlow_twins / BarlowTwinsLoss': Parity(o.barlow_twins, loss.BarlowTwinsLoss(), wide),
    'dense_info_nce / NTXentLoss': Parity(
      mean(o.dense_info_nce, q_features=places[0], k_features=places[1], negatives=negatives), dense, grids, (0,)
    ),
    'vicreg_local / VICRegLLoss': Parity(
      lambda q, k: (lambda f: (f(q, k, at, at + ramp) + f(k, q, at + ramp, at)) / 2)(
        lambda q, k, x, y: o.vicreg_local(q, k, q_places=x, k_places=y, matches=3, back=2, feature_matches=3, feature_back=2)
      ),
      local,
      near,
    ),
    'vicreg / VICRegLoss': Parity(o.vicreg, loss.VICRegLoss(), wide),
    'w_mse / WMSELoss': Parity(mean(o.w_mse, eps=0.0), whitened, wide),
    'tico / TiCoLoss': Parity(mean(o.tico, covariance=covariance), tico, wide, (0,)),
    'swav / SwaVLoss': Parity(both(o.swav), swav(None), assigned),
    'swav with queue / SwaVLoss': Parity(both(o.swav, queue=queue), swav(queue), assigned),
    'dino / DINOLoss': Parity(mean(o.dino, centre=centre), dino, assigned, (0,)),
    'msn / MSNLoss': Parity(lambda q, k: jnp.mean(o.msn(l2_normalize(q), l2_normalize(k), iterations=3)), msn, assigned, (0,)),
    'negative_cosine / NegativeCosineSimilarity': Parity(mean(o.negative_cosine), loss.NegativeCosineSimilarity(), wide, (0,)),
  }


def metric_learning() -> dict[str, Parity]:
  torch, losses = imported('torch'), imported('pytorch_metric_learning.losses')
  rng = np.random.default_rng(1)
  views = pair(rng, 10, 6)
  labels = np.array([0, 1, 0, 2, 1, 0, 3, 3, 2, 1])
  twice = torch.tensor(np.concatenate([labels, labels]))
  instance = torch.arange(10).repeat(2)
  return {
    'sup_con / SupConLoss': Parity(
      both(o.sup_con, labels=labels, temperature=0.2),
      lambda q, k: losses.SupConLoss(0.2)(torch.cat([q, k]), twice),
      views,
    ),
    'nt_xent / NTXentLoss': Parity(both(o.nt_xent, temperature=0.3), lambda q, k: losses.NTXentLoss(0.3)(torch.cat([q, k]), instance), views),
  }


def torch_functional() -> dict[str, Parity]:
  torch = imported('torch')
  f = torch.nn.functional
  rng = np.random.default_rng(2)
  views, hidden, scores = pair(rng, 10, 6), tokens(rng), cosines(rng, 10, 7)
  labels, mask = np.arange(10) % 7, torch.tensor(MASK)

  def unit(x):
    return f.normalize(x, dim=-1)

  def patches(distance):
    def theirs(prediction, target):
      return (distance(prediction, target).mean(-1) * mask).sum() / mask.sum()

    return theirs

  def normalized(prediction, target):
    target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
    return (prediction - target) ** 2

  def sigmoid(q, k):
    logits = unit(q) @ unit(k).T * 10 - 10
    match = torch.eye(len(q), dtype=logits.dtype)
    return f.binary_cross_entropy_with_logits(logits, match, reduction='none').sum(1).mean()

  def layer_norm(distance, **options):
    return lambda q, k: distance(q, f.layer_norm(k, (k.shape[-1],)), **options)

  return {
    'info_nce / cross_entropy': Parity(
      mean(o.info_nce, temperature=0.2),
      lambda q, k: f.cross_entropy(unit(q) @ unit(k).T / 0.2, torch.arange(len(q))),
      views,
    ),
    'siglip / binary_cross_entropy': Parity(mean(o.siglip), sigmoid, views),
    'deep_cluster / cross_entropy': Parity(
      lambda q, k: jnp.mean(o.deep_cluster(q, labels)),
      lambda q, k: f.cross_entropy(q / 0.1, torch.tensor(labels)),
      scores,
      (0,),
    ),
    'byol / mse_loss': Parity(mean(o.byol), lambda q, k: f.mse_loss(unit(q), unit(k), reduction='none').sum(-1).mean(), views, (0,)),
    'smooth_l1 / smooth_l1_loss': Parity(mean(o.smooth_l1, beta=0.7), lambda q, k: f.smooth_l1_loss(q, k, beta=0.7), views, (0,)),
    'smooth_l1 of normalised targets / smooth_l1_loss': Parity(mean(o.smooth_l1, normalize=True), layer_norm(f.smooth_l1_loss), hidden, (0,)),
    'latent_l2 / mse_loss': Parity(mean(o.latent_l2, normalize=True), layer_norm(f.mse_loss), hidden, (0,)),
    'latent_l1 / l1_loss': Parity(mean(o.latent_l1), f.l1_loss, hidden, (0,)),
    'masked_mse': Parity(mean(o.masked_mse, mask=MASK), patches(normalized), hidden, (0,)),
    'masked_l1': Parity(mean(o.masked_l1, mask=MASK), patches(lambda x, y: (x - y).abs()), hidden, (0,)),
  }


def optax() -> dict[str, Parity]:
  """Here theirs take jax arrays."""
  from optax import losses

  rng = np.random.default_rng(3)
  views, scores = pair(rng, 10, 6), cosines(rng, 10, 7)
  labels = np.arange(10) % 7
  stop = jax.lax.stop_gradient

  def unit(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)

  def sigmoid(q, k):
    logits = jnp.matmul(unit(q), unit(k).T, precision='highest') * 10 - 10
    return losses.sigmoid_binary_cross_entropy(logits, jnp.eye(len(q))).sum(1).mean()

  def two_way(q, k):
    logits = jnp.matmul(unit(q), unit(k).T, precision='highest') / 0.1
    one_way = losses.softmax_cross_entropy_with_integer_labels(jnp.stack([logits, logits.T]), jnp.arange(len(q))[None])
    return one_way.mean()

  return {
    'nt_xent / ntxent': Parity(
      both(o.nt_xent, temperature=0.3),
      lambda q, k: losses.ntxent(jnp.concatenate([q, k]), jnp.tile(jnp.arange(len(q)), 2), 0.3),
      views,
    ),
    'info_nce / softmax_cross_entropy': Parity(both(o.info_nce, temperature=0.1), two_way, views),
    'siglip / sigmoid_binary_cross_entropy': Parity(mean(o.siglip), sigmoid, views),
    'negative_cosine / cosine_similarity': Parity(mean(o.negative_cosine), lambda q, k: -losses.cosine_similarity(q, stop(k)).mean(), views),
    'smooth_l1 / huber_loss': Parity(mean(o.smooth_l1, beta=0.7), lambda q, k: losses.huber_loss(q, stop(k), delta=0.7).mean() / 0.7, views),
    'latent_l2 / squared_error': Parity(mean(o.latent_l2), lambda q, k: losses.squared_error(q, stop(k)).mean(), views),
    'cross_entropy / smooth_labels': Parity(
      lambda q, k: jnp.mean(o.cross_entropy(q, labels=jax.nn.softmax(k), smoothing=0.2)),
      lambda q, k: losses.softmax_cross_entropy(q, losses.smooth_labels(jax.nn.softmax(k), 0.2)).mean(),
      scores,
      (0,),
    ),
    'deep_cluster / softmax_cross_entropy': Parity(
      lambda q, k: jnp.mean(o.deep_cluster(q, labels)),
      lambda q, k: losses.softmax_cross_entropy_with_integer_labels(q / 0.1, labels).mean(),
      scores,
      (0,),
    ),
  }


LIBRARIES = {
  'lightly': lightly,
  'pytorch_metric_learning': metric_learning,
  'torch': torch_functional,
  'optax': optax,
}


STORED = ('lightly', 'pytorch_metric_learning', 'torch')  # whose values are kept in tests/objectives/parity.json


def ours(parity: Parity) -> tuple[np.ndarray, list[np.ndarray]]:
  """Our value and gradient."""
  return jax.device_get(jax.jit(jax.value_and_grad(parity.ours, parity.moving))(*map(jnp.asarray, parity.arrays)))


def theirs(library: str, parity: Parity) -> tuple[np.ndarray, list[np.ndarray]]:
  """Their value and gradient."""
  if library == 'optax':
    return ours(parity._replace(ours=parity.theirs))
  import torch

  tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in parity.arrays]
  value = parity.theirs(*tensors)
  gradient = torch.autograd.grad(value, [tensors[i] for i in parity.moving])
  return value.detach().numpy(), [g.numpy() for g in gradient]


def errors(parity: Parity, value: Any, gradient: list) -> tuple[float, float]:
  """Relative errors of ours, in value and in gradient."""
  our_value, our_gradient = ours(parity)
  return relative([our_value], [value]), relative(our_gradient, gradient)


def fingerprint(parity: Parity) -> int:
  """Of the arrays that both sides are given."""
  return crc32(b''.join(np.asarray(x, '<f4').tobytes() for x in parity.arrays))


def relative(found, expected) -> float:
  found, expected = (np.concatenate([np.ravel(x).astype(np.float64) for x in xs]) for xs in (found, expected))
  return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
