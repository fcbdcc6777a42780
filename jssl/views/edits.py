"""Word-level edits of token ids: deletion of words and of spans, reordering, and substitution by synonyms."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Key, Keys


def edited(
  keys: Keys,
  batch: Batch,
  *,
  column: str = 'ids',
  synonyms: str = 'synonyms',
  edits: Sequence[str] = ('delete_spans', 'substitute'),
  words: float = 0.7,
  spans: int = 5,
  length: float = 0.05,
  substituted: float = 0.3,
  first: int = 5,
  pad: int = 0,
  mask: int = 4,
) -> tuple[Array, ...]:
  """One edit of a text per view. Ids below `first` are never changed.

  - 'delete_words': each token is deleted with probability `words`.
  - 'delete_spans': `spans` spans are deleted, each of the share `length` of the tokens; they may overlap.
  - 'reorder': `spans` pairs of such spans are swapped, one pair after the other.
  - 'substitute': each token is replaced by one of its synonyms with probability `substituted`, if it has any.
  - 'keep': the text is not changed.

  Adjacent deleted tokens become one token `mask`.

  Args:
    keys: [b].
    batch: contains the columns.
    column: column of ids, [b n].
    synonyms: column of the synonyms of each token, [b n s]; a token without synonyms has itself.
    edits: the edit of each view.
    words: the share of deleted tokens.
    spans: number of spans, or of pairs of spans.
    length: length of a span as a share of the tokens of the text; a span has at least one token.
    substituted: the share of replaced tokens.
    first: ids below it are kept.
    pad: the padding id.
    mask: the id that stands for deleted tokens.

  Returns:
    An array [b n] per edit.

  Raises:
    ValueError: for an unknown edit.

  Reference: Wu, Wang, Gu, Khabsa, Sun, Ma (CLEAR) 2020, arXiv:2012.15466, section 3 and Figure 2; the default rates are those of section 4.
  """
  ids = batch[column]
  others = batch[synonyms] if 'substitute' in edits else ids[..., None]
  kinds: dict[str, Callable] = dict(
    delete_words=lambda key, x, _: _deleted(x, (x >= first) & jax.random.bernoulli(key, words, x.shape), mask, pad),
    delete_spans=lambda key, x, _: _deleted(x, _in_spans(key, x >= first, spans, length), mask, pad),
    reorder=lambda key, x, _: _reordered(key, x, x >= first, spans, length),
    substitute=lambda key, x, other: _substituted(key, x, other, (x >= first), substituted),
    keep=lambda key, x, _: x,
  )
  if unknown := [edit for edit in edits if edit not in kinds]:
    raise ValueError(f'edited has no edit {unknown[0]!r}: choose among {", ".join(kinds)}')
  one = lambda i, edit: jax.vmap(lambda key, x, other: kinds[edit](jax.random.fold_in(key, i), x, other))(keys, ids, others)
  return tuple(one(i, edit) for i, edit in enumerate(edits))


def halves(
  keys: Keys, batch: Batch, *, column: str = 'ids', original: bool = True, first: int = 5, pad: int = 0, start: int = 1
) -> tuple[Array, ...]:
  """The two halves of a text, cut in the middle of its words; each has the special tokens of the text.

  Args:
    keys: unused.
    batch: contains the column.
    column: column of ids, [b n].
    original: the first view is the whole text.
    first: ids below it are special.
    pad: the padding id.
    start: number of special tokens at the beginning of a text, which are before the first word. The others stay at the end.

  Returns:
    Three arrays [b n], or two. The first half has the word in the middle of an odd number.

  Reference: Chanchani, Huang (CompCSE) 2023, arXiv:2307.07380, section 3.
  """
  del keys
  ids = batch[column]
  real = ids != pad
  # A special token that is followed by no word is at the end of the text.
  later = jnp.cumsum((ids >= first)[:, ::-1], 1)[:, ::-1] > 0
  word = real & (jnp.arange(ids.shape[1]) >= start) & later
  rank, count = jnp.cumsum(word, 1), jnp.sum(word, 1, keepdims=True)
  left = word & (rank <= (count + 1) // 2)
  parts = tuple(jax.vmap(lambda x, gone: _without(x, gone, pad))(ids, word & ~half) for half in (left, word & ~left))
  return (ids, *parts) if original else parts


def _without(ids: Array, gone: Array, pad: int) -> Array:
  """[n] ids without those in [n] bool; later ones move forward."""
  return jnp.where(gone, pad, ids)[jnp.argsort(gone | (ids == pad), stable=True)]


def _deleted(ids: Array, gone: Array, mask: int, pad: int) -> Array:
  begins = gone & ~jnp.concatenate([jnp.zeros(1, bool), gone[:-1]])
  return _without(jnp.where(begins, mask, ids), gone & ~begins, pad)


def _span_length(count: Array, length: float) -> Array:
  return jnp.maximum(jnp.round(length * count), 1).astype(jnp.int32)


def _in_spans(key: Key, word: Array, spans: int, length: float) -> Array:
  """[n] bool, the words in any of the spans."""
  count, rank = jnp.sum(word), jnp.cumsum(word) - 1
  size = _span_length(count, length)
  start = jax.random.randint(key, (spans, 1), 0, jnp.maximum(count - size, 0) + 1)
  return word & jnp.any((start <= rank) & (rank < start + size), 0)


def _reordered(key: Key, ids: Array, word: Array, spans: int, length: float) -> Array:
  """[n] ids in which pairs of spans of words have changed places."""
  count, rank = jnp.sum(word), jnp.cumsum(word) - 1
  size = _span_length(count, length)
  place = jnp.argsort(~word, stable=True)  # of each word
  fits = count >= 2 * size

  def swap(ids, key):
    one, two = jax.random.split(key)
    a = jax.random.randint(one, (), 0, jnp.maximum(count - 2 * size, 0) + 1)
    b = jax.random.randint(two, (), a + size, jnp.maximum(count - size, a + size) + 1)
    move = jnp.where((a <= rank) & (rank < a + size), b - a, jnp.where((b <= rank) & (rank < b + size), a - b, 0))
    source = place[jnp.clip(rank + move, 0, len(ids) - 1)]
    return jnp.where(word & fits, ids[source], ids), None

  return jax.lax.scan(swap, ids, jax.random.split(key, spans))[0]


def _substituted(key: Key, ids: Array, others: Array, word: Array, rate: float) -> Array:
  which, each = jax.random.split(key)
  chosen = jax.random.randint(each, ids.shape, 0, others.shape[-1])
  other = jnp.take_along_axis(others, chosen[:, None], 1)[:, 0].astype(ids.dtype)
  return jnp.where(word & jax.random.bernoulli(which, rate, ids.shape), other, ids)
