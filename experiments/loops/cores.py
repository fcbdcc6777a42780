"""Compatible representations by a fixed classifier: a model for every upgrade of the training set, and searches across them.

A gallery is embedded by an old model, queries by a newer one. The letters that are searched are in no training set.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jssl.core import nets
from jssl.data.vision.glyphs import ARMENIAN, glyphs
from jssl.evaluators.features import finite
from jssl.metrics.ranking import choices, products
from jssl.models.heads.projection import Linear
from jssl.models.vision.convnet import ConvNet
from jssl.objectives.classification import cores, cross_entropy, simplex
from jssl.ops.normalize import l2_normalize
from jssl.types import Loop, salted
from jssl.views.image import augment, plain

SIDE = 16


def loop(*, seed: int, upgrades: tuple[int, ...] = (15, 30, 45, 60), slots: int = 100, steps: int = 150, batch_size: int = 64) -> Loop:
  """Rows `cores`, `seen_only` (no corners for classes to come) and `independent` (a classifier of its own each).

  A step trains one model: ROW_UPGRADE. A row has compatibility, the share of upgrades whose search of an older gallery beats the
  older model's own, and average, the top-1 accuracy of the search, mean over all pairs of a model and an older gallery or its own.

  Args:
    upgrades: numbers of Armenian letters, one training set each; the test is on Georgian ones.
    slots: corners of the simplex.
    steps: of training from scratch, for every model.
  """
  images, labels = glyphs(SIDE)
  order = np.argsort(labels, kind='stable')
  images, labels = images[order], labels[order]
  letters = jnp.asarray(images), jnp.asarray(labels)
  unseen = labels >= len(ARMENIAN)
  face = np.concatenate([np.arange(n) for n in np.unique(labels, return_counts=True)[1]])
  query, gallery = unseen & (face % 3 == 2), unseen & (face % 3 != 2)  # one face in three asks
  losses = dict(cores=_cores, seen_only=_seen_only, independent=_independent)

  def train(name, t, states):
    del states
    key = salted(jax.random.key(seed), name, t)
    params, stats = _train(losses[name], key, *letters, int(np.sum(labels < upgrades[t])), upgrades[t], slots, steps, batch_size)
    return dict(params=params, stats=stats)

  def row(models):
    embedded = [np.asarray(_embed((model['params'], model['stats']), letters[0], slots)) for model in models]
    found = np.array([[_search(new[query], old[gallery], labels[query], labels[gallery]) for old in embedded] for new in embedded])
    newer, older = np.tril_indices(len(models), -1)
    return {
      'compatibility': float(np.mean(found[newer, older] >= found[older, older])),
      'average': float(np.mean(found[np.tril_indices(len(models))])),
    }

  made = [(f'{name}_{seen}', partial(train, name, t)) for name in losses for t, seen in enumerate(upgrades)]
  return Loop(made, lambda states: {name: row([states[f'{name}_{seen}'] for seen in upgrades]) for name in losses})


def _cores(z, w, labels, seen):
  return cores(z, labels=labels)


def _seen_only(z, w, labels, seen):
  return cross_entropy(_only(jnp.matmul(z, simplex(z.shape[1]).T, precision='highest'), seen), labels=labels)


def _independent(z, w, labels, seen):
  return cross_entropy(_only(w(z), seen), labels=labels)


def _only(logits, seen):
  return jnp.where(jnp.arange(logits.shape[1]) < seen, logits, -1e30)


def _networks(slots):
  make = dict(
    backbone=lambda key: ConvNet((SIDE, SIDE, 1), widths=(16, 32, 128), rngs=nnx.Rngs(key)),
    features=lambda key: Linear(128, dim=slots - 1, bias=False, rngs=nnx.Rngs(key)),
    classifier=lambda key: Linear(slots - 1, dim=slots, rngs=nnx.Rngs(key)),
  )
  return {name: nets.network(create)[0] for name, create in make.items()}


@partial(jax.jit, static_argnames=('loss', 'slots', 'steps', 'batch_size'))
def _train(loss, key, images, labels, examples, seen, slots, steps, batch_size):
  networks = _networks(slots)
  params, stats = nets.init(networks, key)
  optimizer = optax.adamw(optax.cosine_decay_schedule(6e-3, steps), weight_decay=0.05)

  def step(carry, key):
    params, stats, opt = carry
    rows = jax.random.randint(key, (batch_size,), 0, examples)
    keys = jax.random.split(jax.random.fold_in(key, 1), batch_size)
    change = dict(degrees=10, translate=0.1, scale=(0.8, 1.1), shear=10)
    (x,) = augment(keys, {'image': images[rows]}, views=1, affine=change)

    def objective(params):
      bound = nets.bind(networks, params, stats)
      z = bound['features'](bound['backbone'](x).pooled)
      return jnp.mean(loss(z, bound['classifier'], labels[rows], seen)), nets.stats_of(bound)

    grads, stats = jax.grad(objective, has_aux=True)(params)
    updates, opt = optimizer.update(grads, opt, params)
    return (optax.apply_updates(params, updates), stats, opt), None

  carry = params, stats, optimizer.init(params)
  (params, stats, _), _ = jax.lax.scan(step, carry, jax.random.split(key, steps))
  return params, stats


@partial(jax.jit, static_argnames='slots')
def _embed(model, images, slots):
  bound = nets.bind(_networks(slots), *model, train=False)
  (x,) = plain(jax.random.split(jax.random.key(0), len(images)), {'image': images})
  return l2_normalize(bound['features'](bound['backbone'](x).pooled))


def _search(queries, gallery, wanted, held):
  """The share of queries whose most similar entry is of their letter; of equally similar ones, one at random."""
  nearest = choices(products(finite(queries, 'the queries'), finite(gallery, 'the gallery')))
  return float(np.sum(nearest * (held == wanted[:, None]), 1).mean())
