"""Fine-tuning: the accuracy of a network after further training with labels."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx

from jssl.evaluators import needs
from jssl.evaluators.features import holdout
from jssl.evaluators.figures import Items, accuracy
from jssl.evaluators.general.tuning import Part, Tuning
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.ops.rows import over_rows, take
from jssl.parts.optimizers import adamw
from jssl.parts.schedules import Duration, duration
from jssl.types import Examples, Key, Optimizer, View

_least, _below = (lambda x: x >= 0, 'of at least 0'), (lambda x: 0 <= x < 1, 'from 0 to below 1')
RANGES = dict(
  fraction=(lambda x: 0 < x <= 1, 'above 0 and at most 1'),
  mixup=_least, cutmix=_least, std=_least, smoothing=_below, drop_path=_below, ema=_below,
)  # fmt: skip


def tunable(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """As `held_out`; also, options must be within their ranges, and the network must have what they set."""
  yield from needs.held_out(subject, options)
  net, given, name = subject.networks[options['network']], options.get, options['network']
  for option, (fits, told) in RANGES.items():
    if given(option) is not None and not fits(given(option)):
      yield f'{option} is {given(option)!r}; expected a number {told}'
  try:
    duration(given('warmup'), steps=1, epoch=1)
  except ValueError as error:
    yield f'warmup: {error}'
  # A wav2vec's blocks have one rate for all.
  if given('drop_path') is not None and (not hasattr(net, 'drop_path') or hasattr(getattr(net, 'blocks', None), 'rate')):
    yield f'the network {name!r} has no stochastic depth that grows over its blocks; leave drop_path out'
  if given('pool') not in (None, 'mean', 'cls') or given('pool') and not hasattr(net, 'pool'):
    yield f"pool is {given('pool')!r} for the network {name!r}; expected 'mean' or 'cls' where the network pools tokens, else None"
  elif given('pool') == 'cls' and getattr(net, 'cls', True) is None:
    yield f"the network {name!r} has no class token; expected pool='mean', or None"
  if given('norm') not in (None, 'standardize', 'layer') or given('norm') == 'layer' and not hasattr(net, 'pooled_norm'):
    yield f"norm is {given('norm')!r}; expected 'standardize', None, or 'layer' for a vision transformer"
  yield from _optimized(net, given('optimizer'))
  yield from needs.one_view(subject, options)
  column = subject.data.spec[subject.data.inputs]
  if max(given('mixup'), given('cutmix')) > 0 and len(column.shape) != 3:
    yield f'mixup and cutmix mix images, and {subject.data.inputs!r} is {list(column.shape)}; leave them out'


def _optimized(net: Any, optimizer: Optimizer | None) -> Iterator[str]:
  """The optimiser must have options that fit the network."""
  if optimizer is None:
    return
  for option, instead in dict(learning_rate='give learning_rates in its place', parts='leave it out').items():
    if option in optimizer.keywords:
      yield f'optimizer has {option!r}, which finetune does not take; {instead}'
      return
  try:
    jax.eval_shape(optimizer(learning_rate=1.0).init, {'network': nnx.to_pure_dict(nnx.state(net, nnx.Param))})
  except ValueError as error:
    yield f'{error}'


@protocol('1', needs=(*TRAIN, *TEST, 'nets.{network}'), raw=False, fits=tunable)
def finetune(
  subject: Subject,
  key: Key,
  *,
  network: str = 'backbone',
  shots: int | None = 10,
  fraction: float | None = None,
  seeds: Sequence[int] = (0, 1, 2),
  updates: int = 150,
  epochs: int | None = None,
  batch_size: int = 50,
  learning_rates: Sequence[float] = (3e-4, 1e-3, 3e-3),
  warmup: Duration = '10%',
  weight_decay: float = 0.05,
  optimizer: Optimizer | None = None,
  view: View | None = None,
  mixup: float = 0.0,
  cutmix: float = 0.0,
  smoothing: float = 0.0,
  drop_path: float | None = None,
  ema: float | None = None,
  pool: str | None = None,
  norm: str | None = 'standardize',
  std: float = 0.0,
) -> dict[str, Any]:
  """The `finetune` protocol: trains the whole network and a linear head with labels; a part of the examples chooses the learning rate.

  min over network, W, b of  mean CE(softmax(W' (z(x) - m) / s + b), y)

  With default options it is training on few labels. The head is applied to pooled features, standardised by the mean m and deviation s of the
  labelled examples before training, and is initialised to 0. The optimiser is AdamW, with a linear warm-up over a tenth of the steps and a
  cosine decay to 0. For each draw of labelled examples a fifth of each class is held out. The learning rate with the best mean result on
  these is chosen, the smallest in case of ties, and each draw is then trained on again in full, for as many updates. With one candidate
  nothing is held out. Inputs are those of evaluation, without augmentation or dropout; batch normalisation uses the statistics of the batch in
  training.

  The other options are those of the papers' fine-tuning on many labels. In evaluation, inputs are always those of evaluation.

  Draws and order depend on the seeds alone, so all rows are tuned on the same examples. The row of the untrained network is training from
  scratch: compare with it.

  Examples are read from the split when they are needed, ahead of training. A batch is spread over the devices of this process, if it divides
  among them; parameters stay where they are, or are copied to each device. Of several processes each does all of the training.

  Args:
    subject: has class labels in 'train' and 'test'.
    key: unused; the seeds are fixed by the protocol.
    network: the network to tune; reads the input.
    shots: labelled examples per class (all, if a class has fewer); None for all of 'train'.
    fraction: share of each class that is labelled, in place of `shots`; at least one example.
    seeds: one for each draw.
    updates: steps of the optimiser.
    epochs: passes over the labelled examples, in place of `updates`.
    batch_size: examples per update, reshuffled each epoch; all, if there are fewer.
    learning_rates: candidates.
    warmup: steps, '5 epochs' or '10%'.
    weight_decay: for kernels and embeddings; of the default optimiser.
    optimizer: in place of AdamW, with all of its options but the learning rate: dict(name='adamw', b2=0.98, clip=1.0).
    view: of the input column in training, one, drawn anew at every step, such as dict(name='augment', views=1, crop={}, flip=0.5). The
      method's `inputs` then apply to it: leave `mean` and `std` out.
    mixup, cutmix: alpha of each, as in `ops.mixing`; 0 for none. With both, each batch has one of them.
    smoothing: share of the labels that is spread evenly over all classes.
    drop_path: rate of stochastic depth of the last block in training, in place of the network's; its dropout is then active too.
    ema: decay of a moving average of weights and statistics, which is evaluated in place of the last ones.
    pool: 'mean' or 'cls', in place of the network's pooling; None for that.
    norm: of the features before the head: 'standardize'; 'layer', a new layer normalisation of pooled features in place of that of the
      tokens; None.
    std: deviation of the initial kernel of the head, a normal distribution cut at 2 std.

  Returns:
    top1, the mean over the draws (top1_low, top1_high over test examples), top1_std over draws, top1_validation where a learning rate was
    chosen, and the learning rate in `chosen`.

  Reference: He, Chen, Xie, Li, Dollar, Girshick, arXiv:2111.06377, appendix A.1, Table 9, and the official code, main_finetune.py and
    models_vit.py ('layer', std=2e-5). Shares of labels: Chen, Kornblith, Norouzi, Hinton, arXiv:2002.05709, section 4.2 and appendix B.5.
    Moving average, of statistics too: timm 1.0, utils/model_ema.py, `ModelEmaV2`.
  """
  splits = {name: subject.data.splits[name] for name in ('train', 'test')}
  labels = {name: _labels(split) for name, split in splits.items()}
  drawn = [_draw(labels['train'], shots, seed, fraction) for seed in seeds]
  examples = [Part(splits['train'], rows) for rows in drawn]
  epoch = len(drawn[0]) / min(batch_size, len(drawn[0]))
  tune = Tuning(
    subject, network, int(max(x.max() for x in labels.values())) + 1, optimizer=optimizer or partial(adamw, weight_decay=weight_decay),
    steps=updates if epochs is None else max(1, round(epochs * epoch)), epoch=epoch, batch_size=batch_size, warmup=warmup, view=view,
    mixup=mixup, cutmix=cutmix, smoothing=smoothing, drop_path=drop_path, ema=ema, pool=pool, norm=norm, std=std,
  )  # fmt: skip
  rates, validation = sorted(map(float, learning_rates)), []
  for rate in rates if len(rates) > 1 else ():
    found = []
    for seed, given, rows in zip(seeds, examples, drawn, strict=True):
      out = holdout(labels['train'][rows], 0.2)
      right = tune.classify(*tune.fit(given, np.flatnonzero(~out), rate, seed))(Part(given, np.flatnonzero(out)))
      found.append(right.mean())
    validation.append(float(np.mean(found)))
  best = int(np.argmax(validation)) if validation else 0
  fits = (tune.fit(given, np.arange(len(given)), rates[best], seed) for seed, given in zip(seeds, examples, strict=True))
  right = np.stack([tune.classify(*fit)(splits['test']) for fit in fits])
  mean = right.mean(0)  # for each test example, over the draws
  return {
    'train_examples': len(drawn[0]), 'test_examples': len(mean), **accuracy(mean), 'top1_std': float(right.mean(1).std()),
    **({'top1_validation': validation[best]} if validation else {}), 'chosen': {'learning_rate': rates[best]},
    'items': {'top1': Items('mean', (mean,))},
  }  # fmt: skip


def _labels(examples: Examples) -> np.ndarray:
  """The labels of a split, [n]."""
  labels = over_rows(lambda columns: columns['label'], lambda rows: take(examples, rows, ['label']), len(examples))
  return labels.reshape(len(examples)).astype(int)


def _draw(labels: np.ndarray, shots: int | None, seed: int, fraction: float | None = None) -> np.ndarray:
  """Rows of `shots` examples per class, or of a share of each class."""
  random = np.random.RandomState(seed)
  rows = [random.permutation(np.flatnonzero(labels == c)) for c in np.unique(labels)]
  counts = [shots if fraction is None else max(1, round(fraction * len(of))) for of in rows]
  return np.sort(np.concatenate([of[:n] for of, n in zip(rows, counts, strict=True)]))
