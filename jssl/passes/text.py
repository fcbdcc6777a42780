"""Passes over token ids: some are hidden, replaced, or written one after the other."""

import jax
import jax.numpy as jnp

from jssl.models.layers.dropout import dropout
from jssl.ops.look_up import pick
from jssl.types import Array, Call, Keys, Pass, Ref, TokenMask, fold


def masked_lm(*, mask: TokenMask, column: str = 'ids', encoder: str = 'backbone', head: str = 'lm', decoder: str | None = None) -> Pass:
  """Hidden tokens are replaced by [MASK], and predicted from the tokens around them.

  Logits are computed at hidden places alone: over a vocabulary they are the largest thing there is.

  Args:
    mask: (keys, which tokens may be hidden [b n]) -> `Hidden`.
    column: of ids.
    encoder: (ids, mask) -> Features, with a `table`.
    head: (tokens, table) -> logits.
    decoder: with it the encoder sees the other tokens alone, and [MASK] enters at the decoder, tokens [b n d] -> [b n d]; the
      encoder has `embed`, `encode` and `mask_id` then.

  Gives:
    logits [b m v], labels [b m], valid [b m] bool, at m hidden places; mask [b n] bool, True = hidden; tokens [b n d].
  """

  def run(call: Call):
    ids, net, facts = call.batch[column], call.nets[encoder], call.columns[column]
    hidden = mask(call.key('mask'), facts.maskable(ids))
    keys = call.key('encoder')
    if decoder is None:
      tokens = net(ids, mask=hidden.mask, keys=keys).tokens
    else:
      real = facts.real(ids)
      # Not to be attended to is, for the others, not to be there; shapes stay static.
      x = net.encode(net.embed(ids, keys=keys), real & ~hidden.mask, keys=keys).tokens
      x = jnp.where(hidden.mask[..., None], net.embed(jnp.full_like(ids, net.mask_id)), x)
      tokens = call.nets[decoder](x, mask=real, keys=call.key('decoder'))
    logits = call.nets[head](at_places(tokens, hidden.places), net.table)
    return {'logits': logits, 'labels': at_places(ids, hidden.places), 'valid': hidden.valid, 'mask': hidden.mask, 'tokens': tokens}

  return Pass(run, ('logits', 'labels', 'valid', 'mask', 'tokens'))


def replace_tokens(*, mask: TokenMask, column: str = 'ids', generator: str = 'generator', head: str = 'lm', sample: bool = False) -> Pass:
  """A generator fills hidden tokens in; no gradient reaches it.

  Args:
    mask: (keys, which tokens may be hidden [b n]) -> `Hidden`.
    column: of ids.
    generator, head: as encoder and head of `masked_lm`.
    sample: draw from the generator's distribution; otherwise its most likely token is taken.

  Gives:
    ids [b n], replaced [b n] bool where they differ from the original, real [b n] bool where they are tokens.
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
  """A decoder that attends to what an encoder made of one text predicts the tokens of another.

  Args:
    text: column of ids that are predicted, [b m].
    source: column of ids that the encoder reads, [b n].
    context: [b d], a vector that the decoder attends to instead.
    shift: each token is predicted from those before it, the first being known; otherwise all are predicted at once from
      embeddings that `drop` has thinned out, through which no gradient flows.
    drop: rate of dropout of the embedded text.
    encoder: with `embed` and `table`.
    decoder: (embedded [b m d], context [b n d], mask, context_mask) -> [b m d].
    head: (tokens, table) -> logits.

  Gives:
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
  """A language model that looks backwards predicts the tokens of one text, or of several.

  Args:
    columns: of ids, [b n]; several are views.
    start: place of the first token that is predicted; None for the column's own, and at least 1.
    roll: the tokens from `start` on are those of the example this many places further in the whole batch, around its end: a question
      is followed by the answer to another one, as KTO's reference point asks for.
    encoder: with `logits`; the teacher's copy is the reference.
    dropout: whether the trained network drops out; the reference never does.

  Gives, of one column as they are and of several for each:
    logits [b m v], labels [b m], valid [b m] bool, log_prob [b], the sum over the tokens, padding left out; reference [b], the
    same by the teacher; length [b], the number of tokens.
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
  """Which example of the whole batch is so many places further than each one, around the end: [b]."""
  same = lambda column: call.batch[column][:, None] == call.read(f'whole.batch.{column}')
  here = jnp.argmax(same('example') & same('epoch'), 1)
  return (here + places) % len(call.read('whole.batch.example'))


def next_logits(net, decoder, head, context: Array, seen: Array | None, y: Array, real: Array, keys: Keys | None = None) -> Array:
  """Logits [b m v] of the tokens that follow each of y [b m], after a context [b n d]; `real` [b m] and `seen` [b n] are tokens."""
  tokens = decoder(net.embed(y, keys=keys), context, mask=real, context_mask=seen, keys=None if keys is None else fold(keys, 1))
  return head(tokens, net.table)


def log_probability(logits: Array, labels: Array, valid: Array) -> Array:
  """Log-probability [b] of those labels [b m] that are valid [b m]."""
  return jnp.sum(jnp.where(valid, pick(jax.nn.log_softmax(logits), labels), 0), 1)


def at_places(x: Array, places: Array) -> Array:
  """x [b n ...] at places [b m] -> [b m ...]."""
  return jnp.take_along_axis(x, places.reshape(*places.shape, *[1] * (x.ndim - 2)), 1)
