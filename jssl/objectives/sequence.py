"""Objectives on sequences of tokens, codes and values.

As in `reconstruction`, l_i is example i's share of a mean over everything masked in the global batch: b times its sum
over the global number. The mean over b is then the mean over all masked tokens of the batch.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jssl.objectives.prediction import token_mean
from jssl.ops.look_up import pick
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
  3 (DiffCSE, weight 0.005). The official code of DiffCSE has two logits a token, whose difference is the one here, and
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
