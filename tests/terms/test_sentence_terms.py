"""Terms over texts: what they show to which network, and what it costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.bert import Bert
from jssl.models.heads import Linear
from jssl.models.transformer import Decoder, LmHead, TokenDecoder
from jssl.objectives import cosine_regression, kl_align, replaced_token_detection, simcse, token_cross_entropy
from jssl.terms.elastic import elastic
from jssl.terms.label_pairs import label_pairs
from jssl.terms.sentence import denoising, difference
from jssl.terms.tokens import masked_autoencoder_lm, masked_lm
from jssl.terms.two_view import two_view
from jssl.views.columns import columns
from jssl.views.text import deleted, mask_tokens, twice

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


def encode(term, nets):
  return term.encode(nets, None, BATCH, KEYS)


def judge(term, nets, encoded=None, key=0):
  return term.judge(nets, encode(term, nets) if encoded is None else encoded, {}, jax.random.key(key), jnp.int32(0))[0]


def test_masked_words_are_told_where_they_were_hidden(nets):
  term = masked_lm(objective=token_cross_entropy, mask=mask_tokens)
  encoded = encode(term, nets)
  hidden = mask_tokens(jax.vmap(jax.random.fold_in, (0, None))(KEYS, 0), IDS)
  for i in range(B):
    places = np.asarray(hidden.places)[i][np.asarray(hidden.valid)[i]]
    np.testing.assert_array_equal(encoded['tokens'][i][encoded['mask'][i]], IDS[i, places])
  logits, told = np.asarray(encoded['logits'], np.float64)[encoded['mask']], np.asarray(encoded['tokens'])[encoded['mask']]
  by_hand = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(told)), told])
  assert float(judge(term, nets, encoded)) == pytest.approx(by_hand, rel=1e-5)


def test_the_encoder_of_a_masked_autoencoder_does_not_see_what_is_hidden(nets):
  term = masked_autoencoder_lm(objective=token_cross_entropy, mask=mask_tokens, decoder='rebuild')
  hidden = mask_tokens(jax.vmap(jax.random.fold_in, (0, None))(KEYS, 0), IDS)
  other = jnp.where(hidden.mask, 5 + (IDS - 4) % (V - 5), IDS)
  before, after = encode(term, nets), term.encode(nets, None, {'ids': other}, KEYS)
  np.testing.assert_allclose(before['logits'], after['logits'], atol=1e-5)
  assert not np.array_equal(before['tokens'], after['tokens'])


def test_leaving_tokens_unattended_is_leaving_them_out():
  net = bert(0)
  x, seen = net.embed(IDS[:1]), jnp.arange(N) != 4
  np.testing.assert_allclose(
    net.encode(x, seen[None]).tokens[:, seen], net.encode(x[:, seen], jnp.ones((1, N - 1), bool)).tokens, atol=1e-5
  )


def hybrid(weight=0.1):
  return difference(
    objectives=dict(contrast=simcse, detect=replaced_token_detection), view=twice, mask=mask_tokens, weight_detect=weight, lm='guess'
  )


def test_replaced_tokens_are_the_generators_and_no_gradient_reaches_it(nets):
  encoded = encode(hybrid(), nets)
  assert encoded['replaced'].any() and not (encoded['replaced'] & (IDS < 5)).any()
  split = {name: nnx.split(net) for name, net in nets.items()}

  def loss(params):
    return judge(hybrid(), {name: nnx.merge(split[name][0], params[name]) for name in nets})

  grads = jax.grad(loss)({name: state for name, (_, state) in split.items()})
  size = lambda name: sum(float(jnp.sum(jnp.abs(x))) for x in jax.tree.leaves(grads[name]))
  assert size('generator') == size('guess') == 0
  assert min(size(name) for name in ('backbone', 'projector', 'discriminator', 'replaced')) > 0


def test_a_hybrid_runs_the_encoder_no_more_often_than_the_contrast_alone(nets):
  """Its FLOPs are those of the contrast, the generator and the discriminator; a further pass of the encoder would show."""
  ids = jax.ShapeDtypeStruct(IDS.shape, IDS.dtype)

  def flops(f):
    return jax.jit(lambda ids, keys: f(ids, keys)).lower(ids, KEYS).compile().cost_analysis()['flops']

  run = lambda term: lambda ids, keys: judge(term, nets, term.encode(nets, None, {'ids': ids}, keys))
  contrast = flops(run(two_view(objective=simcse, view=twice, pairs=((0, 1),))))
  one_pass = flops(lambda ids, keys: nets['backbone'](ids, keys=keys).pooled)
  m = mask_tokens(KEYS, IDS).places.shape[1]
  generate = flops(lambda ids, keys: nets['guess'](nets['generator'](ids, mask=ids > 9).tokens[:, :m], nets['generator'].table))
  detect = flops(lambda ids, keys: nets['replaced'](nets['discriminator'](ids, keys=keys).tokens))
  total, by_hand = flops(run(hybrid())), contrast + generate + detect
  assert total == pytest.approx(by_hand, abs=0.2 * one_pass), (total, contrast, generate, detect, one_pass)


def test_a_sentence_is_rebuilt_from_its_vector(nets):
  term = denoising(objectives=dict(denoise=token_cross_entropy, contrast=simcse), view=lambda k, b: deleted(k, b, original=False), rate=0.5)
  encoded = encode(term, nets)
  assert encoded['logits'].shape == (B, N, V) and encoded['q'].shape == (B, D)
  swapped = term.encode({**nets, 'projector': lambda z: nets['projector'](z)[::-1]}, None, BATCH, KEYS)
  assert not np.allclose(encoded['logits'], swapped['logits'])
  alone = [judge(denoising(objectives=dict(denoise=token_cross_entropy, contrast=simcse), view=twice, **w), nets)
           for w in (dict(), dict(weight_denoise=0.0), dict(weight_contrast=0.0))]  # fmt: skip
  assert float(alone[0]) == pytest.approx(float(alone[1] + alone[2]), rel=1e-5)


def test_elastic_without_its_parts_is_the_objective_alone(nets):
  make = lambda **weights: elastic(objective=simcse, align=kl_align, view=twice, dims=(4,), **weights)
  encoded = encode(make(), nets)
  assert encoded.shape == (B, 2, 2, D)
  z = np.asarray(encoded)
  plain = float(judge(make(weight_cut=0.0, weight_layer=0.0, weight_align=0.0), nets, encoded))
  ell = lambda layer, d: float(jnp.mean(simcse(z[:, 0, layer, :d], z[:, 1, layer, :d])))
  near = lambda d: np.mean([float(jnp.mean(kl_align(z[:, v, 0, :d], z[:, v, 1, :d]))) for v in (0, 1)])
  assert plain == pytest.approx(ell(1, D), rel=1e-5)
  whole = ell(1, D) + ell(1, 4) + ell(0, D) + ell(0, 4) + near(D) + near(4)
  assert float(judge(make(), nets, encoded)) == pytest.approx(whole, rel=1e-5)


def test_partners_are_of_the_same_class_and_of_others(nets):
  seen = []

  def objective(q, k, *, labels):
    seen.append((np.asarray(q), np.asarray(k), np.asarray(labels)))
    return cosine_regression(q, k, labels=labels)

  term = label_pairs(objective=objective, view=lambda k, b: columns(k, b, names=('ids',)), pairs=3)
  encoded = encode(term, nets)
  judge(term, nets, encoded)
  assert len(seen) == 6
  label, z = np.asarray(BATCH['label']), np.asarray(encoded['z'])
  for q, k, y in seen:
    partner = [int(np.argmin(np.abs(z - row).sum(1))) for row in k]
    np.testing.assert_array_equal(label[partner] == label, y == 1)
    np.testing.assert_array_equal(q, z)
    if y[0] == 1:
      assert [p == i for i, p in enumerate(partner)] == [False] * 4 + [True] * 2
