"""Evaluators: what a frozen representation knows, by named and versioned protocols, and whether training is healthy."""

from jssl.evaluators.baselines import raw_input
from jssl.evaluators.features import Frozen, extract, frozen, holdout
from jssl.evaluators.figures import flatten, interval
from jssl.evaluators.health import alarm, alignment, deviation, health, lidar, rankme, teacher_entropy, uniformity
from jssl.evaluators.knn import Votes, knn
from jssl.evaluators.picture import embedding_map
from jssl.evaluators.probe import fewshot, linear, logistic
from jssl.evaluators.protocols import PROTOCOLS, Protocol
from jssl.evaluators.subject import Subject

__all__ = [
  'PROTOCOLS',
  'Frozen',
  'Protocol',
  'Subject',
  'Votes',
  'alarm',
  'alignment',
  'deviation',
  'embedding_map',
  'extract',
  'fewshot',
  'flatten',
  'frozen',
  'health',
  'holdout',
  'interval',
  'knn',
  'lidar',
  'linear',
  'logistic',
  'rankme',
  'raw_input',
  'teacher_entropy',
  'uniformity',
]
