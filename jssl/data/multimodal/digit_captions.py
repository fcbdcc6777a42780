"""Images of two digits with captions in English."""

from jssl.data.core.arrays import arrays
from jssl.data.multimodal.digit_reports import WORDS, digit_reports
from jssl.data.text.corpora import tokenized, tokenizer_in
from jssl.types import Data

CLASSES = ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')


def digit_captions(*, train: int = 1500, test: int = 500, seed: int = 0, length: int = 24) -> Data:
  """The canvases of `digit_reports`, each with a caption: 'a photo of a large three and a small seven, lesion on left side.'

  Args:
    train, test, seed: as in `digit_reports`.
    length: n, tokens per caption.

  Returns:
    Data with image [8 16 1] uint8, ids [n] int32, by a tokenizer trained on the captions, and label [] int32, the left digit.
  """
  of = digit_reports(train=train, test=test, seed=seed)
  texts = {split: [caption([WORDS[i] for i in row]) for row in examples.columns['text']] for split, examples in of.splits.items()}
  card = {key: x for key, x in of.info.items() if key != 'words'}
  ids, info = tokenized({**card, 'name': 'digit_captions'}, texts, length, 200, None)
  facts = dict(ids=info.pop('ids'), label=dict(classes=CLASSES))
  columns = {split: dict(image=x.columns['image'], ids=ids[split], label=x.columns['label']) for split, x in of.splits.items()}
  info |= dict(classes=CLASSES, tokenizer_json=tokenizer_in(info).to_str())
  return arrays(**columns['train'], test=columns['test'], inputs='image', facts=facts, info=info)


def caption(words: list[str]) -> str:
  """The caption of a report, whose words have the positions of its template."""
  left, right, where = ' '.join(words[3:5]), ' '.join(words[9:11]), ' '.join(words[12:16])
  return f'a photo of a {left} and a {right}, {where}.'
