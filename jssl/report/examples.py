"""Some examples of a data set with their features, and how they are shown: as tiles of pictures and series, and as texts."""

import base64
import io
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jssl.data.core.pictures import is_picture
from jssl.errors import DataError
from jssl.model import Model
from jssl.ops.rows import take
from jssl.types import Column

MOST, SECONDS = 800, 40.0  # examples, and the time after which no more are encoded
BATCH, LEAST = 64, 8
BYTES = 256 * 2**20  # of examples
SIDE = 56  # pixels of a tile
LENGTH = 220  # letters of a text
HUES = ('#4477aa', '#ee7733', '#228833', '#cc3311', '#8855bb', '#996644', '#ee88aa', '#8a8a8a', '#bb9900', '#33aabb')


class Sample(NamedTuple):
  """n examples of a split."""

  split: str
  rows: np.ndarray  # [n]
  columns: dict[str, np.ndarray]  # [n ...]
  features: np.ndarray  # [n d]
  labels: list[str] | None
  tiles: np.ndarray | None  # [n h w 3] uint8
  texts: list[str] | None

  def caption(self, i: int) -> str:
    """One line about an example."""
    label, text = self.labels and self.labels[i], self.texts and self.texts[i]
    what = text or (f'example {self.rows[i]}' if self.tiles is None or not label else '')
    return ': '.join(filter(None, (label, what)))


def sample(model: Model) -> Sample:
  """Encodes examples of the test split, or of the training split if there is none; fewer if the network is slow.

  Raises:
    DataError: if there are too few examples, or they do not have the columns that the model reads.
  """
  data = model.data
  split = next((name for name in ('test', 'train') if len(data.splits.get(name, ())) >= LEAST), None)
  if split is None:
    raise DataError(f'the data have no split test or train with {LEAST} examples or more')
  examples = data.splits[split]
  first = examples[0]
  names = [name for name in first if name in data.spec and np.shape(first[name]) == data.spec[name].shape]
  if data.inputs not in names:
    raise DataError(f'the split {split} has no column {data.inputs!r}, which the model reads')
  most = min(len(examples), MOST, BYTES // max(sum(np.asarray(first[name]).nbytes for name in names), 1))
  rows = np.sort(np.random.RandomState(0).permutation(len(examples))[: max(most, LEAST)])
  columns = take(examples, rows, names)
  features, began = [], time.monotonic()
  for i in range(0, len(rows), BATCH):
    features.append(model.encode({name: x[i : i + BATCH] for name, x in columns.items()}, batch_size=BATCH))
    if time.monotonic() - began > SECONDS:
      break
  n = sum(map(len, features))
  rows, columns = rows[:n], {name: x[:n] for name, x in columns.items()}
  labels = labels_of(columns['label'], data.spec['label']) if 'label' in columns else None
  texts = data.info.get('texts', {}).get(split, ())
  texts = [clipped(texts[i]) for i in rows] if len(texts) == len(examples) else texts_of(model, columns)
  return Sample(split, rows, columns, np.concatenate(features), labels, tiles(data.inputs, columns[data.inputs], data.spec[data.inputs]), texts)


def labels_of(x: np.ndarray, of: Column) -> list[str] | None:
  """The names of classes; None if the column has no classes."""
  if x.ndim != 1 or x.dtype.kind not in 'biu':
    return None
  name = lambda i: 'no label' if i == of.pad else str(of.classes[i]) if 0 <= i < len(of.classes) else str(i)
  return [name(int(i)) for i in x]


def texts_of(model: Model, columns: Mapping[str, np.ndarray]) -> list[str] | None:
  """The texts of the first column of token ids, decoded; the input column comes before others."""
  if model.tokenizer is None:
    return None
  names = sorted(columns, key=lambda name: name != model.data.inputs)
  found = next((columns[name] for name in names if model.reads_texts(name)), None)
  return None if found is None else decoded(model, found)


def decoded(model: Model, ids: np.ndarray) -> list[str]:
  """The texts of token ids [n t], without special tokens."""
  return [clipped(text) for text in model.tokenizer.decode_batch(np.asarray(ids).tolist())]


def clipped(text: str) -> str:
  text = ' '.join(text.split())
  return text if len(text) <= LENGTH else f'{text[: LENGTH - 1]}…'


def tiles(name: str, x: np.ndarray, of: Column) -> np.ndarray | None:
  """Pictures, frames of videos and series as small pictures [n h w 3] uint8; None for other columns."""
  if len(of.shape) == 4 and of.shape[-1] in (1, 3):
    x = x[:, x.shape[1] // 2]
  if is_picture(name, x.shape[1:], x.dtype) or x.ndim == 4 and x.shape[-1] in (1, 3):
    return np.stack([_small(_rgb(picture)) for picture in x])
  if x.ndim == 3 and x.dtype.kind == 'f' and x.shape[1] > x.shape[2]:
    return np.stack([_line(series) for series in x])
  return None


def _rgb(x: np.ndarray) -> np.ndarray:
  """[h w c], uint8 or float in [0, 1], as [h w 3] uint8."""
  x = x if x.dtype == np.uint8 else (np.clip(np.nan_to_num(x.astype(np.float32)), 0, 1) * 255).round().astype(np.uint8)
  return np.repeat(x[..., :1], 3, -1) if x.shape[-1] < 3 else x[..., :3]


def _small(x: np.ndarray, side: int = SIDE) -> np.ndarray:
  from PIL import Image

  if max(x.shape[:2]) <= side:
    return x
  scale = side / max(x.shape[:2])
  size = max(round(x.shape[1] * scale), 1), max(round(x.shape[0] * scale), 1)
  return np.asarray(Image.fromarray(x).resize(size, Image.Resampling.BICUBIC))


def _line(x: np.ndarray) -> np.ndarray:
  """A series [t c] as lines, at most three of its variables."""
  from PIL import Image, ImageDraw

  x = np.nan_to_num(x[:, :3].astype(np.float32))
  low, high = x.min(), x.max()
  image = Image.new('RGB', (2 * SIDE, SIDE), 'white')
  pen = ImageDraw.Draw(image)
  for values, colour in zip(x.T, HUES, strict=False):
    across = np.linspace(2, 2 * SIDE - 3, len(values))
    pen.line([*zip(across, SIDE - 3 - (values - low) / max(high - low, 1e-9) * (SIDE - 6), strict=True)], fill=colour)
  return np.asarray(image)


def source(x: np.ndarray) -> str:
  """A picture [h w 3] uint8 as the address of an image, which holds it."""
  from PIL import Image

  file = io.BytesIO()
  many = x.shape[0] * x.shape[1] > 200 * 200
  Image.fromarray(x).save(file, **(dict(format='JPEG', quality=82) if many else dict(format='PNG', optimize=True)))
  return f'data:image/{"jpeg" if many else "png"};base64,{base64.b64encode(file.getvalue()).decode()}'


def sheet(x: np.ndarray, columns: int = 32) -> str:
  """Tiles [n h w 3] as one picture of `columns` tiles a row."""
  n, h, w, c = x.shape
  whole = np.zeros((-(-n // columns) * columns, h, w, c), np.uint8)
  whole[:n] = x
  return source(whole.reshape(-1, columns, h, w, c).swapaxes(1, 2).reshape(-1, columns * w, c))


def layouts(features: Mapping[str, np.ndarray]) -> dict[str, list[list[int]]]:
  """Maps of the same examples in the plane: name -> [n 2], from 0 to 1000.

  PCA of each of the features, and of the first ones t-SNE, and UMAP if it is installed.

  Args:
    features: name -> [n d], in the order of their maps.
  """
  import importlib.util

  from sklearn.decomposition import PCA

  from jssl.pictures.embedding import tsne

  found = {}
  for i, (name, x) in enumerate(features.items()):
    x = x / np.sqrt(np.sum(x.astype(np.float32) ** 2, 1, keepdims=True) + 1e-12)
    y = PCA(min(50, *x.shape), svd_solver='full', random_state=0).fit_transform(x).astype(np.float32)
    y = np.pad(y, ((0, 0), (0, max(50 - y.shape[1], 0))))  # of one width, so that one program serves all
    if i:
      found[f'{name}: PCA'] = y[:, :2]
      continue
    found |= {'PCA': y[:, :2], 't-SNE': np.asarray(tsne(y))}
    if importlib.util.find_spec('umap') and len(y) > 15:
      from umap import UMAP

      found['UMAP'] = UMAP(n_neighbors=15, metric='cosine', random_state=0, n_jobs=1).fit_transform(x)
  return {name: _framed(y) for name, y in found.items()}


def _framed(y: np.ndarray) -> list[list[int]]:
  y = np.nan_to_num(y - (y.max(0) + y.min(0)) / 2)
  return (500 + y / max(np.abs(y).max(), 1e-30) * 480).round().astype(int).tolist()


def queries(sampled: Sample, count: int = 6) -> Sequence[int]:
  """Indices of some examples: the first of each class, then others."""
  n = len(sampled.rows)
  first = list({label: i for i, label in reversed(list(enumerate(sampled.labels)))}.values())[::-1] if sampled.labels else []
  first = sorted(first)[:count]
  return first + [i for i in range(n) if i not in first][: count - len(first)]


def neighbours(model: Model, sampled: Sample, k: int = 6) -> list[tuple[int, list[tuple[int, float]]]]:
  """For some examples the most similar other ones of the sample, with their similarity."""
  asked = queries(sampled)
  index, score = model.neighbours(sampled.features[list(asked)], sampled.features, min(k + 1, len(sampled.rows)))
  return [
    (i, [(int(j), float(s)) for j, s in zip(near, of, strict=True) if j != i][:k]) for i, near, of in zip(asked, index, score, strict=True)
  ]
