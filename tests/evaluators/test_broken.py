"""Every protocol refuses a representation of NaN, and gives a constant one what chance gives, or refuses it.

The examples stand in the order that suits a ranking which breaks ties by position: sorted by label, relevant ones first.
"""

from functools import cache, partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.metrics import average_precision_score

from jssl.data.control import rollouts
from jssl.data.core.arrays import Columns, arrays
from jssl.data.graph.knowledge import triples
from jssl.data.preference.chains import chains
from jssl.data.text.tokenize import wordpiece
from jssl.evaluators import Subject, needs
from jssl.tables import EVALUATORS as PROTOCOLS
from jssl.tables import TRANSFORMS
from jssl.types import Features
from jssl.views.image import augment

KEY = jax.random.key(0)
VOCABULARY, WIDTH = 20, 8


class Constant:
  """A network whose every output is `value`, whatever it is given."""

  count, mask_id = 12, 1

  def __init__(self, value):
    self.value = value
    self.table = self.fill(VOCABULARY + 12, WIDTH)

  def fill(self, *shape):
    return jnp.full(shape, self.value, jnp.float32)

  def __call__(self, x, *_, **__):
    b, n = len(x), x.shape[1] if x.ndim == 2 else 4
    return Features(self.fill(b, n, WIDTH), self.fill(b, WIDTH), self.fill(3, b, n, WIDTH))

  def embed(self, x, **_):
    return self.fill(*x.shape, WIDTH)

  def encode(self, x, *_, **__):
    return self(x[..., 0])

  def logits(self, tokens):
    return self.fill(*tokens.shape[:-1], VOCABULARY)

  def neurons(self, x):
    return self.fill(2, *x.shape, WIDTH)

  def pushed(self, layer, by):
    return self


class Same(nnx.Module):
  """A network with a parameter, its only output."""

  def __init__(self, value):
    self.bias = nnx.Param(jnp.full(WIDTH, value, jnp.float32))

  def __call__(self, x):
    return jnp.broadcast_to(self.bias[...], (len(x), WIDTH))


def networks(backbone, head):
  """A backbone and all heads that protocols ask for, each constant."""
  net, of = Constant(backbone), Constant(head)
  one = lambda *shape: lambda z, *_, **__: of.fill(*z.shape[: z.ndim - 1], *shape)
  return dict(
    backbone=net, projector=one(6), classifier=one(4), lm=one(VOCABULARY), reward=one(1), q=one(4), head=one(5), decoder=one(WIDTH),
    act=lambda tokens: of.fill(len(tokens), 5, 2), cell=one(WIDTH), relations=lambda h, r, t: jnp.sum(h * t, -1) + of.fill(1),
    side=lambda x: Features(None, of.fill(len(x), 6)), relation=lambda u, v: of.fill(len(u), 2), same=lambda z: z, tuned=Same(backbone),
  )  # fmt: skip


def sorted_labels(*counts):
  return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


@cache
def images():
  rng = np.random.default_rng(0)
  y, test_y = sorted_labels(10, 20, 10, 10), sorted_labels(16, 8, 8, 8)
  x, test_x = (rng.random((len(labels), 4, 4, 1), np.float32) for labels in (y, test_y))
  modes = lambda x: dict(a=x[:, 0, 0], b=np.sign(x[:, 1, 0] - 0.5), c=np.sign(x[:, 2, 0] - 0.5))
  more = lambda x, y: dict(factors=x[:, 0, :3, 0], truth=x[:, 1, :2, 0], cells=np.repeat(y[:, None], 4, 1).reshape(-1, 2, 2), **modes(x))
  data = arrays(image=x, label=y, **more(x, y), test=dict(image=test_x, label=test_y, **more(test_x, test_y)))
  return data._replace(splits={**data.splits, 'outside': data.splits['test'], 'labelled': data.splits['train']})


@cache
def texts():
  rng = np.random.default_rng(0)
  draw = lambda n: rng.integers(2, VOCABULARY, (n, 6)).astype(np.int32)
  labels = lambda n: dict(label=sorted_labels(n // 2, n // 2), relation=sorted_labels(n // 2, n // 2))
  columns = lambda n: dict(ids=draw(n), second=draw(n), attribute=np.arange(n, dtype=np.int32) % 2, **labels(n))
  a, b = np.triu_indices(12, 1)
  info = dict(
    similarity=dict(pairs=(np.stack([a, b], 1), rng.random(len(a)))),
    analogies=dict(family=np.array([[0, 1, 2, 3], [1, 0, 3, 2]])), edges=np.array([[0, 1], [2, 3]], np.int32),
  )  # fmt: skip
  stimuli = dict(ids=draw(24), label=np.tile(np.int32([1, 0]), 12), attribute=np.zeros(24, np.int32))
  data = arrays(**columns(60), test=columns(40), inputs='ids', facts=dict(ids=dict(size=VOCABULARY, start=2)), info=info)
  splits = dict(
    words=Columns(dict(ids=draw(12))), queries=Columns(dict(ids=draw(5))), documents=Columns(dict(ids=draw(200))), stimuli=Columns(stimuli),
    relevance=Columns(dict(query=np.arange(5), document=np.zeros(5, int), relevance=np.ones(5))),
    pairs=Columns(dict(a=a, b=b, score=rng.random(len(a)))),
  )  # fmt: skip
  return data._replace(splits={**data.splits, **splits})


@cache
def spoken():
  columns = lambda n: dict(wave=np.random.default_rng(0).random((n, 6), np.float32), phones=np.tile(np.int32([0, 0, 0, 1, 1, 2]), (n, 1)))
  return arrays(**columns(8), test=columns(4))


@cache
def captioned():
  rng, tokenizer = np.random.default_rng(0), wordpiece(['a photo of a cat or of a dog'], vocabulary=60)
  columns = lambda n: dict(image=rng.random((n, 4, 4, 1), np.float32), ids=rng.integers(5, 40, (n, 6)), label=sorted_labels(n // 2, n // 2))
  facts = dict(label=dict(classes=('cat', 'dog')))
  return arrays(**columns(20), test=columns(10), facts=facts, info=dict(tokenizer_json=tokenizer.to_str()))


@cache
def described():
  rng = np.random.default_rng(0)
  columns = lambda: dict(image=rng.random((20, 4, 4, 1), np.float32), ids=rng.integers(4, VOCABULARY, (20, 5)))
  return arrays(**columns(), test=columns())


@cache
def tables():
  rng = np.random.default_rng(0)
  return arrays(
    ids=rng.integers(2, VOCABULARY, (9, 6)), row=np.tile([0, 0, 0, 1, 1, 1], (9, 1)), column=np.tile([0, 1, 2], (9, 2)),
    place=np.full(9, 4), answer=np.zeros(9, int), others=np.zeros((9, 30)), facts=dict(ids=dict(size=32, first=2)),
    test=dict(
      ids=rng.integers(2, VOCABULARY, (9, 6)), row=np.tile([0, 0, 0, 1, 1, 1], (9, 1)), column=np.tile([0, 1, 2], (9, 2)),
      place=np.full(9, 4), answer=np.zeros(9, int), others=np.zeros((9, 30)),
    ),
  )  # fmt: skip


@cache
def passages():
  columns = lambda: dict(ids=np.random.default_rng(0).integers(1, VOCABULARY, (16, 6)), cipher=np.ones((16, 3), int))
  return arrays(**columns(), test=columns())


@cache
def written():
  columns = lambda: dict(body=np.random.default_rng(0).integers(4, VOCABULARY, (20, 6)), summary=np.full((20, 5), 7))
  return arrays(**columns(), test=columns())


@cache
def graph():
  """A ring: every question has one answer, so that nothing is left out of a ranking."""
  rows = np.array([(f'{i:02}', 'next', f'{(i + 1) % 12:02}') for i in range(12)])
  return triples(dict(train=rows, valid=rows[:2], test=rows[:4]))


sums = cache(partial(chains, terms=3, train=64, test=64))
rooms = cache(partial(rollouts.rooms, episodes=8, test=4))
points = cache(partial(rollouts.demonstrations, side=0, others=0, episodes=20, test=2))
plain = cache(partial(rollouts.rooms, goal=False, episodes=2, test=2))


def played(data, policy, episodes):
  return float(np.mean(data.info['play'](policy, KEY, episodes)))


def clone(f):
  actions = np.mean([row['action'][0] for row in points().splits['train']], 0)
  return f['return'] == pytest.approx(played(points(), lambda *_: jnp.asarray(actions, jnp.float32), 32), rel=1e-3)


def at_random(f):
  """The return of actions drawn at random, within three standard errors of 512 episodes."""
  share = played(rooms(), lambda observation, state, key: rooms().info['environment'].draw(key), 512)
  return abs(f['return'] - share) < 3 * np.sqrt(2 * share * (1 - share) / 512)


def expected_map():
  """The mean average precision of test images in a random order."""
  rng, y = np.random.default_rng(0), images().splits['test'].columns['label']
  found = [average_precision_score((y == y[i])[np.arange(40) != i], rng.random(39)) for i in np.tile(np.arange(40), 100)]
  return pytest.approx(np.mean(found), abs=0.01)


def equal(**expected):
  return lambda f: all(f[name] == (x() if callable(x) else x) for name, x in expected.items())


REFUSED = 'the same'
near = partial(pytest.approx, abs=1e-6)
ranked = lambda n: float(np.mean(1 / np.arange(1, n + 1)))  # the expected reciprocal of a random rank
dcg = float(np.sum(1 / np.log2(np.arange(2, 12))))
MODES = dict(columns=('a', 'b', 'c'), towers=('side',) * 3, heads=('same',) * 3)
BOTH = dict(towers=('side',) * 2, heads=('same',) * 2)

# What a protocol is asked, and what chance is: the commonest class for what is fitted to unequal classes; one of c for what breaks
# ties among c; a random order for rankings; 0 for correlations and R^2; the one answer, or random actions, for what is played.
CASES = {
  'knn': (images, {}, equal(top1=near(0.2), top1_majority=near(0.2))),  # 8 of 40: the class that is commonest in training
  'linear': (images, dict(epochs=20, batch_size=16), equal(top1=near(0.2))),
  'attentive': (images, dict(epochs=20, batch_size=16), equal(top1=near(0.2))),
  'logistic': (images, {}, equal(top1=near(0.2))),
  'cells': (images, {}, equal(top1=near(0.2))),
  'correspondence': (images, dict(view=partial(augment, crop={}), draws=2), equal(top1=near(1 / 4))),
  'fewshot': (images, {}, equal(top1_1shot=near(0.25), top1_5shot=near(0.25), top1_10shot=near(0.25))),
  'finetune': (images, dict(network='tuned', updates=3, seeds=(0,)), lambda f: f['top1'] in (near(0.2), near(0.4))),  # one class for all
  'panel': (images, dict(data=images()), equal(top1=near(0.2))),
  'clustering': (images, {}, equal(nmi=near(0), ari=near(0), top1=near(0.4))),  # one cluster, named after the commonest class
  'units': (spoken, dict(clusters=3), equal(pnmi=near(0), phone_purity=near(0.5), cluster_purity=near(1))),  # one cluster for all
  'link_prediction': (graph, {}, equal(mrr=near(2 / 13), mean_rank=near(6.5), hits1=0, hits3=0)),  # the middle of 12
  'retrieval': (texts, {}, equal(ndcg10=near(dcg / 200), map=near(ranked(200)), mrr=near(ranked(200)), recall1=near(1 / 200))),
  'word_similarity': (texts, {}, equal(pairs=0, analogy=0, analogy_mrr=near(1 / 5))),  # the middle of 9
  'sts': (texts, {}, equal(spearman=0, pearson=0)),
  'pair_classification': (texts, {}, equal(top1=0.5)),
  'retrofitted': (texts, dict(transform=TRANSFORMS['retrofit']()), equal(pairs=0)),
  'erasure': (texts, dict(attribute='attribute'), equal(attribute_top1=near(0.5), label_top1=near(0.5), tpr_gap=near(0))),
  'sts_layer': (texts, dict(layer=1), equal(spearman=0, pearson=0)),
  'token_rank': (texts, {}, equal(rank=1)),
  'fill_masked': (texts, {}, lambda f: f['exact'] == 0 and abs(f['tokens'] - 1 / VOCABULARY) < 0.05),
  'greedy_decode': (texts, {}, lambda f: f['exact'] == 0 and abs(f['tokens'] - 1 / VOCABULARY) < 0.05),
  'masked_tokens': (texts, {}, equal(top1=near(1 / VOCABULARY), loss=near(np.log(VOCABULARY)))),
  'next_tokens': (texts, {}, equal(top1=near(1 / VOCABULARY), perplexity=pytest.approx(VOCABULARY, rel=1e-5))),
  'summaries': (written, {}, lambda f: f['rouge1'] < 0.2 and f['accuracy'] == near(1 / 20) and f['nll'] == pytest.approx(np.log(20), rel=1e-5)),
  'captions': (
    described, dict(tower='backbone'),
    lambda f: f['rouge1'] < 0.3 and f['gain'] == near(0) and f['accuracy'] < 0.15 and f['nll'] == pytest.approx(np.log(20), rel=1e-5),
  ),
  'cell_filling': (tables, {}, equal(hits1=0, hits10=0, mrr=near(1 / 15.5))),  # the middle of 30
  'late_retrieval': (passages, {}, equal(recall1=near(1 / 16), mrr=near(ranked(16)), map=near(ranked(16)))),
  'image_text_retrieval': (captioned, BOTH, equal(i2t_recall1=near(1 / 10), t2i_recall5=near(1 / 2))),
  'zero_shot': (captioned, BOTH, equal(top1=0.5)),
  'sparse': (texts, {}, equal(k1_f1=near(0.5), dense_f1=near(0.5))),  # a coin
  'random_neurons': (texts, {}, equal(k1_f1=near(0.5), dense_f1=near(0.5))),
  'description_length': (texts, {}, lambda f: 0.7 < f['layer0_compression'] < 1.01 and f['moved'] < 1e-6),  # no bit is saved
  'mixing_weights': (texts, {}, equal(accuracy=near(0.5), moved=near(0))),
  'reading': (texts, dict(transform=TRANSFORMS['lat']()), equal(accuracy=0.5)),
  'steering': (texts, dict(transform=TRANSFORMS['lat'](), layer=0), equal(effect=near(0), judge=near(0.5))),
  'verification': (images, {}, equal(eer=0.5)),
  'classify': (images, {}, equal(top1=0.25)),
  'ood': (images, {}, equal(top1=0.25, auroc_evidence=0.5, auroc_probability=0.5)),
  'class_consistency': (images, {}, equal(consistency=near(0.4), map=expected_map)),
  'equivariance': (images, dict(view=augment, draws=2), REFUSED),
  'spread': (images, {}, lambda f: f['nearest'] < 1e-3),
  'isotropy': (images, {}, lambda f: f['rank'] == pytest.approx(1, rel=1e-4) and f['distance'] > 0.1),  # one point
  'modality_completion': (images, MODES, lambda f: f['top1'] == near(1 / f['values'])),
  'disentanglement': (images, dict(trees=3), lambda f: f['disentanglement'] == f['completeness'] == 0 and f['informativeness'] < 0.1),
  'pair_rewards': (sums, {}, equal(accuracy=0.5)),
  'pair_likelihoods': (sums, {}, equal(accuracy=0.5)),
  'answers': (sums, {}, lambda f: f['right'] < 0.15),
  'partial_reward': (sums, {}, equal(goal_auroc=0.5, reward_auroc=0.5, accuracy=0.5)),
  'regression': (images, {}, lambda f: -0.1 < f['r2'] <= 0),
  'labelled_regression': (images, {}, lambda f: -0.1 < f['r2'] <= 0),
  'cloning': (points, dict(episodes=32), clone),  # one action for all
  'control': (rooms, dict(episodes=512), at_random),
  'chunk_control': (points, dict(decoder='act', episodes=32),
                    lambda f: f['return'] == pytest.approx(played(points(), lambda *_: jnp.ones(2), 32), rel=1e-3)),
  'laplacian': (plain, {}, equal(cosine=near(1 / 5))),  # a constant is one of the five eigenvectors
  'column_cosine': (plain, {}, equal(cosine=0)),  # of columns of zeros
}  # fmt: skip


def case(name, backbone, head):
  """A subject of which there is only what the protocol declares that it needs, and what it is asked."""
  make, options, _ = CASES[name]
  return only(declared(name), make(), networks(backbone, head)), options


def declared(name):
  make, options, _ = CASES[name]
  protocol = PROTOCOLS[name]
  return needs.named(protocol.needs, needs.of_options(protocol.judge, options), make().inputs)


def only(wanted, data, nets):
  """A subject of what is wanted, and of nothing else."""
  backbone, parts = nets['backbone'], {}
  for need in wanted:
    source, *path = need.split('.')
    parts.setdefault(source, set()).update(path[:1])
  splits = {}
  for split in parts.keys() & data.splits.keys():
    rows = data.splits[split]
    columns = rows.columns if isinstance(rows, Columns) else {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    splits[split] = Columns({name: columns[name] for name in parts[split]})
  info = {name: data.info[name] for name in parts.get('info', ())}
  bare = {
    name: net if isinstance(net, nnx.Module) else Bare(net, {need.split('.')[2] for need in wanted if need.startswith(f'nets.{name}.')})
    for name, net in nets.items()
  }
  networks = {name: bare[name] for name in parts.get('nets', ())} | {'further': lambda x: x}  # none at all is raw input
  states = (lambda found: found) if 'layers' in parts else lambda found: found._replace(layers=None)
  represent = lambda columns: states(backbone(jnp.asarray(columns[data.inputs])))
  return Subject(data._replace(splits=splits, info=info), represent, networks, inputs=lambda keys, columns: (columns[data.inputs],))


class Bare:
  """A network that has of its attributes only those that are named."""

  def __init__(self, net, has):
    self.net, self.has = net, has

  def __call__(self, *given, **more):
    return self.net(*given, **more)

  def __getattr__(self, name):
    if name not in (*self.has, 'count'):  # which has to fit, where it is there
      raise AttributeError(name)
    found = getattr(self.net, name)
    return (lambda *given: self) if name == 'pushed' else found


def judge(name, backbone, head):
  subject, options = case(name, backbone, head)
  return PROTOCOLS[name](subject, KEY, **options)


def test_every_protocol_has_a_case():
  assert set(CASES) == set(PROTOCOLS)


@pytest.mark.filterwarnings('ignore:Number of distinct clusters')
@pytest.mark.parametrize('name', PROTOCOLS)
def test_a_constant_representation_scores_as_chance_does(name):
  chance = CASES[name][2]
  if chance == REFUSED:
    with pytest.raises(ValueError, match=chance):
      judge(name, 1.0, 1.0)
  else:
    figures = judge(name, 1.0, 1.0)
    assert chance(figures), figures


@pytest.mark.parametrize('name', PROTOCOLS)
def test_nan_is_refused_in_a_line(name):
  with pytest.raises(ValueError, match='nan or inf in .* rows, first in row') as refused:
    judge(name, np.nan, np.nan)
  assert '\n' not in str(refused.value)


@pytest.mark.parametrize('name', PROTOCOLS)
def test_all_that_is_declared_is_read_and_asked_for_before(name):
  """That nothing else is read is seen by all tests here: their subjects have nothing else."""
  make, options, _ = CASES[name]
  for need in (every := declared(name)):
    subject = only([other for other in every if other != need and not other.startswith(f'{need}.')], make(), networks(1.0, 1.0))
    if need.startswith('nets.') and need.count('.') == 2:  # the network is there without the attribute
      subject.networks.setdefault(need.split('.')[1], Bare(networks(1.0, 1.0)[need.split('.')[1]], set()))
    with pytest.raises(ValueError, match=f'cannot judge this: .*({"|".join(need.split("."))})'):
      PROTOCOLS[name].check(subject, **options)
    with pytest.raises(Exception):  # noqa: B017  of whatever type: it was read
      PROTOCOLS[name].judge(subject, KEY, **options)


HEADS = [
  'link_prediction', 'fill_masked', 'summaries', 'captions', 'cell_filling', 'late_retrieval', 'verification', 'classify', 'ood',
  'class_consistency', 'equivariance', 'isotropy', 'modality_completion', 'image_text_retrieval', 'zero_shot',
  'pair_classification', 'pair_rewards', 'partial_reward', 'control', 'chunk_control', 'laplacian', 'column_cosine',
]  # fmt: skip


@pytest.mark.parametrize('value', [np.nan, np.inf])
@pytest.mark.parametrize('name', HEADS)
def test_a_broken_head_on_features_that_are_finite_is_refused(name, value):
  with pytest.raises(ValueError, match='nan or inf'):
    judge(name, 1.0, value)


def test_figures_that_are_not_finite_are_refused():
  broken = PROTOCOLS['control']._replace(needs=(), judge=lambda subject, key: {'top1': float('nan')})
  with pytest.raises(ValueError, match='not finite'):
    broken(SimpleNamespace(data=images(), networks={}), KEY)
