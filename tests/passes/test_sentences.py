"""Passes over texts: what they show to which network, and what it costs."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.masks.tokens import mask_tokens
from jssl.models.heads.projection import Linear
from jssl.models.text.bert import Bert
from jssl.models.text.transformer import Decoder, LmHead, TokenDecoder
from jssl.parts.groups import rates
from jssl.passes.text import masked_lm, replace_tokens, seq2seq
from jssl.passes.views import apply, embed, encode, partners
from jssl.types import salted
from jssl.views.columns import columns
from jssl.views.text import deleted, duplicate
from tests.made import tiny
from tests.passes.by_hand import given, value

V, N, D, B = 40, 12, 16, 6
KEYS = jax.random.split(jax.random.key(0), B)
IDS = jax.random.randint(jax.random.key(1), (B, N), 5, V).at[:, 0].set(2).at[3:, 8:].set(0)
BATCH = {'ids': IDS, 'label': jnp.array([0, 0, 1, 1, 2, 3])}


def bert(seed, **options):
  return Bert((N,), **dict(vocabulary=V, width=D, depth=2, heads=2, mask_id=4, std=0.2, rngs=nnx.Rngs(seed)) | options)


@pytest.fixture(scope='module')
def nets():
  backbone, generator = bert(0, dropout=0.1), bert(1, depth=1)
  nets = dict(
    backbone=backbone, generator=generator, discriminator=bert(2), projector=Linear(backbone, rngs=nnx.Rngs(3)),
    lm=LmHead(backbone, rngs=nnx.Rngs(4)), guess=LmHead(generator, rngs=nnx.Rngs(5)), replaced=Linear(D, dim=1, rngs=nnx.Rngs(6)),
    decoder=Decoder(D, depth=1, heads=2, causal=False, rngs=nnx.Rngs(7)), rebuild=TokenDecoder(D, depth=1, heads=2, rngs=nnx.Rngs(8)),
  )  # fmt: skip
  return {name: (net.eval(), net)[1] for name, net in nets.items()}


def run(passes, *wanted, nets, batch=BATCH, keys=KEYS):
  return given(passes, *wanted, nets=nets, batch=batch, keys=keys)


TOLD = ('it.logits', 'it.labels', 'it.valid')


@pytest.mark.rotating
def test_masked_words_are_told_where_they_were_hidden(nets):
  seen = run({'it': masked_lm(mask=mask_tokens)}, *TOLD, nets=nets)
  hidden = mask_tokens(salted(KEYS, 'it', 'mask'), IDS >= 5)
  for i in range(B):
    places = np.asarray(hidden.places)[i][np.asarray(hidden.valid)[i]]
    np.testing.assert_array_equal(seen('it.labels')[i][seen('it.valid')[i]], IDS[i, places])
  logits, told = (np.asarray(seen(of))[seen('it.valid')] for of in TOLD[:2])
  logits = logits.astype(np.float64)
  by_hand = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(told)), told])
  assert float(value(seen, dict(name='token_cross_entropy', of=TOLD))) == pytest.approx(by_hand, rel=1e-5)
  right = np.mean(logits.argmax(1) == told)
  assert float(value(seen, dict(name='token_accuracy', of=TOLD), 'metrics')) == pytest.approx(right, rel=1e-6)


def test_the_encoder_of_a_masked_autoencoder_does_not_see_what_is_hidden(nets):
  passes = {'it': masked_lm(mask=mask_tokens, decoder='rebuild')}
  hidden = mask_tokens(salted(KEYS, 'it', 'mask'), IDS >= 5)
  other = jnp.where(hidden.mask, 5 + (IDS - 4) % (V - 5), IDS)
  before, after = run(passes, *TOLD, nets=nets), run(passes, *TOLD, nets=nets, batch={'ids': other})
  np.testing.assert_allclose(before('it.logits'), after('it.logits'), atol=1e-5)
  assert not np.array_equal(before('it.labels'), after('it.labels'))


def test_leaving_tokens_unattended_is_leaving_them_out():
  net = bert(0)
  x, seen = net.embed(IDS[:1]), jnp.arange(N) != 4
  np.testing.assert_allclose(net.encode(x, seen[None]).tokens[:, seen], net.encode(x[:, seen], jnp.ones((1, N - 1), bool)).tokens, atol=1e-5)


CONTRAST = dict(name='simcse', of=('sentence.q', 'sentence.k'), pairs=((0, 1),))
DETECT = dict(name='replaced_token_detection', of=('logits.score', 'corrupt.replaced', 'corrupt.real'), weight=0.1)


def contrast(nets, **given):
  seen = run({'sentence': embed(view=duplicate, heads=('projector',))}, 'sentence.q', 'sentence.k', nets=nets, **given)
  return value(seen, CONTRAST)


def hybrid(nets, **given):
  """DiffCSE: one sentence twice, and told from an edit of itself by the vector of the first."""
  passes = {
    'sentence': embed(view=duplicate, heads=('projector',)),
    'corrupt': replace_tokens(mask=mask_tokens, head='guess'),
    'judged': (encode(on='corrupt.ids', network='discriminator', first_token='sentence.q[0]'), 'corrupt.ids', 'sentence.q[0]'),
    'logits': (apply(network='replaced', on='judged.tokens'), 'judged.tokens'),
  }
  seen = run(passes, 'sentence.q', 'sentence.k', *DETECT['of'], nets=nets, **given)
  return seen, value(seen, CONTRAST) + 0.1 * value(seen, DETECT)


@pytest.mark.rotating
def test_replaced_tokens_are_the_generators_and_no_gradient_reaches_it(nets):
  seen, _ = hybrid(nets)
  replaced, hidden = seen('corrupt.replaced'), mask_tokens(salted(KEYS, 'corrupt', 'mask'), IDS >= 5)
  assert replaced.any() and not (replaced & (IDS < 5)).any() and not (replaced & ~hidden.mask).any()
  np.testing.assert_array_equal(seen('corrupt.real'), IDS != 0)
  split = {name: nnx.split(net) for name, net in nets.items()}

  def loss(params):
    return hybrid({name: nnx.merge(split[name][0], params[name]) for name in nets})[1]

  grads = jax.grad(loss)({name: state for name, (_, state) in split.items()})
  size = lambda name: sum(float(jnp.sum(jnp.abs(x))) for x in jax.tree.leaves(grads[name]))
  assert size('generator') == size('guess') == 0
  assert min(size(name) for name in ('backbone', 'projector', 'discriminator', 'replaced')) > 0


def test_the_generator_of_diffcse_is_frozen():
  """Neither losses nor weight decay move what has a rate of 0."""
  c = tiny('diffcse')
  moves = rates({name: {'kernel': np.ones(1)} for name in ('backbone', *c['heads'])}, c['optimizer']['parts'])
  assert {name for name, of in moves.items() if of['kernel'] == 0} == {'generator', 'lm'}


def test_a_generator_may_draw_its_tokens(nets):
  fill = lambda **options: run({'it': replace_tokens(mask=mask_tokens, head='guess', **options)}, 'it.ids', nets=nets)('it.ids')
  hidden = mask_tokens(salted(KEYS, 'it', 'mask'), IDS >= 5)
  assert not np.array_equal(fill(), fill(sample=True))
  np.testing.assert_array_equal(np.where(hidden.mask, 0, fill(sample=True)), np.where(hidden.mask, 0, IDS))


def test_a_hybrid_runs_the_encoder_no_more_often_than_the_contrast_alone(nets):
  """Its FLOPs are those of the contrast, the generator and the discriminator; a further pass of the encoder would show."""
  ids = jax.ShapeDtypeStruct(IDS.shape, IDS.dtype)

  def flops(f):
    return jax.jit(lambda ids, keys: f(ids, keys)).lower(ids, KEYS).compile().cost_analysis()['flops']

  alone = flops(lambda ids, keys: contrast(nets, batch={'ids': ids}, keys=keys))
  one_pass = flops(lambda ids, keys: nets['backbone'](ids, keys=keys).pooled)
  m = mask_tokens(KEYS, IDS >= 5).places.shape[1]
  generate = flops(lambda ids, keys: nets['guess'](nets['generator'](ids, mask=ids > 9).tokens[:, :m], nets['generator'].table))
  detect = flops(lambda ids, keys: nets['replaced'](nets['discriminator'](ids, keys=keys).tokens))
  total, by_hand = flops(lambda ids, keys: hybrid(nets, batch={'ids': ids}, keys=keys)[1]), alone + generate + detect
  assert total == pytest.approx(by_hand, abs=0.05 * one_pass), (total, alone, generate, detect, one_pass)


def test_a_sentence_is_rebuilt_from_its_vector(nets):
  passes = {
    'views': embed(view=lambda keys, batch: deleted(keys, batch, original=False), heads=('projector',)),
    'told': (seq2seq(text='ids', context='views.q[0]', shift=False, drop=0.5), 'views.q[0]'),
  }
  wanted = ('views.q', 'views.k', 'told.logits')
  seen = run(passes, *wanted, nets=nets)
  assert seen('told.logits').shape == (B, N, V) and seen('views.q[0]').shape == (B, D)
  np.testing.assert_array_equal(seen('told.labels'), IDS)
  swapped = run(passes, *wanted, nets={**nets, 'projector': lambda z: nets['projector'](z)[::-1]})
  assert not np.allclose(seen('told.logits'), swapped('told.logits'))


def test_the_thinned_text_passes_no_gradient_on(nets):
  backbone, vector = nets['backbone'], jax.random.normal(jax.random.key(5), (B, D))

  def told(scale, vector):
    scaled = SimpleNamespace(table=backbone.table, embed=lambda ids, keys=None: scale * backbone.embed(ids))
    of = {'it': (seq2seq(text='ids', context='batch.vector', shift=False, drop=0.5), 'batch.vector')}
    seen = run(of, *TOLD, nets={**nets, 'backbone': scaled}, batch={**BATCH, 'vector': vector})
    return value(seen, dict(name='token_cross_entropy', of=TOLD))

  by_text, by_vector = jax.grad(told, (0, 1))(1.0, vector)
  assert by_text == 0 and told(2.0, vector) != told(1.0, vector) and np.all(np.abs(by_vector).sum(1) > 0)


def test_one_text_is_told_from_another_token_by_token(nets):
  """Shifted by one place: what comes later does not reach a token."""
  nets = {**nets, 'decoder': Decoder(D, depth=1, heads=2, causal=True, rngs=nnx.Rngs(7))}
  passes = {'it': seq2seq(text='other')}
  other = jnp.flip(IDS, 0)
  seen = run(passes, *TOLD, nets=nets, batch={'ids': IDS, 'other': other})
  np.testing.assert_array_equal(seen('it.labels'), other[:, 1:])
  np.testing.assert_array_equal(seen('it.valid'), other[:, 1:] != 0)
  changed = run(passes, *TOLD, nets=nets, batch={'ids': IDS, 'other': other.at[:, 5].set(9)})
  moved = np.abs(seen('it.logits') - changed('it.logits')).max((0, 2)) > 1e-6
  assert not moved[:5].any() and moved[5]


def test_pooled_layers_leave_padding_out(nets):
  seen = run({'it': embed(view=duplicate)}, 'it.pooled_layers', 'it.layers', nets=nets)
  assert seen('it.pooled_layers[0]').shape == (B, 2, D) and seen('it.layers[0]').shape == (B, 3, N, D)
  real = np.asarray(IDS != 0)
  for i in range(B):
    by_hand = np.asarray(seen('it.layers[0]'))[i, 1:][:, real[i]].mean(1)
    np.testing.assert_allclose(seen('it.pooled_layers[0]')[i], by_hand, rtol=1e-4, atol=1e-6)


def test_partners_are_of_the_same_class_and_of_others(nets):
  passes = {
    'text': embed(view=lambda k, b: columns(k, b, names=('ids',))),
    'partners': (partners(on='whole.text.q[0]', pairs=3), 'whole.text.q[0]'),
  }
  wanted = ('text.q[0]', 'partners.k', 'partners.same', 'partners.weight')
  batch = {**BATCH, 'example': jnp.arange(B)}
  seen = run(passes, *wanted, nets=nets, batch=batch)
  label, z = np.asarray(BATCH['label']), np.asarray(seen('text.q[0]'))
  assert sorted(seen('partners.k')) == list(range(6))
  for i, k in seen('partners.k').items():
    partner = [int(np.argmin(np.abs(z - row).sum(1))) for row in k]
    np.testing.assert_array_equal(label[partner] == label, seen(f'partners.same[{i}]') == 1)
    np.testing.assert_array_equal(seen(f'partners.weight[{i}]'), 1)
    if i % 2 == 0:  # of the same class: itself where it is alone, and another one where it is not
      np.testing.assert_array_equal(seen(f'partners.same[{i}]'), 1)
      assert [p == j for j, p in enumerate(partner)] == [False] * 4 + [True] * 2
  of = dict(q='text.q[0]', k='partners.k', labels='partners.same', weights='partners.weight')
  loss = value(seen, dict(name='cosine_regression', of=of, over='views'))
  cosine = lambda a, b: np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
  by_hand = np.mean([(1 - i % 2 - cosine(z, np.asarray(k))) ** 2 for i, k in seen('partners.k').items()])
  np.testing.assert_allclose(loss, by_hand, rtol=1e-4)
  # Where all are of one class there are no others to meet.
  alike = run(passes, *wanted, nets=nets, batch={**batch, 'label': jnp.zeros(B, int)})
  assert [float(alike(f'partners.weight[{i}]').max()) for i in range(6)] == [1, 0] * 3
