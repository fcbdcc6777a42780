"""Passes that mix examples."""

import jax.numpy as jnp

from jssl.ops.mixing import mixing, smoothed
from jssl.passes.text import further
from jssl.types import Array, Call, Pass, Ref, salted


def mixed(
  *,
  on: Ref,
  classes: int,
  label: str = 'label',
  mixup: float = 0.8,
  cutmix: float = 1.0,
  p: float = 1.0,
  switch: float = 0.5,
  smoothing: float = 0.1,
) -> Pass:
  """Mixes each view with that of the next example of the whole batch, by mixup or CutMix, and their smoothed labels likewise.

  One draw is made for the whole batch, with the key of its first example. On several devices each sends one view to its neighbour; in
  micro-batches on several devices every device holds the views of the whole batch.

  Args:
    on: a view of all examples, a reference that begins with 'whole.': 'whole.views.x[0]'.
    classes: number of classes.
    label: column of integers.
    mixup, cutmix: alpha of each; 0 disables it.
    p: probability that the batch is mixed.
    switch: probability of CutMix where both are enabled.
    smoothing: label smoothing, before labels are mixed.

  Outputs:
    x [b h w c], the mixed view; y [b classes], the mixed labels.

  Reference: as for `jssl.ops.mixing.mixed`. The defaults are those of Touvron et al. (DeiT) 2021, arXiv:2012.12877, Table 9.
  """
  if not on.startswith('whole.'):
    raise ValueError(f"on is {on!r}, and views are mixed with those of other examples: give 'whole.{on}'")

  def run(call: Call):
    x, views, labels = call.read(on.removeprefix('whole.')), call.read(on), call.read(f'whole.batch.{label}')
    key = salted(call.read('whole.batch.keys')[0], call.name, 'mix')
    own, share = mixing(key, x.shape[1:3], mixup=mixup, cutmix=cutmix, p=p, switch=switch)

    def following(rows: Array) -> Array:
      return jnp.roll(rows, -1, 0) if len(rows) == len(x) else rows[further(call, 1)]  # a roll moves fewer rows between devices

    y, other = (smoothed(of, classes, smoothing) for of in (call.batch[label], following(labels)))
    return {'x': x * own + following(views) * (1 - own), 'y': y * share + other * (1 - share)}

  return Pass(run, ('x', 'y'))
