"""Objectives on the features of places, matched between two views of an image. Everything is computed in float32."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jssl.objectives.contrastive import info_nce_queue
from jssl.objectives.redundancy import vicreg
from jssl.ops.normalize import l2_normalize
from jssl.ops.patches import take
from jssl.types import Array


def dense_info_nce(
  q_grid: Float[Array, 'b n d'],
  k_grid: Float[Array, 'b m d'],
  *,
  q_features: Float[Array, 'b n e'],
  k_features: Float[Array, 'b m e'],
  negatives: Float[Array, 'r d'],
  temperature: float = 0.2,
) -> Float[Array, ' b']:
  """InfoNCE of each place of a view with the most similar place of the other view, against a queue.

  l_i = mean_s -log [ exp(q_s.k_c(s)/tau) / (exp(q_s.k_c(s)/tau) + sum_r exp(q_s.n_r/tau)) ],   c(s) = argmax_t cos(f_s, f'_t)

  Args:
    q_grid: [b n d] q, projections of the places of one view.
    k_grid: [b m d] k, those of the other view.
    q_features: [b n e] f, features of the backbone at the places of q.
    k_features: [b m e] f', those at the places of k.
    negatives: [r d] the queue of pooled projections of other images.
    temperature: tau.

  Returns:
    [b] nats.

  Reference: Wang, Zhang, Shen, Kong, Li 2021, arXiv:2011.09157, Eq. 2 and 3, section 3.4 (correspondence by backbone features); tau = 0.2, and
    lambda = 0.5 weighs this loss against the global one. The queue holds means over the places of k, taken before they are scaled to unit
    length. Keys, queue and correspondence carry no gradient.
  """
  f, g = jax.lax.stop_gradient((l2_normalize(q_features), l2_normalize(k_features)))
  match = jnp.argmax(jnp.einsum('bne,bme->bnm', f, g, precision='highest'), 2)
  positive = jax.lax.stop_gradient(take(k_grid, match))
  flat = lambda x: x.reshape(-1, x.shape[-1])
  loss = info_nce_queue(flat(q_grid), flat(positive), negatives=negatives, temperature=temperature)
  return jnp.mean(loss.reshape(q_grid.shape[:2]), 1)


def vicreg_local(
  q_grid: Float[Array, 'b n d'],
  k_grid: Float[Array, 'b m d'],
  *,
  q_places: Float[Array, 'b n 2'],
  k_places: Float[Array, 'b m 2'],
  matches: int = 20,
  back: int = 4,
  feature_matches: int | None = None,
  feature_back: int | None = None,
  invariance_weight: float = 25.0,
  variance_weight: float = 25.0,
  covariance_weight: float = 0.5,
) -> Float[Array, '']:
  """VICReg of the places of two views, matched once by their location in the image and once by their features.

  l = sum over the location and the features of (L(q, k; gamma_1) + L(k, q; gamma_2))/2,   L(x, y; gamma) = mean_p `vicreg`(x_p, y_nn(p))

  nn(p) is the place of y nearest to p, by the distance of their locations or of their embeddings. The p are the gamma places of x of each image
  with the smallest such distances, in raster order; `vicreg` has the batch as its examples.

  Args:
    q_grid: [b n d] q, embeddings of the places of one view.
    k_grid: [b m d] k, those of the other view.
    q_places: [b n 2] locations of q in the image.
    k_places: [b m 2] locations of k.
    matches: gamma_1 for the location; all places if there are fewer.
    back: gamma_2 for the location, likewise.
    feature_matches: gamma_1 for the features; None for all places.
    feature_back: gamma_2 for the features.
    invariance_weight: as in `vicreg`.
    variance_weight: as in `vicreg`.
    covariance_weight: as in `vicreg`.

  Returns:
    A scalar: variance and covariance depend on the batch as a whole.

  Reference: Bardes, Ponce, LeCun 2022, arXiv:2210.01571, section 3.2, with weight 1 - alpha beside alpha of the global loss, alpha = 0.75. As
    in the official code, main_vicregl.py: gamma = (20, 4) for the location, all places for the features (the paper: the same for both), and the
    covariance is a mean over both views, half of that of `vicreg`, whose weight is therefore 0.5. No gradient flows through the choice of
    matches.
  """
  q, k = q_grid.astype(jnp.float32), k_grid.astype(jnp.float32)

  def one_way(x: Array, y: Array, distance: Array, count: int | None) -> Array:
    nearest = jnp.argmin(distance, 2)
    chosen = jnp.sort(jnp.argsort(jnp.min(distance, 2), axis=1)[:, :count], 1)
    x, y = take(x, chosen), take(y, jnp.take_along_axis(nearest, chosen, 1))
    weights = dict(invariance_weight=invariance_weight, variance_weight=variance_weight, covariance_weight=covariance_weight)
    return jnp.mean(jax.vmap(lambda x, y: vicreg(x, y, **weights), 1)(x, y))

  def both_ways(distance: Array, there: int | None, back: int | None) -> Array:
    return (one_way(q, k, distance, there) + one_way(k, q, distance.swapaxes(1, 2), back)) / 2

  apart = jnp.sum((q_places[:, :, None] - k_places[:, None]) ** 2, -1)
  alike = _square_distances(*jax.lax.stop_gradient((q, k)))
  return both_ways(apart, matches, back) + both_ways(alike, feature_matches, feature_back)


def _square_distances(x: Array, y: Array) -> Array:
  """[b n d], [b m d] -> [b n m]. By products, as differences would take n m d numbers an image."""
  length = lambda x: jnp.sum(x * x, 2)
  return length(x)[:, :, None] + length(y)[:, None] - 2 * jnp.einsum('bnd,bmd->bnm', x, y, precision='highest')
