"""Transforms: systems that never train by gradient. fit(features, labels or side information) -> state, then apply."""

from jssl.transforms.corpus import corpus_context
from jssl.transforms.nullspace import Erasure, Nullspace, inlp, leace, random_directions
from jssl.transforms.retrofit import Graph, neighbours_to_edges, retrofit, retrofit_random, rewire
from jssl.transforms.steer import (
  Direction,
  add,
  amplify,
  contrast,
  keep_norm,
  lat,
  logistic_direction,
  mean_difference,
  project_out,
  random_direction,
  score,
)
from jssl.transforms.whiten import Affine, all_but_the_top, pca_whiten, standardize, zca_whiten

TRANSFORMS = {
  # second moments, no labels
  'standardize': standardize,
  'pca_whiten': pca_whiten,
  'zca_whiten': zca_whiten,
  'all_but_the_top': all_but_the_top,
  # an attribute out
  'inlp': inlp,
  'leace': leace,
  'random_directions': random_directions,
  # a graph in
  'retrofit': retrofit,
  'retrofit_random': retrofit_random,
  # a concept read
  'lat': lat,
  'mean_difference': mean_difference,
  'logistic_direction': logistic_direction,
  'random_direction': random_direction,
  # a corpus in
  'corpus_context': corpus_context,
}

__all__ = [
  'TRANSFORMS',
  'Affine',
  'Direction',
  'Erasure',
  'Graph',
  'Nullspace',
  'add',
  'all_but_the_top',
  'amplify',
  'contrast',
  'corpus_context',
  'inlp',
  'keep_norm',
  'lat',
  'leace',
  'logistic_direction',
  'mean_difference',
  'neighbours_to_edges',
  'pca_whiten',
  'project_out',
  'random_direction',
  'random_directions',
  'retrofit',
  'retrofit_random',
  'rewire',
  'score',
  'standardize',
  'zca_whiten',
]
