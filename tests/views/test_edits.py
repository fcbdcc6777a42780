"""Word-level edits of token ids."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.views.edits import edited, halves

IDS = jnp.array([[2, *range(10, 30), 3, 0, 0], [2, 7, 3, *[0] * 21], [2, 3, *[0] * 22], [2, 7, 1, 9, 8, 3, *[0] * 18]])
SYNONYMS = jnp.where((IDS >= 5)[..., None], IDS[..., None] + jnp.array([100, 200]), IDS[..., None])
BATCH = dict(ids=IDS, synonyms=SYNONYMS)
KEYS = jax.random.split(jax.random.key(0), len(IDS))


def rows(edit, **options):
  (found,) = edited(KEYS, BATCH, edits=(edit,), **options)
  return [(np.asarray(a).tolist(), np.asarray(b).tolist()) for a, b in zip(IDS, found, strict=True)]


def real(ids):
  return [i for i in ids if i]


@pytest.mark.parametrize('edit', ['delete_words', 'delete_spans'])
def test_adjacent_deleted_tokens_become_one(edit):
  for before, after in rows(edit):
    assert after[len(real(after)) :] == [0] * (len(after) - len(real(after)))
    assert not any(a == b == 4 for a, b in zip(after, after[1:], strict=False))
    kept = [i for i in after if i not in (0, 4)]
    assert [i for i in before if i in kept] == kept and (kept[0], kept[-1]) == (2, 3)
  assert 4 in rows(edit)[0][1]


def test_number_of_deleted_words():
  deleted = lambda edit, **options: [sum(i >= 5 for i in before) - sum(i >= 5 for i in after) for before, after in rows(edit, **options)]
  assert deleted('delete_words', words=1.0) == [20, 1, 0, 3] and deleted('delete_words', words=0.0) == [0] * 4
  assert deleted('delete_spans', spans=1, length=0.25)[0] == 5
  assert 3 <= deleted('delete_spans', spans=3, length=0.15)[0] <= 9


def test_reordering_keeps_the_words_and_what_is_special():
  for before, after in rows('reorder', length=0.2):
    assert sorted(before) == sorted(after)
    assert [i if i < 5 else 5 for i in before] == [i if i < 5 else 5 for i in after]
  assert rows('reorder')[0][0] != rows('reorder')[0][1] and rows('reorder')[1][0] == rows('reorder')[1][1]
  before, after = rows('reorder', spans=1, length=0.2)[0]
  assert sum(a != b for a, b in zip(before, after, strict=True)) == 8, 'two spans of four words'


def test_synonyms_take_the_places_of_words():
  for before, after in rows('substitute', substituted=1.0):
    assert all(b in (a + 100, a + 200) if a >= 5 else a == b for a, b in zip(before, after, strict=True))
  assert {(b - a) // 100 for a, b in zip(*rows('substitute', substituted=1.0)[0], strict=True)} == {0, 1, 2}
  assert all(before == after for before, after in rows('substitute', substituted=0.0) + rows('keep'))


def test_views_differ_and_depend_on_their_own_key():
  a, b = edited(KEYS, BATCH, edits=('delete_words', 'delete_words'))
  assert not np.array_equal(a, b)
  one = edited(KEYS[:1], {name: x[:1] for name, x in BATCH.items()}, edits=('delete_words', 'delete_words'))
  np.testing.assert_array_equal(one[1], b[:1])


def test_unknown_edits_are_refused():
  with pytest.raises(ValueError, match="no edit 'shuffle'"):
    edited(KEYS, BATCH, edits=('shuffle',))


def test_halves_have_all_words_and_the_special_tokens():
  whole, left, right = halves(KEYS, BATCH)
  assert whole is IDS
  for before, a, b in zip(*(np.asarray(x).tolist() for x in (whole, left, right)), strict=True):
    words = lambda ids: [i for i in real(ids) if i not in (2, 3)]
    assert words(a) + words(b) == words(before) and 0 <= len(words(a)) - len(words(b)) <= 1
    assert all((real(x)[0], real(x)[-1]) == (2, 3) and x[len(real(x)) :] == [0] * (len(x) - len(real(x))) for x in (a, b))
  assert len(halves(KEYS, BATCH, original=False)) == 2
