"""The same quantity by another library, on the same arrays: ours takes jax arrays, theirs torch tensors in float64.

Where a library departs from the paper, both sides are brought to one formula here, and a comment says how they differ.
"""

import importlib
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import MagicMock, patch
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl import objectives as o
from jssl.models.heads.quantizer import GumbelQuantizer
from jssl.objectives.compound import matryoshka
from jssl.ops.normalize import l2_normalize
from tests.oracles.clustering import PATCHES, cosines, patches
from tests.oracles.contrastive import pair, table
from tests.oracles.dense import maps
from tests.oracles.prediction import MASK, tokens
from tests.oracles.redundancy import moment
from tests.oracles.shared import pair_of_tokens


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
  """Declares the operators that torchvision could not load. Losses of lightly and open_clip call none of them."""
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
  key, many = jax.random.key(0), pair_of_tokens(np.random.default_rng(4), 6, 2, 5)
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

  def mmcr(q, k):
    # lightly takes unit-length embeddings, and the norm of the views over both encoders: both are views here.
    return loss.MMCRLoss()(f.normalize(q, dim=-1), f.normalize(k, dim=-1))

  def lejepa(q, k):
    # lightly draws directions by torch: ours are drawn in their place. One global and one local view.
    n = loss.LeJEPALoss(sigreg_num_vectors=8)
    a = np.array(jax.random.normal(key, (6, 8)), np.float64)
    n.sigreg._generate_unit_vectors = lambda *_: f.normalize(torch.tensor(a), dim=0)
    n.sigreg.double()
    return n(global_proj=q[None], local_proj=k[None])

  def our_lejepa(q, k):
    z = jnp.stack([q, k], 1)
    gaussian = sum(o.sigreg(z[:, i], key=key, directions=8, limit=3.0) for i in (0, 1)) / 2
    return 0.95 * jnp.mean(o.view_centre(z, centres=1)) + 0.05 * gaussian

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

  def ibot(q, k):
    # lightly takes the masked patches alone, and the mask as a grid.
    n = loss.IBOTPatchLoss(7, teacher_temp=0.06)
    n.center.center = torch.tensor(centre, dtype=torch.float64)[None]
    at = torch.tensor(PATCHES[:, 0])
    return n(k.detach()[at], q[at], at.reshape(5, 2, 2))

  def msn(q, k):
    # lightly takes embeddings and prototypes; the identity as prototypes makes scores of unit-length embeddings.
    n = loss.MSNLoss(sinkhorn_iterations=3)
    anchors = q if q.ndim == 2 else torch.cat(tuple(q.unbind(1)))  # lightly's views follow each other
    return n(anchors, k.detach(), torch.eye(k.shape[1], dtype=torch.float64))

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
    'mmcr / MMCRLoss': Parity(lambda q, k: o.mmcr(jnp.concatenate([q, k], 1), lam=5e-3), mmcr, many),
    'view_centre and sigreg / LeJEPALoss': Parity(our_lejepa, lejepa, wide),
    'swav / SwaVLoss': Parity(both(o.swav), swav(None), assigned),
    'swav with queue / SwaVLoss': Parity(both(o.swav, queue=queue), swav(queue), assigned),
    'dino / DINOLoss': Parity(mean(o.dino, centre=centre), dino, assigned, (0,)),
    'ibot / IBOTPatchLoss': Parity(
      mean(o.ibot, mask=PATCHES[:, 0], centre=centre, teacher_temperature=0.06), ibot, patches(rng, 5, 4, 7), (0,)
    ),
    'koleo / KoLeoLoss': Parity(lambda q, k: jnp.mean(o.koleo(q)), lambda q, k: loss.KoLeoLoss()(q), wide, (0,)),
    'msn / MSNLoss': Parity(lambda q, k: jnp.mean(o.msn(l2_normalize(q), l2_normalize(k), iterations=3)), msn, assigned, (0,)),
    'msn of several anchors / MSNLoss': Parity(
      lambda q, k: jnp.mean(o.msn(l2_normalize(q), l2_normalize(k), iterations=3)), msn, (patches(rng, 12, 3, 7)[0], assigned[1]), (0,)
    ),
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


def open_clip() -> dict[str, Parity]:
  torch = imported('torch')
  if not absent('torch'):
    declare_operators(torch)
  loss = imported('open_clip.loss')
  rng = np.random.default_rng(4)
  views, states = pair(rng, 10, 6), tokens(rng)
  words = np.arange(states[0].size // states[0].shape[-1]).reshape(states[0].shape[:2]) % states[0].shape[-1]  # 0 is padding

  def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)

  def captioned(q, k):
    # The states serve as logits, and their means as embeddings. Ours is the paper's sum of both directions, at the weight 1/2.
    contrast, caption = loss.CoCaLoss(2.0, 1.0)(unit(q.mean(1)), unit(k.mean(1)), q, torch.tensor(words), 5.0)
    return contrast + caption

  def coca(q, k):
    contrast = both(o.info_nce, temperature=0.2)(jnp.mean(q, 1), jnp.mean(k, 1))
    return contrast + 2 * jnp.mean(o.token_cross_entropy(q, words, words != 0))

  return {
    'pairwise_info_nce / ClipLoss': Parity(
      lambda q, k: jnp.mean(o.pairwise_info_nce(jnp.stack([q, k], 1), scale=14.0)),
      lambda q, k: loss.ClipLoss()(unit(q), unit(k), 14.0),
      views,
    ),
    'siglip / SigLipLoss': Parity(mean(o.siglip), lambda q, k: loss.SigLipLoss()(unit(q), unit(k), 10.0, -10.0), views),
    'info_nce and token_cross_entropy / CoCaLoss': Parity(coca, captioned, states),
  }


def sentence_transformers() -> dict[str, Parity]:
  torch = imported('torch')
  if not absent('torch'):
    declare_operators(torch)
  losses = imported('sentence_transformers.sentence_transformer.losses')
  rng = np.random.default_rng(6)
  views, negatives, labels = pair(rng, 8, 6), table(rng, 8, 6), np.arange(8) % 3
  guides, weight = [table(rng, 8, 4) for _ in range(3)], table(rng, 3, 18)
  double = lambda x: torch.tensor(x, dtype=torch.float64)

  def encoder(width):
    """Stands in for an encoder: its embeddings are what it is given under `width`."""
    net = MagicMock(side_effect=lambda features: dict(sentence_embedding=features[width]), device='cpu')
    net.get_embedding_dimension.return_value = width
    return net

  def features(*embedded, guide=(None,) * 3):
    return [{6: x, 4: g} for x, g in zip(embedded, guide, strict=False)]

  def gist(*more):
    def loss(q, k):
      model, guide = encoder(6), encoder(4)
      n = losses.GISTEmbedLoss.__new__(losses.GISTEmbedLoss)
      torch.nn.Module.__init__(n)
      vars(n).update(model=model, guide=guide, must_retokenize=False, temperature=0.1, margin_strategy='absolute', margin=0.05)
      vars(n).update(contrast_anchors=True, contrast_positives=True, gather_across_devices=False)
      n.similarity_fct, n.cross_entropy_loss = torch.nn.CosineSimilarity(dim=-1), torch.nn.CrossEntropyLoss()
      return n(features(q, k, *map(double, more), guide=[*map(double, guides)]), None)

    return loss

  def softmax(q, k):
    n = losses.SoftmaxLoss(encoder(6), 6, 3).double()
    n.classifier.weight.data, n.classifier.bias.data = double(weight), torch.zeros(3, dtype=torch.float64)
    return n(features(q, k), torch.tensor(labels))

  def our_softmax(q, k):
    logits = jnp.concatenate([q, k, jnp.abs(q - k)], 1) @ weight.T
    return jnp.mean(o.cross_entropy(logits, labels=labels))

  def nested(q, k):
    model = encoder(6)
    model.forward = model.side_effect
    model.side_effect = lambda features: model.forward(features)
    ranking = losses.MultipleNegativesRankingLoss(model, scale=10.0)
    return losses.MatryoshkaLoss(model, ranking, [2, 6], [0.5, 2.0])(features(q, k, double(negatives)), None)

  def our_nested(q, k):
    ranking = partial(o.info_nce, temperature=0.1)
    return jnp.mean(matryoshka(q, k, objective=ranking, dims=(2, 6), weights=(0.5, 2.0), negatives=negatives[:, None]))

  guided = dict(temperature=0.1, margin=0.05, guide_q=guides[0], guide_k=guides[1])
  return {
    'info_nce / MultipleNegativesRankingLoss': Parity(
      mean(o.info_nce, temperature=0.05, negatives=negatives[:, None]),
      lambda q, k: losses.MultipleNegativesRankingLoss(encoder(6)).compute_loss_from_embeddings([q, k, double(negatives)], None),
      views,
    ),
    'gist / GISTEmbedLoss': Parity(mean(o.gist, **guided), gist(), views),
    'gist with negatives / GISTEmbedLoss': Parity(
      mean(o.gist, **guided, negatives=negatives, guide_negatives=guides[2]), gist(negatives), views
    ),
    'cross_entropy of pairs / SoftmaxLoss': Parity(our_softmax, softmax, views),
    'matryoshka / MatryoshkaLoss': Parity(our_nested, nested, views),
  }


def torch_functional() -> dict[str, Parity]:
  torch = imported('torch')
  f = torch.nn.functional
  rng = np.random.default_rng(2)
  views, hidden, scores = pair(rng, 10, 6), tokens(rng), cosines(rng, 10, 7)
  labels, mask = np.arange(10) % 7, torch.tensor(MASK)
  queue = table(np.random.default_rng(5), 11, 6)
  rarity, phases = np.linspace(0.1, 1, 10, dtype=np.float32), np.float32([0.3, -2.0, 1.1])

  def unit(x):
    return f.normalize(x, dim=-1)

  def relations(q, k):
    n = unit(torch.tensor(queue, dtype=torch.float64))
    return f.cross_entropy(unit(q) @ n.T / 0.1, (unit(k) @ n.T / 0.04).softmax(1).detach())

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

  def scaled(prediction, target):
    return ((1 - f.cosine_similarity(prediction, target, dim=-1)) ** 2)[mask].mean()

  def adversarial(positive, negatives):
    share = torch.tensor(rarity, dtype=torch.float64)
    hard = torch.softmax(negatives + 0.5, dim=1).detach()
    true, false = f.logsigmoid(positive + 0.5), (hard * f.logsigmoid(-negatives - 0.5)).sum(1)
    return -((share * true).sum() + (share * false).sum()) / share.sum() / 2

  def their_rotated(heads, tails):
    turn = torch.polar(torch.ones(3, dtype=torch.float64), torch.tensor(phases, dtype=torch.float64))
    return (torch.complex(*heads.chunk(2, 1)) * turn - torch.complex(*tails.chunk(2, 1))).abs().sum(1).neg().mean()

  def rotated(heads, tails):
    return jnp.mean(o.rotate(heads, jnp.broadcast_to(phases, (len(heads), 3)), tails))

  return {
    'info_nce / cross_entropy': Parity(
      mean(o.info_nce, temperature=0.2),
      lambda q, k: f.cross_entropy(unit(q) @ unit(k).T / 0.2, torch.arange(len(q))),
      views,
    ),
    'siglip / binary_cross_entropy': Parity(mean(o.siglip), sigmoid, views),
    'ressl / cross_entropy': Parity(mean(o.ressl, negatives=queue), relations, views, (0,)),
    'deep_cluster / cross_entropy': Parity(
      lambda q, k: jnp.mean(o.deep_cluster(q, labels)),
      lambda q, k: f.cross_entropy(q / 0.1, torch.tensor(labels)),
      scores,
      (0,),
    ),
    'binary_cross_entropy / binary_cross_entropy_with_logits': Parity(
      lambda q, k: jnp.mean(o.binary_cross_entropy(q, labels=jax.nn.sigmoid(k))),
      lambda q, k: f.binary_cross_entropy_with_logits(q, torch.sigmoid(k)),
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
    # The losses of the official codes of GraphMAE and of RotatE, which are no libraries, by the functions of torch that they call.
    'scaled_cosine / cosine_similarity': Parity(mean(o.scaled_cosine, mask=MASK, gamma=2.0), scaled, hidden, (0,)),
    'self_adversarial / logsigmoid': Parity(mean(o.self_adversarial, weight=rarity, margin=0.5), adversarial, (views[0][:, 0], views[1])),
    'rotate / norm': Parity(rotated, their_rotated, views),
  }


def transformers() -> dict[str, Parity]:
  """The losses and the quantiser of wav2vec 2.0, and the loss of HuBERT, which transformers lacks, as fairseq computes it."""
  torch = imported('torch')
  if not absent('torch'):
    declare_operators(torch)
  wav2vec2 = imported('transformers.models.wav2vec2.modeling_wav2vec2')
  f = torch.nn.functional
  rng = np.random.default_rng(4)
  b, n, d, groups, entries = 3, 8, 6, 2, 5
  normal = lambda *shape: rng.normal(size=shape).astype(np.float32)
  q, k = normal(b, n, d), normal(b, n, d)
  logits = 4 * normal(b, n, groups, entries)  # far from uniform: transformers lacks the 1e-7 in fairseq's logarithm
  mask = np.arange(n)[None] % np.array([2, 3, 4])[:, None] == 0
  k[:, 4] = k[:, 0]  # a distractor that equals the target, with its codes
  codes = np.broadcast_to(np.where(np.arange(n) == 4, 0, np.arange(n))[None, :, None], (b, n, 1))
  places = np.stack([rng.choice(np.flatnonzero(row), (n, 7)) for row in mask])
  places = np.where(places == np.arange(n)[:, None], np.array([np.flatnonzero(row)[-1] for row in mask])[:, None, None], places)
  real, units, vectors = torch.tensor(mask), rng.integers(0, entries, (b, n)), normal(entries, d)
  frames, kernel, book, along = normal(b, n, 4), normal(4, groups * entries), normal(groups, entries, d // groups), normal(b, n, d)
  keys = jax.random.split(jax.random.key(0), b)
  noise = np.array(jax.vmap(lambda key: jax.random.gumbel(key, (n, groups, entries)))(keys)).reshape(-1, entries)

  def contrast(q, k):
    negatives = torch.stack([k[i][torch.tensor(places[i])] for i in range(b)]).permute(2, 0, 1, 3)
    found = wav2vec2.Wav2Vec2ForPreTraining.compute_contrastive_logits(k[None], negatives, q, 0.1)
    found[1:][(k == negatives).all(-1)] = float('-inf')
    target = ((1 - real.long()) * -100).transpose(0, 1).flatten()
    return f.cross_entropy(found.transpose(0, 2).reshape(-1, len(found)), target, reduction='sum') / real.sum()

  def diversity(logits, _):
    probabilities = torch.softmax(logits.reshape(b * n, groups, entries), -1)
    used = wav2vec2.Wav2Vec2GumbelVectorQuantizer._compute_perplexity(probabilities, real)
    return (groups * entries - used) / (groups * entries)

  def quantizer(frames, kernel):
    config = wav2vec2.Wav2Vec2Config(
      num_codevector_groups=groups, num_codevectors_per_group=entries, codevector_dim=d, conv_dim=(4,), conv_stride=(1,), conv_kernel=(1,)
    )
    net = wav2vec2.Wav2Vec2GumbelVectorQuantizer(config).double().train()
    net.temperature = 0.7
    given = {'codevectors': torch.tensor(book.reshape(1, -1, d // groups), dtype=torch.float64), 'weight_proj.weight': kernel.T,
             'weight_proj.bias': torch.zeros(groups * entries, dtype=torch.float64)}  # fmt: skip
    with patch.object(torch.Tensor, 'exponential_', lambda x: torch.exp(-torch.tensor(noise)).to(x)):
      found, _ = torch.func.functional_call(net, given, (frames,))
    return (found * torch.tensor(along)).sum()

  def quantized(frames, kernel):
    net = GumbelQuantizer(4, groups=groups, entries=entries, dim=d, rngs=nnx.Rngs(0))
    net.logits.kernel.set_value(kernel)
    net.embedding.set_value(jnp.asarray(book))
    return jnp.sum(net(frames, 0.7, keys=keys)[0] * along)

  def nce(q, vectors):
    cosines = f.cosine_similarity(q[real][:, None], vectors[None], dim=-1)
    return f.cross_entropy(cosines / 0.1, torch.tensor(units)[real])

  def cosines(q, vectors):
    return jnp.einsum('bnd,vd->bnv', l2_normalize(q), l2_normalize(vectors), precision='highest')

  return {
    'masked_contrast / Wav2Vec2ForPreTraining': Parity(
      mean(o.masked_contrast, mask=mask, distractors=jnp.asarray(places), codes=jnp.asarray(codes)), contrast, (q, k)
    ),
    'code_diversity / Wav2Vec2GumbelVectorQuantizer': Parity(lambda x, _: o.code_diversity(x, jnp.asarray(mask)), diversity, (logits, q), (0,)),
    'GumbelQuantizer / Wav2Vec2GumbelVectorQuantizer': Parity(quantized, quantizer, (frames, kernel)),
    'hidden_units / HubertModel of fairseq': Parity(
      lambda q, vectors: jnp.mean(o.hidden_units(cosines(q, vectors), jnp.asarray(units), jnp.asarray(mask))), nce, (q, vectors)
    ),
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
  'transformers': transformers,
  'open_clip': open_clip,
  'sentence_transformers': sentence_transformers,
  'optax': optax,
}


STORED = (
  'lightly',
  'pytorch_metric_learning',
  'torch',
  'transformers',
  'open_clip',
  'sentence_transformers',
)  # whose values are kept in tests/objectives/parity.json


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
