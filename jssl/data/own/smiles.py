"""Molecules as SMILES: detection and tokenisation."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jssl.data.core.pictures import first_line
from jssl.data.text import tokenize
from jssl.errors import DataError

NAMES = ('smiles', 'SMILES')  # names of a SMILES column
# The tokens of SMILES: atoms, also in brackets, bonds, branches, rings, and the dot between components.
_ALPHABET = re.compile(r'(?:\[[^\[\]]+\]|Br|Cl|[BCNOPSFIbcnops*]|[-=#$:/\\.()~]|%\d\d|\d)+')


def molecule(text: str) -> bool:
  """Whether a text has the syntax of SMILES; valences and rings are not checked."""
  return _ALPHABET.fullmatch(text) is not None and text.count('(') == text.count(')')


def read(path: Path) -> tuple[list[str], list[str]]:
  """Reads SMILES and names from a .smi file: the first two words of each line; the name defaults to the SMILES.

  Raises:
    DataError: if it cannot be read, or is empty.
  """
  try:
    lines = [line.split() for line in path.read_text('utf-8').splitlines() if line.strip() and not line.startswith('#')]
  except (OSError, ValueError) as error:
    raise DataError(f'{path} cannot be read as text ({first_line(error)}); expected one molecule per line, its SMILES first') from error
  lines = lines[1:] if lines and lines[0][0] in NAMES else lines
  if not lines:
    raise DataError(f'{path} has no molecules; expected one per line, its SMILES first')
  return [line[0] for line in lines], [line[min(1, len(line) - 1)] for line in lines]


def tokenizer_of(texts: Sequence[str]) -> Any:
  """A tokenizer whose vocabulary is the SMILES tokens in `texts`, sorted; ids 0 to 4 are those of `tokenize.SPECIAL`."""
  from tokenizers import Regex, Tokenizer, models, pre_tokenizers

  from jssl.data.molecules.solubility import SMILES_TOKEN

  words = [*tokenize.SPECIAL, *sorted({token for text in texts for token in SMILES_TOKEN.findall(text)})]
  tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token='[UNK]'))
  tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(SMILES_TOKEN.pattern), 'isolated')
  tokenizer.add_special_tokens(list(tokenize.SPECIAL))
  return tokenizer
