"""Film reviews with pairs of stimuli for a concept: the same sentence after a word for the concept and after its opposite."""

import functools

import numpy as np

from jssl.data.text import corpora as text
from jssl.types import Data, Judged

TEMPLATES = ('this is a wonderful film. {}', 'this is a terrible film. {}')


@functools.lru_cache(maxsize=2)
def contrasted_reviews(*, pairs: int = 512, length: int = 32, vocabulary: int = 4096, tokenizer: str | None = None) -> Data:
  """`text.rotten_tomatoes` with an additional split 'stimuli' of sentences of 'train', without their polarity.

  Args:
    pairs: number of pairs in 'stimuli'.
    length, vocabulary, tokenizer: as in `text.rotten_tomatoes`.

  Returns:
    Data with ids, label and film; 'stimuli' has ids and label: row 2i is the positive and row 2i + 1 the negative stimulus of one sentence.

  Reference: Zou et al., Representation Engineering, 2023, arXiv:2310.01405, section 3.1, step 1: a template asks for more
    of the concept, or for less of it.
  """
  data = text.rotten_tomatoes(length=length, vocabulary=vocabulary, tokenizer=tokenizer)
  train = data.info['texts']['train']
  chosen = np.random.default_rng(0).permutation(len(train))[:pairs]
  stimuli = [template.format(train[i]) for i in chosen for template in TEMPLATES]
  ids, _ = text.tokenized(text.ROTTEN_TOMATOES, dict(train=train, stimuli=stimuli), length, vocabulary, tokenizer)
  split = text.data(dict(train=dict(ids=ids['stimuli'], label=np.tile([1, 0], pairs))), {}).splits['train']
  texts = data.info['texts'] | dict(stimuli=stimuli)
  return data._replace(splits=data.splits | dict(stimuli=split), info=data.info | dict(texts=texts), judged=Judged())
