"""Passes that apply networks to views, columns and outputs of other passes."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jssl.objectives.prediction import feature_norm
from jssl.ops.late_interaction import late_interaction
from jssl.ops.normalize import l2_normalize
from jssl.ops.patches import take
from jssl.ops.pooling import masked_mean
from jssl.types import Array, Call, Features, Pass, Ref, Sampler, StepMask, View


def embed(
  *,
  view: View,
  towers: Sequence[str] | str = 'backbone',
  heads: Sequence[str] | Mapping[str, Sequence[str]] = (),
  predictor: str | None = None,
  features: str = 'pooled',
  unit: bool = False,
  teacher_views: int | None = None,
  teacher_dropout: bool = False,
) -> Pass:
  """Applies a backbone and heads to the views of each example: q by the trained networks, k by the target networks.

  q_i = predictor(heads(tower(view_i))),   k_j = heads(tower(view_j)) by the teacher, or by the trained networks if there is no teacher. Views
  with the same tower and shape are passed in one call, so that batch
  norm computes joint statistics.

  Args:
    view: draws the views.
    towers: the network of each view; one name for all or one per view.
    heads: networks applied in order to the features; for separate heads per tower, tower -> networks.
    predictor: a head for the trained side only.
    features: input of the heads: 'pooled' [b d] or 'tokens' [b n d].
    unit: scale q and k to unit length.
    teacher_views: number of first views that the teacher encodes, as in multi-crop; None for all.
    teacher_dropout: use dropout in the teacher too.

  Outputs, for each view:
    x: the view itself.
    q, k: [b d] or [b n d].
    score: [b], the first feature of q, for heads with a scalar output.
    pooled, tokens, layers: `Features` of the trained backbone, with layers as [b l n d].
    pooled_layers: [b l d], the mean over the tokens of every block, without padding for ids.
  """
  if features not in ('pooled', 'tokens'):
    raise ValueError(f"features is {features!r}; choose 'pooled' or 'tokens'")

  def run(call: Call):
    views = view(call.key('view'), call.batch)
    of = dict(of=len(views))
    asked, keyed = call.views('q', 'score', **of), call.views('k', **of)
    keyed = keyed if teacher_views is None else [j for j in keyed if j < teacher_views]
    plain = call.views('pooled', 'tokens', 'layers', 'pooled_layers', **of)
    own = asked if call.target else sorted({*asked, *keyed})
    z, seen = through(call, views, sorted({*own, *plain}), towers, heads, features, 'student', plain=plain)
    q = {i: call.nets[predictor](z[i]) for i in asked} if predictor else z
    k = through(call, views, keyed, towers, heads, features, 'teacher', teacher_dropout)[0] if call.target and keyed else z
    scaled = l2_normalize if unit else lambda x: x
    found: dict[str, Any] = {
      'x': dict(enumerate(views)),
      'q': {i: scaled(q[i]) for i in asked},
      'k': {j: scaled(k[j]) for j in keyed},
      'score': {i: q[i][..., 0] for i in call.views('score', **of)},
    }
    found |= {name: {i: getattr(seen[i], name) for i in call.views(name, **of)} for name in ('pooled', 'tokens')}
    for name in ('layers', 'pooled_layers'):
      tower = lambda i: call.nets[towers if isinstance(towers, str) else towers[i]]
      found[name] = {i: _layers(seen[i], tower(i), views[i], name) for i in call.views(name, **of)}
    return found

  return Pass(run, ('q', 'k', 'x', 'score', 'pooled', 'tokens', 'layers', 'pooled_layers'))


def encode(
  *,
  on: Ref,
  network: str = 'backbone',
  embedder: str | None = None,
  first_token: Ref | None = None,
  keep: Ref | None = None,
  mask: Ref | None = None,
  time: Ref | None = None,
  types: Ref | None = None,
  visible: Ref | None = None,
  context: Ref | None = None,
  teacher: bool = False,
  last_layers: int | None = None,
) -> Pass:
  """Applies a backbone to one input: a column, or an output of another pass.

  Args:
    on: the input.
    network: the backbone.
    embedder: for token ids: the network whose `embed` is applied first; by default `network`.
    first_token: [b d], replaces the embedding of the first token.
    keep: positions [b m] of the tokens to encode.
    mask: tokens to replace by a learned one.
    time: noise level [b].
    types, visible: for token ids: token types [b n], and an attention mask [b n n] bool.
    context: additional input vectors of a contextual network: those of all examples, [B d], from a reference that begins with 'whole.', or [b m
      d].
    teacher: use the teacher's copy, without dropout and gradient.
    last_layers: number of last layers for the mean `averaged`.

  Outputs:
    tokens, pooled, layers: as in `Features`, with layers as [b l n d].
    averaged: [b n d], the mean of the last layers, each first normalised over features; without a class token.
    normalized: [b n d], the tokens normalised over their features.
    first: [b d], the first token.
  """

  refs = dict(keep=keep, mask=mask, time=time, types=types, visible=visible, context=context)

  def run(call: Call):
    nets = call.target if teacher else call.nets
    net, x = nets[network], call.read(on)
    keys = None if teacher else call.key('encoder')
    given = {name: call.read(ref) for name, ref in refs.items() if ref}
    if first_token is None and embedder is None:
      found = net(x, keys=keys, **given)
    else:
      tokens = nets[embedder or network].embed(x, keys=keys)
      tokens = tokens if first_token is None else tokens.at[:, 0].set(call.read(first_token))
      real = nets[embedder or network].attended(x)
      found = net.encode(tokens, real, keys=keys) if embedder is None else net(tokens, mask=real, keys=keys)
    found = found if isinstance(found, Features) else Features(found, found[:, 0])
    outputs = {'tokens': found.tokens, 'pooled': found.pooled, 'first': found.tokens[:, 0]}
    if 'normalized' in call.asked:
      outputs['normalized'] = feature_norm(found.tokens)
    if 'averaged' in call.asked:
      mean = feature_norm(found.layers[-(last_layers or 1) :]).mean(0)
      outputs['averaged'] = mean[:, mean.shape[1] - found.tokens.shape[1] :]
    if 'layers' in call.asked:
      outputs['layers'] = jnp.moveaxis(found.layers, 0, 1)
    return jax.lax.stop_gradient(outputs) if teacher else outputs

  return Pass(run, ('tokens', 'pooled', 'layers', 'averaged', 'normalized', 'first'))


def apply(
  *, network: str | Sequence[str], on: Ref | Sequence[Ref], by_view: bool = False, teacher: bool = False, teacher_views: Sequence[int] = ()
) -> Pass:
  """Applies a network to outputs of other passes: a decoder to tokens, a head to features, a predictor to a state and an action.

  Args:
    network: one name, or several applied in order; the first takes all inputs.
    on: its inputs, in order. If some have views, it is applied to each view, together with the inputs without views.
    by_view: the networks are one per view, not applied in order.
    teacher: use the teacher's copies, without gradient.
    teacher_views: views for which the teacher's copies are used.

  Outputs:
    out: [b ...], for each view if the inputs have views.
    score: [b], the first feature of `out`.
  """
  chain = (network,) if isinstance(network, str) else tuple(network)
  refs = (on,) if isinstance(on, str) else tuple(on)

  def run(call: Call):
    inputs = [call.read(ref) for ref in refs]
    views = next((sorted(x) for x in inputs if isinstance(x, Mapping)), None)

    def one(x, view):
      nets = call.target if teacher or view in teacher_views and call.target else call.nets
      names = (chain[view],) if by_view else chain
      purpose = ('network',) if view is None else ('network', view)
      for i, name in enumerate(names):
        x = called(nets[name], x if i == 0 else (x,), None if nets is call.target else call.key(*purpose, *([i] if i else [])))
      return jax.lax.stop_gradient(x) if teacher else x

    if views is None:
      out = one(inputs, None)
      return {'out': out, 'score': out[..., 0]} if 'score' in call.asked else {'out': out}
    out = {i: one([x[i] if isinstance(x, Mapping) else x for x in inputs], i) for i in views}
    return {'out': out, 'score': {i: x[..., 0] for i, x in out.items()}} if 'score' in call.asked else {'out': out}

  return Pass(run, ('out', 'score'))


def cross(*, each: Ref, all: Ref, network: str | None = None, mask: Ref | None = None) -> Pass:
  """Scores every example against all examples of the batch.

  Args:
    each: the examples of the micro-batch: [b d], or tokens [b n d].
    all: all examples, a reference that begins with 'whole.': [B e], or tokens [B m d].
    network: (all, each) -> scores, by rows; None for late interaction, s = sum_i max_j <each_i, all_j>.
    mask: [B m] bool, True = token; also of all examples.

  Outputs:
    scores: [b B].

  Reference: late interaction: Khattab, Zaharia, SIGIR 2020, arXiv:2004.12832, section 3.3.
  """

  def run(call: Call):
    own, whole = call.read(each), call.read(all)
    b, n = len(own), len(whole)
    if network is None:
      real = jnp.ones(whole.shape[:2], bool) if mask is None else call.read(mask)
      return {'scores': late_interaction(own, whole, real)}
    scored = call.nets[network](jnp.tile(whole, (b, 1)), jnp.repeat(own, n, 0))
    return {'scores': scored.reshape(b, n)}

  return Pass(run, ('scores',))


def partners(*, on: Ref, label: str = 'label', pairs: int = 1) -> Pass:
  """Pairs every example with others of its class, and with as many of other classes, drawn from the whole batch with its own key.

  The only example of its class is paired with itself. If all examples have the same class, there is no pair of another class, and that pair has
  `weight` 0.

  Args:
    on: embeddings of all examples, [B d]: a reference that begins with 'whole.'.
    label: column of integers.
    pairs: partners of each kind per example.

  Outputs, as 2 * pairs views, alternating between the same and another class:
    k [b d], the partner; same [b], 1.0 for the same class and 0.0 for another; weight [b], 0.0 if there is no such partner.

  Reference: Tunstall et al., arXiv:2209.11055, section 3.1.
  """

  def run(call: Call):
    z, labels, examples = call.read(on), call.read(f'whole.batch.{label}'), call.read('whole.batch.example')
    same = call.batch[label][:, None] == labels
    other = call.batch['example'][:, None] != examples
    alone = jnp.sum(same, 1, keepdims=True) == 1
    kinds = (same & (alone | other), ~same)
    found = {'k': {}, 'same': {}, 'weight': {}}
    for i in range(2 * pairs):
      of = kinds[i % 2]
      drawn = jax.vmap(jax.random.categorical)(call.key('partner', i), jnp.where(of, 0.0, -1e30))
      found['k'][i] = z[drawn]
      found['same'][i] = jnp.full(len(of), 1.0 - i % 2)
      found['weight'][i] = jnp.any(of, 1).astype(jnp.float32)
    return found

  return Pass(run, ('k', 'same', 'weight'))


def recall(*, memory: Ref, at: Ref = 'batch.example') -> Pass:
  """Reads the rows of a memory for the examples.

  Args:
    memory: [count ...].
    at: row indices [b].

  Outputs:
    out: [b ...].
  """
  return Pass(lambda call: {'out': call.read(memory)[call.read(at)]}, ('out',))


def nearest(*, on: Ref, table: Ref, count: int = 1, valid: Ref | None = None) -> Pass:
  """The rows of a table most similar to each example, by cosine, without gradient to the table.

  Args:
    on: [b d].
    table: [m d], of a memory or a network.
    count: number of rows per example.
    valid: [] bool of a memory: whether the table is filled.

  Outputs, most similar first:
    out: [b count d], zeros for missing rows.
    index: [b count], row indices; -1 for missing rows.
    valid: [b] bool.
  """

  def run(call: Call):
    x, rows = jax.lax.stop_gradient((call.read(on), call.read(table)))
    there = jnp.ones((), bool) if valid is None else call.read(valid)
    cosine = jnp.matmul(l2_normalize(x), l2_normalize(rows).T, precision='highest')
    index = jax.lax.top_k(cosine, count)[1]
    return {
      'out': jnp.where(there, rows[index], 0),
      'index': jnp.where(there, index, -1),
      'valid': jnp.broadcast_to(there, len(x)),
    }

  return Pass(run, ('out', 'index', 'valid'))


def gather(*, on: Mapping[str, Ref], at: Mapping[str, Ref]) -> Pass:
  """Selects tokens at positions.

  Args:
    on: name -> tokens [b n d].
    at: name -> positions [b m].

  Outputs:
    [b m d] under these names.
  """
  return Pass(lambda call: {name: take(call.read(ref), call.read(at[name])) for name, ref in on.items()}, tuple(on))


def draw(*, view: View) -> Pass:
  """Draws views.

  Outputs:
    x: one for each view.
  """
  return Pass(lambda call: {'x': dict(enumerate(view(call.key('view'), call.batch)))}, ('x',))


def sample(*, sampler: Sampler) -> Pass:
  """Returns the draws of a sampler.

  Outputs:
    The arrays of the sampler, by its names.
  """
  return Pass(lambda call: dict(sampler(call.key('view'), call.batch)), None)


def hide(*, mask: StepMask, on: Ref) -> Pass:
  """A mask over a series, a text, or tokens.

  Args:
    mask: (keys, x) -> a mask, or a named tuple with a mask and other fields.
    on: x, [b n ...].

  Outputs:
    mask: [b n] or [b n c] bool, True = masked; and the other fields that the mask returns.
  """

  def run(call: Call):
    found = mask(call.key('mask'), call.read(on))
    return found._asdict() if hasattr(found, '_asdict') else {'mask': found}

  return Pass(run, None)


def through(call: Call, views: Sequence, which: Sequence[int], towers, heads, features: str, side: str, dropout: bool = True, plain=()):
  """Outputs of heads for the views in `which`, and outputs of the tower for those in `plain`; views with the same tower and shape share one
  call.
  """
  nets = call.target if side == 'teacher' else call.nets
  groups: dict[tuple, list[int]] = {}
  for i in which:
    tower = towers if isinstance(towers, str) else towers[i]
    shape = tuple(leaf.shape for leaf in jax.tree.leaves(views[i]))
    groups.setdefault((tower, shape), []).append(i)
  out, seen = {}, {}
  for (tower, _), members in groups.items():
    # Interleaved, not concatenated: each device then keeps its own examples, and no data moves between devices.
    merge = lambda *x: jnp.stack(x, 1).reshape(-1, *x[0].shape[1:])
    part = lambda x, members=members: jnp.unstack(x.reshape(-1, len(members), *x.shape[1:]), axis=1)
    x = jax.tree.map(merge, *(views[i] for i in members))
    found = nets[tower](x, keys=merge(*(call.key(side, i) for i in members)) if dropout else None)
    z = getattr(found, features)
    for head in heads[tower] if isinstance(heads, Mapping) else heads:
      z = nets[head](z)
    out |= zip(members, part(z), strict=True)
    if set(members) & set(plain):
      layers = [None] * len(members) if found.layers is None else part(jnp.moveaxis(found.layers, 0, 1))
      seen |= zip(members, map(Features, part(found.tokens), part(found.pooled), layers), strict=True)
  return out, seen


def called(net: Any, inputs: Sequence[Array], keys: Array | None) -> Array:
  """Calls a network, with keys if it takes them."""
  takes = 'keys' in inspect.signature(net).parameters
  return net(*inputs, keys=keys) if takes else net(*inputs)


def _layers(found: Features, net: Any, x: Array, name: str) -> Array:
  if found.layers is None:
    raise ValueError(f'{name} needs the layers of a network, which this one does not return')
  if name == 'layers':
    return found.layers
  layers = jnp.moveaxis(found.layers[:, 1:], 1, 0)
  pooled = masked_mean(layers, net.attended(x)) if hasattr(net, 'attended') else layers.mean(2)
  return jnp.moveaxis(pooled, 0, 1)
