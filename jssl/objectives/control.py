"""Objectives of representations for control: predicting the outcomes of actions, and their values.

Sequences are [b t ...]; masks [b t] are true for steps that count. As in `prediction`, with a mask l_i is example i's
share of the mean over all steps that count in the global batch, except where noted as a sum over steps.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from jssl.objectives.prediction import token_mean
from jssl.objectives.redundancy import covariance
from jssl.ops.look_up import pick
from jssl.ops.normalize import l2_normalize
from jssl.types import Array


def taco(
  prediction: Float[Array, 'b d'], target: Float[Array, 'b e'], weight: Float[Array, 'd e'], *, mask: Bool[Array, ' b'] | None = None
) -> Float[Array, ' b']:
  """Bilinear contrast of a state and the actions that follow with the state that they lead to.

  l_i = -log softmax_j( g_i^T W h_j )_i

  Args:
    prediction: [b d] g, projected from the state and the actions that follow.
    target: [b e] h, projections of the state after those actions. With another view of the same state this is CURL.
    weight: [d e] W, learned.
    mask: [b] true for examples that count; the others are still candidates. None for all.

  Returns:
    [b] nats.

  Reference: Zheng et al. 2023, arXiv:2306.13229, section 3. Stop-gradient on the target, as in the official code.
  Vectors are not normalised.
  """
  target = jax.lax.stop_gradient(target.astype(jnp.float32))
  mapped = jnp.matmul(prediction.astype(jnp.float32), weight.astype(jnp.float32), precision='highest')
  logits = jnp.matmul(mapped, target.T, precision='highest')
  return token_mean(jax.nn.logsumexp(logits, 1) - jnp.diagonal(logits), mask)


def reward_error(
  prediction: Float[Array, ' b'] | Float[Array, 'b 1'], target: Float[Array, ' b'], *, mask: Bool[Array, ' b'] | None = None
) -> Float[Array, ' b']:
  """Squared error of a predicted sum of rewards: l_i = (prediction_i - target_i)^2.

  Args:
    prediction: [b] or [b 1].
    target: [b].
    mask: [b] true for examples that count; None for all.

  Returns:
    [b].

  Reference: Zheng et al. 2023, arXiv:2306.13229, section 3.
  """
  error = prediction.astype(jnp.float32).reshape(target.shape) - target.astype(jnp.float32)
  return token_mean(error**2, mask)


def allo(
  start: Float[Array, 'b d'],
  end: Float[Array, 'b d'],
  first: Float[Array, 'n d'] | None = None,
  second: Float[Array, 'n d'] | None = None,
  *,
  duals: Float[Array, 'd d'],
  barrier: float | Float[Array, ''] = 2.0,
) -> Float[Array, '']:
  """Augmented Lagrangian whose saddle point is the eigenfunctions of the Laplacian on the states, the smoothest first.

  l = 1/2 sum_k mean (u_k(s) - u_k(s'))^2 + sum_{k <= j} ( beta_jk (e1 + e2)_jk/2 + barrier (e1)_jk (e2)_jk )
  e_jk = mean u_j sg(u_k) - [j = k],   sg = stop-gradient

  Args:
    start: [b d] u(s), d functions of states.
    end: [b d] u(s') of states a few steps later.
    first: [n d] u of n independent states, for e1; every second row of `start` by default.
    second: [n d] u of n others, for e2; the other rows of `start` by default: the product of two independent estimates is unbiased.
    duals: [d d] beta, lower triangular, raised by `allo_errors` times a rate after each step; zeros at the start.
    barrier: the weight of the squared errors, raised over time; 2 at the start in the official code.

  Returns:
    A scalar. At convergence the eigenvalues of the Laplacian are -beta_kk/2.

  Reference: Gomez, Bowling, Machado 2024, arXiv:2310.10833, section 3. Stop-gradient on beta, on the barrier and
  on u_k as above, which breaks the symmetry. The official code leaves out the factor 1/2 of the first summand.
  """
  start, end = start.astype(jnp.float32), end.astype(jnp.float32)
  e1, e2 = (_errors(start[i::2] if u is None else u) for i, u in enumerate((first, second)))
  duals, barrier = jax.lax.stop_gradient((jnp.tril(duals), jnp.asarray(barrier, jnp.float32)))
  smooth = jnp.mean(jnp.sum((start - end) ** 2, -1)) / 2
  return smooth + jnp.sum(duals * (e1 + e2) / 2 + barrier * e1 * e2)


def graph_drawing(
  start: Float[Array, 'b d'],
  end: Float[Array, 'b d'],
  first: Float[Array, 'n d'] | None = None,
  second: Float[Array, 'n d'] | None = None,
  *,
  penalty: float = 5.0,
  equal: bool = False,
) -> Float[Array, '']:
  """Smooth functions on the states, kept orthonormal by a penalty of fixed weight: the baseline of `allo`.

  l = sum_k c_k mean (u_k(s) - u_k(s'))^2 + penalty sum_{j, k} (e1)_jk (e2)_jk
  e_jk = mean u_j u_k - [j = k],   c_k = d + 1 - k, or 1 where `equal`

  Args:
    start: [b d] u(s), d functions of states.
    end: [b d] u(s') of states a few steps later.
    first: [n d] u of n independent states, for e1; every second row of `start` by default.
    second: [n d] u of n others, for e2; the other rows of `start` by default.
    penalty: the weight.
    equal: use the same coefficient for all, which determines the eigenvectors up to a rotation.

  Returns:
    A scalar.

  Reference: Wang, Zhou, Zhang, Shao, Hooi, Feng, ICML 2021, arXiv:2107.05545, section 3, with c_k falling; Wu, Tucker,
  Nachum, ICLR 2019, arXiv:1810.04586, Eq. 6, with equal ones. No stop-gradient.
  """
  start, end = start.astype(jnp.float32), end.astype(jnp.float32)
  d = start.shape[1]
  coefficients = jnp.ones(d) if equal else jnp.arange(d, 0, -1)
  first, second = (start[i::2] if u is None else u for i, u in enumerate((first, second)))
  error = lambda u: jnp.matmul(u.T, u, precision='highest') / len(u) - jnp.eye(d)
  smooth = jnp.mean(jnp.sum(coefficients * (start - end) ** 2, -1))
  return smooth + penalty * jnp.sum(error(first.astype(jnp.float32)) * error(second.astype(jnp.float32)))


def allo_errors(first: Float[Array, 'n d'], second: Float[Array, 'n d']) -> tuple[Float[Array, 'd d'], Float[Array, 'd d']]:
  """The errors e of `allo` that raise its duals, and their squares, which raise its barrier, from two independent estimates: [d d] each."""
  e1, e2 = jax.lax.stop_gradient((_errors(first), _errors(second)))
  return (e1 + e2) / 2, e1 * e2


def spr(prediction: Float[Array, 'b t d'], target: Float[Array, 'b t d'], *, mask: Bool[Array, 'b t'] | None = None) -> Float[Array, ' b']:
  """Self-predictive representations: cosine of predicted and reached latents, over the steps ahead.

  l_i = -sum_t m_it cos(prediction_it, target_it)

  Args:
    prediction: [b t d] predictions of the next t steps' projections.
    target: [b t d] projections by the target encoder.
    mask: [b t] false from the end of an episode on; None for all.

  Returns:
    [b].

  Reference: Schwarzer et al. 2021, arXiv:2007.05929, section 2, t = 5, weight 2. Stop-gradient on the target. The
  official code has 2 - 2 cos, and the mean over steps.
  """
  cosine = _cosine(prediction, target)
  return -jnp.sum(cosine if mask is None else jnp.where(mask, cosine, 0), 1)


def self_predictive(
  prediction: Float[Array, 'b *t d'], target: Float[Array, 'b *t d'], *, mask: Bool[Array, 'b t'] | None = None
) -> Float[Array, ' b']:
  """Squared distance between the predicted and the actual next latent state.

  l = sum_d (prediction - target)^2

  Args:
    prediction: [b d] or [b t d] predictions from a latent state and an action.
    target: the same shape, latent states reached, by a slow or the same encoder.
    mask: [b t] true for steps that count; None for all.

  Returns:
    [b].

  Reference: Ni et al. 2024, arXiv:2401.08898, section 3, the ZP loss with an l2 distance. Stop-gradient on the target,
  without which states collapse.
  """
  target = jax.lax.stop_gradient(target.astype(jnp.float32))
  return token_mean(jnp.sum((prediction.astype(jnp.float32) - target) ** 2, -1), mask)


def linear_self_predictive(
  z: Float[Array, 'b d'], actions: Float[Array, 'b a'], target: Float[Array, 'b d'], *, online: bool = False
) -> Float[Array, ' b']:
  """Error of the best linear prediction of the next latent state from the present one and the action.

  l_i = 1/2 |[z_i, a_i] P - sg(target_i)|^2,   P = sg( argmin_P sum_i |[z_i, a_i] P - target_i|^2 ),   sg = stop-gradient

  For linear encoders z = s Phi and gradient flow, Phi' Phi does not change, so that features do not collapse. Online targets let it change.

  Args:
    z: [b d] latent states.
    actions: [b a] codes of the actions taken, such as one-hot vectors.
    target: [b d] latent states reached, by a slow or the same encoder.
    online: the gradient flows through the target too.

  Returns:
    [b].

  Reference: Ni et al. 2024, arXiv:2401.08898, Theorem 3 and Figure 2; official code, linear_code/replearn/learn.py. Stop-gradient on P, and on
  the target unless it is online. P is the least squares solution of least norm, over the global batch.
  """
  z, target = z.astype(jnp.float32), target.astype(jnp.float32)
  inputs = jnp.concatenate([z, actions.astype(jnp.float32)], 1)
  solution = jax.lax.stop_gradient(jnp.linalg.lstsq(*jax.lax.stop_gradient((inputs, target)))[0])
  target = target if online else jax.lax.stop_gradient(target)
  return jnp.sum((jnp.matmul(inputs, solution, precision='highest') - target) ** 2, 1) / 2


def musik(logits: Float[Array, 'b a s'], *, actions: Int[Array, ' b'], policies: Int[Array, ' b']) -> Float[Array, ' b']:
  """Multi-step inverse kinematics: predicts the first action and the policy followed after it from both ends.

  l_i = -log softmax( f(x_i, phi(x'_i)) )_{a_i, j_i}

  Args:
    logits: [b a s] over pairs of an action and a policy, from the first observation and the last one's code.
    actions: [b] integers, the actions taken first, drawn uniformly.
    policies: [b] integers, the policies followed afterwards, drawn uniformly. With s = 1 this is inverse dynamics.

  Returns:
    [b] nats.

  Reference: Mhammedi, Foster, Rakhlin 2023, arXiv:2304.05889, Algorithm 2.
  """
  b, _, s = logits.shape
  logits = jax.nn.log_softmax(logits.astype(jnp.float32).reshape(b, -1))
  return -pick(logits, actions * s + policies)


def act_jepa(
  actions: Float[Array, 'b t a'],
  action_targets: Float[Array, 'b t a'],
  states: Float[Array, 'b t d'],
  state_targets: Float[Array, 'b t d'],
  *,
  state_weight: float = 1.0,
  mask: Bool[Array, 'b t'] | None = None,
) -> Float[Array, ' b']:
  """Absolute error of a chunk of actions and of the latent states that go with it.

  l = mean_a |actions - action_targets| + state_weight mean_d |states - state_targets|

  Args:
    actions: [b t a] predicted actions.
    action_targets: [b t a] those of the demonstration.
    states: [b t d] predicted latent states.
    state_targets: [b t d] the target encoder's.
    state_weight: weight of the second summand.
    mask: [b t] false beyond the end of a demonstration; None for all.

  Returns:
    [b].

  Reference: Vujinovic, Kovacevic 2025, arXiv:2501.14622, section 3. Stop-gradient on the latent targets.
  """
  action = jnp.mean(jnp.abs(actions.astype(jnp.float32) - action_targets.astype(jnp.float32)), -1)
  state_targets = jax.lax.stop_gradient(state_targets.astype(jnp.float32))
  state = jnp.mean(jnp.abs(states.astype(jnp.float32) - state_targets), -1)
  return token_mean(action, mask) + state_weight * token_mean(state, mask)


def dynamo(
  prediction: Float[Array, 'b t d'], target: Float[Array, 'b t d'], states: Float[Array, '*s d'], *, covariance_weight: float = 0.04
) -> Float[Array, ' b']:
  """Latent dynamics: cosine distance of predicted and reached next states, with a penalty on redundant features.

  l_i = mean_t (1 - cos(prediction_it, target_it)) + w mean_{j != k} Cov(states)_jk^2

  Args:
    prediction: [b t d] next states, from states and latent actions.
    target: [b t d] the states reached, by the same or a slow encoder.
    states: [... d] all embeddings of the batch, over time and cameras.
    covariance_weight: w.

  Returns:
    [b]; the second summand is the same for all examples.

  Reference: Cui, Pan, Iyer, Haldar, Pinto 2024, arXiv:2409.12192, section 3, w = 0.04 in the official code.
  Stop-gradient on the target, not on the states.
  """
  d = states.shape[-1]
  repeated = covariance(states.reshape(-1, d)) / max(d - 1, 1)
  return jnp.mean(1 - _cosine(prediction, target), 1) + covariance_weight * repeated


def double_dqn(
  q_values: Float[Array, 'b a'],
  next_online: Float[Array, 'b a'],
  next_target: Float[Array, 'b a'],
  *,
  actions: Int[Array, ' b'],
  rewards: Float[Array, ' b'],
  discounts: Float[Array, ' b'],
  delta: float = 1.0,
) -> Float[Array, ' b']:
  """Temporal-difference loss of double Q-learning: one network chooses the next action, the other evaluates it.

  l_i = huber( r_i + g_i Q'(s'_i, argmax_a Q(s'_i, a)) - Q(s_i, a_i) )
  huber(x) = x^2/2 for |x| <= delta, delta (|x| - delta/2) beyond

  Args:
    q_values: [b a] Q of the states.
    next_online: [b a] Q of the next states; pass `next_target` for plain Q-learning.
    next_target: [b a] Q' of the next states by the target network.
    actions: [b] integers, actions taken.
    rewards: [b] r, of n steps summed with their discounts.
    discounts: [b] g, gamma^n, and 0 where the episode ended.
    delta: threshold between the quadratic and the linear part.

  Returns:
    [b].

  Reference: van Hasselt, Guez, Silver 2016, arXiv:1509.06461, Eq. 4; Mnih et al. 2015, doi:10.1038/nature14236, for the
  clipped error. Stop-gradient on everything but Q(s, a).
  """
  best = jnp.argmax(next_online, 1)
  target = jax.lax.stop_gradient(rewards + discounts * _at(next_target, best))
  error = jnp.abs(target - _at(q_values, actions))
  within = jnp.minimum(error, delta)
  return within * within / 2 + delta * (error - within)


def _at(values: Array, index: Array) -> Array:
  return pick(values.astype(jnp.float32), index)


def _cosine(prediction: Array, target: Array) -> Array:
  return jnp.sum(l2_normalize(prediction) * jax.lax.stop_gradient(l2_normalize(target)), -1)


def _errors(u: Array) -> Array:
  u = u.astype(jnp.float32)
  inner = jnp.matmul(u.T, jax.lax.stop_gradient(u), precision='highest') / len(u)
  return jnp.tril(inner - jnp.eye(u.shape[1]))
