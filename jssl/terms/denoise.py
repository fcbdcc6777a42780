"""Representations learnt by telling the noise that was added to an image."""

import jax
import jax.numpy as jnp

from jssl.objectives import gaussian_kl, mmd
from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Objective, Term, View, fold


def denoised(
  *, objective: Objective, view: View, noise: View, encoder: str = 'backbone', denoiser: str = 'denoiser'
) -> Term:
  """The code of one view is all that a denoiser is told about another view of the same example (SODA).

  Args:
    objective: (prediction: [b ...], noise: [b ...]) -> [b] or scalar.
    view: the source, which is encoded, and the target, which is noised.
    noise: (keys, x) -> Noised.
    denoiser: (noised, time [b], code [b d]) -> noise.
  """

  def encode(nets, target, batch, keys):
    del target
    source, x = view(fold(keys, 0), batch)
    z = nets[encoder](source, keys=fold(keys, 1)).pooled
    seen = noise(fold(keys, 2), x)
    return {'prediction': nets[denoiser](seen.x, seen.time, z, keys=fold(keys, 3)), 'noise': seen.noise}

  def judge(nets, encoded, state, key, step):
    del nets, key
    return jnp.mean(at(objective, step)(encoded['prediction'], encoded['noise'])), (state, {})

  return Term(stateless, encode, judge)


def variational(
  *,
  objective: Objective,
  view: View,
  noise: View,
  encoder: str = 'backbone',
  posterior: str = 'posterior',
  denoiser: str = 'denoiser',
  mmd_weight: float = 0.1,
  kl_weight: float = 0.0,
) -> Term:
  """A denoiser told a code drawn from a Gaussian, whose codes as a whole are held near the prior (InfoDiffusion).

  l = mean_i objective_i + mmd_weight MMD(z, N(0, I)) + kl_weight mean_i KL(N(m_i, s_i^2) | N(0, I)),   z_i ~ N(m_i, s_i^2)

  The official code reads mean and variance off the same features, and adds the error of the last denoising step, over the
  number of levels; it is left out, as a uniformly drawn level has that step at the same weight.

  Args:
    objective: (prediction: [b ...], noise: [b ...]) -> [b] or scalar.
    view: one view of each example.
    noise: (keys, x) -> Noised.
    encoder: whose pooled features are the mean, so that what evaluators read is the code; of either sign, as the prior is.
    posterior: the mean -> [b d], the logarithm of the variance.
    denoiser: (noised, time [b], code [b d]) -> noise.

  Reference: Wang, Schiff, Gokaslan, Pan, Wang, De Sa, Kuleshov, ICML 2023, arXiv:2306.08757, section 3.
  """

  def encode(nets, target, batch, keys):
    del target
    (x,) = view(fold(keys, 0), batch)
    mean = nets[encoder](x, keys=fold(keys, 1)).pooled
    log_variance = nets[posterior](mean)
    draw = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(fold(keys, 2))
    z = mean + jnp.exp(log_variance / 2) * draw
    seen = noise(fold(keys, 3), x)
    prediction = nets[denoiser](seen.x, seen.time, z, keys=fold(keys, 4))
    return {'prediction': prediction, 'noise': seen.noise, 'z': z, 'mean': mean, 'log_variance': log_variance}

  def judge(nets, encoded, state, key, step):
    del nets
    z = encoded['z']
    parts = {
      'denoising': jnp.mean(at(objective, step)(encoded['prediction'], encoded['noise'])),
      'mmd': mmd(z, jax.random.normal(key, z.shape)),
      'kl': jnp.mean(gaussian_kl(encoded['mean'], encoded['log_variance'])),
    }
    return parts['denoising'] + mmd_weight * parts['mmd'] + kl_weight * parts['kl'], (state, parts)

  return Term(stateless, encode, judge)
