"""Attentive evaluation: a learned query that pools frozen tokens, with a linear classifier on it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jssl.evaluators import needs
from jssl.evaluators.general.probes import Probe, Recipe, best_of
from jssl.evaluators.needs import TEST, TRAIN
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.models.layers.attention import Attention
from jssl.models.layers.blocks import FeedForward
from jssl.models.layers.normalization import LayerNorm
from jssl.parts.optimizers import adamw
from jssl.parts.schedules import Duration
from jssl.types import Array, Key, View


class AttentiveProbe(nnx.Module):
  """Logits by a learned query: q + attention(q, norm(tokens)), then y + mlp(norm(y)), then a linear map.

  Args:
    on: width of the tokens.
    heads: of the attention.
    classes: number of classes.
    rngs: for the initialisation: normal of deviation 0.02, divided by sqrt(2) for the kernels that write into the residual stream.

  Reference: Bardes et al. (V-JEPA), 2024, arXiv:2404.08471, section 3; official code, src/models/attentive_pooler.py.
  """

  def __init__(self, on: int, *, heads: int, classes: int, rngs: nnx.Rngs):
    self.query = nnx.Param(nnx.initializers.normal(0.02)(rngs.params(), (1, on)))
    self.norm1, self.norm2 = LayerNorm(on, epsilon=1e-5, rngs=rngs), LayerNorm(on, epsilon=1e-5, rngs=rngs)
    self.attention = Attention(on, heads=heads, context=on, rngs=rngs)
    self.mlp = FeedForward(on, width=4 * on, rngs=rngs)
    self.linear = nnx.Linear(on, classes, rngs=rngs)
    for layer in (self.attention.proj, self.mlp.fc2):
      layer.kernel[...] /= jnp.sqrt(2.0)

  def __call__(self, tokens: Array) -> Array:
    """[b n d] -> [b classes]."""
    query = jnp.broadcast_to(self.query[...], (len(tokens), 1, tokens.shape[-1]))
    y = query + self.attention(query, self.norm1(tokens))
    return self.linear((y + self.mlp(self.norm2(y)))[:, 0])


def fits(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """As `needs.held_out`; also, the heads must divide the width of the tokens."""
  yield from needs.held_out(subject, options)
  yield from needs.one_view(subject, options)
  width, heads = needs.features(subject).tokens.shape[-1], options['heads']
  if heads is not None and (heads < 1 or width % heads):
    yield f'heads is {heads}; expected a number that divides the width of the tokens, {width}'


@protocol('1', needs=(*TRAIN, *TEST), raw=False, fits=fits)
def attentive(
  subject: Subject,
  key: Key,
  *,
  learning_rates: Sequence[float] = (1e-4, 3e-4, 1e-3, 3e-3),
  weight_decays: Sequence[float] = (1e-3,),
  heads: int | None = None,
  epochs: int = 20,
  batch_size: int = 256,
  warmup: Duration = 0,
  view: View | None = None,
  refit: bool = True,
  cache_limit: int = 2**30,
) -> dict[str, Any]:
  """The `attentive` protocol: a linear classifier on frozen tokens that a learned query has pooled, with settings chosen as in `linear`.

  Every learning rate is tried with every weight decay, in one program on the same features. The optimiser is AdamW, after clipping the
  gradient of each candidate to norm 1; the learning rate follows a cosine to 0.

  Args:
    subject: has class labels in 'train' and 'test'; its tokens are read. Raw input, a single token, is not evaluated.
    key: unused; the draws are fixed by the protocol.
    learning_rates: candidates for a batch of 256; they are multiplied by the batch size / 256.
    weight_decays: candidates, for kernels.
    heads: of the attention; None for heads of 64, or one.
    epochs, batch_size, warmup, view, refit, cache_limit: as in `linear`. Tokens take n times the memory of what is pooled of them, so cached
      ones rarely fit.

  Returns:
    top1 (with top1_low, top1_high), top5 if there are more than five classes, top1_validation, and learning_rate and weight_decay in `chosen`.

  Reference: Bardes et al. (V-JEPA), 2024, arXiv:2404.08471, section 3 and appendix; official code, evals/image_classification_frozen/eval.py
    and configs/evals/vitl16_in1k.yaml: 20 epochs of batches of 1024, rate 0.001 not scaled, weight decay 0.001, heads of the encoder,
    RandAugment; there the query is decayed, too. Attentive probes were proposed by Chen et al. (CAE), arXiv:2202.03026.
  """
  width = needs.features(subject).tokens.shape[-1]
  heads = heads or (width // 64 if width % 64 == 0 else 1)
  make = lambda key, classes: AttentiveProbe(width, heads=heads, classes=classes, rngs=nnx.Rngs(key))

  def init(key: Key, shape: tuple[int, ...], classes: int) -> dict[str, Any]:
    return nnx.to_pure_dict(nnx.state(make(key, classes)))

  def apply(params: Mapping[str, Any], tokens: Array) -> Array:
    classes = len(params['linear']['bias'])
    return nnx.merge(nnx.graphdef(nnx.eval_shape(lambda: make(jax.random.key(0), classes))), params)(tokens)

  pick = jax.jit(lambda features: {'tokens': features.tokens})
  recipe = Recipe(partial(adamw, learning_rate=1.0, clip=1.0), learning_rates, weight_decays, epochs, batch_size, warmup)
  return best_of(subject, pick, {'tokens': Probe(init, apply, {})}, recipe, view=view, cache_limit=cache_limit, refit=refit)
