"""Similarity of texts, retrieval, and ranks of tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from jssl.data.text.corpora import data
from jssl.errors import ConfigError
from jssl.evaluators import Subject
from jssl.metrics.retrieval import retrieval_figures
from jssl.tables import EVALUATORS as PROTOCOLS
from jssl.types import Features

RNG = np.random.RandomState(0)
TABLE = RNG.randn(20, 6).astype(np.float32)
IDS = RNG.randint(1, 20, (12, 4)) * (np.arange(4) < RNG.randint(2, 5, (12, 1)))


def represent(columns):
  tokens = jnp.asarray(TABLE)[columns['ids']]
  return Features(tokens, tokens.mean(1), jnp.stack([tokens, 2 * tokens + 1]))


def subject(**splits):
  return Subject(data(dict(train=dict(ids=IDS), test=dict(ids=IDS)) | splits, dict(ids=dict(pad=0))), represent)


def judge(name, of, **options):
  return PROTOCOLS[name](of, jax.random.key(0), **options)


def cosine(x, a, b):
  return [x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j]) for i, j in zip(a, b, strict=True)]


def test_angular_similarity_keeps_the_order_and_not_the_distances():
  a, b = np.triu_indices(12, 1)
  score = np.random.RandomState(1).rand(len(a)).astype(np.float32)
  of = subject(pairs=dict(a=a, b=b, score=score))
  plain, angular = judge('sts', of), judge('sts', of, angular=True)
  assert angular['spearman'] == pytest.approx(plain['spearman'])
  similarity = 1 - np.arccos(cosine(TABLE[IDS].mean(1), a, b)) / np.pi
  assert angular['pearson'] == pytest.approx(np.corrcoef(similarity, score)[0, 1], abs=1e-5) != pytest.approx(plain['pearson'], abs=1e-5)


@pytest.mark.parametrize('dims', [None, 2])
def test_sts_is_the_correlation_of_cosines_with_scores(dims):
  a, b = np.triu_indices(12, 1)
  score = RNG.rand(len(a)).astype(np.float32)
  of = subject(pairs=dict(a=a, b=b, score=score))
  found = judge('sts', of, dims=dims)
  pooled = TABLE[IDS].mean(1)[:, :dims]
  assert found['spearman'] == pytest.approx(spearmanr(cosine(pooled, a, b), score)[0], abs=1e-6) and found['pairs'] == 66
  layer = judge('sts_layer', of, layer=1, dims=dims)
  states = np.stack([(2 * TABLE[row[row != 0]] + 1).mean(0) for row in IDS])[:, :dims]
  assert layer['spearman'] == pytest.approx(spearmanr(cosine(states, a, b), score)[0], abs=1e-6)


def test_sts_asks_for_its_splits():
  with pytest.raises(ValueError, match="no split 'pairs', but test, train"):
    judge('sts', subject())


def test_retrieval_figures_by_hand():
  gain = np.array([[0, 2, 0, 1.0], [1, 0, 0, 0]])
  found = retrieval_figures(gain, -np.arange(4.0) + np.zeros((2, 1)), ks=(1, 2))
  ideal, got = 2 + 1 / np.log2(3), 2 / np.log2(3) + 1 / np.log2(5)
  assert found['ndcg10'] == pytest.approx((got / ideal + 1) / 2)
  assert found['mrr'] == pytest.approx((1 / 2 + 1) / 2) and found['recall1'] == pytest.approx((0 + 1) / 2)
  assert found['recall2'] == pytest.approx((1 / 2 + 1) / 2)
  assert found['map'] == pytest.approx(((1 / 2 + 2 / 4) / 2 + 1) / 2)


def test_retrieval_with_ties_is_the_mean_over_their_orders():
  rng = np.random.default_rng(0)
  gain = rng.integers(0, 3, (6, 9)) * (rng.random((6, 9)) < 0.5) + np.eye(6, 9)
  scores = rng.integers(0, 3, (6, 9)).astype(float)
  found = retrieval_figures(gain, scores, ks=(1, 4))
  shuffled = [retrieval_figures(gain, scores + 0.5 * rng.random((6, 9)), ks=(1, 4)) for _ in range(4000)]
  for name, value in found.items():
    assert value == pytest.approx(np.mean([f[name] for f in shuffled]), abs=0.005), name


@pytest.mark.parametrize('place', [0, 199])
def test_equal_documents_score_alike_wherever_the_relevant_one_stands(place):
  gain = np.zeros((5, 200))
  gain[:, place] = 1
  found = retrieval_figures(gain, np.ones((5, 200)))
  assert found['ndcg10'] == pytest.approx(np.sum(1 / np.log2(np.arange(2, 12))) / 200) and found['recall10'] == pytest.approx(0.05)


def test_retrieval_ranks_by_cosine_and_leaves_a_text_out_of_its_own_answers():
  of = subject(relevance=dict(query=np.arange(12), document=np.arange(12), relevance=np.ones(12)), documents=dict(ids=IDS))
  assert judge('retrieval', of, queries='test')['recall1'] == 1.0
  alone = judge('retrieval', of, queries='test', documents='test')
  assert alone['recall1'] == 0.0 and alone['queries'] == 12
  with pytest.raises(ValueError, match="no split 'queries'"):
    judge('retrieval', of)


def test_retrieval_by_distance_is_not_that_by_cosine():
  numbers = np.array([[1.0, 0.0], [0.5, 0.2], [4.0, 0.0]], np.float32)  # the third is in the direction of the first, and further away
  relevance = dict(query=np.array([0]), document=np.array([1]), relevance=np.ones(1))
  of = Subject(
    data(dict(train=dict(numbers=numbers), test=dict(numbers=numbers), relevance=relevance), {})._replace(inputs='numbers'),
    lambda columns: Features(None, jnp.asarray(columns['numbers'])),
  )
  found = [judge('retrieval', of, queries='test', documents='test', similarity=name)['mrr'] for name in ('cosine', 'euclidean')]
  assert found == [0.5, 1.0]
  with pytest.raises(ConfigError, match="expected 'cosine' or 'euclidean'"):
    judge('retrieval', of, queries='test', documents='test', similarity='dot')


def test_token_rank_counts_directions_of_real_tokens():
  found = judge('token_rank', subject(), tau=0.9)
  states = TABLE[IDS[IDS != 0]]
  energy = np.linalg.svd(states, compute_uv=False) ** 2
  assert found['rank'] == 1 + np.flatnonzero(np.cumsum(energy) / energy.sum() >= 0.9)[0] and found['tokens'] == (IDS != 0).sum()
  assert found['share'] == found['rank'] / 6
  energy = np.linalg.svd(states - states.mean(0), compute_uv=False) ** 2
  assert found['centred_rank'] == 1 + np.flatnonzero(np.cumsum(energy) / energy.sum() >= 0.9)[0]


def test_pairs_are_classified_by_their_two_vectors():
  second, relation = np.roll(IDS, 1, 0), np.arange(12, dtype=np.int32) % 3
  columns = dict(ids=IDS, second=second, relation=relation)
  weight = np.random.RandomState(2).randn(12, 3).astype(np.float32)
  head = lambda u, v: jnp.concatenate([u, v], -1) @ weight
  of = Subject(data(dict(train=columns, test=columns), dict(ids=dict(pad=0))), represent, dict(relation=head))
  logits = [np.concatenate([TABLE[a].mean(0), TABLE[b].mean(0)]) @ weight for a, b in zip(IDS, second, strict=True)]
  assert judge('pair_classification', of)['top1'] == pytest.approx(np.mean(np.argmax(logits, 1) == relation))
