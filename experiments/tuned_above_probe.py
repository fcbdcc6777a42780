"""Fine-tuning beside the linear probe of the same network, with the same labels, paired over the test examples.

python experiments/tuned_above_probe.py          # a small ViT, trained by MAE on 4,000 digits, of which all have labels; minutes on two cores

Rates and penalties are chosen on examples held out of 'train'; 'test' is read once by each.
"""

import json

import jax
import numpy as np

from jssl.core import loop
from jssl.core.build import judges, plan
from jssl.evaluators.figures import interval
from jssl.run import list_subjects, load_config

EVALUATORS = dict(
  probe=dict(name='logistic'),
  finetune=dict(
    name='finetune', shots=None, seeds=(0,), epochs=15, batch_size=100, learning_rates=(1e-3, 2e-3), smoothing=0.1,
    optimizer=dict(name='adamw', weight_decay=0.05, layer_decay=0.75),
    view=dict(name='augment', views=1, affine=dict(degrees=10, translate=0.1, scale=(0.8, 1.1))),
  ),
)  # fmt: skip


def main() -> None:
  p = plan(load_config('mae', ['backbone.patch=7', 'backbone.width=96', 'epochs=8']).to_dict() | dict(evaluators=EVALUATORS))
  trained = loop.run(p, loop.open_source(p), quiet=True)
  (subject,) = list_subjects(p, trained.train, {}, raw=False).values()
  found = {name: judge(subject, jax.random.key(0)) for name, judge in judges(EVALUATORS).items()}
  probe, tuned = (np.asarray(found[name].pop('items')['top1'].columns[0], float) for name in ('probe', 'finetune'))
  difference = dict(zip(('low', 'high'), interval(tuned - probe), strict=True), mean=float(np.mean(tuned - probe)))
  print(json.dumps({**found, 'difference': difference}, indent=1, default=str))


if __name__ == '__main__':
  main()
