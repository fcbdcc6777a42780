"""Evaluation of concept directions: how well they classify a concept, and the effect of shifting states along them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import finite
from jssl.evaluators.interpretability.layers_and_neurons import drawn, in_batches, layers_of
from jssl.evaluators.needs import STIMULI
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits
from jssl.ops.logistic import logistic, logits
from jssl.types import Key, Transform


def columns(subject: Subject, key: Key, pairs: int, examples: int) -> tuple[dict[str, np.ndarray], ...]:
  """Columns of pairs of 'stimuli', with rows 2i and 2i + 1 kept together, and of examples of 'train' and of 'test'."""
  splits = subject.data.splits
  keys = jax.random.split(key, 3)
  first = 2 * np.asarray(jax.random.permutation(keys[0], len(splits['stimuli']) // 2))[:pairs]
  found = [splits['stimuli'][int(i)] for i in np.stack([first, first + 1], 1).ravel()]
  stimuli = {name: np.stack([np.asarray(example[name]) for example in found]) for name in found[0]}
  return stimuli, *(drawn(splits[split], examples, k) for split, k in zip(('train', 'test'), keys[1:], strict=True))


@protocol('3', needs=STIMULI, raw=False)
def reading(subject: Subject, key: Key, *, transform: Transform, pairs: int = 64, examples: int = 256) -> dict[str, float]:
  """How well a direction found from pairs of stimuli classifies a concept in examples without a template.

  v'(h - mean) > 0,   v from the mean states of stimuli; the mean is that of other examples, whose labels only choose the layer

  Args:
    subject: has a network that returns its layers, labels 0 and 1, and a split 'stimuli'.
    key: draws the pairs and the examples.
    transform: finds the direction: `lat`, or a related transform in `jssl.transforms.steer`.
    pairs: number of pairs.
    examples: number of examples to choose the layer on, and to classify.

  Returns:
    'accuracy' on 'test' at the chosen 'layer', and at every layer.

  Reference: Zou et al. 2023, arXiv:2310.01405, section 3.1.
  """
  stimuli, train, test = columns(subject, key, pairs, examples)

  @jax.jit
  def read(fitted, chosen, judged):
    directions = jax.vmap(transform.fit, (0, None))(fitted, jnp.asarray(stimuli['label']))
    directions = directions._replace(mean=jnp.mean(chosen, 1))
    scores = jax.vmap(transform.apply)
    return scores(directions, chosen)[..., 0], scores(directions, judged)[..., 0]

  scores = read(*(layers_of(subject, some) for some in (stimuli, train, test)))
  right = lambda score, label: np.where(label > 0, score > 0, score < 0) + (score == 0) / 2  # on neither side: half correct
  chosen, accuracy = (right(finite(score, 'the scores'), some['label']).mean(1) for score, some in zip(scores, (train, test), strict=True))
  layer = int(np.argmax(chosen))
  return {'accuracy': float(accuracy[layer]), 'layer': layer} | {f'layer{i}_accuracy': float(a) for i, a in enumerate(accuracy)}


@protocol('3', needs=(*STIMULI, 'nets.{network}.pushed'), raw=False, fits=partial(needs.within, above=1))
def steering(
  subject: Subject, key: Key, *, transform: Transform, layer: int = 3, pairs: int = 64, examples: int = 512,
  doses: tuple[float, ...] = (-2.0, -1.0, 0.0, 1.0, 2.0), network: str = 'backbone',
) -> dict[str, float]:  # fmt: skip
  """The effect on the output of shifting all states after a block along a direction.

  h_l <- h_l + c |gap| v,   gap = mean positive minus mean negative stimulus. A logistic regression on the outputs of other
  examples, fitted on unshifted states, classifies the shifted texts.

  Args:
    subject: has a network with `pushed`, labels 0 and 1, and a split 'stimuli'.
    key: draws the pairs and the examples.
    transform: finds v from the pairs, as in `reading`.
    layer: the block; its states are layer + 1 of `Features.layers`.
    pairs: number of pairs.
    examples: number of examples of 'train' to fit the classifier to, and of 'test' to shift.
    doses: values of c, in increasing order.
    network: its name.

  Returns:
    'positive_0', ...: the share classified as positive at each dose; 'effect', the last share minus the first; 'judge', the accuracy of the
    regression on 'test'.

  Reference: Zou et al. 2023, arXiv:2310.01405, section 3.2, linear combination.
  """
  stimuli, train, test = columns(subject, key, pairs, examples)
  net, inputs = subject.networks[network], subject.data.inputs
  h = layers_of(subject, stimuli)[layer + 1]
  v = jax.jit(transform.fit)(h, jnp.asarray(stimuli['label'])).vector
  length = np.linalg.norm(h[stimuli['label'] == 1].mean(0) - h[stimuli['label'] == 0].mean(0))
  output = jax.jit(lambda x, by: net.pushed(layer, by)(x).pooled)
  at = lambda some, c: in_batches(lambda x: output(x, c * length * v), some[inputs])
  judge = jax.jit(lambda x, y: logistic(x, y, l2=1e-2))(at(train, 0.0), jax.nn.one_hot(train['label'], 2))
  share = lambda c, labels: float(hits(logits(judge, at(test, c)), labels, 1e-6).mean())
  shares = [share(c, np.ones_like(test['label'])) for c in doses]
  right = share(0.0, test['label'])
  return {f'positive_{i}': share for i, share in enumerate(shares)} | {'effect': shares[-1] - shares[0], 'judge': right}
