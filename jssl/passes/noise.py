"""Passes that add noise."""

import jax
import jax.numpy as jnp

from jssl.types import Call, Noise, Pass, Ref


def noise(*, on: Ref, noise: Noise) -> Pass:
  """Adds noise of a random level, as in diffusion.

  Args:
    on: the array to add noise to, [b ...].
    noise: (keys, x) -> `Noised`.

  Outputs:
    x [b ...], noise [b ...], time [b].
  """
  return Pass(lambda call: noise(call.key('noise'), call.read(on))._asdict(), ('x', 'noise', 'time'))


def gaussian(*, mean: Ref, log_variance: Ref) -> Pass:
  """A reparametrised sample from a Gaussian, with gradients for mean and variance: z = mean + exp(log_variance / 2) e, e ~ N(0, I).

  Reference: Kingma, Welling, ICLR 2014, arXiv:1312.6114, section 2.4.

  Outputs:
    z: [b d]. prior: [b d], an independent sample from N(0, I).
  """

  def run(call: Call):
    m = call.read(mean)
    normal = lambda purpose: jax.vmap(lambda key: jax.random.normal(key, m.shape[1:]))(call.key(purpose))
    z = m + jnp.exp(call.read(log_variance) / 2) * normal('draw')
    return {'z': z, 'prior': normal('prior')} if 'prior' in call.asked else {'z': z}

  return Pass(run, ('z', 'prior'))
