"""Fine-tuning: the accuracy of a network after further training with labels."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jssl.evaluators import needs
from jssl.evaluators.features import extract, holdout
from jssl.evaluators.figures import Items, accuracy
from jssl.evaluators.general.probe import standardizer
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits
from jssl.parts.optimizers import adamw
from jssl.parts.schedules import cosine
from jssl.types import Examples, Features, Key


@protocol('1', needs=(*TRAIN, *TEST, 'nets.{network}'), raw=False, fits=needs.held_out)
def finetune(
  subject: Subject,
  key: Key,
  *,
  network: str = 'backbone',
  shots: int | None = 10,
  seeds: Sequence[int] = (0, 1, 2),
  updates: int = 150,
  batch_size: int = 50,
  learning_rates: Sequence[float] = (3e-4, 1e-3, 3e-3),
  weight_decay: float = 0.05,
) -> dict[str, Any]:
  """The `finetune` protocol: trains the whole network and a linear head on few labels; a part of them chooses the learning rate.

  min over network, W, b of  mean CE(softmax(W' (z(x) - m) / s + b), y)

  The head is applied to pooled features, standardised by the mean m and deviation s of the labelled examples before training, and is
  initialised to 0. The optimiser is AdamW, with a linear warm-up over a tenth of the steps and a cosine decay to 0. For each draw of labelled
  examples a fifth of each class is held out. The learning rate with the best mean result on these is chosen, the smallest in case of ties, and
  each draw is then trained on again in full. Inputs are those of evaluation, without augmentation or dropout; batch normalisation uses the
  statistics of the batch in training.

  Draws and order depend on the seeds alone, so all rows are tuned on the same examples. The row of the untrained network is training from
  scratch: compare with it.

  Args:
    subject: has class labels in 'train' and 'test'.
    key: unused; the seeds are fixed by the protocol.
    network: the network to tune; reads the input.
    shots: labelled examples per class (all, if a class has fewer); None for all of 'train'.
    seeds: one for each draw.
    updates: steps of the optimiser.
    batch_size: examples per update, reshuffled each epoch; all, if there are fewer.
    learning_rates: candidates.
    weight_decay: for kernels and embeddings.

  Returns:
    top1, the mean over the draws (top1_low, top1_high over test examples), top1_std over draws, top1_validation, and the learning rate in
    `chosen`.
  """
  splits = {name: subject.data.splits[name] for name in ('train', 'test')}
  labels = {name: np.array([int(np.asarray(split[i]['label'])) for i in range(len(split))]) for name, split in splits.items()}
  tune = _Tuning(subject, network, int(max(x.max() for x in labels.values())) + 1, updates, batch_size, weight_decay)
  drawn = [_draw(labels['train'], shots, seed) for seed in seeds]
  examples = [[splits['train'][i] for i in rows] for rows in drawn]
  held = [holdout(labels['train'][rows], 0.2) for rows in drawn]
  rates, validation = sorted(map(float, learning_rates)), []
  for rate in rates:
    found = []
    for seed, given, out in zip(seeds, examples, held, strict=True):
      right = tune(given, np.flatnonzero(~out), rate, seed)([x for x, is_out in zip(given, out, strict=True) if is_out])
      found.append(right.mean())
    validation.append(float(np.mean(found)))
  best = int(np.argmax(validation))
  right = np.stack([tune(given, np.arange(len(given)), rates[best], seed)(splits['test']) for seed, given in zip(seeds, examples, strict=True)])
  mean = right.mean(0)  # for each test example, over the draws
  return {
    'train_examples': len(drawn[0]), 'test_examples': len(mean), **accuracy(mean), 'top1_std': float(right.mean(1).std()),
    'top1_validation': validation[best], 'chosen': {'learning_rate': rates[best]}, 'items': {'top1': Items('mean', (mean,))},
  }  # fmt: skip


class _Tuning:
  """Trains a network and a linear head on some examples. The learning rate is an argument, so that all learning rates share a program."""

  def __init__(self, subject: Subject, network: str, classes: int, steps: int, batch_size: int, weight_decay: float):
    net = nnx.clone(subject.networks[network])
    net.eval()
    still = nnx.graphdef(net)
    net.train()
    moving, params, stats = nnx.split(net, nnx.Param, ...)
    self.start, self.classes, self.steps, self.batch_size = (nnx.to_pure_dict(params), nnx.to_pure_dict(stats)), classes, steps, batch_size
    optimizer, rate_at = adamw(learning_rate=1.0, weight_decay=weight_decay), cosine(peak=1.0, warmup='10%', steps=steps, epoch=steps)

    def pooled(graphdef, params, stats, batch):
      (x,) = subject.inputs(jax.random.split(jax.random.key(0), len(jax.tree.leaves(batch)[0])), batch)
      bound = nnx.merge(graphdef, params, stats, copy=True)
      z = bound(x)
      return z.pooled if isinstance(z, Features) else z, nnx.to_pure_dict(nnx.state(bound, nnx.Not(nnx.Param)))

    def logits(graphdef, trained, stats, scaler, batch):
      z, stats = pooled(graphdef, trained['network'], stats, batch)
      return (z - scaler[0]) * scaler[1] @ trained['head']['kernel'] + trained['head']['bias'], stats

    def loss(trained, stats, scaler, batch):
      found, stats = logits(moving, trained, stats, scaler, batch)
      return optax.softmax_cross_entropy_with_integer_labels(found, batch['label'].reshape(-1)).mean(), stats

    def step(state, columns, rows, scaler, rate, at):
      trained, stats, opt = state
      batch = jax.tree.map(lambda x: x[rows], columns)
      grads, stats = jax.grad(loss, has_aux=True)(trained, stats, scaler, batch)
      updates, opt = optimizer.update(grads, opt, trained)
      updates = jax.tree.map(lambda x: x * rate * rate_at(at), updates)  # weight decay too is multiplied by the learning rate
      return optax.apply_updates(trained, updates), stats, opt

    self.optimizer, self.step = optimizer, jax.jit(step, donate_argnums=0)
    self.features = jax.jit(lambda params, stats, batch: Features(pooled=pooled(still, params, stats, batch)[0], tokens=None))
    self.logits = jax.jit(lambda trained, stats, scaler, batch: Features(pooled=logits(still, trained, stats, scaler, batch)[0], tokens=None))

  def __call__(self, examples: Sequence[Mapping[str, Any]], rows: np.ndarray, rate: float, seed: int) -> Callable[[Examples], np.ndarray]:
    """Whether each of `examples` is classified correctly by the network tuned on `rows`."""
    numeric = [name for name, x in examples[0].items() if np.asarray(x).dtype.kind not in 'OUS']
    columns = {name: jnp.asarray(np.stack([x[name] for x in examples])) for name in numeric}
    z, _ = extract(partial(self.features, *self.start), examples, label=None)
    scaler = standardizer(z)
    head = {'kernel': jnp.zeros((z.shape[1], self.classes)), 'bias': jnp.zeros(self.classes)}
    params, stats = jax.tree.map(jnp.copy, self.start)
    trained = {'network': params, 'head': head}
    state = trained, stats, self.optimizer.init(trained)
    size, random, order = min(self.batch_size, len(rows)), np.random.RandomState(seed), np.zeros(0, int)
    for at in range(self.steps):
      if len(order) < size:
        order = np.concatenate([order, random.permutation(rows)])
      state = self.step(state, columns, order[:size], scaler, rate, at)
      order = order[size:]
    classify = partial(self.logits, *state[:2], scaler)

    def right(examples: Examples) -> np.ndarray:
      found, labels = extract(classify, examples)
      return hits(found, labels.reshape(-1), 1e-6)

    return right


def _draw(labels: np.ndarray, shots: int | None, seed: int) -> np.ndarray:
  """Rows of `shots` examples per class."""
  random = np.random.RandomState(seed)
  rows = [random.permutation(np.flatnonzero(labels == c)) for c in np.unique(labels)]
  return np.sort(np.concatenate([of[:shots] for of in rows]))
