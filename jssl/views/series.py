"""Views of series: a step and a later step."""

import jax
import jax.numpy as jnp

from jssl.types import Array, Batch, Keys


def geometric_future(keys: Keys, batch: Batch, *, column: str = 'observation', discount: float = 0.8) -> tuple[Array, Array]:
  """The first state of a window, and the state after a geometrically distributed number of steps.

  Args:
    keys: [b].
    batch: contains the column, [b t ...].
    column: column of states.
    discount: gamma; the number of steps is 1 + n with probability (1 - gamma) gamma^n, clipped at the end of the window.

  Returns:
    Two views, [b ...].

  Reference: Gomez, Bowling, Machado 2024, arXiv:2310.10833, section 4; Wu, Tucker, Nachum, ICLR 2019, arXiv:1810.04586, section 3.
  """
  x = batch[column]
  chances = discount ** jnp.arange(x.shape[1] - 1)
  ahead = 1 + jax.vmap(lambda key: jax.random.categorical(key, jnp.log(chances)))(keys)
  return x[:, 0], jax.vmap(lambda x, k: x[k])(x, ahead)
