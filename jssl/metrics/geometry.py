"""Alignment and uniformity of representations."""

import jax.numpy as jnp
from jaxtyping import Float

from jssl.objectives.uniformity import alignment as distances
from jssl.objectives.uniformity import uniformity as potential
from jssl.types import Array


def alignment(z1: Float[Array, 'n d'], z2: Float[Array, 'n d']) -> Float[Array, '']:
  """Mean squared distance of two views of the same example on the sphere: 0 at best, 2 for unrelated views.

  E |z1_i - z2_i|^2, l2-normalised

  Reference: Wang, Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere, ICML 2020, arXiv:2005.10242, section 4.1 (alpha = 2).
  """
  return jnp.mean(distances(z1, z2))


def uniformity(z: Float[Array, 'n d'], t: float = 2.0) -> Float[Array, '']:
  """How evenly features cover the sphere: 0 at a point, -2t where all are orthogonal; lower is more even.

  log E_{i != j} exp(-t |z_i - z_j|^2), l2-normalised

  Args:
    z: [n d]; the n x n distances are formed.
    t: 2 in the paper.

  Reference: Wang, Isola, ICML 2020, arXiv:2005.10242, section 4.1, Eq. 4.
  """
  return potential(z, t=t)
