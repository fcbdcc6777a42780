"""Analysis of frozen representations: sparse probes, description lengths, layers, adaptation.

All functions take arrays, so they apply to the features of any backbone, or to any other matrix.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jssl.metrics.ranking import choices, hits
from jssl.ops.logistic import logistic, logits
from jssl.types import Array, Key

FRACTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
SHARES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Code(NamedTuple):
  """The code length of labels for a receiver who has the features."""

  bits: float  # L_online
  uniform: float  # n log2 classes, without the features
  compression: float  # uniform / bits
  blocks: np.ndarray  # [blocks] bits of each block; the first is sent with a uniform code


class Columns(NamedTuple):
  """Features and labels of a model in one state of adaptation."""

  train_x: np.ndarray  # [n d]
  train_y: np.ndarray  # [n] int
  test_x: np.ndarray  # [m d]
  test_y: np.ndarray  # [m] int


def _standardizer(x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
  x = np.asarray(x, np.float64)
  mean, std = x.mean(0), x.std(0)
  scale = np.where(std > 1e-6 * max(std.max(), 1e-30), 1 / np.maximum(std, 1e-30), 0.0)
  return lambda other: ((np.asarray(other, np.float64) - mean) * scale).astype(np.float32)


@jax.jit
def _predict(x: Array, y: Array, weight: Array, l2: Array, at: Array) -> Array:
  return jax.nn.softmax(logits(logistic(x, y, weight, l2=l2), at))


def by_mean_difference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """|mean of a feature where y = 1  -  mean where y = 0|, [d]: the main ranking of the paper."""
  return np.abs(x[y == 1].mean(0) - x[y == 0].mean(0))


def by_f_statistic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """Variance between the classes divided by the variance within, times n - 2, [d]; 0 for a constant feature."""
  groups = [x[y == c].astype(np.float64) for c in (0, 1)]
  grand = x.mean(0, dtype=np.float64)
  between = sum(len(g) * (g.mean(0) - grand) ** 2 for g in groups)
  within = sum(((g - g.mean(0)) ** 2).sum(0) for g in groups)
  return np.where(between > 0, between * (len(x) - 2) / np.maximum(within, 1e-30), 0.0)


def by_l1(x: np.ndarray, y: np.ndarray, *, c: float = 0.1, steps: int = 500) -> np.ndarray:
  """|weights| of an L1-penalised, class-balanced logistic regression, [d], by accelerated proximal gradient.

  min over w, b of  sum_i s_i log(1 + exp(-y_i (x_i w + b))) + |w|_1 / c,   s_i = n / (2 n_{y_i}),   y_i in {-1, 1}

  c is 0.1 in the official code, which solves the same problem with scikit-learn. Reference for the solver: Beck, Teboulle 2009,
  doi:10.1137/080716542, FISTA with constant step.
  """
  x = np.asarray(x, np.float64)
  x1 = np.concatenate([x, np.ones((len(x), 1))], 1)
  weight = np.where(y == 1, 0.5 / (y == 1).sum(), 0.5 / (y == 0).sum())
  rate = 4 / np.linalg.eigvalsh((x1.T * weight) @ x1)[-1]
  threshold = np.append(np.full(x.shape[1], rate / (c * len(x))), 0.0)

  def step(carry, _):
    w, ahead, t = carry
    grad = jnp.matmul(x1.T, weight * (jax.nn.sigmoid(jnp.matmul(x1, ahead, precision='highest')) - (y == 1)))
    new = ahead - rate * grad
    new = jnp.sign(new) * jnp.maximum(jnp.abs(new) - threshold, 0.0)
    after = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
    return (new, new + (t - 1) / after * (new - w), after), None

  x1, weight, threshold, y = (jnp.asarray(v, jnp.float32) for v in (x1, weight, threshold, y))
  start = jnp.zeros(x1.shape[1])
  w = jax.jit(lambda s: jax.lax.scan(step, (s, s, jnp.float32(1)), length=steps)[0][0])(start)
  return np.abs(np.asarray(w[:-1]))


def at_random(x: np.ndarray, y: np.ndarray, *, seed: int = 0) -> np.ndarray:
  """The control: a random ranking, [d]."""
  return np.random.default_rng(seed).random(x.shape[1])


def sparse_probe(
  train_x: np.ndarray,
  train_y: np.ndarray,
  test_x: np.ndarray,
  test_y: np.ndarray,
  *,
  ranking: Callable[[np.ndarray, np.ndarray], np.ndarray] = by_mean_difference,
  shares: Sequence[int] = SHARES,
  l2: float = 1e-3,
) -> dict[str, float]:
  """How well k neurons predict a binary property: ranks neurons, keeps k, and fits a logistic regression on these.

  Neurons are standardised on the training split and classes have equal weight. A property with a dedicated neuron has a high F1 at k = 1; for a
  property in superposition, F1 increases only with k.

  Args:
    train_x: [n d] activations.
    train_y: [n] in {0, 1}.
    test_x: [m d].
    test_y: [m].
    ranking: (x [n d], y [n]) -> [d], larger for more relevant neurons: `by_mean_difference`, `by_f_statistic`, `by_l1`, or `at_random` for the
      control.
    shares: values of k; those above d are skipped.
    l2: the penalty of the probes.

  Returns:
    f1, precision and recall on the test split under 'k1/f1', ..., 'dense/f1' for all neurons, and the index of the best single neuron under
    'k1/neuron'.

  Raises:
    ValueError: if labels are not 0 and 1, or only one of them occurs.

  Reference: Gurnee, Nanda, Pauly, Harvey, Troitskii, Bertsimas 2023, arXiv:2305.01610, section 3. The official code divides by 10 standard
    deviations for its solver, ranks after that, and also finds an optimal set of k neurons by mixed integer programming.
  """
  train_x, train_y, test_x, test_y = map(np.asarray, (train_x, train_y, test_x, test_y))
  if set(np.unique(train_y)) != {0, 1}:
    raise ValueError(f'sparse_probe takes labels 0 and 1, both of them; given {np.unique(train_y)[:5]}')
  scaled = _standardizer(train_x)
  a, b = scaled(train_x), scaled(test_x)
  worth = ranking(a, train_y)
  # Ties between neurons are broken by a fixed order that is independent of their index.
  order = np.lexsort((np.random.default_rng(0).permutation(len(worth)), -worth))
  share = train_y.mean()
  weight = jnp.asarray(np.where(train_y == 1, 0.5 / share, 0.5 / (1 - share)), jnp.float32)
  y = jax.nn.one_hot(train_y, 2)

  # One program for every k: excluded neurons are 0, and so are their weights.
  guess = lambda mask: choices(_predict(a * mask, y, weight, l2, b * mask), 1e-6)[:, 1]
  figures = {'k1/neuron': float(order[0])}
  for k in [*[k for k in shares if k < a.shape[1]], a.shape[1]]:
    mask = np.zeros(a.shape[1], np.float32)
    mask[order[:k]] = 1
    name = 'dense' if k == a.shape[1] else f'k{k}'
    figures |= {f'{name}/{m}': v for m, v in _f1(guess(mask), test_y).items()}
  return figures


def _f1(predicted: np.ndarray, y: np.ndarray) -> dict[str, float]:
  """F1 from the probability [n] of predicting 1, which is a half if both answers are equally likely."""
  hit, said, there = np.sum(predicted * (y == 1)), np.sum(predicted), np.sum(y == 1)
  divide = lambda a, b: float(a / b) if b else 0.0
  return dict(f1=divide(2 * hit, said + there), precision=divide(hit, said), recall=divide(hit, there))


def blocks(n: int, fractions: Sequence[float] = FRACTIONS) -> np.ndarray:
  """Ends of the blocks of the online code: t_1 < ... < t_S = n, as fractions of n. Blocks of less than one example are dropped."""
  ends = sorted({min(n, round(f * n)) for f in fractions} | {n})
  return np.array([t for t in ends if t > 0])


def online_code(
  x: np.ndarray,
  y: np.ndarray,
  *,
  classes: int,
  key: Key | None = None,
  fractions: Sequence[float] = FRACTIONS,
  precision: float = 1.0,
) -> Code:
  """Minimum description length of labels given features: the shorter, the easier the labels are to learn from them.

  L = t_1 log2 K - sum_{i<S} sum_{t_i < j <= t_{i+1}} log2 p_i(y_j | x_j),   p_i fitted to the first t_i examples

  The probe p_i is a logistic regression with a normal prior on its weights, so it needs no validation split, and the cost of an unseen class is
  large but finite. Features are standardised over all examples, which both sender and receiver have, so the result is invariant to the scale of
  a representation.

  Args:
    x: [n d].
    y: [n] int.
    classes: K.
    key: shuffles the examples; None keeps the given order, which should then be random.
    fractions: t_i / n; the default is that of the papers.
    precision: 1 / variance of a weight in the prior; the penalty for t examples is precision / t.

  Returns:
    Code, in bits.

  Reference: Voita, Titov 2020, arXiv:2003.12298, section 2.2.2 and Eq. 4; applied to each layer in Fayyaz, Aghazadeh, Modarressi, Mohebbi,
    Pilehvar 2021, arXiv:2109.05958. There, the probe is a small network with early stopping.
  """
  return _codes(np.asarray(x)[None], y, classes=classes, key=key, fractions=fractions, precision=precision)[0]


def _codes(layers, y, *, classes, key, fractions, precision) -> list[Code]:
  y = np.asarray(y)
  n = len(y)
  if key is not None:
    order = np.asarray(jax.random.permutation(key, n))
    layers, y = layers[:, order], y[order]
  ends = blocks(n, fractions)
  one_hot = jax.nn.one_hot(y, classes)
  found = []
  for x in layers:
    x = jnp.asarray(_standardizer(x)(x))
    bits = [ends[0] * np.log2(classes)]
    bits += [float(_block_bits(x, one_hot, int(a), int(b), precision)) for a, b in zip(ends[:-1], ends[1:], strict=True)]
    uniform = n * np.log2(classes)
    found.append(Code(float(sum(bits)), float(uniform), float(uniform / sum(bits)), np.array(bits)))
  return found


@jax.jit
def _block_bits(x: Array, y: Array, start: Array, end: Array, precision: Array) -> Array:
  at = jnp.arange(len(x))  # examples beyond the prefix have weight 0: one program for all prefixes and layers
  model = logistic(x, y, at < start, l2=precision / start)
  nats = -jnp.sum(y * jax.nn.log_softmax(logits(model, x)), 1)
  return jnp.sum(nats * ((at >= start) & (at < end))) / jnp.log(2.0)


def centre_of_gravity(q: Array) -> float:
  """sum_l l q_l / sum_l q_l, l from 0: the layer around which scores or mixing weights are centred. 0 if all are 0.

  Reference: Tenney, Das, Pavlick 2019, arXiv:1905.05950, section 3.2; applied to compression in arXiv:2109.05958.
  """
  q = np.asarray(q, np.float64)
  return float(np.sum(np.arange(len(q)) * q) / q.sum()) if q.sum() else 0.0


def layer_code(
  layers: np.ndarray,
  y: np.ndarray,
  *,
  classes: int,
  key: Key | None = None,
  fractions: Sequence[float] = FRACTIONS,
  precision: float = 1.0,
) -> dict[str, float]:
  """Localises a property in a network: the compression of `online_code` at each layer, and its centre of gravity.

  Args:
    layers: [l n d], one vector per example and layer, such as `Features.layers` pooled over tokens.
    y: [n] int.
    classes: K.
    key: as in `online_code`, the same order at every layer.
    fractions: as in `online_code`.
    precision: as in `online_code`.

  Returns:
    'layer0/compression', ..., 'layer0/bits', ..., and 'centre_of_gravity' of the compression.

  Reference: Fayyaz et al. 2021, arXiv:2109.05958, section 3. The result is invariant to the scale of a layer, which is the paper's argument
    against `mixed_probe`.
  """
  codes = _codes(np.asarray(layers), y, classes=classes, key=key, fractions=fractions, precision=precision)
  figures = {f'layer{i}/compression': c.compression for i, c in enumerate(codes)}
  figures |= {f'layer{i}/bits': c.bits for i, c in enumerate(codes)}
  return figures | {'centre_of_gravity': centre_of_gravity([c.compression for c in codes])}


def layer_accuracies(
  layers: np.ndarray, y: np.ndarray, tested: np.ndarray, labels: np.ndarray, *, classes: int, precision: float = 1.0
) -> np.ndarray:
  """Accuracy on held-out examples of a logistic regression on each layer, [l].

  Args:
    layers: [l n d] of the examples to fit, as in `layer_code`.
    y: [n] int.
    tested: [l m d] of held-out examples.
    labels: [m] int.
    classes: K.
    precision: as in `online_code`.
  """
  one_hot, every = jax.nn.one_hot(y, classes), jnp.ones(len(y))
  found = []
  for x, held_out in zip(layers, tested, strict=True):
    standard = _standardizer(x)
    found.append(hits(_predict(standard(x), one_hot, every, precision / len(y), standard(held_out)), labels, 1e-6).mean())
  return np.array(found)


def mixed_probe(
  layers: np.ndarray,
  y: np.ndarray,
  *,
  classes: int,
  steps: int = 300,
  learning_rate: float = 0.05,
  l2: float = 1e-4,
) -> dict[str, float]:
  """One linear probe on a learned mixture of layers; the mixing weights localise the property.

  h = gamma sum_l softmax(s)_l h_l,   s and gamma learned with the probe

  The weights depend on the norm of the states of each layer, not only on their information: compare `layer_code`.

  Args:
    layers: [l n d], not standardised; only a common factor is removed.
    y: [n] int.
    classes: number of classes.
    steps: of full-batch Adam.
    learning_rate: of Adam.
    l2: penalty of the probe.

  Returns:
    'layer0/weight', ..., 'centre_of_gravity' of the weights, and 'accuracy' on the training examples.

  Reference: Tenney, Das, Pavlick 2019, arXiv:1905.05950, Eq. 1 and section 3.2; Fayyaz et al. 2021, arXiv:2109.05958, section 4, for its
    problems.
  """
  import optax

  h = jnp.asarray(layers, jnp.float32)
  h = h - jnp.mean(h, 1, keepdims=True)
  h = h / jnp.maximum(jnp.sqrt(jnp.mean(h**2)), 1e-12)
  y = jnp.asarray(y)
  start = dict(s=jnp.zeros(len(h)), gamma=jnp.ones(()), w=jnp.zeros((h.shape[2], classes)), b=jnp.zeros(classes))
  optimizer = optax.adam(learning_rate)

  def predict(p):
    return p['gamma'] * jnp.einsum('l,lnd->nd', jax.nn.softmax(p['s']), h) @ p['w'] + p['b']

  def loss(p):
    errors = optax.softmax_cross_entropy_with_integer_labels(predict(p), y)
    return jnp.mean(errors) + l2 / 2 * jnp.sum(p['w'] ** 2)

  def step(carry, _):
    p, state = carry
    updates, state = optimizer.update(jax.grad(loss)(p), state)
    return (optax.apply_updates(p, updates), state), None

  run = jax.jit(lambda p: jax.lax.scan(step, (p, optimizer.init(p)), length=steps)[0][0])
  p = run(start)
  weights = np.asarray(jax.nn.softmax(p['s']))
  figures = {f'layer{i}/weight': float(w) for i, w in enumerate(weights)}
  accuracy = float(hits(predict(p), y, 1e-6).mean())
  return figures | {'centre_of_gravity': centre_of_gravity(weights), 'accuracy': accuracy}


def few_shot(y: np.ndarray, shots: int, *, seed: int = 0) -> np.ndarray:
  """Rows of `shots` examples of each class, drawn without replacement, [shots * classes] in increasing order.

  Raises:
    ValueError: if a class has fewer examples.
  """
  y, rng = np.asarray(y), np.random.default_rng(seed)
  rows = [np.flatnonzero(y == c) for c in np.unique(y)]
  if min(map(len, rows)) < shots:
    raise ValueError(f'{shots} shots of each class were asked for; the rarest class has {min(map(len, rows))}')
  return np.sort(np.concatenate([rng.choice(r, shots, replace=False) for r in rows]))


def feet(columns: Mapping[str, Columns | tuple], *, precision: float = 1.0) -> dict[str, float]:
  """Compares states of adaptation of one model: frozen, tuned on a few shots, fine-tuned.

  delta = metric of the column - metric of 'frozen', in points: below 0 the adaptation hurts

  Every column uses the same kind of head, a logistic regression on the column's training features.

  Args:
    columns: name -> Columns (or a tuple of its fields). 'frozen' is the pretrained encoder; others, such as 'shots2' and 'tuned', are the
      features of
        the encoder after adaptation, and the rows that it was adapted on.
    precision: 1 / variance of the normal prior on the head's weights; the penalty for n examples is precision / n.

  Returns:
    'frozen/accuracy', 'frozen/f1', 'frozen/auroc', 'frozen/auprc' and so on (macro averages, one class against the
    rest), and 'shots2/accuracy_delta' and so on.

  Raises:
    ValueError: if there is no 'frozen' column.

  Reference: Lee, Lee, Chiang 2024, arXiv:2411.01322, section 3. The published deltas are marked %, and called relative in the official README,
    but are differences in points, as in its code.
  """
  if 'frozen' not in columns:
    raise ValueError(f"feet compares with the column 'frozen'; given {sorted(columns)}")
  found = {name: _judge(Columns(*map(np.asarray, c)), precision) for name, c in columns.items()}
  figures = {f'{name}/{m}': v for name, row in found.items() for m, v in row.items()}
  frozen = found.pop('frozen')
  return figures | {f'{name}/{m}_delta': v - frozen[m] for name, row in found.items() for m, v in row.items()}


def _judge(c: Columns, precision: float) -> dict[str, float]:
  from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

  classes = int(max(c.train_y.max(), c.test_y.max())) + 1
  scaled = _standardizer(c.train_x)
  n = len(c.train_y)
  p = _predict(scaled(c.train_x), jax.nn.one_hot(c.train_y, classes), np.ones(n), precision / n, scaled(c.test_x))
  p = np.asarray(p)
  guess, truth = p.argmax(1), np.eye(classes)[c.test_y]  # the F1 of classes uses one prediction per example
  there = truth.any(0) & ~truth.all(0)  # ranking metrics need both positive and negative examples
  average = lambda figure: float(figure(truth[:, there], p[:, there], average='macro')) if there.any() else float('nan')
  return dict(
    accuracy=float(hits(p, c.test_y, 1e-6).mean()),
    f1=float(f1_score(c.test_y, guess, average='macro', zero_division=0)),
    auroc=average(roc_auc_score),
    auprc=average(average_precision_score),
  )
