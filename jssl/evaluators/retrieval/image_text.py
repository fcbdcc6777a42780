"""Images and texts in a shared embedding space: cross-modal retrieval, and zero-shot classification by class names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import extract, finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import hits, products
from jssl.metrics.retrieval import retrieval_figures
from jssl.metrics.verification import equal_error_rate
from jssl.types import Key

PROMPTS = ('a photo of a {}.',)


def two(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """There must be a tower and a head for images, and for texts."""
  yield from needs.modalities(subject, options)
  if len(options['columns']) > 2:
    yield f'columns are {list(options["columns"])}; expected two'


@protocol('2', needs=('test.{columns}', 'nets.{towers}', 'nets.{heads}'), raw=False, fits=two)
def image_text_retrieval(
  subject: Subject,
  key: Key,
  *,
  columns: Sequence[str] = ('image', 'ids'),
  towers: Sequence[str] = ('backbone', 'text'),
  heads: Sequence[str | None] = ('image_end', 'text_end'),
  ks: Sequence[int] = (1, 5, 10),
) -> dict[str, Any]:
  """The `image_text_retrieval` protocol: retrieval of the texts of every image of 'test', and of the images of every text, by cosine.

  Repeated images or texts are merged, with all their counterparts.

  Args:
    subject: has a network for images and one for texts; 'backbone' is its representation.
    key: unused; the protocol is deterministic.
    columns: of images and of texts.
    towers: the network of each.
    heads: the head of each tower; None for a tower without one.
    ks: cutoffs of the recalls.

  Returns:
    i2t_recall<k> of texts by images, t2i_recall<k> of images by texts: the share of the correct ones among the first k, averaged over queries.
    eer, the equal error rate of one threshold for all pairs of an image and a text: lower is better. The numbers of images and texts.

  Reference: Radford et al. 2021, arXiv:2103.00020, appendix E (recall on Flickr30k and COCO). There, if an image has several texts, recall
    requires any one of them.
  """
  del key
  split = subject.data.splits['test']
  of, z = [], []
  for name, tower, head in zip(columns, towers, heads, strict=True):
    held = np.stack([np.asarray(split[i][name]) for i in range(len(split))])
    _, first, at = np.unique(held.reshape(len(held), -1), axis=0, return_index=True, return_inverse=True)
    of.append(at.ravel())
    z.append(embedded(subject, tower, head, held, name)[first])
  gain = np.zeros((len(z[0]), len(z[1])))
  gain[of[0], of[1]] = 1
  scores = products(*z)
  named = lambda way, figures: {f'{way}_{name}': x for name, x in figures.items() if name.startswith('recall')}
  found = {**named('i2t', retrieval_figures(gain, scores, ks)), **named('t2i', retrieval_figures(gain.T, scores.T, ks))}
  eer = equal_error_rate(scores.ravel(), gain.ravel() > 0)
  return {**found, 'eer': eer, 'pictures': len(z[0]), 'texts': len(z[1])}


def named_classes(subject: Subject, options: Mapping[str, Any]) -> Iterator[str]:
  """Every class must have a name, and prompts a placeholder for it."""
  yield from two(subject, options)
  text, label, names = options['columns'][-1], subject.data.spec['label'], options['names']
  if text not in subject.data.spec:
    yield f'the data have no column {text!r}, whose length prompts are given'
  if names is None and not label.classes:
    yield 'the classes have no names; give them, names=(...)'
  if names is not None and len(names) != label.size:
    yield f'names has {len(names)} entries; expected one for each of {label.size} classes'
  if not options['prompts'] or not all('{}' in prompt for prompt in options['prompts']):
    yield f'prompts are {options["prompts"]!r}; expected one or more with {{}} in the place of the name'


@protocol('1', needs=('test.{columns}', 'test.label', 'info.tokenizer_json', 'nets.{towers}', 'nets.{heads}'), raw=False, fits=named_classes)
def zero_shot(
  subject: Subject,
  key: Key,
  *,
  prompts: Sequence[str] = PROMPTS,
  names: Sequence[str] | None = None,
  columns: Sequence[str] = ('image', 'ids'),
  towers: Sequence[str] = ('backbone', 'text'),
  heads: Sequence[str | None] = ('image_end', 'text_end'),
) -> dict[str, Any]:
  """The `zero_shot` protocol: classifies every image of 'test' by the nearest text embedding of a class name; uses no labels.

  Args:
    subject: as in `image_text_retrieval`.
    key: unused; the protocol is deterministic.
    prompts: texts with {} for the name; the embedding of a class is the mean over its prompts.
    names: names of the classes; None for those of the labels.
    columns, towers, heads: as in `image_text_retrieval`.

  Returns:
    top1, the number of images with a class, and the number of classes.

  Raises:
    ValueError: if no image has a class.

  Reference: Radford et al. 2021, arXiv:2103.00020, section 3.1, with the mean of several prompts of section 3.1.4.
  """
  del key
  split, (image, text) = subject.data.splits['test'], columns
  names = names or subject.data.spec['label'].classes
  labels = np.array([int(split[i]['label']) for i in range(len(split))])
  if not (labels >= 0).any():
    raise ValueError("no picture of 'test' has a class; expected some that have")
  pictures = embedded(subject, towers[0], heads[0], np.stack([np.asarray(split[i][image]) for i in range(len(split))]), image)
  asked = tokens(subject.data.info['tokenizer_json'], [p.replace('{}', str(name)) for name in names for p in prompts], split[0][text].shape[0])
  z = embedded(subject, towers[1], heads[1], asked, text)
  classes = unit(z.reshape(len(names), len(prompts), -1).mean(1))
  known = labels >= 0
  return {'top1': float(hits(products(pictures, classes)[known], labels[known]).mean()), 'pictures': int(known.sum()), 'classes': len(names)}


def tokens(tokenizer_json: str, texts: Sequence[str], length: int) -> np.ndarray:
  """Texts as ids [n length], padded with 0, by a tokenizer in the format of a tokenizer.json."""
  from tokenizers import Tokenizer

  tokenizer = Tokenizer.from_str(tokenizer_json)
  tokenizer.enable_truncation(length)
  tokenizer.no_padding()
  ids = np.zeros((len(texts), length), np.int32)
  for row, found in zip(ids, tokenizer.encode_batch(list(texts)), strict=True):
    row[: len(found.ids)] = found.ids
  return ids


def embedded(subject: Subject, tower: str, head: str | None, x: np.ndarray, column: str) -> np.ndarray:
  """[n d] unit vectors of a column [n ...], by a tower and its head, if it has one."""
  net, end = subject.networks[tower], (lambda z: z) if head is None else subject.networks[head]
  if tower == 'backbone':
    columns = [{column: one} for one in x]
    z = np.asarray(end(extract(subject.represent, columns, min(len(x), 256), label=None)[0]))
  else:
    pooled = jax.jit(lambda x: end(net(x).pooled))
    z = np.concatenate([np.asarray(pooled(x[i : i + 256])) for i in range(0, len(x), 256)])
  return unit(finite(z, f'the outputs of {head or tower!r}'))


def unit(z: np.ndarray) -> np.ndarray:
  return z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-12)
