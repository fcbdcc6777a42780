"""CoReS. Biondi, Pernici, Bruni, Del Bimbo, TPAMI 2023. arXiv:2111.07632, section 4.

Not held so far: searches across upgrades beat independent ones, but never the older model's search of its own gallery,
and room for classes to come does not help on letters that are in no training set.
"""

from ml_collections import ConfigDict

from jssl.configs import common


def get_config(scale='small'):
  c = ConfigDict(dict(number=131, kind='supervised', seed=0))
  sizes = dict(upgrades=(15, 30, 45, 60), slots=100, steps=400)
  c.experiment = dict(name='cores', **common.at(scale)(small=sizes, tiny=dict(upgrades=(3, 6), slots=10, steps=2)))
  c.claim = dict(
    metric='average', beats=('independent',), margin=0.1,
    also=(
      dict(metric='compatibility', beats=('independent',), margin=0.3),
      dict(metric='average', beats=('seen_only',), margin=0.0),
    ),
  )  # fmt: skip
  return c
