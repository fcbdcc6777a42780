"""Text generation: greedy search, sampling, beam search and contrastive search, each a loop that compiles once.

A step reads one token of every sequence: step(cache, ids [b], place []) -> (logits [b v] of the token at place + 1, hidden [b d], cache).
The cache is any pytree of arrays with a common batch axis. Only `contrastive_search` uses `hidden`; for other searches it may be None.
All sequences are read at the same place: those with shorter prompts already continue while longer prompts are still being read.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jssl.ops.normalize import l2_normalize
from jssl.types import fold

NEVER = -1e9  # the score of an empty slot


class Beams(NamedTuple):
  """The finished sequences of a beam search, best first.

  Attributes:
    ids: [b k n].
    scores: [b k], as in `beam_search`; -1e9 for an empty slot.
  """

  ids: Int[Array, 'b k n']
  scores: Float[Array, 'b k']


def generate(
  step: Callable,
  cache: Any,
  prompt: Int[Array, 'b n'],
  lengths: Int[Array, ' b'],
  choose: Callable,
  *,
  length: int,
  end: int | None = None,
  pad: int = 0,
  begin: int = 0,
) -> tuple[Int[Array, 'b {length}'], Any]:
  """Continues prompts by one token at a time, until all sequences have ended.

  Args:
    step: see the module's docstring.
    cache: holds the tokens before `begin`.
    prompt: padded at the end to n.
    lengths: of the prompts, 1 or more.
    choose: (logits [b v], place of the new token []) -> ids [b].
    length: maximum number of tokens of a sequence, including the prompt.
    end: id that ends a sequence; None to continue all of them to `length`.
    pad: id of padding, after the end.
    begin: the first place to read, less than all lengths.

  Returns:
    Sequences [b length], and the cache; the last token has not been read.

  Raises:
    ValueError: the prompts are longer than `length`.
  """

  def more(state):
    place, _, _, ended = state
    return (place < length - 1) & ~jnp.all(ended)

  def write(state):
    place, ids, cache, ended = state
    logits, _, cache = step(cache, ids[:, place], place)
    told = place + 1 < lengths
    new = jnp.where(told, ids[:, place + 1], jnp.where(ended, pad, choose(logits, place + 1).astype(ids.dtype)))
    return place + 1, ids.at[:, place + 1].set(new), cache, ended | ~told & _is(new, end)

  start = jnp.int32(begin), _begun(prompt, lengths, length, pad), cache, jnp.zeros(len(prompt), bool)
  _, ids, cache, _ = jax.lax.while_loop(more, write, start)
  return ids, cache


def greedy(
  step: Callable,
  cache: Any,
  prompt: Int[Array, 'b n'],
  lengths: Int[Array, ' b'],
  *,
  length: int,
  end: int | None = None,
  pad: int = 0,
  begin: int = 0,
) -> Int[Array, 'b {length}']:
  """Greedy search: the most likely token at each place; the first one of ties.

  Args:
    step, cache, prompt, lengths, length, end, pad, begin: as in `generate`.

  Returns:
    [b length].
  """
  choose = lambda logits, place: jnp.argmax(logits, -1)
  return generate(step, cache, prompt, lengths, choose, length=length, end=end, pad=pad, begin=begin)[0]


def sample(
  step: Callable,
  cache: Any,
  prompt: Int[Array, 'b n'],
  lengths: Int[Array, ' b'],
  keys: Key[Array, ' b'],
  *,
  length: int,
  temperature: float = 1.0,
  top_k: int | None = None,
  top_p: float | None = None,
  end: int | None = None,
  pad: int = 0,
  begin: int = 0,
) -> Int[Array, 'b {length}']:
  """Sampling from the distribution of the network, optionally truncated.

  Args:
    step, cache, prompt, lengths, length, end, pad, begin: as in `generate`.
    keys: one an example; a draw depends on the key and the place, not on the rest of the batch.
    temperature, top_k, top_p: as in `filtered`.

  Returns:
    [b length].
  """

  def choose(logits, place):
    kept = filtered(logits, temperature=temperature, top_k=top_k, top_p=top_p)
    return jax.vmap(jax.random.categorical)(fold(keys, place), kept)

  return generate(step, cache, prompt, lengths, choose, length=length, end=end, pad=pad, begin=begin)[0]


def filtered(
  logits: Float[Array, '*b v'], *, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Float[Array, '*b v']:
  """Logits divided by a temperature, with -inf for tokens outside the top k, and then outside the top p.

  Tokens that tie with the last one kept are kept too.

  Args:
    logits: unnormalised.
    temperature: above 0.
    top_k: k; None for all tokens.
    top_p: p, in (0, 1]: the smallest set of most likely tokens whose probability is at least p; None for all.

  Returns:
    [... v], float32.

  Reference: Fan, Lewis, Dauphin, ACL 2018, arXiv:1805.04833, section 5.4 (top-k); Holtzman et al., ICLR 2020, arXiv:1904.09751, Eq. 2
    and 3 (top-p). In the order of transformers.
  """
  x = logits.astype(jnp.float32) / temperature
  if top_k is not None and top_k < x.shape[-1]:
    x = jnp.where(x >= jax.lax.top_k(x, top_k)[0][..., -1:], x, -jnp.inf)
  if top_p is not None and top_p < 1:
    ordered = jnp.flip(jnp.sort(x, -1), -1)
    p = jax.nn.softmax(ordered)
    # The mass before a token: the first token has none before it and is always kept.
    last = jnp.sum(jnp.cumsum(p, -1) - p < top_p, -1, keepdims=True) - 1
    x = jnp.where(x >= jnp.take_along_axis(ordered, last, -1), x, -jnp.inf)
  return x


def beam_search(
  step: Callable,
  cache: Any,
  prompt: Int[Array, 'b n'],
  lengths: Int[Array, ' b'],
  *,
  beams: int,
  length: int,
  penalty: float = 1.0,
  early: bool = False,
  end: int | None = None,
  pad: int = 0,
  axis: int = 0,
  begin: int = 0,
) -> Beams:
  """Beam search with k beams and a length penalty.

  score(y) = log p(y) / |y|^penalty, |y| the number of tokens after the prompt, the end included

  Each step takes the 2 k best continuations of the k running sequences. Those among the first k that end are finished, and the k best
  finished sequences are kept; the k best of the rest continue. An example is done when its best running sequence, at its current length,
  scores no more than the worst of k finished ones. Sequences that reach `length` count as finished.

  Args:
    step, prompt, lengths, length, end, pad, begin: as in `generate`; step reads b k tokens, those of an example next to each other.
    cache: as there, for b examples; it is repeated for their beams.
    beams: k; 2 k is at most k v.
    penalty: exponent of the length; 0 for none, above 0 favours long sequences.
    early: stop as soon as every example has k finished sequences.
    axis: batch axis of the cache's arrays.

  Returns:
    ids [b k length] and scores [b k], the best first.

  Reference: Sutskever, Vinyals, Le, NeurIPS 2014, arXiv:1409.3215, section 3.2; the penalty, and when to stop: `generate` of transformers,
    with early_stopping False or True. Wu et al., arXiv:1609.08144, Eq. 14, have another penalty, ((5 + |y|) / 6)^alpha.
  """
  b, k = len(prompt), beams
  ids, first = _begun(prompt, lengths, length, pad), jnp.min(lengths) - 1
  cache, _, _ = _read(step, cache, ids, jnp.int32(begin), first)
  several = jnp.repeat(ids[:, None], k, 1)
  # All beams are equal at first: only one of them has a score, so that continuations are not found k times.
  scores = jnp.broadcast_to(jnp.where(jnp.arange(k) == 0, 0.0, NEVER), (b, k))
  found = Beams(several, jnp.full((b, k), NEVER))

  def more(state):
    place, _, _, found, active, _ = state
    going = jnp.any(active)
    return (place < length - 1) & (going & ~jnp.all(found.scores > NEVER) if early else going)

  def write(state):
    place, ids, scores, found, active, cache = state
    logits, _, cache = step(cache, ids[:, :, place].reshape(-1), place)
    logp = jax.nn.log_softmax(logits.astype(jnp.float32)).reshape(b, k, -1)
    top, at = jax.lax.top_k((logp + scores[..., None]).reshape(b, -1), 2 * k)
    beam, token = jnp.divmod(at, logp.shape[-1])
    # While a prompt is read, its beams stay as they are.
    told = (place + 1 < lengths)[:, None]
    top = jnp.where(told, jnp.concatenate([scores, jnp.full((b, k), 2 * NEVER)], 1), top)
    beam = jnp.where(told, jnp.arange(2 * k) % k, beam)
    token = jnp.where(told, ids[:, :1, place + 1], token).astype(ids.dtype)
    longer = jnp.take_along_axis(ids, beam[..., None], 1).at[:, :, place + 1].set(token)
    ends = ~told & (_is(token, end) | (place + 2 >= length))

    count = jnp.maximum(place + 2 - lengths, 1)[:, None].astype(jnp.float32) ** penalty
    full = early & jnp.all(found.scores > NEVER, 1, keepdims=True)
    ended = jnp.where(ends & (jnp.arange(2 * k) < k) & active[:, None] & ~full, top / count, NEVER)
    best, which = jax.lax.top_k(jnp.concatenate([found.scores, ended], 1), k)
    found = Beams(jnp.take_along_axis(jnp.concatenate([found.ids, longer], 1), which[..., None], 1), best)

    scores, which = jax.lax.top_k(jnp.where(ends, top + NEVER, top), k)
    ids = jnp.take_along_axis(longer, which[..., None], 1)
    rows = (jnp.arange(b)[:, None] * k + jnp.take_along_axis(beam, which, 1)).reshape(-1)
    active &= told[:, 0] | (scores[:, 0] / count[:, 0] > best[:, -1])
    return place + 1, ids, scores, found, active, _rows(cache, rows, axis)

  start = first, several, scores, found, jnp.ones(b, bool), _rows(cache, jnp.repeat(jnp.arange(b), k), axis)
  return jax.lax.while_loop(more, write, start)[3]


def contrastive_search(
  step: Callable,
  cache: Any,
  prompt: Int[Array, 'b n'],
  lengths: Int[Array, ' b'],
  *,
  candidates: int,
  alpha: float,
  length: int,
  end: int | None = None,
  pad: int = 0,
  axis: int = 0,
) -> Int[Array, 'b {length}']:
  """Contrastive search: of the k most likely tokens, the one with the best trade-off of probability and similarity to the context.

  x_t = argmax_{v in V^(k)} (1 - alpha) p(v | x_<t) - alpha max_{j < t} cos(h_v, h_{x_j}), h_v the hidden state of v after x_<t

  Args:
    step, cache, prompt, lengths, length, end, pad: as in `generate`; step also reads b k tokens, those of an example next to each other, with
      the cache repeated for them. The cache is empty, since the hidden states of the whole prompt are needed.
    candidates: k.
    alpha: weight of the degeneration penalty, in [0, 1]; 0 is greedy search.
    axis: as in `beam_search`.

  Returns:
    [b length].

  Reference: Su et al., NeurIPS 2022, arXiv:2202.06417, Eq. 5.
  """
  b, k = len(prompt), candidates
  ids = _begun(prompt, lengths, length, pad)
  cache, logits, seen = _read(step, cache, ids, jnp.int32(0), jnp.min(lengths))

  def more(state):
    place, _, _, _, _, ended = state
    return (place < length) & ~jnp.all(ended)

  def write(state):
    place, ids, cache, logits, seen, ended = state
    p, likely = jax.lax.top_k(jax.nn.softmax(logits.astype(jnp.float32)), k)
    told = (place < lengths)[:, None]
    token = jnp.where(told, ids[:, place][:, None], likely).astype(ids.dtype)
    wide = _rows(cache, jnp.repeat(jnp.arange(b), k), axis)
    logits, hidden, wide = step(wide, token.reshape(-1), place)
    hidden = hidden.reshape(b, k, -1)
    alike = jnp.einsum('bkd,bnd->bkn', l2_normalize(hidden), l2_normalize(seen), precision='highest')
    alike = jnp.max(jnp.where(jnp.arange(length) < place, alike, -jnp.inf), -1)
    best = jnp.argmax((1 - alpha) * p - alpha * alike, -1)
    chosen = lambda x: x[jnp.arange(b), best]
    new = jnp.where(ended, pad, chosen(token))
    rows = jnp.arange(b) * k + best
    return (
      place + 1, ids.at[:, place].set(new), _rows(wide, rows, axis), logits[rows], seen.at[:, place].set(chosen(hidden)),
      ended | ~told[:, 0] & _is(new, end),
    )  # fmt: skip

  start = jnp.min(lengths), ids, cache, logits, seen, jnp.zeros(b, bool)
  return jax.lax.while_loop(more, write, start)[1]


def _begun(prompt: Array, lengths: Array, length: int, pad: int) -> Array:
  """[b length], the prompts and padding after them."""
  if prompt.shape[1] > length:
    raise ValueError(f'prompts of {prompt.shape[1]} tokens are longer than sequences of {length}: give a greater length, or cut them')
  ids = jnp.full((len(prompt), length), pad, prompt.dtype).at[:, : prompt.shape[1]].set(prompt)
  return jnp.where(jnp.arange(length) < lengths[:, None], ids, pad)


def _read(step: Callable, cache: Any, ids: Array, first: Array, last: Array) -> tuple[Any, Any, Any]:
  """Reads places from `first` to `last` - 1. Returns the cache, the last logits [b v], and the hidden states [b n d]."""
  shapes = jax.eval_shape(step, cache, ids[:, 0], first)[:2]
  logits, hidden = (None if x is None else jnp.zeros(x.shape, x.dtype) for x in shapes)
  seen = None if hidden is None else jnp.zeros((*ids.shape, hidden.shape[-1]), hidden.dtype)

  def read(state):
    place, cache, _, seen = state
    logits, hidden, cache = step(cache, ids[:, place], place)
    return place + 1, cache, logits, None if seen is None else seen.at[:, place].set(hidden)

  return jax.lax.while_loop(lambda state: state[0] < last, read, (first, cache, logits, seen))[1:]


def _rows(cache: Any, rows: Array, axis: int) -> Any:
  return jax.tree.map(lambda x: jnp.take(x, rows, axis), cache)


def _is(ids: Array, end: int | None) -> Array:
  return jnp.zeros(ids.shape, bool) if end is None else ids == end
