"""Masks over the steps of series and sequences of frames. All randomness of example i comes from keys[i]."""

import math

import jax
import jax.numpy as jnp

from jssl.masks.patches import Masked, count_kept, random_mask, split_by
from jssl.types import Array, Keys


def markov_mask(keys: Keys, x: Array, *, ratio: float = 0.15, length: float = 3.0) -> Array:
  """Masks runs of values, independently for each variable: a two-state Markov chain along time.

  A masked run has mean length l, a visible one l (1 - r)/r, both geometric. With l = 1/(1 - r) all values are masked independently.

  Args:
    keys: [b] one key per example.
    x: [b t c] series; steps that are zero in all variables are padding and stay visible.
    ratio: r, the masked share.
    length: l, at least 1.

  Returns:
    [b t c] bool, True where masked.

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
  """Masks gaps of consecutive frames: splits the sequence into gaps from a random offset, and masks a random share of them.

  Args:
    keys: [b] one key per example.
    grid: its product is the number n of frames.
    ratio: the masked share, in [0, 1).
    gap: frames per gap.

  Returns:
    `Masked`, with m = int(n (1 - ratio)); one gap may be shortened to reach that number.

  Raises:
    ValueError: if no frame would stay visible.

  Reference: Pepino, Riera, Ferrer 2023, arXiv:2309.07391, section 2 (ratio 0.5, gaps of 15 frames). The official code draws gaps, which may
    overlap, until the share is masked.
  """
  n = math.prod(grid)

  def scores(key):
    offset, order = jax.random.split(key)
    pieces = -(-n // gap) + 1
    place = (jnp.arange(n) + jax.random.randint(offset, (), 0, gap)) // gap
    return jax.random.permutation(order, pieces)[place] + jnp.arange(n) / n

  return split_by(jax.vmap(scores)(keys), count_kept(n, ratio))


def random_steps(keys: Keys, x: Array, *, ratio: float = 0.75) -> Masked:
  """As `patches.random_mask`, over the steps of a sequence x [b n ...]: masks a random share of them, drawn uniformly."""
  return random_mask(keys, n=x.shape[1], ratio=ratio)


def span_mask(keys: Keys, x: Array, *, ratio: float = 0.065, length: int = 10, least: int = 2) -> Array:
  """Masks spans of frames that begin at frames drawn without replacement; spans may overlap.

  Of t real frames int(ratio t + u) begin a span, with u uniform in [0, 1), from the first t - `length`.

  Args:
    keys: [b] one key per example.
    x: [b n d] frames; those that are zero in all dimensions are padding at the end, and stay visible.
    ratio: the share of frames at which a span begins.
    length: frames per span.
    least: spans at the least.

  Returns:
    [b n] bool, True where masked.

  Reference: Baevski, Zhou, Mohamed, Auli, NeurIPS 2020, arXiv:2006.11477, section 3.1 (ratio 0.065, 10 frames: about 49 % masked; HuBERT,
  arXiv:2106.07447: 0.08). `compute_mask_indices` in fairseq/data/data_utils.py also makes frames visible again at random, until all examples
  of a batch have as many masked as the one with the fewest; here examples are independent.
  """

  def one(key, real):
    first, rest = jax.random.split(key)
    t, n = jnp.sum(real), len(real)
    spans = jnp.maximum(jnp.floor(ratio * t + jax.random.uniform(first)).astype(jnp.int32), least)
    begins = jnp.where(t - length > spans, t - length, spans + 1)  # of which all but one are drawn where there are too few
    noise = jnp.where(jnp.arange(n) < begins, jax.random.uniform(rest, (n,)), jnp.inf)
    drawn = jnp.argsort(jnp.argsort(noise)) < spans
    before = jnp.pad(jnp.cumsum(drawn), (length, 0))
    return (before[length:] > before[:-length]) & real

  return jax.vmap(one)(keys, jnp.any(x != 0, -1))
