"""Judges of what is inside a network: layers, neurons, directions of concepts, and what pushing states along them does."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators.analysis import at_random, layer_code, mixed_probe, sparse_probe
from jssl.evaluators.subject import Subject
from jssl.parts.logistic import logistic, logits
from jssl.types import Array, Examples, Key, Transform


def drawn(examples: Examples, n: int, key: Key) -> dict[str, np.ndarray]:
  """Columns of n examples at random, of all of them where there are no more."""
  rows = np.asarray(jax.random.permutation(key, len(examples)))[:n]
  found = [examples[int(i)] for i in rows]
  return {name: np.stack([np.asarray(example[name]) for example in found]) for name in found[0]}


def in_batches(function: Callable[[Array], Array], x: np.ndarray, size: int = 64) -> np.ndarray:
  """[b ...] -> [b ...] over all of x; the last batch is padded, so one shape is compiled."""
  parts = []
  for i in range(0, len(x), size):
    part = x[i : i + size]
    padded = np.pad(part, [(0, size - len(part))] + [(0, 0)] * (x.ndim - 1), mode='edge')
    parts.append(np.asarray(function(padded), np.float32)[: len(part)])
  return np.concatenate(parts)


def over_tokens(states: Array, x: Array) -> Array:
  """[l b n d] to [b l d]: the mean over tokens, without padding where x [b n] is ids."""
  mask = (x != 0 if jnp.issubdtype(x.dtype, jnp.integer) else jnp.ones(states.shape[1:3], bool))[None, :, :, None]
  return (jnp.sum(states * mask, 2) / jnp.maximum(mask.sum(2), 1)).swapaxes(0, 1)


def layers_of(subject: Subject, columns: Mapping[str, np.ndarray]) -> np.ndarray:
  """States of every layer, averaged over tokens, [l n d].

  Raises:
    ValueError: the network gives none.
  """

  @jax.jit
  def states(x):
    layers = subject.represent({subject.data.inputs: x}).layers
    if layers is None:
      raise ValueError('this network does not give the states of its layers; choose a transformer')
    return over_tokens(layers, x)

  return in_batches(states, columns[subject.data.inputs]).swapaxes(0, 1)


# --- Neurons ----------------------------------------------------------------------------------------------------------


def sparse(subject: Subject, key: Key, *, examples: int = 512, network: str = 'backbone', **options: Any) -> dict[str, float]:
  """`sparse_probe` of the label at the neurons of every block; the block whose best one is best on half of 'train' is told.

  Args:
    subject: a network with `neurons`; labels 0 and 1.
    key: draws the examples.
    examples: of 'train' and of 'test', at most.
    network: which.
    **options: of `sparse_probe`.

  Returns:
    Its figures at that block, 'layer', and 'layer0_k1_f1', ... of every block.
  """
  net = subject.networks[network]
  neurons = jax.jit(lambda x: over_tokens(net.neurons(x), x))
  train, test = (drawn(subject.data.splits[split], examples, jax.random.fold_in(key, i)) for i, split in enumerate(('train', 'test')))
  a, b = (in_batches(neurons, columns[subject.data.inputs]).swapaxes(0, 1) for columns in (train, test))
  half = len(train['label']) // 2
  chosen = [sparse_probe(x[:half], train['label'][:half], x[half:], train['label'][half:], shares=(1,), **options) for x in a]
  layer = int(np.argmax([found['k1/f1'] for found in chosen]))
  found = sparse_probe(a[layer], train['label'], b[layer], test['label'], shares=(1, 4, 16, 64), **options)
  figures = {name.replace('/', '_'): value for name, value in found.items()}
  return figures | {'layer': layer} | {f'layer{i}_k1_f1': f['k1/f1'] for i, f in enumerate(chosen)}


def random_neurons(subject: Subject, key: Key, *, examples: int = 512, network: str = 'backbone') -> dict[str, float]:
  """The control of `sparse`: neurons ranked by nothing."""
  return sparse(subject, key, examples=examples, network=network, ranking=at_random)


# --- Layers -----------------------------------------------------------------------------------------------------------


def moved(profile: Callable[[np.ndarray], Mapping[str, float]], layers: np.ndarray, layer: int, factor: float) -> dict[str, float]:
  """A profile over layers, and how far its centre of gravity goes when one layer's states are multiplied by a factor."""
  before = profile(layers)
  scaled = np.where(np.arange(len(layers))[:, None, None] == layer, factor, 1.0) * layers
  after = profile(scaled)
  figures = {name.replace('/', '_'): value for name, value in before.items()}
  return figures | {'moved': abs(after['centre_of_gravity'] - before['centre_of_gravity'])}


def description_length(subject: Subject, key: Key, *, examples: int = 512, layer: int = 1, factor: float = 10.0) -> dict[str, float]:
  """`layer_code` of the label, and how far its centre moves when one layer is rescaled, which carries no information.

  Args:
    subject: a network that gives its layers.
    key: draws the examples, and their order.
    examples: of 'train', at most.
    layer: the one that is rescaled.
    factor: by how much.

  Reference: Fayyaz et al. 2021, arXiv:2109.05958, sections 3 and 4.
  """
  columns = drawn(subject.data.splits['train'], examples, key)
  classes = int(columns['label'].max()) + 1
  return moved(lambda x: layer_code(x, columns['label'], classes=classes), layers_of(subject, columns), layer, factor)


def mixing_weights(subject: Subject, key: Key, *, examples: int = 512, layer: int = 1, factor: float = 10.0) -> dict[str, float]:
  """`mixed_probe` of the label, likewise: the profile that `description_length` is held against."""
  columns = drawn(subject.data.splits['train'], examples, key)
  classes = int(columns['label'].max()) + 1
  return moved(lambda x: mixed_probe(x, columns['label'], classes=classes), layers_of(subject, columns), layer, factor)


# --- Directions -------------------------------------------------------------------------------------------------------


def stimuli(subject: Subject, key: Key, pairs: int, examples: int) -> tuple[dict[str, np.ndarray], ...]:
  """Pairs (a positive, then a negative example) and further examples of 'train', and examples of 'test'."""
  train = drawn(subject.data.splits['train'], examples + 4 * pairs, jax.random.fold_in(key, 0))
  rows = np.stack([np.flatnonzero(train['label'] == y)[:pairs] for y in (1, 0)], 1).ravel()
  rest = np.setdiff1d(np.arange(len(train['label'])), rows)[:examples]
  test = drawn(subject.data.splits['test'], examples, jax.random.fold_in(key, 1))
  return *({name: x[at] for name, x in train.items()} for at in (rows, rest)), test


def reading(subject: Subject, key: Key, *, transform: Transform, pairs: int = 64, examples: int = 256) -> dict[str, float]:
  """How well a direction found from pairs reads a concept in examples that it never saw.

  The direction is fitted to the mean states of a layer, the layer chosen on further examples of 'train'.

  Args:
    subject: a network that gives its layers; labels 0 and 1.
    key: draws the pairs and the examples.
    transform: finds the direction: `lat`, or one of its kin in `jssl.transforms.steer`.
    pairs: how many.
    examples: to choose the layer on, and to read.

  Returns:
    'accuracy' on 'test' at the chosen 'layer', and of every layer.

  Reference: Zou et al. 2023, arXiv:2310.01405, section 3.1.
  """
  some, rest, test = stimuli(subject, key, pairs, examples)

  @jax.jit
  def read(fitted, chosen, judged):
    directions = jax.vmap(transform.fit, (0, None))(fitted, jnp.asarray(some['label']))
    scores = jax.vmap(transform.apply)
    return scores(directions, chosen)[..., 0] > 0, scores(directions, judged)[..., 0] > 0

  chosen, judged = read(*(layers_of(subject, columns) for columns in (some, rest, test)))
  accuracy = np.asarray(judged == (test['label'] > 0)).mean(1)
  layer = int(np.argmax(np.asarray(chosen == (rest['label'] > 0)).mean(1)))
  return {'accuracy': float(accuracy[layer]), 'layer': layer} | {f'layer{i}_accuracy': float(a) for i, a in enumerate(accuracy)}


def steering(
  subject: Subject, key: Key, *, transform: Transform, layer: int = 3, pairs: int = 64, examples: int = 192,
  doses: tuple[float, ...] = (-2.0, -1.0, 0.0, 1.0, 2.0), network: str = 'backbone',
) -> dict[str, float]:  # fmt: skip
  """What becomes of the output when all states behind a block are pushed along a direction.

  h_l <- h_l + c |gap| v,   gap = mean positive minus mean negative state. A logistic regression on the outputs of other
  examples, fitted without any pushing, says which of the pushed texts it takes for positive.

  Args:
    subject: a network with `pushed`; labels 0 and 1.
    key: draws the pairs and the examples.
    transform: finds v from the pairs, as in `reading`.
    layer: the block; its states are layer + 1 of `Features.layers`.
    pairs, examples: as in `reading`.
    doses: c, from the least to the greatest.
    network: which.

  Returns:
    'positive_0', ...: the share taken for positive at each dose; 'effect', that of the last less that of the first.

  Reference: Zou et al. 2023, arXiv:2310.01405, section 3.2, linear combination.
  """
  some, rest, test = stimuli(subject, key, pairs, examples)
  net, inputs = subject.networks[network], subject.data.inputs
  h = layers_of(subject, some)[layer + 1]
  v = jax.jit(transform.fit)(h, jnp.asarray(some['label'])).vector
  length = np.linalg.norm(h[some['label'] == 1].mean(0) - h[some['label'] == 0].mean(0))
  output = jax.jit(lambda x, by: net.pushed(layer, by)(x).pooled)
  at = lambda columns, c: in_batches(lambda x: output(x, c * length * v), columns[inputs])
  judge = jax.jit(lambda x, y: logistic(x, y, l2=1e-2))(at(rest, 0.0), jax.nn.one_hot(rest['label'], 2))
  shares = [float(np.mean(np.argmax(logits(judge, at(test, c)), 1))) for c in doses]
  return {f'positive_{i}': share for i, share in enumerate(shares)} | {'effect': shares[-1] - shares[0]}
