"""CoReS. Biondi, Pernici, Bruni, Del Bimbo, TPAMI 2023. arXiv:2111.07632, section 4.

Not held so far: searches across upgrades beat independent ones, but never the older model's search of its own gallery,
and room for classes to come does not help on letters that are in no training set.
"""

from ml_collections import ConfigDict

from jssl.configs import common


def get_config(scale='small'):
  c = ConfigDict(dict(number=131, kind='supervised', seed=0))
  c.parts = (
    'fixed classifier: vertices of a regular simplex in d dimensions, for d + 1 classes; it is never trained',
    'slots for classes to come: 100, of which at most 60 are seen; cross-entropy over all of them',
    'linear layer without bias to d = 99 features, which are not normalised in training',
    'an upgrade trains a new network from scratch on all classes so far, without the older network: 15, 30, 45 and 60 letters',
    "search of an older network's gallery: share of upgrades that beat or equal its own search; mean accuracy over all",
    'rivals: classifiers trained independently, and the simplex without slots for classes to come',
    dict(part='BCT and other losses against the older network, as rivals', out='open', why='not implemented'),
    dict(part='verification of pairs, whose accuracy the official code compares', out='open', why='top-1 of a search of unseen letters'),
    dict(part='CIFAR-100 and CIFAR-10, and others', out='data', why='no package ships them; letters in twelve typefaces'),
    dict(part='SENet-18 and larger, 100 epochs, up to ten upgrades', out='scale', why='a convnet, 400 steps, four models'),
  )
  sizes = dict(upgrades=(15, 30, 45, 60), slots=100, steps=400)
  c.experiment = dict(name='cores', **common.at(scale)(small=sizes, tiny=dict(upgrades=(3, 6), slots=10, steps=2)))
  c.claim = dict(
    metric='average', beats=('independent',), margin=0.1,
    also=(
      dict(metric='compatibility', beats=('independent',), margin=0.3),
      dict(metric='average', beats=('seen_only',), margin=0.01),
    ),
  )  # fmt: skip
  return c
