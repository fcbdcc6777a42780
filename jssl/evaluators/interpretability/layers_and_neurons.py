"""Evaluation of the layers and neurons inside a network."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import finite
from jssl.evaluators.interpretability.analysis import at_random, layer_accuracies, layer_code, mixed_probe, sparse_probe
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import correlations
from jssl.ops.pooling import masked_mean
from jssl.types import Array, Column, Examples, Key


def drawn(examples: Examples, n: int, key: Key) -> dict[str, np.ndarray]:
  """Columns of n random examples, or of all if there are no more than n."""
  rows = np.asarray(jax.random.permutation(key, len(examples)))[:n]
  found = [examples[int(i)] for i in rows]
  return {name: np.stack([np.asarray(example[name]) for example in found]) for name in found[0]}


def in_batches(function: Callable[[Array], Array], x: np.ndarray, size: int = 64) -> np.ndarray:
  """Applies [b ...] -> [b ...] to all of x in batches; the last batch is padded, so that one shape is compiled."""
  parts = []
  for i in range(0, len(x), size):
    part = x[i : i + size]
    padded = np.pad(part, [(0, size - len(part))] + [(0, 0)] * (x.ndim - 1), mode='edge')
    parts.append(np.asarray(function(padded), np.float32)[: len(part)])
  return finite(np.concatenate(parts), 'the states of the network')


def over_tokens(states: Array, x: Array, column: Column) -> Array:
  """[l b n d] to [b l d]: the mean over tokens, without padding if x [b n] is ids of a column."""
  there = column.real(x) if jnp.issubdtype(x.dtype, jnp.integer) else jnp.ones(states.shape[1:3], bool)
  return masked_mean(states, there).swapaxes(0, 1)


def layers_of(subject: Subject, columns: Mapping[str, np.ndarray]) -> np.ndarray:
  """States of every layer, averaged over tokens, [l n d]."""

  @jax.jit
  def states(x):
    return over_tokens(subject.represent({subject.data.inputs: x}).layers, x, subject.data.spec[subject.data.inputs])

  return in_batches(states, columns[subject.data.inputs]).swapaxes(0, 1)


@protocol('2', needs=(*TRAIN, *TEST, 'nets.{network}.neurons'), raw=False)
def sparse(subject: Subject, key: Key, *, examples: int = 512, network: str = 'backbone', **options: Any) -> dict[str, float]:
  """Runs `sparse_probe` of the label on the neurons of every block, and reports the block with the best single neuron on half of 'train'.

  Args:
    subject: has a network with `neurons`, and labels 0 and 1.
    key: for the selection of examples.
    examples: maximal number from 'train' and from 'test'.
    network: its name.
    **options: options of `sparse_probe`.

  Returns:
    The results at that block, 'layer', and 'layer0_k1_f1', ... of every block.
  """
  net = subject.networks[network]
  neurons = jax.jit(lambda x: over_tokens(net.neurons(x), x, subject.data.spec[subject.data.inputs]))
  train, test = (drawn(subject.data.splits[split], examples, jax.random.fold_in(key, i)) for i, split in enumerate(('train', 'test')))
  a, b = (in_batches(neurons, columns[subject.data.inputs]).swapaxes(0, 1) for columns in (train, test))
  half = len(train['label']) // 2
  chosen = [sparse_probe(x[:half], train['label'][:half], x[half:], train['label'][half:], shares=(1,), **options) for x in a]
  layer = int(np.argmax([found['k1/f1'] for found in chosen]))
  found = sparse_probe(a[layer], train['label'], b[layer], test['label'], shares=(1, 4, 16, 64), **options)
  figures = {name.replace('/', '_'): value for name, value in found.items()}
  return figures | {'layer': layer} | {f'layer{i}_k1_f1': f['k1/f1'] for i, f in enumerate(chosen)}


@protocol('2', needs=(*TRAIN, *TEST, 'nets.{network}.neurons'), raw=False)
def random_neurons(subject: Subject, key: Key, *, examples: int = 512, network: str = 'backbone') -> dict[str, float]:
  """The control of `sparse`: randomly ranked neurons."""
  return sparse(subject, key, examples=examples, network=network, ranking=at_random)


def moved(profile: Callable[[np.ndarray], Mapping[str, float]], layers: np.ndarray, layer: int, factor: float) -> dict[str, float]:
  """A profile over layers, and the shift of its centre of gravity if the states of one layer are multiplied by a factor."""
  before = profile(layers)
  scaled = np.where(np.arange(len(layers))[:, None, None] == layer, factor, 1.0) * layers
  after = profile(scaled)
  return {**before, 'moved': abs(after['centre_of_gravity'] - before['centre_of_gravity'])}


def compared(
  subject: Subject, key: Key, of: Callable[..., Mapping[str, float]], value: str, *, examples: int, layer: int, factor: float
) -> dict[str, float]:
  """A profile of the label over layers, `moved`, and its rank correlation with the accuracy of a probe of each layer on 'test', 'agreement'.

  Args:
    subject: has a network that returns its layers.
    key: for the selection and the order of examples.
    of: `layer_code` or `mixed_probe`.
    value: which of its figures of each layer are the profile.
    examples: maximal number from 'train', and from 'test'.
    layer: the layer to rescale.
    factor: the scale.
  """
  train, test = (drawn(subject.data.splits[split], examples, k) for split, k in (('train', key), ('test', jax.random.fold_in(key, 1))))
  classes = int(train['label'].max()) + 1
  layers, tested = layers_of(subject, train), layers_of(subject, test)
  found = moved(lambda x: of(x, train['label'], classes=classes), layers, layer, factor)
  accuracies = layer_accuracies(layers, train['label'], tested, test['label'], classes=classes)
  profile = np.array([found[f'layer{i}/{value}'] for i in range(len(layers))])
  figures = {name.replace('/', '_'): x for name, x in found.items()} | {f'layer{i}_accuracy': float(x) for i, x in enumerate(accuracies)}
  return figures | {'agreement': correlations(profile, accuracies)['spearman']}


@protocol('2', needs=(*TRAIN, *TEST, 'layers'), raw=False, fits=needs.within)
def description_length(subject: Subject, key: Key, *, examples: int = 512, layer: int = 1, factor: float = 10.0) -> dict[str, float]:
  """`layer_code` of the label, how it agrees with the accuracy of held-out examples, and its shift if one layer is rescaled.

  Rescaling does not change the information of a layer, and `layer_code` does not depend on it.

  Args:
    subject: has a network that returns its layers.
    key: for the selection and the order of examples.
    examples: maximal number from 'train', and from 'test'.
    layer: the layer to rescale.
    factor: the scale.

  Returns:
    Figures of `layer_code`; 'layer0_accuracy', ... on 'test' by a probe of each layer; 'agreement', the rank correlation over layers of
    compression and accuracy, from -1 to 1; 'moved', the shift of the centre of gravity, in layers.

  Reference: Fayyaz et al. 2021, arXiv:2109.05958, sections 3 and 4.
  """
  return compared(subject, key, layer_code, 'compression', examples=examples, layer=layer, factor=factor)


@protocol('3', needs=(*TRAIN, *TEST, 'layers'), raw=False, fits=needs.within)
def mixing_weights(subject: Subject, key: Key, *, examples: int = 512, layer: int = 1, factor: float = 10.0) -> dict[str, float]:
  """The same for `mixed_probe` of the label and its weights, for comparison with `description_length`."""
  return compared(subject, key, mixed_probe, 'weight', examples=examples, layer=layer, factor=factor)
