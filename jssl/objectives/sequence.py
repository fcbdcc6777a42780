"""Objectives on sequences of tokens, codes and values.

As in `reconstruction`, l_i is example i's share of a mean over everything masked in the global batch: b times its sum
over the global number. The mean over b is then the mean over all masked tokens of the batch.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jssl.objectives.prediction import token_mean
from jssl.ops.look_up import pick
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def token_cross_entropy(logits: Float[Array, 'b n v'], tokens: Int[Array, 'b n'], mask: Bool[Array, 'b n'] | None = None) -> Float[Array, ' b']:
  """Cross entropy of the tokens where the mask is true.

  l_i = b / sum_in m_in sum_n m_in ( -log softmax(logits_in)[tokens_in] )

  Args:
    logits: [b n v] over the vocabulary.
    tokens: [b n] integers; ignored where the mask is false.
    mask: [b n] true for the tokens that count: those masked, or those of the continuation. None for all.

  Returns:
    [b] nats.

  Reference: Devlin, Chang, Lee, Toutanova 2019, arXiv:1810.04805, section 3.1 (masked tokens); Meng et al. 2024,
  arXiv:2302.02060, section 4 (MAE-LM); Nolte et al. 2024, arXiv:2412.05117, section 3 (MLM-U).
  """
  tokens = tokens if mask is None else jnp.where(mask, tokens, 0)
  return token_mean(_cross_entropy(logits, tokens), mask)


def replaced_token_detection(
  logits: Float[Array, 'b n'], replaced: Bool[Array, 'b n'], mask: Bool[Array, 'b n'] | None = None
) -> Float[Array, ' b']:
  """Binary cross entropy of predicting for every token whether it was replaced.

  l_i = b / sum_in m_in sum_n m_in ( -r log sigmoid(logits) - (1 - r) log sigmoid(-logits) )_in

  Args:
    logits: [b n] high for tokens predicted as replaced.
    replaced: [b n] r, true for tokens that differ from the original.
    mask: [b n] true for real tokens; None where there is no padding.

  Returns:
    [b] nats.

  Reference: Clark, Luong, Le, Manning 2020, arXiv:2003.10555, section 2; Chuang et al. 2022, arXiv:2204.10298, section
  3 (DiffCSE, weight 0.005). The official code of DiffCSE has two logits per token, whose difference is the one here, and
  counts padding as tokens that were not replaced; its paper sums over the tokens of a sentence.
  """
  sign = jnp.where(replaced.astype(bool), -1.0, 1.0)
  return token_mean(jax.nn.softplus(sign * logits.astype(jnp.float32)), mask)


def codebook_cross_entropy(
  logits: Float[Array, 'b n *qv'],
  codes: Int[Array, 'b n q'],
  mask: Bool[Array, 'b n'],
  *,
  weights: Float[Array, ' q'] | tuple[float, ...] | None = None,
  masked_weight: float = 0.9,
  valid: Bool[Array, 'b n'] | None = None,
) -> Float[Array, ' b']:
  """Cross entropy of the codes of several codebooks, with separate weights for masked and visible frames.

  l = sum_q g_q ( w mean_{masked} c_q + (1 - w) mean_{visible} c_q ),   c_q = -log softmax(logits_q)[codes_q]

  l_i is example i's share: both means are over all frames of the batch.

  Args:
    logits: [b n q v] for q codebooks of v entries, or [b n q*v], one codebook after the other.
    codes: [b n q] integers.
    mask: [b n] true for frames hidden from the encoder.
    weights: [q] g, weights of the codebooks; None for 1/q each.
    masked_weight: w.
    valid: [b n] false for padding; None where there is none.

  Returns:
    [b] nats.

  Reference: Pepino, Riera, Ferrer 2023, arXiv:2309.07391, section 2, w = 0.9, and for the eight codebooks of EnCodec g
  in proportion to the error that each removes.
  """
  valid = jnp.ones(mask.shape, bool) if valid is None else valid.astype(bool)
  mask = mask.astype(bool)
  loss = _cross_entropy(logits.reshape(*codes.shape, -1), jnp.where(valid[..., None], codes, 0))
  loss = jnp.mean(loss, -1) if weights is None else jnp.sum(loss * jnp.asarray(weights), -1)
  return masked_weight * token_mean(loss, mask & valid) + (1 - masked_weight) * token_mean(loss, ~mask & valid)


def masked_contrast(
  q: Float[Array, 'b n d'],
  k: Float[Array, 'b n d'],
  mask: Bool[Array, 'b n'],
  distractors: Int[Array, 'b n m'],
  *,
  codes: Int[Array, 'b n g'] | None = None,
  temperature: float = 0.1,
) -> Float[Array, ' b']:
  """Cross entropy of finding the target of a masked frame among those of other frames of the same example.

  l_it = -log ( exp(cos(q_t, k_t) / tau) / sum_{s in {t} + D_t} exp(cos(q_t, k_s) / tau) ),   D_t without t and without targets equal to k_t

  l_i is example i's share of the mean over all masked frames of the batch.

  Args:
    q: [b n d] predictions.
    k: [b n d] targets.
    mask: [b n] true for masked frames.
    distractors: [b n m] D, places of other frames, which may repeat.
    codes: [b n g] integers that are equal for equal targets; None where no two are equal.
    temperature: tau.

  Returns:
    [b] nats.

  Reference: Baevski, Zhou, Mohamed, Auli (wav2vec 2.0), NeurIPS 2020, arXiv:2006.11477, section 3.2, Eq. 3, tau = 0.1 and 100 distractors.
  There is a gradient to the targets, which are quantised. That distractors equal to the target do not count is from the official code,
  `compute_preds` in wav2vec2.py; it sums over frames, and the step divides by their number.
  """
  q, k = (l2_normalize(x.astype(jnp.float32)) for x in (q, k))
  cosines = jnp.einsum('bnd,bmd->bnm', q, k, precision='highest') / temperature
  places = jnp.arange(q.shape[1])[:, None]
  same = distractors == places
  if codes is not None:
    ids = codes.reshape(*codes.shape[:2], -1)
    same |= jnp.all(jnp.take_along_axis(ids[:, None], distractors[..., None], 2) == ids[:, :, None], -1)
  positive = jnp.diagonal(cosines, axis1=1, axis2=2)
  others = jnp.where(same, -jnp.inf, jnp.take_along_axis(cosines, distractors, -1))
  return token_mean(jax.nn.logsumexp(jnp.concatenate([positive[..., None], others], -1), -1) - positive, mask)


def code_diversity(logits: Float[Array, 'b n g v'], mask: Bool[Array, 'b n']) -> Float[Array, '']:
  """How far from all entries the use of codebooks is: 0 where all are used alike on average.

  l = (G V - sum_g exp(H(p_g))) / (G V),   p_g = mean over masked frames of softmax(logits_g),   H(p) = -sum_v p_v log(p_v + 1e-7)

  Args:
    logits: [b n g v] of V entries in each of G codebooks.
    mask: [b n] true for the frames that count, those that are masked.

  Returns:
    A scalar, from 0 to 1.

  Reference: Baevski, Zhou, Mohamed, Auli (wav2vec 2.0), NeurIPS 2020, arXiv:2006.11477, section 3.2. Eq. 4 is the mean of -H(p_g) / V; this is
  the form of the official code, `get_extra_losses` in wav2vec2.py, which also has the 1e-7 and takes the mean on each device. Weight 0.1.
  """
  p = jax.nn.softmax(logits.astype(jnp.float32))
  mean = jnp.sum(p * mask[..., None, None], (0, 1)) / jnp.maximum(jnp.sum(mask), 1)
  used = jnp.exp(-jnp.sum(mean * jnp.log(mean + 1e-7), -1))
  return 1 - jnp.sum(used) / mean.size


def feature_penalty(x: Float[Array, 'b n c'], mask: Bool[Array, 'b n'] | None = None) -> Float[Array, ' b']:
  """Mean square of features, a penalty on their size.

  l_i = b / sum_in m_in sum_n m_in mean_c x_inc^2

  Args:
    x: [b n c] the frames by convolutions, before they are normalised.
    mask: [b n] true for real frames; None for all.

  Returns:
    [b].

  Reference: the official code of Baevski et al., arXiv:2006.11477 (whose section 4.2 does not have it), `features_pen` in wav2vec2.py,
  weight 10 for BASE; and of Hsu et al., arXiv:2106.07447, hubert.py, weight 10.
  """
  return token_mean(jnp.mean(jnp.square(x.astype(jnp.float32)), -1), mask)


def hidden_units(
  cosines: Float[Array, 'b n v'],
  units: Int[Array, 'b n'],
  mask: Bool[Array, 'b n'],
  *,
  temperature: float = 0.1,
  masked_weight: float = 1.0,
  valid: Bool[Array, 'b n'] | None = None,
) -> Float[Array, ' b']:
  """Cross entropy of the clusters of frames, by cosines with a learned vector for each cluster.

  l = a mean_{masked} c + (1 - a) mean_{visible} c,   c = -log softmax(cosines / tau)[units]

  l_i is example i's share: both means are over all frames of the batch.

  Args:
    cosines: [b n v] of predictions with the vectors of v clusters.
    units: [b n] integers, the clusters.
    mask: [b n] true for masked frames.
    temperature: tau.
    masked_weight: a.
    valid: [b n] false for padding; None where there is none.

  Returns:
    [b] nats.

  Reference: Hsu, Bolte, Tsai, Lakhotia, Salakhutdinov, Mohamed (HuBERT), TASLP 2021, arXiv:2106.07447, Eq. 1 to 3, a = 1 and tau = 0.1. The
  official code, `compute_nce` in hubert.py, does not count vectors of other clusters that are equal to that of the target.
  """
  valid = jnp.ones(mask.shape, bool) if valid is None else valid.astype(bool)
  mask = mask.astype(bool)
  loss = _cross_entropy(cosines.astype(jnp.float32) / temperature, jnp.where(valid, units, 0))
  return masked_weight * token_mean(loss, mask & valid) + (1 - masked_weight) * token_mean(loss, ~mask & valid)


def masked_value_mse(prediction: Float[Array, 'b t c'], target: Float[Array, 'b t c'], mask: Bool[Array, 'b t c']) -> Float[Array, ' b']:
  """Mean squared error on the masked values of a multivariate series.

  l_i = b / sum m sum_tc m_itc (prediction - target)_itc^2

  Args:
    prediction: [b t c] c variables at t steps.
    target: [b t c] the values, each variable standardised over the data.
    mask: [b t c] true for masked values; false for padding.

  Returns:
    [b].

  Reference: Zerveas, Jayaraman, Patel, Bhamidipaty, Eickhoff 2021, arXiv:2010.02803, section 3.
  """
  target = jax.lax.stop_gradient(target.astype(jnp.float32))
  return token_mean((prediction.astype(jnp.float32) - target) ** 2, mask)


def _cross_entropy(logits: Array, labels: Array) -> Array:
  logits = logits.astype(jnp.float32)
  return jax.nn.logsumexp(logits, -1) - pick(logits, labels)
