"""User graphs: a list of edges, nodes with features, or arrays. An example is a node with its neighbourhood."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from jssl.data.core.arrays import Columns, described
from jssl.data.core.pictures import first_line
from jssl.data.own import arrays, tables
from jssl.data.own.files import held_out as drawn
from jssl.data.own.files import stamps
from jssl.data.own.rows import LABEL, Found, labels, numeric
from jssl.errors import DataError
from jssl.storage import near, reach
from jssl.types import Column, Data

SOURCE, TARGET = ('source', 'src', 'from', 'head', 'u'), ('target', 'dst', 'to', 'tail', 'v')
WEIGHT, NODE = ('weight', 'w'), ('id', 'node', 'node_id', 'name')
DEGREES = 16  # features of nodes without features: the binary logarithm of their degree, one-hot
MOST = 2**31  # bytes of all adjacency matrices


class Read(NamedTuple):
  """A graph as read from files."""

  names: list[str]  # of the nodes
  edges: np.ndarray  # [m 2] node indices
  weights: np.ndarray | None  # [m]
  features: np.ndarray | None  # [n f]
  labels: Sequence[Any] | None
  files: list[Path]


class Surroundings:
  """A split: nodes of a graph with the subgraphs around them; features are looked up on access.

  Args:
    rows: node indices, [b].
    features: [n f] of all nodes.
    around: [n s] the nodes of each subgraph, with the node itself first, padded with -1.
    adjacency: [n s s].
    columns: other columns, name -> [n].
  """

  def __init__(self, rows: np.ndarray, features: np.ndarray, around: np.ndarray, adjacency: np.ndarray, columns: Mapping[str, np.ndarray]):
    self.rows, self.features, self.around, self.adjacency, self.columns = rows, features, around, adjacency, dict(columns)

  def __len__(self) -> int:
    return len(self.rows)

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {name: column[0] for name, column in self.take(np.array([index])).items()}

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The examples `rows` [b], stacked: column -> [b ...]."""
    rows = self.rows[rows]
    around = self.around[rows]
    nodes = np.where((around >= 0)[..., None], self.features[around], np.float32(0))
    return dict(node=self.features[rows], nodes=nodes, adjacency=self.adjacency[rows], **{name: x[rows] for name, x in self.columns.items()})


def graph(path: str, *, size: int = 32, hops: int = 2, directed: bool = False, held_out: float = 0.2, seed: int = 0) -> Data:
  """The nodes of a graph with their neighbourhoods, as in the data set `blocks`.

  Args:
    path: a folder with edges.csv, with columns source, target and optionally weight, and optionally nodes.csv, with columns id, optionally
      label, and numeric features; such a list of edges alone, .csv or .tsv; or an .npz file with edge_index [2 m] or edges [m 2], or the arrays
      of a sparse matrix (adj_data, adj_indices, adj_indptr), and optionally x (or features, attr_...) [n f] and y (or labels) [n].
    size: nodes per example; larger subgraphs are sampled.
    hops: radius of the subgraph.
    directed: whether edges are directed; the neighbourhood then follows outgoing edges.
    held_out: share of nodes in 'test', by a hash of their names.
    seed: seed for sampling neighbourhoods larger than `size`.

  Returns:
    Data with node [f], nodes [size f], adjacency [size size], and label if there is one. Nodes without features get the binary logarithm of
    their degree, one-hot.

  Raises:
    DataError: if nothing is found, an edge refers to an unknown node, or features are not finite numbers.
  """
  source = f'graph:{path}'
  nodes, found = whole(near(reach(path)), size=size, hops=hops, directed=directed, seed=seed)
  held = drawn(found.names, held_out)
  facts, columns, info = {}, {}, dict(name=source, fingerprint=stamps(found.files), split='random')
  if found.labels is not None:
    one = {'all': {}}
    if classes := labels(source, {'all': Found(dict(label=found.labels), found.names)}, 'label', None, one):
      columns, info['classes'] = one['all'], classes
      facts['label'] = dict(classes=classes, **(dict(pad=-1) if (columns['label'] < 0).any() else {}))
  splits = {
    split: Surroundings(np.flatnonzero(rows), nodes.features, nodes.around, nodes.adjacency, columns)
    for split, rows in dict(train=~held, test=held).items()
  }
  example = splits['train'][0]
  spec = {name: Column(x.shape, x.dtype) for name, x in example.items() if name != 'label'}
  spec |= described({'train': Columns(columns)}, facts) if columns else {}
  return Data(splits=splits, spec=spec, inputs='node', info=info)


def whole(path: Path, *, size: int = 32, hops: int = 2, directed: bool = False, seed: int = 0) -> tuple[Surroundings, Read]:
  """All nodes of a graph with their neighbourhoods, and the graph itself; options as in `graph`."""
  found = read(path)
  n = len(found.names)
  if size < 2 or hops < 1:
    raise DataError(f'size={size}, hops={hops}: expected at least 2 nodes per example and 1 hop')
  if n * size**2 * (1 if found.weights is None else 4) > MOST:
    raise DataError(f'{path}: the neighbourhoods of {n} nodes, {size} nodes each, take more than 2 GiB; give a smaller size')
  matrix = adjacency_of(n, found.edges, found.weights, directed)
  around, adjacency = subgraphs(matrix, size, hops, np.random.default_rng(seed), bool if found.weights is None else np.float32)
  features = by_degree(matrix) if found.features is None else found.features.astype(np.float32)
  return Surroundings(np.arange(n), features, around, adjacency, {}), found


def read(path: Path) -> Read:
  """Reads the graph at a path."""
  if path.is_dir():
    files = {path.stem: path for path in sorted(path.iterdir()) if path.suffix in ('.csv', '.tsv')}
    if 'edges' not in files:
      raise DataError(f'{path} has no edges.csv; expected one with the columns source and target, and optionally nodes.csv')
    return of_tables(files['edges'], files.get('nodes'))
  if not path.exists():
    raise DataError(f'{path} does not exist; give the path of your graph')
  if path.suffix in ('.csv', '.tsv'):
    return of_tables(path, None)
  if path.suffix == '.npz':
    return of_arrays(path)
  raise DataError(f'{path} must be a folder with edges.csv in it, or end in .csv, .tsv or .npz')


def of_tables(edges: Path, nodes: Path | None) -> Read:
  """Reads a list of edges, and of nodes; without the latter, the nodes are those in the edges."""
  columns = tables.read(edges)
  ends = [next((name for name in names if name in columns), None) for names in (SOURCE, TARGET)]
  if None in ends:
    raise DataError(f'{edges} has the columns {sorted(columns)}; expected source and target, and optionally weight')
  for end in ends:
    if None in columns[end]:
      raise DataError(f'{edges}: row {columns[end].index(None)}, counted from 0, has no {end!r}; fill it in, or remove the row')
  given = [[str(x) for x in columns[end]] for end in ends]
  features = labelled = None
  if nodes is None:
    names = sorted({*given[0], *given[1]})
  else:
    told = tables.read(nodes)
    id = next((name for name in NODE if name in told), None)
    if id is None:
      raise DataError(f'{nodes} has the columns {sorted(told)}; expected a column id, to which edges refer')
    names = [str(x) for x in told[id]]
    if len({*names}) < len(names):
      raise DataError(f'{nodes} has two rows of {next(name for name in names if names.count(name) > 1)!r} in {id!r}; expected one row per node')
    label = next((name for name in LABEL if name in told and name != id), None)
    labelled = told[label] if label else None
    features = numbers(nodes, told, [name for name in told if name not in (id, label)])
  number = {name: i for i, name in enumerate(names)}
  for end, of in zip(ends, given, strict=True):
    if (row := next((i for i, name in enumerate(of) if name not in number), None)) is not None:
      raise DataError(
        f'{edges}: row {row}, counted from 0, has the {end} {of[row]!r}, which {nodes} does not have; add the node, or remove the edge'
      )
  weight = next((name for name in WEIGHT if name in columns), None)
  weights = None if weight is None else numbers(edges, columns, [weight])[:, 0]
  return Read(
    names,
    np.array([[number[name] for name in of] for of in given]).T,
    usable(edges, weights),
    features,
    labelled,
    [edges, *([nodes] if nodes else [])],
  )


def numbers(path: Path, columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> np.ndarray | None:
  """Numeric columns as [n f]; None if there are none."""
  for name in names:
    if not numeric(columns[name]):
      raise DataError(f'{path}: the column {name!r} has entries such as {columns[name][0]!r}; expected numbers: remove it, or name it label')
    if (row := next((i for i, x in enumerate(columns[name]) if x is None or not np.isfinite(x)), None)) is not None:
      raise DataError(f'{path}: row {row}, counted from 0, has {columns[name][row]} in {name!r}; expected finite numbers: fill it in')
  return np.array([columns[name] for name in names], np.float64).T if names else None


def usable(path: Path, weights: np.ndarray | None) -> np.ndarray | None:
  """Returns the weights if a graph convolution can use them; raises an error otherwise."""
  if weights is not None and not (np.isfinite(weights).all() and weights.min() >= 0):
    raise DataError(f'{path}: an edge has the weight {weights[~(weights >= 0)][0]}; expected finite weights of 0 or more')
  return weights


def of_arrays(path: Path) -> Read:
  """Reads edges and nodes from an .npz file, with the names of PyTorch Geometric or of common benchmarks with SciPy matrices."""
  columns = arrays.opened(path)
  first = lambda *names: next((columns[name] for name in names if name in columns), None)
  whole = lambda of: csr_array((columns[f'{of}_data'], columns[f'{of}_indices'], columns[f'{of}_indptr']), tuple(columns[f'{of}_shape']))
  weights = None
  try:
    if (edges := first('edge_index', 'edges')) is not None:
      edges = edges.T if edges.ndim == 2 and 'edge_index' in columns else edges
      weights = first('edge_weight', 'weights')
    elif 'adj_data' in columns:
      matrix = whole('adj').tocoo()
      edges, weights = np.stack([matrix.row, matrix.col], 1), None if (matrix.data == 1).all() else matrix.data
    else:
      raise DataError(
        f'{path} contains {sorted(columns)}; expected edge_index [2, m], edges [m, 2] or adj_data, adj_indices, adj_indptr, adj_shape'
      )
    features = whole('attr').toarray() if 'attr_data' in columns else first('x', 'features', 'attr_matrix')
  except (KeyError, ValueError, TypeError) as error:
    raise DataError(f'{path} cannot be read as a graph ({first_line(error)}); expected arrays of numbers as numpy.savez writes them') from error
  label = first('y', 'label', 'labels')
  if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in 'iu' or not len(edges):
    raise DataError(f'{path}: edges are {edges.dtype} {list(edges.shape)}; expected integers, edge_index [2, m] or edges [m, 2]')
  n = next((len(x) for x in (features, label) if x is not None), int(edges.max()) + 1)
  if edges.min() < 0 or edges.max() >= n:
    wrong = int(edges.max() if edges.max() >= n else edges.min())
    raise DataError(f'{path}: an edge has the node {wrong}, but there are {n} nodes, counted from 0; correct the edge, or add the node')
  if features is not None and (features.ndim != 2 or features.dtype.kind not in 'biuf' or not np.isfinite(features).all()):
    raise DataError(f'{path}: features are {features.dtype} {list(features.shape)}; expected finite numbers [n, f]')
  if label is not None and label.shape != (n,):
    raise DataError(f'{path}: labels have shape {list(label.shape)}; expected one for each of {n} nodes')
  if weights is not None and weights.shape != (len(edges),):
    raise DataError(f'{path}: weights have shape {list(weights.shape)}; expected one for each of {len(edges)} edges')
  if masks := sorted(name for name in columns if name.endswith('_mask')):
    logging.getLogger('jssl').warning('%s: %s are ignored; held_out=SHARE sets the share of nodes in the test split', path, ', '.join(masks))
  return Read([str(i) for i in range(n)], edges, usable(path, weights), features, None if label is None else label.tolist(), [path])


def adjacency_of(n: int, edges: np.ndarray, weights: np.ndarray | None, directed: bool) -> csr_array:
  """[n n]; duplicate edges keep the larger weight, and self-loops are dropped."""
  edges, weights = np.asarray(edges, np.int64), np.ones(len(edges)) if weights is None else np.asarray(weights, np.float64)
  apart = edges[:, 0] != edges[:, 1]
  edges, weights = edges[apart], weights[apart]
  if not directed:
    edges, weights = np.concatenate([edges, edges[:, ::-1]]), np.concatenate([weights, weights])
  order = np.lexsort((-weights, edges[:, 1], edges[:, 0]))
  edges, weights = edges[order], weights[order]
  kept = np.r_[True, (np.diff(edges, axis=0) != 0).any(1)][: len(edges)]
  return csr_array((weights[kept], (edges[kept, 0], edges[kept, 1])), shape=(n, n))


def subgraphs(matrix: csr_array, size: int, hops: int, rng: np.random.Generator, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
  """For each node its neighbourhood, [n s], with the node first and then in order of distance, and the edges among these nodes, [n s s]."""
  n, pointers, indices, data = matrix.shape[0], matrix.indptr, matrix.indices, matrix.data
  around, adjacency, place = np.full((n, size), -1, np.int32), np.zeros((n, size, size), dtype), np.full(n, -1)
  for node in range(n):
    found, last = [node], [node]
    seen = {node}
    for _ in range(hops):
      near = sorted({int(x) for i in last for x in indices[pointers[i] : pointers[i + 1]]} - seen) if len(found) < size else []
      last = [near[i] for i in rng.permutation(len(near))]
      found, seen = [*found, *last], seen | {*near}
    found = np.array(found[:size])
    around[node, : len(found)] = found
    place[found] = np.arange(len(found))
    for i, of in enumerate(found):
      ends = place[indices[pointers[of] : pointers[of + 1]]]
      adjacency[node, i, ends[ends >= 0]] = data[pointers[of] : pointers[of + 1]][ends >= 0]
    place[found] = -1
  return around, adjacency


def by_degree(matrix: csr_array) -> np.ndarray:
  """[n f] one-hot: bin of the degree of a node, by powers of two, with a bin for degree 0."""
  degree = np.diff(matrix.indptr)
  at = np.where(degree > 0, 1 + np.floor(np.log2(np.maximum(degree, 1))), 0).astype(int)
  return np.eye(DEGREES, dtype=np.float32)[np.minimum(at, DEGREES - 1)]
