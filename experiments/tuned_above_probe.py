"""Fine-tuning beside the linear probe, with the same labels, paired over the test examples.

python experiments/tuned_above_probe.py          # the shipped `image_encoder`, a small ViT by MAE, on 4,000 labelled digits

The options of fine-tuning are set before; the probe chooses its penalty on examples held out of 'train'. 'test' is read once by each.
"""

import json
import time

import jax
import numpy as np

from jssl.core.build import judges, plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.evaluators.figures import interval
from jssl.evaluators.general import probe
from jssl.run import list_subjects, load_config

PIXELS = dict(mean=0.13, std=0.31)
OPTIONS = dict(
  name='finetune', shots=None, seeds=(0,), epochs=5, batch_size=100, learning_rates=(1e-3,), warmup='1 epoch', smoothing=0.1,
  view=dict(name='augment', views=1, affine=dict(degrees=10, translate=0.1, scale=(0.8, 1.1)), **PIXELS),
)  # fmt: skip


def main() -> None:
  c = load_config('mae').to_dict() | dict(backbone=dict(name='image_encoder_start'))
  p = plan(c)
  (subject,) = list_subjects(p, Programs(p, make_mesh()).start(seed_data(p)), {}, raw=False).values()
  began, right = time.perf_counter(), {}
  judge = judges({'finetune': OPTIONS})['finetune']
  found = {'finetune': judge(subject, jax.random.key(0))}
  right['finetune'] = found['finetune'].pop('items')['top1'].columns[0]
  print('seconds of fine-tuning', round(time.perf_counter() - began), flush=True)
  frozen = subject.frozen
  found['probe'], right['probe'] = probed(frozen)
  difference = right['finetune'].astype(float) - right['probe']
  low, high = interval(difference)
  print(json.dumps({**found, 'difference': [float(np.mean(difference)), low, high]}, indent=1, default=str))


def probed(frozen) -> tuple[dict, np.ndarray]:
  """The closed-form probe, and which test examples it classifies correctly."""
  kept, whole = [], probe._right

  def told(*given):
    kept.append(whole(*given))
    return kept[-1]

  probe._right = told
  return probe.linear(frozen), kept[-1]


if __name__ == '__main__':
  main()
