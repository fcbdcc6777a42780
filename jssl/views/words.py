"""Words with their contexts and negative samples."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Keys, fold


def skip_gram(keys: Keys, batch: Batch, *, negatives: int = 5) -> dict[str, Array]:
  """A word, one word of its context, and negative samples.

  A window of R words to each side, with R uniform from 1 to c, contains the pair at distance d with probability (c + 1 - d)/c. Each visit of a
  word draws one pair of the sentence in that proportion.

  Args:
    keys: [b].
    batch: contains word [b m], context [b 2c m] from left to right with 0 beyond the sentence, noise [b n].
    negatives: number of negative samples from the noise, at most n. Those that are the word to predict are passed over.

  Returns:
    centre [b m], context [b], negatives [b k].

  Reference: Mikolov, Chen, Corrado, Dean 2013, arXiv:1301.3781, section 3.2. Where a negative is the word to predict, the official code of
  word2vec leaves it out; here another is taken, as in fastText.
  """
  context = _neighbour(fold(keys, 0), batch['context'][..., 0])
  return dict(centre=batch['word'], context=context, negatives=_drawn(fold(keys, 1), batch['noise'], negatives, context))


def cbow_context(keys: Keys, batch: Batch, *, negatives: int = 5) -> dict[str, Array]:
  """A word, its context in a window of R words to each side, with R uniform from 1 to c, and negative samples.

  Args:
    keys: [b].
    batch: as in `skip_gram`.
    negatives: as in `skip_gram`.

  Returns:
    context [b 2c m], target [b], negatives [b k], mask [b 2c].

  Reference: Mikolov, Chen, Corrado, Dean 2013, arXiv:1301.3781, section 3.1; the shortened window as in the official code.
  """
  context, target = batch['context'], batch['word'][:, 0]
  return dict(
    context=context, target=target, negatives=_drawn(fold(keys, 1), batch['noise'], negatives, target),
    mask=_window(fold(keys, 0), context) & (context[..., 0] > 0),
  )  # fmt: skip


def huffman_path(keys: Keys, batch: Batch) -> dict[str, Array]:
  """The context of a word, as in `cbow_context`, and the path to the word in a binary tree, for the continuous bag of words.

  Args:
    keys: [b].
    batch: contains context [b 2c 1], nodes and turns [b l].

  Returns:
    h [b 2c], nodes [b l], turns [b l].
  """
  context = batch['context'][..., 0]
  return dict(h=jnp.where(_window(keys, context), context, 0), nodes=batch['nodes'], turns=batch['turns'])


def huffman_path_from_one(keys: Keys, batch: Batch) -> dict[str, Array]:
  """As `huffman_path`, but with only one word of the context, drawn as in `skip_gram`; h is [b 1].

  Reference: the official code of word2vec, whose skip-gram predicts the centre word from its context words.
  """
  return dict(h=_neighbour(keys, batch['context'][..., 0])[:, None], nodes=batch['nodes'], turns=batch['turns'])


def _neighbour(keys: Keys, words: Array) -> Array:
  """One word per row of [b 2c]; a word at distance d has weight c + 1 - d."""
  place = jnp.arange(words.shape[1])
  weight = jnp.log(jnp.minimum(place, place[::-1]) + 1)
  return jax.vmap(lambda key, row: row[jax.random.categorical(key, jnp.where(row > 0, weight, -jnp.inf))])(keys, words)


def _window(keys: Keys, context: Array) -> Array:
  """[b 2c], True for the positions within a radius drawn uniformly from 1 to c."""
  c = context.shape[1] // 2
  reach = jax.vmap(lambda key: jax.random.randint(key, (), 1, c + 1))(keys)
  distance = jnp.concatenate([jnp.arange(c, 0, -1), jnp.arange(1, c + 1)])
  return distance <= reach[:, None]


def _drawn(keys: Keys, noise: Array, count: int, target: Array) -> Array:
  """The first `count` entries of each row from a random offset, cyclically, that are not its target; entries are independent, so any will do.

  Entries that are the target come last, and are only taken where there are too few others.
  """
  n = noise.shape[1]
  start = jax.vmap(lambda key: jax.random.randint(key, (), 0, n))(keys)
  turned = jnp.take_along_axis(noise, (start[:, None] + jnp.arange(n)) % n, 1)
  order = jnp.argsort(turned == target[:, None], 1, stable=True)
  return jnp.take_along_axis(turned, order[:, :count], 1)
