"""Graphs, triples, series and molecules of a user's own: how they are read, what is refused in a line, and a system trained on each."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jssl import cli
from jssl.adapt import adapt
from jssl.core.build import open_data
from jssl.data.core.arrays import resident
from jssl.errors import DataError
from jssl.model import load
from jssl.run import load_config, train


def opened(name, **options):
  return open_data(dict(name=str(name), **options))


def trained(system, name, workdir, *settings):
  """A system trained for a few steps, and its results."""
  c = load_config(f'{system}:tiny', ['--config.steps=3', *settings])
  c.data = dict(name=str(name))
  adapt(c)
  return train(c, workdir, baselines=False, quiet=True)


def embedded(workdir, source, out):
  """What `jssl embed` writes: vectors and names."""
  assert cli.main(['embed', str(workdir), str(source), str(out / 'z.npy')]) == 0
  names = out / 'z.names.json'
  return np.load(out / 'z.npy'), json.loads(names.read_text()) if names.exists() else None


@pytest.fixture
def graph(tmp_path):
  """90 nodes of three blocks, with features and classes; edges.csv and nodes.csv in a folder."""
  rng, label, folder = np.random.default_rng(0), np.arange(90) % 3, tmp_path / 'graph'
  folder.mkdir()
  edges = [(i, j) for i in range(90) for j in range(i) if rng.random() < (0.2 if label[i] == label[j] else 0.01)]
  x = rng.normal(size=(90, 4)) + np.eye(4)[label]
  (folder / 'edges.csv').write_text('\n'.join(['source,target', *(f'n{i},n{j}' for i, j in edges)]))
  rows = [f'n{i},{"abc"[label[i]]},' + ','.join(map(str, x[i])) for i in range(90)]
  (folder / 'nodes.csv').write_text('\n'.join(['id,label,a,b,c,d', *rows]))
  return folder, np.array(edges), x, label


def test_a_graph_is_nodes_with_their_surroundings(graph, tmp_path):
  folder, edges, x, label = graph
  data = opened(f'graph:{folder}', size=6)
  assert data.spec['nodes'].shape == (6, 4) and data.spec['label'].classes == ('a', 'b', 'c') and data.info['split'] == 'random'
  all_of = {split: resident(part).columns for split, part in data.splits.items()}
  assert sum(len(part['label']) for part in all_of.values()) == 90
  whole, split = np.zeros((90, 90), bool), data.splits['train']
  whole[tuple(edges.T)] = whole[tuple(edges.T[::-1])] = True
  for row in range(5):
    node, found = split.rows[row], split[row]
    around = split.around[node][split.around[node] >= 0]
    assert around[0] == node and all(whole[node, i] for i in around[1 : 1 + min(5, whole[node].sum())])
    np.testing.assert_array_equal(found['adjacency'][: len(around), : len(around)], whole[np.ix_(around, around)])
    np.testing.assert_allclose(found['nodes'][: len(around)], x[around], rtol=1e-6)
    assert not found['nodes'][len(around) :].any() and found['label'] == label[node]
  np.savez(tmp_path / 'g.npz', edge_index=edges.T, x=x, y=label, edge_weight=np.full(len(edges), 0.5), train_mask=label == 0)
  weighted = opened(f'graph:{tmp_path / "g.npz"}', size=6)
  np.testing.assert_allclose(weighted.splits['train'].adjacency, split.adjacency * np.float32(0.5))
  bare = opened(f'graph:{folder / "edges.csv"}')
  assert bare.spec['node'].shape == (16,) and 'label' not in bare.spec and (bare.splits['test'][0]['node'].sum() == 1)
  one_way = opened(f'graph:{folder}', directed=True)
  assert one_way.splits['train'].adjacency[:, 0].sum() < split.adjacency[:, 0].sum()


@pytest.mark.rotating
def test_grace_trains_on_a_graph_and_embeds_its_nodes(graph, tmp_path):
  folder, *_ = graph
  assert 'fewshot_top1_5shot' in trained('grace', f'graph:{folder}', tmp_path / 'run')['figures']
  z, names = embedded(tmp_path / 'run', f'graph:{folder}', tmp_path)
  assert z.shape == (90, 8) and names[:3] == ['n0', 'n1', 'n2']
  split = load(tmp_path / 'run').plan.data.splits['test']
  np.testing.assert_allclose(load(tmp_path / 'run').encode(split.take(np.arange(4))), z[split.rows[:4]], rtol=1e-5)


NAMES = [(f'e{i}', f'r{i % 2}', f'e{(i + 1) % 30}') for i in range(30)] + [(f'e{i}', 'r2', f'e{(7 * i) % 30}') for i in range(30)]


def written(path, rows, apart='\t'):
  path.write_text('\n'.join(apart.join(row) for row in rows))
  return path


def test_triples_are_numbered_and_split(tmp_path):
  data = opened(f'triples:{written(tmp_path / "all.tsv", [*NAMES, NAMES[0]])}')
  assert data.spec['head'].size == data.spec['tail'].size == 30 and data.spec['relation'].size == 3
  assert sum(map(len, data.splits.values())) == len(set(NAMES)) and data.info['unread'] == {'1 triples of train': 'duplicates'}
  back = {
    (data.info['entities'][row['head']], data.info['relations'][row['relation']], data.info['entities'][row['tail']])
    for part in data.splits.values() for row in map(part.__getitem__, range(len(part)))
  }  # fmt: skip
  assert back == set(NAMES)
  test = {tuple(int(x) for x in row.values()) for row in map(data.splits['test'].__getitem__, range(len(data.splits['test'])))}
  more = opened(f'triples:{written(tmp_path / "more.tsv", [*NAMES, ("e1", "r2", "e2")])}').splits['test']
  assert test <= {tuple(int(x) for x in row.values()) for row in map(more.__getitem__, range(len(more)))}
  folder = tmp_path / 'kg'
  folder.mkdir()
  for name, rows in dict(train=NAMES[:50], valid=NAMES[50:55], test=[*NAMES[55:], ('new', 'r0', 'e1')]).items():
    written(folder / f'{name}.txt', rows)
  data = opened(f'triples:{folder}')
  assert {split: len(x) for split, x in data.splits.items()} == dict(train=50, validation=5, test=5)
  assert list(data.info['unread']) == ['1 triples of test'] and data.judged.instead['test'] == 'validation'
  shuffled = [('relation', 'tail', 'head'), *((r, t, h) for h, r, t in NAMES)]
  assert opened(f'triples:{written(tmp_path / "named.csv", shuffled, ",")}').info['relations'] == ['r0', 'r1', 'r2']


def test_distmult_trains_on_triples_and_names_its_entities(tmp_path):
  source = f'triples:{written(tmp_path / "all.tsv", NAMES)}'
  assert {'links_mrr', 'links_hits10'} <= trained('distmult', source, tmp_path / 'run')['figures'].keys()
  z, names = embedded(tmp_path / 'run', source, tmp_path)
  assert z.shape == (30, 8) and names == load(tmp_path / 'run').plan.data.info['entities']


def waves(lengths, seed=0):
  rng = np.random.default_rng(seed)
  return [np.stack([np.sin(np.arange(n) * (1 + i % 2) + rng.random()), rng.normal(size=n)], 1) for i, n in enumerate(lengths)]


def test_series_of_every_form_are_alike(tmp_path):
  found = waves([8 + i % 3 for i in range(30)])
  rows = [f'{i},{t},{x[0]!r},{x[1]!r},{"ab"[i % 2]}' for i, one in enumerate(found) for t, x in enumerate(one.tolist())]
  rows = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]  # times say the order
  (tmp_path / 'long.csv').write_text('\n'.join(['series,time,u,v,label', *rows]))
  for i, one in enumerate(found):
    (tmp_path / 'files' / 'ab'[i % 2]).mkdir(parents=True, exist_ok=True)
    np.savetxt(tmp_path / 'files' / 'ab'[i % 2] / f'{i}.csv', one, delimiter=',', header='u,v' if i % 2 < 2 else '', comments='')
  lines = [':'.join(','.join(map(repr, column)) for column in one.T.tolist()) + f':{"ab"[i % 2]}' for i, one in enumerate(found)]
  (tmp_path / 'x_TRAIN.ts').write_text('\n'.join(['@classLabel true a b', '@data', *lines]))
  (tmp_path / 'x_TEST.ts').write_text('\n'.join(['@classLabel true a b', '@data', *lines[:4]]))
  sets = [opened(f'series:{tmp_path / name}') for name in ('long.csv', 'files')] + [opened(tmp_path / 'x_TRAIN.ts')]
  for data in sets:
    assert data.spec['series'].shape == (10, 2) and data.spec['label'].classes == ('a', 'b')
  assert len(sets[2].splits['test']) == 4 and sum(map(len, sets[0].splits.values())) == 30
  every = [np.concatenate([part.columns['series'] for part in data.splits.values()]) for data in sets[:2]]
  order = lambda x: x[np.argsort(x[:, 0, 1])]
  np.testing.assert_allclose(order(every[0]), order(every[1]), atol=1e-5)
  one = sets[2].splits['train'].columns['series'][0]
  np.testing.assert_allclose(one[:8], (found[0] - found[0].mean(0)) / found[0].std(0), atol=1e-5)
  assert not one[8:].any()
  np.savez(tmp_path / 'a.npz', x=np.stack([x[:8] for x in found]), y=np.arange(30) % 2, x_test=np.zeros((2, 8, 2)), y_test=[0, 1])
  data = opened(f'series:{tmp_path / "a.npz"}', length=6, standardize='train')
  steps = data.splits['train'].columns['series']
  assert steps.shape == (30, 6, 2) and len(data.splits['test']) == 2 and abs(steps.mean()) < 0.2


@pytest.mark.rotating
def test_tst_trains_on_series_and_embeds_others(tmp_path):
  found = waves([10] * 40)
  np.savez(tmp_path / 'a.npz', series=np.stack(found), y=np.arange(40) % 2)
  assert 'linear_top1' in trained('tst', f'series:{tmp_path / "a.npz"}', tmp_path / 'run')['figures']
  (tmp_path / 'new').mkdir()
  for i in range(3):
    np.savetxt(tmp_path / 'new' / f'{i}.csv', found[i][: 10 - i], delimiter=',')
  z, names = embedded(tmp_path / 'run', f'series:{tmp_path / "new"}', tmp_path)
  assert names == ['0.csv', '1.csv', '2.csv'] and z.shape == (3, 16)
  first = (found[0] - found[0].mean(0)) / found[0].std(0)
  np.testing.assert_allclose(load(tmp_path / 'run').encode(first[None].astype(np.float32)), z[:1], rtol=1e-4, atol=1e-5)


SMILES = ['CCO', 'c1ccccc1', 'CC(=O)O', 'C[C@H](N)C(=O)O', 'ClCCl', 'BrC1CCCCC1', 'O=C([O-])C', 'C%12CCCC%12']


def test_molecules_are_atoms_bonds_and_rings(tmp_path):
  (tmp_path / 'm.smi').write_text('\n'.join([f'{s}{"C" * i} mol{i}' for i in range(4) for s in SMILES] + ['no-smiles bad', 'C(C unbalanced']))
  data = opened(tmp_path / 'm.smi', length=24)
  assert data.inputs == 'ids' and data.info['unread'] == {'row 32 of train': 'no SMILES', 'row 33 of train': 'no SMILES'}
  from tokenizers import Tokenizer

  tokenizer = Tokenizer.from_str(data.info['tokenizer_json'])
  assert tokenizer.encode('C[C@H](N)Cl').tokens == ['C', '[C@H]', '(', 'N', ')', 'Cl'] and data.spec['ids'].mask == 4
  rows = [f'{s}{"C" * i},{i + len(s)},{i / 2}' for i in range(5) for s in SMILES]
  (tmp_path / 'm.csv').write_text('\n'.join(['smiles,size,half', *rows, rows[0]]))
  data = opened(tmp_path / 'm.csv')
  assert data.info['truth'] == ('size', 'half') and data.splits['labelled'][0]['truth'].shape == (2,) and 'truth' not in data.spec
  same = {split: part.columns['same'] for split, part in data.splits.items() if split != 'labelled'}
  assert sum(map(len, same.values())) == 41 and not {*same['train']} & {*same['test']}, 'copies go into one split'


@pytest.mark.rotating
def test_selformer_trains_on_molecules_and_encodes_others(tmp_path):
  rows = [f'{s}{"C" * i},{i + len(s)}' for i in range(8) for s in SMILES]
  (tmp_path / 'm.csv').write_text('\n'.join(['smiles,size', *rows]))
  assert 'solubility_r2' in trained('selformer', tmp_path / 'm.csv', tmp_path / 'run')['figures']
  (tmp_path / 'new.smi').write_text('CCO ethanol\nc1ccccc1 benzene\n')
  z, names = embedded(tmp_path / 'run', tmp_path / 'new.smi', tmp_path)
  assert names == ['ethanol', 'benzene']
  np.testing.assert_allclose(load(tmp_path / 'run').encode(['CCO', 'c1ccccc1']), z, rtol=1e-5)
  assert jnp.isfinite(z).all()


@pytest.mark.parametrize(
  ('files', 'source', 'says'),
  [
    ({}, 'graph:{}/none', 'does not exist'),
    ({'g/other.csv': 'a\n1'}, 'graph:{}/g', 'no edges.csv'),
    ({'e.csv': 'a,b\n1,2'}, 'graph:{}/e.csv', 'expected source and target'),
    ({'g/edges.csv': 'source,target\na,z', 'g/nodes.csv': 'id,x\na,1\nb,2'}, 'graph:{}/g', "row 0, .* the target 'z'"),
    ({'g/edges.csv': 'source,target\na,b', 'g/nodes.csv': 'id,x\na,1\nb,inf'}, 'graph:{}/g', "row 1, .* inf in 'x'"),
    ({'g/edges.csv': 'source,target\na,b', 'g/nodes.csv': 'id,x\na,1\na,2'}, 'graph:{}/g', "two rows of 'a'"),
    ({'g/edges.csv': 'source,target\na,b', 'g/nodes.csv': 'id,x\na,red\nb,2'}, 'graph:{}/g', "'red'"),
    ({'e.csv': 'source,target,weight\na,b,-1'}, 'graph:{}/e.csv', 'weight -1'),
    ({'e.csv': 'source,target\n'}, 'graph:{}/e.csv', 'has no rows'),
    ({'t.tsv': 'a\tr\tb\na\tr'}, 'triples:{}/t.tsv', 'line 2 has 2 fields'),
    ({'t.tsv': ''}, 'triples:{}/t.tsv', 'no triples'),
    ({'t.json': '[]'}, 'triples:{}/t.json', 'must end in'),
    ({'k/test.txt': 'a\tr\tb'}, 'triples:{}/k', 'no file train'),
    ({'t.tsv': 'a\tr\ta'}, 'triples:{}/t.tsv', 'makes a split empty'),
    ({'s.csv': 'a,b\n1,2'}, 'series:{}/s.csv', 'identifies the series of a row'),
    ({'s.csv': 'series,x\n1,\n1,2'}, 'series:{}/s.csv', "row 0, .* no 'x'"),
    ({'s.csv': 'series,x,label\n1,2,a\n1,2,b'}, 'series:{}/s.csv', "several entries in 'label'"),
    ({'f/a.csv': 'x,y\n1,2', 'f/b.csv': 'x\n1'}, 'series:{}/f', 'expected the columns of a.csv'),
    ({'f/a.csv': '1,nan\n2,3'}, 'series:{}/f', r'a.csv has nan at \[0, 1\]'),
    ({'f/a.csv': '1,1\n1,1', 'f/b.csv': '2,2\n2,2', 'f/c.csv': '2,2\n2,2'}, 'series:{}/f', 'all variables are constant in all series'),
    ({'f/a.txt': ''}, 'series:{}/f', 'no .csv or .tsv'),
    ({'a.ts': '@data\n1,2:?,3'}, '{}/a.ts', 'not a number'),
    ({'a.ts': '@data\n1,2:3'}, '{}/a.ts', r'have \[1, 2\] steps'),
    ({'a.smi': '\n'}, '{}/a.smi', 'no molecules'),
    ({'a.smi': 'hello\nworld'}, '{}/a.smi', 'have no SMILES'),
  ],
)  # fmt: skip
def test_what_cannot_be_read_costs_one_line(files, source, says, tmp_path):
  for name, text in files.items():
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
  with pytest.raises(DataError, match=says) as raised:
    opened(source.format(tmp_path), **({'held_out': 0.5} if 'series' in source else {}))
  assert '\n' not in str(raised.value)


@pytest.mark.parametrize(
  ('columns', 'says'),
  [
    (dict(edge_index=[[0, 9], [1, 0]], x=np.ones((3, 2))), 'the node 9, but there are 3'),
    (dict(edge_index=[[0, -1], [1, 0]]), 'the node -1'),
    (dict(edges=[[0.5, 1.0]]), 'expected integers'),
    (dict(edge_index=[[0], [1]], x=np.full((2, 2), np.nan)), 'finite numbers'),
    (dict(edge_index=[[0], [1]], x=np.ones((2, 2)), y=[0, 1, 2]), 'one for each of 2 nodes'),
    (dict(x=np.ones((2, 2))), 'expected edge_index'),
  ],
)
def test_arrays_that_are_no_graph_cost_one_line(columns, says, tmp_path):
  np.savez(tmp_path / 'g.npz', **columns)
  with pytest.raises(DataError, match=says):
    opened(f'graph:{tmp_path / "g.npz"}')
