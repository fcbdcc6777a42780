"""Evaluation of generated texts."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits, likeliest
from jssl.metrics.rouge import rouge_f1
from jssl.ops.generation import generate
from jssl.types import Key


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

  def following(ids, context, y):
    # The decoder is causal: positions not yet written are not read.
    return lm(blocks(net.embed(y), context, context_mask=subject.data.spec[source].real(ids)), net.table)

  @jax.jit
  def run(ids, y):
    context = net(ids).tokens

    def step(out, new, place):
      out = out.at[:, place].set(new)
      return following(ids, context, out)[:, place], None, out

    choose = lambda logits, place: likeliest(jax.random.fold_in(key, place - 1), logits)
    b, n = y.shape
    out, _ = generate(step, jnp.zeros_like(y), y[:, :1], jnp.ones(b, jnp.int32), choose, length=n, end=ends)
    return out, jax.nn.log_softmax(following(ids, context, y[:, :-1]))

  out, logp = map(np.asarray, run(ids, y))
  finite(logp, 'the log-likelihoods of tokens')
  words = lambda row: [t for t in row[1 : row.index(ends) if ends in row else None] if t]
  told = [(words(a.tolist()), words(b.tolist())) for a, b in zip(out, y, strict=True)]
  real, right = subject.data.spec[text].real(y[:, 1:]), np.take_along_axis(logp, y[:, 1:, None], -1)[..., 0]
  return {
    **{f'rouge{n}': float(np.mean([rouge_f1(a, b, n=n) for a, b in told])) for n in (1, 2)},
    'accuracy': float(hits(logp[real], y[:, 1:][real]).mean()), 'nll': float(-right[real].mean()),
  }  # fmt: skip
