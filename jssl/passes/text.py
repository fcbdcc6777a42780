"""Passes over token ids: masked, replaced, or autoregressive."""

import jax
import jax.numpy as jnp

from jssl.models.layers.dropout import dropout
from jssl.ops.look_up import pick
from jssl.types import Array, Call, Keys, Pass, Ref, TokenMask, fold


def masked_lm(*, mask: TokenMask, column: str = 'ids', encoder: str = 'backbone', head: str = 'lm', decoder: str | None = None) -> Pass:
  """Replaces masked tokens by [MASK], and predicts them from their context.

  Logits are computed at masked positions only: logits over a vocabulary are the largest arrays.

  Args:
    mask: (keys, tokens that may be masked [b n]) -> `Hidden`.
    column: column of ids.
    encoder: (ids, mask) -> Features; has a `table`.
    head: (tokens, table) -> logits.
    decoder: if given, the encoder reads the unmasked tokens only, and [MASK] enters at the decoder, tokens [b n d] -> [b n d]; the encoder then
      needs `embed`, `encode` and `mask_id`.

  Outputs:
    logits [b m v], labels [b m], valid [b m] bool, at m masked positions; mask [b n] bool, True = masked; tokens [b n d].
  """

  def run(call: Call):
    ids, net, facts = call.batch[column], call.nets[encoder], call.columns[column]
    hidden = mask(call.key('mask'), facts.maskable(ids))
    keys = call.key('encoder')
    if decoder is None:
      tokens = net(ids, mask=hidden.mask, keys=keys).tokens
    else:
      real = facts.real(ids)
      # Excluding tokens from attention has the same effect on the others as removing them, with static shapes.
      x = net.encode(net.embed(ids, keys=keys), real & ~hidden.mask, keys=keys).tokens
      x = jnp.where(hidden.mask[..., None], net.embed(jnp.full_like(ids, net.mask_id)), x)
      tokens = call.nets[decoder](x, mask=real, keys=call.key('decoder'))
    logits = call.nets[head](at_places(tokens, hidden.places), net.table)
    return {'logits': logits, 'labels': at_places(ids, hidden.places), 'valid': hidden.valid, 'mask': hidden.mask, 'tokens': tokens}

  return Pass(run, ('logits', 'labels', 'valid', 'mask', 'tokens'))


def replace_tokens(*, mask: TokenMask, column: str = 'ids', generator: str = 'generator', head: str = 'lm', sample: bool = False) -> Pass:
  """Replaces masked tokens by predictions of a generator, without gradient to it.

  Args:
    mask: (keys, tokens that may be masked [b n]) -> `Hidden`.
    column: column of ids.
    generator, head: as encoder and head of `masked_lm`.
    sample: sample from the generator's distribution; otherwise take its most likely token.

  Outputs:
    ids [b n], replaced [b n] bool where they differ from the original, real [b n] bool where they are not padding.
  """

  def run(call: Call):
    ids, net, facts = call.batch[column], call.nets[generator], call.columns[column]
    hidden = mask(call.key('mask'), facts.maskable(ids))
    logits = call.nets[head](at_places(net(ids, mask=hidden.mask).tokens, hidden.places), net.table)
    drawn = jax.vmap(jax.random.categorical)(call.key('generator'), logits) if sample else jnp.argmax(logits, -1)
    fill = lambda ids, places, new, valid: ids.at[places].set(jnp.where(valid, new, ids[places]))
    edited = jax.lax.stop_gradient(jax.vmap(fill)(ids, hidden.places, drawn.astype(ids.dtype), hidden.valid))
    return {'ids': edited, 'replaced': edited != ids, 'real': facts.real(ids)}

  return Pass(run, ('ids', 'replaced', 'real'))


def seq2seq(
  *,
  text: str = 'target',
  source: str | None = 'ids',
  context: Ref | None = None,
  shift: bool = True,
  drop: float = 0.0,
  encoder: str = 'backbone',
  decoder: str = 'decoder',
  head: str = 'lm',
) -> Pass:
  """Predicts the tokens of a text by a decoder that attends to the encoder states of another text.

  Args:
    text: column of ids to predict, [b m].
    source: column of ids that the encoder reads, [b n].
    context: [b d], a vector that the decoder attends to instead of encoder states.
    shift: predict each token from the previous ones, given the first; otherwise predict all at once from their embeddings, with dropout `drop`
      and without gradient.
    drop: dropout rate of the embedded text.
    encoder: has `embed` and `table`.
    decoder: (embedded [b m d], context [b n d], mask, context_mask) -> [b m d].
    head: (tokens, table) -> logits.

  Outputs:
    logits [b m v], labels [b m], valid [b m] bool.
  """

  def run(call: Call):
    net, y, real = call.nets[encoder], call.batch[text], call.columns[text].real
    if context is None:
      ids = call.batch[source]
      states, seen = net(ids, keys=call.key('encoder')).tokens, call.columns[source].real(ids)
    else:
      states, seen = call.read(context)[:, None], None
    if shift:
      keys = call.key('decoder')
      before = y[:, :-1]
      return told(next_logits(net, call.nets[decoder], call.nets[head], states, seen, before, real(before), keys), y[:, 1:], real)
    x = dropout(jax.lax.stop_gradient(net.embed(y)), call.key('embedding'), drop)
    tokens = call.nets[decoder](x, states, mask=real(y), context_mask=seen, keys=call.key('decoder'))
    return told(call.nets[head](tokens, net.table), y, real)

  def told(logits: Array, labels: Array, real):
    return {'logits': logits, 'labels': labels, 'valid': real(labels)}

  return Pass(run, ('logits', 'labels', 'valid'))


def causal_lm(
  *, columns: str | tuple[str, ...] = 'ids', start: int | None = None, roll: int = 0, encoder: str = 'backbone', dropout: bool = True
) -> Pass:
  """Predicts the tokens of one or several texts with a causal language model.

  Args:
    columns: columns of ids, [b n]; several become views.
    start: position of the first predicted token, at least 1; None for the `start` of the column.
    roll: take the tokens from `start` on from the example this many rows further in the whole batch, cyclically: a question is followed by the
      answer to another one, as required by KTO's reference point.
    encoder: has `logits`; the teacher's copy is the reference.
    dropout: whether the trained network uses dropout; the reference never does.

  Outputs, plain for one column and per column for several:
    logits [b m v], labels [b m], valid [b m] bool, log_prob [b], the sum over the tokens without padding; reference [b], the same by the
    teacher; length [b], the number of tokens.
  """
  names = (columns,) if isinstance(columns, str) else tuple(columns)

  def run(call: Call):
    def one(i, name):
      ids, net, facts = call.batch[name], call.nets[encoder], call.columns[name]
      begin = max(1, facts.start) if start is None else start
      if roll:
        ids = jnp.concatenate([ids[:, :begin], call.read(f'whole.batch.{name}')[further(call, roll)][:, begin:]], 1)
      keys = call.key('encoder', *([i] if len(names) > 1 else [])) if dropout else None
      logits = net.logits(net(ids, keys=keys).tokens[:, begin - 1 : -1])
      labels, valid = ids[:, begin:], facts.real(ids[:, begin:])
      found = {'logits': logits, 'labels': labels, 'valid': valid, 'length': jnp.sum(valid, 1).astype(jnp.float32)}
      if 'log_prob' in call.asked:
        found['log_prob'] = log_probability(logits, labels, valid)
      if 'reference' in call.asked:
        other = call.target[encoder]
        found['reference'] = jax.lax.stop_gradient(log_probability(other.logits(other(ids).tokens[:, begin - 1 : -1]), labels, valid))
      return found

    each = [one(i, name) for i, name in enumerate(names)]
    return each[0] if isinstance(columns, str) else {name: {i: found[name] for i, found in enumerate(each)} for name in each[0]}

  return Pass(run, ('logits', 'labels', 'valid', 'log_prob', 'reference', 'length'))


def further(call: Call, places: int) -> Array:
  """For each example, the index of the example `places` rows further in the whole batch, cyclically: [b]."""
  same = lambda column: call.batch[column][:, None] == call.read(f'whole.batch.{column}')
  here = jnp.argmax(same('example') & same('epoch'), 1)
  return (here + places) % len(call.read('whole.batch.example'))


def next_logits(net, decoder, head, context: Array, seen: Array | None, y: Array, real: Array, keys: Keys | None = None) -> Array:
  """Logits [b m v] of the tokens that follow each of y [b m], given a context [b n d]; `real` [b m] and `seen` [b n] exclude padding."""
  tokens = decoder(net.embed(y, keys=keys), context, mask=real, context_mask=seen, keys=None if keys is None else fold(keys, 1))
  return head(tokens, net.table)


def log_probability(logits: Array, labels: Array, valid: Array) -> Array:
  """Sum of the log-probabilities of the labels [b m] that are valid [b m]: [b]."""
  return jnp.sum(jnp.where(valid, pick(jax.nn.log_softmax(logits), labels), 0), 1)


def at_places(x: Array, places: Array) -> Array:
  """x [b n ...] at positions [b m] -> [b m ...]."""
  return jnp.take_along_axis(x, places.reshape(*places.shape, *[1] * (x.ndim - 2)), 1)
