"""Evaluation of the features of places: the tokens of frozen networks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import Frozen, extract, finite
from jssl.evaluators.general import logistic as regression
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits
from jssl.ops.normalize import l2_normalize
from jssl.ops.patches import cell_places
from jssl.ops.rows import take
from jssl.types import Key, View
from jssl.views.places import places


def fits(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """As many cells as tokens."""
  cells = np.asarray(subject.data.splits['train'][0]['cells'])
  tokens = needs.features(subject).tokens.shape[1]
  if cells.size != tokens:
    yield f'the data have {cells.size} cells an image, and the network {tokens} tokens; give a grid of as many cells'


@protocol('1', needs=('train.{inputs}', 'train.cells', 'test.{inputs}', 'test.cells'), raw=False, fits=fits)
def cells(subject: Subject, key: Key, *, l2: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1)) -> dict[str, Any]:
  """The `cells` protocol: logistic regression from each token to the class of its cell, a linear segmentation on the grid of tokens.

  Cells without a class, -1, are left out. The penalty is chosen on held-out cells of 'train', as in `logistic`, which may be of the same
  images as others.

  Args:
    subject: has as many tokens as `cells` of an example, in raster order.
    key: unused; the protocol is deterministic.
    l2: as in `logistic`.

  Returns:
    top1 (with top1_low, top1_high), the share of the test cells that are classified correctly, top1_validation, and the chosen l2.

  Reference: linear probes of dense features: Bardes, Ponce, LeCun 2022, arXiv:2210.01571, section 4 (linear segmentation, frozen).
  """
  found = []
  for name in ('train', 'test'):
    split = subject.data.splits[name]
    x, y = extract(subject.represent, split, column='tokens', label='cells', what=f'the tokens of {name!r}')
    y = y.reshape(-1)
    x = x.reshape(len(y), -1)
    found += [x[y >= 0], y[y >= 0].astype(np.int32)]
  data = Frozen(*found, classes=int(max(found[1].max(), found[3].max())) + 1)
  return regression.logistic(data, l2=l2)


@protocol('1', needs=('test.{inputs}', 'nets.{network}'), raw=False)
def correspondence(subject: Subject, key: Key, *, view: View, network: str = 'backbone', draws: int = 4) -> dict[str, float]:
  """The `correspondence` protocol: whether the most similar token of another view is at the same place of the image.

  Tokens of two views of a test image are compared by the cosine of their features less the mean over all tokens. A token counts if the other
  view has a token whose centre is less than half a token's own size away.

  Args:
    subject: its data are images.
    key: for the views.
    view: `augment`; its first two views are compared.
    network: whose tokens are compared.
    draws: pairs of views of each image.

  Returns:
    top1: the share of tokens whose most similar token is the nearest one. chance: the share that a random choice would have.

  Reference: matching as in Wang et al. (DenseCL) 2021, arXiv:2011.09157, section 3.4 and Figure 4; the protocol is ours.
  """
  column, net, split = subject.data.inputs, subject.networks[network], subject.data.splits['test']
  images = take(split, np.arange(len(split)), [column])[column]

  @jax.jit
  def matched(key, images):
    keys, batch = jax.random.split(key, len(images)), {column: images}
    tokens = [net(x).tokens for x in view(keys, batch)[:2]]
    n = tokens[0].shape[1]
    maps = places(view, keys, batch)[:2]
    here, there = (cell_places(x, (math.isqrt(n), n // math.isqrt(n))) for x in maps)
    apart = jnp.sqrt(jnp.sum((here[:, :, None] - there[:, None]) ** 2, -1))
    size = jnp.sqrt(jnp.abs(jnp.linalg.det(maps[0][:, :, :2])) / n)  # of a token, in pixels of the image
    q, k = (l2_normalize(x - jnp.mean(x, (0, 1))) for x in tokens)
    scores = jnp.einsum('bnd,bmd->bnm', q, k, precision='highest')
    return tokens, scores.reshape(-1, n), jnp.argmin(apart, 2).reshape(-1), (jnp.min(apart, 2) < size[:, None] / 2).reshape(-1)

  found = []
  for each in jax.random.split(key, draws):
    tokens, scores, nearest, counts = matched(each, jnp.asarray(images))
    finite(np.stack(tokens, 1).reshape(len(images), -1), f'the tokens of {network!r}')
    found.append(np.asarray(hits(scores, nearest, 1e-6))[np.asarray(counts)])
  right = np.concatenate(found)
  return {'top1': float(right.mean()), 'chance': 1 / scores.shape[1], 'tokens': len(right)}
