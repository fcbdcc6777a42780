"""Measures what a grid of linear probes takes beside one probe, and compares probes by SGD with those in closed form.

python experiments/bench_linear.py time       a grid of 48 probes and one probe, on views that are encoded in each epoch
python experiments/bench_linear.py accuracy   `linear` and `logistic` on raw input and on SimCLR, paired over test examples
"""

import sys
import time
from functools import partial

import jax
import numpy as np

from jssl.configs import load_config
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.evaluators import interval
from jssl.evaluators.general.linear import _apply, _init
from jssl.evaluators.general.probes import Probe, Recipe, Rows, Training
from jssl.parts.optimizers import sgd
from jssl.run import carried_out, list_subjects
from jssl.tables import EVALUATORS
from jssl.views.image import augment

RATES = tuple(10 ** (-3 + i / 4) for i in range(12))


class Timed(Rows):
  """Notes the CPU seconds until each time that features are asked for."""

  def __call__(self, rows, epoch=0):
    jax.block_until_ready(jax.live_arrays())  # the steps before
    self.marks = [*getattr(self, 'marks', ()), time.process_time()]
    return super().__call__(rows, epoch)


def times():
  """CPU seconds an epoch of extraction and training takes, after the first one, in which programs are compiled."""
  c = load_config('simclr').to_dict() | dict(backbone=dict(name='resnet18'))
  p, batch, epochs = plan(c), 128, 4
  subject = list(list_subjects(p, Programs(p, make_mesh()).start(seed_data(p)), {}, raw=False).values())[0]
  view, pick = partial(augment, views=1, crop=dict(scale=(0.3, 1.0))), jax.jit(lambda features: {'pooled': features.pooled})
  seconds = {}
  for n, rates, decays in ((1, (0.1,), (0.0,)), (48, RATES, (0.0, 1e-5, 1e-4, 1e-3))):
    recipe = Recipe(partial(sgd, learning_rate=1.0), rates, decays, epochs, batch, norm='batch')
    rows = Timed(subject, 'train', pick, view, batch)
    Training({'pooled': Probe(_init, _apply, {})}, {'pooled': (512,)}, 10, recipe)(rows, np.arange(batch))
    seconds[n] = (rows.marks[-1] - rows.marks[1]) / (epochs - 2)
  told = ', '.join(f'{x:.2f} CPU seconds with {n}' for n, x in seconds.items())
  print(f'a step of {batch} examples, extraction on views included, takes {told}: {seconds[48] / seconds[1]:.3f} times')


def accuracies():
  p = plan(load_config('simclr').to_dict() | dict(epochs=5))
  _, trained = carried_out(p, None, (), False, quiet=True)
  for row, subject in list_subjects(p, trained.train, {}, raw=True).items():
    judged = lambda name, subject=subject, **options: EVALUATORS[name](subject, jax.random.key(0), **options)
    closed = judged('logistic')
    probe = judged('linear', norm='standardize', weight_decays=(closed['chosen']['l2'],), learning_rates=(0.1, 0.3), epochs=200)
    difference = probe['items']['top1'].columns[0] - closed['items']['top1'].columns[0]
    print(row, closed['top1'], probe['top1'], interval(difference), flush=True)


if __name__ == '__main__':
  dict(time=times, accuracy=accuracies)[sys.argv[1]]()
