import numpy as np
import pytest

from jssl.evaluators import embedding_map
from jssl.pictures.embedding import _principal, tsne


def blobs(n=120, d=20, classes=3):
  random = np.random.RandomState(0)
  y = np.arange(n) % classes
  return (random.randn(n, d) + 6 * random.randn(classes, d)[y]).astype(np.float32), y


def test_tsne_keeps_clusters_apart():
  x, y = blobs()
  found = np.asarray(tsne(_principal(x)))
  distance = np.linalg.norm(found[:, None] - found, axis=-1)
  np.fill_diagonal(distance, np.inf)
  assert (y[distance.argmin(1)] == y).mean() > 0.98


def test_principal_keeps_distances_and_pads():
  for n, d in ((30, 8), (8, 30)):
    x = np.random.RandomState(0).randn(n, d).astype(np.float32)
    z = _principal(x)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert z.shape == (n, 50)
    np.testing.assert_allclose(np.linalg.norm(z[:, None] - z, axis=-1), np.linalg.norm(unit[:, None] - unit, axis=-1), atol=1e-3)


def test_embedding_map_writes_a_png(tmp_path):
  x, y = blobs()
  path = tmp_path / 'a' / 'map.png'
  figure = embedding_map({'raw': x, 'still': np.zeros_like(x)}, y, path, titles={'raw': 'kNN 99 %'})
  assert path.read_bytes()[:8] == figure._repr_png_()[:8] == b'\x89PNG\r\n\x1a\n'
  with pytest.raises(ValueError, match='expected'):
    embedding_map(x[:5], y, tmp_path / 'b.png')
