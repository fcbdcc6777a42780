"""Measures what a grid of linear probes takes beside one probe, and compares probes by SGD with those in closed form.

python experiments/bench_linear.py time       a grid of 48 probes and one probe, on views that are encoded in each epoch
python experiments/bench_linear.py accuracy   `linear` and `logistic` on raw input and on SimCLR, paired over test examples
"""

import sys
import time

import jax

from jssl.configs import load_config
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.evaluators import interval
from jssl.run import carried_out, list_subjects
from jssl.tables import EVALUATORS

VIEW = dict(name='augment', views=1, crop=dict(scale=(0.3, 1.0)))
RATES = tuple(10 ** (-3 + i / 4) for i in range(12))


def judged(subject, name, **options):
  began = time.process_time()
  found = EVALUATORS[name](subject, jax.random.key(0), **options)
  return found, time.process_time() - began


def times():
  """CPU seconds of evaluation on ResNet-18 features, without the time to compile: of two lengths, the difference."""
  data = dict(name='subset', of=dict(name='mnist5k'), train=400, test=100)
  c = load_config('simclr').to_dict() | dict(backbone=dict(name='resnet18'), data=data)
  p = plan(c)
  subject = list(list_subjects(p, Programs(p, make_mesh()).start(seed_data(p)), {}, raw=False).values())[0]
  view = plan({**c, 'evaluators': dict(linear=dict(name='linear', view=VIEW))}).evaluators['linear'].keywords['view']
  for kind, given in (('views', dict(view=view)), ('cached features', {})):
    seconds = {}
    for n, rates, decays in ((1, (0.1,), (0.0,)), (48, RATES, (0.0, 1e-5, 1e-4, 1e-3))):
      short, long = (1, 3) if kind == 'views' else (10, 60)
      took = [judged(subject, 'linear', learning_rates=rates, weight_decays=decays, epochs=e, refit=False, **given)[1] for e in (short, long)]
      seconds[n] = (took[1] - took[0]) / (long - short)
    ratio = seconds[48] / seconds[1]
    print(f'{kind}: an epoch takes {seconds[1]:.3f} CPU seconds with one probe, {seconds[48]:.3f} with 48: {ratio:.2f} times', flush=True)


def accuracies():
  p = plan(load_config('simclr').to_dict() | dict(epochs=5))
  _, trained = carried_out(p, None, (), False, quiet=True)
  for row, subject in list_subjects(p, trained.train, {}, raw=True).items():
    closed, _ = judged(subject, 'logistic')
    probe, _ = judged(subject, 'linear', norm='standardize', weight_decays=(closed['chosen']['l2'],), learning_rates=(0.1, 0.3), epochs=200)
    difference = probe['items']['top1'].columns[0] - closed['items']['top1'].columns[0]
    print(row, closed['top1'], probe['top1'], interval(difference), flush=True)


if __name__ == '__main__':
  dict(time=times, accuracy=accuracies)[sys.argv[1]]()
