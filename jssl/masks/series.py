"""Masks over the steps of series and sequences of frames. Everything random about example i comes from keys[i]."""

import math

import jax
import jax.numpy as jnp

from jssl.masks.patches import Masked, count_kept, random_mask, split_by
from jssl.types import Array, Keys


def markov_mask(keys: Keys, x: Array, *, ratio: float = 0.15, length: float = 3.0) -> Array:
  """Hides runs of values, each variable by itself: a two-state Markov chain along time.

  A hidden run has mean length l, a visible one l (1 - r)/r, both geometric. With l = 1/(1 - r) every value is drawn by
  itself.

  Args:
    keys: [b] one key an example.
    x: [b t c] series; steps that are zero in all variables are padding and stay visible.
    ratio: r, the share that is hidden.
    length: l, at least 1.

  Returns:
    [b t c] bool, true where hidden.

  Reference: Zerveas, Jayaraman, Patel, Bhamidipaty, Eickhoff 2021, arXiv:2010.02803, section 3 (r = 0.15, l = 3).
  """
  stop, begin = 1 / length, ratio / (length * (1 - ratio))

  def chain(key):
    first, rest = jax.random.split(key)
    start = jax.random.bernoulli(first, ratio, x.shape[2:])
    u = jax.random.uniform(rest, (x.shape[1] - 1, *x.shape[2:]))
    step = lambda hidden, u: (nxt := jnp.where(hidden, u >= stop, u < begin), nxt)
    return jnp.concatenate([start[None], jax.lax.scan(step, start, u)[1]])

  return jax.vmap(chain)(keys) & jnp.any(x != 0, -1, keepdims=True)


def gap_mask(keys: Keys, *, grid: tuple[int, ...], ratio: float = 0.5, gap: int = 15) -> Masked:
  """Hides gaps of consecutive frames: the sequence is cut, from a random place, into gaps, and a random share is hidden.

  Args:
    keys: [b] one key an example.
    grid: its product is the number n of frames.
    ratio: the share that is hidden, in [0, 1).
    gap: frames in a gap.

  Returns:
    `Masked`, with m = int(n (1 - ratio)); to keep that number, one gap may be cut short.

  Raises:
    ValueError: if no frame would stay.

  Reference: Pepino, Riera, Ferrer 2023, arXiv:2309.07391, section 2 (ratio 0.5, gaps of 15 frames). The official code
    draws gaps, which may overlap, until the share is hidden.
  """
  n = math.prod(grid)

  def scores(key):
    offset, order = jax.random.split(key)
    pieces = -(-n // gap) + 1
    place = (jnp.arange(n) + jax.random.randint(offset, (), 0, gap)) // gap
    return jax.random.permutation(order, pieces)[place] + jnp.arange(n) / n

  return split_by(jax.vmap(scores)(keys), count_kept(n, ratio))


def random_steps(keys: Keys, x: Array, *, ratio: float = 0.75) -> Masked:
  """As `image.random_mask`, over the steps of a sequence x [b n ...]: a share of them, drawn uniformly."""
  return random_mask(keys, n=x.shape[1], ratio=ratio)
