"""Views of examples that consist of several items, and views that share one augmentation between examples."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Keys, View


def sample_items(keys: Keys, batch: Batch, *, column: str, views: int = 2, frames: int | None = None) -> tuple[Array, ...]:
  """Different items of each example, drawn without replacement, such as utterances of a speaker, or images of a class.

  If an example is an identity with all its items, no identity occurs twice in a batch.

  Args:
    column: [b n ...], n items per example.
    views: number of views, at most n.
    frames: length of a random segment along the items' first axis; None for whole items.

  Returns:
    One [b ...] per view.

  Raises:
    ValueError: if there are fewer items or frames than requested.
  """
  items = batch[column]
  n, length = items.shape[1], items.shape[2]
  if views > n or (frames or 1) > length:
    raise ValueError(f'{column!r} has {n} items of {length} frames; {views} views of {frames} frames are requested')

  def one(key, items):
    chosen = items[jax.random.permutation(key, n)[:views]]
    if frames is None:
      return chosen
    starts = jax.random.randint(jax.random.fold_in(key, 1), (views,), 0, length - frames + 1)
    return jax.vmap(lambda item, start: jax.lax.dynamic_slice_in_dim(item, start, frames))(chosen, starts)

  return tuple(jnp.unstack(jax.vmap(one)(keys, items), axis=1))


def with_columns(keys: Keys, batch: Batch, *, view: View, names: tuple[str, ...]) -> tuple[Array, ...]:
  """The views of one column, followed by the named columns: an augmented image, and the data that belong to it."""
  return (*view(keys, batch), *(batch[name] for name in names))


def grouped(keys: Keys, batch: Batch, *, view: View, chunks: int = 8, seed: int = 0) -> tuple[Array, ...]:
  """`view` with one draw per chunk: all examples with the same index modulo `chunks` are augmented alike.

  The chunk depends on (epoch, example), not on the position in the batch, so it is the same on one device, on several devices and in
  micro-batches; shuffling determines which of its examples are in the same batch. The draws come from `seed`, the epoch and the chunk, since no
  example's own key may determine the draws of others.
  """
  draws = jax.random.key(seed)
  one = lambda epoch, example: jax.random.fold_in(jax.random.fold_in(draws, epoch), example % chunks)
  return view(jax.vmap(one)(batch['epoch'], batch['example']), batch)
