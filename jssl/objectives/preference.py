"""Objectives on preferences: which of two answers is better.

The losses of a policy share one interface, (chosen, rejected, reference_chosen, reference_rejected) to [b]: [b] summed
log-probabilities of the preferred and of the other answer, by the policy and by the frozen reference. Those that need no reference accept
it and ignore it. `kto` takes log-probabilities of mismatched pairs as well, `kto_unpaired`
single answers, and `ppo_clip` learns from a reward instead of pairs. Below, h_i is the difference of the two log-ratios,
h = (chosen - reference_chosen) - (rejected - reference_rejected). Lengths are numbers of tokens. The reference's
gradient is stopped.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Num

from jssl.objectives.prediction import token_mean
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def bradley_terry(chosen: Float[Array, ' b'], rejected: Float[Array, ' b']) -> Float[Array, ' b']:
  """Negative log-likelihood of the preferences under the rewards: the loss of a reward model.

  l_i = -log sigmoid(r_chosen - r_rejected)

  Args:
    chosen: [b] scalar rewards of the preferred answers.
    rejected: [b] rewards of the others.

  Returns:
    [b] nats.

  Reference: Stiennon et al. 2020, arXiv:2009.01325, section 3.4; Askell et al. 2021, arXiv:2112.00861, section 3.
  """
  return jax.nn.softplus(_float(rejected) - _float(chosen))


def binary_preference(chosen: Float[Array, ' b'], rejected: Float[Array, ' b']) -> Float[Array, ' b']:
  """Binary discrimination of good and bad answers, each judged alone.

  l_i = 1/2 ( -log sigmoid(r_chosen) - log sigmoid(-r_rejected) )

  Args:
    chosen: [b] scalar scores of good answers.
    rejected: [b] scores of bad ones.

  Returns:
    [b] nats, the mean over the two answers.

  Reference: Askell et al. 2021, arXiv:2112.00861, section 3.
  """
  return (jax.nn.softplus(-_float(chosen)) + jax.nn.softplus(_float(rejected))) / 2


def goal_contrast(
  source: Float[Array, 'b s d'], goal: Float[Array, 'b g d'], other_source: Float[Array, 'b s d'], other_goal: Float[Array, 'b g d']
) -> Float[Array, ' b']:
  """Goal-conditioned contrast inside a reward model: states of a preferred answer lead to its own later states.

  l_i = -mean_sg log sigmoid(cos(source_is, goal_ig)) - mean_sg log(1 - sigmoid(cos(other_source_is, other_goal_ig)))

  Args:
    source: [b s d] hidden states at tokens of the preferred answer.
    goal: [b g d] hidden states at later tokens of the same answer.
    other_source: [b s d] hidden states at tokens of the preferred answer, compared with `other_goal`.
    other_goal: [b g d] hidden states at tokens of the other answer.

  Returns:
    [b] nats.

  Reference: Nath et al. 2024, arXiv:2407.13887, section 3; with weight 0.5 added to `bradley_terry` in the official code,
  which pairs every source with every goal as here, but takes the logarithm of the mean sigmoid over the whole batch.
  """
  cosine = _cosine(source, goal), _cosine(other_source, other_goal)
  return jnp.mean(jax.nn.softplus(-cosine[0]), (1, 2)) + jnp.mean(jax.nn.softplus(cosine[1]), (1, 2))


def dpo(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'],
  reference_rejected: Float[Array, ' b'],
  *,
  beta: float = 0.1,
) -> Float[Array, ' b']:
  """Direct preference optimisation: Bradley-Terry with the policy's own log-ratios as rewards.

  l_i = -log sigmoid(beta h_i)

  Args:
    chosen: [b] the policy's log-probabilities of the preferred answers.
    rejected: [b] those of the other answers.
    reference_chosen: [b] the reference's.
    reference_rejected: [b] the reference's.
    beta: strength of the regularisation towards the reference.

  Returns:
    [b] nats.

  Reference: Rafailov et al. 2023, arXiv:2305.18290, Eq. 7, beta = 0.1. Stop-gradient on the reference.
  """
  return jax.nn.softplus(-beta * _log_ratio(chosen, rejected, reference_chosen, reference_rejected))


def cdpo(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'],
  reference_rejected: Float[Array, ' b'],
  *,
  beta: float = 0.1,
  epsilon: float = 0.1,
) -> Float[Array, ' b']:
  """Conservative DPO: labels are assumed to be flipped with probability epsilon.

  l_i = -(1 - epsilon) log sigmoid(beta h_i) - epsilon log sigmoid(-beta h_i)

  Args:
    chosen: [b] the policy's log-probabilities of the preferred answers.
    rejected: [b] those of the other answers.
    reference_chosen: [b] the reference's.
    reference_rejected: [b] the reference's.
    beta: strength of the regularisation towards the reference.
    epsilon: probability that a label is flipped, below 1/2.

  Returns:
    [b] nats.

  Reference: Mitchell 2023, 'A note on DPO with noisy preferences', Eq. 3, to Rafailov et al. 2023, arXiv:2305.18290;
  `label_smoothing` of the official code.
  """
  h = beta * _log_ratio(chosen, rejected, reference_chosen, reference_rejected)
  return (1 - epsilon) * jax.nn.softplus(-h) + epsilon * jax.nn.softplus(h)


def robust_dpo(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'],
  reference_rejected: Float[Array, ' b'],
  *,
  beta: float = 0.1,
  epsilon: float = 0.1,
) -> Float[Array, ' b']:
  """Robust DPO: an unbiased estimate of DPO's loss on clean labels, from labels flipped with probability epsilon.

  l_i = ( -(1 - epsilon) log sigmoid(beta h_i) + epsilon log sigmoid(-beta h_i) ) / (1 - 2 epsilon)

  Args:
    chosen: [b] the policy's log-probabilities of the preferred answers.
    rejected: [b] those of the other answers.
    reference_chosen: [b] the reference's.
    reference_rejected: [b] the reference's.
    beta: strength of the regularisation towards the reference.
    epsilon: probability that a label is flipped, below 1/2.

  Returns:
    [b] nats; can be negative.

  Reference: Ray Chowdhury, Kini, Natarajan 2024, arXiv:2403.00409, section 3.
  """
  h = beta * _log_ratio(chosen, rejected, reference_chosen, reference_rejected)
  return ((1 - epsilon) * jax.nn.softplus(-h) - epsilon * jax.nn.softplus(h)) / (1 - 2 * epsilon)


def ipo(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'],
  reference_rejected: Float[Array, ' b'],
  *,
  tau: float = 0.1,
) -> Float[Array, ' b']:
  """Identity preference optimisation: the difference of the log-ratios is regressed to a finite margin.

  l_i = (h_i - 1/(2 tau))^2

  Args:
    chosen: [b] the policy's log-probabilities of the preferred answers.
    rejected: [b] those of the other answers.
    reference_chosen: [b] the reference's.
    reference_rejected: [b] the reference's.
    tau: strength of the regularisation towards the reference.

  Returns:
    [b].

  Reference: Azar et al. 2023, arXiv:2310.12036, Eq. 17. Stop-gradient on the reference. Common implementations divide
  log-probabilities by the length first.
  """
  return (_log_ratio(chosen, rejected, reference_chosen, reference_rejected) - 1 / (2 * tau)) ** 2


def slic(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'] | None = None,
  reference_rejected: Float[Array, ' b'] | None = None,
  *,
  delta: float = 1.0,
  likelihood_weight: float = 1.0,
) -> Float[Array, ' b']:
  """Sequence likelihood calibration: a hinge on the log-probabilities, and the likelihood of the preferred answer.

  l_i = max(0, delta - chosen_i + rejected_i) - likelihood_weight chosen_i

  Args:
    chosen: [b] the policy's log-probabilities of the preferred answers.
    rejected: [b] those of the other answers.
    reference_chosen: ignored.
    reference_rejected: ignored.
    delta: the margin.
    likelihood_weight: weight of the likelihood, lambda in the paper.

  Returns:
    [b].

  Reference: Zhao et al. 2023, arXiv:2305.10425, section 2; its regularisation takes the likelihood of a target of
  supervised training, which is the preferred answer here.
  """
  del reference_chosen, reference_rejected
  chosen, rejected = _float(chosen), _float(rejected)
  return jax.nn.relu(delta - chosen + rejected) - likelihood_weight * chosen


def rrhf(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'] | None = None,
  reference_rejected: Float[Array, ' b'] | None = None,
  *,
  chosen_length: Num[Array, ' b'],
  rejected_length: Num[Array, ' b'],
  ranking_weight: float = 1.0,
) -> Float[Array, ' b']:
  """Ranking of length-normalised log-probabilities, and the likelihood of the best answer.

  l_i = ranking_weight max(0, p_rejected - p_chosen) - chosen_i,   p = log-probability / length

  Args:
    chosen: [b] the policy's log-probabilities of the preferred answers.
    rejected: [b] those of the other answers.
    reference_chosen: ignored.
    reference_rejected: ignored.
    chosen_length: [b] tokens of the preferred answers.
    rejected_length: [b] tokens of the others.
    ranking_weight: weight of the ranking.

  Returns:
    [b].

  Reference: Yuan et al. 2023, arXiv:2304.05302, section 3, for two answers. The official code takes the mean over the
  padded length in the second summand.
  """
  del reference_chosen, reference_rejected
  chosen, rejected = _float(chosen), _float(rejected)
  return ranking_weight * jax.nn.relu(_mean(rejected, rejected_length) - _mean(chosen, chosen_length)) - chosen


def kto(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'],
  reference_rejected: Float[Array, ' b'],
  mismatched: Float[Array, ' m *v'],
  mismatched_reference: Float[Array, ' m *v'],
  *,
  beta: float = 0.1,
  desirable_weight: float = 1.0,
  undesirable_weight: float = 1.0,
) -> Float[Array, ' b']:
  """Kahneman-Tversky optimisation: each answer's log-ratio against a reference point, without comparing the two.

  l_i = 1/2 ( lambda_D sigmoid(beta (z - rho_chosen)) + lambda_U sigmoid(beta (rho_rejected - z)) )
  z = max(0, mean of the log-ratios of the mismatched pairs)

  rho are the log-ratios of policy and reference. This is `kto_unpaired` on the 2 b answers. The two answers may belong to
  different questions.

  Args:
    chosen: [b] the policy's log-probabilities of desirable answers.
    rejected: [b] those of undesirable answers.
    reference_chosen: [b] the reference's.
    reference_rejected: [b] the reference's.
    mismatched: [m] or [m v] the policy's log-probabilities of answers to other questions than those they follow, as the pass
      `causal_lm` with `roll` gives them: z estimates the divergence of the policy from the reference.
    mismatched_reference: the same shape, the reference's.
    beta: strength of the regularisation towards the reference.
    desirable_weight: lambda_D.
    undesirable_weight: lambda_U.

  Returns:
    [b], the mean over the two answers.

  Reference: Ethayarajh et al. 2024, arXiv:2402.01306, Eq. 8 (lambda - v), and z_0 below it. Stop-gradient on the reference
  and on z. The official code counts the mismatched pairs whose log-ratio is not exactly 0.
  """
  options = dict(beta=beta, desirable_weight=desirable_weight, undesirable_weight=undesirable_weight)
  of = lambda x, reference, good: kto_unpaired(x, reference, mismatched, mismatched_reference, desirable=jnp.full(x.shape, good), **options)
  return (of(chosen, reference_chosen, True) + of(rejected, reference_rejected, False)) / 2


def kto_unpaired(
  log_prob: Float[Array, ' b'],
  reference: Float[Array, ' b'],
  mismatched: Float[Array, ' m *v'],
  mismatched_reference: Float[Array, ' m *v'],
  *,
  desirable: Bool[Array, ' b'],
  beta: float = 0.1,
  desirable_weight: float = 1.0,
  undesirable_weight: float = 1.0,
) -> Float[Array, ' b']:
  """Kahneman-Tversky optimisation of single answers, each marked as desirable or not.

  l_i = lambda_D sigmoid(beta (z - rho_i)) where desirable, and else lambda_U sigmoid(beta (rho_i - z))
  z = max(0, mean of the log-ratios of the mismatched pairs)

  Args:
    log_prob: [b] the policy's log-probabilities of the answers.
    reference: [b] the reference's; rho is the difference.
    mismatched: [m] or [m v] the policy's log-probabilities of answers to other questions, as in `kto`.
    mismatched_reference: the same shape, the reference's.
    desirable: [b] true for desirable answers.
    beta: strength of the regularisation towards the reference.
    desirable_weight: lambda_D.
    undesirable_weight: lambda_U.

  Returns:
    [b].

  Reference: Ethayarajh et al. 2024, arXiv:2402.01306, Eq. 8 (lambda - v). Stop-gradients as in `kto`.
  """
  z = _reference_point(mismatched, mismatched_reference)
  rho = _float(log_prob) - jax.lax.stop_gradient(_float(reference))
  sign, weight = jnp.where(desirable, 1.0, -1.0), jnp.where(desirable, desirable_weight, undesirable_weight)
  return weight * jax.nn.sigmoid(beta * sign * (z - rho))


def orpo(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'] | None = None,
  reference_rejected: Float[Array, ' b'] | None = None,
  *,
  chosen_length: Num[Array, ' b'],
  rejected_length: Num[Array, ' b'],
  odds_weight: float = 0.1,
) -> Float[Array, ' b']:
  """Odds ratio preference optimisation: likelihood of the preferred answer, and the ratio of the odds of the two.

  l_i = -p_chosen - odds_weight log sigmoid( log odds(p_chosen) - log odds(p_rejected) )
  p = log-probability / length,   log odds(p) = p - log(1 - e^p)

  Args:
    chosen: [b] the policy's log-probabilities of the preferred answers.
    rejected: [b] those of the other answers.
    reference_chosen: ignored.
    reference_rejected: ignored.
    chosen_length: [b] tokens of the preferred answers.
    rejected_length: [b] tokens of the others.
    odds_weight: lambda, 0.1 to 0.2 in the paper.

  Returns:
    [b] nats.

  Reference: Hong, Lee, Thorne 2024, arXiv:2403.07691, Eq. 4 to 7. 1 - e^p is bounded below by 1e-6.
  """
  del reference_chosen, reference_rejected
  chosen, rejected = _mean(chosen, chosen_length), _mean(rejected, rejected_length)
  return odds_weight * jax.nn.softplus(_log_odds(rejected) - _log_odds(chosen)) - chosen


def simpo(
  chosen: Float[Array, ' b'],
  rejected: Float[Array, ' b'],
  reference_chosen: Float[Array, ' b'] | None = None,
  reference_rejected: Float[Array, ' b'] | None = None,
  *,
  chosen_length: Num[Array, ' b'],
  rejected_length: Num[Array, ' b'],
  beta: float = 2.0,
  gamma: float = 1.0,
) -> Float[Array, ' b']:
  """Simple preference optimisation: length-normalised log-probabilities as rewards, with a margin.

  l_i = -log sigmoid( beta p_chosen - beta p_rejected - gamma ),   p = log-probability / length

  Args:
    chosen: [b] the policy's log-probabilities of the preferred answers.
    rejected: [b] those of the other answers.
    reference_chosen: ignored.
    reference_rejected: ignored.
    chosen_length: [b] tokens of the preferred answers.
    rejected_length: [b] tokens of the others.
    beta: scale of the rewards, 2 to 10 in the paper.
    gamma: the margin, 0.3 to 1.6 in the paper for beta = 2.

  Returns:
    [b] nats.

  Reference: Meng, Xia, Chen 2024, arXiv:2405.14734, Eq. 6.
  """
  del reference_chosen, reference_rejected
  margin = _mean(chosen, chosen_length) - _mean(rejected, rejected_length)
  return jax.nn.softplus(gamma - beta * margin)


def ppo_clip(
  logp: Float[Array, 'b t'],
  old_logp: Float[Array, 'b t'],
  advantages: Float[Array, 'b t'],
  mask: Bool[Array, 'b t'] | None = None,
  *,
  clip: float = 0.2,
) -> Float[Array, ' b']:
  """Proximal policy optimisation: the policy gradient with clipped probability ratios.

  l_i = b / sum_it m_it sum_t m_it ( -min(u_it A_it, min(max(u_it, 1 - clip), 1 + clip) A_it) )
  u_it = exp(logp_it - old_logp_it)

  Args:
    logp: [b t] the policy's log-probabilities of the generated tokens.
    old_logp: [b t] those of the policy that generated them.
    advantages: [b t] A, as from `gae`, whitened or not.
    mask: [b t] true for the tokens that count. None for all.
    clip: how far the ratio u may differ from 1 before it is clipped.

  Returns:
    [b].

  Reference: Schulman et al. 2017, arXiv:1707.06347, Eq. 7; Stiennon et al. 2020, arXiv:2009.01325, section 3.4, for
  tokens. Stop-gradient on the old policy and on the advantages. log u is bounded above by 20.
  """
  old, a = jax.lax.stop_gradient((_float(old_logp), _float(advantages)))
  u = jnp.exp(jnp.minimum(_float(logp) - old, 20.0))
  return token_mean(-jnp.minimum(u * a, jnp.clip(u, 1 - clip, 1 + clip) * a), mask)


def gae(rewards: Float[Array, 'b t'], values: Float[Array, 'b t'], *, gamma: float = 1.0, lambda_: float = 0.95) -> Float[Array, 'b t']:
  """Generalised advantage estimation over episodes that end with their last step.

  A_t = delta_t + gamma lambda A_{t+1},   delta_t = r_t + gamma V_{t+1} - V_t,   V and A are 0 after the end

  Args:
    rewards: [b t].
    values: [b t] V of the states in which the actions were chosen.
    gamma: discount.
    lambda_: 0 for one step, 1 for the whole return.

  Returns:
    [b t] A; A + V is the target of the value function.

  Reference: Schulman et al. 2016, arXiv:1506.02438, Eq. 16.
  """
  rewards, values = _float(rewards), _float(values)
  delta = rewards + gamma * jnp.pad(values[:, 1:], ((0, 0), (0, 1))) - values

  def back(after, delta):
    advantage = delta + gamma * lambda_ * after
    return advantage, advantage

  return jax.lax.scan(back, jnp.zeros_like(delta[:, 0]), delta.T, reverse=True)[1].T


def _float(x: Array) -> Array:
  return x.astype(jnp.float32)


def _mean(log_probability: Array, length: Array) -> Array:
  return _float(log_probability) / jnp.maximum(length, 1)


def _log_ratio(chosen: Array, rejected: Array, reference_chosen: Array, reference_rejected: Array) -> Array:
  reference = jax.lax.stop_gradient(_float(reference_chosen) - _float(reference_rejected))
  return _float(chosen) - _float(rejected) - reference


def _reference_point(mismatched: Array, mismatched_reference: Array) -> Array:
  return jax.lax.stop_gradient(jax.nn.relu(jnp.mean(_float(mismatched) - _float(mismatched_reference))))


def _log_odds(p: Array) -> Array:
  return p - jnp.log(-jnp.expm1(jnp.minimum(p, -1e-6)))


def _cosine(x: Array, y: Array) -> Array:
  return jnp.einsum('bsd,bgd->bsg', l2_normalize(x), l2_normalize(y), precision='highest')
