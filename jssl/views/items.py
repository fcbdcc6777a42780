"""Views of examples that have parts, and one change for many examples."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Keys, View


def sample_items(keys: Keys, batch: Batch, *, column: str, views: int = 2, frames: int | None = None) -> tuple[Array, ...]:
  """Different items of each example, drawn without replacement: utterances of a speaker, pictures of a class.

  An example that is an identity with all its items makes a batch in which no identity comes twice.

  Args:
    column: [b n ...], n items an example.
    views: how many, at most n.
    frames: length of a random piece along the items' first axis; None for whole items.

  Returns:
    One [b ...] a view.

  Raises:
    ValueError: there are fewer items or frames than asked for.
  """
  items = batch[column]
  n, length = items.shape[1], items.shape[2]
  if views > n or (frames or 1) > length:
    raise ValueError(f'{column!r} has {n} items of {length} frames; {views} views of {frames} were asked for')

  def one(key, items):
    chosen = items[jax.random.permutation(key, n)[:views]]
    if frames is None:
      return chosen
    starts = jax.random.randint(jax.random.fold_in(key, 1), (views,), 0, length - frames + 1)
    return jax.vmap(lambda item, start: jax.lax.dynamic_slice_in_dim(item, start, frames))(chosen, starts)

  return tuple(jnp.unstack(jax.vmap(one)(keys, items), axis=1))


def with_columns(keys: Keys, batch: Batch, *, view: View, names: tuple[str, ...]) -> tuple[Array, ...]:
  """The views of one column, then the named columns as they stand: a changed image, and what goes with it."""
  return (*view(keys, batch), *(batch[name] for name in names))


def grouped(keys: Keys, batch: Batch, *, view: View, chunks: int = 8, seed: int = 0) -> tuple[Array, ...]:
  """`view` with one draw a chunk: all examples whose number is the same modulo `chunks` are changed alike.

  A chunk is a matter of (epoch, example) and not of the place in the batch, so it is the same on one device, on many
  and in micro-batches; shuffling decides which of its examples meet. As no example's own key may decide what the
  others draw, the draws come from `seed`, the epoch and the chunk.
  """
  draws = jax.random.key(seed)
  one = lambda epoch, example: jax.random.fold_in(jax.random.fold_in(draws, epoch), example % chunks)
  return view(jax.vmap(one)(batch['epoch'], batch['example']), batch)
