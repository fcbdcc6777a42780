"""How much information about an attribute, and about the label, remains after erasure."""

from functools import partial

import jax
import numpy as np

from jssl.evaluators.features import extract
from jssl.evaluators.figures import Items
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits
from jssl.ops.logistic import logistic, logits
from jssl.types import Key


@protocol('2', needs=(*TRAIN, 'train.{attribute}', *TEST, 'test.{attribute}'), raw=False)
def erasure(subject: Subject, key: Key, *, attribute: str, l2: float = 1e-4) -> dict[str, float]:
  """The accuracy of a linear classifier for an attribute, and the dependence of a classifier for the label on it.

  gap_y = P(predicts y | attribute 1, y) - P(predicts y | attribute 0, y); the root mean square over labels is reported

  Args:
    subject: its data have a label and a binary attribute.
    key: unused.
    attribute: its column.
    l2: the penalty of both classifiers, for standardised features.

  Returns:
    'attribute_top1', 'label_top1' and 'tpr_gap', on 'test'.

  Reference: De-Arteaga et al. 2019, arXiv:1901.09451, section 4; Ravfogel et al. 2020, arXiv:2004.07667, section 6.3.
  """
  del key
  splits = [subject.data.splits[name] for name in ('train', 'test')]
  (a, y), (b, truth) = (extract(subject.represent, split, 64) for split in splits)
  z, hidden = (np.array([split[i][attribute] for i in range(len(split))]) for split in splits)
  mean, std = a.mean(0), a.std(0)
  scale = np.where(std > 1e-4 * max(std.max(), 1e-12), 1 / np.maximum(std, 1e-12), 0.0)
  a, b = (a - mean) * scale, (b - mean) * scale
  fit = jax.jit(partial(logistic, l2=l2))
  says = lambda labels, of: hits(logits(fit(a, jax.nn.one_hot(labels, int(max(labels.max(), of.max())) + 1)), b), of, 1e-6)
  right = says(y, truth)
  items = dict(
    attribute_top1=Items('mean', (says(z, hidden),)),
    label_top1=Items('mean', (right,)),
    tpr_gap=Items('rate_gap', (right, truth, hidden)),
  )
  return {**{name: x.figure(slice(None)) for name, x in items.items()}, 'items': items}
