"""Passes over places of an image."""

import jax
import jax.numpy as jnp

from jssl.ops.patches import cell_places
from jssl.types import Call, Pass, Ref, View
from jssl.views.places import places


def place(*, view: View, network: str = 'backbone') -> Pass:
  """Draws views, and tells where in the image their cells lie.

  Args:
    view: `augment`, with views of one size.
    network: whose `grid` the cells form.

  Outputs, for each view:
    x: the view. places: [b n 2], (y, x) of the centre of each cell, in pixels of the image.
  """

  def run(call: Call):
    keys = call.key('view')
    grid = call.nets[network].grid
    at = places(view, keys, call.batch) if 'places' in call.asked else ()
    return {
      'x': dict(enumerate(view(keys, call.batch))),
      'places': {i: jax.lax.stop_gradient(cell_places(x, grid)) for i, x in enumerate(at)},
    }

  return Pass(run, ('x', 'places'))


def mean_token(*, on: Ref) -> Pass:
  """The mean over the tokens, such as of projections, whose own pooling a backbone does not know.

  Args:
    on: [b n d].

  Outputs:
    out: [b d].
  """
  return Pass(lambda call: {'out': jnp.mean(call.read(on), 1)}, ('out',))
