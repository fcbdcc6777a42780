"""Mixing of examples and their labels: mixup, CutMix and label smoothing."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from jssl.ops.look_up import one_hot
from jssl.types import Array, Key


def mixup(
  key: Key, x: Float[Array, 'b h w c'], y: Float[Array, 'b classes'], *, alpha: float
) -> tuple[Float[Array, 'b h w c'], Float[Array, 'b classes']]:
  """Convex combinations of images and of their labels.

  x_i -> lam x_i + (1 - lam) x_{i+1},   y_i -> lam y_i + (1 - lam) y_{i+1},   lam ~ Beta(alpha, alpha), one for the batch

  Args:
    key: one key for the batch.
    x: [b h w c] images.
    y: [b classes] labels, one-hot or soft.
    alpha: parameter of the Beta distribution, above 0.

  Returns:
    Mixed images [b h w c] and labels [b classes].

  Raises:
    ValueError: as for `mixing`.

  Reference: Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv:1710.09412, section 2; partners as in `mixed`.
  """
  return mixed(key, x, y, mixup=alpha, cutmix=0.0)


def cutmix(
  key: Key, x: Float[Array, 'b h w c'], y: Float[Array, 'b classes'], *, alpha: float
) -> tuple[Float[Array, 'b h w c'], Float[Array, 'b classes']]:
  """Pastes a box of another image, and mixes the labels by the area that is left.

  Args:
    key: one key for the batch.
    x: [b h w c] images.
    y: [b classes] labels, one-hot or soft.
    alpha: parameter of the Beta distribution of the area, above 0; 1 in the paper.

  Returns:
    Mixed images [b h w c] and labels [b classes].

  Raises:
    ValueError: as for `mixing`.

  Reference: Yun, Han, Oh, Chun, Choe, Yoo 2019, arXiv:1905.04899, section 3.1, Eq. 1 and 2, and Algorithm A1; partners as in `mixed`.
  """
  return mixed(key, x, y, mixup=0.0, cutmix=alpha)


def mixed(
  key: Key,
  x: Float[Array, 'b h w c'],
  y: Float[Array, 'b classes'],
  *,
  mixup: float = 0.8,
  cutmix: float = 1.0,
  p: float = 1.0,
  switch: float = 0.5,
) -> tuple[Float[Array, 'b h w c'], Float[Array, 'b classes']]:
  """Mixup or CutMix of each example with the next one of the batch, the last with the first.

  With examples sharded over devices, each device sends one example to its neighbour.

  Args:
    key: one key for the batch.
    x: [b h w c] images.
    y: [b classes] labels, one-hot or soft.
    mixup, cutmix, p, switch: as for `mixing`.

  Returns:
    Mixed images [b h w c] and labels [b classes].

  Raises:
    ValueError: as for `mixing`.

  Reference: timm 1.0, timm/data/mixup.py, `Mixup` with mode='batch', whose defaults with DeiT's alphas these are (Touvron et al. 2021,
    arXiv:2012.12877, Table 9). timm mixes with the batch in reverse order, the papers' codes with a permutation of it; on several devices
    either moves all images.
  """
  own, share = mixing(key, (x.shape[1], x.shape[2]), mixup=mixup, cutmix=cutmix, p=p, switch=switch)
  blend = lambda x, own: x * own + jnp.roll(x, -1, 0) * (1 - own)
  return blend(x, own.astype(x.dtype)), blend(y, share)


def mixing(
  key: Key, shape: tuple[int, int], *, mixup: float = 0.8, cutmix: float = 1.0, p: float = 1.0, switch: float = 0.5
) -> tuple[Float[Array, 'h w 1'], Float[Array, '']]:
  """Draws how a batch is mixed: an image becomes own x + (1 - own) partner, and its label share y + (1 - share) partner.

  Mixup has own = share = lam ~ Beta(mixup, mixup). CutMix has own = 0 in a box of sides sqrt(1 - lam) (h, w), lam ~ Beta(cutmix, cutmix),
  around a uniform pixel, clipped at the borders, and share = 1 - the area of the clipped box.

  Args:
    key: one key for the batch.
    shape: height and width of the images.
    mixup, cutmix: alpha of each; 0 disables it.
    p: probability that the batch is mixed.
    switch: probability of CutMix where both are enabled.

  Returns:
    own [h w 1], share [].

  Raises:
    ValueError: for a negative alpha, two alphas of 0, or a probability outside [0, 1].

  Reference: timm 1.0, timm/data/mixup.py, `rand_bbox`, `cutmix_bbox_and_lam` and `Mixup._params_per_batch`.
  """
  if min(mixup, cutmix) < 0 or max(mixup, cutmix) == 0:
    raise ValueError(f'mixup is {mixup} and cutmix {cutmix}, expected alphas of at least 0, and one of them above')
  for name, value in dict(p=p, switch=switch).items():
    if not 0 <= value <= 1:
      raise ValueError(f'{name} is {value}, expected a probability in [0, 1]')
  keys = jax.random.split(key, 5)
  lam = [jax.random.beta(k, alpha, alpha) if alpha else jnp.ones(()) for k, alpha in zip(keys, (mixup, cutmix), strict=False)]
  cut = jax.random.bernoulli(keys[2], switch if mixup and cutmix else float(cutmix > 0))
  idle = ~jax.random.bernoulli(keys[3], p)
  kept = [_outside(u, side, jnp.sqrt(1 - lam[1])) for u, side in zip(jax.random.uniform(keys[4], (2,)), shape, strict=True)]
  box = (kept[0][:, None] | kept[1]).astype(jnp.float32)
  own = jnp.where(idle, 1, jnp.where(cut, box, lam[0]))
  return own[..., None], jnp.where(cut | idle, jnp.mean(own), lam[0])


def smoothed(labels: Int[Array, ' b'], classes: int, smoothing: float) -> Float[Array, 'b {classes}']:
  """One-hot labels, a part of which is spread evenly over all classes.

  y_c = 1 - s + s / C for the class of the label, and s / C for the others

  Args:
    labels: [b] whole numbers.
    classes: C.
    smoothing: s, in [0, 1].

  Returns:
    [b classes]; NaN for a label that is not from 0 to classes - 1.

  Reference: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2016, arXiv:1512.00567, section 7; timm 1.0, timm/data/mixup.py, `mixup_target`.
  """
  return one_hot(labels, classes) * (1 - smoothing) + smoothing / classes


def _outside(u: Array, side: int, ratio: Array) -> Array:
  """Which of `side` pixels lie outside a stretch of them of this ratio, around a pixel that the uniform number u draws: [side] bool."""
  cut, centre, pixel = jnp.floor(side * ratio), jnp.floor(u * side), jnp.arange(side)
  low = centre - cut // 2
  return (pixel < low) | (pixel >= low + cut)
