"""Knowledge graphs from an installed package: triples of a head, a relation and a tail.

Every data set has the columns head, relation and tail, indices into `info['entities']` and `info['relations']`, and the splits 'train', 'valid'
and 'test'.
"""

from collections.abc import Mapping

import numpy as np

from jssl.data.core.arrays import Columns, arrays
from jssl.data.core.operators import with_columns
from jssl.data.core.packaged import package
from jssl.types import Column, Data, Judged

LICENCE = 'distributed with pykeen (MIT)'


def nations() -> Data:
  """14 nations and 55 relations between them, in 1,592 + 199 + 201 triples.

  Raises:
    DataError: if pykeen is not installed.

  Reference: Rummel, Dimensionality of Nations, 1992, doi:10.3886/ICPSR05409; the split is that of pykeen.
  """
  return _packaged('nations', 'Rummel, Dimensionality of Nations, 1992, doi:10.3886/ICPSR05409')


def kinships() -> Data:
  """104 members of an Alyawarra community and 25 kinship terms between them, in 8,544 + 1,068 + 1,074 triples.

  Raises:
    DataError: if pykeen is not installed.

  Reference: Denham, The detection of patterns in Alyawarra nonverbal behavior, 1973; Kemp, Tenenbaum, Griffiths, Yamada, Ueda, AAAI 2006; the
    split is that of pykeen.
  """
  return _packaged('kinships', 'Denham, The detection of patterns in Alyawarra nonverbal behavior, PhD thesis, 1973')


def umls() -> Data:
  """135 concepts of medicine and 46 relations of the UMLS semantic network, in 5,216 + 652 + 661 triples.

  Raises:
    DataError: if pykeen is not installed.

  Reference: McCray, An upper-level ontology for the biomedical domain, 2003, doi:10.1002/cfg.255; Kemp, Tenenbaum, Griffiths, Yamada, Ueda,
    AAAI 2006; the split is that of pykeen.
  """
  return _packaged('umls', 'McCray, Comparative and Functional Genomics 4(1), 2003, doi:10.1002/cfg.255')


def triples(names: dict[str, np.ndarray], **info) -> Data:
  """Makes `Data` from named triples.

  Args:
    names: split -> [n 3] strings, (head, relation, tail); 'train' contains every name of the other splits.
    **info: licence, citation and other information.
  """
  train = names['train']
  entities, relations = np.unique(train[:, [0, 2]]), np.unique(train[:, 1])
  number = lambda x: dict(
    head=np.searchsorted(entities, x[:, 0]), relation=np.searchsorted(relations, x[:, 1]), tail=np.searchsorted(entities, x[:, 2])
  )
  info = dict(info, entities=entities.tolist(), relations=relations.tolist())
  facts = dict(head=dict(size=len(entities)), tail=dict(size=len(entities)), relation=dict(size=len(relations)))
  data = arrays(test=number(names['test']), inputs='head', facts=facts, info=info, **number(train))
  valid = Columns({name: x.astype(np.int32) for name, x in number(names['valid']).items()})
  return data._replace(splits=data.splits | {'valid': valid}, judged=Judged(carved=None, instead={'test': 'valid'}))


def subsampled(*, of: Data) -> Data:
  """Adds a column `weight`: high for triples whose head with relation, and relation with tail, are rare.

  w = (n(h, r) + n(r, t) + 6)^-1/2, with n the numbers of triples of the split

  Args:
    of: a data set of triples.

  Reference: Sun, Deng, Nie, Tang 2019, arXiv:1902.10197, official code, `TrainDataset.count_frequency`, which starts both counts at 3.
  """

  def make(split: str, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    del split
    number = lambda *names: np.unique(np.stack([columns[name] for name in names], 1), axis=0, return_inverse=True, return_counts=True)[1:]
    (heads, with_head), (tails, with_tail) = number('head', 'relation'), number('relation', 'tail')
    return dict(weight=1 / np.sqrt(with_head[heads.ravel()] + with_tail[tails.ravel()] + 6).astype(np.float32))

  return with_columns(of, make, dict(weight=Column((), np.float32)))


def _packaged(name: str, citation: str) -> Data:
  folder = package('pykeen', 'pykeen', f'datasets/{name}', options='--no-deps')  # its dependencies include torch, but only its files are read
  names = {split: np.loadtxt(folder / f'{split}.txt', str, delimiter='\t') for split in ('train', 'valid', 'test')}
  return triples(names, name=name, licence=LICENCE, citation=citation)
