"""Evaluation of generated texts: summaries of texts, captions of images."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits, likeliest
from jssl.metrics.rouge import rouge_f1
from jssl.ops.generation import generate
from jssl.types import Array, Key

BATCH = 256  # images at a time


@protocol(
  '2',
  needs=('{split}.{source}', '{split}.{text}', 'nets.{encoder}.embed', 'nets.{encoder}.table', 'nets.{decoder}', 'nets.{head}'),
  raw=False,
)
def summaries(
  subject: Subject,
  key: Key,
  *,
  split: str = 'test',
  source: str = 'body',
  text: str = 'summary',
  encoder: str = 'backbone',
  decoder: str = 'decoder',
  head: str = 'lm',
  ends: int = 3,
) -> dict[str, float]:
  """The `summaries` protocol: compares greedily generated texts with references, as subword ids.

  Args:
    subject: its data have the columns `source` [n] and `text` [m], ids.
    key: breaks ties between tokens.
    split: the split to evaluate.
    encoder, decoder, head: names of networks, as in the pass `seq2seq`.
    ends: id of the token that ends a text.

  Returns:
    rouge1 and rouge2, mean F1; accuracy of the next token given the correct previous ones; nll, its negative log-likelihood, in nats.

  Reference: Lin, ROUGE, 2004, https://aclanthology.org/W04-1013; Zhang et al. 2020, arXiv:1912.08777, section 6.
  """
  net, blocks, lm = (subject.networks[name] for name in (encoder, decoder, head))
  examples = subject.data.splits[split]
  rows = [examples[i] for i in range(len(examples))]
  ids, y = (np.stack([row[name] for row in rows]) for name in (source, text))
  seen = subject.data.spec[source].real
  following = lambda context, y: lm(blocks(net.embed(y), context[0], context_mask=context[1]), net.table)
  out, logp = map(
    np.asarray, jax.jit(lambda ids, y: generate_and_score(lambda: (net(ids).tokens, seen(ids)), following, y, key=key, ends=ends))(ids, y)
  )
  return figures(out, logp, y, subject.data.spec[text].real(y[:, 1:]), ends)


@protocol('1', needs=('{split}.{inputs}', '{split}.{text}', 'nets.{tower}', 'nets.{decoder}', 'nets.{head}'), raw=False)
def captions(
  subject: Subject,
  key: Key,
  *,
  split: str = 'test',
  text: str = 'ids',
  tower: str = 'text',
  decoder: str = 'decoder',
  head: str = 'lm',
  ends: int = 3,
) -> dict[str, float]:
  """The `captions` protocol: compares greedily generated captions of images with references, as subword ids.

  Args:
    subject: its data have images and the column `text` [m], ids.
    key: breaks ties between tokens.
    split: the split to evaluate.
    tower, decoder, head: networks: of the tokens written so far; of these and the tokens of the image; of logits.
    ends: id of the token that ends a text.

  Returns:
    rouge1, rouge2, accuracy and nll as in `summaries`; gain, how much more likely the tokens of a text are with its own image than with that of
    the next example, in nats.

  Reference: Yu et al. (CoCa), TMLR 2022, arXiv:2205.01917, section 4.2.3, which judges captions of natural images by CIDEr.
  """
  net, blocks, lm = (subject.networks[name] for name in (tower, decoder, head))
  examples = subject.data.splits[split]
  rows = [examples[i] for i in range(len(examples))]
  x, y = (np.stack([row[name] for row in rows]) for name in (subject.data.inputs, text))
  following = lambda context, y: lm(blocks(net(y).tokens, context))
  image = lambda x: subject.represent({subject.data.inputs: x}).tokens
  run = jax.jit(lambda x, y: generate_and_score(lambda: image(x), following, y, key=key, ends=ends))
  other = jax.jit(lambda x, y: jax.nn.log_softmax(following(image(x), y[:, :-1])))
  parts = [slice(i, i + BATCH) for i in range(0, len(y), BATCH)]
  out, logp = (np.concatenate(found) for found in zip(*(run(x[at], y[at]) for at in parts), strict=True))
  strange = np.concatenate([other(np.roll(x, 1, 0)[at], y[at]) for at in parts])
  real, right = subject.data.spec[text].real(y[:, 1:]), lambda logp: np.take_along_axis(logp, y[:, 1:, None], -1)[..., 0]
  return figures(out, logp, y, real, ends) | {'gain': float((right(logp) - right(strange))[real].mean())}


def generate_and_score(begin: Callable, following: Callable, y: Array, *, key: Key, ends: int) -> tuple[Array, Array]:
  """Texts that are generated greedily, [b n], and log-probabilities [b n-1 v] of the tokens after those of y.

  Args:
    begin: () -> what texts are generated from.
    following: (that, ids [b n]) -> logits [b n v] of the next tokens; causal, as positions that are not yet written are not read.
    y: [b n], the references; their first tokens begin the texts.
    key: breaks ties.
    ends: id of the token that ends a text.
  """
  context = begin()

  def step(out, new, place):
    out = out.at[:, place].set(new)
    return following(context, out)[:, place], None, out

  choose = lambda logits, place: likeliest(jax.random.fold_in(key, place - 1), logits)
  b, n = y.shape
  out, _ = generate(step, jnp.zeros_like(y), y[:, :1], jnp.ones(b, jnp.int32), choose, length=n, end=ends)
  return out, jax.nn.log_softmax(following(context, y[:, :-1]))


def figures(out: np.ndarray, logp: np.ndarray, y: np.ndarray, real: np.ndarray, ends: int) -> dict[str, float]:
  """Figures of generated texts [b n] and of log-probabilities [b n-1 v], by the references y [b n] and where they have tokens [b n-1]."""
  finite(logp, 'the log-likelihoods of tokens')
  words = lambda row: [t for t in row[1 : row.index(ends) if ends in row else None] if t]
  texts = [(words(a.tolist()), words(b.tolist())) for a, b in zip(out, y, strict=True)]
  right = np.take_along_axis(logp, y[:, 1:, None], -1)[..., 0]
  return {
    **{f'rouge{n}': float(np.mean([rouge_f1(a, b, n=n) for a, b in texts])) for n in (1, 2)},
    'accuracy': float(hits(logp[real], y[:, 1:][real]).mean()), 'nll': float(-right[real].mean()),
  }  # fmt: skip
