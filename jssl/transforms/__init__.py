"""Transforms: methods without training by gradient descent. fit(features, labels or other information) -> state, then apply."""

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
