"""Pairs of sentences for natural language inference, from a grammar whose words form taxonomies."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jssl.data.text import corpora as text
from jssl.data.text import tokenize
from jssl.types import Data, Judged

RELATIONS = ('entailment', 'neutral', 'contradiction')
CARD = dict(
  name='entailment',
  description='Sentences of a subject, an act and a place, with sentences that follow from them, may be true too, or contradict them.',
  licence='none needed: generated',
  citation='',
)
# Hyponyms by hypernym, as in WordNet 3.0.
SUBJECTS = dict(
  animal=('dog', 'cat', 'horse', 'bird', 'insect', 'fish'),
  person=('child', 'musician', 'worker', 'athlete'),
  dog=('poodle', 'beagle', 'collie', 'terrier', 'hound', 'spaniel'),
  cat=('kitten', 'tabby', 'siamese'),
  horse=('pony', 'mare', 'stallion', 'foal'),
  bird=('sparrow', 'eagle', 'owl', 'duck', 'hen', 'pigeon'),
  insect=('beetle', 'ant', 'wasp', 'butterfly'),
  fish=('salmon', 'trout', 'shark', 'carp'),
  child=('boy', 'girl', 'baby'),
  musician=('drummer', 'pianist', 'singer', 'violinist'),
  worker=('baker', 'farmer', 'carpenter', 'nurse', 'miner'),
  athlete=('runner', 'boxer', 'swimmer', 'wrestler'),
)
ACTS = dict(
  moving=('running', 'walking', 'jumping', 'climbing', 'turning'),
  running=('racing', 'sprinting'),
  walking=('marching', 'limping', 'strolling'),
  jumping=('hopping', 'leaping'),
  turning=('spinning', 'rolling'),
  resting=('sleeping', 'sitting', 'lying down'),
  sleeping=('napping', 'dozing'),
  eating=('chewing', 'nibbling', 'feasting'),
  calling=('shouting', 'whistling', 'screaming'),
)
PLACES = {
  'outdoors': ('in the garden', 'on the beach', 'in the forest', 'in the street', 'on a farm', 'on a mountain'),
  'indoors': ('in the kitchen', 'in the attic', 'in the cellar', 'in the hall', 'in a shop', 'in a church'),
}
OPPOSITES = (('small', 'large'), ('old', 'young'), ('thin', 'fat'), ('wet', 'dry'))
WORDS = tuple(tuple(dict.fromkeys([*tree, *(word for words in tree.values() for word in words)])) for tree in (SUBJECTS, ACTS, PLACES))
PARENTS = {word: above for tree in (SUBJECTS, ACTS, PLACES) for above, words in tree.items() for word in words}
OPPOSITE = {a: b for pair in OPPOSITES for a, b in (pair, pair[::-1])}


class Sentence(NamedTuple):
  """What a sentence says; '' where it says nothing of an aspect."""

  subject: str
  quality: str
  act: str
  place: str
  denied: bool = False  # of the act

  def __str__(self) -> str:
    named = f'{self.quality} {self.subject}'.strip()
    return f'{"an" if named[0] in "aeiou" else "a"} {named} is {"not " * self.denied}{self.act} {self.place}'.strip()


@functools.lru_cache(maxsize=2)
def entailment(
  *, train: int = 8000, test: int = 1000, judged: int = 1000, length: int = 16, vocabulary: int = 512, tokenizer: str | None = None,
  seed: int = 0,
) -> Data:  # fmt: skip
  """Premises with hypotheses of three classes, and pairs of sentences with scores.

  No installed package has pairs of natural language inference. Here a hypothesis changes some aspects of its premise, and the class follows
  from the taxonomies, given that both sentences describe the same event: it contradicts the premise if an aspect excludes that of the premise
  ('a poodle', 'a cat'), is entailed if each aspect is the same or more general ('a dog'), and is neutral otherwise. A denied act excludes its
  hyponyms, and follows from acts that exclude it. Two words of a taxonomy of which neither is above the other exclude each other.

  Args:
    train: number of premises in 'train', all different.
    test: number of premises in 'test', none of which is in 'train'.
    judged: number of pairs with a score.
    length: n, tokens per text.
    vocabulary, tokenizer: as in `text.lee`.
    seed: seed of all randomness.

  Returns:
    Data. 'train' and 'test' have ids, a premise; positive, which it entails; negative, which contradicts it; neutral, which is neither; second
    and relation, one of these three and its class in `RELATIONS`, which are equally frequent. 'pairs' has a and b, row indices of the split
    'sentences', which deny nothing, and score: 1 if one of the two entails the other, 0 if they contradict each other, and 1/2 otherwise.

  Reference: Bowman, Angeli, Potts, Manning, EMNLP 2015, arXiv:1508.05326, section 2.1, on the same event; MacCartney, Manning, Coling 2008, on
    classes of a pair from those of its words.
  """
  random = np.random.default_rng(seed)
  premises: dict[Sentence, None] = {}
  while len(premises) < train + test:
    premises[_drawn(random)] = None
  parts = dict(train=list(premises)[test:], test=list(premises)[:test])
  rows = {split: _rows(random, part) for split, part in parts.items()}
  first = [_drawn(random) for _ in range(judged)]
  second = [_hypothesis(random, sentence, RELATIONS[i % 3], denied=0.0) for i, sentence in enumerate(first)]
  rows['sentences'] = dict(ids=[str(sentence) for sentence in (*first, *second)])
  pairs = dict(a=np.arange(judged), b=judged + np.arange(judged), score=np.float32([*map(likeness, first, second)]))
  made, how = text.tokenizer_of(tuple(rows['train']['ids']), vocabulary, tokenizer)
  encode = lambda x: tokenize.encode(made, x, length) if isinstance(x, list) else x
  splits = {split: {name: encode(x) for name, x in columns.items()} for split, columns in rows.items()}
  texts = {split: columns['ids'] for split, columns in rows.items()}
  info = {**CARD, 'tokenizer': how, 'ids': tokenize.facts(made), 'texts': texts}
  data = text.data(splits | dict(pairs=pairs), info, dict(relation=dict(classes=RELATIONS)))
  return data._replace(judged=Judged(halved=('pairs',)))


def relation(premise: Sentence, hypothesis: Sentence) -> str:
  """The class of a pair, one of `RELATIONS`."""
  aspects = [_compared(getattr(premise, name), getattr(hypothesis, name)) for name in ('subject', 'act', 'place')]
  if hypothesis.denied:
    aspects[1] = dict(entailment='contradiction', contradiction='entailment', neutral='neutral')[aspects[1]]
  if hypothesis.quality not in ('', premise.quality):
    aspects.append('contradiction' if OPPOSITE[hypothesis.quality] == premise.quality else 'neutral')
  return next((name for name in ('contradiction', 'neutral') if name in aspects), 'entailment')


def likeness(one: Sentence, other: Sentence) -> float:
  """1 if one of two sentences, which deny nothing, entails the other, 0 if they contradict each other, and 1/2 otherwise."""
  found = {relation(one, other), relation(other, one)}
  return 1.0 if 'entailment' in found else 0.0 if 'contradiction' in found else 0.5


@functools.cache
def _above(word: str) -> tuple[str, ...]:
  """The word, the words above it, and '', the top."""
  return (word, *_above(PARENTS.get(word, ''))) if word else ('',)


@functools.cache
def _beside(word: str) -> tuple[str, ...]:
  """The words directly under the same word, this one included; a word of the top level alone."""
  return tuple(x for x in PARENTS if PARENTS[x] == PARENTS.get(word)) or (word,)


def _compared(premise: str, hypothesis: str) -> str:
  """The class of a pair of words: what is above the premise follows, what is below it may be true, and anything else is excluded."""
  if hypothesis in _above(premise):
    return 'entailment'
  return 'neutral' if premise in _above(hypothesis) else 'contradiction'


def _one(random: np.random.Generator, words: Sequence[str]) -> str:
  return words[int(random.random() * len(words))]


def _drawn(random: np.random.Generator) -> Sentence:
  """A random sentence; one in two has a quality, three in four have a place."""
  subject, act, place = (_one(random, words) for words in WORDS)
  quality = _one(random, tuple(OPPOSITE)) if random.random() < 0.5 else ''
  return Sentence(subject, quality, act, place if random.random() < 0.75 else '')


def _changed(random: np.random.Generator, sentence: Sentence) -> Sentence:
  """The sentence with each aspect kept, taken from another sentence, or replaced by a word above it or beside it."""
  other = _drawn(random)

  def near(name: str) -> str:
    word, kind = getattr(sentence, name), int(4 * random.random())
    if kind == 1 and (name == 'place' or PARENTS.get(word)):
      return PARENTS.get(word, '')
    return word if kind == 0 else getattr(other, name) if kind == 2 else _one(random, _beside(word))

  quality = _one(random, (sentence.quality, '', other.quality, OPPOSITE.get(sentence.quality, '')))
  return Sentence(near('subject'), quality, near('act'), near('place'))


def _hypothesis(random: np.random.Generator, premise: Sentence, wanted: str, denied: float = 0.25) -> Sentence:
  """A changed premise of a class; a share `denied` of those that are drawn denies its act, and then names no place."""
  while True:
    found = _changed(random, premise)
    if random.random() < denied:
      found = found._replace(denied=True, place='')
    if found != premise and relation(premise, found) == wanted:
      return found


def _rows(random: np.random.Generator, premises: list[Sentence]) -> dict:
  """Columns of one split: texts as lists, classes as an array."""
  of = {kind: [str(_hypothesis(random, premise, kind)) for premise in premises] for kind in RELATIONS}
  kinds = random.permutation(np.arange(len(premises)) % 3)
  second = [of[RELATIONS[kind]][i] for i, kind in enumerate(kinds)]
  texts = dict(ids=[*map(str, premises)], positive=of['entailment'], negative=of['contradiction'], neutral=of['neutral'])
  return dict(**texts, second=second, relation=kinds)
