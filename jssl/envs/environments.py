"""Environments as pure functions: a grid of four rooms, a point mass with demonstrations, a combination lock.

reset: key -> state;  step: (state, action, key) -> (state, reward, done);  observe: (state, key) -> observation.
Each function handles one state: use `jax.vmap` for several, `jax.lax.scan` for episodes (see `rollout`).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jssl.types import Array, Key


class Environment(NamedTuple):
  """A Markov decision process whose observations may contain less, or more, information than its state."""

  reset: Callable  # key -> state
  step: Callable  # (state, action, key) -> (state, reward, done)
  observe: Callable  # (state, key) -> observation
  expert: Callable  # state -> a good action
  truth: Callable  # state -> [k] float32, the targets of probes
  draw: Callable  # key -> an action, uniform over all of them
  facts: Mapping[str, Any] = {}  # known properties: for four rooms, all states and their transition matrix


class Cell(NamedTuple):
  agent: Array  # [] int32, a free cell
  goal: Array  # [] int32


def four_rooms(*, side: int = 11, goal: bool = True, copies: int = 1, distraction: float = 0.0) -> Environment:
  """A square of four rooms joined by four doors; reward 1 and end of the episode at the goal, the last cell of the last room.

  Observations are images [side side 3] in [0, 1]: walls, agent, and the goal or, with `distraction`, random pixels that are drawn anew at
  every step. A move into a wall has no effect. Under random moves all cells are equally likely, and
  the transition matrix is symmetric: its Laplacian I - P is known, `facts` holds P and an image of every cell.

  Args:
    side: cells along a side, odd.
    goal: whether there is a goal; without one an episode does not end.
    copies: number of actions for each of the four moves: action a has the effect of a mod 4.
    distraction: maximum of the distracting pixels; 0 shows the goal instead.

  Reference: Sutton, Precup, Singh, Artificial Intelligence 1999, doi:10.1016/S0004-3702(99)00052-1, Figure 2.
  """
  if side < 5 or side % 2 == 0:
    raise ValueError(f'four rooms need an odd side of at least 5, not {side}')
  rooms = _rooms(side)
  cells = np.argwhere(rooms)
  after = _moves(rooms, cells)
  n, end = len(cells), len(cells) - 1
  toward = jnp.asarray(_distances(after, end)[after].argmin(1), jnp.int32)
  plan, where = jnp.asarray(after), jnp.asarray(cells)
  walls = jnp.asarray(~rooms, jnp.float32)

  def reset(key):
    return Cell(jax.random.randint(key, (), 0, n - goal, jnp.int32), jnp.int32(end))

  def step(state, action, key):
    del key
    there = state._replace(agent=plan[state.agent, action % 4])
    done = (there.agent == there.goal) & goal
    return there, done.astype(jnp.float32), done

  def observe(state, key):
    dot = lambda cell: jnp.zeros((side, side)).at[where[cell, 0], where[cell, 1]].set(1.0)
    last = distraction * jax.random.uniform(key, (side, side)) if distraction else dot(state.goal) * goal
    return jnp.stack([walls, dot(state.agent), last], -1)

  everywhere = Cell(jnp.arange(n, dtype=jnp.int32), jnp.full(n, end, jnp.int32))
  transition = sum(np.eye(n)[after[:, move]] for move in range(4)) / 4
  return Environment(
    reset, step, observe,
    expert=lambda state: toward[state.agent],
    truth=lambda state: where[state.agent] / (side - 1.0),
    draw=lambda key: jax.random.randint(key, (), 0, 4 * copies, jnp.int32),
    facts=dict(states=everywhere, transition=transition, actions=4 * copies),
  )  # fmt: skip


class Mass(NamedTuple):
  position: Array  # [2] in [-1, 1]
  velocity: Array  # [2]
  goal: Array  # [2]
  course: Array  # [2], the goal's velocity
  others: Array  # [m 4], positions and velocities of the distractors


def point_mass(*, side: int = 16, others: int = 2, drag: float = 0.3, force: float = 0.12, flight: float = 0.0) -> Environment:
  """A mass to be pushed to a goal in the unit square; reward 1 for every step within 0.15 of it.

  v <- (1 - drag) v + force a,  x <- clip(x + v, -1, 1),  a in [-1, 1]^2

  Images [side side 3] in [0, 1] show the mass, the goal and `others` drifting blobs as distractors; with a side of 0,
  observations are the vector of their positions and velocities, [6 + 4 others]. The expert moves half the distance to the goal at each
  step, as far as its force allows. With a drag of 1, one frame contains all that it needs. The goal stands still, or moves in a straight
  line with a speed of up to `flight` along each axis and bounces off the walls.
  """
  centres = jnp.linspace(-1, 1, max(side, 1))

  def reset(key):
    a, b, c = jax.random.split(key, 3)
    place = lambda key, *shape: jax.random.uniform(key, shape, minval=-0.9, maxval=0.9)
    moving = place(c, others, 4) * jnp.array([1, 1, 0.15, 0.15])
    course = flight * place(jax.random.fold_in(key, 3), 2)
    return Mass(place(a, 2), jnp.zeros(2), place(b, 2), course, moving)

  def step(state, action, key):
    del key
    velocity = (1 - drag) * state.velocity + force * jnp.clip(action, -1, 1)
    position = jnp.clip(state.position + velocity, -1, 1)
    goal, course = _bounced(state.goal, state.course)
    there = Mass(position, velocity, goal, course, jnp.concatenate(_bounced(*jnp.split(state.others, 2, -1)), -1))
    return there, (jnp.linalg.norm(position - state.goal) < 0.15).astype(jnp.float32), jnp.bool_(False)

  def observe(state, key):
    del key
    if not side:
      return jnp.concatenate([state.position, state.velocity, state.goal, state.others.ravel()])
    blob = lambda x: jnp.exp(-(((centres[:, None] - x[1]) ** 2 + (centres - x[0]) ** 2) / 0.04))
    rest = jax.vmap(blob)(state.others).sum(0) if others else jnp.zeros((side, side))
    return jnp.stack([blob(state.position), blob(state.goal), jnp.minimum(rest, 1.0)], -1)

  return Environment(
    reset, step, observe,
    expert=lambda state: jnp.clip((0.5 * (state.goal - state.position) - (1 - drag) * state.velocity) / force, -1, 1),
    truth=lambda state: jnp.concatenate([state.position, state.goal]),
    draw=lambda key: jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0),
    facts=dict(actions=2),
  )  # fmt: skip


def _bounced(place: Array, speed: Array) -> tuple[Array, Array]:
  speed = jnp.where(jnp.abs(place + speed) > 1, -speed, speed)
  return place + speed, speed


class Lock(NamedTuple):
  layer: Array  # [] int32
  state: Array  # [] int32: 0 and 1 are good, 2 is a dead end that is never left


def combination_lock(*, horizon: int = 5, actions: int = 4, noise: float = 0.1, decoy: float = 0.1, seed: int = 0) -> Environment:
  """A lock of `horizon` layers with three states each: from a good state one action leads on, the others to a dead end.

  From a good state the right action leads to one of the two good states of the next layer with equal chance. The reward is 1 for a good
  state after the last action. The step to the dead end gives the small reward `decoy` with probability 1/2, which misleads greedy
  exploration. Observations are one-hot vectors of state and layer with noise added, multiplied by a Hadamard matrix, [2^k].

  Args:
    horizon: actions in an episode.
    actions: number of actions; the right ones are drawn with `seed`.
    noise: standard deviation of the noise in observations.
    decoy: reward, with probability 1/2, of an action that leads from a good state to the dead end.

  Reference: Misra, Henaff, Krishnamurthy, Langford, ICML 2020, arXiv:1911.05815, section 6 and Figure 2.
  """
  right = jnp.asarray(np.random.RandomState(seed).randint(actions, size=(horizon, 2)))
  wide = 1 << (horizon + 4 - 1).bit_length()
  turn = jnp.asarray(_hadamard(wide))

  def step(state, action, key):
    good = (state.state < 2) & (action == right[state.layer, jnp.minimum(state.state, 1)])
    heads = jax.random.bernoulli(key)
    there = Lock(state.layer + 1, jnp.where(good, heads.astype(jnp.int32), 2))
    done = there.layer == horizon
    lost = (state.state < 2) & ~good & heads
    return there, jnp.where(lost, decoy, good & done).astype(jnp.float32), done

  def observe(state, key):
    x = jnp.zeros(wide).at[state.state].set(1.0).at[3 + state.layer].set(1.0)
    return turn @ (x + noise * jax.random.normal(key, (wide,)))

  return Environment(
    reset=lambda key: Lock(jnp.int32(0), jax.random.bernoulli(key).astype(jnp.int32)),
    step=step,
    observe=observe,
    expert=lambda state: right[state.layer, jnp.minimum(state.state, 1)],
    truth=lambda state: jnp.stack([state.layer, state.state]).astype(jnp.float32),
    draw=lambda key: jax.random.randint(key, (), 0, actions, jnp.int32),
    facts=dict(actions=actions, horizon=horizon, states=3),
  )


def _rooms(side: int) -> np.ndarray:
  free, middle = np.ones((side, side), bool), side // 2
  free[middle], free[:, middle] = False, False
  # All doors are placed differently, so that no rotation or reflection maps the rooms onto themselves and no two eigenvalues are equal.
  free[middle, 1] = free[middle, side - 3] = free[2, middle] = free[side - 1, middle] = True
  return free


def _moves(free: np.ndarray, cells: np.ndarray) -> np.ndarray:
  """[n 4] int32: the cell that each move leads to, in the order up, down, left, right."""
  number = np.full(free.shape, -1)
  number[free] = np.arange(len(cells))
  walled = np.pad(number, 1, constant_values=-1)
  there = np.stack([walled[tuple((cells + 1 + move).T)] for move in ((-1, 0), (1, 0), (0, -1), (0, 1))], 1)
  return np.where(there < 0, np.arange(len(cells))[:, None], there).astype(np.int32)


def _distances(after: np.ndarray, end: int) -> np.ndarray:
  """[n] steps to `end` from every cell."""
  distance = np.where(np.arange(len(after)) == end, 0, len(after))
  for _ in range(len(after)):
    distance = np.minimum(distance, 1 + distance[after].min(1))
  return distance


def _hadamard(n: int) -> np.ndarray:
  h = np.ones((1, 1), np.float32)
  while len(h) < n:
    h = np.block([[h, h], [h, -h]])
  return h / np.float32(np.sqrt(n))


def uniform(environment: Environment) -> Callable[[Array, Any, Key], Array]:
  """The uniform random policy: (observation, state, key) -> action."""
  return lambda observation, state, key: environment.draw(key)


def demonstrator(environment: Environment, noise: float = 0.0) -> Callable[[Array, Any, Key], Array]:
  """The expert's policy, which takes a random action with probability `noise`."""

  def policy(observation, state, key):
    del observation
    astray, draw = jax.random.split(key)
    return jnp.where(jax.random.bernoulli(astray, noise), environment.draw(draw), environment.expert(state))

  return policy
