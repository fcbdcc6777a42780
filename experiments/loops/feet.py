"""FEET: one pretrained encoder frozen, tuned on a few shots, and fine-tuned, each judged by the same head.

Reference: Lee, Lee, Chiang 2024, arXiv:2411.01322, section 3.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jssl import tables
from jssl.evaluators.interpretability.analysis import feet, few_shot
from jssl.evaluators.interpretability.layers_and_neurons import drawn, in_batches
from jssl.types import Loop


def loop(
  *, seed: int, shots: tuple[int, ...] = (2, 8), steps: int = 24, batch_size: int = 16, examples: int = 192, length: int = 24,
  learning_rate: float = 1e-4, backbone: str = 'minilm', tokenizer: str | None = 'minilm', data: str = 'rotten_tomatoes', **options,
) -> Loop:  # fmt: skip
  """A row a column of FEET: 'feet' is fine-tuned on all examples, then 'shots2', ... on a few. A step tunes one encoder.

  'frozen', 'frozen2', ... are the frozen encoder, with a head on the same examples.

  Args:
    seed: of examples, shots and batches.
    shots: examples of each class that the encoder and a head are tuned on.
    steps: of tuning, the same for every column.
    batch_size: at most; few shots are one batch.
    examples: labelled for fine-tuning, and as many to test on.
    length: tokens a text.
    learning_rate: of tuning.
    backbone, **options: the encoder, of the table of models.
    tokenizer: as in `jssl.data.text.lee`.
    data: of the table of data sets; texts with two labels.
  """
  data = tables.TABLES['data'][data](length=length, tokenizer=tokenizer)
  key = jax.random.key(seed)
  train, test = (drawn(data.splits[split], examples, jax.random.fold_in(key, i)) for i, split in enumerate(('train', 'test')))
  net = tables.TABLES['models'][backbone](data.spec['ids'], rngs=nnx.Rngs(seed), **options)
  graphdef, params = nnx.split(net)
  params = nnx.to_pure_dict(params)
  pooled = jax.jit(lambda params, x: nnx.merge(graphdef, params, copy=True)(x).pooled)
  optimizer = optax.adam(learning_rate)

  def loss(trained, x, y):
    z = pooled(trained['net'], x) @ trained['head']
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(z, y))

  @jax.jit
  def step(trained, state, x, y):
    updates, state = optimizer.update(jax.grad(loss)(trained, x, y), state)
    return optax.apply_updates(trained, updates), state

  def tuned(rows):
    trained = dict(net=params, head=jnp.zeros((net.dim, 2)))
    state, draw = optimizer.init(trained), np.random.default_rng(seed)
    for _ in range(steps):
      some = draw.choice(rows, min(batch_size, len(rows)), replace=False)
      trained, state = step(trained, state, train['ids'][some], train['label'][some])
    return trained['net']

  def column(params, rows):
    features = partial(in_batches, partial(pooled, params))
    return features(train['ids'][rows]), train['label'][rows], features(test['ids']), test['label']

  every = np.arange(len(train['label']))
  few = {k: few_shot(train['label'], k, seed=seed) for k in shots}
  rows = {'feet': every, **{f'shots{k}': some for k, some in few.items()}}
  kept = {'frozen': every, **{f'frozen{k}': some for k, some in few.items()}}

  def figures(states):
    columns = {name: column(params, some) for name, some in kept.items()}
    columns |= {name: column(states[name], some) for name, some in rows.items()}
    found = feet(columns)
    return {name: {m: found[f'{name}/{m}'] for m in ('accuracy', 'f1', 'auroc', 'auprc')} for name in columns}

  return Loop([(name, lambda states, some=some: tuned(some)) for name, some in rows.items()], figures)
