import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from jssl.evaluators import Frozen, knn
from jssl.evaluators.general import knn as module
from jssl.evaluators.general.knn import neighbour_vote, neighbours


@pytest.fixture(scope='module')
def digits():
  x, y = load_digits(return_X_y=True)
  x = (x + np.random.RandomState(0).rand(*x.shape) * 1e-2).astype(np.float32)  # no two similarities alike
  return x[:1200], y[:1200], x[1200:], y[1200:]


@pytest.mark.parametrize('k', [1, 5, 20])
def test_knn_equals_scikit_learn(digits, k):
  train_x, train_y, test_x, _ = digits
  votes = knn(train_x, train_y, test_x, k=k, classes=10, bank_block=256, query_block=128)
  wide = [a.astype(np.float64) for a in (train_x, test_x)]
  plain = KNeighborsClassifier(k, metric='cosine').fit(wide[0], train_y)
  weigh = KNeighborsClassifier(k, metric='cosine', weights=lambda d: np.exp((1 - d) / 0.07)).fit(wide[0], train_y)
  np.testing.assert_array_equal(np.argmax(votes.majority, 1), plain.predict(wide[1]))
  np.testing.assert_array_equal(np.argmax(votes.weighted, 1), weigh.predict(wide[1]))
  np.testing.assert_allclose(votes.majority.sum(1), k)


def test_blocks_change_nothing(digits):
  train_x, _, test_x, _ = digits
  whole = neighbours(train_x, test_x, 7)
  for sizes in (dict(bank_block=7, query_block=300), dict(bank_block=1200, query_block=597)):
    some = neighbours(train_x[:600], test_x[:300], 7, **sizes)
    similarity = np.einsum('md,nd->mn', *(a / np.linalg.norm(a, axis=1, keepdims=True) for a in (test_x[:300], train_x[:600])))
    np.testing.assert_array_equal(some[1], np.argsort(-similarity, 1)[:, :7])
  assert whole[0].shape == (597, 7) and (np.diff(whole[0]) <= 0).all()


def test_degenerate_banks():
  votes = knn(np.zeros((3, 4)), np.array([2, 0, 1]), np.zeros((2, 4)), k=5, classes=3)
  np.testing.assert_allclose(votes.majority, 1.0)  # three neighbours vote, all alike
  np.testing.assert_allclose(votes.weighted, 1.0)
  far = knn(np.eye(2), np.array([0, 1]), np.eye(2), k=2, temperature=1e-4, classes=2)
  assert np.argmax(far.weighted, 1).tolist() == [0, 1] and np.isfinite(far.weighted).all()
  with pytest.raises(ValueError, match='k >= 1'):
    knn(np.eye(2), np.array([0, 1]), np.eye(2), k=0, classes=2)
  with pytest.raises(ValueError, match='empty bank'):
    knn(np.zeros((0, 2)), np.zeros(0, int), np.eye(2), classes=2)


def test_ties_at_the_border_are_shared_whatever_the_order_of_the_bank():
  rng = np.random.default_rng(0)
  kinds = rng.normal(size=(6, 4))
  bank, y = kinds[rng.integers(0, 6, 60)], rng.integers(0, 3, 60)
  sizes = dict(k=12, classes=3, bank_block=16, query_block=4)
  votes = knn(bank, y, kinds, **sizes)
  order = rng.permutation(60)
  for a, b in zip(votes, knn(bank[order], y[order], kinds, **sizes), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4)
  similarity = (kinds @ bank.T) / np.linalg.norm(kinds, axis=1)[:, None] / np.linalg.norm(bank, axis=1)
  shuffled = [[np.bincount(y[np.lexsort((rng.random(60), -np.round(s, 6)))[:12]], minlength=3) for s in similarity] for _ in range(2000)]
  np.testing.assert_allclose(votes.majority, np.mean(shuffled, 0), atol=0.1)


def test_protocol_reads_the_test_split_only_at_the_end(digits):
  train_x, train_y, test_x, test_y = digits
  figures = neighbour_vote(Frozen(train_x, train_y, test_x, test_y, 10))
  assert figures['top1'] > 0.93 and figures['top1_low'] < figures['top1'] < figures['top1_high']
  other = neighbour_vote(Frozen(train_x, train_y, test_x, (test_y + 1) % 10, 10))
  assert (other['k'], other['k_majority']) == (figures['k'], figures['k_majority']) and other['top1'] < 0.1


def test_each_device_compares_its_share_of_the_queries(monkeypatch, digits):
  seen, near = [], module._near
  monkeypatch.setattr(module, '_near', lambda *given: seen.append(found := near(*given)) or found)
  train_x, _, test_x, _ = digits
  module.neighbours(train_x, test_x[:64], 3, bank_block=400, query_block=64)
  assert len(seen) == 3 and {shard.data.shape for x in seen for shard in x.addressable_shards} == {(8, 400)}
