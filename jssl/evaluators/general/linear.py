"""Linear evaluation as papers train it: by gradient descent, on views, a grid of settings at once."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jssl.evaluators import needs
from jssl.evaluators.general.probes import NORMS, Probe, Recipe, best_of
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.parts.optimizers import lars, sgd
from jssl.parts.schedules import Duration
from jssl.types import Array, Features, Key, View

POOLS = ('pooled', 'cls', 'mean', 'cls+mean')
OPTIMIZERS = {'sgd': sgd, 'lars': lars}


def fits(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """As `needs.held_out`; also, options must be known, and the network must have the features that they name."""
  for name, given, known in (
    ('norm', [options['norm']], NORMS), ('optimizer', [options['optimizer']], OPTIMIZERS), ('pools', options['pools'], POOLS),
  ):  # fmt: skip
    if wrong := [x for x in given if x not in known]:
      yield f'{name} has {wrong[0]!r}; expected one of {", ".join(known)}'
      return
  yield from needs.held_out(subject, options)
  yield from needs.one_view(subject, options)
  if {*options['pools']} != {'pooled'} and subject.networks:
    found, most = needs.features(subject), max(options['layers'])
    states = {pool: found.layers if pool == 'mean' else found.classes for pool in options['pools'] if pool != 'pooled'}
    if lacking := [pool for pool, x in states.items() if x is None and (pool != 'mean' or most > 1)]:
      yield f'the network does not give the states that the pool {lacking[0]!r} of {most} layers takes; leave it out of pools'
    if few := [len(x) - 1 for x in states.values() if x is not None and len(x) - 1 < most]:
      yield f'layers has {most}, and the network has {few[0]} blocks'


@protocol('3', needs=(*TRAIN, *TEST), fits=fits)
def linear(
  subject: Subject,
  key: Key,
  *,
  learning_rates: Sequence[float] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
  weight_decays: Sequence[float] = (0.0,),
  layers: Sequence[int] = (1,),
  pools: Sequence[str] = ('pooled',),
  epochs: int = 100,
  batch_size: int = 256,
  optimizer: str = 'sgd',
  warmup: Duration = 0,
  norm: str = 'batch',
  view: View | None = None,
  refit: bool = True,
  cache_limit: int = 2**30,
) -> dict[str, Any]:
  """The `linear` protocol: a linear classifier on frozen features, trained by gradient descent, with its settings chosen on held-out examples.

  min over W, b of  mean CE(softmax(W' x + b), y) + decay / 2 |W|^2

  Every learning rate is tried with every weight decay, pool and number of layers. All of these are trained in one program on the same batches,
  so that features are extracted once. A tenth of 'train', drawn at random, chooses the setting with the best accuracy; in case of ties the
  first pool, number of layers, and the smallest rate. It is trained again on all of 'train', and the test split is evaluated once.

  Momentum is 0.9; the learning rate follows a cosine to 0; W starts from N(0, 0.01^2), the same for every setting, and b from 0. The order of
  examples, views and held-out examples are the same for every row.

  Args:
    subject: has class labels in 'train' and 'test'. Raw input is evaluated with the pool 'pooled', without a view.
    key: unused; the draws are fixed by the protocol.
    learning_rates: candidates for a batch of 256; they are multiplied by the batch size / 256.
    weight_decays: candidates.
    layers: candidates for the number of last blocks whose states are concatenated; 'pooled' is of the last one.
    pools: candidates. 'pooled' is what the network pools, 'cls' the class token of each of the last blocks, 'mean' the mean of their patches,
      'cls+mean' the class tokens and the mean of the patches of the last block. All but the patches of earlier blocks are normalised by the
      network.
    epochs: passes over the training examples; examples that are left over by whole batches are left out, others in each epoch.
    batch_size: examples per step, over all devices; all, if there are fewer.
    optimizer: 'sgd' or 'lars', with a trust coefficient of 0.001, which does not adapt and decay b.
    warmup: duration of a linear warm-up, '10 epochs' or '10%'.
    norm: 'batch' normalises features by the statistics of the batch, in evaluation by their running mean, without scale and offset;
      'standardize' by those of the training examples; 'none' takes features as they are.
    view: of the input column, one, drawn anew for every example and epoch, such as dict(name='augment', views=1, crop={}, flip=0.5). The
      method's `inputs` then apply to it: leave `mean` and `std` out. None trains on inputs as they are.
    refit: whether what was chosen is trained again on all of 'train'; False saves that time.
    cache_limit: bytes of features of both splits up to which they are kept in the memory of the host, if there is no view; larger ones are
      extracted in each epoch, and memory does not grow with the number of examples.

  Returns:
    top1 (with top1_low, top1_high), top5 if there are more than five classes, top1_validation, and learning_rate, weight_decay, pool and layers
    in `chosen`.

  Reference: official code of DINO, eval_linear.py (SGD, 100 epochs, cosine, crop and flip, class tokens of 4 blocks or class token and mean);
    of DINOv2, dinov2/eval/linear.py (the grid of rates, layers and pools on one pass); of MoCo v3, main_lincls.py (90 epochs, batch 1024, no
    normalisation); of MAE, main_linprobe.py and arXiv:2111.06377, appendix A.1 (batch normalisation by device; LARS, base rate 0.1, warm-up of
    10 epochs). They choose on the split that they report; here it is a part of 'train'.
  """
  if not subject.networks:  # raw input, which nothing scales as views are scaled
    pools, view = ('pooled',), None
  settings = [(pool, n) for pool in pools for n in (layers if pool != 'pooled' else (1,))]
  probes = {_name(*setting): Probe(_init, _apply, dict(zip(('pool', 'layers'), setting, strict=True))) for setting in settings}
  pick = jax.jit(lambda features: {_name(*setting): _taken(features, *setting) for setting in settings})
  optimizer = partial(OPTIMIZERS[optimizer], learning_rate=1.0)
  recipe = Recipe(optimizer, learning_rates, weight_decays, epochs, batch_size, warmup, norm)
  return best_of(subject, pick, probes, recipe, view=view, cache_limit=cache_limit, refit=refit)


def _name(pool: str, n: int) -> str:
  return pool if n == 1 else f'{pool} of {n} layers'


def _taken(features: Features, pool: str, n: int) -> Array:
  """Features of one kind, [b d]."""
  if pool == 'pooled':
    return features.pooled
  mean = jnp.mean(features.tokens, 1)
  if pool == 'mean':
    return jnp.concatenate([*jnp.mean(features.layers[-n:-1], 2), mean], 1) if n > 1 else mean
  return jnp.concatenate([*features.classes[-n:], *([mean] if pool == 'cls+mean' else [])], 1)


def _init(key: Key, shape: tuple[int, ...], classes: int) -> dict[str, Array]:
  return {'kernel': 0.01 * jax.random.normal(key, (*shape, classes)), 'bias': jnp.zeros(classes)}


def _apply(params: Mapping[str, Array], x: Array) -> Array:
  return x @ params['kernel'] + params['bias']
