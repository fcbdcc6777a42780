"""Masked autoencoding and masked diffusion by one network."""

from collections.abc import Mapping

import jax.numpy as jnp

from jssl.parts.patches import patchify
from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Objective, Term, View, fold


def unified(
  *,
  objective: Objective,
  view: View,
  noise: View,
  masks: Mapping[str, View],
  encoder: str = 'backbone',
  decoder: str = 'decoder',
) -> Term:
  """Each example is masked as it is, and masked after noise is added; one network predicts both x and noise (UMD).

  The paper splits the batch into clean and noised examples. Here every example is both, as twice the batch.

  Args:
    objective: (x_prediction, noise_prediction, x, noise: [2b n p], mask: [2b n], clean: [2b]) -> [2b] or scalar.
    view: one view of each image.
    noise: (keys, x) -> Noised.
    masks: 'clean' and 'noised', each (keys, grid=...) -> Masked.
    encoder: takes `time` [b], 0 for clean images.
    decoder: (visible tokens, restore, time) -> [b n 2p].
  """

  def encode(nets, target, batch, keys):
    del target
    (x,) = view(fold(keys, 0), batch)
    net, seen = nets[encoder], noise(fold(keys, 1), x)

    def predict(x, time, mask, keys):
      hidden = mask(fold(keys, 0), grid=net.grid)
      tokens = net(x, keep=hidden.keep, time=time, keys=fold(keys, 1)).tokens
      return *jnp.split(nets[decoder](tokens, hidden.restore, time), 2, -1), hidden.mask

    clean = predict(x, jnp.zeros_like(seen.time), masks['clean'], fold(keys, 2))
    noised = predict(seen.x, seen.time, masks['noised'], fold(keys, 3))
    x_prediction, noise_prediction, mask = (jnp.stack(pair, 1) for pair in zip(clean, noised, strict=True))
    return {
      'x_prediction': x_prediction,
      'noise_prediction': noise_prediction,
      'x': patchify(x, net.patch),
      'noise': patchify(seen.noise, net.patch),
      'mask': mask,
    }

  def judge(nets, encoded, state, key, step):
    del nets, key
    join = lambda x: x.reshape(-1, *x.shape[2:])
    x, noise = (jnp.repeat(encoded[name], 2, 0) for name in ('x', 'noise'))
    loss = at(objective, step)(
      join(encoded['x_prediction']),
      join(encoded['noise_prediction']),
      x,
      noise,
      mask=join(encoded['mask']),
      clean=jnp.arange(len(x)) % 2 == 0,
    )
    return jnp.mean(loss), (state, {})

  return Term(stateless, encode, judge)
