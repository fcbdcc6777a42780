"""Sets of tokens that are made, or read from packages: mazes, molecules, documents with gaps, tables of facts."""

from itertools import pairwise

import numpy as np
import pytest

from jssl.data.molecules import solubility
from jssl.data.retrieval import cipher
from jssl.data.tables import umls
from jssl.data.text import corridors, gap_sentences, mazes
from jssl.errors import DataError


def made(build, **options):
  try:
    return build(**options)
  except DataError as error:
    pytest.skip(str(error))


def test_paths_lead_through_open_sides_from_start_to_goal():
  side, first = 4, mazes.WAYS + 16
  data = mazes.mazes(side=side, train=32, test=8)
  assert data.splits['train'].columns['ids'].shape == (32, 2 * side**2 + 3)
  for ids in data.splits['train'].columns['ids'].tolist():
    ways, (start, goal), path = ids[: side**2], ids[side**2 : side**2 + 2], ids[side**2 + 2 :]
    cut = path.index(mazes.END)
    assert set(path[cut:]) == {mazes.END}
    assert (path[0], path[cut - 1]) == (start, goal) and len(set(path[:cut])) == cut
    for a, b in zip(path[: cut - 1], path[1:cut], strict=True):
      (ya, xa), (yb, xb) = divmod(a - first, side), divmod(b - first, side)
      assert (ways[a - first] - mazes.WAYS) >> mazes.STEPS.index((yb - ya, xb - xa)) & 1
    # A tree has one open side, seen from both cells, less than cells.
    assert sum((w - mazes.WAYS).bit_count() for w in ways) == 2 * (side**2 - 1)
  told = lambda split: {tuple(ids[: side**2 + 2]) for ids in data.splits[split].columns['ids'].tolist()}
  assert not told('train') & told('test')


def test_only_one_corridor_leads_to_the_goal():
  side, length, first = 5, 4, mazes.WAYS + 16
  data = corridors.corridors(side=side, length=length, train=32, test=8)
  for example in (data.splits['test'][i]['ids'] for i in range(8)):
    cells, (start, goal), path = example[: side**2], example[side**2 : side**2 + 2], example[data.spec['ids'].start :]
    assert len(path) == length + 1 and (path[0], path[-1]) == (start, goal) and max(example) < data.spec['ids'].size
    opened = [(w - mazes.WAYS).bit_count() for w in cells.tolist()]
    assert opened[start - first] == 3 and sorted(opened) == [0] * 12 + [1] * 3 + [2] * 9 + [3]
    for a, b in pairwise(path - first):
      step = divmod(b, side)[0] - divmod(a, side)[0], divmod(b, side)[1] - divmod(a, side)[1]
      assert (cells[a] - mazes.WAYS) >> mazes.STEPS.index(step) & 1
  with pytest.raises(ValueError, match='do not fit'):
    corridors.corridors(side=3, length=4)


def test_selfies_come_back_as_molecules_and_both_notations_have_the_same():
  selfies = pytest.importorskip('selfies')
  data = made(solubility.solubility, unlabelled=50)
  row = data.splits['labelled'][0]
  names = dict(enumerate(data.info['tokens'], solubility.FIRST))
  assert selfies.decoder(''.join(names[i] for i in row['ids'] if i)) == 'CCCCC' and row['truth'] == np.float32(-3.18)
  other = made(solubility.solubility, notation='smiles', unlabelled=50)
  assert {split: len(x) for split, x in data.splits.items()} == {split: len(x) for split, x in other.splits.items()}
  assert solubility.SMILES_TOKEN.findall('C[C@H](Cl)Br%12') == ['C', '[C@H]', '(', 'Cl', ')', 'Br', '%12']


def test_principal_sentences_share_words_with_the_rest():
  document = ['the red fox ran', 'nothing here', 'the red fox', 'a cat']
  assert gap_sentences.principal(document, 2) == [0, 2]


def test_gaps_are_one_token_each():
  data = made(gap_sentences.lee_gaps, length=32, target=8, vocabulary=300, kept=0.0)
  train = data.splits['train'].columns
  assert train['ids'].shape[1] == 32 and train['target'].shape[1] == 8
  assert (train['random_ids'] == 4).any() and not (train['body'] == 4).any()
  assert (train['summary'][0] == train['summary'][60]).all()


def test_tables_ask_for_a_triple_that_training_has_not_seen():
  data = made(umls.umls_tables, train=16)
  test = data.splits['test'].columns
  head, relation = test['ids'][:, 4] - data.spec['ids'].first, test['ids'][:, 0] - umls.FIRST
  graph = umls.umls().splits['test'].columns
  np.testing.assert_array_equal([head, relation, test['answer']], [graph['head'], graph['relation'], graph['tail']])
  assert set(test['place']) == {5} and (test['row'][:, 5] == 1).all() and (test['column'][:, 5] == 1).all()
  assert not test['others'][np.arange(len(head)), test['answer']].any()


def test_a_cipher_is_one_token_for_one_and_near_the_same_place():
  data = made(cipher.king_james_cipher, vocabulary=400, verses=20, labelled=7)
  train = data.splits['train'].columns
  straight = made(cipher.king_james_cipher, vocabulary=400, verses=20, swaps=0.0).splits['train'].columns
  word = dict(zip(straight['query'].ravel().tolist(), straight['cipher'].ravel().tolist(), strict=True))
  assert len(set(word.values())) == len(word)
  told = np.vectorize(word.get)(train['query']).reshape(-1, 4, 2)
  moved = train['cipher'].reshape(-1, 4, 2)
  assert ((told == moved).all(-1) | (told[..., ::-1] == moved).all(-1)).all()
  np.testing.assert_array_equal(train['asked'][7], train['cipher'][0])
