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


def gumbel(*, logits: Ref, temperature: float = 0.9) -> Pass:
  """A relaxed sample of each categorical variable, with a gradient for its logits: softmax((logits + g)/tau), g ~ Gumbel(0, 1).

  Args:
    logits: [b ... v].
    temperature: tau.

  Outputs:
    out: [b ... v], the sample. codes: [b ...] int32, the likeliest values.

  Reference: Jang, Gu, Poole, ICLR 2017, arXiv:1611.01144, section 2.2; Ramesh et al. (DALL-E), ICML 2021, arXiv:2102.12092, section 2.1. tau =
    0.9 is the default of BEiT's official modeling_discrete_vae.py.
  """

  def run(call: Call):
    x = call.read(logits)
    noise = lambda key: jax.random.gumbel(key, x.shape[1:], x.dtype)
    relaxed = lambda: jax.nn.softmax((x + jax.vmap(noise)(call.key('draw'))) / temperature)
    return ({'out': relaxed()} if 'out' in call.asked else {}) | {'codes': jnp.argmax(x, -1)}

  return Pass(run, ('out', 'codes'))
