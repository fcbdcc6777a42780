"""A small config, and runs of it that give figures without training, for what trains several of them."""

import json
from types import SimpleNamespace

import numpy as np

from jssl import run
from jssl.core.build import plan
from jssl.errors import Stopped
from jssl.evaluators.figures import Items

CONFIG = """
from ml_collections import ConfigDict

def get_config():
  c = ConfigDict(dict(data=dict(name='digits', train=200), batch_size=32, steps=4, backbone=dict(name='mlp_backbone', widths=(16,))))
  c.heads = dict(projector=dict(name='mlp', widths=(16, 8)))
  c.view = dict(name='augment', flip=0.5)
  c.passes = dict(views=dict(name='embed', heads=('projector',)))
  c.losses = dict(nce=dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=0.5))
  c.optimizer = dict(name='sgd', learning_rate=0.1)
  c.evaluators = dict(knn=dict(name='knn'))
  return c
"""


def without_training(monkeypatch, figure=lambda config: 0.5 + 0.01 * config['seed']):
  """Gives runs `figure(config)` as knn_top1, of 100 test items; every config that is run is kept. Raises what `figure` raises."""
  asked = []
  monkeypatch.setattr(run, 'plan', planned)

  def carried_out(p, workdir, protocols, baselines, items=None, **options):
    asked.append(p.config)
    (workdir / 'checkpoints').mkdir(parents=True, exist_ok=True)
    x = figure(p.config)
    if isinstance(x, Exception):
      raise x
    right = lambda share: Items('mean', (np.arange(100) < round(100 * share),))
    rows = {p.config['name']: x} | (dict(raw_input=0.45, random_init=0.3) if baselines else {})
    items.update({row: dict(knn_top1=right(share)) for row, share in rows.items()})
    of = {row: dict(knn_top1=share, knn_top1_low=share - 0.1, knn_top1_high=share + 0.1) for row, share in rows.items()}
    alarms = ['deviation 0.001'] if p.config['losses']['nce']['temperature'] == 9.0 else []
    results = dict(figures=of.pop(p.config['name']), baselines=of, alarms=alarms)
    return results, SimpleNamespace(train=SimpleNamespace(params=dict(backbone=np.zeros(3), projector=np.zeros(2))), seconds=1.5)

  monkeypatch.setattr(run, 'carried_out', carried_out)
  return asked


def planned(config):
  """The plan of a config, which is made once for all seeds: what is not trained does not read data."""
  c = config.to_dict() if hasattr(config, 'to_dict') else dict(config)
  key = json.dumps({**c, 'seed': 0, 'name': '', 'modules': '', 'data': {**c['data'], 'seed': 0}}, default=str)
  if key not in _plans:
    _plans[key] = plan(c)
  p = _plans[key]
  return p._replace(config={**p.config, **{key: c[key] for key in ('name', 'data', 'seed') if key in c}})


_plans = {}
DIVERGED = Stopped('at step 2 the loss is nan')
ASKED = Stopped('stopped at step 2 of 4 as asked; the same command with its --workdir goes on')
