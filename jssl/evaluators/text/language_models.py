"""Prediction of held-out tokens by a language model, compared with n-gram counts of the training texts."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.masks.tokens import mask_tokens
from jssl.ops.look_up import pick
from jssl.types import Key

COUNTED = 200_000  # maximal number of training texts for the counts
STRENGTH = 100.0  # weight of the unigram in the bigram, in counts


@protocol('1', needs=('train.ids', '{split}.ids', 'nets.{encoder}.table', 'nets.{head}'), raw=False)
def masked_tokens(
  subject: Subject, key: Key, *, split: str = 'test', texts: int = 1000, ratio: float = 0.15, encoder: str = 'backbone', head: str = 'lm'
) -> dict[str, Any]:
  """Masked language modelling: predicts tokens that are replaced by [MASK] from their context.

  Args:
    subject: its data have ids [n].
    key: for the choice of masked tokens.
    split: the split to evaluate; its texts are selected at even intervals.
    texts: maximal number of texts.
    ratio: share of masked tokens in a text.
    encoder: (ids, mask) -> Features; has a `table`.
    head: (tokens, table) -> logits.

  Returns:
    top1 and loss (nats per token); unigram_top1 and unigram_loss of the frequencies in 'train'; tokens, the number of masked tokens.

  Reference: Devlin, Chang, Lee, Toutanova, NAACL 2019, arXiv:1810.04805, section 3.1.
  """
  column, net, lm = subject.data.spec['ids'], subject.networks[encoder], subject.networks[head]

  @jax.jit
  def told(ids, keys):
    hidden = mask_tokens(keys, column.maskable(ids), ratio=ratio)
    logits = lm(jnp.take_along_axis(net(ids, mask=hidden.mask).tokens, hidden.places[..., None], 1), net.table)
    labels = jnp.take_along_axis(ids, hidden.places, 1)
    return *_judged(logits, labels), labels, hidden.valid

  ids = _ids(subject, split, texts)
  log_p, right, labels, valid = _in_batches(told, ids, jax.random.split(key, len(ids)))
  unigram = _unigram(_ids(subject, 'train', COUNTED), column)
  return dict(
    top1=float(right[valid].mean()), loss=-float(finite(log_p[valid][:, None], 'the log-probabilities').mean()),
    unigram_top1=float((labels[valid] == unigram.argmax()).mean()), unigram_loss=-float(np.log(unigram[labels[valid]]).mean()),
    tokens=int(valid.sum()),
  )  # fmt: skip


@protocol('1', needs=('train.ids', '{split}.ids', 'nets.{encoder}.logits'), raw=False)
def next_tokens(subject: Subject, key: Key, *, split: str = 'test', texts: int = 1000, encoder: str = 'backbone') -> dict[str, Any]:
  """Predicts each token except the first from the previous tokens of its text.

  The bigram is p(b | a) = (count(a b) + s p(b)) / (count(a) + s), with p(b) the unigram and s = 100.

  Args:
    subject: its data have ids [n].
    key: unused.
    split, texts: as in `masked_tokens`.
    encoder: ids -> Features; has `logits`.

  Returns:
    perplexity, exp of the mean loss; unigram_perplexity and bigram_perplexity of counts in 'train'; top1; tokens, the number of predicted
    tokens.

  Reference: Radford, Wu, Child, Luan, Amodei, Sutskever, Language models are unsupervised multitask learners, 2019, section 3.1; the
    bigram: MacKay, Peto, Natural Language Engineering 1995, doi:10.1017/S1351324900000218, Eq. 4.
  """
  del key
  column, net = subject.data.spec['ids'], subject.networks[encoder]

  @jax.jit
  def told(ids):
    logits = net.logits(net(ids).tokens[:, :-1])
    return *_judged(logits, ids[:, 1:]), column.real(ids[:, 1:])

  ids, train = _ids(subject, split, texts), _ids(subject, 'train', COUNTED)
  log_p, right, valid = _in_batches(told, ids)
  unigram, bigram = _counted(train, ids, column)
  perplexity = lambda log_p: float(np.exp(-np.mean(log_p, dtype=np.float64)))
  return dict(
    perplexity=perplexity(finite(log_p[valid][:, None], 'the log-probabilities')), top1=float(right[valid].mean()),
    unigram_perplexity=perplexity(np.log(unigram)), bigram_perplexity=perplexity(np.log(bigram)), tokens=int(valid.sum()),
  )  # fmt: skip


def _judged(logits, labels):
  """Log-probability of the label, and the probability that it is chosen, with ties broken at random."""
  best = logits == jnp.max(logits, -1, keepdims=True)
  return pick(jax.nn.log_softmax(logits), labels), pick(best / jnp.sum(best, -1, keepdims=True), labels)


def _ids(subject: Subject, split: str, texts: int) -> np.ndarray:
  """[m n], of texts at even intervals in a split."""
  examples = subject.data.splits[split]
  rows = np.linspace(0, len(examples) - 1, min(texts, len(examples))).astype(int)
  return np.stack([examples[int(i)]['ids'] for i in rows])


def _in_batches(tell, *arrays, size: int = 100) -> list[np.ndarray]:
  each = [tell(*(x[i : i + size] for x in arrays)) for i in range(0, len(arrays[0]), size)]
  return [np.concatenate(parts) for parts in zip(*each, strict=True)]


def _unigram(ids: np.ndarray, column) -> np.ndarray:
  """[v] frequencies, with one added to each count."""
  counts = 1.0 + np.bincount(ids[np.asarray(column.real(ids))], minlength=column.size)
  return counts / counts.sum()


def _counted(train: np.ndarray, ids: np.ndarray, column) -> tuple[np.ndarray, np.ndarray]:
  """Probabilities of each token of `ids` after the first, by the unigram and the bigram of `train`."""
  pairs = lambda ids: (ids[:, :-1][real := np.asarray(column.real(ids[:, 1:]))].astype(np.int64), ids[:, 1:][real])
  (a, b), (before, after), unigram = pairs(train), pairs(ids), _unigram(train, column)
  codes, counts = np.unique(a * column.size + b, return_counts=True)
  code = before * column.size + after
  found = np.searchsorted(codes, code).clip(max=len(codes) - 1)
  joint = np.where(codes[found] == code, counts[found], 0)
  bigram = (joint + STRENGTH * unigram[after]) / (np.bincount(a, minlength=column.size)[before] + STRENGTH)
  return unigram[after], bigram
