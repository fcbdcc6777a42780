"""Scores of triples against their oracles and pykeen, schedules, and the small functions next to objectives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import objectives as o
from tests.oracles import directional
from tests.oracles.kg import SCORES, scored
from tests.oracles.shared import normal, views


def arrays(name):
  return np.random.default_rng(sum(map(ord, name)))


@pytest.mark.parametrize('name', o.SCORES)
def test_score(name):
  rng = arrays(name)
  for args, options in SCORES[name].cases(rng):
    score = o.SCORES[name](*args, **options)
    np.testing.assert_allclose(score, SCORES[name].function(None, *args, **options), rtol=2e-5, atol=1e-6)
    gradient = jax.grad(lambda a, options=options: jnp.mean(o.SCORES[name](*a, **options)))(tuple(map(jnp.asarray, args)))
    directions = [[rng.normal(size=x.shape) for x in args] for _ in range(4)]
    found = [sum(np.sum(g * v) for g, v in zip(gradient, vs, strict=True)) for vs in directions]
    np.testing.assert_allclose(found, directional(SCORES[name], (args, options), directions), rtol=1e-4, atol=1e-5)
    equal = tuple(map(jnp.zeros_like, args))
    assert all(np.isfinite(g).all() for g in jax.grad(lambda a: jnp.mean(o.SCORES[name](*a)))(equal))


@pytest.mark.parametrize('name', o.SCORES)
def test_score_broadcasts(name):
  (h, r, t), options = SCORES[name].cases(arrays(name))[0]
  tails = np.stack([t, 2 * t], 1)
  both = o.SCORES[name](h[:, None], r[:, None], tails, **options)
  np.testing.assert_allclose(both[:, 1], o.SCORES[name](h, r, 2 * t, **options), rtol=1e-5, atol=1e-6)


def test_pykeen():
  try:
    import torch
    from pykeen.losses import MarginRankingLoss, NSSALoss
    from pykeen.nn import modules
  except Exception as missing:
    pytest.skip(f'pykeen cannot be imported: {missing}')
  rng = arrays('pykeen')
  (h, r, t), _ = SCORES['transe'].cases(rng)[0]
  tensor = lambda x: torch.tensor(np.asarray(x))  # noqa: E731
  complexes = lambda x: torch.complex(*tensor(x).chunk(2, -1))  # noqa: E731
  plain = {
    'transe': modules.TransEInteraction(p=1)(tensor(h), tensor(r), tensor(t)),
    'distmult': modules.DistMultInteraction()(tensor(h), tensor(r), tensor(t)),
    'complex': modules.ComplExInteraction()(complexes(h), complexes(r), complexes(t)),
  }
  for name, expected in plain.items():
    np.testing.assert_allclose(o.SCORES[name](h, r, t), expected, rtol=1e-4, atol=1e-5)
  matrices = normal(rng, 4, 6, 6)
  expected = modules.RESCALInteraction()(tensor(h), tensor(matrices), tensor(t))
  np.testing.assert_allclose(o.bilinear(h, matrices, t), expected, rtol=1e-4, atol=1e-5)

  positive, negatives = scored(rng)
  ours = jnp.mean(o.self_adversarial(positive, negatives, margin=2.0, adversarial_temperature=0.5))
  nssa = NSSALoss(margin=2.0, adversarial_temperature=0.5)
  theirs = nssa.process_slcwa_scores(tensor(positive)[:, None], tensor(negatives))
  np.testing.assert_allclose(ours, theirs, rtol=1e-5)
  theirs = MarginRankingLoss(margin=1.0).process_slcwa_scores(tensor(positive)[:, None], tensor(negatives))
  np.testing.assert_allclose(jnp.mean(o.margin_ranking(positive, negatives)), theirs, rtol=1e-5)


def test_schedules():
  linear, cosine = o.linear_schedule(1000), o.cosine_schedule(1000)
  betas = np.linspace(1e-4, 0.02, 1000)
  np.testing.assert_allclose(linear, [np.prod(1 - betas[: i + 1]) for i in range(1000)], rtol=2e-4)
  f = [np.cos((i / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2 for i in range(1001)]
  np.testing.assert_allclose(cosine[:-1], (np.array(f) / f[0])[1:-1], rtol=1e-3, atol=1e-6)
  assert 0 < cosine[-1] < 1e-6 and np.all(np.diff(cosine) < 0)
  # Inverted: abar at time t is the time at which the continuous cosine schedule has abar t.
  inverted = o.inverted_schedule(1000)
  at = lambda t: np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
  np.testing.assert_allclose(at(np.asarray(inverted[:-1], np.float64)), np.arange(1, 1000) / 1000, atol=2e-4)
  assert 0 < inverted[-1] < 1e-4 and np.all(np.diff(inverted) < 0)
  medium = lambda abar: np.mean((abar > 0.25) & (abar < 0.75))
  assert medium(inverted) > 1.8 * medium(cosine)
  x, noise = np.ones((2, 3, 1)), np.full((2, 3, 1), 2.0)
  np.testing.assert_allclose(o.noised(x, noise, jnp.array([1.0, 0.25]))[:, 0, 0], [1, 0.5 + 2 * 0.75**0.5], rtol=1e-6)


def test_simplex():
  w = o.simplex(4)
  np.testing.assert_allclose(w @ w.T, np.eye(5) * 1.25 - 0.25, atol=1e-6)


def test_rectify():
  x = jnp.array([-2.0, -0.5, 0.0, 0.5, 2.0])
  np.testing.assert_allclose(o.rectify(x), jax.nn.relu(x), atol=1e-7)
  gelu = jax.vmap(jax.grad(lambda v: jax.nn.gelu(v, approximate=False)))
  np.testing.assert_allclose(jax.vmap(jax.grad(o.rectify))(x), gelu(x), atol=1e-6)


def test_gae():
  rng = arrays('gae')
  r, v = normal(rng, 3, 5), normal(rng, 3, 5)
  later = lambda t, n: sum(0.9**k * r[:, t + k] for k in range(n)) + (0.9**n * v[:, t + n] if t + n < 5 else 0)
  for t in range(5):  # Eq. 16 as a mean of n-step returns with weights (1 - lambda) lambda^(n-1), the rest on the last
    steps = 5 - t
    mean = sum(0.2 * 0.8 ** (n - 1) * later(t, n) for n in range(1, steps)) + 0.8 ** (steps - 1) * later(t, steps)
    np.testing.assert_allclose(o.gae(r, v, gamma=0.9, lambda_=0.8)[:, t], mean - v[:, t], rtol=1e-4, atol=1e-5)


def test_match_tokens():
  teacher = jnp.asarray(normal(arrays('match'), 3, 5, 8))
  order = jnp.array([[3, 1, 4, 0, 2]] * 3)
  student = jnp.take_along_axis(teacher, order[..., None], 1)
  np.testing.assert_array_equal(o.match_tokens(student, teacher), order)
  equal = o.match_tokens(jnp.ones((2, 4, 3)), jnp.ones((2, 4, 3)))
  np.testing.assert_array_equal(np.sort(equal, 1), [[0, 1, 2, 3]] * 2)
  given = dict(student_mask=jnp.array([[True, True, True, True, False]] * 3), teacher_mask=jnp.arange(5)[None] != jnp.array([[4], [0], [0]]))
  np.testing.assert_array_equal(o.match_tokens(student, teacher, **given)[0, jnp.array([0, 1, 3, 4])], [3, 1, 0, -1])
  with pytest.raises(ValueError, match='teacher_mask'):
    o.match_tokens(student, teacher, teacher_mask=given['teacher_mask'][:, :4])


def test_token_alignment_does_not_see_padding():
  rng = arrays('padding')
  student, teacher = jnp.asarray(normal(rng, 2, 4, 6)), jnp.asarray(normal(rng, 2, 4, 6))
  masks = dict(student_mask=jnp.arange(4)[None] < jnp.array([[3], [3]]), teacher_mask=jnp.arange(4)[None] < jnp.array([[3], [3]]))
  expected = o.token_alignment(student[:, :3], teacher[:, :3])
  # Padding alike on both sides would be matched first.
  padded = (x.at[:, 3].set(7.0) for x in (student, teacher))
  np.testing.assert_allclose(o.token_alignment(*padded, **masks), expected, rtol=1e-5)
  nothing = jnp.zeros((2, 4), bool)
  loss = lambda x: jnp.sum(o.token_alignment(x, teacher, student_mask=nothing))
  assert loss(student) == 0 and not jax.grad(loss)(student).any()


def test_poly_view_of_two_views_is_simclr():
  z = jnp.asarray(views(arrays('simclr'), 5, 2)[0])
  q, k = z[:, 0], z[:, 1]

  def info_nce_over_views(a, c):  # negatives: both views of the others, against the target
    return jnp.mean(o.nt_xent(c, a, temperature=0.1))

  expected = (info_nce_over_views(q, k) + info_nce_over_views(k, q)) / 2
  for loss in (o.poly_view_geometric, o.poly_view_arithmetic, o.poly_view_statistics):
    np.testing.assert_allclose(jnp.mean(loss(z, temperature=0.1)), expected, rtol=1e-5)


def test_symile_of_two_modalities_is_clip():
  z = jnp.asarray(views(arrays('clip'), 5, 2)[0])
  q, k = z[:, 0], z[:, 1]
  expected = (o.info_nce(q, k, temperature=0.2) + o.info_nce(k, q, temperature=0.2)) / 2
  np.testing.assert_allclose(o.symile(z, scale=5.0), expected, rtol=1e-5)


def test_allo_finds_the_eigenvectors():
  """At eigenvectors of a small graph, with beta_kk = -2 lambda_k, nothing moves."""
  laplacian = np.array([[1, -1, 0], [-1, 2, -1], [0, -1, 1]]) / 4
  values, vectors = np.linalg.eigh(laplacian)
  u = jnp.asarray(vectors * 3**0.5, jnp.float32)
  edges = np.array([[0, 1], [1, 0], [1, 2], [2, 1]])  # weight 1/4 an edge: 1/2 mean (u - u')^2 = 1/4 sum over edges
  value = 3 * values
  duals = jnp.asarray(np.diag(-2 * value), jnp.float32)
  gradient = jax.grad(lambda u: o.allo(u[edges[:, 0]], u[edges[:, 1]], u, u, duals=duals))(u)
  np.testing.assert_allclose(gradient, 0, atol=1e-5)
  for errors in o.allo_errors(u, u):
    np.testing.assert_allclose(errors, 0, atol=1e-6)


def test_features_of_linear_self_prediction_collapse_by_online_targets_alone():
  """Theorem 3: with the best transition at each step, Phi' Phi does not change under gradient flow, unless the target moves with it."""
  rng = np.random.default_rng(0)
  dynamics = np.linalg.qr(rng.normal(size=(6, 6)))[0] * np.linspace(0.1, 0.95, 6)
  states = rng.normal(size=(400, 6)).astype(np.float32)
  after, actions = np.float32(states @ dynamics.T + 0.3 * rng.normal(size=(400, 6))), np.ones((400, 1), np.float32)
  first = np.float32(np.linalg.qr(rng.normal(size=(6, 2)))[0])

  def trained(online):
    loss = lambda phi: jnp.mean(o.linear_self_predictive(states @ phi, actions, after @ phi, online=online))
    return jax.jit(lambda phi: jax.lax.fori_loop(0, 3000, lambda _, phi: phi - 0.01 * jax.grad(loss)(phi), phi))(first)

  kept, collapsed = np.asarray(trained(False)), np.asarray(trained(True))
  np.testing.assert_allclose(kept.T @ kept, np.eye(2), atol=0.05)
  assert np.linalg.norm(kept - first) > 0.5, 'it has learned something'
  assert np.linalg.svd(collapsed)[1][0] < 0.3


@pytest.mark.parametrize('barrier', [1.0, 2.0, 10.0])
def test_allo_ascends_to_the_eigenvalues_whatever_the_barrier(barrier):
  """A table of functions on a path of five states, by gradient steps on the functions and on the duals: lambda_k = -beta_kk / 2."""
  moves = np.zeros((5, 5))
  for i in range(5):
    for j in (max(i - 1, 0), min(i + 1, 4)):
      moves[i, j] += 0.5
  values, vectors = np.linalg.eigh(np.eye(5) - moves)
  start, end = np.argwhere(moves > 0).T
  pairs = np.repeat(np.stack([start, end]), np.rint(2 * moves[start, end]).astype(int), 1)  # each as often as it is likely

  @jax.jit
  def step(_, carry):
    u, duals = carry
    gradient = jax.grad(lambda u: o.allo(u[pairs[0]], u[pairs[1]], u, u, duals=duals, barrier=barrier))(u)
    return u - 0.1 * gradient, duals + 0.02 * o.allo_errors(u, u)[0]

  u, duals = jax.lax.fori_loop(0, 20000, step, (0.5 * jax.random.normal(jax.random.key(0), (5, 3)), jnp.zeros((3, 3))))
  np.testing.assert_allclose(-np.diagonal(duals) / 2, values[:3], atol=2e-3)
  np.testing.assert_allclose(np.abs(u.T @ vectors[:, :3]) / 5**0.5, np.eye(3), atol=2e-2)


@pytest.mark.parametrize(
  ('function', 'message'),
  [
    (lambda: o.care(jnp.ones((6, 2)), jnp.ones((6, 2)), chunks=4), 'chunks'),
    (lambda: o.angle(jnp.ones((6, 3)), jnp.ones((6, 3)), labels=jnp.ones(6)), 'even'),
    (lambda: o.transe(jnp.ones(3), jnp.ones(3), jnp.ones(3), norm=3), 'norm'),
  ],
)
def test_arguments_are_checked(function, message):
  with pytest.raises(ValueError, match=message):
    function()
