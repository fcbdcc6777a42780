"""Embedding maps: plots of representations."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jssl import storage
from jssl.pictures.run import picture
from jssl.types import Array

# Ten hues that most colour-blind readers can distinguish; beyond ten classes the marker changes.
HUES = (
  '#4477AA', '#EE7733', '#228833', '#CC3311', '#8855BB', '#7A4A2B', '#EE99AA', '#8A8A8A', '#DDB400', '#33BBCC',
)  # fmt: skip
MARKERS = 'o^sD'
LEAST = 4  # examples


@partial(jax.jit, static_argnames=('perplexity', 'steps', 'exaggerated'))
def tsne(x: Array, *, perplexity: float = 30.0, exaggeration: float = 12.0, steps: int = 500, exaggerated: int = 150) -> Array:
  """Exact t-SNE on all n x n pairs, which is faster than a tree for a few thousand points.

  Deterministic: initialised with the first two columns of x, which should be principal components.

  Args:
    x: [n d], n >= 4.
    perplexity: effective number of neighbours, at most (n - 1) / 3.
    exaggeration: factor of the attraction in the first steps.
    steps: steps of gradient descent.
    exaggerated: number of steps with exaggeration.

  Returns:
    [n 2], float32.

  Reference: van der Maaten, Hinton, Visualizing Data using t-SNE, JMLR 2008, section 3 and Algorithm 1; learning rate n / exaggeration and
    initialisation with 1e-4 of the principal components: Kobak, Berens, Nature Communications 2019, doi:10.1038/s41467-019-13056-x; Belkina et
    al., 2019, doi:10.1038/s41467-019-13055-y.
  """
  n = len(x)
  perplexity = min(perplexity, (n - 1) / 3)
  x = x.astype(jnp.float32)
  other = ~jnp.eye(n, dtype=bool)
  square = jnp.sum(x * x, 1)
  distance = jnp.maximum(square[:, None] + square - 2 * jnp.matmul(x, x.T, precision='highest'), 0.0)
  distance /= jnp.maximum(jnp.mean(distance), 1e-30)

  def conditional(log_beta):
    return jax.nn.softmax(jnp.where(other, -distance * jnp.exp(log_beta)[:, None], -jnp.inf), 1)

  def bisect(_, bracket):
    low, high = bracket
    middle = (low + high) / 2
    p = conditional(middle)
    wide = -jnp.sum(p * jnp.log(jnp.maximum(p, 1e-30)), 1) > jnp.log(perplexity)
    return jnp.where(wide, middle, low), jnp.where(wide, high, middle)

  low, high = jax.lax.fori_loop(0, 25, bisect, (jnp.full(n, -7.0), jnp.full(n, 14.0)))
  p = conditional((low + high) / 2)
  p = (p + p.T) / (2 * n)

  def descend(i, carry):
    y, velocity, gain = carry
    early = i < exaggerated
    square = jnp.sum(y * y, 1)
    student = other / (1 + jnp.maximum(square[:, None] + square - 2 * jnp.matmul(y, y.T, precision='highest'), 0.0))
    pull = (jnp.where(early, exaggeration, 1.0) * p - student / jnp.sum(student)) * student
    grad = 4 * (jnp.sum(pull, 1, keepdims=True) * y - jnp.matmul(pull, y, precision='highest'))
    gain = jnp.maximum(jnp.where(grad * velocity < 0, gain + 0.2, gain * 0.8), 0.01)
    velocity = jnp.where(early, 0.5, 0.8) * velocity - n / exaggeration * gain * grad
    return y + velocity, velocity, gain

  y = 1e-4 * x[:, :2] / jnp.maximum(jnp.std(x[:, 0]), 1e-30)
  return jax.lax.fori_loop(0, steps, descend, (y, jnp.zeros_like(y), jnp.ones_like(y)))[0]


def embedding_map(
  features: np.ndarray | Mapping[str, np.ndarray],
  labels: np.ndarray,
  path: str | Path | None = None,
  *,
  titles: Mapping[str, str] | None = None,
  names: Sequence[str] | None = None,
  most: int = 1000,
) -> Any:
  """Plots representations as maps of points, side by side: l2-normalised, PCA to 50 dimensions, t-SNE.

  Args:
    features: [n d], or panel name -> [n d], the same n examples in each.
    labels: [n], class indices, for the colours.
    path: path of a PNG file to write; None for no file.
    titles: panel name -> the line under its name, such as 'kNN 96.1 %, linear 97.0 %'.
    names: names of the classes, for the legend.
    most: maximal number of examples, the same ones in each panel.

  Returns:
    A matplotlib Figure, which notebooks display.
  """
  from matplotlib.lines import Line2D

  panels = features if isinstance(features, Mapping) else {'': features}
  labels = np.asarray(labels)
  for name, x in panels.items():
    if np.ndim(x) != 2 or len(x) != len(labels) or len(x) < LEAST:
      raise ValueError(f'Panel {name!r} is {list(np.shape(x))}; expected [n d] with n = {len(labels)} labels, n >= {LEAST}.')
  rows = np.random.RandomState(0).permutation(len(labels))[:most]
  labels = labels[rows]
  classes = np.unique(labels)
  colours = np.array([HUES[i % len(HUES)] for i in range(len(classes))])
  markers = [MARKERS[i // len(HUES) % len(MARKERS)] for i in range(len(classes))]
  texts = [str(names[c]) if names else str(c) for c in classes] if 1 < len(classes) <= 30 else []
  columns = max(1, min(len(texts), int(4 * len(panels) * 10 / (5 + max(map(len, texts), default=0)))))
  side, gap, above, below = 4.2, 0.15, 0.62, 0.15 + 0.25 * -(-len(texts) // columns)  # inches
  width, height = gap + len(panels) * (side + gap), above + side + below
  figure = picture()(figsize=(width, height), dpi=150, facecolor='white')
  for i, (name, x) in enumerate(panels.items()):
    ax = figure.add_axes(((gap + i * (side + gap)) / width, below / height, side / width, side / height))
    y = _framed(np.asarray(tsne(_principal(np.asarray(x, np.float32)[rows]))))
    for marker in dict.fromkeys(markers):  # all classes of a marker at once, so that none covers another
      shown = np.isin(labels, classes[[m == marker for m in markers]])
      hue = colours[np.searchsorted(classes, labels[shown])]
      ax.scatter(*y[shown].T, s=13, c=hue, marker=marker, alpha=0.8, linewidths=0)
    ax.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xticks=[], yticks=[])
    ax.spines[:].set(color='#DDDDDD', linewidth=0.8)
    under = (titles or {}).get(name, '')
    for text, up, style in (
      (name, 26 if titles else 8, dict(fontsize=13, fontweight='bold', color='#222222')),
      (under, 9, dict(fontsize=10.5, color='#555555')),
    ):
      ax.annotate(text, (0, 1), (1, up), 'axes fraction', 'offset points', **style)
  figure.legend(
    [Line2D([], [], marker=m, color=c, ls='', ms=6) for m, c in zip(markers, colours, strict=True)][: len(texts)],
    texts,
    loc='lower center',
    ncols=columns,
    frameon=False,
    fontsize=10.5,
    handletextpad=0.1,
    columnspacing=1.2,
    borderaxespad=0.1,
  )
  if path:
    path = storage.path(path, home=False)
    storage.make(path.parent)
    with storage.whole(path) if storage.remote(path) else nullcontext(path) as part:
      figure.savefig(part)
  return figure


def _principal(x: np.ndarray, most: int = 50) -> np.ndarray:
  # by the smaller of the two Gram matrices; padded to `most`, so that panels of any width share one program
  n, d = x.shape
  x = x / np.sqrt(np.sum(x * x, 1, keepdims=True) + 1e-12)
  x = x - x.mean(0)
  values, vectors = np.linalg.eigh(x.T @ x if d < n else x @ x.T)
  values, vectors = values[::-1][:most], vectors[:, ::-1][:, :most]
  y = x @ vectors if d < n else vectors * np.sqrt(np.maximum(values, 0))
  y *= np.sign(y[np.abs(y).argmax(0), np.arange(y.shape[1])] + 1e-30)  # eigh does not fix the signs
  return np.pad(y, ((0, 0), (0, most - y.shape[1]))).astype(np.float32)


def _framed(y: np.ndarray) -> np.ndarray:
  y = y - (y.max(0) + y.min(0)) / 2
  return y / max(np.abs(y).max(), 1e-30)
