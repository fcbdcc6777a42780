"""Images with a nuisance variable that agrees with the label in training and disagrees in testing."""

import functools

import jax
import numpy as np

from jssl.data.core.arrays import Columns, described
from jssl.ops.cross_fit import cross_fit
from jssl.types import Data


@functools.lru_cache(maxsize=4)
def coloured_digits(*, agreement: float = 0.9, noise: float = 0.2, missing: bool = True, seed: int = 0) -> Data:
  """Digits in one of two colours. In training, the colour predicts the label better than the digit does; in 'test', it is anti-correlated.

  y = 1[digit >= 5], flipped with probability `noise`;   P(colour = y) = `agreement`, in 'test' 1 - `agreement`
  P(colour is recorded | image, y): high for much ink in the one colour and for little ink in the other

  Args:
    agreement: agreement of colour and label in training.
    noise: share of wrong labels, in training and test.
    missing: if False, every colour is recorded, as an oracle.
    seed: seed of colours, labels and missing values.

  Returns:
    Data with image [8 8 2] float32, label, nuisance (the colour), seen, propensity (its probability) and imputation (the probability of colour
    1), the last two cross-fitted on the other examples.

  Reference: Arjovsky, Bottou, Gulrajani, Lopez-Paz 2019, arXiv:1907.02893, section 5.2, for the colours and the noise; Goldstein et al. 2021,
    arXiv:2112.00881, for missing colours.
  """
  from sklearn.datasets import load_digits

  rng = np.random.default_rng(seed)
  images, digits = load_digits(return_X_y=True)
  images, n = images.reshape(-1, 8, 8) / 16, len(images)
  test = rng.permutation(n) < n // 4
  y = (digits >= 5) ^ (rng.random(n) < noise)
  z = y ^ (rng.random(n) < np.where(test, agreement, 1 - agreement))
  tint = np.clip(np.where(z, 0.75, 0.25) + 0.1 * rng.normal(size=n), 0, 1)[:, None, None]
  x = np.stack([images * tint, images * (1 - tint)], -1)
  ink = images.mean((1, 2))
  ink = (ink - ink.mean()) / ink.std()
  side = 4 * (tint[:, 0, 0] - 0.5)
  seen = (rng.random(n) < 1 / (1 + np.exp(-2 * ink * side))) | (not missing)

  columns = dict(image=x, label=y, nuisance=z, seen=seen)
  known = np.stack([side, ink, ink * side, y, y * side, y * ink], 1)
  for name in ('propensity', 'imputation'):
    columns[name] = np.zeros(n, np.float32)
  for part in (test, ~test):
    found = cross_fit(known[part], z[part], seen[part], key=jax.random.key(seed))
    columns['propensity'][part], columns['imputation'][part] = found
  narrow = {name: v.astype(np.int32 if v.dtype.kind in 'bi' else np.float32) for name, v in columns.items()}
  splits = {name: Columns({k: v[part] for k, v in narrow.items()}) for name, part in dict(train=~test, test=test).items()}
  info = dict(
    name='coloured_digits', classes=('0-4', '5-9'), licence='CC BY 4.0 (UCI), packaged with scikit-learn, BSD-3-Clause',
    citation='Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998, doi:10.24432/C50P49',
  )  # fmt: skip
  return Data(splits, described(splits, dict(label=dict(classes=info['classes']))), 'image', info)
