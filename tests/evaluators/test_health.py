import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from sklearn.datasets import load_digits

from jssl import run
from jssl.core.build import plan
from jssl.core.loop import open_source
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.evaluators import alarm
from jssl.evaluators import health as panel_of
from jssl.metrics import spectrum as on_host
from jssl.metrics.geometry import alignment, uniformity
from jssl.metrics.health import deviation, measured, ranked, teacher_entropy
from jssl.metrics.spectrum import lidar, rankme
from jssl.ops.normalize import l2_normalize
from tests.made import tiny

alignment, deviation, lidar, rankme, teacher_entropy, uniformity = map(
  jax.jit, (alignment, deviation, lidar, rankme, teacher_entropy, uniformity)
)
health = jax.jit(panel_of, static_argnames='most')
random = np.random.RandomState(0)


def spectrum(z):
  s = np.linalg.svd(np.asarray(z, np.float64), compute_uv=False)
  p = s / s.sum() + 1e-7
  return np.exp(-(p * np.log(p)).sum())


@pytest.mark.parametrize('n,d', [(256, 64), (40, 96)])
def test_rankme_equals_the_singular_values(n, d):
  for decay in (0.0, 0.05, 0.3):
    z = (random.randn(n, d) * np.exp(-decay * np.arange(d)) + 0.5).astype(np.float32)
    np.testing.assert_allclose(rankme(z), spectrum(z), rtol=1e-3)
    np.testing.assert_allclose(on_host.rankme(z), spectrum(z), rtol=1e-9)


def test_rankme_where_one_direction_dominates():
  rng = np.random.default_rng(0)
  shifted = rng.normal(50, 1, (1000, 512)).astype(np.float32)
  scaled = rng.normal(size=(1000, 512)).astype(np.float32) * np.where(np.arange(512) == 0, 1500, 1)
  for z, least in ((shifted, 11), (scaled.astype(np.float32), 7)):
    np.testing.assert_allclose(rankme(z), spectrum(z), rtol=1e-3)
    np.testing.assert_allclose(on_host.rankme(z), spectrum(z), rtol=1e-9)
    assert rankme(z) > least
  assert np.isnan(rankme(np.nan * shifted)) and np.isnan(on_host.rankme(np.nan * shifted))


def test_rankme_counts_directions():
  for r in (1, 2, 7):
    z = np.linalg.qr(random.randn(128, r))[0] @ np.linalg.qr(random.randn(32, r))[0].T
    np.testing.assert_allclose(rankme(1e-12 * z), r, rtol=1e-3)
    np.testing.assert_allclose(on_host.rankme(1e-12 * z), r, rtol=1e-3)
  assert rankme(np.zeros((8, 4))) == 0 == on_host.rankme(np.zeros((8, 4)))


def test_deviation_is_one_on_the_sphere_and_zero_at_a_point():
  np.testing.assert_allclose(deviation(random.randn(2000, 128)), 1.0, atol=0.01)
  assert deviation(np.ones((16, 8))) < 1e-3 and deviation(np.zeros((16, 8))) == 0


def test_alignment_and_uniformity_by_loops():
  z1, z2 = random.randn(2, 6, 5)
  unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (z1, z2)]
  np.testing.assert_allclose(alignment(z1, z2), np.mean([((a - b) ** 2).sum() for a, b in zip(*unit, strict=True)]), rtol=1e-5)
  pairs = [np.exp(-2 * ((unit[0][i] - unit[0][j]) ** 2).sum()) for i in range(6) for j in range(i)]
  np.testing.assert_allclose(uniformity(z1), np.log(np.mean(pairs)), rtol=1e-5)
  np.testing.assert_allclose(uniformity(np.eye(7)), -4, rtol=1e-5)
  assert abs(uniformity(np.ones((5, 3)))) < 1e-5 and uniformity(np.ones((1, 3))) == 0


def test_lidar_counts_what_tells_examples_apart():
  between = np.zeros((400, 1, 10))
  between[..., :4] = random.randn(400, 1, 4)
  views = between + 0.01 * random.randn(400, 8, 10)
  assert 3.9 < lidar(views) < 4.2
  mean = views.mean(1)
  s_b = np.cov(mean.T)
  within = (views - mean[:, None]).reshape(-1, 10)
  s_w = within.T @ within / (400 * 7) + 1e-4 * np.eye(10)
  values = np.maximum(np.linalg.eigvals(np.linalg.solve(s_w, s_b)).real, 0)
  p = values / values.sum()
  np.testing.assert_allclose(lidar(views), np.exp(-(p * np.log(p + 1e-30)).sum()), rtol=1e-3)
  assert lidar(np.ones((5, 2, 3))) >= 0.99
  of_pencil = generalised(views)
  np.testing.assert_allclose(on_host.lidar(views), of_pencil, rtol=1e-9)
  assert np.isnan(on_host.lidar(np.nan * views))
  wide = (between[:40] + 1e-3 * random.randn(40, 3, 10)) @ random.randn(10, 64)  # rank 10 of 64: S_b is singular
  np.testing.assert_allclose(on_host.lidar(wide), generalised(wide), rtol=1e-6)


def generalised(views):
  """LiDAR by the generalised eigenproblem S_b v = lambda S_w v, of SciPy."""
  n, q, d = views.shape
  within = (views - views.mean(1, keepdims=True)).reshape(-1, d)
  values = scipy.linalg.eigh(np.cov(views.mean(1).T), within.T @ within / (n * (q - 1)) + 1e-4 * np.eye(d), eigvals_only=True)
  p = values.clip(1e-300) / values.clip(0).sum()
  return np.exp(-(p * np.log(p)).sum())


def test_teacher_entropy():
  one_hot = np.eye(8)[np.zeros(32, int)]
  balanced = np.eye(8)[np.arange(32) % 8]
  uniform = np.full((32, 8), 1 / 8)
  for p, entropy, usage in ((one_hot, 0, 0), (balanced, 0, 1), (uniform, 1, 1)):
    found = teacher_entropy(p)
    np.testing.assert_allclose([found['teacher_entropy'], found['teacher_usage']], [entropy, usage], atol=1e-6)


def test_the_panel_on_the_host_is_the_one_under_jit():
  z = (random.randn(300, 48) * np.exp(-0.1 * np.arange(48))).astype(np.float32)
  given = z, (z[:, :20], z[:, 20:40]), np.asarray(jax.nn.softmax(z))
  found, expected = ranked(*jax.device_get(jax.jit(measured)(*given))), health(*given)
  assert found.keys() == expected.keys()
  for name, value in found.items():
    np.testing.assert_allclose(value, expected[name], rtol=1e-3, err_msg=name)
  np.testing.assert_allclose(found['rankme'], spectrum(z), rtol=1e-9)
  np.testing.assert_allclose(found['embedding_rankme'], spectrum(np.concatenate(given[1])), rtol=1e-9)


@pytest.mark.parametrize('system', ['simclr', 'dino'])
def test_the_panel_of_a_run_compiles_no_decomposition(system, tmp_path):
  p = plan(tiny(system))
  train = Programs(p, make_mesh()).start(seed_data(p))
  batch = open_source(p).batch(0)
  words = re.compile('eig|syev|svd|gesdd|geqrf|gesvd', re.IGNORECASE)
  decomposed = lambda: [path.name for path in tmp_path.iterdir() if words.search(path.read_text())]
  jax.config.update('jax_dump_ir_to', str(tmp_path))
  try:
    figures = run.make_panel(p)(0, train, batch)
    assert any('look' in path.name for path in tmp_path.iterdir()) and decomposed() == []
    jax.jit(lambda z: panel_of(z))(batch['image'].reshape(len(batch['image']), -1)[:, :40])
    assert decomposed()  # so the words are the right ones
  finally:
    jax.config.update('jax_dump_ir_to', None)
  assert alarm(figures) == run.alarms({f'health/{name}': x for name, x in figures.items()})
  assert figures['rank_limit'] >= figures['rankme'] > 1


def test_panel_is_jittable_finite_and_float32():
  z = jnp.asarray(random.randn(64, 16), jnp.bfloat16)
  for features in (z, jnp.zeros_like(z), jnp.ones_like(z)):
    panel = health(features, (features, features), jax.nn.softmax(features))
    assert all(v.shape == () and v.dtype == jnp.float32 and jnp.isfinite(v) for v in panel.values())
  assert 'alignment' not in health(z) and 'teacher_usage' not in health(z)


def test_alarm_is_silent_on_healthy_features_of_low_rank():
  basis = np.linalg.qr(random.randn(512, 512))[0]
  for d, decay in ((128, 10), (512, 8), (16, 4)):  # RankMe about 20 of 128, 16 of 512, 8 of 16
    z = random.randn(256, d) * np.exp(-np.arange(d) / decay) @ basis[:d, :d]
    panel = health(np.maximum(z, 0), (z, z))
    assert alarm(panel) == [], panel
  classes = (np.eye(10) - 0.1)[np.arange(250) % 10] @ basis[:10]  # ten classes told apart, and nothing else
  assert alarm(health(classes, teacher=np.eye(64)[np.arange(250) % 10])) == []


def test_alarm_names_the_collapse():
  z = random.randn(256, 128)
  point = z[:1] + 1e-3 * z
  line = z[:, :2] @ random.randn(2, 128)
  ones, flat = np.eye(64)[np.zeros(256, int)], np.full((256, 64), 1 / 64) + 1e-5 * random.rand(256, 64)
  for panel, words in (
    (health(point), ['complete collapse of the features']),
    (health(0 * z), ['complete collapse of the features']),
    (health(line), ['dimensional collapse of the features']),
    (health(z, (point, point)), ['complete collapse of the embeddings']),
    (health(z, (line, line)), ['dimensional collapse of the embeddings']),
    (health(z, teacher=ones), ['one-hot collapse']),
    (health(z, teacher=flat), ['uniform collapse']),
    (health(z * np.nan), ['not a number']),
  ):
    found = alarm(panel)
    assert [line.startswith(word) for line, word in zip(found, words, strict=True)] == [True], (found, words)


def test_alarm_tells_a_run_that_attracts_only_from_one_that_also_repels():
  x = jnp.asarray(load_digits().data[:128] / 16, jnp.float32)
  scale = jax.nn.initializers.he_normal()
  start = [scale(jax.random.key(i), shape) for i, shape in enumerate([(64, 128), (128, 64)])]

  def embed(p, key):
    noise = 0.1 * jax.random.normal(key, x.shape)
    h = jax.nn.relu((x + noise) @ p[0])
    return h, h @ p[1]

  def loss(p, key, repel):
    z1, z2 = (l2_normalize(embed(p, k)[1]) for k in jax.random.split(key))
    return -jnp.mean(jnp.sum(z1 * z2, 1)) / 0.2 + repel * jnp.mean(jax.nn.logsumexp(z1 @ z2.T / 0.2, 1))

  @jax.jit
  def train(repel):
    def step(p, key):
      return jax.tree.map(lambda a, g: a - 3 * g, p, jax.grad(loss)(p, key, repel)), None

    p, _ = jax.lax.scan(step, start, jax.random.split(jax.random.key(0), 200))
    (h, z1), (_, z2) = (embed(p, jax.random.key(i)) for i in range(2))
    return panel_of(h, (z1, z2))

  assert alarm(train(1.0)) == []
  assert any('collapse of the embeddings' in line for line in alarm(train(0.0)))
