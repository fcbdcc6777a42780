"""Classification of pairs of texts by a trained classifier."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import extract, finite
from jssl.evaluators.figures import accuracy
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits
from jssl.types import Key


@protocol('1', needs=('test.{inputs}', 'test.{second}', 'test.{label}', 'nets.{head}'), raw=False)
def pair_classification(
  subject: Subject, key: Key, *, second: str = 'second', label: str = 'relation', head: str = 'relation'
) -> dict[str, Any]:
  """The accuracy, on the test split, of a classifier of pairs of texts that are encoded apart.

  Args:
    subject: its test split has two columns of texts and the class of the pair.
    key: unused; the protocol is deterministic.
    second: column of the second texts; the first are the input of the encoder.
    label: column of the classes.
    head: (first [b d], second [b d]) -> logits.

  Returns:
    top1, with its interval.

  Reference: Bowman, Angeli, Potts, Manning, EMNLP 2015, arXiv:1508.05326, section 3: accuracy of pairs by sentence encoders.
  """
  del key
  test, inputs = subject.data.splits['test'], subject.data.inputs
  encode = lambda column: extract(lambda columns: subject.represent({inputs: columns[column]}), test, min(len(test), 512), label=label)
  (first, labels), (other, _) = encode(inputs), encode(second)
  logits = jax.jit(lambda u, v: subject.networks[head](u, v))(jnp.asarray(first), jnp.asarray(other))
  return accuracy(hits(finite(np.asarray(logits), f'the outputs of {head!r}'), labels))
