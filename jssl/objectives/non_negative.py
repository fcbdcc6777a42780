"""Contrastive learning of non-negative features."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from jssl.objectives.contrastive import nt_xent
from jssl.types import Array


def non_negative(
  q: Float[Array, 'b d'], k: Float[Array, 'b d'], *, temperature: float = 0.2, ids: Int[Array, ' b'] | None = None
) -> Float[Array, ' b']:
  """NT-Xent of non-negative features, for the anchors q.

  l = nt_xent(z(q), z(k)),   z = `rectify`

  Args:
    q: [b d] outputs of the projector for one view.
    k: [b d] outputs for the other view.
    temperature: tau.
    ids: [b] integers; rows of equal id are not negatives of each other.

  Returns:
    [b] nats.

  Reference: Wang, Zhang, Guo, Wang 2024, arXiv:2403.12459, section 3, with the reparameterised ReLU of the official
  code. Its loss is that of `nt_xent`.
  """
  return nt_xent(rectify(q), rectify(k), temperature=temperature, ids=ids)


def rectify(x: Float[Array, ' *s']) -> Float[Array, ' *s']:
  """relu(x) with the gradient of gelu(x), which keeps features from dying."""
  x = x.astype(jnp.float32)
  smooth = jax.nn.gelu(x, approximate=False)
  return smooth + jax.lax.stop_gradient(jax.nn.relu(x) - smooth)
