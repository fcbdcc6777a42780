"""Evaluators: frozen representations judged by named, versioned protocols, and diagnostics of training."""

from jssl.evaluators.baselines import raw_input
from jssl.evaluators.features import Frozen, extract, frozen, holdout
from jssl.evaluators.figures import flatten, interval
from jssl.evaluators.general.attentive import attentive
from jssl.evaluators.general.knn import Votes, knn
from jssl.evaluators.general.linear import linear
from jssl.evaluators.general.logistic import logistic
from jssl.evaluators.general.probe import fewshot
from jssl.evaluators.protocols import Protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.geometry import alignment, uniformity
from jssl.metrics.health import alarm, deviation, health, teacher_entropy
from jssl.metrics.spectrum import lidar, rankme
from jssl.pictures.embedding import embedding_map
