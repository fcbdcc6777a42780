"""Words with their contexts, and noise."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Keys, fold


def skip_gram(keys: Keys, batch: Batch, *, negatives: int = 5) -> dict[str, Array]:
  """A word, one word of its context, and noise.

  A window that reaches R words to each side, R even from 1 to c, gives the pair at distance d with probability
  (c + 1 - d)/c. One pair a visit is drawn in that proportion from those that the sentence has.

  Args:
    keys: [b].
    batch: with word [b m], context [b 2c m] from left to right with 0 beyond the sentence, noise [b n].
    negatives: how many words of the noise are drawn; at most n.

  Returns:
    centre [b m], context [b], negatives [b k].

  Reference: Mikolov, Chen, Corrado, Dean 2013, arXiv:1301.3781, section 3.2.
  """
  context = _neighbour(fold(keys, 0), batch['context'][..., 0])
  return dict(centre=batch['word'], context=context, negatives=_drawn(fold(keys, 1), batch['noise'], negatives))


def cbow_context(keys: Keys, batch: Batch, *, negatives: int = 5) -> dict[str, Array]:
  """A word, the words around it in a window that reaches R to each side, R even from 1 to c, and noise.

  Args:
    keys: [b].
    batch: as in `skip_gram`.
    negatives: as in `skip_gram`.

  Returns:
    context [b 2c m], target [b], negatives [b k], mask [b 2c].

  Reference: Mikolov, Chen, Corrado, Dean 2013, arXiv:1301.3781, section 3.1; the shortened window as in the official code.
  """
  context = batch['context']
  return dict(
    context=context, target=batch['word'][:, 0], negatives=_drawn(fold(keys, 1), batch['noise'], negatives),
    mask=_window(fold(keys, 0), context) & (context[..., 0] > 0),
  )  # fmt: skip


def huffman_path(keys: Keys, batch: Batch) -> dict[str, Array]:
  """The words around a word, as in `surrounded`, and the way to the word down a binary tree: the continuous bag of words.

  Args:
    keys: [b].
    batch: with context [b 2c 1], nodes and turns [b l].

  Returns:
    h [b 2c], nodes [b l], turns [b l].
  """
  context = batch['context'][..., 0]
  return dict(h=jnp.where(_window(keys, context), context, 0), nodes=batch['nodes'], turns=batch['turns'])


def huffman_path_from_one(keys: Keys, batch: Batch) -> dict[str, Array]:
  """As `tree_path`, but one word of the context alone, drawn as in `skip_gram`; h is [b 1].

  Reference: the official code of word2vec, whose skip-gram lets the words around predict the one in the middle.
  """
  return dict(h=_neighbour(keys, batch['context'][..., 0])[:, None], nodes=batch['nodes'], turns=batch['turns'])


def _neighbour(keys: Keys, words: Array) -> Array:
  """One word a row of [b 2c], that at distance d with weight c + 1 - d."""
  place = jnp.arange(words.shape[1])
  weight = jnp.log(jnp.minimum(place, place[::-1]) + 1)
  return jax.vmap(lambda key, row: row[jax.random.categorical(key, jnp.where(row > 0, weight, -jnp.inf))])(keys, words)


def _window(keys: Keys, context: Array) -> Array:
  """[b 2c], true for the places within a reach drawn evenly from 1 to c."""
  c = context.shape[1] // 2
  reach = jax.vmap(lambda key: jax.random.randint(key, (), 1, c + 1))(keys)
  distance = jnp.concatenate([jnp.arange(c, 0, -1), jnp.arange(1, c + 1)])
  return distance <= reach[:, None]


def _drawn(keys: Keys, noise: Array, count: int) -> Array:
  """`count` entries of each row from a random place on, round the end; entries are independent, so any will do."""
  n = noise.shape[1]
  start = jax.vmap(lambda key: jax.random.randint(key, (), 0, n))(keys)
  return jnp.take_along_axis(noise, (start[:, None] + jnp.arange(count)) % n, 1)
