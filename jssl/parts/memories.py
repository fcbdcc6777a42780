"""Memories: state kept between steps, read by losses and passes, and updated from their outputs after each step."""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl.objectives.control import allo_errors
from jssl.objectives.redundancy import tico_covariance
from jssl.ops.normalize import l2_normalize
from jssl.parts.schedules import Duration, duration
from jssl.types import Memory


def queue(*, size: int, start: Duration | None = None, steps: int = 0, epoch: int = 0) -> Memory:
  """A first-in, first-out queue of `size` keys, initialised with random unit vectors (MoCo, NNCLR).

  Updated from the keys, [b d]. Read as [size d]; with `start`, as `keys` [size d] and `valid` [size] bool, true once the queue is full.

  Args:
    size: number of keys; a multiple of the batch size.
    start: the queue is filled from this update on, such as '15 epochs' (SwAV); None for the first, and random keys until it is full.
    steps, epoch: numbers of steps that `start` is measured in.

  Reference: He et al. 2020, arXiv:1911.05722, Algorithm 1. With a start: Caron et al. (SwAV) 2020, arXiv:2006.09882, section 4.1 and the
    official code, main_swav.py (15 epochs), in which the queue is read once it is full.
  """
  first = None if start is None else round(duration(start, steps=steps, epoch=epoch))

  def init(key, k):
    b, d = k.shape
    if size % b:
      raise ValueError(f'a queue holds whole batches: size {size} is not a multiple of the batch size {b}')
    state = {'keys': l2_normalize(jax.random.normal(key, (size, d))), 'next': jnp.zeros((), jnp.int32)}
    return state if first is None else {**state, 'left': jnp.int32(first + size // b)}  # updates until it is full

  def write(state, k):
    keys = jax.lax.dynamic_update_slice_in_dim(state['keys'], l2_normalize(k), state['next'], 0)
    after = {'keys': keys, 'next': (state['next'] + len(k)) % size}
    if first is None:
      return after
    waits = state['left'] > size // len(k)
    return {name: jnp.where(waits, state[name], after[name]) for name in after} | {'left': jnp.maximum(state['left'] - 1, 0)}

  def read(state):
    return state['keys'] if first is None else {'keys': state['keys'], 'valid': jnp.full(size, state['left'] == 0)}

  return Memory(init, read, write)


def centre(*, momentum: float = 0.9) -> Memory:
  """A running mean c <- m c + (1 - m) mean of the teacher's outputs over all views and examples (DINO).

  Updated from the outputs of all views, [b p] each. Read as [p].

  Reference: Caron et al. 2021, arXiv:2104.14294, Eq. 4.
  """
  views = lambda k: [k[i] for i in sorted(k)] if isinstance(k, Mapping) else [k]

  def write(state, k):
    mean = jnp.mean(jnp.stack([k.mean(0) for k in views(k)]), 0)
    return momentum * state + (1 - momentum) * mean

  return Memory(lambda key, k: jnp.zeros(views(k)[0].shape[-1:]), lambda state: state, write)


def token_centre(*, momentum: float = 0.9) -> Memory:
  """As `centre`, of outputs for tokens: the mean is over the tokens too (iBOT).

  Updated from the outputs of all views, [b n p] each. Read as [p].

  Reference: Zhou et al. 2022, arXiv:2111.07832, section 3.1, and official code, `iBOTLoss.update_center`: over all patches, masked or not.
  """
  held = centre(momentum=momentum)
  return held._replace(write=lambda state, k: held.write(state, jax.tree.map(lambda k: k.mean(1), k)))


def moment(*, beta: float = 0.9) -> Memory:
  """A running second moment of unit-length embeddings, C <- beta C + (1 - beta) mean_i q_i q_i^T, zero at the start (TiCo).

  Updated from the embeddings of one view, [b d]. Read as [d d].

  Args:
    beta: as in the objective `tico`, which reads C as it was before the step.

  Reference: Zhu et al. 2022, arXiv:2206.10698, its pseudo-code.
  """
  return Memory(
    lambda key, q: jnp.zeros((q.shape[-1], q.shape[-1])), lambda state: state, lambda state, q: tico_covariance(q, covariance=state, beta=beta)
  )


def duals(
  *,
  rate: float = 0.01,
  barrier: float = 2.0,
  barrier_rate: float = 0.01,
  smoothing: float = 0.1,
  limit: float = 100.0,
  barrier_limit: float = 10_000.0,
) -> Memory:
  """Dual variables of `allo` and the weight of its squared errors, both updated by gradient ascent.

  beta <- clip(beta + rate (e1 + e2)/2, +-limit),  s <- s + smoothing (e1 e2 - s),  b <- min(b + barrier_rate mean max(s, 0), barrier_limit)

  Updated from u of the batch's states, [b d], whose two halves give two estimates. Read as `duals` [d d] and `barrier` [].

  Args:
    rate: step size for the duals.
    barrier: initial b.
    barrier_rate: step size for b.
    smoothing: rate of the running mean s of the squared errors, which begins at those of the first batch. Without it, noise of the estimates
      would raise b even where all errors are 0.
    limit: bound for the duals.
    barrier_limit: bound for b.

  Reference: Gomez, Bowling, Machado 2024, arXiv:2310.10833, Algorithm 1; the initial values, the smoothing and the limits are those of the
    official code.
  """

  def init(key, u):
    d = u.shape[-1]
    return {'duals': jnp.zeros((d, d)), 'barrier': jnp.float32(barrier), 'squares': jnp.zeros((d, d))}

  def write(state, u):
    errors, squares = allo_errors(u[::2], u[1::2])
    squares = jnp.where(jnp.any(state['squares'] != 0), state['squares'] + smoothing * (squares - state['squares']), squares)
    return {
      'duals': jnp.clip(state['duals'] + rate * errors, -limit, limit),
      'barrier': jnp.minimum(state['barrier'] + barrier_rate * jnp.mean(jax.nn.relu(squares)), barrier_limit),
      'squares': squares,
    }

  return Memory(init, lambda state: {name: state[name] for name in ('duals', 'barrier')}, write)


def multipliers(*, count: int, rate: float, level: float, slack: float | None = None, start: float = 0.0) -> Memory:
  """A Lagrange multiplier for each training example, increased if the example's loss exceeds a level (Feasible Learning).

  lambda_i <- max(0, lambda_i + rate (loss_i - level - lambda_i / slack))

  Updated from losses of the batch's examples [b], and their indices [b]: of=('loss.NAME', 'batch.example'). Read as [count]; the pass `recall`
  selects the entries of a batch.

  Args:
    count: number of examples in the split.
    rate: step size of the ascent.
    level: epsilon, the upper bound for each loss.
    slack: alpha, the cost of the slack; None for no slack.
    start: initial lambda.

  Reference: Ramirez et al., Feasible Learning, AISTATS 2025, arXiv:2501.14912, Algorithm 1 and section 4.
  """

  def write(state, losses, example):
    own = state[example]
    decay = 0.0 if slack is None else own / slack
    return state.at[example].set(jnp.maximum(own + rate * (losses - level - decay), 0))

  return Memory(lambda key, *shapes: jnp.full(count, start, jnp.float32), lambda state: state, write)


def rows(*, count: int, dim: int, momentum: float = 0.0) -> Memory:
  """A vector for each training example: v_i <- momentum v_i + (1 - momentum) z_i, scaled to unit length.

  Updated from z [b dim] and the examples' indices [b]: of=('views.q[0]', 'batch.example'). Read as [count dim]. Initialised with random unit
  vectors.

  Reference: Wu, Xiong, Yu, Lin, CVPR 2018, arXiv:1805.01978, section 3.2.
  """

  def write(state, z, example):
    return state.at[example].set(l2_normalize(momentum * state[example] + (1 - momentum) * l2_normalize(z)))

  return Memory(lambda key, *shapes: l2_normalize(jax.random.normal(key, (count, dim))), lambda state: state, write)


def centroids(*, count: int, rate: float = 1e-3, threshold: float = 0.4) -> Memory:
  """Centroids of online k-means, initialised once the embeddings have spread out.

  c_j <- (1 - rate) c_j + rate mean {h_i : i in the batch, j = argmax_m cos(h_i, c_m)}, unchanged if no h_i is assigned to it

  They are initialised from the first batch whose mean cosine between the views, over all pairs, is at most `threshold`: the first centroid is a
  random example, and each further one is the remaining example with the lowest cosine to the previous one.

  Updated from two views of the batch's embeddings, [b d] each; the first is clustered. Read as `centroids` [count d], zeros before
  initialisation, and `started` [] bool.

  Args:
    count: number of centroids, at most the batch size.
    rate: gamma, the update rate; 1 - rate is the momentum.
    threshold: bound for the mean cosine.

  Reference: Deng, Wan, Yang, Quan, Wang 2023, arXiv:2305.09892, section 3 (clustering). The released code updates centroids by the sum of the
    assigned embeddings, and before the loss of the same batch; it uses rate = 1e-3, threshold = 0.4 and count = 128 for batches of 512.
  """

  def init(key, q, k):
    b, d = q.shape
    if count > b:
      raise ValueError(f'{count} centroids cannot begin at different examples of a batch of {b}; ask for {b} or fewer')
    first = jax.random.randint(key, (), 0, b)
    return {'centroids': jnp.zeros((count, d)), 'started': jnp.zeros((), bool), 'first': first}

  def write(state, q, k):
    q, old, started = q.astype(jnp.float32), state['centroids'], state['started']
    cosine = jnp.matmul(l2_normalize(q), l2_normalize(k).T, precision='highest')
    beginning = q[_far_apart(cosine, state['first'], count)]
    nearest = jnp.argmax(jnp.matmul(l2_normalize(q), l2_normalize(old).T, precision='highest'), 1)
    assigned = jax.nn.one_hot(nearest, count)
    size = jnp.sum(assigned, 0)[:, None]
    mean = jnp.matmul(assigned.T, q, precision='highest') / jnp.maximum(size, 1)
    moved = jnp.where(size > 0, (1 - rate) * old + rate * mean, old)
    begins = ~started & (jnp.mean(cosine) <= threshold)
    new = jnp.where(started, moved, jnp.where(begins, beginning, old))
    return {**state, 'centroids': new, 'started': started | begins}

  return Memory(init, lambda state: {name: state[name] for name in ('centroids', 'started')}, write)


def _far_apart(cosine: jax.Array, first: jax.Array, count: int) -> jax.Array:
  """Rows [count] of the cosines [b b]: each is the column with the lowest cosine to the previous row, without repetition."""

  def choose(carry, _):
    last, taken = carry
    taken = taken.at[last].set(True)
    return (jnp.argmin(jnp.where(taken, jnp.inf, cosine[last])), taken), last

  return jax.lax.scan(choose, (first, jnp.zeros(len(cosine), bool)), length=count)[1]


def decaying(*, start: float, end: float, rate: float) -> Memory:
  """A number that every update multiplies by `rate`, down to `end`: max(start rate^updates, end), for passes, which know no step.

  Updated from nothing. Read as [].

  Reference: Baevski et al. 2020, arXiv:2006.11477, section 4.2: the temperature of the Gumbel softmax, from 2 to 0.5 by 0.999995.
  """
  if not (0 < rate < 1 and 0 < end <= start):
    raise ValueError(f'start {start}, end {end} and rate {rate} do not make a number that decays; give 0 < end <= start and 0 < rate < 1')
  value = lambda updates: jnp.maximum(start * jnp.exp(updates * math.log(rate)), end)
  return Memory(lambda key: jnp.zeros((), jnp.int32), value, lambda updates: updates + 1)
